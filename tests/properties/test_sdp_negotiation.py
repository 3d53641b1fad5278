"""Two sides that negotiate in any order, by any allowed moves, always agree when both are stable."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.peer_negotiation.odd_offers import MEDIA, PLAIN
from tests.unit.peer_negotiation.support import check_description, local, over_the_wire, start
from webrtc_stack.errors import ProtocolError
from webrtc_stack.peer.negotiation import (
    Description,
    LocalTransport,
    NegotiationState,
    Plan,
    SdpType,
    SignalingState,
    TransportPlan,
    Wishes,
    create_answer,
    rollback,
    set_local_description,
    set_remote_description,
)

_MOVES = st.lists(
    st.tuples(
        st.sampled_from(["offer", "restart", "nothing"]),
        st.booleans(),
        st.sampled_from(["answer", "pranswer", "rollback", "glare"]),
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class Side:
    """One side and what it last planned."""

    state: NegotiationState
    transport: LocalTransport
    name: str
    generation: int = 0
    plan: Plan | None = None

    def describe(self, wishes: Wishes | None = None) -> Description:
        self.state, self.plan = set_local_description(self.state, self.transport, wishes)
        self._renew()
        check_description(self.state.local)
        return over_the_wire(self.state.local)

    def hear(self, description: Description, *, polite: bool = False) -> None:
        self.state, self.plan = set_remote_description(self.state, description, implicit_rollback=polite)
        if self.plan.rolled_back:
            self._renew()

    def take_back(self) -> None:
        self.state, self.plan = rollback(self.state)
        self._renew()

    def _renew(self) -> None:
        """What a transport does with a plan: it follows the credentials that the plan names."""
        assert self.plan is not None
        ice = self.plan.transports[0].local_ice if self.plan.transports else None
        for generation in range(self.generation + 2):
            if ice is not None and local(self.name, generation=generation).ice.ufrag == ice.ufrag:
                self.generation = max(self.generation, generation)
                spare = local(self.name, generation=self.generation).next_ice
                self.transport = replace(local(self.name, generation=generation), next_ice=spare)


@settings(max_examples=120, deadline=None)
@given(_MOVES)
def test_two_sides_agree_whatever_they_do(moves: list[tuple[str, bool, str]]) -> None:
    a, b = Side(start("A"), local("A"), "A"), Side(start("B"), local("B"), "B")
    versions: dict[str, set[tuple[int, str]]] = {"A": set(), "B": set()}
    for wish, a_offers, then in moves:
        one, two = (a, b) if a_offers else (b, a)
        wishes = Wishes(data_channel=wish == "offer", ice_restart=wish == "restart")
        offer = one.describe(wishes)
        if then == "glare":
            two.describe(Wishes(data_channel=True))
            two.hear(offer, polite=True)
        else:
            two.hear(offer)
        if then == "rollback":
            one.take_back()
            two.take_back()
        else:
            if then == "pranswer":
                two.state, made = create_answer(two.state, two.transport)
                provisional = replace(made, type=SdpType.PRANSWER)
                two.state, two.plan = set_local_description(two.state, two.transport, description=provisional)
                two._renew()
                one.hear(over_the_wire(provisional))
            one.hear(two.describe())
        for side in (one, two):
            assert side.state.signaling_state is SignalingState.STABLE and side.state.fallback is None
            if side.state.current_local is not None:
                sdp = side.state.current_local.sdp
                versions[side.name].add((sdp.origin.session_version, sdp.serialize()))
        assert one.state.mids == two.state.mids
        for side, other in ((one, two), (two, one)):
            _check_mirror(side, other)
    for seen in versions.values():
        assert len({version for version, _ in seen}) == len(seen), "a version stands for one content"


def _check_mirror(side: Side, other: Side) -> None:
    assert side.plan is not None and other.plan is not None
    assert [media.alive for media in side.plan.media] == [media.alive for media in other.plan.media]
    for mine, theirs in zip(side.plan.transports, other.plan.transports, strict=True):
        assert isinstance(mine, TransportPlan)
        assert mine.id == theirs.id and mine.local_ice == theirs.remote_ice
        assert mine.controlling is not theirs.controlling
        assert mine.dtls_role is not None and mine.dtls_role is not theirs.dtls_role
        assert mine.remote_fingerprints == other.transport.fingerprints


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([PLAIN, MEDIA]), st.data())
def test_a_damaged_offer_is_answered_or_refused(text: str, data: st.DataObject) -> None:
    lines = text.split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "cut", "noise"])):
            case "drop":
                del lines[at : at + 1]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case _:
                lines[at] += data.draw(st.text(max_size=5))
        if not lines:
            return
    try:
        state, _ = set_remote_description(start(), Description.parse("offer", "\r\n".join(lines)))
    except ProtocolError:
        return
    state, plan = set_local_description(state, local("A"))
    sdp = check_description(state.local)
    assert len(sdp.media) == len(plan.media)

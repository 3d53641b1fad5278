"""Whatever is sent in whatever order: a NAT lets nobody in whom its filter forbids, and shares no outside port."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.base import Address
from webrtc_stack.sim import NatBehaviour

from .nats import Endpoint, Outside

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("out"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("in"), st.integers(0, 2), st.integers(0, 7)),
        st.tuples(st.just("hairpin"), st.integers(0, 3), st.integers(0, 7)),
        st.tuples(st.just("wait"), st.integers(1, 40), st.just(0)),
        st.tuples(st.just("rebind"), st.just(0), st.just(0)),
    ),
    min_size=10,
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(
    steps=_STEPS,
    mapping=st.sampled_from(NatBehaviour),
    filtering=st.sampled_from(NatBehaviour),
    preserving=st.booleans(),
    hairpin=st.booleans(),
)
def test_a_nat_delivers_only_what_its_filter_allows_and_never_shares_a_port(
    steps: list[tuple[str, int, int]],
    mapping: NatBehaviour,
    filtering: NatBehaviour,
    preserving: bool,
    hairpin: bool,
) -> None:
    world = Outside(
        mapping=mapping,
        filtering=filtering,
        port_preservation=preserving,
        hairpin=hairpin,
        ports=(5000, 5007),
        port_parity=False,
        mapping_timeout=30.0,
    )
    net, nat = world.net, world.nat
    insiders = [world.a, world.b, Endpoint(world.a.socket.host, 5001), Endpoint(world.b.socket.host, 5001)]
    servers = [world.x1, world.x2, world.y1]
    by_address = {endpoint.address: endpoint for endpoint in insiders}
    spoken: list[tuple[float, Endpoint, Address]] = []  # who inside has sent to which outside address, and when
    since = 0.0  # of the last rebind
    for what, one, two in steps:
        for endpoint in [*insiders, *servers]:
            endpoint.take()
        began = net.now
        if what == "out":
            insiders[one].send(servers[two], settle=0.01)
            spoken.append((began, insiders[one], servers[two].address))
        elif what == "in":
            servers[one].send(Address("203.0.113.1", 5000 + two), settle=0.01)
        elif what == "hairpin":
            target = Address("203.0.113.1", 5000 + two)
            insiders[one].send(target, settle=0.01)
            spoken.append((began, insiders[one], target))
        elif what == "wait":
            net.run_until(net.now + one)
        else:
            nat.rebind()
            since = net.now
        owners: dict[Address, Address] = {}
        for entry in nat.mappings:
            assert owners.setdefault(entry.outside, entry.inside) == entry.inside
            assert entry.inside in by_address
        for insider in insiders:
            for sender, _ in insider.take():
                if what == "hairpin":
                    assert hairpin and sender.host == "203.0.113.1"
                scope = filtering.scope(sender)
                assert any(
                    who is insider and max(since, began - 30.0) <= when and filtering.scope(remote) == scope
                    for when, who, remote in spoken
                ), f"{sender} was let in to {insider.address}"

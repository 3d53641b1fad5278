"""Gathering: what the agent announces of itself, and when there is no more to come.

The state goes from `gathering` to `complete` once a generation, as W3C wants it. What is found after that is announced
all the same (`IceConfig.continual`), though the peer was told that nothing more comes: browsers take it.

Spec: RFC 8445 section 5.1, RFC 8838 section 5 (candidates as soon as they are known); the states are W3C's.
"""

from __future__ import annotations

from collections.abc import Callable

from ..base import Address, CandidateType, Entropy, GatherAddresses, Instant, PublishName, WithdrawName, canonical_ip
from ..errors import InvalidArgumentError
from ..trace import Trace
from .candidates import Base
from .config import IceConfig
from .events import CandidateError, CandidateGathered, GatheringState, GatheringStateChanged, IceEvent
from .locals import Announced, LocalCandidates
from .sources import Found, Sources, StunSource


class Gathering:
    """Host candidates from the driver, others from the sources; one generation at a time."""

    __slots__ = (
        "_addresses_asked",
        "_announced_before",
        "_config",
        "_emit",
        "_entropy",
        "_generation",
        "_locals",
        "_locals_complete",
        "_mapped",
        "_trace",
        "active",
        "sources",
        "state",
    )

    def __init__(
        self,
        config: IceConfig,
        locals_: LocalCandidates,
        *,
        entropy: Entropy,
        trace: Trace,
        emit: Callable[[IceEvent], None],
    ) -> None:
        self._config = config
        self._locals = locals_
        self._entropy = entropy
        self._trace = trace
        self._emit = emit
        self._addresses_asked = False
        self._locals_complete = False
        self._generation = 0
        self._announced_before: list[Announced] = []
        self._mapped: list[tuple[Found, str]] = []
        """What servers beside ours told, and their URLs."""
        self.sources = Sources(config)
        self.state = GatheringState.NEW
        self.active = False
        """Whether this generation was asked to gather; before that nothing is announced."""

    def begin(self, now: Instant) -> list[int]:
        """Announces what is bound, asks the servers that have an address, and for sockets if nobody did.

        Returns: the places of those servers whose names must be resolved first.
        """
        self.active = True
        self._set_state(GatheringState.GATHERING, now)
        if not self._addresses_asked:
            self._addresses_asked = True
            self._emit(GatherAddresses())
        for base in self._locals.bases.values():
            self._announce_base(base, now)
        for found, url in self._mapped:
            self._announce_found(found, url, now)
        named = []
        for index, server in enumerate(self._config.stun_servers):
            try:
                host = canonical_ip(server.host)
            except InvalidArgumentError:
                named.append(index)
            else:
                self.add_server(index, host, now)
        return named

    def restart(self, *, keep: bool) -> None:
        """A new generation: silent until `begin`. `keep` what was announced, for `undo_restart`."""
        self.sources.close()
        self._generation += 1
        if keep:
            self._announced_before = self._locals.announced
        self.active = False

    def undo_restart(self, ufrag: str) -> None:
        """The generation before goes on, with what it had announced; its servers are not asked again."""
        self.sources.close()
        self._locals.begin(ufrag)
        bases = self._locals.bases
        self._locals.announced = [one for one in self._announced_before if bases.get(one.base.socket) is one.base]
        self.active = True

    def add_server(self, index: int, host: str, now: Instant) -> None:
        """The configured server at this place has this address."""
        server = self._config.stun_servers[index]
        entropy = self._entropy.fork(f"stun {self._generation} {index} {host}")
        source = StunSource(server.url, Address(host, server.port), index, self._config, entropy)
        self.sources.all.append(source)
        for base in self._locals.bases.values():
            if base.asks_stun:
                source.add_base(base, now)

    def server_failed(self, index: int) -> None:
        """Its name was not resolved."""
        server = self._config.stun_servers[index]
        self._emit(CandidateError(server.url, 701, f"the name {server.host} was not resolved"))

    def add_base(self, base: Base, now: Instant) -> None:
        if self.active and (self._config.continual or self.state is not GatheringState.COMPLETE):
            self._announce_base(base, now)
            if base.asks_stun:
                self.sources.add_base(base, now)

    def add_mapped(self, base: Base, address: Address, url: str, now: Instant) -> None:
        """Somebody else's server, at `url`, sees this base at `address`; the last word of each server counts."""
        found = Found(base, CandidateType.SRFLX, address, url, len(self._config.stun_servers))
        self._mapped = [one for one in self._mapped if (one[0].base, one[1]) != (base, url)]
        self._mapped.append((found, url))
        if self.active and (self._config.continual or self.state is not GatheringState.COMPLETE):
            self._announce_found(found, url, now)

    def remove_base(self, base: Base) -> None:
        self._mapped = [one for one in self._mapped if one[0].base is not base]
        self.sources.remove_base(base.socket)
        host = base.address.host
        if host not in self._locals.own_hosts:
            name = self._locals.names.withdraw(host)
            if name is not None:
                self._emit(WithdrawName(name))

    def close(self) -> None:
        self.sources.close()
        for name in self._locals.names.withdraw_all():
            self._emit(WithdrawName(name))

    def locals_complete(self) -> None:
        self._locals_complete = True

    def collect(self, now: Instant, *, names_pending: bool) -> None:
        """Announces what the sources found, and settles the state."""
        for found in self.sources.take_found():
            self._announce_found(found, self._config.stun_servers[found.order].url, now)
        failures = self.sources.take_failures()
        if self._locals_complete and any(base.asks_stun for base in self._locals.bases.values()):
            failures += self.sources.unreachable()
        for failure in failures:
            self._emit(CandidateError(*failure))
        if self.active and self.state is not GatheringState.COMPLETE:
            complete = self._locals_complete and self.sources.settled and not names_pending
            if complete:
                self._set_state(GatheringState.COMPLETE, now)

    def _announce_base(self, base: Base, now: Instant) -> None:
        for announced in self._locals.announcements(base):
            if announced.candidate.is_mdns and self._locals.names.publish(base.address.host):
                self._emit(PublishName(announced.candidate.host, base.address.host))
            self._announce(announced, now)

    def _announce_found(self, found: Found, url: str, now: Instant) -> None:
        candidate = self._locals.found(found)
        if candidate is not None:
            self._locals.urls[candidate] = url
            self._announce(Announced(candidate, found.base, found.address), now)

    def _announce(self, announced: Announced, now: Instant) -> None:
        self._locals.announced.append(announced)
        if self._trace:
            self._trace.event(now, "candidate_gathered", candidate=announced.candidate.serialize())
        self._emit(CandidateGathered(announced.candidate))

    def _set_state(self, state: GatheringState, now: Instant) -> None:
        if self.state is not state:
            self.state = state
            if self._trace:
                self._trace.event(now, "gathering_state_changed", state=state.value)
            self._emit(GatheringStateChanged(state))

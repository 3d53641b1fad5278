"""Every tunable of the agent, with unit, default and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ..base import SYSTEM_ENTROPY, Entropy, IceParameters, PathTable, canonical_ip
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace
from .candidates import is_link_local, is_loopback


class RewriteMode(StrEnum):
    REPLACE = "replace"
    """The host candidate names the public address, and the private one stays unsaid."""
    ADD = "add"
    """The host candidate stays; a server-reflexive one beside it names the public address."""


class AddressRewrite(NamedTuple):
    """A NAT that maps a local address to `public`, port by port. `local` None: every address of the family, but for
    loopback and link-local ones."""

    public: str
    local: str | None = None
    mode: RewriteMode = RewriteMode.REPLACE

    def applies_to(self, host: str) -> bool:
        if self.local is not None:
            return canonical_ip(self.local) == host
        return (":" in self.public) == (":" in host) and not (is_loopback(host) or is_link_local(host))

    def check(self) -> None:
        """Errors: `InvalidArgumentError` for what are no addresses of one family."""
        public = canonical_ip(self.public)
        if self.local is not None and (":" in canonical_ip(self.local)) != (":" in public):
            raise InvalidArgumentError(f"{self.local} and {self.public} are of different families")


class StunServer(NamedTuple):
    """A STUN server: an IP literal, or a name that is resolved first."""

    host: str
    port: int = 3478

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stun:{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IceConfig:
    """Configuration of an `IceAgent`. Times are seconds."""

    paths: PathTable = field(default_factory=PathTable)
    """Shared with the driver, which interns where datagrams came from."""
    controlling: bool = False
    """The role to begin with; signalling decides it (`set_controlling`)."""
    stun_servers: tuple[StunServer, ...] = ()
    """All are asked, at once, from every local address of their family."""
    local_parameters: IceParameters | None = None
    """Fixed credentials for the first generation; None: drawn from `entropy`."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    # --- checks ---
    pacing_interval: float = 0.02
    """Ta between new checks. RFC 8445 section 14.2 lets an agent go below 50 ms down to 5; one component of one stream
    sends little, and 20 ms is what VoIP traffic itself does to a NAT."""
    pacing_floor: float = 0.005
    """The least Ta, the floor of RFC 8445: below it NATs were seen to lose new bindings."""
    pacing_spread: float = 0.2
    """With many pairs waiting Ta shrinks to `pacing_floor`, so that each was tried once within about this time."""
    check_rto: float = 0.25
    """First retransmission of a check. RFC 8445 section 14.3 starts at 500 ms for audio-sized uplinks; a lost first
    check is the whole delay of a connect, and browsers repeat checks every 50 ms."""
    check_max_rto: float = 2.0
    """Where the doubling of the RTO ends. RFC 8489 has no end; but a path that loses much, or opens late, should not
    be left alone for 8 s."""
    check_rc: int = 11
    """Sendings of one check: at 0, 0.25, 0.75, 1.75 s and every 2 s from there; it fails 19.75 s after the first."""
    tcp_check_timeout: float = 20.0
    """A check over a stream is sent once, and fails after so long, the time to connect included."""
    nomination_patience: float = 0.1
    """How long after the first valid pair a better one may still appear before we nominate. Data flows meanwhile."""
    detour_patience: float = 0.5
    """The same when the valid pair is relayed or runs over TCP and a direct one may still work: as long as two
    repetitions of its checks take. A direct pair that comes later still is nominated then, in place of the other."""
    retry_interval: float = 15.0
    """While a relayed or TCP pair is selected, a better one that failed is checked again so often, one at a time; each
    round doubles it, up to eight times as long."""
    check_deadline: float = 30.0
    """Without any valid pair so long after the last new pair the session fails: as long as consent lasts."""
    failure_patience: float = 15.0
    """Even with nothing left to check, an agent waits so long for peer-reflexive candidates. RFC 8863 advises 39.5 s,
    twice the life of a check; checks live 19.75 s here, and users would rather know."""

    # --- living paths ---
    consent_interval: float = 2.5
    """Mean time between consent checks, randomised by 20 %. RFC 7675 uses 5 s; half of it notices a dead path within
    7 s while surviving two lost checks, and is what Chromium does."""
    consent_retry: float = 0.75
    """Time to the next check while one is unanswered (at least two round trips)."""
    disconnected_timeout: float = 6.0
    """Silence after which the path counts as disconnected; four checks went unanswered by then."""
    consent_timeout: float = 29.0
    """Silence after which nothing more is sent (RFC 7675: 30 s), counted from when the last answered check was sent."""
    backup_interval: float = 10.0
    """Mean time between checks of valid pairs that are not selected: keeps their NAT bindings (RFC 8445: 15 s)."""
    nomination_follow: float = 3.5
    """As controlled: a nomination fresher by this much than that of the selected pair moves the selection even to a
    pair of lower priority. Longer than the gap between checks of a peer that nominates in every check."""
    doubt_retry: float = 0.2
    """When a check comes from a new address, the selected pair is asked in haste, so often (at least two round trips),
    whether the peer has left it: three of them unanswered, and the new path takes over."""
    return_rest: float = 10.0
    """A pair that was selected and fell silent is not returned to for so long, while another works; twice as long each
    further time, up to 320 s, so that a path that comes and goes does not take the data along."""
    restart_grace: float = 5.0
    """How long the paths of before a restart are kept once the new session has one. Browsers go on sending on the old
    path, and checking it, until they have moved on their own."""

    # --- acting as ICE-lite (RFC 8445 section 2.5) ---
    lite: bool = False
    """For hosts that everybody reaches: host candidates alone, no checks of our own; the peer controls, and asks."""
    lite_disconnected_timeout: float = 15.0
    """As lite, silence of the peer's checks after which the path counts as disconnected. It may ask as seldom as every
    6 s (RFC 7675), and one question may be lost."""

    # --- gathering ---
    rewrite: tuple[AddressRewrite, ...] = ()
    """For machines behind a NAT that maps addresses one to one: what host candidates are announced as. The first rule
    that names the address counts, then the first for its family."""
    hide_hosts: bool = False
    """Announces host candidates by multicast DNS names in place of addresses, as browsers do."""
    continual: bool = True
    """Announces also what is found after gathering was complete: an address that came up, a relay that answered late.
    Peers take such late candidates; without this the address is still used, and the peer learns of it by checks."""
    stun_rto: float = 0.5
    stun_rc: int = 4
    stun_timeout: float = 5.0
    """A server silent so long has failed: sendings at 0, 0.5, 1.5, 3.5 s. Gathering is complete then at the latest."""
    stun_refresh: float = 15.0
    """While nothing is selected, server-reflexive bindings are refreshed so often, for slow signalling."""
    name_timeout: float = 5.0
    """A name not resolved so long has failed."""

    # --- bounds ---
    max_remote_candidates: int = 256
    max_peer_reflexive: int = 32
    """Remote peer-reflexive candidates kept; a further one replaces the oldest that never worked."""
    max_pairs: int = 100
    """RFC 8445 section 6.1.2.5; the pair of lowest priority that is not valid makes room."""
    max_backups: int = 4
    max_transactions: int = 512
    max_responses: int = 256
    """Responses waiting to be polled; further requests go unanswered, and the peer repeats them."""
    max_early_checks: int = 32
    """Checks remembered that came before the remote parameters, and paths of a peer that has restarted already."""
    max_names: int = 32
    """Names being resolved at a time."""
    max_locals: int = 64

    def __post_init__(self) -> None:
        if not 0.005 <= self.pacing_floor <= self.pacing_interval:
            raise InvalidArgumentError("0.005 <= pacing_floor <= pacing_interval (RFC 8445 section 14.2)")
        for name in ("check_rc", "stun_rc", "max_remote_candidates", "max_pairs", "max_transactions", "max_responses"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.disconnected_timeout < self.consent_timeout <= 30.0:
            raise InvalidArgumentError("disconnected_timeout < consent_timeout <= 30 (RFC 7675 section 5.1)")
        for rule in self.rewrite:
            rule.check()
        if self.lite and self.stun_servers:
            raise InvalidArgumentError("an ICE-lite agent has host candidates alone: leave stun_servers empty")
        parameters = self.local_parameters
        if parameters is not None and (len(parameters.ufrag) < 4 or len(parameters.pwd) < 22):
            raise InvalidArgumentError("a ufrag has at least 4, a pwd at least 22 characters (RFC 8839 section 5.4)")

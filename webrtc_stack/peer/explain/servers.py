"""What the errors of STUN and TURN servers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .values import ConnectionFacts, ServerFacts, Verdict
from .wording import plain

Trouble: TypeAlias = tuple[Verdict, str, tuple[str, ...]]

_NOT_REACHED = 701


def all_silent(servers: Sequence[ServerFacts]) -> bool:
    """Whether each was asked and none said anything. A name that was not resolved was not asked."""
    return all(one.failed and one.code == _NOT_REACHED and not _unresolved(one) for one in servers)


def _unresolved(server: ServerFacts) -> bool:
    return "name" in server.reason and "resolved" in server.reason


def turn_trouble(facts: ConnectionFacts) -> Trouble | None:
    """Why no TURN server gave a relay, by the one that says most; None where none is configured or none failed."""
    failed = [one for one in facts.servers if one.is_turn and one.failed]
    if not failed:
        return None
    return min((_trouble(one) for one in failed), key=lambda one: _ORDER.index(one[0]))


_ORDER = (
    Verdict.TURN_CREDENTIALS_REFUSED,
    Verdict.TURN_QUOTA_REACHED,
    Verdict.TURN_CERTIFICATE_INVALID,
    Verdict.TURN_SERVER_REFUSED,
    Verdict.TURN_CONNECTION_REFUSED,
    Verdict.TURN_NAME_UNRESOLVED,
    Verdict.TURN_SERVER_SILENT,
)
"""What is certain comes before what may be the network's fault."""


def _trouble(server: ServerFacts) -> Trouble:
    url, reason = plain(server.url), plain(server.reason)
    hint = (plain(server.hint),) if server.hint else ()
    said = f"{url} answered {server.code} {reason}".rstrip()
    if server.code in (401, 438, 441):
        return (
            Verdict.TURN_CREDENTIALS_REFUSED,
            f"the TURN server refuses the username or password ({said})",
            hint or ("check username and password; time-limited ones run out: fetch new ones for each call",),
        )
    if server.code == 486:
        return (
            Verdict.TURN_QUOTA_REACHED,
            f"the TURN server gives this user no further allocation ({said})",
            (*hint, "close connections that are not needed: each holds an allocation until it is closed"),
        )
    if server.code != _NOT_REACHED:
        return (Verdict.TURN_SERVER_REFUSED, f"the TURN server refuses us ({said})", hint)
    if "certificate" in reason or "hostname" in reason:
        return (
            Verdict.TURN_CERTIFICATE_INVALID,
            f"the certificate of the TURN server is not accepted ({url}: {reason})",
            hint,
        )
    if "refused" in reason:
        return (
            Verdict.TURN_CONNECTION_REFUSED,
            f"nothing listens where the TURN server should be ({url}: {reason})",
            ("see that the server runs and that port and transport in the URL are its own",),
        )
    if _unresolved(server):
        return (
            Verdict.TURN_NAME_UNRESOLVED,
            f"the name of the TURN server was not resolved ({url})",
            ("check the name in the URL, and the DNS of this machine",),
        )
    return (
        Verdict.TURN_SERVER_SILENT,
        f"the TURN server did not answer ({url}: {reason})",
        (*hint, "`webrtc-stack doctor --connect URL` tries it alone"),
    )

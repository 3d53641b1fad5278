"""The server's side of long-term credentials: nonces without a table, users with a password or with an expiry.

A nonce is the cookie of `features`, the time it was made, and an HMAC over both and the client's address, under a key
drawn at the start: nothing is stored, nothing can be made up, none serves at another address or after its time.

Spec: RFC 8489 sections 9.2.1 (nonces), 9.2.2, 9.2.4 (receiving a request), 16.1.2; the time-limited names are those of
draft-uberti-behave-turn-rest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final, Literal, NamedTuple

from ..base import Address, Instant
from ..errors import InvalidArgumentError
from ..stun import Attribute, AttributeType, ErrorCode, Message, PasswordAlgorithm, long_term_key, user_hash
from .features import PASSWORD_ALGORITHMS_FEATURE, USERNAME_ANONYMITY_FEATURE, write_features
from .server_config import TurnServerConfig

_ALGORITHMS: Final = (PasswordAlgorithm(2), PasswordAlgorithm(1))
"""SHA-256 first: a client takes the first that it knows."""
_TAG_BYTES: Final = 12
_MAX_KEYS: Final = 1024


def time_limited_password(username: str, shared_secret: str) -> str:
    """The password of a time-limited user, which a web service computes from the secret it shares with the server."""
    return base64.b64encode(hmac.digest(shared_secret.encode(), username.encode(), "sha1")).decode()


class Proven(NamedTuple):
    """A request whose signature is right."""

    username: str
    key: bytes | None
    """None on an anonymous server."""
    integrity: Literal["sha1", "sha256"]


class Unproven(NamedTuple):
    """A request that is to be answered with an error, or a challenge."""

    code: int
    reason: str
    """For counters and trace."""


class Authenticator:
    """Checks requests. Keeps keys of users that were right, bounded, because deriving one costs."""

    __slots__ = ("_by_hash", "_config", "_features", "_keys", "_secret")

    def __init__(self, config: TurnServerConfig, secret: bytes) -> None:
        self._config = config
        self._secret = secret
        self._features = write_features(
            PASSWORD_ALGORITHMS_FEATURE | USERNAME_ANONYMITY_FEATURE if config.sha256 else 0
        )
        self._by_hash = {user_hash(name, config.realm): name for name in config.users}
        self._keys: dict[tuple[str, str], bytes] = {}

    # --- nonces -----------------------------------------------------------------------------------------------------

    def nonce(self, client: Address, now: Instant) -> str:
        return self._make_nonce(client, int(now))

    def _make_nonce(self, client: Address, made: int) -> str:
        stamp = f"{made:08x}"
        tag = hmac.digest(self._secret, f"{self._features}{stamp}{client}".encode(), hashlib.sha256)[:_TAG_BYTES]
        return self._features + stamp + base64.b64encode(tag).decode()

    def nonce_is_fresh(self, nonce: str, client: Address, now: Instant) -> bool:
        stamp = nonce[len(self._features) : len(self._features) + 8]
        try:
            made = int(stamp, 16)
        except ValueError:
            return False
        right = made >= 0 and hmac.compare_digest(
            nonce.encode("utf-8", "surrogateescape"), self._make_nonce(client, made).encode()
        )
        return right and 0 <= now - made < self._config.nonce_lifetime + 1

    def challenge(self, client: Address, now: Instant) -> tuple[Attribute, ...]:
        """What a 401 or 438 carries."""
        algorithms = (Attribute(AttributeType.PASSWORD_ALGORITHMS, _ALGORITHMS),) if self._config.sha256 else ()
        return (
            Attribute(AttributeType.REALM, self._config.realm),
            Attribute(AttributeType.NONCE, self.nonce(client, now)),
            *algorithms,
        )

    # --- requests ---------------------------------------------------------------------------------------------------

    def check(self, request: Message, client: Address, now: Instant) -> Proven | Unproven:
        """Who it is that asks. In the order of RFC 8489 section 9.2.4."""
        config = self._config
        if config.anonymous:
            return Proven("anonymous", None, "sha1")
        if not request.has_integrity:
            return Unproven(ErrorCode.UNAUTHENTICATED, "no credentials")
        realm, nonce = request.realm, request.nonce
        name, hashed = request.username, request.get(AttributeType.USERHASH)
        if realm is None or nonce is None or (name is None and hashed is None):
            return Unproven(ErrorCode.BAD_REQUEST, "credentials without user, realm or nonce")
        if not self.nonce_is_fresh(nonce, client, now):
            return Unproven(ErrorCode.STALE_NONCE, "stale or foreign nonce")
        if realm != config.realm:
            return Unproven(ErrorCode.UNAUTHENTICATED, "wrong realm")
        algorithm = "md5"
        chosen, listed = request.get(AttributeType.PASSWORD_ALGORITHM), request.get(AttributeType.PASSWORD_ALGORITHMS)
        if chosen is not None or listed is not None:
            if not config.sha256 or listed != _ALGORITHMS or chosen not in _ALGORITHMS:
                # somebody on the way shortened our list, or the client made one up
                return Unproven(ErrorCode.BAD_REQUEST, "password algorithms that were not offered")
            algorithm = "sha256" if chosen == _ALGORITHMS[0] else "md5"
        if name is None:
            name = self._by_hash.get(hashed) if isinstance(hashed, bytes) else None
            if name is None:
                return Unproven(ErrorCode.UNAUTHENTICATED, "unknown user hash")
        return self._check_key(request, name, algorithm, now)

    def _check_key(self, request: Message, name: str, algorithm: str, now: Instant) -> Proven | Unproven:
        password = self._config.users.get(name)
        if password is None:
            password = self._time_limited(name, now)
            if password is None:
                return Unproven(ErrorCode.UNAUTHENTICATED, "unknown or expired user")
        key = self._keys.get((name, algorithm))
        known = key is not None
        if key is None:
            try:
                key = long_term_key(name, self._config.realm, password, algorithm)
            except InvalidArgumentError:
                return Unproven(ErrorCode.UNAUTHENTICATED, "unknown or expired user")
        if not request.verify(key):
            return Unproven(ErrorCode.UNAUTHENTICATED, "wrong password")
        if not known:
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            self._keys[name, algorithm] = key
        sha256 = request.get(AttributeType.MESSAGE_INTEGRITY_SHA256) is not None
        return Proven(name, key, "sha256" if sha256 else "sha1")

    def _time_limited(self, name: str, now: Instant) -> str | None:
        secret = self._config.shared_secret
        expiry = name.partition(":")[0]
        if secret is None or not (expiry.isascii() and expiry.isdigit()) or len(expiry) > 12:
            return None
        if int(expiry) <= self._config.wall_epoch + now:
            return None
        try:
            return time_limited_password(name, secret)
        except UnicodeEncodeError:
            return None  # bytes that are no text: nobody was given such a name

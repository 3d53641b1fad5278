"""The client's side of long-term credentials: what a challenge tells, and what a request must carry then.

Spec: RFC 8489 section 9.2 (9.2.3 forming requests, 9.2.5 receiving responses), both password algorithms, USERHASH.
"""

from __future__ import annotations

from typing import Literal

from ..errors import InvalidArgumentError
from ..stun import Attribute, AttributeType, Message, PasswordAlgorithm, long_term_key, user_hash
from .config import TurnClientConfig
from .features import PASSWORD_ALGORITHMS_FEATURE, USERNAME_ANONYMITY_FEATURE, read_features

_ALGORITHMS = {1: "md5", 2: "sha256"}


class Challenge:
    """Realm, nonce and key of one moment; a new one comes with each 401 or 438."""

    __slots__ = ("_attributes", "integrity", "key", "nonce", "realm")

    def __init__(
        self,
        realm: str,
        nonce: str,
        key: bytes,
        integrity: Literal["sha1", "sha256"],
        attributes: tuple[Attribute, ...],
    ) -> None:
        self.realm = realm
        self.nonce = nonce
        self.key = key
        self.integrity = integrity
        self._attributes = attributes

    def sign(self, request: Message) -> bytes:
        """The request with who we are, protected."""
        signed = Message(
            method=request.method,
            message_class=request.message_class,
            transaction_id=request.transaction_id,
            attributes=(*request.attributes, *self._attributes),
        )
        return signed.serialize(self.key, self.integrity)


def answer_challenge(
    config: TurnClientConfig, response: Message, before: Challenge | None
) -> tuple[Challenge | None, str]:
    """What the 401 or 438 in `response` makes of us: a `Challenge` to sign with, or None and why not.

    Nothing here is protected, so whoever sits on the path may have written it: features that the nonce announces but
    that are missing beside it mean exactly that, and are refused.
    """
    assert config.username is not None
    nonce = response.nonce
    realm = response.realm
    if realm is None and before is not None:
        realm = before.realm  # some servers leave it out of a 438
    if realm is None or nonce is None:
        return None, "the server's challenge has no realm or no nonce"
    features = read_features(nonce)
    offered = response.get(AttributeType.PASSWORD_ALGORITHMS)
    algorithm = "md5"
    extra: list[Attribute] = []
    if features & PASSWORD_ALGORITHMS_FEATURE:
        if not isinstance(offered, tuple) or not offered:
            return None, "the nonce announces password algorithms and none are listed: somebody took them out"
        chosen = next(
            (one for one in offered if isinstance(one, PasswordAlgorithm) and one.number in _ALGORITHMS), None
        )
        if chosen is None:
            return None, "the server has no password algorithm that is known here"
        algorithm = _ALGORITHMS[chosen.number]
        extra = [
            Attribute(AttributeType.PASSWORD_ALGORITHMS, offered),
            Attribute(AttributeType.PASSWORD_ALGORITHM, chosen),
        ]
    if config.require_sha256 and algorithm != "sha256":
        return None, "the server knows only MD5 and SHA-1, which the configuration refuses"
    try:
        key = long_term_key(config.username, realm, config.password, algorithm)
        who = Attribute(AttributeType.USERNAME, config.username)
        if config.username_anonymity and features & USERNAME_ANONYMITY_FEATURE:
            who = Attribute(AttributeType.USERHASH, user_hash(config.username, realm))
    except InvalidArgumentError as error:
        return None, f"the server's realm cannot be used: {error}"
    attributes = (who, Attribute(AttributeType.REALM, realm), Attribute(AttributeType.NONCE, nonce), *extra)
    return Challenge(realm, nonce, key, "sha256" if extra else "sha1", attributes), ""

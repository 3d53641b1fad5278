"""The server before a version is chosen: the ClientHello that decides, and cookies if the config wants them.

Spec: RFC 6347 section 4.2.1.
"""

from __future__ import annotations

from .constants import AlertDescription, HandshakeType
from .cookie import CookieJar
from .failure import HandshakeFailure
from .handshake import Handshake, HandshakeContext
from .messages import ClientHello, HandshakeMessage, HelloVerifyRequest
from .negotiation import choose_version, offers_1_3
from .server12 import Server12


class ServerHandshake:
    """Waits for a ClientHello."""

    __slots__ = ("_context", "_jar")

    def __init__(self, context: HandshakeContext) -> None:
        self._context = context
        self._jar = CookieJar(context.entropy) if context.config.cookie else None

    def on_message(self, message: HandshakeMessage) -> Handshake:
        context = self._context
        if message.type != HandshakeType.CLIENT_HELLO:
            raise HandshakeFailure(
                AlertDescription.UNEXPECTED_MESSAGE, f"handshake message {message.type} instead of a ClientHello"
            )
        hello = ClientHello.parse(message.body)
        # The version comes first: only a whole ClientHello, reassembled, says which one.
        choose_version(hello)
        if self._jar is not None and not self._jar.accepts(hello):
            context.trace("cookie_demanded", had_one=bool(hello.cookie))
            request = HelloVerifyRequest(cookie=self._jar.cookie_for(hello))
            item = context.say(HandshakeType.HELLO_VERIFY_REQUEST, request.serialize())
            context.outbox.start("hello_verify_request", [item], timed=False)
            return self
        context.version = "1.2"
        context.trace("version_chosen", version="1.2", client_offers_1_3=offers_1_3(hello))
        context.transcript.add(message)
        return Server12(context, hello)

"""The client before a version is chosen: ClientHello, cookies, and the ServerHello that decides.

Spec: RFC 6347 section 4.2.1 (HelloVerifyRequest), RFC 8446 section 4.1.3 (sentinels).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .client12 import Client12
from .constants import DTLS_1_0, DTLS_1_2, AlertDescription, HandshakeType
from .failure import HandshakeFailure
from .handshake import Handshake, HandshakeContext
from .messages import RANDOM_BYTES, ClientHello, HandshakeMessage, HelloVerifyRequest, ServerHello
from .negotiation import check_server_hello, make_client_hello

_MAX_COOKIES: Final = 4
"""HelloVerifyRequests answered. One is normal; they are not authenticated, so they must not go on for ever."""


class ClientHandshake:
    """Says hello and waits for the answer."""

    __slots__ = ("_context", "_cookies", "_hello")

    def __init__(self, context: HandshakeContext) -> None:
        self._context = context
        self._cookies = 0
        self._hello: ClientHello = make_client_hello(context.config, context.entropy.bytes(RANDOM_BYTES))
        context.client_random = self._hello.random
        # RFC 6347 section 4.2.1 lets a first ClientHello travel under the older number; browsers do the same, and old
        # middleboxes know no other.
        context.plain.version = DTLS_1_0
        self._send("client_hello")

    def _send(self, name: str) -> None:
        context = self._context
        context.transcript.reset()  # neither the first ClientHello nor HelloVerifyRequest counts
        context.outbox.start(name, [context.say(HandshakeType.CLIENT_HELLO, self._hello.serialize())], timed=True)

    def on_message(self, message: HandshakeMessage) -> Handshake:
        if message.type == HandshakeType.HELLO_VERIFY_REQUEST:
            self._on_hello_verify_request(HelloVerifyRequest.parse(message.body))
            return self
        if message.type == HandshakeType.SERVER_HELLO:
            return self._on_server_hello(message, ServerHello.parse(message.body))
        raise HandshakeFailure(
            AlertDescription.UNEXPECTED_MESSAGE, f"handshake message {message.type} instead of a ServerHello"
        )

    def _on_hello_verify_request(self, request: HelloVerifyRequest) -> None:
        self._cookies += 1
        if self._cookies > _MAX_COOKIES:
            raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, f"{self._cookies} cookies in a row")
        self._hello = replace(self._hello, cookie=request.cookie)
        self._send("client_hello_with_cookie")

    def _on_server_hello(self, message: HandshakeMessage, hello: ServerHello) -> Handshake:
        context = self._context
        agreement = check_server_hello(context.config, self._hello, hello)
        if agreement.downgrade is not None:
            # Only a client that offered more than 1.2 may see an attack in this; ours did not.
            context.trace("downgrade_sentinel_seen", sentinel=agreement.downgrade.name)
        context.plain.version = DTLS_1_2
        context.transcript.add(message)
        context.version = "1.2"
        context.server_random = hello.random
        context.suite = agreement.suite
        context.srtp_profile = agreement.srtp_profile
        context.alpn_protocol = agreement.alpn_protocol
        context.extended_master_secret = agreement.extended_master_secret
        context.trace("version_chosen", version="1.2", suite=agreement.suite.name)
        return Client12(context)

"""The client's side of a DTLS 1.2 handshake, from the ServerHello on.

    <- Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
    -> Certificate, ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], Finished
    <- [ChangeCipherSpec], Finished

ChangeCipherSpec is not waited for: the epoch in each record header already says which keys it is under.

Spec: RFC 5246 section 7.3, 7.4; RFC 8422 section 5; RFC 7627 section 4.
"""

from __future__ import annotations

import hmac

from .ciphers import SUITES
from .constants import AlertDescription, HandshakeType
from .failure import HandshakeFailure
from .handshake import Handshake, HandshakeContext
from .key_exchange import make_share
from .key_schedule12 import extended_master_secret, master_secret, verify_data
from .messages import (
    CertificateMessage,
    CertificateRequest,
    CertificateVerify,
    ClientKeyExchange,
    HandshakeMessage,
    ServerKeyExchange,
)
from .outbox import Item
from .signatures import authentication_of, choose_scheme, sign, verify

_NEXT = {
    HandshakeType.CERTIFICATE: (HandshakeType.SERVER_KEY_EXCHANGE,),
    HandshakeType.SERVER_KEY_EXCHANGE: (HandshakeType.CERTIFICATE_REQUEST, HandshakeType.SERVER_HELLO_DONE),
    HandshakeType.CERTIFICATE_REQUEST: (HandshakeType.SERVER_HELLO_DONE,),
    HandshakeType.SERVER_HELLO_DONE: (HandshakeType.FINISHED,),
}


class Client12:
    """Takes the server's messages in their order."""

    __slots__ = ("_context", "_exchange", "_expected", "_request")

    def __init__(self, context: HandshakeContext) -> None:
        self._context = context
        self._expected: tuple[HandshakeType, ...] = (HandshakeType.CERTIFICATE,)
        self._exchange: ServerKeyExchange | None = None
        self._request: CertificateRequest | None = None

    def on_message(self, message: HandshakeMessage) -> Handshake:
        if message.type not in self._expected:
            wanted = " or ".join(kind.name.lower() for kind in self._expected)
            raise HandshakeFailure(
                AlertDescription.UNEXPECTED_MESSAGE, f"handshake message {message.type} instead of {wanted}"
            )
        kind = HandshakeType(message.type)
        if kind is HandshakeType.FINISHED:
            self._on_finished(message)
            return self
        self._context.transcript.add(message)
        if kind is HandshakeType.CERTIFICATE:
            self._on_certificate(CertificateMessage.parse(message.body))
        elif kind is HandshakeType.SERVER_KEY_EXCHANGE:
            self._on_server_key_exchange(ServerKeyExchange.parse(message.body))
        elif kind is HandshakeType.CERTIFICATE_REQUEST:
            self._request = CertificateRequest.parse(message.body)
        else:
            self._on_server_hello_done(message)
        self._expected = _NEXT[kind]
        return self

    def _on_certificate(self, certificate: CertificateMessage) -> None:
        context = self._context
        assert context.suite is not None
        key = context.take_certificate(certificate.certificates)
        if authentication_of(key) != SUITES[context.suite].authentication:
            raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server's key does not fit the suite")

    def _on_server_key_exchange(self, exchange: ServerKeyExchange) -> None:
        context = self._context
        assert context.peer_key is not None
        group = next((group for group in context.config.groups if group == exchange.group), None)
        if group is None:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, f"the server chose group {exchange.group}, never offered"
            )
        if exchange.scheme not in context.config.signature_schemes:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, f"the server signed by scheme {exchange.scheme:#06x}, never offered"
            )
        signed = (
            context.client_random
            + context.server_random
            + ServerKeyExchange.parameters(exchange.group, exchange.public_key)
        )
        if not verify(exchange.scheme, context.peer_key, exchange.signature, signed):
            raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the signature of ServerKeyExchange is wrong")
        context.group = group
        self._exchange = exchange

    def _on_server_hello_done(self, message: HandshakeMessage) -> None:
        if message.body:
            raise HandshakeFailure(AlertDescription.DECODE_ERROR, "ServerHelloDone has a body")
        context = self._context
        assert self._exchange is not None
        assert context.group is not None
        assert context.suite is not None
        hash_name = SUITES[context.suite].hash_name
        share = make_share(context.group, context.entropy)
        premaster = share.agree(self._exchange.public_key)
        items: list[Item] = []
        certificate = context.config.certificate
        if self._request is not None:
            chain = CertificateMessage(certificates=(certificate.der, *certificate.chain))
            items.append(context.say(HandshakeType.CERTIFICATE, chain.serialize()))
        key_exchange = ClientKeyExchange(public_key=share.public_key)
        items.append(context.say(HandshakeType.CLIENT_KEY_EXCHANGE, key_exchange.serialize()))
        if context.extended_master_secret:
            context.master_secret = extended_master_secret(hash_name, premaster, context.transcript.digest(hash_name))
        else:
            context.master_secret = master_secret(hash_name, premaster, context.client_random, context.server_random)
        if self._request is not None:
            items.append(context.say(HandshakeType.CERTIFICATE_VERIFY, self._certificate_verify(self._request)))
        context.install_keys12()
        finished = verify_data(
            hash_name,
            context.master_secret,
            from_client=True,
            transcript_hash=context.transcript.digest(hash_name),
        )
        items.append(Item(0, None))
        items.append(context.say(HandshakeType.FINISHED, finished, epoch=1))
        context.outbox.start("client_finished", items, timed=True)
        context.write_epoch = 1

    def _certificate_verify(self, request: CertificateRequest) -> bytes:
        context = self._context
        key = context.config.certificate.private_key
        scheme = choose_scheme(key, context.config.signature_schemes, request.schemes)
        if scheme is None:
            raise HandshakeFailure(
                AlertDescription.HANDSHAKE_FAILURE, "the server takes no signature that our certificate can make"
            )
        signature = sign(scheme, key, context.transcript.raw())
        return CertificateVerify(scheme=scheme, signature=signature).serialize()

    def _on_finished(self, message: HandshakeMessage) -> None:
        context = self._context
        assert context.suite is not None
        hash_name = SUITES[context.suite].hash_name
        expected = verify_data(
            hash_name,
            context.master_secret,
            from_client=False,
            transcript_hash=context.transcript.digest(hash_name),
        )
        if not hmac.compare_digest(expected, message.body):
            raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the server's Finished does not match")
        context.outbox.forget()  # the last flight was the server's; it answers all that we ever said
        context.finished = True

"""The server's side of a DTLS 1.2 handshake, from the ClientHello on.

    -> ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
    <- Certificate, ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], Finished
    -> [ChangeCipherSpec], Finished

The client's certificate is always demanded and its absence is fatal: WebRTC authenticates both sides.

Spec: RFC 5246 section 7.3, 7.4; RFC 8422 section 5; RFC 7627 section 4; RFC 8827 section 6.5.
"""

from __future__ import annotations

import hmac

from .ciphers import SUITES
from .constants import AlertDescription, ClientCertificateType, HandshakeType
from .failure import HandshakeFailure
from .handshake import Handshake, HandshakeContext
from .key_exchange import KeyShare, make_share
from .key_schedule12 import extended_master_secret, master_secret, verify_data
from .messages import (
    RANDOM_BYTES,
    CertificateMessage,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    HandshakeMessage,
    ServerHello,
    ServerKeyExchange,
)
from .negotiation import Choice, choose
from .outbox import Item
from .signatures import sign, verify

_NEXT = {
    HandshakeType.CERTIFICATE: HandshakeType.CLIENT_KEY_EXCHANGE,
    HandshakeType.CLIENT_KEY_EXCHANGE: HandshakeType.CERTIFICATE_VERIFY,
    HandshakeType.CERTIFICATE_VERIFY: HandshakeType.FINISHED,
}


class Server12:
    """Answers the ClientHello at once, then takes the client's messages in their order."""

    __slots__ = ("_context", "_expected", "_hash_name", "_share")

    def __init__(self, context: HandshakeContext, hello: ClientHello) -> None:
        self._context = context
        choice = choose(context.config, hello)
        context.client_random = hello.random
        context.server_random = context.entropy.bytes(RANDOM_BYTES)
        context.suite = choice.suite
        context.group = choice.group
        context.srtp_profile = choice.srtp_profile
        context.alpn_protocol = choice.alpn_protocol
        context.extended_master_secret = choice.extended_master_secret
        self._hash_name = SUITES[choice.suite].hash_name
        self._share: KeyShare = make_share(choice.group, context.entropy)
        self._expected = HandshakeType.CERTIFICATE
        self._answer(choice)

    def _answer(self, choice: Choice) -> None:
        context = self._context
        certificate = context.config.certificate
        hello = ServerHello(random=context.server_random, cipher_suite=choice.suite, extensions=choice.extensions)
        parameters = ServerKeyExchange.parameters(choice.group, self._share.public_key)
        signed = context.client_random + context.server_random + parameters
        exchange = ServerKeyExchange(
            group=choice.group,
            public_key=self._share.public_key,
            scheme=choice.scheme,
            signature=sign(choice.scheme, certificate.private_key, signed),
        )
        request = CertificateRequest(
            certificate_types=(ClientCertificateType.ECDSA_SIGN, ClientCertificateType.RSA_SIGN),
            schemes=context.config.signature_schemes,
        )
        chain = CertificateMessage(certificates=(certificate.der, *certificate.chain))
        items = [
            context.say(HandshakeType.SERVER_HELLO, hello.serialize()),
            context.say(HandshakeType.CERTIFICATE, chain.serialize()),
            context.say(HandshakeType.SERVER_KEY_EXCHANGE, exchange.serialize()),
            context.say(HandshakeType.CERTIFICATE_REQUEST, request.serialize()),
            context.say(HandshakeType.SERVER_HELLO_DONE, b""),
        ]
        context.outbox.start("server_hello", items, timed=True)

    def on_message(self, message: HandshakeMessage) -> Handshake:
        if message.type != self._expected:
            raise HandshakeFailure(
                AlertDescription.UNEXPECTED_MESSAGE,
                f"handshake message {message.type} instead of {self._expected.name.lower()}",
            )
        kind = self._expected
        if kind is HandshakeType.CERTIFICATE:
            self._context.take_certificate(CertificateMessage.parse(message.body).certificates)
        elif kind is HandshakeType.CERTIFICATE_VERIFY:
            self._on_certificate_verify(CertificateVerify.parse(message.body))
        elif kind is HandshakeType.FINISHED:
            self._on_finished(message)
            return self
        self._context.transcript.add(message)
        if kind is HandshakeType.CLIENT_KEY_EXCHANGE:
            self._on_client_key_exchange(ClientKeyExchange.parse(message.body))
        self._expected = _NEXT[kind]
        return self

    def _on_client_key_exchange(self, exchange: ClientKeyExchange) -> None:
        context = self._context
        premaster = self._share.agree(exchange.public_key)
        if context.extended_master_secret:
            session_hash = context.transcript.digest(self._hash_name)
            context.master_secret = extended_master_secret(self._hash_name, premaster, session_hash)
        else:
            context.master_secret = master_secret(
                self._hash_name, premaster, context.client_random, context.server_random
            )
        context.install_keys12()

    def _on_certificate_verify(self, proof: CertificateVerify) -> None:
        context = self._context
        assert context.peer_key is not None
        if proof.scheme not in context.config.signature_schemes:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, f"the client signed by scheme {proof.scheme:#06x}, never offered"
            )
        if not verify(proof.scheme, context.peer_key, proof.signature, context.transcript.raw()):
            raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the signature of CertificateVerify is wrong")

    def _on_finished(self, message: HandshakeMessage) -> None:
        context = self._context
        expected = self._verify_data(from_client=True)
        if not hmac.compare_digest(expected, message.body):
            raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the client's Finished does not match")
        context.transcript.add(message)
        finished = context.say(HandshakeType.FINISHED, self._verify_data(from_client=False), epoch=1)
        # Not timed: it is the last flight, sent again only when the client repeats its own.
        context.outbox.start("server_finished", [Item(0, None), finished], timed=False)
        context.write_epoch = 1
        context.finished = True

    def _verify_data(self, *, from_client: bool) -> bytes:
        return verify_data(
            self._hash_name,
            self._context.master_secret,
            from_client=from_client,
            transcript_hash=self._context.transcript.digest(self._hash_name),
        )

"""Secrets of DTLS 1.2, against a session that others wrote down."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519

from tests.support import vectors
from webrtc_stack.dtls import key_schedule12 as ks
from webrtc_stack.errors import InvalidArgumentError


def _hex(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def test_the_illustrated_session_is_recomputed() -> None:
    for case in vectors.cases("dtls/tls12_prf.json"):
        private = x25519.X25519PrivateKey.from_private_bytes(_hex(case, "client_private"))
        premaster = private.exchange(x25519.X25519PublicKey.from_public_bytes(_hex(case, "peer_public")))
        assert premaster == _hex(case, "premaster_secret")
        client, server = _hex(case, "client_random"), _hex(case, "server_random")
        master = ks.master_secret("sha256", premaster, client, server)
        assert master == _hex(case, "master_secret")
        block = ks.key_block("sha256", master, client, server, 16, 4)
        assert block.client_key == _hex(case, "client_write_key")
        assert block.server_key == _hex(case, "server_write_key")
        assert block.client_iv == _hex(case, "client_write_iv")
        assert block.server_iv == _hex(case, "server_write_iv")
        messages = case["messages"]
        digest = hashlib.sha256(b"".join(_hex(messages, name) for name in case["message_order"])).digest()
        assert ks.verify_data("sha256", master, from_client=True, transcript_hash=digest) == _hex(
            case, "client_verify_data"
        )
        assert ks.extended_master_secret("sha256", premaster, digest) == _hex(case, "extended_master_secret_own")


def test_an_empty_context_is_not_the_same_as_none() -> None:
    args = ("sha256", bytes(48), bytes(32), bytes(32), "EXPORTER-test", 20)
    assert ks.export(*args, None) != ks.export(*args, b"")


@pytest.mark.parametrize("label", ["master secret", "client finished", "key expansion", "nicht ascii: ä"])
def test_labels_of_the_handshake_are_not_exported(label: str) -> None:
    with pytest.raises(InvalidArgumentError):
        ks.export("sha256", bytes(48), bytes(32), bytes(32), label, 20, None)


@pytest.mark.parametrize("length", [0, -1, 65536])
def test_impossible_lengths_are_not_exported(length: int) -> None:
    with pytest.raises(InvalidArgumentError):
        ks.export("sha256", bytes(48), bytes(32), bytes(32), "EXPORTER-test", length, None)

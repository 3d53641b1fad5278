"""What specifications, libsrtp and browsers say that packets look like, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack.srtp import Profile, Refused, SrtpContext
from webrtc_stack.srtp.key_derivation import Label, SessionKeys, derive
from webrtc_stack.srtp.transforms import ENCRYPTED, CounterMode, Gcm

pytestmark = pytest.mark.hot
RFC = vectors.cases("srtp/srtp_rfc.json")
LIBSRTP = vectors.cases("srtp/srtp_cryptex_mki.json")
ELEMENTS = vectors.cases("srtp/header_extensions.json")
BROWSERS = vectors.cases("srtp/browser_media.json")


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    chosen = [case for case in RFC if case["kind"] in kinds]
    assert chosen
    return pytest.mark.parametrize("case", chosen, ids=lambda case: str(case["id"]))


def raw(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def keys_of(case: dict[str, Any]) -> SessionKeys:
    return SessionKeys(raw(case, "session_key"), raw(case, "session_salt"), bytes(20))


@of_kind("kdf")
def test_session_keys_are_those_of_the_specification(case: dict[str, Any]) -> None:
    key, salt = raw(case, "master_key"), raw(case, "master_salt")
    assert derive(key, salt, Label.RTP_ENCRYPTION, len(key)) == raw(case, "srtp_encryption_key")
    assert derive(key, salt, Label.RTP_SALT, len(salt)) == raw(case, "srtp_salt")
    assert derive(key, salt, Label.RTP_AUTHENTICATION, 20) == raw(case, "srtp_auth_key")


@of_kind("keystream")
def test_the_key_stream_of_counter_mode_is_that_of_the_specification(case: dict[str, Any]) -> None:
    expected = raw(case, "keystream_blocks_0_1_2")
    transform = CounterMode(keys_of(case), 10, b"")
    assert transform._crypt(bytes(len(expected)), case["ssrc"], case["index"]) == expected


@of_kind("rtp-session-keys")
def test_gcm_packets_are_those_of_the_specification(case: dict[str, Any]) -> None:
    plain, protected = raw(case, "plain"), raw(case, "protected")
    ssrc, index = int.from_bytes(plain[8:12], "big"), case["roc"] << 16 | int.from_bytes(plain[2:4], "big")
    transform = Gcm(keys_of(case), b"")
    assert transform.sealer(ssrc)(plain, 12, index) == protected
    assert transform.opener(ssrc)(protected, 12, index) == plain


@of_kind("rtcp-session-keys")
def test_gcm_control_packets_are_those_of_the_specification(case: dict[str, Any]) -> None:
    plain, protected = raw(case, "plain"), raw(case, "protected")
    ssrc, word = int.from_bytes(plain[4:8], "big"), case["srtcp_index"] | (ENCRYPTED if case["encrypted"] else 0)
    transform = Gcm(keys_of(case), b"")
    assert transform.seal_rtcp(plain, ssrc, word) == protected
    assert transform.open_rtcp(protected, ssrc, word) == plain


def context_of(case: dict[str, Any]) -> SrtpContext:
    mki = raw(case, "mki") if "mki" in case else None
    profile = Profile[case["profile"]]
    return SrtpContext(profile, raw(case, "master_key"), raw(case, "master_salt"), mki=mki, cryptex=case["cryptex"])


@pytest.mark.parametrize("case", LIBSRTP, ids=lambda case: str(case["id"]))
def test_packets_are_those_of_libsrtp_and_of_the_cryptex_specification(case: dict[str, Any]) -> None:
    plain, protected = raw(case, "plain"), raw(case, "protected")
    sender, receiver = context_of(case), context_of(case)
    if case["kind"] == "rtcp":
        sender.set_rtcp_index(int.from_bytes(plain[4:8], "big"), case["srtcp_index"])
        assert sender.protect_rtcp(plain) == protected
        assert receiver.unprotect_rtcp(protected) == plain
    else:
        assert sender.protect(plain) == protected
        assert receiver.unprotect(protected) == plain
        assert context_of(case).protect_many([plain]) == [protected]


@pytest.mark.parametrize("case", LIBSRTP, ids=lambda case: str(case["id"]))
def test_one_flipped_bit_anywhere_is_refused(case: dict[str, Any]) -> None:
    protected = raw(case, "protected")
    receiver = context_of(case)
    unprotect = receiver.unprotect_rtcp_many if case["kind"] == "rtcp" else receiver.unprotect_many
    for bit in range(len(protected) * 8):
        damaged = bytearray(protected)
        damaged[bit // 8] ^= 1 << bit % 8
        assert isinstance(unprotect([bytes(damaged)])[0], Refused), f"bit {bit}"
    assert unprotect([protected]) == [raw(case, "plain")]


@pytest.mark.parametrize("case", ELEMENTS, ids=lambda case: str(case["id"]))
def test_header_extension_elements_are_encrypted_as_libsrtp_does(case: dict[str, Any]) -> None:
    sender, receiver = (
        SrtpContext(
            Profile[case["profile"]],
            raw(case, "master_key"),
            raw(case, "master_salt"),
            encrypted_extensions=case["ids"],
        )
        for _ in range(2)
    )
    plain, protected = raw(case, "plain"), raw(case, "protected")
    sealed = sender.protect(plain)
    assert sealed[: len(sealed) - case["missing_bytes"]] == protected
    assert receiver.unprotect(sealed) == plain


class Exported:
    """A DTLS endpoint that has its keying material from a recording."""

    def __init__(self, case: dict[str, Any], role: str) -> None:
        self.case = case
        self.role = role
        names = {
            "SRTP_AES128_CM_HMAC_SHA1_80": Profile.AES_CM_128_HMAC_SHA1_80,
            "SRTP_AEAD_AES_128_GCM": Profile.AEAD_AES_128_GCM,
            "SRTP_AEAD_AES_256_GCM": Profile.AEAD_AES_256_GCM,
        }
        self.srtp_profile = int(names[case["srtp_profile"]])

    def export_keying_material(self, label: str, length: int, context: bytes | None = None) -> bytes:
        assert label == self.case["exporter_label"]
        assert context is None
        material = raw(self.case, "srtp_keying_material")
        assert len(material) == length
        return material


@pytest.mark.parametrize("case", BROWSERS, ids=lambda case: str(case["id"]))
def test_media_of_real_browsers_is_opened_and_made_again(case: dict[str, Any]) -> None:
    by_role = {role: SrtpContext.pair_from_dtls(Exported(case, role)) for role in ("client", "server")}
    assert len(case["media"]) > 10
    for packet in case["media"]:
        sender, receiver = by_role[packet["from"]][0], by_role["server" if packet["from"] == "client" else "client"][1]
        plain, protected = raw(packet, "plain"), raw(packet, "protected")
        if packet["kind"] == "rtp":
            assert receiver.unprotect(protected) == plain
            assert sender.protect(plain) == protected
        else:
            assert receiver.unprotect_rtcp(protected) == plain

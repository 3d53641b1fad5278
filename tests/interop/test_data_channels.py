"""Data channels with a real Chromium, a real Firefox and aiortc, each as offerer and as answerer."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.content import content, sha256

from .session import FIRST, Session, Side

ROLES = ("we_offer", "they_offer")
MATRIX = [pytest.param((role, how), id=f"{role}-{how}") for role in ROLES for how in ("trickle", "vanilla")]
TRICKLED = [pytest.param((role, "trickle"), id=role) for role in ROLES]
SIDES: tuple[Side, ...] = ("ours", "theirs")

KIB = 1024
FILE_BYTES = 20_000_000
CONSENT_CEILING = 60.0
"""A peer that leaves without a word is noticed when its consent expires, 30 s later (RFC 7675)."""


@pytest.mark.parametrize("session", MATRIX, indirect=True, scope="class")
class TestMessages:
    """One connection a role and way of signalling; the cases follow each other on it."""

    async def test_the_first_channel_is_open_at_both_ends(self, session: Session) -> None:
        ours, theirs = session.first
        assert ours.channel.label == theirs.properties["label"] == FIRST
        assert ours.channel.id == theirs.properties["id"]
        assert ours.channel.ready_state.value == theirs.properties["readyState"] == "open"
        assert theirs.properties["ordered"] is True
        assert theirs.properties["maxRetransmits"] is None
        assert theirs.properties["maxPacketLifeTime"] is None

    async def test_the_dtls_client_has_the_even_channel_ids(self, session: Session) -> None:
        # RFC 8832 section 6; an answerer to actpass takes the client's part, whoever it is.
        assert session.answer is not None
        assert "a=setup:active" in session.answer["sdp"]
        ours, _ = session.first
        assert ours.channel.id is not None
        assert ours.channel.id % 2 == 1, "the offerer opened it, and is the DTLS server"

    async def test_dtls_is_1_2_with_an_aead_suite_and_forward_secrecy(self, session: Session) -> None:
        transport = await session.transport_stats()
        if session.remote.name == "aiortc":
            return  # its statistics do not tell
        assert transport["dtlsState"] == "connected"
        assert transport["tlsVersion"] == "FEFD"
        assert transport["dtlsCipher"].startswith("TLS_ECDHE_ECDSA_WITH_")
        assert transport["dtlsCipher"].endswith(("_GCM_SHA256", "_GCM_SHA384", "_POLY1305_SHA256"))
        assert transport["dtlsRole"] == ("client" if session.role == "we_offer" else "server")

    @pytest.mark.parametrize(
        "text",
        ["hello", "", "grüße, 你好, 🌍", "\x00\u2028 a\nb", "x" * 20_000],
        ids=["ascii", "empty", "unicode", "control", "long"],
    )
    async def test_text_arrives_as_text_both_ways(self, session: Session, text: str) -> None:
        ours, theirs = session.first
        await ours.send(text)
        assert await theirs.next_message() == {"text": text}
        await theirs.send_text(text)
        assert await ours.receive() == text

    @pytest.mark.parametrize("size", [1, 0, 1199, 1200, 1201, 65_535])
    async def test_binary_arrives_as_binary_both_ways(self, session: Session, size: int) -> None:
        ours, theirs = session.first
        data = content(size, 11)
        await ours.send(data)
        assert await theirs.next_message() == {"size": size, "sha256": sha256(data)}
        await theirs.send_bytes(size, 11)
        assert await ours.receive() == data

    async def test_256_kib_in_one_message_both_ways(self, session: Session) -> None:
        ours, theirs = session.first
        # aiortc announces 64 KiB; more must not be sent to it, but it may send more to us.
        size = min(256 * KIB, session.ours.remote_max_message_size)
        await ours.send(content(size, 5))
        assert await theirs.next_message() == {"size": size, "sha256": sha256(content(size, 5))}
        await theirs.send_bytes(256 * KIB, 6)
        assert await ours.receive() == content(256 * KIB, 6)

    async def test_text_and_binary_keep_their_order_among_each_other(self, session: Session) -> None:
        ours, theirs = session.first
        for number in range(20):
            await ours.send(str(number))
            await ours.send(content(number * 100, number))
        for number in range(20):
            assert await theirs.next_message() == {"text": str(number)}
            assert (await theirs.next_message())["sha256"] == sha256(content(number * 100, number))
        for number in range(20):
            await theirs.send_text(str(number))
            await theirs.send_bytes(number * 100, number)
        for number in range(20):
            assert await ours.receive() == str(number)
            assert await ours.receive() == content(number * 100, number)


@pytest.mark.parametrize("session", TRICKLED, indirect=True, scope="class")
class TestChannels:
    """Channels of every kind, opened by either side on one connection."""

    @pytest.mark.parametrize("side", SIDES)
    @pytest.mark.parametrize(
        "options",
        [
            {"ordered": True},
            {"ordered": False},
            {"ordered": False, "max_retransmits": 0},
            {"ordered": True, "max_retransmits": 3},
            {"ordered": False, "max_packet_life_time": 250},
            {"ordered": True, "protocol": "chat.v2"},
        ],
        ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
    )
    async def test_the_options_of_a_channel_are_seen_on_the_other_side(
        self, session: Session, side: Side, options: dict[str, int | bool | str]
    ) -> None:
        ours, theirs = await session.open_channel(side, f"kind {side} {options}", **options)
        seen = theirs.properties
        channel = ours.channel
        assert seen["ordered"] == channel.ordered == options["ordered"]
        assert seen["maxRetransmits"] == channel.max_retransmits == options.get("max_retransmits")
        assert seen["maxPacketLifeTime"] == channel.max_packet_life_time == options.get("max_packet_life_time")
        assert seen["protocol"] == channel.protocol == options.get("protocol", "")
        assert seen["id"] == channel.id
        await ours.send("there")
        assert await theirs.next_message() == {"text": "there"}
        await theirs.send_text("and back")
        assert await ours.receive() == "and back"

    async def test_a_negotiated_channel_needs_no_announcement(self, session: Session) -> None:
        ours = await session.ours.create_channel("agreed", negotiated=True, id=500)
        theirs = await session.theirs.create_channel("agreed", negotiated=True, id=500)
        await ours.wait_open()
        await theirs.wait_open()
        await ours.send("no DCEP here")
        assert await theirs.next_message() == {"text": "no DCEP here"}
        await theirs.send_bytes(3000, 8)
        assert await ours.receive() == content(3000, 8)

    @pytest.mark.parametrize("side", SIDES)
    async def test_ten_channels_at_once_keep_their_messages_apart(self, session: Session, side: Side) -> None:
        labels = [f"ten {side} {number}" for number in range(10)]
        pairs = await asyncio.gather(*(session.open_channel(side, label) for label in labels))
        assert len({ours.channel.id for ours, _ in pairs}) == 10
        for number, (ours, theirs) in enumerate(pairs):
            await ours.send(content(5000, number))
            await theirs.send_text(labels[number])
        for number, (ours, theirs) in enumerate(pairs):
            assert await theirs.next_message() == {"size": 5000, "sha256": sha256(content(5000, number))}
            assert await ours.receive() == labels[number]

    @pytest.mark.parametrize("side", SIDES)
    async def test_a_channel_that_we_close_closes_there(self, session: Session, side: Side) -> None:
        ours, theirs = await session.open_channel(side, f"we close {side}")
        await ours.send("last words")
        await ours.close()
        events = await theirs.wait_closed()
        assert events[-1] == "close"
        assert not [event for event in events if event.startswith("error")]
        assert await theirs.next_message() == {"text": "last words"}
        await ours.wait_closed()

    @pytest.mark.parametrize("side", SIDES)
    async def test_a_channel_that_they_close_ends_here(self, session: Session, side: Side) -> None:
        ours, theirs = await session.open_channel(side, f"they close {side}")
        await theirs.send_text("last words")
        assert await ours.receive() == "last words"
        await theirs.close()
        assert await asyncio.wait_for(ours.rest(), 30) == []
        await ours.wait_closed()
        assert (await theirs.wait_closed())[-1] == "close"

    async def test_other_channels_live_on_when_one_closes(self, session: Session) -> None:
        ours, theirs = session.first
        await ours.send("still here")
        assert await theirs.next_message() == {"text": "still here"}
        await theirs.send_text("me too")
        assert await ours.receive() == "me too"

    async def test_channels_can_be_opened_and_closed_over_and_over(self, session: Session) -> None:
        for number in range(8):
            ours, theirs = await session.open_channel(SIDES[number % 2], f"again {number}")
            await ours.send(str(number))
            assert await theirs.next_message() == {"text": str(number)}
            await (ours.close() if number % 4 < 2 else theirs.close())
            await theirs.wait_closed()
            await ours.wait_closed()


@pytest.mark.parametrize("session", TRICKLED, indirect=True, scope="class")
class TestFiles:
    """Twenty million bytes, with flow control at both ends."""

    async def test_a_20_mb_file_arrives_there_intact(self, session: Session) -> None:
        ours, theirs = await session.open_channel("ours", "file out")
        arriving = await theirs.receive_file(FILE_BYTES)
        await ours.send_file(FILE_BYTES, 21)
        assert await arriving == {"size": FILE_BYTES, "sha256": sha256(content(FILE_BYTES, 21))}

    async def test_a_20_mb_file_arrives_here_intact(self, session: Session) -> None:
        ours, theirs = await session.open_channel("theirs", "file in")
        sending = asyncio.create_task(theirs.send_file(FILE_BYTES, 22))
        assert await ours.receive_file(FILE_BYTES) == {"size": FILE_BYTES, "sha256": sha256(content(FILE_BYTES, 22))}
        assert await sending == sha256(content(FILE_BYTES, 22))

    async def test_files_both_ways_at_once_do_not_disturb_each_other(self, session: Session) -> None:
        size = 4_000_000
        ours, theirs = await session.open_channel("ours", "file both")
        arriving = await theirs.receive_file(size)
        sending = asyncio.create_task(theirs.send_file(size, 24))
        receiving = asyncio.create_task(ours.receive_file(size))
        await ours.send_file(size, 23)
        assert (await arriving)["sha256"] == sha256(content(size, 23))
        assert (await receiving)["sha256"] == await sending == sha256(content(size, 24))


@pytest.mark.parametrize("fresh", ROLES, indirect=True)
class TestTheEnd:
    """Each case has a connection of its own, since it ends it."""

    async def test_closing_our_connection_closes_their_channels(self, fresh: Session) -> None:
        _, theirs = fresh.first
        await fresh.ours.pc.close()
        assert "close" in await theirs.wait_closed()

    async def test_closing_their_connection_closes_our_channels(self, fresh: Session) -> None:
        ours, _ = fresh.first
        await fresh.theirs.close()
        assert await asyncio.wait_for(ours.rest(), CONSENT_CEILING) == []
        await ours.wait_closed()

"""`rtp`: streams with their loss and jitter, rtpdump files in and out."""

from __future__ import annotations

import io
import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import cli
from webrtc_stack.base import Address
from webrtc_stack.cli.rtp import packet_line, print_overview, read_recording, to_json, to_rtpdump
from webrtc_stack.cli.rtp_streams import MAX_STREAMS, Overview, Seen, Stream, StreamKey
from webrtc_stack.cli.rtpdump import DumpedPacket, RtpDump, read_rtpdump, write_rtpdump
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.trace import PacketKind, PacketLog

SSRC = 0x1234ABCD


def rtp(sequence: int, *, kind: int = 0, ssrc: int = SSRC, step: int = 160, size: int = 160) -> bytes:
    return RtpPacket(
        payload_type=kind,
        sequence_number=sequence & 0xFFFF,
        timestamp=sequence * step & 0xFFFFFFFF,
        ssrc=ssrc,
        payload=bytes(size),
    ).serialize()


def capture(packets: list[tuple[float, bytes]]) -> bytes:
    stream = io.BytesIO()
    log = PacketLog(stream, wall_epoch=1_700_000_000)
    for time, data in packets:
        log.packet(
            time, PacketKind.RTP, data, outgoing=True, local=Address("10.0.0.1", 4000), remote=Address("10.0.0.2", 5000)
        )
    return stream.getvalue()


def figures(packets: list[tuple[float, bytes]], **clock_rates: int) -> dict[str, Any]:
    recording = read_recording(capture(packets))
    overview = Overview({int(kind[1:]): rate for kind, rate in clock_rates.items()})
    for seen in recording.seen:
        overview.add(seen)
    return to_json(overview, recording)


def test_losses_swaps_and_doubles_are_told_apart() -> None:
    order = [65530, 65531, 65533, 65532, 65534, 65534, 65536, 65537, 65540]
    (stream,) = figures([(n * 0.02, rtp(sequence)) for n, sequence in enumerate(order)])["streams"]
    assert stream["packets"] == 9
    assert stream["expected"] == 11
    assert stream["lost"] == 3  # 65535, 65538, 65539
    assert stream["reordered"] == 1
    assert stream["duplicate"] == 1
    assert stream["payload_types"] == {0: 9}
    assert stream["first"] == 0
    assert stream["last"] == pytest.approx(0.16)
    assert stream["bit_rate"] == pytest.approx(9 * 160 * 8 / 0.16)


def test_a_packet_overtaken_by_the_first_one_seen_belongs_to_the_stream() -> None:
    (stream,) = figures([(n * 0.02, rtp(sequence)) for n, sequence in enumerate([5, 3, 6, 7])])["streams"]
    assert (stream["expected"], stream["lost"], stream["reordered"]) == (5, 1, 1)


def test_jitter_is_that_of_the_rfc() -> None:
    delays = [0.0, 0.004, 0.001, 0.008, 0.0, 0.002, 0.002, 0.005]
    (stream,) = figures([(n * 0.02 + late, rtp(n)) for n, late in enumerate(delays)])["streams"]
    wanted = 0.0
    for before, after in pairwise(delays):
        wanted += (abs(after - before) - wanted) / 16
    assert stream["jitter_ms"] == pytest.approx(wanted * 1000, abs=0.01)
    assert stream["clock_rate"] == 8000 and not stream["clock_rate_guessed"]


def test_a_steady_stream_has_no_jitter_at_the_right_clock_and_the_clock_is_found() -> None:
    packets = [(n * 0.02, rtp(n, kind=111, step=960)) for n in range(50)]
    (stream,) = figures(packets)["streams"]
    assert (stream["clock_rate"], stream["clock_rate_guessed"]) == (48_000, True)
    assert stream["jitter_ms"] == pytest.approx(0, abs=0.01)
    (stream,) = figures(packets, t111=90_000)["streams"]
    assert (stream["clock_rate"], stream["clock_rate_guessed"]) == (90_000, False)
    assert stream["jitter_ms"] > 1


def test_a_restart_is_not_a_loss_and_a_stray_is_nothing() -> None:
    order = [*range(100, 110), 40_000, *range(110, 115), *range(20_000, 20_010)]
    (stream,) = figures([(n * 0.02, rtp(sequence)) for n, sequence in enumerate(order)])["streams"]
    assert (stream["lost"], stream["restarts"], stream["far_off"]) == (0, 1, 1)
    assert stream["expected"] == 25


def test_what_only_begins_like_rtp_is_no_stream() -> None:
    found = figures([(0.1, rtp(5, ssrc=n)) for n in range(5)] + [(0.2, b"\x80" + bytes(20))])
    assert found["streams"] == []


def test_rtcp_is_summed_up_by_sender() -> None:
    report = rtcp.ReceiverReport(ssrc=7, reports=(rtcp.ReportBlock(SSRC, 64, 5, 100, 80),))
    compound = rtcp.serialize_compound([report, rtcp.SourceDescription.with_cname(7, "me\x1b[2J")])
    found = figures([(0.0, compound), (0.1, compound), (0.2, b"\x80\xc8\x00\x09" + bytes(24)), (0.3, rtp(1))])
    assert found["rtcp"][0] == {
        "ssrc": 7,
        "packets": {"ReceiverReport": 2, "SourceDescription": 2},
        "unreadable": 0,
        "cname": "me\x1b[2J",
    }
    assert found["rtcp"][1]["unreadable"] == 1
    (reception,) = found["reception"]
    assert reception == {
        "reporter": 7,
        "ssrc": SSRC,
        "fraction_lost": 0.25,
        "packets_lost": 5,
        "jitter": 80,
        "reports": 2,
    }


def sample() -> list[tuple[float, bytes]]:
    report = rtcp.SenderReport(
        ssrc=SSRC,
        ntp_timestamp=1,
        rtp_timestamp=2,
        packet_count=3,
        octet_count=4,
        reports=(rtcp.ReportBlock(9, 64, 5, 100, 80),),
    )
    packets = [(n * 0.02, rtp(n)) for n in range(20) if n != 7]
    packets.append((0.5, rtcp.serialize_compound([report, rtcp.SourceDescription.with_cname(SSRC, "me\x1b[2J")])))
    return packets


def test_the_tables_show_everything_and_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "call.pcapng"
    path.write_bytes(capture([*sample(), (0.6, b"\x00\x01")]))
    assert cli.main(["rtp", str(path), "--packets"]) == 0
    text = capsys.readouterr().out
    for wanted in (
        "0x1234abcd  0 PCMU 8000 Hz  19       1 (5.0%)",
        "10.0.0.1:4000 > 10.0.0.2:5000",
        "1 SenderReport, 1 SourceDescription",
        "me\\x1b[2J",
        "5 (25.0% lately)",
        "RTP type 0, sequence 19, time 3040",
        "RTCP SenderReport, SourceDescription",
        "20 RTP and RTCP packets, 1 others",
    ):
        assert wanted in text
    assert all(one.isprintable() or one == "\n" for one in text)
    assert cli.main(["rtp", str(path), "--ssrc", "0x99", "--port", "4000"]) == 0
    assert "no RTP stream" in capsys.readouterr().out
    assert cli.main(["rtp", str(path), "--json", "--port", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["streams"] == []


def test_a_capture_becomes_an_rtpdump_file_that_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, dumped = tmp_path / "call.pcapng", tmp_path / "call.rtpdump"
    path.write_bytes(capture(sample()))
    assert cli.main(["rtp", str(path), "--write", str(dumped), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert dumped.stat().st_mode & 0o077 == 0
    assert cli.main(["rtp", str(dumped), "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    for one in (*before["streams"], *after["streams"]):
        del one["flow"]
    assert after["streams"] == [
        {**one, "last": pytest.approx(one["last"]), "bit_rate": pytest.approx(one["bit_rate"])}
        for one in before["streams"]
    ]
    assert after["rtcp"] == before["rtcp"]
    assert read_rtpdump(dumped.read_bytes()).host == "10.0.0.1"
    assert cli.main(["rtp", str(path), "--write", str(dumped)]) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main(["rtp", str(path), "--write", str(dumped), "--force"]) == 0
    assert "20 packets written" in capsys.readouterr().out
    assert cli.main(["rtp", str(path), "--write", str(tmp_path / "no" / "where")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_rtpdump_format_is_what_the_rtptools_write() -> None:
    dump = RtpDump(1_700_000_000.25, "10.0.0.1", 4000)
    dump.packets = [DumpedPacket(0.0, b"\x80\x00" + bytes(10), 100, False), DumpedPacket(1.5, b"\x80\xc9", 2, True)]
    data = write_rtpdump(dump)
    assert data == (
        b"#!rtpplay1.0 10.0.0.1/4000\n"
        + struct.pack("!IIIHH", 1_700_000_000, 250_000, 0x0A000001, 4000, 0)
        + struct.pack("!HHI", 20, 100, 0)
        + b"\x80\x00"
        + bytes(10)
        + struct.pack("!HHI", 10, 0, 1500)
        + b"\x80\xc9"
    )
    assert read_rtpdump(data) == dump


def test_what_the_format_cannot_hold_is_refused() -> None:
    good = RtpDump(packets=[DumpedPacket(0.0, bytes(12), 12, False)])
    assert read_rtpdump(write_rtpdump(good)) == good
    for wrong in (
        RtpDump(start=-1.0),
        RtpDump(port=70_000),
        RtpDump(host="a b"),
        RtpDump(packets=[DumpedPacket(0.0, bytes(65_530), 65_530, False)]),
        RtpDump(packets=[DumpedPacket(-1.0, b"", 1, False)]),
        RtpDump(packets=[DumpedPacket(5e6, b"", 1, False)]),
    ):
        with pytest.raises(InvalidArgumentError):
            write_rtpdump(wrong)
    assert read_rtpdump(write_rtpdump(RtpDump(host="2001:db8::1", port=9))).host == "2001:db8::1"


def test_a_cut_file_gives_what_is_whole() -> None:
    data = write_rtpdump(to_rtpdump(read_recording(capture(sample())).seen))
    begin = data.index(b"\n") + 17
    counts = []
    for length in range(begin, len(data)):
        dump = read_rtpdump(data[:length])
        counts.append(len(dump.packets))
        assert bool(dump.notes) == (
            length != begin and sum(8 + len(one.data) for one in dump.packets) != length - begin
        )
    assert counts == sorted(counts) and counts[-1] == 19
    for length in range(begin):
        with pytest.raises(ParseError):
            read_rtpdump(data[:length])
    odd = read_rtpdump(data[:begin] + bytes(8))
    assert "impossible length" in odd.notes[0]


@settings(max_examples=150)
@given(
    st.binary(max_size=200),
    st.sampled_from([write_rtpdump(RtpDump()), write_rtpdump(to_rtpdump(read_recording(capture(sample())).seen)), b""]),
    st.integers(0, 900),
)
def test_any_bytes_give_a_recording_or_a_parse_error(noise: bytes, head: bytes, cut: int) -> None:
    try:
        recording = read_recording(head[:cut] + noise)
    except ParseError:
        return
    overview = Overview({})
    for seen in recording.seen:
        overview.add(seen)
        assert packet_line(seen, 0.0).isprintable()
    json.dumps(to_json(overview, recording))


def test_floods_of_sources_are_bounded() -> None:
    overview = Overview({})
    for number in range(MAX_STREAMS + 50):
        overview.add(Seen(0.0, "", rtp(1, ssrc=number), 172, False))
        report = rtcp.ReceiverReport(ssrc=number, reports=(rtcp.ReportBlock(number),))
        overview.add(Seen(0.0, "", rtcp.serialize_compound([report]), 32, True))
    assert (len(overview.streams), len(overview.senders)) == (MAX_STREAMS, MAX_STREAMS)
    assert overview.ignored == 100


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40) | st.integers(0xFFE0, 0xFFFF) | st.integers(0, 0xFFFF), min_size=1, max_size=60))
def test_loss_is_never_negative_whatever_the_order(sequences: list[int]) -> None:
    stream = Stream(StreamKey(1, ""))
    for number, sequence in enumerate(sequences):
        stream.add(number * 0.02, sequence, number * 160, 0, 10)
    assert 0 <= stream.lost < stream.expected
    assert stream.packets == len(sequences)


def test_odd_arguments_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--ssrc", "x"], ["--clock-rate", "111"], ["--clock-rate", "200=8000"], ["--ssrc", "-1"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["rtp", "file", *words])
        assert ended.value.code == 2
    capsys.readouterr()


def test_other_files_are_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"hello")
    assert cli.main(["rtp", str(path)]) == 1
    assert "neither pcapng nor pcap" in capsys.readouterr().err
    assert cli.main(["rtp", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_an_empty_recording_is_said_to_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    recording = read_recording(write_rtpdump(RtpDump()))
    print_overview(Overview({}), recording)
    assert "no RTP stream" in capsys.readouterr().out

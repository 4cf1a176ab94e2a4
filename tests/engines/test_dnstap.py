"""Frames as dnsdist sends them, and what is read in them."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode

from controlplane.engines.dns.contract import Question
from controlplane.engines.dns.dnstap import Tap, asked, question

CONTENT = b"protobuf:dnstap.Dnstap"
# As dnsdist 1.7.3 wrote it, of an answer with a compressed name.
RECORDED = bytes.fromhex(
    "0a0663656c616a65120d646e736469737420312e372e337801726b08061801100122047f00000130faaa022a047f00000138"
    "a3d60240efa989d8064da795640460efa989d8066d97a77f0472394a7b85000001000100000000026e310f7a6f6e652d3265"
    "313437623266643604746573740000010001c00c000100010000003c0004c0000201"
)


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def frame(response: bytes, transport: int = 1, address: bytes = bytes([192, 0, 2, 1])) -> bytes:
    message = field(1, 6) + field(3, transport) + field(4, address) + field(8, 1_700_000_000) + field(14, response)
    return field(14, message) + field(15, 1)


def test_what_dnsdist_wrote_is_read() -> None:
    expected = Question(1795314927.073700775, "n1.zone-2e147b2fd6.test", "A", "NOERROR", "UDP", "127.0.0.1")
    assert question(RECORDED) == expected


def test_codes_transports_and_client_subnets_are_read() -> None:
    subnet = dns.edns.ECSOption.from_text("10.1.2.0/24")
    other = dns.edns.GenericOption(10, b"12345678")
    asked = dns.message.make_query("A\\032b.example.", "AAAA")
    answer = dns.message.make_response(asked)
    answer.use_edns(0, options=[other, subnet])
    answer.set_rcode(dns.rcode.NXDOMAIN)
    found = question(frame(answer.to_wire(), 2, bytes(15) + b"\x01"))
    assert found == Question(1_700_000_000, "A\\032b.example", "AAAA", "NXDOMAIN", "TCP", "::1", "10.1.2.0/24")
    answer.set_rcode(dns.rcode.BADVERS)
    assert question(frame(answer.to_wire())) is not None
    assert question(frame(answer.to_wire())).rcode == "BADVERS"  # type: ignore[union-attr]


def test_what_is_no_answer_is_passed_over() -> None:
    good = frame(dns.message.make_response(dns.message.make_query("a.test", "A")).to_wire())
    for length in range(len(good)):
        assert question(good[:length]) is None or length > len(good) - 3, length
    assert question(b"") is None
    assert question(b"\xff" * 50) is None
    assert question(frame(b"\0" * 12)) is None


async def test_frames_are_taken_and_more_than_the_limit_counted(tmp_path: Path) -> None:
    tap = Tap(most=5, most_bytes=200, whose=lambda name: name)
    server = await tap.listen(tmp_path / "tap.sock")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "tap.sock")

    def control(kind: int) -> bytes:
        body = struct.pack("!III", kind, 1, len(CONTENT)) + CONTENT
        return struct.pack("!II", 0, len(body)) + body

    writer.write(control(4))
    assert (await reader.readexactly(42))[8:12] == struct.pack("!I", 1), "accepted"
    writer.write(control(2))
    for number in range(5):  # of which half are room for others
        writer.write(struct.pack("!I", 1) + bytes([number]))
    writer.write(struct.pack("!III", 0, 4, 3))
    assert await reader.read() == struct.pack("!III", 0, 4, 5), "finished"
    assert tap.fetch() == ([b"\0", b"\1", b"\2"], {"": 2})
    assert tap.fetch() == ([], {})
    for size in (60, 81, 40):
        tap._keep(bytes(size))
    assert ([len(each) for each in tap.fetch()[0]], tap.fetch()) == ([60, 40], ([], {}))
    _, huge = await asyncio.open_unix_connection(tmp_path / "tap.sock")
    huge.write(struct.pack("!I", 1 << 31))
    writer.close()
    huge.close()
    server.close()


def test_who_makes_much_noise_leaves_room_for_others() -> None:
    def of(zone: str, number: int) -> bytes:
        answer = dns.message.make_response(dns.message.make_query(f"N{number}.{zone}", "A"))
        return frame(answer.to_wire())

    tap = Tap(most=1000, most_bytes=1 << 20, whose=lambda name: name.partition(".")[2])
    for number in range(3000):
        tap._keep(of("noisy.test", number))
    for zone in ("quiet.test", "other.test"):
        for number in range(100):
            tap._keep(of(zone, number))
    frames, dropped = tap.fetch()
    assert dropped == {"noisy.test": 2500}
    kept = [found.name.partition(".")[2] for each in frames if (found := question(each))]
    assert Counter(kept) == {"noisy.test": 500, "quiet.test": 100, "other.test": 100}
    tap = Tap(most=1000, most_bytes=10 * len(of("a.test", 1)), whose=lambda name: name.partition(".")[2])
    for zone in ["a.test"] * 20 + ["b.test"]:
        tap._keep(of(zone, 1))
    assert tap.fetch()[1] == {"a.test": 15}, "by bytes as well"


def test_the_name_is_read_as_in_the_whole_question() -> None:
    for name in ("N1.Zone.test", "a\\.b.c\\\\.test", "."):
        answer = frame(dns.message.make_response(dns.message.make_query(name, "A")).to_wire())
        found = question(answer)
        assert found is not None and asked(answer) == found.name.lower().removesuffix("."), name
    for length in range(len(RECORDED)):
        assert asked(RECORDED[:length]) in ("", asked(RECORDED))

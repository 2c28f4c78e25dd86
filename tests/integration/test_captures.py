"""Captures of packets and other people's files, against what independent decoders counted in them."""

import functools
import gzip
import hashlib
import json
import unittest

from tests.support import captures, tapedeck


@functools.lru_cache(maxsize=None)
def expected():
    return json.loads((tapedeck.SHARED / "data" / "expected.json").read_text())["files"]


class Captures(tapedeck.Case):
    def shared(self, name):
        path = tapedeck.SHARED / "data" / name
        if not path.exists():
            self.skipTest(f"{path} is not there: the real data stands beside the project")
        return path, expected()[name]

    def write(self, name, data):
        path = self.scratch / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def put(self, *args, code=0, track="t", **how):
        return self.run_ok("import", *args, "-T", self.tape, "--track", track, code=code, **how)

    def ticks(self, *args, **how):
        return [f for f in self.frames(*args, **how) if f.is_tick()]

    def jsonl(self, *args):
        out = self.run_ok("query", "-T", self.tape, "-o", "jsonl", *args).stdout
        return [json.loads(line) for line in out.splitlines()]


class Packets(Captures):
    def test_the_real_capture_has_every_datagram(self):
        path, wanted = self.shared("iex/TOPS16.pcapng.gz")
        done = self.put(path)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        ticks = self.ticks()
        self.assertEqual(len(ticks), wanted["capture_ns"]["n"])
        self.assertEqual(ticks[0].ts, wanted["capture_ns"]["first"])
        self.assertEqual(ticks[-1].ts, wanted["capture_ns"]["last"])
        found = hashlib.sha256(b"".join(tick.payload for tick in ticks)).hexdigest()
        self.assertEqual(found, wanted["udp_payload_sha256"])

    def test_whole_packets_are_what_was_captured(self):
        path, wanted = self.shared("iex/TOPS16.pcapng.gz")
        self.put(path, "--whole")
        ticks = self.ticks()
        self.assertEqual(sum(len(tick.payload) for tick in ticks), wanted["captured_bytes"])
        infos = {f.payload[16:] for f in self.frames() if f.type == tapedeck.INFO}
        self.assertIn(b"pcap.linktype1", infos)
        self.assertIn(b"pcap.whole1", infos)

    def test_a_feed_gives_the_same_ticks_as_an_import(self):
        path, wanted = self.shared("iex/TOPS16.pcapng.gz")
        self.put(path)
        recorder = self.recorder("--ring", "r", "--create-ring", "16M", tape=self.scratch / "fed")
        self.run_ok("feed", path, "--ring", "r")
        self.assertEqual(recorder.stop(), 0)
        fed = self.ticks(tape=self.scratch / "fed")
        self.assertEqual([(t.ts, t.payload) for t in fed], [(t.ts, t.payload) for t in self.ticks()])
        self.assertEqual(len(fed), wanted["records"])

    def test_both_byte_orders_and_resolutions_and_a_pipe(self):
        packets = [(1500000000 + i, i * 7, captures.ethernet(captures.ipv4(captures.udp(b"%d" % i))))
                   for i in range(300)]
        for number, (order, magic, unit) in enumerate((
                ("<", 0xA1B2C3D4, 1000), (">", 0xA1B2C3D4, 1000),
                ("<", 0xA1B23C4D, 1), (">", 0xA1B23C4D, 1))):
            track = f"t{number}"
            self.put("-", stdin=captures.pcap(packets, order, magic), track=track)
            ticks = self.ticks("--track", track)
            self.assertEqual([t.payload for t in ticks], [b"%d" % i for i in range(300)])
            self.assertEqual([t.ts for t in ticks],
                             [(1500000000 + i) * 10**9 + i * 7 * unit for i in range(300)])

    def test_interfaces_and_sections_have_clocks_of_their_own(self):
        make = captures.ipv4(captures.udp(b"x"))
        file = b""
        for order in "<>":
            file += captures.section(order)
            file += captures.interface(order, link=101)  # microseconds if nothing is said
            file += captures.interface(order, link=101, tsresol=9)
            file += captures.interface(order, link=101, tsresol=0x8A)  # 2^-10 s
            file += captures.interface(order, link=1, tsresol=3, offset=100)
            file += captures.packet(order, 0, 5_000_001, make)
            file += captures.packet(order, 1, 6_000_000_001, make)
            file += captures.packet(order, 2, 7 * 1024 + 512, make)
            file += captures.packet(order, 3, 8_001, captures.ethernet(make))
        self.put(self.write("x.pcapng", file))
        self.assertEqual([t.ts for t in self.ticks()],
                         [5_000_001_000, 6_000_000_001, 7_500_000_000, 108_001_000_000] * 2)

    def test_what_is_no_datagram_is_counted(self):
        ok = captures.ethernet(captures.ipv4(captures.udp(b"ok")))
        tcp = captures.ethernet(captures.ipv4(bytes(20), protocol=6))
        arp = captures.ethernet(bytes(28), kind=0x0806)
        part = captures.ethernet(captures.ipv4(captures.udp(b"part", size=99), fragment=0x2000))
        done = self.put(self.write("a.pcap", captures.pcap([(1, 0, p) for p in (tcp, ok, arp)])))
        self.assertIn("2 packets hold no UDP", done.stderr)
        done = self.put(self.write("b.pcap", captures.pcap([(1, 0, p) for p in (part, ok)])), code=3)
        self.assertIn("1 fragments", done.stderr)
        done = self.put(self.write("c.pcap", captures.pcap([(1, 0, ok[:-1], len(ok))])), code=3)
        self.assertIn("1 packets were cut", done.stderr)
        done = self.put(self.write("d.pcap", captures.pcap([(1, 0, ok)], link=105)), code=3)
        self.assertIn("--whole", done.stderr)
        self.assertEqual([t.payload for t in self.ticks()], [b"ok", b"ok", b"o"])

    def test_a_cut_file_gives_its_whole_packets(self):
        packets = [(i, 0, captures.ethernet(captures.ipv4(captures.udp(b"x" * i)))) for i in range(1, 4)]
        file = captures.pcap(packets)
        done = self.put(self.write("cut.pcap", file[:-1]), code=3)
        self.assertIn("cut.pcap", done.stderr)
        self.assertRegex(done.stderr, r"at offset \d+, \d+ bytes of \d+")
        self.assertEqual(len(self.ticks()), 2)
        ng = captures.section() + captures.interface() + b"".join(
            captures.packet("<", 0, 1000 * i, data) for i, _, data in packets)
        done = self.put(self.write("cut.pcapng", ng[:-5]), code=3, track="ng")
        self.assertIn("offset", done.stderr)
        self.assertEqual(len(self.ticks("--track", "ng")), 2)

    def test_hostile_lengths_are_refused_with_their_offset(self):
        good = captures.section() + captures.interface()
        for name, tail in (("short", b"\x06\0\0\0\x08\0\0\0\x08\0\0\0"), ("odd", b"\x06\0\0\0\x0d\0\0\0\0\0\0\0"),
                           ("huge", b"\x06\0\0\0\xfc\xff\xff\xff\0\0\0\0"),
                           ("packet", captures.packet("<", 0, 1, b"x")[:20] + b"\xff" * 4 + bytes(12))):
            done = self.put(self.write(name, good + tail), code=1)
            self.assertRegex(done.stderr, rf"{name}: .*offset {len(good)}\b", name)
        plain = captures.pcap([]) + b"\0" * 8 + b"\xff" * 8
        self.put(self.write("plain", plain), code=1)
        self.assertFalse((self.tape / "segments").exists() and self.ticks())
        one = captures.packet("<", 0, 1000, captures.ethernet(captures.ipv4(captures.udp(b"good"))))
        self.put(self.write("behind", good + one + b"\xff" * 64), code=3)
        self.assertEqual([t.payload for t in self.ticks()], [b"good"])

    def test_the_modified_format_is_refused_by_name(self):
        done = self.put(self.write("m", captures.pcap([], magic=0xA1B2CD34)), code=1)
        self.assertIn("modified", done.stderr)


if __name__ == "__main__":
    unittest.main()

"""-o pcap and -o pcapng, as tshark reads them."""

import json
import shutil
import subprocess
import unittest

from tests.support import records, tapedeck

T0 = 1_700_000_000_000_000_000
IEX = records.DATA / "iex" / "TOPS16.pcapng.gz"


class Packets(tapedeck.Case):
    def setUp(self):
        super().setUp()
        if shutil.which("tshark") is None:
            self.skipTest("there is no tshark to read packets with")

    def lines(self, payloads, track="a", ts=T0):
        path = self.scratch / "lines"
        path.write_bytes(b"".join(b"%d %s\n" % (ts + i, p) for i, p in enumerate(payloads)))
        self.run_ok("import", path, "-T", self.tape, "--track", track, "--format", "lines")

    def export(self, form, *options, code=0):
        path = self.scratch / f"out.{form}"
        self.run_ok("query", "-T", self.tape, "-O", path, "--force", *options, code=code)
        return path

    def fields(self, path, *names, options=()):
        """The fields that tshark shows for each packet."""
        wanted = [word for name in names for word in ("-e", name)]
        done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *options, *wanted],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def test_payloads_are_in_datagrams_that_hold_together(self):
        payloads = [b"", b"x", b"\xff\x00 odd", b"even", b"z" * 65507]
        self.lines(payloads)
        for form in ("pcap", "pcapng"):
            found = self.fields(
                self.export(form), "frame.time_epoch", "udp.payload", "ip.checksum.status", "ip.src",
                "ip.dst", "udp.length", "frame.cap_len",
                options=("-o", "ip.check_checksum:TRUE"))
            self.assertEqual(found, [
                [f"1700000000.{i:09}", payload.hex(), "1", "192.0.2.1", "192.0.2.2",
                 str(len(payload) + 8), str(len(payload) + 42)]
                for i, payload in enumerate(payloads)])

    def test_a_real_capture_comes_back_as_it_was(self):
        if not IEX.exists():
            self.skipTest(f"{IEX} is not there: the real data stands beside the project")
        names = ("frame.time_epoch", "frame.len", "ip.src", "ip.dst", "udp.srcport", "udp.dstport",
                 "udp.length", "udp.checksum", "udp.payload")
        self.run_ok("import", IEX, "-T", self.tape, "--track", "a", "--whole")
        wanted = self.fields(IEX, *names)
        self.assertGreater(len(wanted), 10000)
        for form in ("pcap", "pcapng"):
            self.assertEqual(self.fields(self.export(form), *names), wanted)
        # Without --whole only the payloads are recorded.
        self.tape = self.scratch / "payloads"
        self.run_ok("import", IEX, "-T", self.tape, "--track", "a")
        found = self.fields(self.export("pcap"), "frame.time_epoch", "udp.payload")
        self.assertEqual(found, [[line[0], line[-1]] for line in wanted])

    def test_what_went_out_can_be_imported_again(self):
        self.lines([b"one", b"two", b"\xff"])
        before = self.run_ok("query", "-T", self.tape, "-o", "jsonl").stdout
        for form in ("pcap", "pcapng"):
            again = self.scratch / form
            self.run_ok("import", self.export(form), "-T", again, "--track", "a")
            self.assertEqual(self.run_ok("query", "-T", again, "-o", "jsonl").stdout, before)

    def test_each_track_is_an_interface_of_its_name(self):
        self.lines([b"a0", b"a1"], track="left")
        self.lines([b"b0", b"b1"], track="right")
        found = self.fields(self.export("pcapng"), "frame.interface_name", "udp.payload")
        self.assertEqual(found, [["left", b"a0".hex()], ["right", b"b0".hex()],
                                 ["left", b"a1".hex()], ["right", b"b1".hex()]])
        self.assertEqual(len(self.fields(self.export("pcap"), "frame.number")), 4)

    def test_link_types_are_one_a_pcap_and_any_in_pcapng(self):
        raw = self.scratch / "raw.pcap"
        raw.write_bytes(bytes.fromhex("4d3cb2a1020004000000000000000000ffff000065000000") +
                        bytes.fromhex("00f15365000000000400000004000000") + b"\x45\0\0\x04")
        self.run_ok("import", raw, "-T", self.tape, "--track", "raw", "--whole")
        self.lines([b"ethernet"])
        done = self.run_ok("query", "-T", self.tape, "-o", "pcap", code=2)
        self.assertRegex(done.stderr, r"link types (1 and 101|101 and 1).*-o pcapng")
        found = self.fields(self.export("pcapng"), "frame.encap_type", "frame.interface_name")
        self.assertEqual({name for _, name in found}, {"a", "raw"})
        self.assertEqual(len({kind for kind, _ in found}), 2)
        self.assertEqual(len(self.fields(self.export("pcap", "--track", "raw"), "frame.number")), 1)

    def test_no_packet_is_a_file(self):
        self.lines([b"x"])
        for form in ("pcap", "pcapng"):
            self.assertEqual(self.fields(self.export(form, "--to", T0), "frame.number"), [])

    def test_what_is_too_large_is_left_out_and_told(self):
        self.lines([b"small", b"x" * 65508, b"y" * (1 << 20)])
        for form in ("pcap", "pcapng"):
            done = self.run_ok("query", "-T", self.tape, "-o", form, "-O",
                               self.scratch / f"out.{form}", code=3)
            self.assertIn("2 ticks have no form in this format (too large for a packet", done.stderr)
            self.assertEqual(len(self.fields(self.scratch / f"out.{form}", "frame.number")), 1)

    def test_records_are_no_packets(self):
        path = self.scratch / "x.dbn"
        path.write_bytes(records.mbo(1, T0))
        self.run_ok("import", path, "-T", self.tape, "--track", "a", "--format", "dbn")
        done = self.run_ok("query", "-T", self.tape, "-o", "pcap", code=2)
        self.assertIn("track a holds DBN records, which are not packets", done.stderr)
        self.assertEqual(json.loads(self.run_ok("query", "-T", self.tape, "--count", "--json").stdout),
                         [{"ticks": 1}])


if __name__ == "__main__":
    unittest.main()

"""An export's memory is bounded: eight times as many ticks take no more memory."""

import os
import struct
import subprocess
import unittest

from tests.support import records, tapedeck

T0 = 1_700_000_000_000_000_000
SLACK = 6 << 10  # KiB: the difference between two runs of the same program, and Parquet's footer


class Memory(tapedeck.Case):
    """One tape is larger than what a cursor keeps (32 MiB). The other is eight times as large."""

    TIMES = 8

    def setUp(self):
        super().setUp()
        if b"__asan_init" in (tapedeck.BIN / "tapedeck").read_bytes():
            self.skipTest("the address sanitizer keeps what was freed")

    def put(self, name, data, form, tape, times):
        path = self.scratch / name
        path.write_bytes(data)
        for _ in range(times):
            self.run_ok("import", path, "-T", tape, "--track", "a", "--format", form)

    def peak(self, tape, form, *args):
        """Export into a pipe. Returns (largest resident set in KiB, bytes written)."""
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", "query", "-T", tape, "-o", form, "-O", "-", *args],
                                   stdout=subprocess.PIPE, env=self.env)
        size = 0
        while chunk := process.stdout.read(1 << 20):
            size += len(chunk)
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss, size

    def check(self, forms):
        for form in forms:
            with self.subTest(form):
                small, small_size = self.peak(self.scratch / "small", form)
                large, large_size = self.peak(self.scratch / "large", form)
                self.assertGreater(large_size, (self.TIMES - 1) * small_size * 0.9)
                self.assertLess(large, small + SLACK, f"KiB for {large_size} bytes of {form}")

    def test_of_records(self):
        data = b"".join(records.mbo(i * 7919, T0 + i, i * 10**9) for i in range(500_000))
        for tape, times in (("small", 1), ("large", self.TIMES)):
            self.put("records", data, "dbn", self.scratch / tape, times)
        self.check(("parquet", "arrow", "dbn", "dbn.zst", "csv", "jsonl", "frames"))

    def test_of_payloads(self):
        payload = os.urandom(50_000).replace(b"\n", b" ")
        data = b"".join(b"%d %s\n" % (T0 + i, payload[i:]) for i in range(900))
        for tape, times in (("small", 1), ("large", self.TIMES)):
            self.put("payloads", data, "lines", self.scratch / tape, times)
        self.check(("parquet", "arrow", "pcap", "pcapng", "jsonl"))

    def test_of_files_outside_the_range(self):
        """Their heads, a MiB of symbols each, are not read."""
        def head(ts):
            names = b"".join(b"%070d\0" % i for i in range(15_000))
            body = struct.pack("<16sHQQQBBBH53xII", b"TEST", 4, ts, ts + 1, 0, 1, 0, 0, 71, 0, 15_000)
            body += names + bytes(12)
            body += bytes(-len(body) % 8)
            return b"DBN\x03" + struct.pack("<I", len(body)) + body

        for tape, days in (("small", 2), ("large", 3 * self.TIMES)):
            for day in range(days):
                ts = T0 + day * 86_400 * 10**9
                self.put("day", head(ts) + records.trade(1, ts), "dbn", self.scratch / tape, 1)
        for form in ("csv", "parquet", "dbn"):
            with self.subTest(form):
                small, large = [self.peak(self.scratch / tape, form, "--to", str(T0 + 1))
                                for tape in ("small", "large")]
                self.assertEqual(large[1], small[1])
                self.assertLess(large[0], small[0] + SLACK)

    def test_of_a_tape_that_knows_many_symbols(self):
        """Only the head of a DBN file lists them."""
        line = '{"symbol":"S%d","timestamp":%d,"price":1,"volume":1,"message_type":"trade"}\n'
        for tape, symbols in (("small", 10), ("large", 200_000)):
            path = self.scratch / "lines"
            with open(path, "w", encoding="ascii") as file:  # not in memory, which a program begins with
                file.writelines(line % (i, 1_700_000_000 + i) for i in range(symbols))
            self.run_ok("import", path, "-T", self.scratch / tape, "--track", "a")
        for form in ("csv", "parquet", "arrow"):
            with self.subTest(form):
                small, large = [self.peak(self.scratch / tape, form, "-n", "1")
                                for tape in ("small", "large")]
                self.assertLess(large[0], small[0] + SLACK)


if __name__ == "__main__":
    unittest.main()

"""feed publishes files into a ring as a live producer would."""

import gzip
import hashlib
import json
import signal
import time
import unittest

from tests.support import tapedeck

FIVE = ('{"symbol":"BTC-USD","timestamp":1690000000.123456789,"price":50000.5,"volume":1.5,'
        '"message_type":"trade"}')


class Feed(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.run_ok("ring", "create", "a", "--size", "1M")

    def drained(self, *args, **how):
        return self.run_ok("drain", "a", "--timeout", "100ms", *args, **how)

    def payloads(self):
        frames = tapedeck.parse_frames(self.drained("-o", "frames").stdout)
        return [f.payload for f in frames if f.is_tick()]

    def test_lines_come_out_as_they_went_in(self):
        lines = [b"1 a", b"2 ", b"3  two blanks", b"4 \xff\x00\x01", b"5 " + b"x" * 5000]
        path = self.write("lines.txt", b"\n".join(lines) + b"\n")
        for given in (path, self.write("lines.gz", gzip.compress(path.read_bytes()))):
            self.run_ok("feed", given, "--ring", "a", "--format", "lines")
            self.assertEqual(self.payloads(), [line.split(b" ", 1)[1] for line in lines])

    def test_stdin_is_a_file_too(self):
        self.run_ok("feed", "-", "--ring", "a", stdin=b"1 a\n2 b\n")
        self.assertEqual(self.payloads(), [b"a", b"b"])

    def test_five_field_ticks_come_back_exact(self):
        lines = [FIVE, FIVE.replace("1.5", "0.000000001"), FIVE.replace("BTC-USD", "BTC-USDT"),
                 FIVE.replace("50000.5", "-9223372036.854775806"), FIVE.replace('"trade"', '"quote"')]
        self.run_ok("feed", "-", "--ring", "a", stdin="\n".join(lines).encode())
        self.assertEqual(self.drained("--five").stdout.decode().splitlines(), lines)

    def test_malformed_lines_are_named_and_the_good_ones_kept(self):
        bad = ["nonsense", "{}", FIVE.replace("50000.5", "NaN"), FIVE.replace("1.5", "-1"),
               FIVE.replace("1690000000.123456789", "1690000000.1234567891")]
        text = "\n".join([FIVE, *bad, "", FIVE] + ["nonsense"] * 20) + "\n"
        done = self.run_ok("feed", "-", "--ring", "a", stdin=text.encode(), code=3)
        named = [line for line in done.stderr.splitlines() if " line " in line]
        self.assertEqual(len(named), 10)
        for number in (2, 3, 4, 5, 6, 9):
            self.assertTrue(any(f"line {number}:" in line for line in named), number)
        self.assertIn("25 malformed lines", done.stderr)
        self.assertEqual(len(self.drained("--five").stdout.splitlines()), 2)

    def test_files_that_are_none_fail_by_name(self):
        for path, says in ((self.scratch / "nothing", "No such file"), (self.scratch, "directory"),
                           (self.write("empty", b""), "empty"),
                           (self.write("random", bytes(range(1, 250)) * 10), "random")):
            done = self.run_ok("feed", path, "--ring", "a", code=1)
            self.assertIn(says, done.stderr)
            self.run_ok("feed", path, "--ring", "new", "--create", "64K", code=1)
        self.assertEqual(self.payloads(), [])
        self.run_ok("ring", "info", "new", code=1)

    def test_several_files_are_one_epoch(self):
        one, two = self.write("one", "1 a\n2 b\n"), self.write("two", "3 c\n")
        self.run_ok("feed", one, two, "--ring", "a")
        frames = list(tapedeck.parse_frames(self.drained("-o", "frames").stdout))
        ticks = [f for f in frames if f.is_tick()]
        self.assertEqual([f.seq for f in ticks], [1, 2, 3])
        self.assertEqual([f.ts for f in ticks], [1, 2, 3])
        self.assertEqual(len([f for f in frames if f.type == tapedeck.EPOCH]), 1)

    @staticmethod
    def properties(frames):
        found = {}
        for frame in tapedeck.parse_frames(frames):
            if frame.type == tapedeck.INFO:
                size = int.from_bytes(frame.payload[8:10], "little")
                found[frame.payload[16:16 + size]] = frame.payload[16 + size:]
        return found

    def test_properties_travel_in_the_ring(self):
        self.run_ok("feed", "-", "--ring", "a", "--track-info", "venue=X=Y", "--track-info", "empty=",
                    stdin=b"1 a\n")
        found = self.properties(self.drained("-o", "frames").stdout)
        self.assertEqual(found[b"venue"], b"X=Y")
        self.assertEqual(found[b"empty"], b"")
        self.assertEqual(found[b"type.3"], b"line\tapplication/octet-stream")

    def test_what_opaque_payloads_are_called_and_hold_is_said_on_the_way_in(self):
        named = ("--type-name", "quote", "--content-type", "application/json")
        self.run_ok("feed", "-", "--ring", "a", *named, stdin=b'1 {"bid":1}\n')
        found = self.properties(self.drained("-o", "frames").stdout)
        self.assertEqual(found[b"type.3"], b"quote\tapplication/json")
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "t", *named, stdin=b'1 {"bid":1}\n')
        done = self.run_ok("query", "-T", self.tape, "-o", "frames", "--control")
        self.assertEqual(self.properties(done.stdout)[b"type.3"], b"quote\tapplication/json")

    def test_wrong_usage(self):
        path = self.write("lines", "1 a\n")
        for args in ([], [path], [path, "--ring", "a", "--speed", "2"],
                     [path, "--ring", "a", "--format", "xml"], [path, "--ring", "a/b"],
                     [path, "--ring", "a", "--track-info", "x"], [path, "--ring", "a", "--stamp", "x"],
                     [path, "--ring", "a", "--track-info", "=x"]):
            done = self.run_ok("feed", *args, code=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_ring_that_appears_is_waited_for(self):
        path = self.write("lines", "1 a\n")
        self.run_ok("feed", path, "--ring", "later", code=1)
        feed = self.start_cli("feed", path, "--ring", "later", "--wait", "30s")
        time.sleep(0.1)
        self.run_ok("ring", "create", "later", "--size", "64K")
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.run_ok("feed", path, "--ring", "made", "--create", "64K")

    def test_full_is_a_wait_or_a_counted_loss(self):
        lines = b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(1, 2001))
        path = self.write("lines", lines)
        done = self.run_ok("feed", path, "--ring", "a", "--no-wait", "--digest", code=3)
        sent = self.digest_of(done.stderr)
        self.assertLess(sent[1], 2000)
        done = self.drained("-o", "none", "--digest", code=3)
        self.assertEqual(self.digest_of(done.stderr), sent)
        self.assertIn(f"{2000 - sent[1]} ticks were lost", done.stderr)
        drain = self.start_cli("drain", "a", "-o", "none", "--digest", "--count", "2000")
        done = self.run_ok("feed", path, "--ring", "a", "--digest")
        self.assertEqual(drain.wait(), 0, drain.stderr)
        self.assertEqual(self.digest_of(drain.stderr), self.digest_of(done.stderr))

    def test_a_speed_keeps_the_distances_of_the_file(self):
        base = 1700000000 * 10**9
        text = "".join(f"{base + i * 50_000_000} {i}\n" for i in range(9))  # 0.4 s
        path = self.write("lines", text)
        for speed, least in (("1x", 0.4), ("2x", 0.2), ("20/s", 0.4)):
            begin = time.monotonic()
            self.run_ok("feed", path, "--ring", "a", "--speed", speed)
            took = time.monotonic() - begin
            self.assertGreaterEqual(took, least, speed)
            self.assertLess(took, least + tapedeck.SOON, speed)
        # A time in the far future is not waited for.
        self.run_ok("feed", "-", "--ring", "a", "--speed", "1x",
                    stdin=f"{base} a\n18446744073709551615 b\n{base + 1} c\n".encode(), timeout=20)

    def test_a_feed_at_its_own_speed_can_be_ended(self):
        path = self.write("lines", "1 a\n100000000001 b\n")
        feed = self.start_cli("feed", path, "--ring", "a", "--speed", "1x", "--digest")
        self.wait_for(lambda: self.ring_info("a")["produced"] == 1)
        feed.signal(signal.SIGINT)
        self.assertEqual(feed.wait(), 1)
        self.assertEqual(self.payloads(), [b"a"])

    def test_a_feed_that_waits_for_stdin_can_be_ended(self):
        feed = self.start_cli("feed", "-", "--ring", "a", "--format", "lines",
                              stdin=tapedeck.subprocess.PIPE)
        self.addCleanup(feed.process.stdin.close)
        feed.process.stdin.write(b"1700000000000000000 a\n")
        feed.process.stdin.flush()
        self.run_ok("drain", "a", "-o", "none", "--count", "1")
        feed.signal(signal.SIGINT)
        self.assertEqual(feed.wait(), 1)
        self.assertIn("interrupted after 1 tick, which stays", feed.stderr)

    def test_a_line_is_published_as_soon_as_it_is_there(self):
        drain = self.start_cli("drain", "a", "-o", "none", "--count", "1")
        feed = self.start_cli("feed", "-", "--ring", "a", "--format", "lines",
                              stdin=tapedeck.subprocess.PIPE)
        feed.process.stdin.write(b"1700000000000000000 a\n")
        feed.process.stdin.flush()
        self.assertEqual(drain.wait(), 0, drain.stderr)
        feed.process.stdin.close()
        self.assertEqual(feed.wait(), 0, feed.stderr)

    def test_stamp_now_stamps_the_time_of_publishing(self):
        before = time.time_ns()
        self.run_ok("feed", "-", "--ring", "a", "--stamp", "now", stdin=b"1 a\n")
        [tick] = [f for f in tapedeck.parse_frames(self.drained("-o", "frames").stdout) if f.is_tick()]
        self.assertTrue(before <= tick.ts <= time.time_ns())

    def test_progress_is_json_a_line(self):
        done = self.run_ok("feed", "-", "--ring", "a", "--progress", "ndjson", "-q",
                           stdin=b"1 a\n2 b\n")
        last = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual((last["ticks"], last["bytes"]), (2, 8))

    def test_captures_come_back_byte_for_byte(self):
        for path in sorted(self.shared("hyperliquid").glob("*.gz")):
            wanted = hashlib.sha256()
            for line in gzip.decompress(path.read_bytes()).splitlines():
                wanted.update(line.split(b" ", 1)[1])
            self.run_ok("feed", path, "--ring", "a")
            found = hashlib.sha256()
            for payload in self.payloads():
                found.update(payload)
            self.assertEqual(found.hexdigest(), wanted.hexdigest(), path)

    def test_dbn_files_come_through_the_ring(self):
        path = self.shared("dbn", "databento-dbn", "test_data.mbp-1.v3.dbn.zst")
        text = self.shared("dbn", "text", "test_data.mbp-1.v3.csv")
        self.run_ok("feed", path, "--ring", "a")
        self.assertEqual(self.drained("-o", "csv").stdout, text.read_bytes())


if __name__ == "__main__":
    unittest.main()

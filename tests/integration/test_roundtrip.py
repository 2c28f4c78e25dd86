"""The whole main job: ring -> recorder -> tape -> query -> play -> ring, with one digest throughout."""

import gzip
import hashlib
import json
import unittest

from tests.support import tapedeck

EVERYTHING = ("--from", "start", "--to", "end")


def expected():
    path = tapedeck.SHARED / "data" / "expected.json"
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there: the real data stands beside the project")
    return json.loads(path.read_text(encoding="utf-8"))["files"]


class Roundtrip(tapedeck.Case):
    def gen(self, ring, count, *args):
        done = self.run_ok("gen", "--ring", ring, "--count", count, "--digest", *args)
        return self.digest_of(done.stderr)

    def played(self, *query, create="4M"):
        """The digest of the ticks that a consumer of `play` sees."""
        self.run_ok("ring", "create", "replay", "--size", create)
        drain = self.start_cli("drain", "replay", "--until-end", "--digest", "-o", "none",
                               "--timeout", "60s")
        self.run_ok("play", "-T", self.tape, "--into", "replay", *query)
        self.assertEqual(drain.wait(), 0, drain.stderr)
        self.run_ok("ring", "rm", "replay", "--force")
        return self.digest_of(drain.stderr)

    def tape_line(self, *query):
        done = self.run_ok("digest", "-T", self.tape, *query)
        return self.digest_of(done.stdout.decode())

    def check_one_digest(self, sent, *query):
        self.assertEqual(self.tape_digest(*query), sent)
        self.assertEqual(self.tape_line(*query), sent)
        self.assertEqual(self.played(*query), sent)
        self.run_ok("verify", "-T", self.tape)

    def test_one_ring_gives_one_digest(self):
        self.run_ok("ring", "create", "a", "--size", "4M")
        recorder = self.recorder("--ring", "a")
        sent = self.gen("a", 300000, "--symbols", 20, "--seed", 3)
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(sent[1], 300000)
        self.check_one_digest(sent)

    def test_eight_rings_give_one_digest_each_and_one_of_all(self):
        names = [f"r{i}" for i in range(8)]
        for name in names:
            self.run_ok("ring", "create", name, "--size", "1M")
        recorder = self.recorder(*(arg for name in names for arg in ("--ring", name)))
        feeds = [self.start_cli("gen", "--ring", name, "--count", "30000", "--seed", str(i),
                                "--digest") for i, name in enumerate(names)]
        sent = {}
        for name, feed in zip(names, feeds):
            self.assertEqual(feed.wait(), 0, feed.stderr)
            sent[name] = self.digest_of(feed.stderr)
        self.assertEqual(recorder.stop(), 0)
        for name in names:
            self.assertEqual(self.tape_digest("--track", name), sent[name])
            self.assertEqual(self.played("--track", name), sent[name])
        merged = self.tape_digest()
        self.assertEqual(merged[1], 240000)
        self.check_one_digest(merged)

    def test_frames_of_all_sizes_across_rolls_and_a_restart(self):
        self.run_ok("ring", "create", "a", "--size", "1M")
        args = ("--ring", "a", "--segment-size", "4M", "--block-size", "256K")
        recorder = self.recorder(*args)
        feed = self.start_cli("gen", "--ring", "a", "--count", "20000", "--seed", "5", "--digest",
                              "--size-dist", "uniform:0-4096", "--rate", "10000")
        recorder.wait_line(r"segment .*sealed", timeout=60)
        recorder.kill()
        recorder = self.recorder(*args)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        sent = self.digest_of(feed.stderr)
        self.assertEqual(recorder.stop(), 0)
        self.check_one_digest(sent)

    def test_the_smallest_and_the_largest_frames(self):
        for i, size in enumerate(("fixed:0", "fixed:65536")):
            name = f"s{i}"
            self.run_ok("ring", "create", name, "--size", "1M")
            recorder = self.recorder("--ring", name)
            sent = self.gen(name, 3000, "--size-dist", size)
            self.assertEqual(recorder.stop(), 0)
            self.check_one_digest(sent, "--track", name)


class RealTicks(tapedeck.Case):
    def test_captures_come_back_byte_for_byte(self):
        files = expected()
        names = [n for n in files if n.startswith(("binance/", "hyperliquid/"))]
        for i, name in enumerate(names):
            ring = f"capture{i}"
            self.run_ok("ring", "create", ring, "--size", "16M")
            recorder = self.recorder("--ring", ring)
            path = tapedeck.SHARED / "data" / name
            self.run_ok("feed", path, "--ring", ring, "--format", "lines")
            self.assertEqual(recorder.stop(), 0)
            digest, times, count = hashlib.sha256(), [], 0
            for frame in self.frames("--track", ring):
                if frame.is_tick():
                    digest.update(frame.payload)
                    times.append(frame.ts)
                    count += 1
            facts = files[name]
            self.assertEqual(count, facts["records"], name)
            self.assertEqual((times[0], times[-1]),
                             (facts["local_ns"]["first"], facts["local_ns"]["last"]), name)
            with gzip.open(path, "rb") as lines:
                payloads = hashlib.sha256()
                for line in lines:
                    payloads.update(line.rstrip(b"\n").split(b" ", 1)[1])
            self.assertEqual(digest.hexdigest(), payloads.hexdigest(), name)

    def test_a_time_that_13601_records_share(self):
        expected()
        folder = (tapedeck.SHARED / "data/dbn/nautilus/order_book_deltas_catalog/databento")
        path = next(folder.glob("orderbooks_mbo_*"))
        self.run_ok("import", path, "-T", self.tape, "--track", "book")
        midnight = 1715126400000000000
        at = self.run_ok("query", "-T", self.tape, "--from", midnight, "--to", midnight + 1, "--count")
        self.assertEqual(int(at.stdout), 13601)
        self.assertEqual(self.tape_digest("--from", str(midnight), "--to", str(midnight + 1))[1], 13601)
        after = self.run_ok("query", "-T", self.tape, "--from", midnight + 1, "--to", "end", "--count")
        self.assertEqual(int(after.stdout), 13796 - 13601)


class Five(tapedeck.Case):
    LINE = '{{"symbol":"{}","timestamp":{},"price":{},"volume":{},"message_type":"trade"}}\n'

    def test_symbols_match_exactly_and_disorder_is_found_where_it_is(self):
        lines = [("BTC-USD", "100.000000001", "50000.5", "1"), ("BTC-USDT", "100.5", "50001", "2"),
                 ("BTC-USD", "99.25", "50002", "3"), ("BTC-USD", "101", "0.000000001", "4"),
                 ("BTC-USDT", "98", "1", "5")]
        path = self.scratch / "five.jsonl"
        path.write_text("".join(self.LINE.format(*line) for line in lines))
        self.run_ok("import", path, "-T", self.tape, "--track", "five")

        def asked(*args):
            done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five", *args)
            return [json.loads(line, parse_float=str, parse_int=str) for line in done.stdout.splitlines()]

        self.assertEqual([t["volume"] for t in asked("-s", "BTC-USD")], ["1", "3", "4"])
        self.assertEqual([t["volume"] for t in asked("-s", "BTC-USDT")], ["2", "5"])
        self.assertEqual([t["volume"] for t in asked("-s", "BTC-*")], ["1", "2", "3", "4", "5"])
        self.assertEqual([t["volume"] for t in asked("--from", "98000000000", "--to", "100000000000")],
                         ["3", "5"])
        self.assertEqual(asked("-s", "BTC-USD")[0],
                         {"symbol": "BTC-USD", "timestamp": "100.000000001", "price": "50000.5",
                          "volume": "1", "message_type": "trade"})
        self.assertEqual([t["volume"] for t in asked("--reverse")], ["5", "4", "3", "2", "1"])


if __name__ == "__main__":
    unittest.main()

"""What a recorder has written but not yet synced: those who ask for it see it, and nobody else does."""

import json
import time

from tests.support import tapedeck, wire


class Written(tapedeck.Case):
    """A recorder that writes at once and does not sync by itself."""

    def setUp(self):
        super().setUp()
        self.record = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "4M", "--sync", "interval:1h",
                                    "--block-age", "10ms", "--block-size", "16K")

    def gen(self, ring, count, seed=1):
        """Publish ticks, and return when they are written."""
        self.run_ok("gen", "--ring", ring, "--count", count, "--seed", seed)
        with wire.Client(self.tape / "recorder.sock") as client:
            end = time.monotonic() + tapedeck.PATIENCE
            while True:
                rows = {r["ring"]: r for r in client.call("status")["rings"]}
                if all(r["written"] == r["produced"] for r in rows.values()):
                    return rows
                self.assertLess(time.monotonic(), end, rows)
                time.sleep(0.02)

    def count(self, *args):
        return int(self.run_ok("query", "-T", self.tape, "--count", *args).stdout)

    def digest(self, *args):
        return self.digest_of(self.run_ok("query", "-T", self.tape, "-o", "none", "--digest", *args).stderr)

    def both_ways(self, *args):
        """Query forward and backward and check that one is the reverse of the other. Returns the forward lines."""
        forward, back = (self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--envelope", "--written", *args,
                                     *more).stdout.splitlines() for more in ((), ("--reverse",)))
        self.assertEqual(forward, back[::-1])
        return forward

    def test_what_was_never_synced_is_told_to_who_asks(self):
        rows = self.gen("a", 3000)
        self.assertEqual((rows["a"]["written"], rows["a"]["durable"]), (3000, 0))
        self.assertEqual(self.count(), 0)
        self.assertEqual(self.count("--written"), 3000)
        self.assertEqual(self.count("--written", "--track", "a", "-s", "S001"),
                         len(self.both_ways("--track", "a", "--map-symbols", "-s", "S001")))
        self.run_ok("query", "-T", self.tape, "--count", "--track", "a", code=1)
        written = self.digest("--written")
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(self.digest(), written)
        self.assertEqual(self.digest("--written"), written)

    def test_it_comes_behind_what_is_durable_and_in_order(self):
        self.gen("a", 2000)
        self.gen("b", 500)
        self.run_ok("flush", "-T", self.tape)
        self.gen("b", 700, seed=2)
        self.gen("a", 900, seed=3)
        self.assertEqual(self.count(), 2500)
        self.assertEqual(self.count("--written"), 4100)
        self.assertEqual(self.count("--written", "--track", "b"), 1200)
        lines = self.both_ways()
        middle = json.loads(lines[3000])["tape"]["ts"]
        parts = [self.both_ways("--to", middle), self.both_ways("--from", middle)]
        self.assertEqual(parts[0] + parts[1], lines)
        by_symbol = self.both_ways("-s", "S003", "-s", "#5")
        self.assertTrue(0 < len(by_symbol) < len(lines))
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(self.both_ways(), lines)
        self.assertEqual(self.both_ways("-s", "S003", "-s", "#5"), by_symbol)

    def test_segments_that_were_closed_meanwhile_are_in_it(self):
        self.gen("a", 1000)
        self.run_ok("roll", "-T", self.tape)
        self.gen("a", 1000, seed=2)
        self.assertEqual((self.count(), self.count("--written")), (1000, 2000))
        self.assertEqual(self.record.stop(), 0)
        self.assertEqual((self.count(), self.count("--written")), (2000, 2000))

    def test_after_a_kill_both_tell_what_recovery_keeps(self):
        self.gen("a", 1000)
        self.record.kill()
        self.assertEqual((self.count(), self.count("--written")), (1000, 1000))

    def test_a_replayer_is_asked_for_it_too(self):
        self.gen("a", 1000)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line(r"^ready ")
        with wire.Client(self.tape / "replayer.sock") as client:
            self.assertEqual(client.call("count")["ticks"], 0)
            with self.assertRaises(wire.Error) as raised:
                client.call("count", tracks=["a"])
            self.assertEqual(raised.exception.name, "ENOENT")
            for params in ({}, {"tracks": ["a"]}):
                self.assertEqual(client.call("count", written=True, **params)["ticks"], 1000)
            client.call("query", written=True, credit=1 << 24)
            while True:
                method, told = client.notification()
                if method == "end":
                    break
            self.assertEqual((told["ticks"], told["complete"]), (1000, True))
            self.assertEqual((told["digest"], told["ticks"]), self.digest("--written"))
            client.call("play", into="r", create=1 << 20, written=True)
            while told.get("state") != "ended":
                _, told = client.notification()
            self.assertEqual(told["ticks"], 1000)


if __name__ == "__main__":
    tapedeck.unittest.main()

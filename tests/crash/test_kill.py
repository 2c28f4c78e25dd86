"""A recorder of four rings under load is killed at any moment, again and again. No tick is lost or comes twice.

$TDK_RECORDER_KILLS says how often it is killed.
"""

import os
import random
import signal
import time
import unittest

from tests.support import tapedeck
from tests.support.tapedeck import LOSS

KILLS = tapedeck.often("TDK_RECORDER_KILLS", 40)
READY = float(os.environ.get("TDK_READY", tapedeck.SOON)) # seconds; 2 are promised on a host that is idle otherwise
RATE = 10000 if KILLS <= 100 else 1000 # ticks per second and ring; all of them are checked at the end
NAMES = ("a", "b", "c", "d")
OPTIONS = ("--block-size", "64K", "--segment-size", "1M", "--buffer-memory", "8M")


class Kills(tapedeck.Case):
    def setUp(self):
        super().setUp()
        for name in NAMES:
            self.run_ok("ring", "create", name, "--size", "2M")
        self.slowest = 0.0

    def record(self):
        begun = time.monotonic()
        recorder = self.recorder(*[word for name in NAMES for word in ("--ring", name)], *OPTIONS)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        return recorder

    def feed(self, name, seed):
        return self.start_cli("gen", "--ring", name, "--count", 10**9, "--rate", RATE, "--seed", seed)

    def check(self, published):
        """Check that each epoch is dense from 1, and that each track has as many ticks as were published."""
        last, ticks = {}, dict.fromkeys(NAMES, 0)
        for frame in self.frames(timeout=600):
            key = (frame.track, frame.epoch)
            self.assertNotEqual(frame.type, LOSS, frame)
            if frame.is_tick():
                self.assertEqual(frame.seq, last.get(key, 0) + 1, frame)
                last[key] = frame.seq
                ticks[frame.track] += 1
        self.assertEqual(ticks, published)
        self.run_ok("verify", "-T", self.tape)

    def test_the_recorder_is_killed(self):
        feeds = {name: self.feed(name, i) for i, name in enumerate(NAMES)}
        chance = random.Random(11)
        for _ in range(KILLS):
            recorder = self.record()
            time.sleep(chance.random() ** 2 * 0.3)
            recorder.kill()
        recorder = self.record()
        for feed in feeds.values():
            feed.signal(signal.SIGINT)
            feed.wait()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        print(f"{KILLS} kills, slowest start {self.slowest * 1000:.0f} ms")
        self.check({name: int(self.ring_info(name)["produced"]) for name in NAMES})
        self.assertLess(self.slowest, READY)

    def test_feeds_are_killed_while_they_publish(self):
        chance, published = random.Random(12), {}  # by ring and epoch; a feed killed before it attached has none
        recorder = self.record()
        for round_ in range(max(4, KILLS // 8)):
            feeds = {name: self.start_cli("gen", "--ring", name, "--count", 10**9, "--seed", round_)
                     for name in NAMES} if round_ % 2 else \
                    {name: self.feed(name, round_) for name in NAMES}
            time.sleep(0.05 + chance.random() * 0.15)
            for feed in feeds.values():
                feed.kill()
            for name in NAMES:
                info = self.ring_info(name)
                published[name, info["epoch"]] = int(info["produced"])
            if chance.random() < 0.5:
                recorder.kill()
                recorder = self.record()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.check({name: sum(n for (ring, _), n in published.items() if ring == name) for name in NAMES})


if __name__ == "__main__":
    unittest.main()

"""--then-live and tail -f from outside: history, JOIN, then live ticks, and each tick exactly once."""

import json
import os
import signal
import subprocess
import time
import unittest

from tests.support import tapedeck


class Live(tapedeck.Case):
    """A recorder that rolls often, and a feed of known length."""

    RECORDER = ("--segment-size", "256K", "--block-size", "16K", "--sync", "interval:50ms")

    def record(self, *rings, size="4M"):
        rings = rings or ("feed",)
        asked = [word for ring in rings for word in ("--ring", ring)]
        return self.recorder(*asked, "--create-ring", size, *self.RECORDER)

    def feed(self, count, rate, ring="feed", seed=1):
        return self.start_cli("gen", "--ring", ring, "--count", count, "--rate", rate, "--seed", seed,
                              stdout=subprocess.DEVNULL)

    def follow(self, *args, into="r", create="64M"):
        return self.start_cli("play", "-T", self.tape, "--then-live", "--into", into, "--create", create, *args)

    def wait_quiet(self, ring="r", least=1):
        """Wait until the ring holds at least `least` bytes, and no more arrive."""
        fill = [-1]

        def is_quiet():
            before, fill[0] = fill[0], self.fill_of(ring)
            if fill[0] == before >= least:
                return True
            time.sleep(0.5)
            return False
        self.wait_for(is_quiet)

    def wait_for_all_of(self, ring, into="r"):
        """Wait until all that was published into `ring` is on the tape, and all that is on the tape is played."""
        self.run_ok("flush", "-T", self.tape)
        count = int(self.run_cli("query", "-T", self.tape, "--count", "--track", ring).stdout)
        self.wait_for(lambda: self.ring_info(into)["produced"] >= count)
        self.wait_quiet(into)

    def fill_of(self, ring):
        done = self.run_cli("ring", "info", ring, "--json")
        return json.loads(done.stdout)[0]["fill"] if done.returncode == 0 else -1

    def frames_of(self, ring="r", code=0):
        done = self.run_ok("drain", ring, "-o", "frames", "--until-end", "--timeout", "20s", "--digest", code=code)
        return list(tapedeck.parse_frames(done.stdout)), self.digest_of(done.stderr)

    def assert_each_once(self, frames, track, epochs):
        """Check that each tick came once. `epochs` has the number of ticks of each epoch, in order."""
        seqs = {}
        for frame in frames:
            if frame.is_tick() and frame.track == track:
                seqs.setdefault(frame.epoch, []).append(frame.seq)
        self.assertEqual([len(seq) for _, seq in sorted(seqs.items())], epochs)
        for seq in seqs.values():
            self.assertEqual(seq, list(range(1, len(seq) + 1)))

    def assert_like_the_tape(self, frames, digest, track="feed"):
        self.assertEqual(digest, self.tape_digest("--track", track))


@unittest.skipUnless(os.getuid() == 0, "needs root: it reads as another user")
class OtherUser(Live):
    """A user in the tape's group, who may read everything and write nothing."""

    def test_who_may_not_lock_the_index_follows_by_copies_of_it(self):
        """Without a lock LMDB's writer does not know of this reader, and might reuse pages that it reads."""
        recorder = self.record()
        self.run_ok("gen", "--ring", "feed", "--count", 1000)
        self.run_ok("flush", "-T", self.tape)
        tail = self.start(self.program_of_a_stranger(), "tail", "-T", self.tape, "-f", "-n", "10", "--timeout", "60s",
                          stdout=subprocess.PIPE, user=self.STRANGER)
        lines = [tail.process.stdout.readline() for _ in range(10)]
        self.run_ok("gen", "--ring", "feed", "--count", 500, "--seed", 2)
        lines += [tail.process.stdout.readline() for _ in range(500)]
        self.assertTrue(all(lines), tail.stderr)
        tail.signal(signal.SIGINT)
        self.assertEqual(tail.wait(), 0, tail.stderr)
        self.assertEqual(recorder.stop(), 0)

    def test_what_came_last_is_followed_also_when_its_recorder_is_gone(self):
        self.rings.chmod(0o700)  # the other user cannot reach the ring, only the tape
        for seed, end in enumerate((tapedeck.Program.stop, tapedeck.Program.kill), 1):
            recorder = self.record()
            self.run_ok("gen", "--ring", "feed", "--count", 100, "--seed", seed)
            self.run_ok("flush", "-T", self.tape)
            tail = self.start(self.program_of_a_stranger(), "tail", "-T", self.tape, "-f", "-n", "10", "--timeout",
                              "60s", stdout=subprocess.PIPE, user=self.STRANGER)
            lines = [tail.process.stdout.readline() for _ in range(10)]
            tail.signal(signal.SIGSTOP)
            self.run_ok("gen", "--ring", "feed", "--count", 500, "--seed", seed + 2)
            self.run_ok("flush", "-T", self.tape)
            end(recorder)
            tail.signal(signal.SIGCONT)
            lines += [tail.process.stdout.readline() for _ in range(500)]
            self.assertTrue(all(lines), tail.stderr)
            tail.signal(signal.SIGINT)
            self.assertEqual(tail.wait(), 0, tail.stderr)

    def test_who_may_not_lock_the_index_verifies_and_asks_all_the_same(self):
        recorder = self.record()
        feed = self.feed(100000, "20000/s")
        self.run_ok("flush", "-T", self.tape)
        for _ in range(5):  # while the index is written to
            verify = self.run_as_a_stranger("verify", "-T", self.tape, group=os.getgid())
            self.assertNotIn("index", verify.stderr)
            info = self.run_as_a_stranger("info", "-T", self.tape, "--json", group=os.getgid())
            self.assertTrue(json.loads(info.stdout)[0]["index_used"])
        self.assertEqual(feed.wait(), 0, feed.stderr)
        os.truncate(self.tape / "index" / "data.mdb", (1 << 30) + 4096)  # too large to copy
        verify = self.run_as_a_stranger("verify", "-T", self.tape, group=os.getgid())
        self.assertIn("only the segments were checked, not the index", verify.stderr)
        self.assertEqual(recorder.stop(), 0)


class ThenLive(Live):
    def test_history_then_join_then_live(self):
        recorder = self.record()
        self.run_ok("gen", "--ring", "feed", "--count", 2000)
        follower = self.follow("--digest")
        self.wait_for(lambda: (self.rings / "r.ring").exists())
        feed = self.feed(3000, "3000/s", seed=2)
        self.assertEqual(feed.wait(), 0)
        self.wait_quiet(least=5000 * 24)
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, digest = self.frames_of()
        self.assert_each_once(frames, "feed", [2000, 3000])
        joins = [i for i, frame in enumerate(frames) if frame.type == tapedeck.JOIN]
        self.assertEqual(len(joins), 1)
        self.assertEqual(frames[-1].type, tapedeck.END)
        self.assertEqual(int.from_bytes(frames[-1].payload[0:8], "little"), 5000)
        self.assertEqual(frames[-1].payload[32], 1)
        self.assertEqual(recorder.stop(), 0)
        self.assert_like_the_tape(frames, digest)
        self.assertEqual(self.digest_of(follower.stderr), digest)

    def test_a_recorder_that_is_killed_and_comes_back(self):
        """It is killed again and again while it rolls segments: no tick comes twice and none is left out."""
        count = 40000
        recorder = self.record()
        follower = self.follow("-n", count)
        feed = self.feed(count, "8000/s")
        for _ in range(6):
            time.sleep(0.6)
            recorder.kill()
            time.sleep(0.1)
            recorder = self.record()
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, digest = self.frames_of()
        self.assert_each_once(frames, "feed", [count])
        self.assertEqual(recorder.stop(), 0)
        self.assert_like_the_tape(frames, digest)

    def test_a_ring_too_small_to_wait_in(self):
        """The tap is overtaken now and then. What it missed comes from the tape."""
        count = 60000
        recorder = self.record(size="128K")
        follower = self.follow("-n", count)
        feed = self.feed(count, "20000/s")
        # A follower that is stopped for a while has to catch up.
        for _ in range(5):
            time.sleep(0.3)
            follower.signal(signal.SIGSTOP)
            time.sleep(0.2)
            follower.signal(signal.SIGCONT)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, digest = self.frames_of()
        self.assert_each_once(frames, "feed", [count])
        self.assertEqual(recorder.stop(), 0)
        self.assert_like_the_tape(frames, digest)

    def test_feeds_that_come_and_go(self):
        """Each feed begins an epoch. The last tick of one epoch and the first of the next are both there."""
        recorder = self.record()
        follower = self.follow("-n", 5 * 2000)
        for seed in range(5):
            self.assertEqual(self.feed(2000, "10000/s", seed=seed).wait(), 0)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, digest = self.frames_of()
        self.assert_each_once(frames, "feed", [2000] * 5)
        self.assertEqual(recorder.stop(), 0)
        self.assert_like_the_tape(frames, digest)

    def test_a_killed_feed_and_a_ring_made_anew(self):
        recorder = self.record()
        follower = self.follow()
        for seed in range(3):
            feed = self.feed(1000000, "5000/s", seed=seed)
            time.sleep(0.5)
            feed.kill()
        self.run_ok("ring", "rm", "feed", "--force")
        self.run_cli("ring", "create", "feed", "--size", "1M")  # fails if the recorder has made it already
        self.assertEqual(self.feed(3000, "5000/s", seed=9).wait(), 0)
        self.wait_for_all_of("feed")
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, digest = self.frames_of()
        self.assertEqual(recorder.stop(), 0)
        self.assert_like_the_tape(frames, digest)

    def test_several_tracks(self):
        count = 8000
        recorder = self.record("a", "b", "c")
        follower = self.follow("-n", 3 * count)
        feeds = [self.feed(count, "4000/s", ring=ring, seed=i) for i, ring in enumerate("abc")]
        time.sleep(0.7)
        recorder.kill()
        recorder = self.record("a", "b", "c")
        for feed in feeds:
            self.assertEqual(feed.wait(), 0)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        frames, _ = self.frames_of()
        for track in "abc":
            self.assert_each_once(frames, track, [count])
        self.assertEqual(len([f for f in frames if f.type == tapedeck.JOIN]), 1)
        self.assertEqual(recorder.stop(), 0)

    def test_a_track_that_comes_up_later_has_a_ring_too(self):
        self.record("a")
        self.run_ok("gen", "--ring", "a", "--count", 100)
        self.wait_for(lambda: self.tape_digest()[1] == 100)
        follower = self.follow("--per-track", "--digest", into="p", create="1M")
        self.wait_for(lambda: (self.rings / "p.a.ring").exists())
        self.run_ok("ring", "create", "b", "--size", "1M")
        self.run_ok("attach", "b", "-T", self.tape)
        self.run_ok("gen", "--ring", "b", "--count", 300, "--seed", 2)
        self.wait_for(lambda: (self.rings / "p.b.ring").exists())
        self.wait_quiet("p.b", least=300 * 24)
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0, follower.stderr)
        for track, count in (("a", 100), ("b", 300)):
            frames, digest = self.frames_of(f"p.{track}")
            self.assert_each_once(frames, track, [count])
            self.assert_like_the_tape(frames, digest, track)
            self.assertEqual(sum(f.type == tapedeck.JOIN for f in frames), 1)

    def test_one_that_there_is_no_ring_for_is_told_and_the_others_go_on(self):
        self.record("a")
        self.run_ok("gen", "--ring", "a", "--count", 100)
        self.wait_for(lambda: self.tape_digest()[1] == 100)
        self.run_ok("ring", "create", "p.a", "--size", "1M")
        follower = self.start_cli("play", "-T", self.tape, "--then-live", "--per-track", "--into", "p")
        self.run_ok("ring", "create", "b", "--size", "1M")
        self.run_ok("attach", "b", "-T", self.tape)
        self.run_ok("gen", "--ring", "b", "--count", 10)
        follower.wait_line("there is no ring p.b")
        self.run_ok("gen", "--ring", "a", "--count", 50, "--seed", 3)
        self.wait_quiet("p.a", least=150 * 24)
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 3, follower.stderr)
        self.assert_each_once(self.frames_of("p.a", code=3)[0], "a", [100, 50])

    def test_losses_are_told_live(self):
        """A ring fills up while nobody records it. The refused ticks are counted, and the loss stands in its place."""
        recorder = self.record(size="64K")
        self.run_ok("gen", "--ring", "feed", "--count", 10)
        follower = self.follow()
        self.wait_quiet(least=10 * 24)
        recorder.signal(signal.SIGSTOP)
        self.run_ok("gen", "--ring", "feed", "--count", 5000, "--rate", "20000/s", "--no-wait", code=3)
        recorder.signal(signal.SIGCONT)
        self.run_ok("flush", "-T", self.tape)
        self.run_ok("gen", "--ring", "feed", "--count", 10)
        self.wait_for_all_of("feed")
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 3, follower.stderr)
        frames, digest = self.frames_of(code=3)
        self.assertEqual(recorder.stop(), 0)
        done = self.run_ok("query", "-T", self.tape, "-o", "none", "--digest", code=3)
        self.assertEqual(digest, self.digest_of(done.stderr))
        told = [f.payload[0:16] for f in frames if f.type == tapedeck.LOSS]
        self.assertEqual(told, [f.payload[0:16] for f in self.frames(code=3) if f.type == tapedeck.LOSS])

    def test_it_does_not_go_with_an_end(self):
        self.record().stop()
        for words in (("--to", "end"), ("--loop", "2"), ("--rebase", "now")):
            self.assertEqual(self.run_cli("play", "-T", self.tape, "--into", "r", "--create", "1M", "--then-live",
                                          *words).returncode, 2)


class Tail(Live):
    def setUp(self):
        super().setUp()
        self.taping = self.record()
        self.run_ok("gen", "--ring", "feed", "--count", 500)
        self.wait_for(lambda: self.run_ok("query", "-T", self.tape, "--count").stdout == b"500\n")

    @staticmethod
    def seqs(text):
        return [int(json.loads(line)["tape"]["seq"]) for line in text.splitlines()]

    def test_the_last_ticks_of_a_tape(self):
        done = self.run_ok("tail", "-T", self.tape, "-n", 7, "--envelope")
        self.assertEqual(self.seqs(done.stdout), list(range(494, 501)))
        self.assertEqual(len(self.run_ok("tail", "-T", self.tape, "-O", "-").stdout.splitlines()), 10)
        self.assertEqual(self.run_ok("tail", "-T", self.tape, "-n", 0).stdout, b"")

    def test_what_was_lost_among_the_last_ticks_is_told_and_shown_if_asked(self):
        self.taping.signal(signal.SIGSTOP)
        self.run_ok("gen", "--ring", "feed", "--count", 100000, "--no-wait", code=3)
        self.taping.signal(signal.SIGCONT)
        self.run_ok("gen", "--ring", "feed", "--count", 10)
        self.assertEqual(self.taping.stop(), 0)
        self.assertEqual(self.run_ok("tail", "-T", self.tape, "-n", 5).stderr, "")
        done = self.run_ok("tail", "-T", self.tape, "-n", 15, code=3)
        self.assertEqual(len(done.stdout.splitlines()), 15)
        self.assertRegex(done.stderr, "lost: track feed epoch .*: the ring was full")
        shown = self.run_ok("tail", "-T", self.tape, "-n", 15, "--control", code=3).stdout
        asked = self.run_ok("query", "-T", self.tape, "-n", 15, "--reverse", "-o", "jsonl", "--control", code=3).stdout
        self.assertGreater(len(shown.splitlines()), 16)  # with the loss, and the epoch after it
        self.assertEqual(shown.splitlines(), asked.splitlines()[::-1])

    def test_and_what_comes_behind_them(self):
        follower = self.start_cli("tail", "-f", "-T", self.tape, "-n", 3, "--envelope",
                                  stdout=subprocess.PIPE)
        first = [follower.process.stdout.readline() for _ in range(3)]
        self.assertEqual(self.seqs(b"".join(first)), [498, 499, 500])
        self.assertEqual(self.feed(300, "1000/s", seed=2).wait(), 0)
        lines = b"".join(follower.process.stdout.readline() for _ in range(300))
        self.assertEqual(self.seqs(lines), list(range(1, 301)))
        self.taping.kill()
        self.assertEqual(self.feed(50, "1000/s", seed=3).wait(), 0)
        lines = b"".join(follower.process.stdout.readline() for _ in range(50))
        self.assertEqual(self.seqs(lines), list(range(1, 51)))
        follower.signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0, follower.stderr)

    def test_it_ends_when_nothing_comes(self):
        done = self.run_ok("tail", "-f", "-T", self.tape, "-n", 1, "--timeout", "300ms", "-o", "jsonl")
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_wrong_words(self):
        for words in (("-f", "--to", "end"), ("-o", "nonsense"), ("-n", "x")):
            self.assertEqual(self.run_cli("tail", "-T", self.tape, *words).returncode, 2, words)

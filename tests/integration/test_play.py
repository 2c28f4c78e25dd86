"""play from outside: it puts the tape into rings, at the right time and whole, and reports what is not."""

import fcntl
import json
import os
import signal
import subprocess
import termios
import time

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


class Play(tapedeck.Case):
    """A tape with tracks a and b, of 100 ticks each. Ticks are 2 ms apart, and those of b lie between those of a."""

    COUNT = 100

    def setUp(self):
        super().setUp()
        self.once(self.fill)

    def fill(self):
        for track, offset in (("a", 0), ("b", MS)):
            self.put_lines(track, [(T0 + offset + i * 2 * MS, f"{track}{i}") for i in range(self.COUNT)])

    def play(self, *args, into="r", code=0, **how):
        return self.run_ok("play", "-T", self.tape, "--into", into, "--create", "1M", *args, code=code, **how)

    def drained(self, ring="r", code=0):
        """All frames in the ring, with control frames. The last is an END."""
        done = self.run_ok("drain", ring, "-o", "frames", "--control", "--until-end", "--timeout", "20s",
                           "--digest", code=code)
        return list(tapedeck.parse_frames(done.stdout)), self.digest_of(done.stderr)

    @staticmethod
    def ticks(frames):
        return [frame for frame in frames if frame.is_tick()]


class Whole(Play):
    def test_the_ring_gets_what_the_tape_has(self):
        done = self.play("--digest")
        frames, digest = self.drained()
        self.assertEqual(self.digest_of(done.stderr), digest)
        self.assertEqual(self.tape_digest(), digest)
        texts = [frame.payload.decode() for frame in self.ticks(frames)]
        self.assertEqual(texts, [f"{track}{i}" for i in range(self.COUNT) for track in "ab"])
        end = frames[-1]
        self.assertEqual(end.type, tapedeck.END)
        self.assertEqual(int.from_bytes(end.payload[0:8], "little"), 200)
        self.assertEqual(end.payload[16:32].hex(), digest[0])
        self.assertEqual(end.payload[32], 1)

    def test_the_ring_tells_how_much_it_got(self):
        def told():
            info = self.ring_info("r")
            return info["produced"], info["consumed"]

        self.play()
        self.assertEqual(told(), (200, 0))
        self.drained()
        self.assertEqual(told(), (200, 200))
        self.play("--limit", "7", "--track", "a")
        self.assertEqual(told(), (7, 0))

    def test_a_range_of_it(self):
        self.play("--from", T0 + 10 * MS, "--to", T0 + 12 * MS)
        frames, _ = self.drained()
        self.assertEqual([frame.payload for frame in self.ticks(frames)], [b"a5", b"b5"])
        # Properties that lie before the range on the tape are played all the same.
        self.assertIn(tapedeck.INFO, {frame.type for frame in frames})

    def test_an_empty_range_is_an_end(self):
        self.play("--to", T0)
        frames, digest = self.drained()
        self.assertEqual(self.ticks(frames), [])
        self.assertEqual(digest[1], 0)

    def test_a_ring_for_each_track(self):
        self.play("--per-track", "--digest")
        for track in "ab":
            frames, digest = self.drained(f"r.{track}")
            self.assertEqual(digest, self.tape_digest("--track", track))
            self.assertEqual(frames[-1].payload[16:32].hex(), digest[0])
            self.assertEqual({frame.track for frame in self.ticks(frames)}, {track})

    def test_rounds_repeat_the_range(self):
        done = self.play("--loop", "3", "--digest")
        frames, _ = self.drained()
        self.assertEqual(len(self.ticks(frames)), 600)
        (end,) = [frame for frame in frames if frame.type == tapedeck.END]
        self.assertEqual(end.payload[16:32], bytes(16))  # several rounds have no common digest
        self.assertEqual(self.digest_of(done.stderr), self.tape_digest())

    def test_more_than_a_ring_holds_goes_through_it(self):
        self.put_lines("big", ((T0 + i, f"{i:>{i % 3000}}") for i in range(3000)))
        self.run_ok("ring", "create", "r", "--size", "64K")
        drain = self.start_cli("drain", "r", "--until-end", "--digest", "-o", "none", "--timeout", "20s")
        self.play("--track", "big")
        self.assertEqual(drain.wait(), 0, drain.stderr)
        self.assertEqual(self.digest_of(drain.stderr), self.tape_digest("--track", "big"))


class OnTime(Play):
    def test_as_it_was_takes_as_long_as_it_was(self):
        begin = time.monotonic()
        done = self.play("--speed", "1x")
        took = time.monotonic() - begin
        self.assertGreater(took, 0.198)
        self.assertRegex(done.stderr, r"(?m)^lateness p50 \S+ p99 \S+ p99.9 \S+ max \S+$")

    def test_ten_times_as_fast_and_half_as_fast(self):
        for speed, seconds in (("10x", 0.0198), ("0.5x", 0.398), ("1000/s", 0.199)):
            with self.subTest(speed):
                rows = json.loads(self.play("--speed", speed, "--json", into=f"r{seconds}").stdout)
                self.assertGreater(rows[0]["elapsed"], seconds * 0.99e9)
                self.assertEqual(rows[0]["ticks"], 200)
                self.assertTrue(rows[0]["complete"])
                self.assertLessEqual(rows[0]["p50"], rows[0]["max"])

    def test_each_round_takes_its_time(self):
        rows = json.loads(self.play("--speed", "1x", "--loop", "3", "--json").stdout)
        self.assertGreater(rows[0]["elapsed"], 3 * 0.198e9)

    def test_idle_stretches_can_be_cut(self):
        self.put_lines("gap", [(T0, "x"), (T0 + 3600 * 1000 * MS, "y")])
        begin = time.monotonic()
        self.play("--track", "gap", "--speed", "1x", "--max-idle", "100ms")
        self.assertGreater(time.monotonic() - begin, 0.1)

    def test_lateness_is_a_gate(self):
        self.play("--speed", "1x", "--fidelity", "max<1h", into="r1")
        done = self.play("--speed", "1x", "--fidelity", "max<1ns", into="r2", code=7)
        self.assertIn("fidelity missed", done.stderr)
        self.play("--speed", "1x", "--fidelity", "p98<1us", code=2)
        self.play("--fidelity", "p99<1us", code=2)

    def test_times_can_be_shifted_and_the_digest_stays(self):
        self.play("--rebase", "2030-01-01")
        frames, digest = self.drained()
        ticks = self.ticks(frames)
        self.assertEqual(ticks[0].ts, 1893456000_000000000)
        self.assertEqual(ticks[1].ts - ticks[0].ts, MS)
        self.assertEqual(digest, self.tape_digest())
        before = time.time_ns()
        self.play("--rebase", "now", into="n")
        ticks = self.ticks(self.drained("n")[0])
        self.assertTrue(before <= ticks[0].ts <= time.time_ns())


class Waiting(Play):
    def test_a_consumer_that_never_comes(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        done = self.play("--loop", "100", "--stall-timeout", "300ms", code=1)
        self.assertIn("consumer stalled", done.stderr)
        done = self.play("--wait-consumers", "1", "--timeout", "200ms", into="w", code=7)
        self.assertIn("waited for 1 consumer, 0 came", done.stderr)

    def test_a_consumer_that_comes_later(self):
        play = self.start_cli("play", "-T", self.tape, "--into", "r", "--create", "64K", "--wait-consumers", "1",
                              "--timeout", "20s")
        drain = self.start_cli("drain", "r", "--wait", "20s", "--until-end", "-o", "none", "--digest")
        self.assertEqual(drain.wait(), 0, drain.stderr)
        self.assertEqual(play.wait(), 0, play.stderr)
        self.assertEqual(self.digest_of(drain.stderr), self.tape_digest())

    def test_an_interrupt_ends_it_and_says_so_in_the_ring(self):
        play = self.start_cli("play", "-T", self.tape, "--into", "r", "--create", "1M", "--speed", "0.01x")
        drain = self.start_cli("drain", "r", "--wait", "20s", "--count", "1", "-o", "none")
        self.assertEqual(drain.wait(), 0, drain.stderr)
        play.signal(signal.SIGINT)
        self.assertEqual(play.wait(), 1)
        done = self.run_cli("drain", "r", "-o", "frames", "--control", "--until-end", "--timeout", "5s")
        end = list(tapedeck.parse_frames(done.stdout))[-1]
        self.assertEqual(end.type, tapedeck.END)
        self.assertEqual(end.payload[32], 0)


    def test_an_interrupt_ends_one_whose_consumer_takes_nothing(self):
        """The interrupt comes while the play waits for room."""
        self.run_ok("ring", "create", "r", "--size", "64K")
        play = self.start_cli("play", "-T", self.tape, "--into", "r", "--loop", "100", "--stall-timeout", "1h")
        self.wait_for(lambda: self.ring_info("r")["fill"] > 50000)
        play.signal(signal.SIGINT)
        self.assertEqual(play.wait(), 1, play.stderr)


class NotWhole(Play):
    def test_what_is_damaged_is_named_and_the_rest_played(self):
        self.put_lines("big", ((T0 + i, f"{i:>900}") for i in range(5000)))
        segment = max((self.tape / "segments").glob("*.seg"), key=lambda path: path.stat().st_size)
        self.flip(segment)
        self.run_ok("ring", "create", "r", "--size", "16M")
        done = self.play("--track", "big", "--digest", code=3)
        self.assertIn(str(int(segment.stem)), done.stderr)
        frames, digest = self.drained(code=3)
        self.assertEqual(self.digest_of(done.stderr), digest)
        self.assertTrue(1000 < len(self.ticks(frames)) < 5000)
        self.assertEqual(frames[-1].payload[32], 0)
        self.play("--track", "big", "--require-complete", into="none", code=3)
        self.assertFalse((self.rings / "none.ring").exists())

    def test_what_was_lost_is_told_in_the_ring_too(self):
        self.run_ok("ring", "create", "live", "--size", "64K")
        recorder = self.recorder("--ring", "live", tape=self.scratch / "lossy")
        self.run_ok("gen", "--ring", "live", "--count", "200000", "--no-wait", code=3)
        self.assertEqual(recorder.stop(), 0)
        tape = self.scratch / "lossy"
        done = self.run_ok("query", "-T", tape, "-o", "none", "--digest", code=3)
        self.assertRegex(done.stderr, r"lost: track live epoch \d+ seq \d+ to \d+ \(\d+\)")
        kept, lost = self.digest_of(done.stderr)[1], 0
        for frame in self.frames(tape=tape, code=3):
            if frame.type == tapedeck.LOSS:
                lost += int.from_bytes(frame.payload[8:16], "little")
        self.assertEqual(kept + lost, 200000)
        played = self.run_ok("play", "-T", tape, "--into", "r", "--create", "64M", "--digest", code=3)
        self.assertIn("lost: track live", played.stderr)
        frames, digest = self.drained(code=3)
        self.assertEqual(digest, self.digest_of(done.stderr))
        self.assertEqual(int.from_bytes(frames[-1].payload[8:16], "little"), lost)


class Keys(Play):
    def press(self, *keys, args=()):
        """Play on a terminal and press keys in turn. Returns (exit status, output, frames of the ring)."""
        ours, theirs = os.openpty()
        play = subprocess.Popen(
            [tapedeck.BIN / "tapedeck", "play", "-T", self.tape, "--into", "r", "--create", "1M", *args],
            stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.wait_for(lambda: play.poll() is not None or not termios.tcgetattr(ours)[3] & termios.ICANON)
        for key in keys:
            time.sleep(0.2)
            os.write(ours, key)
        said = play.stderr.read().decode()
        play.stderr.close()
        code = play.wait(tapedeck.PATIENCE)
        os.close(ours)
        done = self.run_cli("drain", "r", "-o", "frames", "--control", "--until-end", "--timeout", "5s")
        return code, said, list(tapedeck.parse_frames(done.stdout))

    def test_q_quits(self):
        code, said, frames = self.press(b"q", args=("--speed", "0.001x"))
        self.assertEqual(code, 0, said)
        self.assertIn("stopped before the end", said)
        self.assertEqual(frames[-1].type, tapedeck.END)
        self.assertEqual(frames[-1].payload[32], 0)

    def test_space_and_right_step_through_a_pause(self):
        code, said, frames = self.press(b"\x1b[C", b"\x1b[C", b"q", args=("--paused",))
        self.assertEqual(code, 0, said)
        self.assertEqual([frame.payload for frame in self.ticks(frames)], [b"a0", b"b0"])

    def test_a_pause_ends_with_space(self):
        code, said, frames = self.press(b" ", args=("--paused", "--speed", "10x"))
        self.assertEqual(code, 0, said)
        self.assertEqual(len(self.ticks(frames)), 200)
        self.assertEqual(frames[-1].payload[32], 1)

    def test_up_makes_it_faster(self):
        """At 0.001x the play would take 200 s. Each key halves that."""
        code, said, frames = self.press(*[b"\x1b[A"] * 10, args=("--speed", "0.001x"))
        self.assertEqual(code, 0, said)
        self.assertEqual(len(self.ticks(frames)), 200)


class Refusals(Play):
    def check(self, code, word, *args):
        done = self.run_cli("play", "-T", self.tape, *args)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(word, done.stderr)
        self.assertFalse(list(self.rings.iterdir()))

    def test_what_cannot_be_makes_no_ring(self):
        self.check(2, "--into")
        self.check(2, "into", "--into", "../x", "--create", "1M")
        self.check(1, "--create", "--into", "r")
        self.check(1, "nobody", "--into", "r", "--create", "1M", "--track", "nobody")
        self.check(2, "speed", "--into", "r", "--create", "1M", "--speed", "fast")
        self.check(2, "create", "--into", "r", "--create", "1K")
        self.check(2, "characters", "--into", "r" * 63, "--per-track", "--create", "1M")

    def test_a_ring_that_is_recorded_goes_on_being_recorded(self):
        tape = self.scratch / "other"
        self.recorder("--ring", "live", "--create-ring", "1M", tape=tape)
        self.run_ok("gen", "--ring", "live", "--count", "10")
        done = self.run_cli("play", "-T", self.tape, "--into", "live")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"ring live is being recorded to tape {tape}", done.stderr)
        self.run_ok("gen", "--ring", "live", "--count", "10")
        self.run_ok("flush", "-T", tape)
        self.assertEqual(self.run_ok("query", "-T", tape, "--count").stdout, b"20\n")

    def test_a_second_play_into_a_ring_is_refused_at_once(self):
        self.run_ok("ring", "create", "r", "--size", "1M")
        play = self.start_cli("play", "-T", self.tape, "--into", "r", "--speed", "0.01x")
        drain = self.start_cli("drain", "r", "--count", "1", "-o", "none")
        self.assertEqual(drain.wait(), 0, drain.stderr)
        begin = time.monotonic()
        done = self.run_cli("play", "-T", self.tape, "--into", "r")
        self.assertEqual(done.returncode, 1)
        self.assertLess(time.monotonic() - begin, tapedeck.SOON)
        self.assertIn("producer", done.stderr)
        play.kill()


class Lockstep(Play):
    def test_each_moment_waits_for_its_release(self):
        """The consumer takes one tick at a time, and the ring never holds ticks of two moments."""
        player = self.start_cli("play", "-T", self.tape, "--into", "r", "--create", "1M", "--lockstep",
                                "--track", "a", "--stall-timeout", "20s")
        first = self.run_ok("drain", "r", "--count", "1", "--timeout", "20s", "-o", "none", "--wait", "20s")
        self.assertEqual(first.returncode, 0)
        time.sleep(0.3)
        info = self.ring_info("r")
        self.assertLess(info["fill"], 100)  # one tick of a few bytes, not more
        done = self.run_ok("drain", "r", "--until-end", "--timeout", "20s", "-o", "none", "--digest", code=3)
        self.assertEqual(self.digest_of(done.stderr)[1], self.COUNT - 1)
        self.assertEqual(player.wait(), 0, player.stderr)

    def test_the_present_waits_for_nobody(self):
        self.assertEqual(self.run_cli("play", "-T", self.tape, "--into", "r", "--create", "1M", "--lockstep",
                                      "--then-live").returncode, 2)

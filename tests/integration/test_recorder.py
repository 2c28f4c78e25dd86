"""The recorder from outside: whatever happens, what was published is on the tape exactly once."""

import contextlib
import fcntl
import json
import mmap
import os
import random
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

from tests.support import tapedeck, wire
from tests.support.tapedeck import CLOCK, EPOCH, LOSS

SMALL = ("--block-size", "16K", "--segment-size", "256K", "--buffer-memory", "4M")
KILLS = tapedeck.often("TDK_KILLS", 20)


class Recording(tapedeck.Case):
    def create(self, *names, size="1M"):
        for name in names:
            self.run_ok("ring", "create", name, "--size", size)

    def gen(self, ring, count, *args, code=0):
        done = self.run_ok("gen", "--ring", ring, "--count", count, "--digest", *args, code=code)
        return self.digest_of(done.stderr)

    def asked(self, *names):
        return [arg for name in names for arg in ("--ring", name)]

    def segments(self):
        return sorted(path.name for path in (self.tape / "segments").iterdir())

    def check_sequences(self, frames):
        """In each track and epoch seqs are dense from 1, except for those in LOSS frames. Returns ticks by epoch."""
        expected, ticks, lost = {}, {}, {}
        for frame in frames:
            key = (frame.track, frame.epoch)
            if frame.type == LOSS:
                first = int.from_bytes(frame.payload[0:8], "little")
                count = int.from_bytes(frame.payload[8:16], "little")
                self.assertEqual(first, expected.get(key, 1), frame)
                expected[key] = first + count
                lost[key] = lost.get(key, 0) + count
            elif frame.is_tick():
                self.assertEqual(frame.seq, expected.get(key, 1), frame)
                expected[key] = frame.seq + 1
                ticks[key] = ticks.get(key, 0) + 1
        return ticks, lost


class Whole(Recording):
    def test_one_that_is_started_without_descriptors_writes_its_log_into_nothing_else(self):
        self.create("a")
        args = (tapedeck.BIN / "tapedeck-recorder", "--tape", self.tape, "--ring", "a", "--ring", "no ring", *SMALL)
        self.assertEqual(subprocess.run(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', *args], env=self.env, check=False,
                                        timeout=tapedeck.PATIENCE).returncode, 2)
        with subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', *args[:5], *SMALL], env=self.env) as process:
            try:
                self.run_ok("gen", "--ring", "a", "--count", "1000")
                end = time.monotonic() + tapedeck.PATIENCE
                while self.run_cli("flush", "-T", self.tape).returncode != 0:
                    self.assertIsNone(process.poll())
                    self.assertLess(time.monotonic(), end)
                for fd in range(3):
                    self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(tapedeck.PATIENCE), 0)
            finally:
                process.kill()
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.tape_digest()[1], 1000)

    def test_one_ring_comes_through_unchanged(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        sent = self.gen("a", 200000, "--symbols", 10)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_eight_rings_across_rolls_come_through_unchanged(self):
        names = [f"r{i}" for i in range(8)]
        self.create(*names, size="256K")
        recorder = self.recorder(*self.asked(*names), *SMALL)
        feeds = {name: self.start_cli("gen", "--ring", name, "--count", 20000, "--seed", i, "--digest")
                 for i, name in enumerate(names)}
        for feed in feeds.values():
            self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        for name, feed in feeds.items():
            self.assertEqual(self.tape_digest("--track", name), self.digest_of(feed.stderr))
        self.assertGreater(len(self.segments()), 20)
        self.run_ok("verify", "-T", self.tape)

    def test_frames_of_every_size_come_through_unchanged(self):
        for sizes in ("fixed:0", "fixed:65536", "uniform:0-65536"):
            with self.subTest(sizes):
                tape = self.scratch / sizes.replace(":", "-")
                ring = "s" + sizes.replace(":", "-")
                self.create(ring)
                recorder = self.recorder("--ring", ring, tape=tape)
                sent = self.gen(ring, 3000, "--size-dist", sizes)
                self.assertEqual(recorder.stop(), 0, recorder.stderr)
                self.assertEqual(self.tape_digest(tape=tape), sent)

    def test_frames_larger_than_a_block_come_through_unchanged(self):
        self.create("a", size="16M")
        recorder = self.recorder("--ring", "a", "--block-size", "4K", "--segment-size", "64K")
        sent = self.gen("a", 40, "--size-dist", "uniform:0-1048576")
        self.run_ok("flush", "-T", self.tape)  # on a slow disk 40 segments take longer than a stop may
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_a_second_feed_is_a_second_epoch(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        self.gen("a", 5000)
        self.gen("a", 7000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        ticks, lost = self.check_sequences(self.frames())
        self.assertEqual(sorted(ticks.values()), [5000, 7000])
        self.assertEqual(lost, {})

    def test_what_was_published_before_the_recorder_came_is_recorded(self):
        self.create("a")
        sent = self.gen("a", 1000)
        recorder = self.recorder("--ring", "a")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_a_ring_may_go_to_a_track_of_another_name(self):
        self.create("a")
        recorder = self.recorder("--ring", "a=venue.x")
        self.gen("a", 100)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual({frame.track for frame in self.frames()}, {"venue.x"})


    def test_old_files_that_are_fed_one_after_the_other_are_merged_by_their_times(self):
        """What a feed says of its symbols is stamped when it is published, years after the ticks."""
        recorder = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M", *SMALL)
        for ring, times in (("a", (10, 30, 50)), ("b", (20, 40, 60))):
            lines = [json.dumps({"symbol": ring, "timestamp": at, "price": at, "volume": 1, "message_type": "trade"})
                     for at in times]
            self.run_ok("feed", "-", "--ring", ring, "-q", stdin="\n".join(lines).encode())
        self.run_ok("flush", "-T", self.tape)
        done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five")
        self.assertEqual([json.loads(line)["timestamp"] for line in done.stdout.splitlines()],
                         [10, 20, 30, 40, 50, 60])
        self.assertEqual(recorder.stop(), 0)


class Restarts(Recording):
    def test_a_restart_goes_on_where_the_tape_ends(self):
        self.create("a")
        feed = self.start_cli("gen", "--ring", "a", "--count", 100000, "--rate", 50000, "--digest")
        for _ in range(4):
            recorder = self.recorder("--ring", "a", *SMALL)
            time.sleep(0.2)
            self.assertEqual(recorder.stop(), 0, recorder.stderr)
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), self.digest_of(feed.stderr))

    def test_a_restart_before_the_first_tick_goes_on_in_the_epoch_that_has_begun(self):
        """Symbols and properties that the producer announced before the restart hold for the epoch's ticks."""
        recorder = self.recorder("--ring", "a", "--create-ring", "1M")
        feed = self.start_cli("feed", "-", "--format", "lines", "--ring", "a", "--track-info", "venue=X",
                              stdin=subprocess.PIPE)
        feed.process.stdin.write(b"17")  # feed reads some input before it attaches to the ring
        feed.process.stdin.flush()
        recorder.wait_line("ring a track=a epoch=")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        recorder = self.recorder("--ring", "a")
        feed.process.stdin.write(b"00000000000000000 x\n")
        feed.process.stdin.close()
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        frames = self.frames()
        self.assertEqual([frame.type for frame in frames if not frame.is_tick()].count(EPOCH), 1)
        self.assertEqual({frame.epoch for frame in frames}, {self.ring_info("a")["epoch"]})

    def kill_again_and_again(self, *options, names=("a", "b", "c")):
        self.create(*names, size="256K")
        feeds = [self.start_cli("gen", "--ring", name, "--count", 1000000, "--rate", 40000,
                                "--seed", i) for i, name in enumerate(names)]
        chance = random.Random(7)
        for _ in range(KILLS):
            recorder = self.recorder(*self.asked(*names), *SMALL, *options)
            time.sleep(chance.random() * 0.25)
            recorder.kill()
        recorder = self.recorder(*self.asked(*names), *SMALL, *options)
        for feed in feeds:
            feed.signal(signal.SIGINT)
            feed.wait()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        produced = {}
        for name in names:
            info = self.run_ok("ring", "info", name, "--json").stdout
            produced[name] = json.loads(info)[0]
        ticks, lost = self.check_sequences(self.frames())
        self.assertEqual(lost, {})
        for name in names:
            counts = [n for (track, _), n in ticks.items() if track == name]
            self.assertEqual(counts, [int(produced[name]["produced"])], name)
        self.run_ok("verify", "-T", self.tape)

    def test_killed_again_and_again_nothing_is_lost_and_nothing_is_doubled(self):
        self.kill_again_and_again()

    def test_the_same_without_any_sync(self):
        self.kill_again_and_again("--sync", "none", names=("a",))

    def test_the_same_with_a_sync_after_each_write(self):
        self.kill_again_and_again("--sync", "batch", names=("a", "b"))

    def wait_for_another_epoch(self, name, before):
        """Wait until a new feed has attached and published. A feed that is killed earlier has no epoch."""
        for _ in range(1200):
            info = self.ring_info(name)
            if info["epoch"] != before and int(info["produced"]) > 0:
                return
            time.sleep(0.05)
        self.fail(f"nobody publishes into {name}")

    def test_feed_and_recorder_killed_together(self):
        self.create("a")
        total, epoch = 0, self.ring_info("a")["epoch"]
        for round_ in range(5):
            recorder = self.recorder("--ring", "a", *SMALL)
            feed = self.start_cli("gen", "--ring", "a", "--count", 10000000, "--rate", 100000)
            self.wait_for_another_epoch("a", epoch)
            time.sleep(0.05 * round_)
            recorder.kill()
            feed.kill()
            info = self.ring_info("a")
            epoch = info["epoch"]
            total += int(info["produced"])
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        ticks, lost = self.check_sequences(self.frames())
        self.assertEqual((sum(ticks.values()), lost), (total, {}))
        self.assertEqual(len(ticks), 5)


class Losses(Recording):
    def test_refused_claims_are_on_the_tape_exactly(self):
        self.create("a", size="64K")
        sent = self.gen("a", 5000, "--no-wait", code=3)
        recorder = self.recorder("--ring", "a")
        recorder.wait_line("attached")
        sent_more = self.gen("a", 200)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        ticks, lost = self.check_sequences(self.frames(code=3))
        self.assertEqual(sum(ticks.values()), sent[1] + sent_more[1])
        self.assertEqual(sum(lost.values()), 5000 - sent[1])

    def test_what_is_refused_last_is_told_at_the_end_and_once(self):
        self.create("a", size="64K")
        sent = self.gen("a", 5000, "--no-wait", code=3)
        for _ in range(3):
            recorder = self.recorder("--ring", "a")
            self.assertEqual(recorder.stop(), 0, recorder.stderr)
        ticks, lost = self.check_sequences(self.frames(code=3))
        self.assertEqual(sum(ticks.values()), sent[1])
        self.assertEqual(sum(lost.values()), 5000 - sent[1])

    def test_ticks_that_went_with_the_last_segment_were_refused_by_no_ring(self):
        """The ring, which is still there, says that they came; what its feed put in since shows a hole."""
        for goes_on in (True, False):
            name = "a" if goes_on else "b"
            tape = self.scratch / f"tape-{name}"
            self.create(name)
            feed = self.start_cli("feed", "-", "--format", "lines", "--ring", name, stdin=subprocess.PIPE)
            for count in (10, 20):
                feed.process.stdin.write(b"1700000000000000000 x\n" * 10)
                feed.process.stdin.flush()
                self.wait_for(lambda count=count, name=name: self.ring_info(name)["produced"] == count)
                recorder = self.recorder("--ring", name, tape=tape)
                self.assertEqual(recorder.stop(), 0, recorder.stderr)
            *_, last = sorted((tape / "segments").glob("*.seg"))
            last.unlink()
            if goes_on:
                feed.process.stdin.write(b"1700000000000000000 x\n")
            feed.process.stdin.close()
            self.assertEqual(feed.wait(), 0, feed.stderr)
            self.gen(name, 5)
            recorder = self.recorder("--ring", name, tape=tape)
            self.assertEqual(recorder.stop(), 3, recorder.stderr)
            gaps = json.loads(self.run_ok("gaps", "-T", tape, "--json", code=3).stdout)
            self.assertEqual([(gap["first_seq"], gap["count"], gap["reason"]) for gap in gaps],
                             [(11, 10, "damage")], goes_on)

    def test_a_loss_before_an_absurd_time_ends_with_the_next_that_is_none(self):
        now = time.time_ns() - 3600 * 10**9
        self.create("a", size="64K")
        feed = self.start_cli("feed", "-", "--format", "lines", "--ring", "a", "--no-wait", stdin=subprocess.PIPE)

        def put(*times):
            feed.process.stdin.write(b"".join(b"%d %s\n" % (ts, b"x" * 1000) for ts in times))
            feed.process.stdin.flush()

        put(*[now] * 100)
        self.wait_for(lambda: self.ring_info("a")["produced"] + self.ring_info("a")["lost"] == 100)
        recorder = self.recorder("--ring", "a")
        self.wait_for(lambda: self.ring_info("a")["fill"] == 0)
        recorder.kill()
        put(2**64 - 1, now + 2 * 10**9)
        feed.process.stdin.close()
        self.assertEqual(feed.wait(), 3, feed.stderr)
        recorder = self.recorder("--ring", "a")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        (gap,) = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=3).stdout)
        self.assertEqual((gap["from"], gap["to"], gap["reason"]), (now, now + 2 * 10**9, "ring full"))

    def test_a_hole_in_the_middle_flags_the_tick_behind_it(self):
        self.create("a", size="64K")
        recorder = self.recorder("--ring", "a", "--block-age", "1ms")
        feed = self.start_cli("gen", "--ring", "a", "--count", 30000, "--rate", 20000, "--no-wait")
        self.wait_for(lambda: self.ring_info("a")["produced"] > 2000)
        recorder.signal(signal.SIGSTOP)
        self.wait_for(lambda: self.ring_info("a")["lost"] > 0)
        recorder.signal(signal.SIGCONT)
        self.assertEqual(feed.wait(), 3, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        frames = self.frames(code=3)
        ticks, lost = self.check_sequences(frames)
        self.assertEqual(sum(ticks.values()) + sum(lost.values()), 30000)
        behind = [frames[i + 1] for i, frame in enumerate(frames[:-1]) if frame.type == LOSS]
        self.assertGreater(len(behind), 0)
        for frame in behind:
            self.assertTrue(frame.is_tick() and frame.flags & 4, frame)
        recorder.wait_line(r"ring a is \d+ % full")

    def test_what_was_refused_is_a_full_ring_even_if_nobody_looked_while_it_was(self):
        self.create("a", size="64K")
        recorder = self.recorder("--ring", "a")
        feed = self.start_cli("feed", "-", "--ring", "a", "--format", "lines", stdin=subprocess.PIPE)

        def publish(line):
            feed.process.stdin.write(line)
            feed.process.stdin.flush()

        publish(b"1700000000000000000 first\n")
        self.wait_for(lambda: self.ring_info("a")["produced"] == 1)
        self.run_ok("flush", "-T", self.tape)
        recorder.signal(signal.SIGSTOP)
        publish(b"1700000000000000001 second\n")
        self.wait_for(lambda: self.ring_info("a")["produced"] == 2)
        with open(self.rings / "a.ring", "r+b", buffering=0) as ring:
            consumed, generation = (self.word(ring, at) for at in (896, 512))
            lost = 640 + generation % 2 * 128 + 48
            seq = 4096 + consumed % (64 << 10) + 8
            os.pwrite(ring.fileno(), (self.word(ring, lost) + 5).to_bytes(8, "little"), lost)
            os.pwrite(ring.fileno(), (self.word(ring, seq) + 5).to_bytes(8, "little"), seq)
        recorder.signal(signal.SIGCONT)
        recorder.wait_line(r"ring a is 100 % full")
        feed.kill()
        feed.process.stdin.close()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.check_sequences(self.frames(code=3))[1].popitem()[1], 5)

    @staticmethod
    def word(ring, at):
        return int.from_bytes(os.pread(ring.fileno(), 8, at), "little")


class Epochs(Recording):
    def test_a_ring_made_anew_under_its_name_is_recorded_too(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        self.gen("a", 1000)
        self.run_ok("ring", "rm", "a", "--force")
        self.create("a")
        recorder.wait_line("attached", after=len(recorder.lines) - 1)
        self.gen("a", 2000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        ticks, lost = self.check_sequences(self.frames())
        self.assertEqual((sorted(ticks.values()), lost), ([1000, 2000], {}))

    def test_every_epoch_begins_with_its_frame(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        self.gen("a", 10)
        self.gen("a", 20)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        epochs = [frame for frame in self.frames() if frame.type == EPOCH]
        self.assertEqual(len(epochs), 2)
        for frame in epochs:
            self.assertEqual(int.from_bytes(frame.payload[0:8], "little"), frame.epoch)
        self.assertEqual(int.from_bytes(epochs[1].payload[8:16], "little"), epochs[0].epoch)
        self.assertEqual(int.from_bytes(epochs[1].payload[16:24], "little"), 10)

    def test_a_clock_set_back_is_marked(self):
        lines = b"".join(b"%d tick\n" % ts for ts in
                         (10**18, 10**18 + 5, 10**18 - 2 * 10**9, 10**18 - 10**9, 10**18 + 10))
        recorder = self.recorder("--ring", "a", "--create-ring", "1M")
        self.run_ok("feed", "-", "--format", "lines", "--ring", "a", stdin=lines)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        frames = self.frames()
        marks = [i for i, frame in enumerate(frames) if frame.type == CLOCK]
        self.assertEqual(len(marks), 1)
        self.assertEqual(frames[marks[0] + 1].ts, 10**18 - 2 * 10**9)
        self.assertEqual([bool(frame.flags & 2) for frame in frames if frame.is_tick()],
                         [False, False, True, True, False])


class HostClock(Recording):
    def setUp(self):
        super().setUp()
        self.shim = self.scratch / "clock_shim.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", self.shim,
                        tapedeck.SOURCE / "tests" / "support" / "clock_shim.c"], check=True)
        self.set_apart(0)

    def set_apart(self, seconds):
        """Replace the file in one step: a partly written number would be another jump."""
        fresh = self.scratch / "apart.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.scratch / "apart")

    def shifted_recorder(self, *args):
        good = self.env
        self.env = {**good, "LD_PRELOAD": str(self.shim), "TDK_CLOCK_APART": str(self.scratch / "apart")}
        try:
            return self.recorder(*args)
        finally:
            self.env = good

    def written(self):
        """The times at which the blocks of the tape's segments were written, from their heads."""
        stamps = []
        for name in self.segments():
            data = (self.tape / "segments" / name).read_bytes()
            heads = [at for at in range(4096, len(data), 8) if data[at:at + 8] == b"TDKBLOCK"]
            stamps += [int.from_bytes(data[at + 184:at + 192], "little") for at in heads]
        return stamps

    def test_its_jump_back_is_marked_and_no_write_is_stamped_earlier_than_one_before(self):
        self.create("a")
        recorder = self.shifted_recorder("--ring", "a", "--block-age", "10ms")
        feed = self.start_cli("gen", "--ring", "a", "--count", 10**6, "--rate", 1000)
        self.wait_for(lambda: self.ring_info("a")["consumed"] > 100)
        self.set_apart(-3600)
        recorder.wait_line(r"the host's clock jumped by -3[56]\d{5} ms")
        seen = self.ring_info("a")["consumed"]
        self.wait_for(lambda: self.ring_info("a")["consumed"] > seen + 100)
        feed.signal(signal.SIGINT)
        feed.wait()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        frames = self.frames()
        self.check_sequences(frames)
        (mark,) = [i for i, frame in enumerate(frames) if frame.type == CLOCK]
        old, new = struct.unpack("<QQ", frames[mark].payload)
        self.assertAlmostEqual((old - new) / 1e9, 3600, delta=60)
        self.assertTrue(frames[mark + 1].is_tick() and frames[mark + 1].flags & 2 == 0)  # the feed's own clock goes on
        stamps = self.written()
        self.assertGreater(len(stamps), 2)
        self.assertEqual(stamps, sorted(stamps))


class Segments(Recording):
    def test_hangup_begins_a_new_segment(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        sent = self.gen("a", 1000)
        self.wait_for(lambda: self.run_cli("query", "-T", self.tape, "--count").stdout == b"1000\n")
        recorder.signal(signal.SIGHUP)
        recorder.wait_line("segment 1 sealed")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_hangup_ends_the_segment_behind_what_was_published(self):
        self.create("a")
        recorder = self.recorder("--ring", "a", "--block-age", "10m", "--sync", "batch", "--socket", "none")
        for segment in (1, 2):
            self.gen("a", 10)
            recorder.signal(signal.SIGHUP)
            recorder.wait_line(f"segment {segment} sealed blocks=1 ticks=10 ")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_while_the_next_segment_cannot_be_made_its_state_says_so(self):
        def state():
            return json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)[0]["state"]

        self.create("a")
        recorder = self.recorder(*self.asked("a"))
        self.gen("a", 100)
        segments, away = self.tape / "segments", self.tape / "away"
        segments.rename(away)
        recorder.signal(signal.SIGHUP)
        recorder.wait_line("No such file or directory; trying again each second")
        self.wait_for(lambda: state() == "degraded: write")
        away.rename(segments)
        recorder.wait_line("segment 2 begins")
        self.wait_for(lambda: state() == "ok")

    def test_a_segment_ends_at_its_age(self):
        self.create("a")
        recorder = self.recorder("--ring", "a", "--segment-age", "300ms")
        self.gen("a", 10)
        recorder.wait_line("segment 1 sealed")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_an_orderly_stop_leaves_nothing_open(self):
        self.create("a")
        recorder = self.recorder("--ring", "a", *SMALL)
        self.gen("a", 50000)
        began = time.monotonic()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertLess(time.monotonic() - began, tapedeck.SOON)
        self.assertTrue(all(name.endswith(".seg") for name in self.segments()), self.segments())

    def test_a_tape_without_ticks_is_a_tape(self):
        recorder = self.recorder("--ring", "a")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest()[1], 0)
        recorder = self.recorder("--ring", "a")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)


class Watermarks(Recording):
    def acks(self, *args):
        """A recorder with --ack-fd, and the descriptor from which its lines are read."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        recorder = self.recorder(*args, "--ack-fd", write, pass_fds=(write,))
        os.close(write)
        return recorder, read

    def read_lines(self, fd):
        data = b""
        while select.select([fd], [], [], 0)[0]:
            piece = os.read(fd, 1 << 16)
            if not piece:
                break
            data += piece
        return [line.split() for line in data.decode().splitlines()]

    def test_marks_rise_and_end_at_the_last_tick(self):
        self.create("a", "b")
        recorder, fd = self.acks(*self.asked("a", "b"))
        self.gen("a", 50000)
        self.gen("b", 300)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        lines = self.read_lines(fd)
        for name, last in (("a", 50000), ("b", 300)):
            seqs = [int(seq) for track, _, seq in lines if track == name]
            self.assertEqual(seqs, sorted(set(seqs)))
            self.assertEqual(seqs[-1], last)

    def test_a_restart_tells_each_recovered_mark_once(self):
        self.create("a")
        self.gen("a", 100)
        recorder, fd = self.acks("--ring", "a")
        recorder.stop()
        first = self.read_lines(fd)
        recorder, fd = self.acks("--ring", "a")
        recorder.stop()
        self.assertEqual(self.read_lines(fd), first[-1:])

    def test_many_bytes_are_synced_long_before_the_interval(self):
        self.create("a")
        recorder, fd = self.acks("--ring", "a", "--sync", "interval:10h")
        self.gen("a", 100000)  # 7 MB: more than 4 MiB, less than 15
        self.assertTrue(select.select([fd], [], [], tapedeck.PATIENCE)[0], "nothing was acknowledged")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_nothing_is_acknowledged_without_sync(self):
        self.create("a")
        recorder, fd = self.acks("--ring", "a", "--sync", "none")
        self.gen("a", 1000)
        recorder.stop()
        self.assertEqual(self.read_lines(fd), [])

    def test_a_listener_that_takes_nothing_stops_nothing_and_is_told_the_newest_mark_later(self):
        self.create("a")
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.set_blocking(write, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write, b"x" * 4096)
        os.set_blocking(write, True)
        recorder = self.recorder("--ring", "a", "--ack-fd", write, pass_fds=(write,))
        os.close(write)
        self.gen("a", 1000)
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(self.tape_digest()[1], 1000)
        told = b""
        while not told.endswith(b" 1000\n"):
            self.assertTrue(select.select([read], [], [], tapedeck.PATIENCE)[0], told[-100:])
            told += os.read(read, 1 << 16)
        self.assertEqual(told.count(b"\n"), 1)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_a_listener_that_is_gone_stops_nothing(self):
        self.create("a")
        read, write = os.pipe()
        recorder = self.recorder("--ring", "a", "--ack-fd", write, pass_fds=(write,))
        os.close(write)
        os.close(read)
        sent = self.gen("a", 1000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)


class Neighbours(Recording):
    def test_one_that_locks_the_whole_file_holds_the_tape_and_keeps_its_index(self):
        """Earlier recorders locked the whole file."""
        self.create("a")
        recorder = self.recorder("--ring", "a")
        self.gen("a", 10)
        self.assertEqual(recorder.stop(), 0)
        with open(self.tape / "lock", "r+b") as lock:
            flock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(lock, 37, flock)  # F_OFD_SETLK
            row = json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)[0]
            self.assertEqual((row["recording"], row["index_used"]), (True, True))
            second = self.recorder("--ring", "a", ready=False)
            self.assertEqual(second.wait(), 1)

    def test_a_second_recorder_on_the_tape_is_refused_at_once(self):
        first = self.recorder("--ring", "a")
        began = time.monotonic()
        second = self.recorder("--ring", "b", ready=False)
        self.assertEqual(second.wait(), 1)
        self.assertLess(time.monotonic() - began, tapedeck.SOON)
        self.assertIn(str(first.pid), second.stderr)
        self.assertEqual(first.stop(), 0)

    def test_a_ring_that_another_recorder_holds_is_left_to_it(self):
        self.create("a")
        first = self.recorder("--ring", "a")
        second = self.recorder("--ring", "a", tape=self.scratch / "other")
        second.wait_line("no tick is taken")
        sent = self.gen("a", 1000)
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.tape_digest(), sent)
        second.wait_line("attached")
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.tape_digest(tape=self.scratch / "other")[1], 0)

    def test_what_is_no_ring_is_set_aside_and_the_others_are_recorded(self):
        self.create("good")
        (self.rings / "text.ring").write_text("no ring at all")
        os.mkfifo(self.rings / "fifo.ring")
        (self.rings / "folder.ring").mkdir()
        (self.rings / "link.ring").symlink_to("/etc/passwd")
        (self.rings / "old.ring").write_bytes((self.rings / "good.ring").read_bytes()[:8] + b"\xff" * 65528)
        self.create("wild")
        with open(self.rings / "wild.ring", "r+b") as wild:
            wild.seek(256)  # `produced`: more than the ring has room for
            wild.write((1 << 40).to_bytes(8, "little"))
        bad = ("text", "fifo", "folder", "link", "old", "wild")
        recorder = self.recorder(*self.asked("good", *bad))
        for name in bad:
            recorder.wait_line(f"ring {name} quarantined")
        sent = self.gen("good", 1000)
        time.sleep(1.2)  # the recorder looks for rings twice a second
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)
        for name in bad:
            self.assertEqual(recorder.stderr.count(f"ring {name} quarantined"), 1)

    def test_two_rings_of_one_track_are_not_mixed(self):
        self.run_ok("ring", "create", "a", "--size", "1M", "--track", "x")
        self.run_ok("ring", "create", "b", "--size", "1M", "--track", "x")
        recorder = self.recorder(*self.asked("a", "b"))
        recorder.wait_line("ring b quarantined: track x")
        sent = self.gen("a", 100)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)


class Hostility(Recording):
    """A ring's producer may store anything at any moment."""

    def scribble(self, name, chance, seconds, where):
        """Write random words into the ring's file while it is being recorded."""
        end = time.monotonic() + seconds
        with open(self.rings / f"{name}.ring", "r+b") as file, \
                mmap.mmap(file.fileno(), 0) as memory:
            while time.monotonic() < end:
                at = chance.randrange(where[0], min(where[1], len(memory)) - 8) & ~7
                word = chance.choice((0, 1, 8, 2**63, 2**64 - 1, chance.getrandbits(64)))
                memory[at:at + 8] = word.to_bytes(8, "little")

    def check_neighbour(self, where, seed):
        chance = random.Random(seed)
        bad, good = f"bad{seed}", f"good{seed}"
        tape = self.scratch / f"tape{seed}"
        self.create(bad, good, size="128K")
        recorder = self.recorder(*self.asked(bad, good), tape=tape)
        liar = self.start_cli("gen", "--ring", bad, "--count", "1000000", "--rate", "200000")
        feed = self.start_cli("gen", "--ring", good, "--count", "60000", "--rate", "100000",
                              "--digest")
        time.sleep(0.1)
        self.scribble(bad, chance, 0.4, where)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertTrue(recorder.alive(), recorder.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        liar.kill()
        self.assertEqual(self.tape_digest("--track", good, tape=tape), self.digest_of(feed.stderr))
        self.run_ok("verify", "-T", tape)

    def quarantined(self):
        rings = json.loads(self.run_ok("stat", "recorder", "-T", self.tape, "--json").stdout)[0]["rings"]
        return {ring["name"]: ring["state"] for ring in rings if ring["state"] != "ok"}

    def test_what_cannot_be_is_quarantined_with_its_reason_and_what_came_before_is_kept(self):
        larger = "a frame in it is larger than what is published"
        impossible = "the producer published an impossible position"
        reasons = {"far": impossible, "odd": impossible, "large": larger, "beyond": larger}
        self.create("good", *reasons, size="64K")
        recorder = self.recorder(*self.asked("good", *reasons))
        for name in reasons:
            self.gen(name, 10)
        self.run_ok("flush", "-T", self.tape)
        recorder.signal(signal.SIGSTOP)
        for name in reasons:
            self.gen(name, 400 if name == "large" else 10)  # so that `large` fits into what waits, and `beyond` not
            with open(self.rings / f"{name}.ring", "r+b", buffering=0) as ring:
                shared = ring.read(4096)
                produced, consumed = (int.from_bytes(shared[at:at + 8], "little") for at in (256, 896))
                first = 4096 + consumed % (64 << 10)  # the head of the first waiting frame
                at, word = {"far": (256, produced + (1 << 40)), "odd": (256, produced + 4),
                            "large": (first, 20000), "beyond": (first, 16000)}[name]
                os.pwrite(ring.fileno(), word.to_bytes(8 if at == 256 else 4, "little"), at)
        recorder.signal(signal.SIGCONT)
        for name, reason in reasons.items():
            recorder.wait_line(f"ring {name} quarantined: {reason}")
        self.wait_for(lambda: self.quarantined() == {name: f"quarantined: {why}" for name, why in reasons.items()})
        sent = self.gen("good", 1000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest("--track", "good"), sent)
        for name in reasons:
            self.assertEqual(self.tape_digest("--track", name)[1], 10, name)
        self.run_ok("verify", "-T", self.tape)

    def test_scribbles_over_the_frames_harm_no_neighbour(self):
        for seed in range(4):
            self.check_neighbour((4096, 1 << 30), seed)

    def test_a_ring_that_is_cut_under_us_harms_no_neighbour(self):
        for seed, size in enumerate((0, 4096, 5000, 65536, 100000)):
            with self.subTest(size):
                bad, good, tape = f"b{seed}", f"g{seed}", self.scratch / f"t{seed}"
                self.create(bad, good, size="128K")
                recorder = self.recorder(*self.asked(bad, good), tape=tape)
                liar = self.start_cli("gen", "--ring", bad, "--count", "1000000", "--rate", "200000")
                feed = self.start_cli("gen", "--ring", good, "--count", "30000", "--rate",
                                      "100000", "--digest")
                time.sleep(0.15)
                os.truncate(self.rings / f"{bad}.ring", size)
                recorder.wait_line(f"ring {bad} quarantined")
                self.assertEqual(feed.wait(), 0, feed.stderr)
                self.assertEqual(recorder.stop(), 0, recorder.stderr)
                liar.kill()
                self.assertEqual(self.tape_digest("--track", good, tape=tape),
                                 self.digest_of(feed.stderr))
                self.run_ok("verify", "-T", tape)

    def test_what_is_counted_of_a_ring_that_is_cut_is_what_the_tape_has(self):
        self.create("a", size="1M")
        recorder = self.recorder("--ring", "a")
        feed = self.start_cli("feed", "-", "--ring", "a", "--format", "lines", stdin=subprocess.PIPE)

        def publish(first, count, ts):
            for i in range(count):
                feed.process.stdin.write(f"{ts + i} {'x' * 100}\n".encode())
            feed.process.stdin.flush()
            self.wait_for(lambda: self.ring_info("a")["produced"] == first + count)

        publish(0, 100, 1_700_000_000_000_000_000)
        self.run_ok("flush", "-T", self.tape)
        recorder.signal(signal.SIGSTOP)
        publish(100, 100, 1_700_000_000_000_001_000)
        publish(200, 2000, 1_600_000_000_000_000_000)  # another run in the same block
        os.truncate(self.rings / "a.ring", 100_000)
        recorder.signal(signal.SIGCONT)
        recorder.wait_line("ring a quarantined: its file was cut")
        self.run_ok("flush", "-T", self.tape)
        client = wire.Client(self.tape / "recorder.sock")
        self.addCleanup(client.close)
        counters = client.call("stats")["counters"]
        feed.kill()
        feed.process.stdin.close()
        gaps = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=3).stdout)
        self.assertGreater(gaps[0]["count"], 100)
        self.assertEqual(counters["lost"], sum(gap["count"] for gap in gaps))
        self.assertEqual(counters["ticks"], int(self.run_ok("query", "-T", self.tape, "--count", code=3).stdout))

    def test_scribbles_over_the_shared_page_harm_no_neighbour(self):
        for seed in range(10, 14):
            self.check_neighbour((0, 4096), seed)


class Service(Recording):
    def test_wrong_usage_is_two(self):
        for args in ((), ("--tape", "x"), ("--tape", "x", "--ring", "../a"),
                     ("--tape", "x", "--ring", "a", "--sync", "interval:100"),
                     ("--tape", "x", "--ring", "a", "--ring", "a"),
                     ("--tape", "x", "--ring", "a", "--block-size", "4K", "--segment-size", "1K"),
                     ("--tape", "x", "--ring", "a", "--ack-fd", "99"),
                     ("--tape", "x", "--ring", "a", "--frobnicate")):
            with self.subTest(args):
                recorder = self.start("tapedeck-recorder", *args, cwd=self.scratch)
                self.assertEqual(recorder.wait(), 2, recorder.stderr)
                self.assertEqual(list(self.scratch.iterdir()), [])

    def test_rings_that_come_later_are_recorded(self):
        recorder = self.recorder("--ring", "late")
        self.create("late")
        sent = self.gen("late", 1000)
        recorder.wait_line("attached")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_rings_are_made_if_asked_for(self):
        recorder = self.recorder("--ring", "a=x", "--create-ring", "128K")
        sent = self.gen("a", 1000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_it_ends_when_idle_if_asked_to(self):
        self.create("a")
        sent = self.gen("a", 1000)
        recorder = self.recorder("--ring", "a", "--exit-when-idle", "500ms")
        self.assertEqual(recorder.wait(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest(), sent)

    def test_usr1_tells_statistics(self):
        self.create("a")
        recorder = self.recorder("--ring", "a")
        self.gen("a", 1000)
        self.run_ok("flush", "-T", self.tape)
        recorder.signal(signal.SIGUSR1)
        recorder.wait_line(r"ring a track=a state=ok .* written=1000 durable=1000")
        self.assertEqual(recorder.stop(), 0)

    def test_systemd_is_told(self):
        path = str(self.scratch / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(5)
            self.env["NOTIFY_SOCKET"] = path
            recorder = self.recorder("--ring", "a")
            self.assertEqual(listener.recv(100), b"READY=1")
            self.assertEqual(recorder.stop(), 0)

    def test_systemds_watchdog_is_fed_by_a_loop_that_turns(self):
        path = str(self.scratch / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(20)
            self.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="100000")
            recorder = self.recorder("--ring", "a")
            heard = [listener.recv(100) for _ in range(5)]
            self.assertIn(b"READY=1", heard)
            self.assertEqual(heard.count(b"WATCHDOG=1"), 4)
            recorder.signal(signal.SIGSTOP)
            self.addCleanup(recorder.signal, signal.SIGCONT)
            listener.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                for _ in range(20):
                    listener.recv(100)

    def test_a_watchdog_for_another_process_is_not_fed(self):
        path = str(self.scratch / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(1)
            self.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
            self.recorder("--ring", "a")
            self.assertEqual(listener.recv(100), b"READY=1")
            with self.assertRaises(TimeoutError):
                listener.recv(100)

    def test_an_idle_recorder_costs_next_to_nothing(self):
        names = [f"r{i}" for i in range(16)]
        self.create(*names, size="64K")
        recorder = self.recorder(*self.asked(*names))
        time.sleep(0.5)
        with open(f"/proc/{recorder.pid}/stat", encoding="ascii") as stat:
            before = sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        time.sleep(3)
        with open(f"/proc/{recorder.pid}/stat", encoding="ascii") as stat:
            after = sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        used = (after - before) / os.sysconf("SC_CLK_TCK") / 3
        self.assertEqual(recorder.stop(), 0)
        self.assertLess(used, 0.05)  # the aim is 1 %; this only finds a loop that spins


if __name__ == "__main__":
    unittest.main()

"""asof from outside: its answer is checked against all ticks before the time, on intact and damaged tapes."""

import os
import random
import re
import shutil
import struct

from tests.support import tapedeck

STATEFUL = (0x00, 0x01)  # trades, mbp-1


class AsOf(tapedeck.Case):
    def record(self, *args, count=30000):
        recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--segment-size", "256K",
                                 "--block-size", "16K", *args)
        self.run_ok("gen", "--ring", "a", "--count", count, "--symbols", "20", "--seed", "7")
        return recorder

    def make_tape(self):
        self.assertEqual(self.record().stop(), 0)
        self.all = [frame for frame in self.frames() if frame.is_tick()]
        self.times = sorted(frame.ts for frame in self.all)

    def expected(self, at):
        last = {}
        for frame in self.all:
            kind, instrument = frame.payload[1], struct.unpack("<I", frame.payload[4:8])[0]
            if frame.ts <= at and kind in STATEFUL:
                last[instrument, kind] = max(last.get((instrument, kind), 0), frame.seq)
        return set(last.values())

    def seqs(self, *args):
        done = self.run_ok("asof", "-T", self.tape, "-o", "frames", *args)
        return {f.seq for f in tapedeck.parse_frames(done.stdout) if f.is_tick()}

    def blocks(self, *args):
        done = self.run_ok("asof", "-T", self.tape, "-v", *args)
        return int(re.search(r"(\d+) blocks? read", done.stderr).group(1))

    def check(self):
        dice = random.Random(3)
        for at in [self.times[0] - 1, self.times[0], self.times[-1]] + [dice.choice(self.times) for _ in range(6)]:
            with self.subTest(at=at):
                self.assertEqual(self.seqs("--at", at), self.expected(at))
        one = [f for f in self.all if struct.unpack("<I", f.payload[4:8])[0] == 3]
        self.assertEqual(self.seqs("--at", self.times[-1], "-s", "S002"),
                         {max(f.seq for f in one if f.payload[1] == kind) for kind in STATEFUL})

    def check_short(self):
        """At the end of the tape, asof reads at most two blocks for each tick it has to find."""
        self.assertLessEqual(self.blocks("--at", "end", "-s", "S002"), 4)

    def test_it_is_the_last_of_each_kind_before_the_time(self):
        self.make_tape()
        self.check()
        self.check_short()

    def test_packed_it_is_the_same(self):
        self.make_tape()
        self.run_ok("seal", "-T", self.tape, "-q")
        self.check()
        self.check_short()
        self.run_ok("verify", "-T", self.tape)

    def test_from_an_index_that_was_made_anew(self):
        self.make_tape()
        shutil.rmtree(self.tape / "index")
        self.check()  # a reader makes the index in memory
        self.run_ok("reindex", "-T", self.tape)
        self.check()
        self.check_short()
        self.run_ok("verify", "-T", self.tape)

    def test_what_stood_at_the_end_of_a_segment_that_is_cut_is_missed(self):
        """No later seq shows that there was more."""
        self.make_tape()
        segment = sorted((self.tape / "segments").glob("*.seg"))[-1]
        os.truncate(segment, segment.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        told = self.run_ok("asof", "-T", self.tape, "--at", "end", code=3)
        self.assertIn("1 part of the tape before that time cannot be read", told.stderr)
        self.assertEqual(self.seqs("--at", self.times[5000]), self.expected(self.times[5000]))

    def test_a_file_is_written_as_by_query_and_never_over_another(self):
        self.make_tape()
        asof = ("asof", "-T", self.tape, "--at", "end")
        shown = self.run_ok(*asof).stdout
        out = self.scratch / "state.jsonl"
        self.assertEqual(self.run_ok(*asof, "-O", out).stdout, b"")
        self.assertEqual(out.read_bytes(), shown)
        self.run_ok(*asof, "-O", out, code=2)
        self.run_ok(*asof, "--file", out, "--force")

    def test_what_was_deleted_does_not_stand(self):
        self.make_tape()
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "3")
        self.all = [frame for frame in self.frames() if frame.is_tick()]
        self.times = sorted(frame.ts for frame in self.all)
        self.check()
        self.check_short()
        self.run_ok("verify", "-T", self.tape)

    def test_while_it_is_recorded_and_after_the_recorder_was_killed(self):
        recorder = self.record("--sync", "batch", count=20000)
        self.run_ok("flush", "-T", self.tape)
        self.all = [frame for frame in self.frames() if frame.is_tick()]
        self.times = sorted(frame.ts for frame in self.all)
        self.check()
        recorder.kill()
        self.run_ok("recover", "-T", self.tape)
        self.check()
        self.check_short()
        self.run_ok("verify", "-T", self.tape)

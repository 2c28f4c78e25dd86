"""Segments are deleted by a policy: from outside, beside a recorder, and killed on the way."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import struct
import unittest

from tests.support import tapedeck


class Retention(tapedeck.Case):
    def make_tape(self, count=40000):
        """Make a tape of many small segments."""
        recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--segment-size", "256K",
                                 "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", count)
        self.assertEqual(recorder.stop(), 0)

    def rows(self, *args, code=0):
        return json.loads(self.run_ok(*args, "-T", self.tape, "--json", code=code).stdout)

    def segments(self):
        return [row["segment"] for row in self.rows("ls", "segments")]

    def count(self):
        return int(self.run_ok("query", "-T", self.tape, "--count").stdout)

    @staticmethod
    def open_segments(process):
        names = []
        for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the descriptor was closed meanwhile
                names.append(os.readlink(fd))
        return [name for name in names if "/segments/" in name]

    def test_plan_changes_nothing_and_apply_does_what_it_says(self):
        self.make_tape()
        before = self.segments()
        plan = self.rows("retain", "plan", "--max-segments", "4")
        self.assertEqual(self.segments(), before)
        goes = [row["segment"] for row in plan if row["goes"]]
        self.assertEqual(goes, before[:-4])
        self.assertTrue(all(row["why"] == "segments" for row in plan if row["goes"]))
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "4", "--dry-run")
        self.assertEqual(self.segments(), before)
        deleted = self.rows("retain", "apply", "--max-segments", "4")
        self.assertEqual(deleted, [row for row in plan if row["goes"]])
        self.assertEqual(self.segments(), before[-4:])
        self.assertEqual(self.rows("retain", "apply", "--max-segments", "4"), [])
        self.run_ok("verify", "-T", self.tape)

    def test_deleted_and_lost_are_different_answers(self):
        self.make_tape()
        all_of_it = self.count()
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "4")
        left = self.count()
        gaps = self.rows("gaps", code=3)
        self.assertEqual({row["reason"] for row in gaps}, {"retired"})
        self.assertEqual(sum(row["count"] for row in gaps), all_of_it - left)
        self.assertEqual(self.rows("gaps", "--from", "start"), [])
        self.run_ok("coverage", "-T", self.tape, "--from", "start")
        self.run_ok("query", "-T", self.tape, "--from", "0", "-o", "none")
        self.run_ok("query", "-T", self.tape, "--from", "0", "-o", "none", "--require-complete",
                    code=3)
        play = ("play", "-T", self.tape, "--from", "0", "--into", "p", "--create", "64M")
        self.run_ok(*play, "--require-complete", code=3)
        played = self.run_ok(*play).stderr
        self.assertIn("nothing of the range was lost or damaged", played)
        self.assertNotIn("missing", played)
        self.run_ok("reindex", "-T", self.tape)
        self.assertEqual(self.count(), left)
        self.run_ok("recover", "-T", self.tape)
        self.assertEqual(self.rows("gaps", code=3), gaps)

    def test_age_is_that_of_the_ticks(self):
        self.make_tape()
        everything = self.segments()
        self.run_ok("retain", "apply", "-T", self.tape, "--max-age", "1h")
        self.assertEqual(self.segments(), everything)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-age", "1ms", "--track-age", "a=never")
        self.assertEqual(self.segments(), everything)
        slip = ("--max-age", "1h", "--track-age", "aa=never")
        for what in ("plan", "apply"):
            self.assertIn("no track aa", self.run_ok("retain", what, "-T", self.tape, *slip).stderr)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-age", "1ms")
        self.assertEqual(self.segments(), everything[-1:])

    def test_holds_keep_and_are_named(self):
        self.make_tape()
        self.run_ok("retain", "hold", "2", "3", "2", "-T", self.tape)
        done = self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "1", code=3)
        self.assertIn("kept_by", done.stderr)
        self.assertEqual(self.segments()[:2], [2, 3])
        plan = {row["segment"]: row for row in self.rows("retain", "plan")}
        self.assertEqual(plan[2]["kept_by"], "hold")
        self.assertIn("1 segment released; 1 had been held",
                      self.run_ok("retain", "release", "2", "-T", self.tape).stderr)
        self.assertIn("1 segment released; 0 had been held",
                      self.run_ok("retain", "release", "2", "-T", self.tape).stderr)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "2")
        self.assertEqual(len(self.segments()), 2)
        self.assertEqual(self.segments()[0], 3)
        self.run_ok("retain", "hold", "999", "-T", self.tape, code=1)
        self.run_ok("retain", "hold", "x", "-T", self.tape, code=2)

    def test_holds_that_cannot_be_read_are_found_and_nothing_is_deleted(self):
        self.make_tape()
        self.run_ok("retain", "hold", "2", "-T", self.tape)
        holds = self.tape / "holds"
        self.flip(holds, -1)
        self.assertIn(b"holds is damaged", self.run_ok("verify", "-T", self.tape, code=5).stdout)
        done = self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "1", code=1)
        self.assertIn("remove the file", done.stderr)
        holds.unlink()
        self.run_ok("verify", "-T", self.tape)

    def test_beside_a_recorder_nothing_stops(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "4M", "--segment-size", "256K",
                                 "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", "40000")
        recorder.wait_line(r"segment 10 sealed")
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "4")
        self.run_ok("gen", "--ring", "a", "--count", "20000")
        self.run_ok("query", "-T", self.tape, "--digest", "-o", "none")
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual({row["reason"] for row in self.rows("gaps", code=3)}, {"retired"})
        self.run_ok("recover", "-T", self.tape)

    def test_a_mark_whose_ticks_were_deleted_is_no_damage(self):
        tape = self.scratch / "marked"
        recorder = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M", tape=tape)
        for ring in "abb": # the mark on a is alone in its segment with ticks of b
            self.run_ok("feed", "-", "--ring", ring, "--format", "lines", "-q", stdin=b"1 one\n2 two\n")
            self.run_ok("roll", "-T", tape)
            if ring == "a":
                self.run_ok("mark", "m", "-T", tape)
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("retain", "apply", "-T", tape, "--max-segments", 2)
        self.run_ok("verify", "-T", tape)
        self.run_ok("reindex", "-T", tape)
        self.run_ok("verify", "-T", tape)

    def test_another_job_on_the_segments_is_waited_for_and_no_error(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "4M", "--segment-size", "256K", "--block-size", "16K",
                                 "--retain-max-segments", "3")
        with open(self.tape / "leases", "r+b") as leases:
            row = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            fcntl.fcntl(leases, 37, row)  # F_OFD_SETLK: the lock that `move` and `retain apply` take
            self.run_ok("gen", "--ring", "a", "--count", "40000")
            recorder.wait_line(r"warn .*retention: .* another job .*; trying again in 10 s")
        recorder.wait_line(r"retention: \d+ segments .*deleted")
        self.assertNotRegex(recorder.stderr, r"Z error ")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_a_recorder_applies_the_policy_that_it_was_given(self):
        self.make_tape()
        self.assertGreater(len(self.segments()), 8)
        for most, policy in ((8, ("--retain-max-segments", 8)), (5, ("--retain-max-size", "1M")),
                             (2, ("--retain-max-age", "1ms"))):
            recorder = self.recorder("--ring", "a", "--segment-size", "256K", "--block-size", "16K", *policy)
            self.wait_for(lambda most=most: len(self.segments()) <= most)
            self.assertEqual(recorder.stop(), 0)

    def test_who_follows_keeps_no_segment_that_was_told(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "4M", "--segment-size", "256K", "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", "40000")
        self.run_ok("flush", "-T", self.tape)
        followers = [self.start_cli("tail", "-f", "-T", self.tape), self.start_cli("tail", "-n", "0", "-f", "-T", self.tape),
                     self.start_cli("tail", "-n", "30000", "-f", "--track", "a", "-T", self.tape),
                     self.start_cli("play", "--then-live", "-T", self.tape, "--into", "b", "--create", "8M")]
        self.wait_for(lambda: self.run_cli("ring", "info", "b").returncode == 0)
        self.wait_for(lambda: self.ring_info("b")["produced"] == 40000)
        # Each follower asks the tape again and again for new ticks, and holds a lease while it does.
        self.wait_for(lambda: "read" not in {row["kept_by"] for row in self.rows("retain", "plan")})
        self.wait_for(lambda: self.run_cli("retain", "apply", "-T", self.tape, "--max-segments", "3").returncode == 0)
        for follower in followers:
            self.wait_for(lambda: not any(name.endswith(" (deleted)") for name in self.open_segments(follower)))
        self.assertTrue(all(follower.alive() for follower in followers))
        self.assertEqual(recorder.stop(), 0)

    def test_what_a_follower_was_not_told_yet_stays(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--segment-size", "256K", "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", "20000")
        self.run_ok("flush", "-T", self.tape)
        told = self.scratch / "told"
        with told.open("wb") as out:
            follower = self.start_cli("tail", "-n", "1", "-f", "-T", self.tape, stdout=out)
        self.wait_for(lambda: told.stat().st_size > 0)
        self.wait_for(lambda: "read" not in {row["kept_by"] for row in self.rows("retain", "plan")[:-3]})
        follower.signal(signal.SIGSTOP)
        self.run_ok("gen", "--ring", "a", "--count", "40000")
        self.run_ok("flush", "-T", self.tape)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "2", code=3)
        self.assertLess(self.count(), 60000)
        follower.signal(signal.SIGCONT)
        self.wait_for(lambda: told.read_bytes().count(b"\n") == 40001)
        self.wait_for(lambda: self.run_cli("retain", "apply", "-T", self.tape, "--max-segments", "2").returncode == 0)
        self.assertEqual(recorder.stop(), 0)

    def test_a_replayer_that_has_read_it_keeps_no_room(self):
        self.make_tape()
        replayer = self.start("tapedeck-replayer", "--tape", self.tape)
        replayer.wait_ready()
        self.run_ok("query", "-a", f"unix:{self.tape}/replayer.sock", "-o", "none")
        self.assertNotEqual(self.open_segments(replayer), [])
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "1")
        self.wait_for(lambda: not any(name.endswith(" (deleted)")
                                      for name in self.open_segments(replayer)))

    def test_wrong_usage(self):
        self.make_tape(100)
        self.run_ok("retain", "apply", "-T", self.tape, code=2)
        self.run_ok("retain", "plan", code=2)
        self.run_ok("retain", "plan", "-T", self.scratch / "none", code=1)
        self.run_ok("retain", "plan", "-T", self.tape, "--max-age", "soon", code=2)
        self.run_ok("retain", "plan", "-T", self.tape, "--track-age", "a", code=2)


if __name__ == "__main__":
    unittest.main()

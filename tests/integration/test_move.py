"""tapedeck move: old segments are on another disk and are still part of the tape."""

import json
import os
import shutil
import time
import unittest

from tests.support import tapedeck

TICKS = 30000


class Move(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.disk = self.scratch / "disk"
        self.once(self.fill)

    def fill(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "16M", "--segment-size", "256K",
                                 "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", TICKS)
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def rows(self, *args, code=0):
        return json.loads(self.run_ok(*args, "--json", code=code).stdout)

    def move(self, *args, code=0):
        return self.rows("move", *args, "-T", self.tape, code=code)[0]

    def states(self):
        return [row["state"] for row in self.rows("ls", "segments", "-T", self.tape)]

    def used(self):
        return sum(path.stat().st_blocks for path in (self.tape / "segments").iterdir())

    def test_there_and_back(self):
        digest, used = self.tape_digest(), self.used()
        to_do = self.move(self.disk, "--dry-run")["to_do"]
        self.assertFalse(self.disk.exists())
        self.assertEqual(self.move(self.disk, "--segments", "2-3")["segments"], 2)
        self.assertEqual(self.states()[:4], ["sealed", "moved", "moved", "sealed"])
        self.assertEqual(self.move(self.disk)["segments"], to_do - 2)
        self.assertEqual(self.move(self.disk)["to_do"], 0)
        self.assertLess(self.used(), used / 4)
        self.assertEqual(self.tape_digest(), digest)
        for command in ("verify", "coverage", "recover", "reindex", "verify"):
            self.run_ok(command, "-T", self.tape)
        self.assertEqual(self.tape_digest(), digest)
        listed = self.rows("move", "--list", "-T", self.tape)
        self.assertEqual([(row["directory"], row["state"]) for row in listed],
                         [(str(self.disk), "there")])
        lone = self.run_ok("query", "-T", self.disk / "0000000002.seg", "--count").stdout
        self.assertGreater(int(lone), 0)
        self.assertEqual(self.move("--back")["segments"], to_do)
        self.assertEqual([path.name for path in self.disk.iterdir()], ["annex.meta"])
        self.assertEqual(self.tape_digest(), digest)
        self.run_ok("verify", "-T", self.tape)

    def test_a_disk_that_is_not_mounted(self):
        digest = self.tape_digest()
        self.move(self.disk, "--segments", "1-2")
        elsewhere = self.scratch / "elsewhere"
        self.disk.rename(elsewhere)
        self.assertEqual(self.states()[:3], ["away", "away", "sealed"])
        told = self.run_ok("query", "-T", self.tape, "-o", "none", code=3).stderr
        self.assertIn("was moved to", told)
        self.assertIn(str(self.disk), told)
        self.assertNotIn("damage", told)
        gaps = self.rows("gaps", "-T", self.tape, code=3)
        self.assertEqual({gap["reason"] for gap in gaps}, {"away"})
        row = self.rows("coverage", "-T", self.tape, code=3)[0]
        epoch = row["tracks"][0]["epochs"][0]
        self.assertEqual((epoch["lost"], epoch["damaged"], epoch["retired"]), ([], [], []))
        self.assertEqual(len(epoch["away"]), 1)
        self.assertIn("was moved to", self.run_ok("query", "-T", self.tape, "--count", code=3).stderr)
        counted = self.run_ok("query", "-T", self.tape, "--count", "--to", "start", code=0)
        self.assertEqual(int(counted.stdout), 0)
        quick = self.rows("coverage", "-T", self.tape, "--quick", code=3)[0]
        self.assertEqual(len(quick["tracks"][0]["epochs"][0]["away"]), 1)
        self.assertIn("footers", self.run_ok("verify", "-T", self.tape, code=3).stderr)
        self.run_ok("recover", "-T", self.tape, "-q", code=3)
        self.run_ok("pack", "-T", self.tape, "-O", self.scratch / "all.tar.zst", code=1)
        plan = self.rows("retain", "plan", "-T", self.tape, "--max-segments", "1", code=3)
        self.assertEqual([item["kept_by"] for item in plan[:2]], ["away", "away"])

        refused = self.run_ok("move", self.disk, "-T", self.tape, code=1)
        self.assertIn("mounted", refused.stderr)
        self.assertFalse(self.disk.exists())
        self.run_ok("move", "--relocate", elsewhere, "-T", self.tape)
        self.assertEqual(self.tape_digest(), digest)
        self.run_ok("verify", "-T", self.tape)

    def test_back_from_the_disks_that_are_there(self):
        digest = self.tape_digest()
        empty, away = self.scratch / "empty", self.scratch / "away"
        for disk, some in ((empty, "1"), (away, "2-3"), (self.disk, "4")):
            self.move(disk, "--segments", some)
        self.move("--back", empty)
        shutil.rmtree(empty) # nothing of the tape is left there
        away.rename(self.scratch / "elsewhere")
        told = self.run_ok("move", "--back", "-T", self.tape, code=3).stderr
        self.assertIn(f"2 segments stay where they are: they should be at {away}", told)
        self.assertNotIn(str(empty), told)
        self.assertEqual(self.states()[:4], ["sealed", "away", "away", "sealed"])
        self.run_ok("move", "--back", "-T", self.tape, "--segments", "4-5")
        (self.scratch / "elsewhere").rename(away)
        self.assertEqual(self.move("--back")["segments"], 2)
        self.assertEqual(self.tape_digest(), digest)

    def test_a_directory_of_another_tape(self):
        self.move(self.disk, "--segments", "1")
        other = self.scratch / "other"
        self.run_ok("import", "-T", other, "--track", "x", "--format", "lines", "-",
                    stdin=b"1700000000000000000 one\n")
        refused = self.run_ok("move", self.disk, "-T", other, code=1)
        self.assertIn("another tape", refused.stderr)
        copy = self.scratch / "copy"
        shutil.copytree(self.disk, copy)
        self.assertIn("a copy of it", self.run_ok("move", copy, "-T", self.tape, code=1).stderr)

    def test_a_copy_takes_nothing_from_the_tape_that_moved_it(self):
        digest, there = self.tape_digest(), {"annex.meta", "0000000001.seg", "0000000002.seg", "0000000003.seg"}
        self.move(self.disk, "--segments", "1-3")
        for copy in ("reader", "mover", "heir"):
            shutil.copytree(self.tape, self.scratch / copy)
        reader, mover, heir = (self.scratch / copy for copy in ("reader", "mover", "heir"))
        self.assertEqual(self.tape_digest(tape=reader), digest)
        self.run_ok("retain", "apply", "-T", reader, "--max-segments", "1")
        self.run_ok("verify", "-T", reader)
        told = self.run_ok("move", "--back", "-T", mover).stderr
        self.assertRegex(told, "3 segments .* moved back\\n.*3 of them also stay there")
        self.assertEqual(self.tape_digest(tape=mover), digest)
        for args in ((), ("--dry-run",)):
            self.assertIn("another copy", self.run_ok("move", self.disk, "-T", mover, *args, code=1).stderr)
        states = [[row["state"] for row in self.rows("move", "--list", "-T", tape)] for tape in (mover, self.tape)]
        self.assertEqual(states, [["shared"], ["there"]])
        self.assertEqual({path.name for path in self.disk.iterdir()}, there)
        self.assertEqual(self.tape_digest(), digest)

        # A tape that is renamed is still the same tape. When it is gone, a copy can take its place.
        renamed = self.tape.rename(self.scratch / "renamed")
        self.run_ok("move", "--back", "--segments", "1", "-T", renamed)
        self.assertEqual({path.name for path in self.disk.iterdir()}, there - {"0000000001.seg"})
        self.run_ok("move", self.disk, "--segments", "1", "-T", renamed)
        shutil.rmtree(renamed)
        self.run_ok("move", "--adopt", self.disk, "-T", heir)
        self.run_ok("move", "--back", "-T", heir)
        self.assertEqual({path.name for path in self.disk.iterdir()}, {"annex.meta"})
        self.assertEqual(self.tape_digest(tape=heir), digest)
        self.run_ok("verify", "-T", heir)

    def test_what_is_there_is_no_file(self):
        """Only the ticks of that one segment are missing."""
        whole = int(self.run_ok("query", "-T", self.tape, "--count").stdout)
        self.move(self.disk, "--segments", "2-3")
        path, kept = self.disk / "0000000002.seg", self.scratch / "kept"
        path.rename(kept)
        for put in (path.mkdir, lambda: path.symlink_to(kept), lambda: os.mkfifo(path)):
            put()
            told = self.run_ok("query", "-T", self.tape, "-o", "none", "--digest", code=3).stderr
            self.assertIn("0000000002.seg is not the file that segment 2 was moved to", told)
            gaps = self.rows("gaps", "-T", self.tape, code=3)
            self.assertEqual({gap["reason"] for gap in gaps}, {"damage"})
            self.assertEqual(self.digest_of(told)[1] + sum(gap["count"] for gap in gaps), whole)
            (path.rmdir if path.is_dir() and not path.is_symlink() else path.unlink)()
        kept.rename(path)
        self.run_ok("verify", "-T", self.tape)

    def test_what_is_left_of_a_file_that_was_cut_there_is_read(self):
        whole = int(self.run_ok("query", "-T", self.tape, "--count").stdout)
        self.move(self.disk, "--segments", "2-3")
        path = self.disk / "0000000002.seg"
        data = path.read_bytes()
        for left in (data[:len(data) // 2], data + b"more"):
            path.write_bytes(left)
            lost = left != data + b"more"
            told = self.run_ok("query", "-T", self.tape, "-o", "none", "--digest", code=3 if lost else 0).stderr
            gaps = self.rows("gaps", "-T", self.tape, code=3 if lost else 0)
            missing = sum(gap["count"] for gap in gaps)
            self.assertLess(missing, TICKS / 6 if lost else 1) # about half of one segment
            self.assertEqual(self.digest_of(told)[1] + missing, whole)
            found = self.rows("verify", "-T", self.tape, code=5)
            self.assertIn(f"segment 2: {path} has {len(left)} bytes, and had {len(data)} when it was moved",
                          [row["what"] for row in found])
            refused = self.run_ok("move", "--back", "-T", self.tape, "--segments", "2", code=3)
            self.assertIn(f"{path} has {len(left)} bytes", refused.stderr)
            self.run_ok("pack", "-T", self.tape, "-O", self.scratch / "all.tar.zst", code=1)
        path.write_bytes(data)
        self.run_ok("verify", "-T", self.tape)

    def test_wrong_usage(self):
        for args in (("-T", self.tape), (self.disk,), (self.disk, "-T", self.tape, "--segments", "x"),
                     (self.tape / "segments", "-T", self.tape), (self.tape / "new", "-T", self.tape), (self.disk, "--list", "-T", self.tape),
                     (self.disk, "-T", self.tape, "--back", "--older-than", "1d"),
                     (self.disk, "-T", self.tape, "--relocate", "--dry-run"), (self.disk, "-T", self.tape, "--adopt", "--back")):
            self.run_ok("move", *args, code=2)
        for args in ((self.scratch / "no" / "where", "-T", self.tape),
                     (self.disk, "-T", self.scratch / "none"), ("--back", self.disk, "-T", self.tape)):
            self.run_ok("move", *args, code=1)
        self.assertFalse(self.disk.exists())
        self.assertFalse((self.tape / "new").exists())

    def test_only_what_is_old(self):
        self.assertEqual(self.move(self.disk, "--older-than", "1d")["to_do"], 0)
        time.sleep(0.01)
        self.assertGreater(self.move(self.disk, "--older-than", "1ms")["segments"], 1)

    def test_packed_then_moved_then_in_an_incident(self):
        digest = self.tape_digest()
        self.move(self.disk, "--segments", "1")
        self.assertIn("pack first", self.run_ok("seal", "-T", self.tape).stderr)
        self.move(self.disk)
        self.assertIn("0000000002.g1.seg", [path.name for path in self.disk.iterdir()])
        bundle, out = self.scratch / "all.tar.zst", self.scratch / "out"
        self.run_ok("pack", "-T", self.tape, "-O", bundle)
        self.run_ok("unpack", bundle, "-O", out)
        self.assertEqual(self.tape_digest(tape=out), digest)
        self.run_ok("verify", "-T", out)

    def test_beside_a_recorder_and_deleted_by_it(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "16M", "--segment-size", "256K", "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", TICKS, "--seed", 2)
        self.run_ok("flush", "-T", self.tape)
        moved = self.move(self.disk)["segments"]
        self.assertGreater(moved, 4)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), 2 * TICKS)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "3")
        self.assertLess(len(list(self.disk.iterdir())), moved)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.run_ok("verify", "-T", self.tape)


if __name__ == "__main__":
    unittest.main()

"""pack makes a range of a tape one file, and unpack makes a tape of it elsewhere."""

import json
import os
import shutil
import subprocess
import unittest

from tests.support import tapedeck

START = 1700000000000000000


class Pack(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.pack, self.other = self.scratch / "p.tar.zst", self.scratch / "other"

    def make_tape(self):
        self.once(self.fill)

    def fill(self):
        self.put_lines("t", ((START + 1000000 * i, f"{'x' * 40} {i}") for i in range(20000)),
                       "--segment-size", "256K", "--block-size", "16K")

    def range(self, first=5000, last=7000):
        return "--from", START + 1000000 * first, "--to", START + 1000000 * last

    def test_the_range_is_the_same_somewhere_else(self):
        self.make_tape()
        config = self.scratch / "recorder.conf"
        config.write_text("segment-size = 1G\n")
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack, "--include", config)
        self.run_ok("unpack", self.pack, "-O", self.other)
        self.run_ok("verify", "-T", self.other)
        self.assertEqual(self.tape_digest(*self.range(), tape=self.other),
                         self.tape_digest(*self.range()))
        self.run_ok("coverage", "-T", self.other, *self.range())
        self.assertEqual((self.other / "pack/files/recorder.conf").read_text(), config.read_text())
        manifest = (self.other / "pack/manifest").read_text()
        self.assertTrue(manifest.startswith("tapedeck-pack 1\n"))
        self.assertIn("segments/", manifest)
        segments = json.loads(self.run_ok("ls", "segments", "-T", self.other, "--json").stdout)
        everything = json.loads(self.run_ok("ls", "segments", "-T", self.tape, "--json").stdout)
        self.assertLess(len(segments), len(everything) / 2)

    def test_it_goes_through_a_pipe(self):
        self.make_tape()
        pack = self.run_ok("pack", "-T", self.tape, *self.range(), "-O", "-")
        self.assertIn("in stdout", pack.stderr)
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack)
        self.assertLess(abs(self.pack.stat().st_size - len(pack.stdout)), 100)  # no padding
        self.run_ok("unpack", "-", "-O", self.other, stdin=pack.stdout)
        self.assertEqual(self.tape_digest(*self.range(), tape=self.other), self.tape_digest(*self.range()))
        cut = self.run_ok("unpack", "-", "-O", self.scratch / "cut", stdin=pack.stdout[:-100], code=1)
        self.assertIn("unpack: stdin", cut.stderr)

    def test_anyone_can_look_into_a_pack(self):
        self.make_tape()
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack)
        listed = subprocess.run(["tar", "--zstd", "-tf", self.pack], capture_output=True, text=True,
                                check=False)
        if listed.returncode != 0:
            self.skipTest("tar without zstd")
        self.assertIn("pack/manifest", listed.stdout.split())
        self.assertIn("tape.meta", listed.stdout.split())

    def test_a_recorder_goes_on(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "4M", "--segment-size", "256K",
                                 "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", "20000")
        recorder.wait_line(r"segment \d+ sealed")
        self.run_ok("pack", "-T", self.tape, "--from", "start", "--to", "now", "-O", self.pack)
        self.run_ok("gen", "--ring", "a", "--count", "20000")
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("unpack", self.pack, "-O", self.other)
        self.run_ok("verify", "-T", self.other)
        self.run_ok("gaps", "-T", self.other)

    def test_what_was_deleted_is_told_in_the_pack(self):
        self.make_tape()
        self.run_ok("retain", "hold", "2", "-T", self.tape)
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "4")
        self.run_ok("pack", "-T", self.tape, "--from", "start", "--to", "end", "-O", self.pack,
                    code=3)
        self.run_ok("unpack", self.pack, "-O", self.other)
        self.run_ok("verify", "-T", self.other)
        self.assertIn("retired", (self.other / "pack/coverage").read_text())

    def test_an_epoch_of_which_a_mark_alone_is_in_the_pack_is_not_missed(self):
        recorder = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M")
        for ring, at in (("a", START), ("b", START + 1000), ("a", START + 2000)):
            self.run_ok("feed", "-", "--ring", ring, "--format", "lines", "-q", stdin=b"%d x\n" % at)
            if at == START:
                self.run_ok("roll", "-T", self.tape)
                self.run_ok("mark", "m", "-T", self.tape)
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("pack", "-T", self.tape, "--from", START + 1000, "-O", self.pack)
        self.run_ok("unpack", self.pack, "-O", self.other)
        self.run_ok("query", "-T", self.other, "-o", "none")
        self.run_ok("gaps", "-T", self.other)

    def test_a_segment_that_is_missing_in_front_is_missing_from_the_pack(self):
        self.put_lines("first", [(START, "x")])
        self.fill()
        (self.tape / "segments/0000000001.seg").unlink()
        self.run_ok("reindex", "-T", self.tape, code=3)
        self.run_ok("pack", "-T", self.tape, "-O", self.pack, code=3)
        self.run_ok("unpack", self.pack, "-O", self.other, code=3)
        self.run_ok("query", "-T", self.other, "--count", code=3)
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack, "--force")
        self.run_ok("unpack", self.pack, "-O", self.scratch / "part")
        self.run_ok("coverage", "-T", self.scratch / "part", *self.range())

    def test_each_damaged_pack_is_refused_and_leaves_nothing(self):
        self.make_tape()
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack)
        whole = self.pack.read_bytes()
        for place in range(0, len(whole), max(1, len(whole) // 23)):
            changed = bytearray(whole)
            changed[place] ^= 0x10
            self.pack.write_bytes(changed)
            done = self.run_cli("unpack", self.pack, "-O", self.other)
            if done.returncode == 0:  # nothing depends on this byte, so the tape is unchanged
                self.run_ok("verify", "-T", self.other)
                subprocess.run(["rm", "-r", self.other], check=True)
                continue
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertFalse(self.other.exists())
        for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            self.pack.write_bytes(whole[:size])
            self.run_ok("unpack", self.pack, "-O", self.other, code=1)
            self.assertFalse(self.other.exists())
        left = {path.name for path in self.scratch.iterdir()}
        self.assertFalse({name for name in left if "unpacking" in name})

    def test_a_segment_that_lost_its_end_is_told(self):
        self.make_tape()
        segment = max((self.tape / "segments").iterdir())
        os.truncate(segment, segment.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        done = self.run_ok("pack", "-T", self.tape, "--from", "start", "--to", "end", "-O", self.pack, code=3)
        self.assertIn("pack/coverage", done.stderr)
        self.run_ok("unpack", self.pack, "-O", self.other, code=3)
        self.assertIn(f"\nsegments\t{int(segment.stem)}\t{int(segment.stem)}\tcut\n", (self.other / "pack/coverage").read_text())

    def test_an_archive_that_is_none_of_ours_is_refused(self):
        evil = self.scratch / "evil"
        evil.mkdir()
        (evil / "x").write_text("x")
        subprocess.run(["tar", "--zstd", "-cPf", self.pack, "-C", evil, "--transform",
                        "s,^x$,../escaped,", "x"], check=True)
        done = self.run_ok("unpack", self.pack, "-O", self.other, code=1)
        self.assertIn("belongs into no pack", done.stderr)
        self.assertFalse((self.scratch / "escaped").exists())
        self.run_ok("unpack", self.scratch / "none", "-O", self.other, code=1)
        (evil / "manifest").write_bytes(b"tapedeck-pack 1\n\0more")
        subprocess.run(["tar", "--zstd", "-cf", self.pack, "-C", evil, "--transform",
                        "s,^,pack/,", "manifest"], check=True)
        done = self.run_ok("unpack", self.pack, "-O", self.other, code=1)
        self.assertIn("not text", done.stderr)

    def test_wrong_usage(self):
        self.make_tape()
        self.run_ok("pack", "-T", self.tape, "--from", "start", "--to", "end", code=2)
        self.run_ok("pack", "-T", self.tape, "--mark", "none", "-O", self.pack, code=1)
        self.run_ok("pack", "-T", self.tape, "--from", "2001-01-01", "--to", "2001-01-02", "-O",
                    self.pack, code=1)
        self.assertFalse(self.pack.exists())
        self.pack.write_text("x")
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack, code=2)
        self.run_ok("pack", "-T", self.tape, *self.range(), "-O", self.pack, "--force")
        self.run_ok("unpack", self.pack, "-O", self.tape, code=2)


if __name__ == "__main__":
    unittest.main()

"""Jobs on a tape are killed at any moment and run again: seal, move, retain apply, pack, unpack, reindex, recover.

$TDK_JOB_KILLS says how often each of them is killed.
"""

import os
import random
import shutil
import signal
import time
import unittest

from tests.support import tapedeck

KILLS = int(os.environ.get("TDK_JOB_KILLS", "5"))
TICKS = 60000


class Jobs(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.once(self.fill)
        self.whole = self.scratch / "whole"
        shutil.copytree(self.tape, self.whole)
        self.chance, self.haste = random.Random(7), 1.0

    def fill(self):
        recorder = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "16M",
                                 "--segment-size", "512K", "--block-size", "16K")
        for seed, ring in enumerate(("a", "b")):
            self.run_ok("gen", "--ring", ring, "--count", TICKS, "--seed", seed)
        self.run_ok("flush", "-T", self.tape) # a stop waits 5 s, which is not enough for a slow disk
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def renew(self):
        """Put the tape back as it was recorded."""
        shutil.rmtree(self.tape)
        shutil.copytree(self.whole, self.tape)

    def how_long(self, *args, code=0):
        begun = time.monotonic()
        done = self.run_cli(*args)
        self.assertIn(done.returncode, (code,) if code is not None else (0, 3), done.stderr)
        return time.monotonic() - begun

    def kill_at_random(self, seconds, *args):
        """Returns True if the command was killed before it was done."""
        job = self.start_cli(*args)
        time.sleep(self.chance.random() * seconds * self.haste)
        job.signal(signal.SIGKILL)
        killed = job.wait() == -signal.SIGKILL
        if not killed:  # it is faster than when its time was measured
            self.haste /= 2
        return killed

    def count(self, tape=None):
        return int(self.run_ok("query", "-T", tape or self.tape, "--count").stdout)

    def test_seal(self):
        digest = self.tape_digest()
        seconds = self.how_long("seal", "-T", self.tape)
        self.renew()
        killed = 0
        for _ in range(KILLS):
            killed += self.kill_at_random(seconds / 2, "seal", "-T", self.tape)
            self.assertEqual(self.tape_digest(), digest) # whatever the kill left behind
        self.assertGreater(killed, 0)
        self.run_ok("seal", "-T", self.tape)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.tape_digest(), digest)
        names = [path.name for path in (self.tape / "segments").iterdir()]
        self.assertEqual([name for name in names if not name.endswith(".g1.seg")], [])

    def test_move(self):
        digest, disk = self.tape_digest(), self.scratch / "disk"
        there, back = ("move", disk, "-T", self.tape), ("move", "--back", "-T", self.tape)
        seconds = self.how_long(*there)
        killed = 0
        for command in (back, there) * KILLS:
            killed += self.kill_at_random(seconds, *command)
            self.assertEqual(self.tape_digest(), digest) # whatever the kill left behind
            self.run_ok("recover", "-T", self.tape, "-q") # as a recorder does at its start
            self.assertEqual(self.tape_digest(), digest)
            self.run_ok(*command)
            self.assertEqual(self.tape_digest(), digest)
        self.assertGreater(killed, 0)
        self.run_ok(*back)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual([path.name for path in disk.iterdir()], ["annex.meta"])
        names = [path.name for path in (self.tape / "segments").iterdir()]
        self.assertEqual([name for name in names if not name.endswith(".seg")], [])

    def test_reindex(self):
        digest = self.tape_digest()
        seconds = self.how_long("reindex", "-T", self.tape)
        killed = 0
        for without in (False, True) * KILLS:
            if without:
                shutil.rmtree(self.tape / "index", ignore_errors=True)
            killed += self.kill_at_random(seconds, "reindex", "-T", self.tape)
            self.assertEqual(self.tape_digest(), digest)
        self.assertGreater(killed, 0)
        self.run_ok("reindex", "-T", self.tape)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.tape_digest(), digest)

    def test_recover(self):
        def spoil():
            """Leave the tape as a crash does: no footer, a torn block, no index."""
            self.renew()
            last = max((self.tape / "segments").iterdir())
            os.truncate(last, last.stat().st_size * 3 // 4)
            last.rename(last.with_suffix(".open"))
            shutil.rmtree(self.tape / "index")
        spoil()
        seconds = self.how_long("recover", "-T", self.tape, code=None)
        digest = self.tape_digest()
        for _ in range(KILLS):
            spoil()
            self.kill_at_random(seconds, "recover", "-T", self.tape)
            self.run_cli("recover", "-T", self.tape)
            self.run_ok("verify", "-T", self.tape)
            self.assertEqual(self.tape_digest(), digest)

    def test_retain_apply(self):
        command = ("retain", "apply", "-T", self.tape, "--max-segments", "3")
        everything = self.count()
        seconds = self.how_long(*command)
        left = self.count()
        for _ in range(KILLS):
            self.renew()
            self.kill_at_random(seconds, *command)
            self.assertGreaterEqual(self.count(), left)
            self.run_ok(*command)
            self.run_ok("verify", "-T", self.tape)
            self.assertEqual(self.count(), left)
            self.assertLess(left, everything)

    def test_pack(self):
        bundle, out = self.scratch / "all.tar.zst", self.scratch / "out"
        command = ("pack", "-T", self.tape, "-O", bundle)
        seconds = self.how_long(*command)
        for _ in range(KILLS):
            bundle.unlink(missing_ok=True)
            self.kill_at_random(seconds, *command)
            if not bundle.exists():
                self.run_ok(*command)
            shutil.rmtree(out, ignore_errors=True)
            self.run_ok("unpack", bundle, "-O", out) # a file with the final name is whole
        self.assertEqual(self.tape_digest(tape=out), self.tape_digest())
        self.run_ok("verify", "-T", self.tape)

    def test_unpack(self):
        bundle, out = self.scratch / "all.tar.zst", self.scratch / "out"
        self.run_ok("pack", "-T", self.tape, "-O", bundle)
        command = ("unpack", bundle, "-O", out)
        seconds = self.how_long(*command)
        digest = self.tape_digest()
        for _ in range(KILLS):
            shutil.rmtree(out, ignore_errors=True)
            self.kill_at_random(seconds, *command)
            if not out.exists():
                self.run_ok(*command)
            self.run_ok("verify", "-T", out)
            self.assertEqual(self.tape_digest(tape=out), digest)


if __name__ == "__main__":
    unittest.main()

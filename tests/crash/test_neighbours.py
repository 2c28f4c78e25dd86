"""Neighbours that misbehave: files put in a ring's place, and containers that do not share pids."""

import json
import os
import shutil
import socket
import subprocess
import time
import unittest

from tests.support import tapedeck


class Replaced(tapedeck.Case):
    """While a ring is recorded, something else replaces its file. Another ring misses nothing."""

    def replace(self, how, told="quarantined"):
        good = f"good-{how.__name__.strip('_')}"
        tape = self.scratch / good
        for name in ("bad", good):
            self.run_ok("ring", "create", name, "--size", "256K")
        recorder = self.recorder("--ring", "bad", "--ring", good, tape=tape)
        feed = self.start_cli("gen", "--ring", good, "--count", 30000, "--rate", 20000, "--digest")
        liar = self.start_cli("gen", "--ring", "bad", "--count", 1000, "--rate", 10000)
        self.assertEqual(liar.wait(), 0, liar.stderr)
        self.run_ok("flush", "-T", tape) # a hole punched in the file would take ticks that nobody has read yet
        path = self.rings / "bad.ring"
        how(path)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        recorder.wait_line(f"ring bad .*{told}") # the recorder checks it twice a second
        self.assertTrue(recorder.alive(), recorder.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest("--track", good, tape=tape), self.digest_of(feed.stderr))
        self.assertEqual(int(self.run_ok("query", "-T", tape, "--track", "bad", "--count").stdout), 1000)
        self.run_ok("verify", "-T", tape)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)

    def test_by_nothing(self):
        def nothing(path):
            path.unlink()
        self.replace(nothing, "removed: all of it is recorded")

    def test_by_a_fifo(self):
        def fifo(path):
            path.unlink()
            os.mkfifo(path)
        self.replace(fifo)

    def test_by_a_directory(self):
        def directory(path):
            path.unlink()
            path.mkdir()
        self.replace(directory)

    def test_by_a_link(self):
        def link(path):
            path.unlink()
            path.symlink_to("/etc/passwd")
        self.replace(link)

    def test_by_a_socket(self):
        def bind(path):
            path.unlink()
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        self.replace(bind)

    def test_by_random_bytes(self):
        def random_bytes(path):
            path.unlink()
            path.write_bytes(os.urandom(4096 + (256 << 10)))
        self.replace(random_bytes)

    def test_by_holes(self):
        def punched(path):
            subprocess.run(["fallocate", "-p", "-o", "0", "-l", str(path.stat().st_size), path], check=True)
        if shutil.which("fallocate") is None:
            self.skipTest("no fallocate")
        self.replace(punched)


class Junk(tapedeck.Case):
    def test_what_lies_in_the_rings_directory_disturbs_nobody(self):
        self.run_ok("ring", "create", "good", "--size", "256K")
        for name in (b"x" * 255, b"a\nb.ring", b"\x1b[2J.ring", b"..ring", b".ring", b"\xff\xfe.ring", b"c.ring"):
            with open(os.path.join(os.fsencode(self.rings), name), "wb") as file:
                file.write(b"junk")
        os.mkfifo(self.rings / "fifo.ring")
        (self.rings / "loop.ring").symlink_to("loop.ring")
        recorder = self.recorder("--ring", "good", "--ring", "c", "--ring", "fifo", "--ring", "loop")
        feed = self.start_cli("gen", "--ring", "good", "--count", 5000, "--digest")
        self.assertEqual(feed.wait(), 0)
        listed = self.run_ok("ring", "ls", code=3)
        self.assertNotIn(b"\x1b", listed.stdout + listed.stderr.encode())
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        for name in ("c", "fifo", "loop"):
            self.assertIn(f"ring {name} quarantined", recorder.stderr)
        self.assertEqual(self.tape_digest(), self.digest_of(feed.stderr))

    def test_names_that_are_none_are_wrong_usage(self):
        for name in ("../x", "/x", "", "x" * 300, "a\nb", "a\x1bb", ".", ".."):
            self.run_ok("ring", "create", name, code=2)
            done = subprocess.run([tapedeck.BIN / "tapedeck-recorder", "--tape", self.tape, "--ring", name],
                                  env=self.env, capture_output=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 2, name)
            self.assertNotIn(b"\x1b", done.stderr)
            self.assertFalse(self.tape.exists())


class Containers(tapedeck.Case):
    ALONE = ["unshare", "--pid", "--fork", "--kill-child"]

    def setUp(self):
        super().setUp()
        if shutil.which("unshare") is None or subprocess.run(
                [*self.ALONE, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no pid namespace can be made")

    def run_alone(self, *args):
        return subprocess.run([*self.ALONE, tapedeck.BIN / "tapedeck", *args], env=self.env,
                              capture_output=True, text=True, check=False)

    def test_two_readers_with_one_pid_in_two_namespaces_get_the_same_answer(self):
        """LMDB takes them for one process, so the second uses a copy of the index."""
        recorder = self.recorder("--ring", "a", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "a", "--count", 20000, "--rate", 10000)
        self.assertEqual(recorder.stop(), 0)
        digest = self.tape_digest()
        self.run_ok("ring", "create", "out", "--size", "64K")
        player = tapedeck.Program([*self.ALONE, tapedeck.BIN / "tapedeck", "play", "-T", self.tape, "--into",
                                   "out", "--speed", "0.1x"], self.env)
        self.programs.append(player)
        time.sleep(0.5)
        self.assertTrue(player.alive(), player.stderr)
        done = self.run_alone("query", "-T", self.tape, "-o", "none", "--digest")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done.stderr), digest)
        checked = self.run_alone("verify", "-T", self.tape)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertNotIn("index", checked.stderr)
        info = self.run_alone("info", "-T", self.tape, "--json")
        self.assertTrue(json.loads(info.stdout)[0]["index_used"])


if __name__ == "__main__":
    unittest.main()

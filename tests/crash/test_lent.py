"""Rings in memory that are lent to the recorder by feeds that live, die, come too often, or lie."""

import array
import fcntl
import os
import random
import shutil
import socket
import tempfile
import time
import traceback
import unittest

from tests.support import tapedeck
from tests.support.wire import Client, Closed, Error, msgpack

F_ADD_SEALS = 1033
SEALS = 1 | 2 | 4 # seal, shrink, grow


def sealed(size, seals=SEALS, whole=True):
    file = os.memfd_create("lent", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, size)
    if whole:
        os.posix_fallocate(file, 0, size)
    fcntl.fcntl(file, F_ADD_SEALS, seals)
    return file


def as_another(uid, work):
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(uid, uid, uid)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise AssertionError(f"uid {uid}: exit status {status}")


class Lent(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.run_ok("ring", "create", "other", "--size", "256K")
        self.address = f"unix:{self.tape}/recorder.sock"

    def feed(self, count, *args, ring="mine"):
        return self.start_cli("gen", "--ring", ring, "--lend", self.address, "--create", "256K", "--count", count,
                              "--digest", *args)

    def ask(self):
        client = Client(path=self.tape / "recorder.sock")
        self.addCleanup(client.close)
        return client

    def lend(self, client, *files, **params):
        client.id += 1
        message = msgpack.packb([0, client.id, "lend", params])
        client.socket.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
        return client.answer(client.id)

    def test_all_of_it_is_recorded_and_the_ring_is_let_go_of(self):
        recorder = self.recorder("--ring", "other")
        for _ in range(3): # each feed comes and goes with a ring of its own
            said = len(recorder.lines)
            feed = self.feed(20000, "--wait", "10s")
            self.assertEqual(feed.wait(), 0, feed.stderr)
            recorder.wait_line("ring mine was lent, and its feed has ended", after=said)
        self.assertEqual([row["ring"] for row in self.ask().call("status")["rings"]], ["other"])
        self.assertFalse((self.rings / "mine.ring").exists())
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--track", "mine", "--count").stdout), 60000)
        self.run_ok("verify", "-T", self.tape)
        self.run_ok("coverage", "-T", self.tape)

    def test_recorders_that_are_killed_lose_nothing(self):
        recorder = self.recorder("--ring", "other")
        feed = self.feed(60000, "--rate", 20000)
        for _ in range(3):
            recorder.wait_line("ring mine attached")
            time.sleep(random.random() * 0.4)
            recorder.kill()
            recorder = self.recorder("--ring", "other")
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertIn("closed the connection", feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest("--track", "mine"), self.digest_of(feed.stderr))
        self.run_ok("coverage", "-T", self.tape)

    def test_a_feed_that_is_killed_leaves_what_it_had_published(self):
        recorder = self.recorder("--ring", "other")
        feed = self.feed(10_000_000, "--rate", 50000)
        recorder.wait_line("ring mine attached")
        time.sleep(0.5)
        feed.kill()
        recorder.wait_line("ring mine was lent, and its feed has ended")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertGreater(int(self.run_ok("query", "-T", self.tape, "--track", "mine", "--count").stdout), 0)
        self.run_ok("verify", "-T", self.tape)
        self.run_ok("coverage", "-T", self.tape)

    def test_what_is_no_sealed_ring_is_refused(self):
        recorder = self.recorder("--ring", "other")
        plain = tempfile.TemporaryFile()
        self.addCleanup(plain.close)
        plain.truncate(1 << 20)
        folder = os.open("/", os.O_RDONLY)
        for file, word in ((sealed(4096 + (64 << 10), seals=2 | 4), "sealed"), (sealed(4 << 30, whole=False), "more than"),
                           (sealed(4096 + (64 << 10), whole=False), "pages"), (sealed(4096 + (64 << 10)), "not a ring"),
                           (plain.fileno(), "sealed"), (folder, "sealed"), (0, "sealed")):
            with self.assertRaises(Error) as refused:
                self.lend(self.ask(), file, ring="mine")
            self.assertEqual(refused.exception.name, "EHOSTILE")
            self.assertIn(word, refused.exception.message)
        with self.assertRaises(Error) as refused:
            self.ask().call("lend", ring="mine")
        self.assertIn("no file", refused.exception.message)
        before = len(os.listdir(f"/proc/{recorder.pid}/fd"))
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        for _ in range(20):
            with self.assertRaises((Error, Closed)):
                client = self.ask()
                self.lend(client, *files, ring="mine")
                client.message()
        for client in (self.ask(), self.ask()): # a file that no request mentions is closed with its connection
            client.socket.sendmsg([b"\x94"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files[:1]))])
            client.close()
        end = time.monotonic() + 20
        while len(os.listdir(f"/proc/{recorder.pid}/fd")) > before and time.monotonic() < end:
            time.sleep(0.05)
        self.assertLessEqual(len(os.listdir(f"/proc/{recorder.pid}/fd")), before)
        feed = self.feed(1000)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_the_track_that_is_named_with_it_is_the_one_it_goes_to(self):
        self.run_ok("gen", "--ring", "mine", "--create", "256K", "--count", 100)
        ring = (self.rings / "mine.ring").read_bytes()
        self.run_ok("ring", "rm", "mine")
        file = sealed(len(ring))
        os.pwrite(file, ring, 0)
        recorder = self.recorder("--ring", "other")
        recorder.wait_line("ring other attached")
        client = self.ask()
        self.assertEqual(client.call("attach", ring="mine")["track"], "") # the ring is waited for and has no track yet
        for track in ("other", "x", "y"):
            if track == "x":
                self.assertEqual(self.lend(client, file, ring="mine", track=track)["track"], track)
                continue
            with self.assertRaises(Error) as refused:
                self.lend(client, file, ring="mine", track=track)
            self.assertEqual(refused.exception.name, "EEXIST")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--track", "x", "--count").stdout), 100)

    def test_a_feed_that_scribbles_over_its_ring_disturbs_nobody(self):
        recorder = self.recorder("--ring", "other")
        good = self.start_cli("gen", "--ring", "other", "--count", 40000, "--rate", 20000, "--digest")
        liar = self.feed(10_000_000, "--rate", 20000)
        recorder.wait_line("ring mine attached")
        memory = next(f"/proc/{liar.pid}/fd/{fd}" for fd in os.listdir(f"/proc/{liar.pid}/fd")
                      if "memfd:mine" in os.readlink(f"/proc/{liar.pid}/fd/{fd}"))
        with open(memory, "r+b") as ring:
            with self.assertRaises(OSError):
                ring.truncate(0)
            for _ in range(200):
                ring.seek(random.randrange(256 << 10))
                ring.write(os.urandom(4096))
                ring.flush()
        liar.kill()
        self.assertEqual(good.wait(), 0, good.stderr)
        self.assertTrue(recorder.alive(), recorder.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest("--track", "other"), self.digest_of(good.stderr))
        self.run_ok("verify", "-T", self.tape)

    def test_names_that_were_only_lent_leave_room_for_those_that_are_attached(self):
        recorder = self.recorder("--ring", "other")
        for i in range(32):
            feed = self.feed(1, ring=f"lent{i}")
            self.assertEqual(feed.wait(), 0, feed.stderr)
        refused = self.feed(1, ring="lent32")
        self.assertEqual(refused.wait(), 1, refused.stderr)
        self.assertIn("no new name is accepted", refused.stderr)
        again = self.feed(1, ring="lent7")
        self.assertEqual(again.wait(), 0, again.stderr)
        self.ask().call("attach", ring="lent32")
        feed = self.feed(1, ring="lent32")
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), 34)

    @unittest.skipIf(os.getuid() != 0, "only root can be somebody else")
    def test_a_feed_that_is_let_in_for_that_can_do_nothing_else(self):
        for folder in (self.scratch, self.rings):
            folder.chmod(0o755)
        recorder = self.recorder("--ring", "other", "--feed-uid", "4242")
        self.tape.chmod(0o755)
        def ask_for_more():
            with Client(path=self.tape / "recorder.sock") as client:
                client.call("status")
                for method in ("stop", "roll", "attach", "detach", "mark", "seal", "stats"):
                    with self.assertRaises(Error) as refused:
                        client.call(method, ring="other", name="m", first=1, last=1)
                    self.assertEqual(refused.exception.name, "EACCES")
        as_another(4242, ask_for_more)
        program = shutil.copy(tapedeck.BIN / "tapedeck", self.scratch) # the build folder may be closed to others
        feed = self.start(program, "gen", "--ring", "mine", "--lend", self.address, "--create", "256K", "--count", 5000,
                          "--digest", user=4242)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.tape_digest("--track", "mine"), self.digest_of(feed.stderr))

    @unittest.skipIf(os.getuid() != 0, "only root can be somebody else")
    def test_feeds_that_take_every_connection_leave_some_for_users(self):
        for folder in (self.scratch, self.rings):
            folder.chmod(0o755)
        recorder = self.recorder("--ring", "other", "--feed-uid", "4242")
        self.tape.chmod(0o755)
        def crowd():
            taken = []
            os.seteuid(4242)
            with self.assertRaises((Error, Closed, ConnectionError)): # whichever comes first
                for _ in range(1100):
                    taken.append(Client(path=self.tape / "recorder.sock"))
            self.assertEqual(len(taken), 512)
            os.seteuid(0)
            with Client(path=self.tape / "recorder.sock") as client:
                client.call("status")
            for client in taken:
                client.close()
        as_another(0, crowd)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_two_rings_of_one_name_are_not_mixed(self):
        recorder = self.recorder("--ring", "other")
        first = self.feed(100_000, "--rate", 20000)
        recorder.wait_line("ring mine attached")
        second = self.feed(1000)
        self.assertEqual(second.wait(), 1, second.stderr)
        self.assertIn("recorded already", second.stderr)
        third = self.feed(1000, ring="other")
        self.assertEqual(third.wait(), 1, third.stderr)
        self.assertTrue(first.alive(), first.stderr)
        first.stop()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)


if __name__ == "__main__":
    unittest.main()

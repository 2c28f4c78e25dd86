"""Packing segments: by hand, by a recorder, and beside a recorder. No answer of the tape changes."""

import json
import shutil
import signal
import threading
import time
import unittest

from tests.support import tapedeck, wire

SMALL = ("--segment-size", "256K", "--block-size", "16K")


class Packed(tapedeck.Case):
    def record(self, *args, size="4M", **how):
        return self.recorder("--ring", "a", "--create-ring", size, *SMALL, *args, **how)

    def gen(self, count=40000, *args):
        self.run_ok("gen", "--ring", "a", "--count", count, *args)

    def make_tape(self, count=40000):
        recorder = self.record()
        self.gen(count)
        self.assertEqual(recorder.stop(), 0)

    def names(self):
        return sorted(path.name for path in (self.tape / "segments").iterdir())

    def packed(self):
        return [name for name in self.names() if name.endswith(".g1.seg")]

    def plain(self):
        return [name for name in self.names() if name.endswith(".seg") and ".g1." not in name]

    def seal(self, *args, code=0):
        done = self.run_ok("seal", "-T", self.tape, "--json", *args, code=code)
        (row,) = json.loads(done.stdout)
        return row

    def status(self):
        client = wire.Client(self.tape / "recorder.sock")
        try:
            return client.call("status")["seal"]
        finally:
            client.close()

    def wait_packed(self, count):
        end = time.monotonic() + tapedeck.PATIENCE
        while len(self.packed()) < count or self.status()["segment"]:
            self.assertLess(time.monotonic(), end, self.names())
            time.sleep(0.05)


class ByHand(Packed):
    def test_every_answer_stays_and_the_tape_is_smaller(self):
        self.make_tape()
        digest, before = self.tape_digest(), self.names()
        row = self.seal()
        self.assertEqual(row["segments"], len(before))
        self.assertEqual((row["failed"], row["to_do"]), (0, len(before)))
        self.assertLess(row["bytes_after"] * 2, row["bytes_before"])
        self.assertEqual(self.packed(), self.names())
        self.assertEqual(self.tape_digest(), digest)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.seal()["to_do"], 0)

    def test_only_some_and_a_dry_run(self):
        self.make_tape()
        before = self.names()
        self.assertEqual(self.seal("--dry-run")["to_do"], len(before))
        self.assertEqual(self.names(), before)
        self.assertEqual(self.seal("--segments", "2-3")["segments"], 2)
        self.assertEqual([int(name.split(".")[0]) for name in self.packed()], [2, 3])

    def test_one_that_is_damaged_ends_it_unless_it_is_to_go_on(self):
        self.make_tape()
        names = self.names()
        victim = self.tape / "segments" / names[1]
        self.flip(victim, 9000)
        done = self.run_ok("seal", "-T", self.tape, "-j", "1", code=1)
        self.assertIn("the others were not tried; --keep-going tries them", done.stderr)
        self.assertIn(names[2], self.names())
        row = self.seal("--keep-going", code=3)
        self.assertEqual(row["failed"], 1)
        self.assertEqual(self.plain(), [victim.name])

    def test_a_dry_run_beside_a_recorder_only_looks(self):
        recorder = self.record()
        self.gen()
        self.run_ok("flush", "-T", self.tape)
        self.assertGreater(self.seal("--dry-run")["to_do"], 1)
        self.assertEqual(self.packed(), [])
        self.assertEqual(recorder.stop(), 0)

    def test_wrong_usage(self):
        self.make_tape(100)
        self.run_ok("seal", code=2)
        for none in ("3-2", "1-0", "0-1", "0-"):
            self.run_ok("seal", "-T", self.tape, "--segments", none, "--dry-run", code=2)
        self.run_ok("seal", "-T", self.tape, "--level", "99", code=2)
        self.run_ok("seal", "-T", self.scratch / "none", code=1)


class ByTheRecorder(Packed):
    def test_it_packs_what_has_come_of_age_and_goes_on_recording(self):
        recorder = self.record("--seal", "auto", "--seal-after", "0s")
        self.gen()
        self.wait_packed(5)
        self.gen(20000)
        self.run_ok("flush", "-T", self.tape)
        digest = self.tape_digest()
        recorder.wait_line("packed ticks=")
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(self.tape_digest(), digest)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), 60000)
        self.run_ok("verify", "-T", self.tape)
        self.assertFalse([name for name in self.names() if name.endswith("packing")])

    def test_a_verify_that_has_the_file_of_before_open_finds_nothing(self):
        """Or the new file, while the index still points at the old one: the number of the first block is the same."""
        self.make_tape(10000)
        folder, raw, packed = self.tape / "segments", self.scratch / "raw", self.scratch / "packed"
        shutil.copytree(folder, raw)
        self.seal()
        shutil.copytree(folder, packed)
        for kept, indexed in ((raw, packed), (packed, raw)):
            shutil.rmtree(folder)
            shutil.copytree(indexed, folder)
            recorder = self.record()
            for path in indexed.iterdir():
                (folder / path.name).unlink()
            for path in kept.iterdir():
                shutil.copy(path, folder)
            self.run_ok("verify", "-T", self.tape)
            recorder.kill()

    def test_several_workers_pack_several_segments_at_once(self):
        self.make_tape()
        digest, before = self.tape_digest(), self.names()
        recorder = self.record("--cpu-workers", "3", "--seal", "auto", "--seal-after", "0s")
        self.wait_packed(len(before))
        self.gen(20000)
        self.run_ok("roll", "-T", self.tape)
        row = self.seal()
        self.assertEqual((row["failed"], self.status()["left"]), (0, 0))
        self.assertEqual(recorder.stop(), 0)
        packed = [line for line in recorder.lines if " packed ticks=" in line]
        self.assertGreater(len(packed), len(before))
        self.assertEqual(len(packed), len(set(packed)))
        self.assertEqual(self.tape_digest("-n", "40000"), digest)
        self.run_ok("verify", "-T", self.tape)

    def test_cpu_workers_are_from_1_on(self):
        for workers in ("0", "17", "two"):
            refused = self.record("--cpu-workers", workers, ready=False)
            self.assertEqual(refused.wait(), 2)
            refused.wait_line("--cpu-workers")

    def test_what_is_young_stays_until_it_is_asked_for(self):
        recorder = self.record("--seal", "auto", "--seal-after", "1h")
        self.gen()
        self.run_ok("roll", "-T", self.tape)
        self.run_ok("flush", "-T", self.tape)
        digest = self.tape_digest()
        recorder.wait_line("segment 5 sealed")
        self.assertEqual(self.packed(), [])
        row = self.seal("--segments", "2-4")
        self.assertEqual((row["segments"], row["failed"]), (3, 0))
        row = self.seal()
        self.assertGreater(row["segments"], 1)
        self.assertEqual(self.seal()["to_do"], 0)
        self.assertEqual(self.status()["state"], "idle")
        self.assertEqual(self.tape_digest(), digest)
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("verify", "-T", self.tape)

    def test_what_cannot_be_packed_stays_and_the_others_go(self):
        self.make_tape()
        victim = self.tape / "segments" / self.names()[1]
        self.flip(victim, 9000)
        recorder = self.record(ready=False)
        recorder.wait_line("ready")
        row = self.seal(code=3)
        self.assertEqual(row["failed"], 1)
        self.assertEqual(self.plain(), [victim.name])
        self.assertIn("stays as it was", recorder.stderr)
        recorder.stop()

    def test_deleted_while_it_is_packed_is_deleted(self):
        recorder = self.record("--seal", "auto", "--seal-after", "0s")
        for _ in range(4):
            self.gen(20000)
            self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", "2")
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("verify", "-T", self.tape)
        gaps = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=3).stdout)
        self.assertEqual({row["reason"] for row in gaps}, {"retired"})
        left = int(self.run_ok("query", "-T", self.tape, "--count").stdout)
        self.assertEqual(left + sum(row["count"] for row in gaps), 80000)

    def test_readers_meanwhile_see_no_damage(self):
        recorder = self.record("--seal", "auto", "--seal-after", "0s", size="16M")
        stop, bad = threading.Event(), []

        def read():
            while not stop.is_set():
                for args in (("query", "-o", "none", "--digest"), ("coverage",)):
                    done = self.run_cli(args[0], "-T", self.tape, *args[1:])
                    if done.returncode != 0:
                        bad.append((args, done.stderr))

        reader = threading.Thread(target=read)
        self.gen(10000)
        self.run_ok("flush", "-T", self.tape)
        reader.start()
        try:
            self.gen(40000)
            self.wait_packed(8)
        finally:
            stop.set()
            reader.join()
        self.assertEqual(bad, [])
        self.assertEqual(recorder.stop(), 0)

    def pack_slowly(self, size="4M", *options):
        """A recorder that has begun to pack one large segment at the slowest level."""
        recorder = self.recorder("--ring", "a", "--create-ring", size, "--segment-size", "1G", "--seal-level", "19", *options)
        self.gen(400000)
        self.run_ok("roll", "-T", self.tape)
        self.run_ok("flush", "-T", self.tape)
        self.wait_for(lambda: "0000000001.seg" in self.names()) # the segment is durable before it is sealed
        with wire.Client(self.tape / "recorder.sock") as client:
            self.wait_for(lambda: client.call("seal", first=1, last=1) is not None and self.status()["state"] == "packing")
        return recorder

    def wait_state(self, *wanted):
        end = time.monotonic() + tapedeck.PATIENCE
        while self.status()["state"] not in wanted:
            self.assertLess(time.monotonic(), end, self.status())
        return self.status()

    def test_it_holds_still_while_a_ring_is_full(self):
        # With at most four such small writes in flight, the ring is full long enough for the recorder to see it.
        recorder = self.pack_slowly("32M", "--block-size", "16K", "--buffer-memory", "4M")
        recorder.signal(signal.SIGSTOP) # so that the ring fills up with more than a few turns of the loop take out
        self.run_ok("gen", "--ring", "a", "--count", 400000, "--no-wait", code=3)
        recorder.signal(signal.SIGCONT)
        self.wait_state("paused")
        self.wait_state("packing", "idle", "off") # it goes on when there is room again
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.run_ok("verify", "-T", self.tape)

    def test_a_stop_in_the_middle_gives_up_what_is_half_packed(self):
        recorder = self.pack_slowly()
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertIn("0000000001.seg", self.names(), recorder.stderr) # otherwise the packing was already done
        digest = self.tape_digest()
        self.assertFalse([name for name in self.names() if name.endswith("packing")])
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.tape_digest(), digest)
        self.assertEqual(self.seal("--level", "1")["failed"], 0)
        self.assertEqual(self.tape_digest(), digest)

    def test_killed_at_any_moment_the_next_start_goes_on(self):
        total = 0
        for at in range(4):
            recorder = self.record("--seal", "auto", "--seal-after", "0s")
            self.gen(20000)
            total += 20000
            recorder.wait_line("packed ticks=")
            time.sleep(0.013 * at)
            recorder.signal(signal.SIGKILL)
            recorder.wait()
        recorder = self.record("--seal", "auto", "--seal-after", "0s")
        self.run_ok("flush", "-T", self.tape)
        digest = self.tape_digest()
        self.seal()
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), total)
        self.assertEqual(self.tape_digest(), digest)
        self.run_ok("verify", "-T", self.tape)


if __name__ == "__main__":
    unittest.main()

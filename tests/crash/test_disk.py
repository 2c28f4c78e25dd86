"""The recorder on disks that are full, fail, or hang: nothing is lost, and it says what it is doing.

The faults come from a preloaded library (../shared/tools/faultshim.c), from strace, and from the kernel
(a tmpfs that is too small, limits). A test whose source of faults is not available is skipped.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from tests.support import tapedeck, wire
from tests.support.tapedeck import LOSS

SMALL = ("--block-size", "16K", "--segment-size", "256K", "--buffer-memory", "4M")
SHIM_SOURCE = tapedeck.SHARED / "tools" / "faultshim.c"


class Disk(tapedeck.Case):
    """A ring `a` is recorded to a tape on a bad disk. Then a recorder on a good disk must find everything."""

    def setUp(self):
        super().setUp()
        self.run_ok("ring", "create", "a", "--size", "4M")

    def shim(self):
        """Build the library that makes calls fail. Returns its path."""
        if not SHIM_SOURCE.exists():
            self.skipTest(f"no {SHIM_SOURCE} (set TDK_SHARED)")
        library = self.scratch / "faultshim.so"
        if not library.exists():
            subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-w", "-o", library, SHIM_SOURCE, "-ldl"],
                           check=True)
        return library

    def faulty(self, rule, *args, path="/segments/", **how):
        """A recorder whose calls on files under `path` fail according to `rule`."""
        good = self.env
        self.env = {**good, "LD_PRELOAD": str(self.shim()), "FAULT": rule, "FAULT_PATH": path,
                    "FAULT_LOG": str(self.scratch / "fired")}
        try:
            return self.recorder("--ring", "a", *SMALL, *args, **how)
        finally:
            self.env = good

    def fired(self):
        log = self.scratch / "fired"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def feed(self, count=40000, rate=40000):
        return self.start_cli("gen", "--ring", "a", "--count", count, "--rate", rate, "--digest")

    def produced(self):
        return self.ring_info("a")

    def check_all_there(self, tape=None):
        """Run a recorder on a good disk. Then every tick must be there once and in order, and every loss exact."""
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        info, seq, ticks = self.produced(), 0, 0
        for frame in self.frames(tape=tape, code=3 if int(info["lost"]) else 0):
            if frame.type == LOSS:
                self.assertEqual(int.from_bytes(frame.payload[0:8], "little"), seq + 1)
                seq += int.from_bytes(frame.payload[8:16], "little")
            elif frame.is_tick():
                self.assertEqual(frame.seq, seq + 1)
                seq += 1
                ticks += 1
        self.assertEqual(ticks, int(info["produced"]))
        self.assertEqual(seq - ticks, int(info["lost"]))
        self.run_ok("verify", "-T", tape or self.tape)


class Failing(Disk):
    def test_a_write_that_fails_goes_to_a_fresh_segment(self):
        self.shim() # skip the whole test without it
        for rule in ("pwrite@12=EIO", "pwrite@9=short:100", "pwrite@20..21=EIO"):
            with self.subTest(rule):
                recorder = self.faulty(rule)
                feed = self.feed(20000)
                self.assertEqual(feed.wait(), 0, feed.stderr)
                self.assertEqual(recorder.stop(), 0, recorder.stderr)
                self.assertGreater(self.fired(), 0)
                if "EIO" in rule:
                    self.assertIn("going on in a fresh segment", recorder.stderr)
        self.check_last_feed()

    def test_only_failures_in_a_row_end_it(self):
        """The syncs in between succeeded."""
        failing = (12, 80, 150, 220)
        recorder = self.faulty(";".join(f"pwrite@{n}=EIO" for n in failing), "--sync", "batch")
        feed = self.feed(60000)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(self.fired(), len(failing))
        self.check_all_there()

    def test_a_quota_that_is_used_up_is_a_full_disk(self):
        recorder = self.faulty("pwrite@12..20=EDQUOT")
        feed = self.feed(20000)
        recorder.wait_line("degraded: no space")
        recorder.wait_line("there is space again")
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertNotIn("fresh segment", recorder.stderr)
        self.check_all_there()

    def test_what_found_no_space_goes_out_as_it_was(self):
        """Later writes were in flight at the same time, and there was space for them."""
        self.shim()
        self.run_ok("gen", "--ring", "a", "--count", 30000)
        recorder = self.faulty("pwrite@12=ENOSPC")
        recorder.wait_line("there is space again")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.check_all_there()

    def check_last_feed(self):
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), 60000)
        self.run_ok("verify", "-T", self.tape)

    def test_after_three_failed_segments_it_ends_and_the_ring_keeps_its_ticks(self):
        recorder = self.faulty("pwrite@6+=EIO")
        feed = self.feed(20000)
        self.assertEqual(recorder.wait(), 1)
        self.assertIn("giving up", recorder.stderr)
        self.assertEqual(feed.wait(), 0)
        self.check_all_there()

    def test_a_sync_that_failed_is_never_asked_for_again_on_its_file(self):
        if shutil.which("strace") is None:
            self.skipTest("no strace")
        trace = self.scratch / "trace"
        recorder = tapedeck.Program(
            ["strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=fdatasync,fsync", "-e",
             "inject=fdatasync:error=EIO:when=3", tapedeck.BIN / "tapedeck-recorder", "--tape", self.tape,
             "--ring", "a", *SMALL, "--sync", "interval:20ms"], self.env)
        self.programs.append(recorder)
        recorder.wait_line(r"^ready ")
        feed = self.feed(20000)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        for child in self.children(recorder.pid):
            os.kill(child, signal.SIGTERM)
        self.assertIn(recorder.wait(), (0, 1), recorder.stderr)
        syncs = re.findall(r"(?:fdatasync|fsync)\(\d+<([^>]*)>\)\s+= (-?\d+)", trace.read_text())
        failed = [i for i, (_, code) in enumerate(syncs) if code == "-1"]
        self.assertTrue(failed)
        for i in failed:
            self.assertNotIn(syncs[i][0], [path for path, _ in syncs[i + 1:]])
        self.check_all_there()

    def test_nor_is_one_at_a_segments_end(self):
        """Where nothing was synced before, this sync is the only one that covers the blocks."""
        recorder = self.faulty("fsync@3..6=EIO", "--sync", "none")
        self.assertEqual(self.feed(20000).wait(), 0)
        recorder.wait_line(r"Input/output error; segment \d+ is left unsealed")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertGreater(len(list((self.tape / "segments").glob("*.open"))), 0)
        self.check_all_there()

    @staticmethod
    def children(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def test_no_memory_after_the_ready_line_ends_no_process_by_a_signal(self):
        chance = [300, 500, 700, 900, 1200, 1600, 2200, 3000]
        for at in chance:
            recorder = self.faulty(f"malloc@{at}..{at + 20}=null", ready=False)
            feed = self.feed(4000)
            feed.wait()
            recorder.wait_ready()
            if recorder.alive():
                recorder.signal(signal.SIGTERM)
            self.assertIn(recorder.wait(), (0, 1), f"malloc {at}: {recorder.stderr}")
        self.check_epochs(len(chance) * 4000)

    def check_answers(self, recorder, count, index_used):
        """Check what readers say of the live tape, whether they use its index or not. While they read, the recorder
        is stopped, so that it does not try again."""
        self.run_ok("flush", "-T", self.tape)
        recorder.signal(signal.SIGSTOP)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), count)
        self.assertIn(f"whole: {count} ticks", self.run_ok("coverage", "-T", self.tape, "--json").stderr)
        recorder.signal(signal.SIGCONT)
        info = json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)[0]
        self.assertEqual(info["index_used"], index_used)
        self.assertEqual(info["state"], "ok" if index_used else "degraded: index")

    def test_an_index_that_cannot_be_written_is_not_asked_and_catches_up(self):
        recorder = self.faulty("pwrite@8..18=ENOSPC", path="/index/")
        for round_ in range(3):
            self.assertEqual(self.feed(7000).wait(), 0)
            if round_ == 0:
                recorder.wait_line("degraded: index: .*No space")
            self.check_answers(recorder, 7000 * (round_ + 1), index_used=round_ == 2)
            if round_ == 1:
                recorder.wait_line("the index has caught up")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertTrue((self.tape / "index" / "clean").exists())
        self.check_epochs(21000)

    def remedies(self, finding):
        findings = json.loads(self.run_cli("check", "-T", self.tape, "--json").stdout)[0]["findings"]
        return [found["remedy"] for found in findings if found["text"] == finding]

    def test_an_index_that_fails_for_good_stops_neither_recording_nor_retention(self):
        recorder = self.faulty("pwrite@8+=EIO", "--retain-max-segments", "4", path="/index/")
        self.assertEqual(self.feed(20000).wait(), 0)
        recorder.wait_line("degraded: index")
        self.wait_for(lambda: any("restart the recorder" in remedy for remedy in self.remedies("degraded: index")))
        self.assertEqual(self.feed(20000).wait(), 0)
        self.run_ok("flush", "-T", self.tape)
        self.wait_for(lambda: len(list((self.tape / "segments").glob("*.seg"))) <= 4)
        last = self.run_ok("query", "-T", self.tape, "-n", "1", "--reverse", "-o", "frames").stdout
        self.assertEqual(list(tapedeck.parse_frames(last))[0].seq, 20000)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.run_ok("verify", "-T", self.tape)

    def fires_in(self, index, before):
        """Wait for the fault. False: the index was written, then not for a second, so there was no such call."""
        written, at = before, time.monotonic()
        while not self.fired():
            now = index.stat().st_mtime_ns
            if now != written:
                written, at = now, time.monotonic()
            elif written != before and time.monotonic() - at > 1:
                return False
            self.assertLess(time.monotonic() - at, tapedeck.PATIENCE, "nothing left the index")
            time.sleep(0.01)
        return True

    def test_what_is_deleted_leaves_the_index_when_that_can_be_written_again(self):
        """It leaves in several transactions. Whichever of their writes fails, even a head's, the rest is right."""
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(self.feed(40000).wait(), 0)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        left = len(list((self.tape / "segments").glob("*.seg")))
        index = self.tape / "index" / "data.mdb"
        for at in range(1, left):
            (self.scratch / "fired").unlink(missing_ok=True)
            recorder = self.faulty(f"pwrite@{at}=ENOSPC", path="/index/")
            before = index.stat().st_mtime_ns
            left -= 1
            self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", left)
            if not self.fires_in(index, before):  # then the mark at the end is what cannot be written
                recorder.stop()
                break
            recorder.wait_line("No space left on device; what was deleted stays in it")
            recorder.wait_line("what was deleted has left the index")
            self.assertEqual(recorder.stop(), 0, recorder.stderr)
            self.assertTrue((self.tape / "index" / "clean").exists())
            self.run_ok("verify", "-T", self.tape)
        self.assertGreater(at, 2)

    def check_epochs(self, count):
        recorder = self.recorder("--ring", "a", *SMALL)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count").stdout), count)


class Slow(Disk):
    def reads_of(self, trace):
        return trace.read_text().count(".seg>") if trace.exists() else 0

    def interrupted(self, trace, *command):
        """Start a command that reads a block each 100 ms, and interrupt it after some blocks."""
        if shutil.which("strace") is None:
            self.skipTest("no strace")
        program = tapedeck.Program(
            ["strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=100000",
             tapedeck.BIN / "tapedeck", *command], self.env)
        self.programs.append(program)
        self.wait_for(lambda: self.reads_of(trace) >= 10)
        for child in Failing.children(program.pid):
            os.kill(child, signal.SIGINT)
        return program

    def test_a_search_in_which_nothing_passes_ends_when_it_is_interrupted(self):
        recorder = self.recorder("--ring", "a", "--block-size", "16K")
        self.assertEqual(self.feed(40000, 400000).wait(), 0)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        whole = json.loads(self.run_ok("query", "-T", self.tape, "--explain", "--json").stdout)[0]["blocks"]
        for i, command in enumerate((("query", "-o", "frames"), ("query", "--count"), ("digest",), ("tail",))):
            with self.subTest(command):
                trace = self.scratch / f"trace{i}"
                program = self.interrupted(trace, *command, "-t", "77", "-T", self.tape)
                self.assertEqual(program.wait(), 1, program.stderr)
                self.assertIn("interrupted", program.stderr)
                self.assertLess(self.reads_of(trace), whole / 2)


class Limited(Disk):
    def test_a_file_may_not_be_as_large_as_a_segment(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (128 << 10, 128 << 10))
        done = subprocess.run(
            [tapedeck.BIN / "tapedeck-recorder", "--tape", self.tape, "--ring", "a", *SMALL],
            env=self.env, capture_output=True, timeout=tapedeck.PATIENCE, preexec_fn=limit, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"File too large", done.stderr)
        self.check_all_there()

    def test_out_of_descriptors_is_waited_out(self):
        recorder = self.recorder("--ring", "a", *SMALL)
        feed = self.feed(60000, 30000)
        limits = resource.prlimit(recorder.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(recorder.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        recorder.wait_line("Too many open files")
        time.sleep(0.5)
        resource.prlimit(recorder.pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.check_all_there()


class Hanging(Disk):
    def test_a_disk_that_hangs_ends_a_stop_at_its_deadline_and_loses_nothing(self):
        recorder = self.faulty("pwrite@8+=delay:20000")
        feed = self.feed(20000)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        recorder.signal(signal.SIGUSR1)
        recorder.wait_line("state=", timeout=tapedeck.SOON) # it still answers
        begun = time.monotonic()
        self.assertEqual(recorder.stop(), 1, recorder.stderr)
        self.assertLess(time.monotonic() - begun, tapedeck.SOON)
        self.check_all_there()

    def test_an_index_that_hangs_keeps_no_ring_from_being_attached(self):
        recorder = self.faulty("pwrite@3+=delay:20000", "--ring", "b", path="/index/")
        feed = self.feed(20000)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.wait_for(lambda: self.fired() > 0)
        self.run_ok("ring", "create", "b", "--size", "1M")
        recorder.wait_line("ring b attached", timeout=tapedeck.SOON)
        self.assertEqual(recorder.stop(), 1, recorder.stderr)
        self.check_all_there()

    def test_a_feed_that_ends_while_the_recorder_ends_loses_nothing(self):
        recorder = self.faulty("pwrite@8+=delay:45")
        feed = self.feed(24000, 40000)
        time.sleep(0.5)
        recorder.signal(signal.SIGTERM) # what is published from here on is left to the next recorder
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.wait(), 0, recorder.stderr)
        self.check_all_there()

    def test_a_sync_that_takes_long_holds_the_watermark_and_nothing_else(self):
        recorder = self.faulty("fdatasync@2=delay:600000")
        feed = self.feed(10_000_000, 20000)
        self.wait_for(lambda: self.fired() > 0)
        with wire.Client(self.tape / "recorder.sock") as client:
            def ring():
                return client.call("status")["rings"][0]

            durable = ring()["durable"]
            self.wait_for(lambda: ring()["written"] > durable and ring()["fill"] > 1 << 20)
            self.assertEqual(ring()["durable"], durable)
        feed.signal(signal.SIGINT)
        self.assertEqual(feed.wait(), 1, feed.stderr)
        recorder.kill()
        self.check_all_there()


class Full(Disk):
    def setUp(self):
        super().setUp()
        self.small = self.scratch / "small"
        self.small.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.small],
                              capture_output=True, check=False)
        if made.returncode != 0:
            self.skipTest(f"no tmpfs can be mounted: {made.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.small], check=False)
        self.addCleanup(self._end_programs)

    def fill(self):
        filler = self.small / "filler"
        with open(filler, "ab", buffering=0) as file:
            for size in (64 << 10, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass
        return filler

    def test_a_full_disk_is_waited_out_and_its_losses_are_exact(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        filler = self.fill()
        feed = self.start_cli("gen", "--ring", "a", "--count", 200000, "--rate", 100000, "--no-wait")
        recorder.wait_line("No space left|no space")
        recorder.signal(signal.SIGUSR1)
        recorder.wait_line("state=degraded: no space")
        info = self.run_ok("info", "-T", tape, "--json").stdout
        self.assertEqual(json.loads(info)[0]["state"], "degraded: no space")
        time.sleep(2)
        self.assertTrue(recorder.alive())
        before = len(recorder.lines)
        filler.unlink()
        freed = time.monotonic()
        recorder.wait_line("there is space again", after=before)
        self.assertLess(time.monotonic() - freed, tapedeck.SOON) # it takes 1 s; the host may be busy
        subprocess.run(["mount", "-o", "remount,size=200m", self.small], check=True)
        feed.wait()
        self.run_ok("flush", "-T", tape)
        self.wait_for(lambda: json.loads(self.run_ok("info", "-T", tape, "--json").stdout)[0]["state"] == "ok")
        live = self.run_ok("query", "-T", tape, "--count").stdout # the index is complete again
        self.assertEqual(int(live), int(self.produced()["produced"]))
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertGreater(int(self.produced()["lost"]), 0)
        self.check_all_there(tape=tape)
        gaps = json.loads(self.run_cli("gaps", "-T", tape, "--json").stdout)
        self.assertEqual({gap["reason"] for gap in gaps}, {"no space"})

    def test_a_start_on_a_full_disk_waits_for_room_or_makes_it(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.run_ok("gen", "--ring", "a", "--count", 10000)
        for how in ((), ("--retain-max-segments", "2")):
            self.assertEqual(recorder.stop(), 0, recorder.stderr)
            filler = self.fill()
            recorder = self.recorder("--ring", "a", *SMALL, *how, tape=tape)
            recorder.wait_line("create .*: No space left on device; trying again each second"
                               "|allocate 256K for .*: No space left on device; trying again each second")
            self.run_ok("gen", "--ring", "a", "--count", 1000)
            if not how:
                filler.unlink()
            recorder.wait_line("there is space again")
            self.run_ok("flush", "-T", tape)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        retired = json.loads(self.run_cli("gaps", "-T", tape, "--json").stdout)
        self.assertEqual({gap["reason"] for gap in retired}, {"retired"})
        left = int(self.run_ok("query", "-T", tape, "--count").stdout)
        self.assertEqual(left + sum(gap["count"] for gap in retired), 12000)
        self.run_ok("verify", "-T", tape)

    def test_without_an_index_on_a_full_disk_nothing_dies(self):
        tape = self.small / "tape"
        self.run_ok("import", "-", "-T", tape, "--track", "x", "--format", "lines", stdin=b"1 a\n2 b\n")
        for path in (tape / "index").iterdir():
            path.unlink()
        filler = self.fill()
        for command in (["reindex"], ["recover"]):
            done = self.run_ok(*command, "-T", tape, code=1)
            self.assertIn("No space left", done.stderr)
        recorder = self.recorder("--ring", "a", tape=tape)
        recorder.wait_line("degraded: index: .*No space left.*the next start builds it anew")
        self.assertEqual(self.run_ok("query", "-T", tape, "--count").stdout, b"2\n")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        filler.unlink()
        recorder = self.recorder("--ring", "a", tape=tape)
        recorder.wait_line("index rebuilt")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.assertNotIn("degraded", recorder.stderr)

    def test_a_recorder_that_was_killed_on_a_full_disk_starts_and_makes_room(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.run_ok("gen", "--ring", "a", "--count", 20000)
        self.run_ok("flush", "-T", tape)
        for how in ("recorder", "by hand"):
            recorder.kill()
            for path in (tape / "index").iterdir():
                path.unlink()  # what a recorder left behind may be no larger than the room for a new one
            self.fill()
            if how == "by hand":
                self.run_ok("retain", "apply", "-T", tape, "--max-segments", "2")
            recorder = self.recorder("--ring", "a", *SMALL, "--retain-max-segments", "4", tape=tape)
            self.run_ok("gen", "--ring", "a", "--count", 1000)
            self.run_ok("flush", "-T", tape)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        gaps = json.loads(self.run_cli("gaps", "-T", tape, "--json").stdout)
        self.assertEqual({gap["reason"] for gap in gaps}, {"retired"})
        left = int(self.run_ok("query", "-T", tape, "--count").stdout)
        self.assertEqual(left + sum(gap["count"] for gap in gaps), 22000)
        self.run_ok("verify", "-T", tape)

    def test_a_torn_tail_is_cut_and_kept_on_a_full_disk(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.run_ok("gen", "--ring", "a", "--count", 100)
        self.run_ok("flush", "-T", tape)
        recorder.kill()
        segment = tape / "segments" / "0000000001.open"
        size = len(segment.read_bytes().rstrip(b"\0"))
        tail = -(-size // 4096) * 4096
        with open(segment, "r+b") as file:  # as a write leaves it that was under way when the power was cut
            file.seek(tail)
            file.write(b"torn" * 10000)
        self.fill()
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        recorder.wait_line("segment 1: .* bytes of a write that was never completed cut")
        self.assertIn(b"torn" * 10000, (tape / "quarantine" / "0000000001.torn").read_bytes())
        self.assertEqual(self.run_ok("query", "-T", tape, "--count").stdout, b"100\n")

    def test_a_torn_tail_for_which_there_is_no_room_is_not_cut(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.run_ok("gen", "--ring", "a", "--count", 100)
        self.run_ok("flush", "-T", tape)
        recorder.kill()
        segment = tape / "segments" / "0000000001.open"
        content = segment.read_bytes()
        tail = -(-len(content.rstrip(b"\0")) // 4096) * 4096
        with open(segment, "r+b") as file:
            file.seek(tail)
            file.write(b"torn" * ((len(content) - tail) // 4))  # up to its end: nothing is allocated ahead
        filler = self.fill()
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape, ready=False)
        self.assertEqual(recorder.wait(), 1)
        self.assertIn("quarantine/0000000001.torn: No space left on device", recorder.stderr)
        self.assertNotIn("cut at offset", recorder.stderr)
        self.assertEqual(list((tape / "quarantine").iterdir()), [])
        filler.unlink()
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.assertEqual(len((tape / "quarantine" / "0000000001.torn").read_bytes()), len(content) - tail)
        self.assertEqual(self.run_ok("query", "-T", tape, "--count").stdout, b"100\n")

    def test_on_a_disk_without_a_byte_left_segments_can_be_deleted(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        self.run_ok("gen", "--ring", "a", "--count", 10000)
        self.run_ok("flush", "-T", tape)
        for keep in (3, 2):
            self.fill()
            self.assertEqual(os.statvfs(self.small).f_bavail, 0)
            self.run_ok("retain", "apply", "-T", tape, "--max-segments", keep)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.fill()
        self.run_ok("retain", "apply", "-T", tape, "--max-segments", 1)
        self.run_ok("verify", "-T", tape)

    def test_a_seal_makes_the_room_that_the_recorder_waits_for_or_says_that_it_cannot(self):
        tape = self.small / "tape"
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        filler = self.fill()
        made = len(list((tape / "segments").iterdir()))
        # Room for five segments and the index, but not for the sixth, which is made ahead.
        os.truncate(filler, filler.stat().st_size - (5 - made) * (256 << 10) - (192 << 10))
        self.run_ok("gen", "--ring", "a", "--count", 10000)
        self.run_ok("flush", "-T", tape)
        recorder.wait_line("No space left")
        self.fill()
        told = self.run_ok("seal", "-T", tape, "--segments", "1-3", code=3).stderr
        self.assertIn("1 segment could not be packed", told)
        recorder.wait_line("packing: .*No space left")
        os.truncate(filler, filler.stat().st_size - (128 << 10)) # too little for the next segment
        row = json.loads(self.run_ok("seal", "-T", tape, "--segments", "1-3", "--json").stdout)[0]
        self.assertEqual((row["segments"], row["failed"]), (3, 0))
        recorder.wait_line("there is space again")
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def test_a_move_makes_the_room_that_the_recorder_waits_for(self):
        tape, other = self.small / "tape", self.scratch / "other"
        other.mkdir()
        recorder = self.recorder("--ring", "a", *SMALL, tape=tape)
        feed = self.start_cli("gen", "--ring", "a", "--count", 100000)
        recorder.wait_line("No space left|no space")
        self.run_ok("move", other, "-T", tape)
        recorder.wait_line("there is space again")
        subprocess.run(["mount", "-o", "remount,size=200m", self.small], check=True)
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.check_all_there(tape=tape)


if __name__ == "__main__":
    unittest.main()

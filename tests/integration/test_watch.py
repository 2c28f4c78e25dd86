"""stat, check and doctor: the commands that the person on call types."""

import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from tests.support import tapedeck


class Watch(tapedeck.Case):
    def recording(self, *args):
        return self.recorder("--ring", "a", "--ring", "b=bb", "--create-ring", "1M", *args)

    def settled(self, ticks):
        """Wait until the recorder has counted `ticks` ticks of ring a, all durable. Returns its status."""
        for _ in range(600):
            status = json.loads(self.run_ok("stat", "recorder", "--json").stdout)[0]
            ring = next((ring for ring in status["rings"] if ring["name"] == "a"), None)
            if ring and ring["ticks"] == ticks and ring["durable"] == ring["written"] == ring["produced"]:
                return status
            self.pause()
        self.fail(f"{ticks} ticks were never counted: {status}")

    @staticmethod
    def pause():
        time.sleep(0.05)

    # ---- stat ----

    def test_stat_tells_what_was_recorded(self):
        self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "5000")
        status = self.settled(5000)
        self.assertEqual((status["daemon"], status["state"], status["segment"]), ("recorder", "ok", 1))
        ring, other = status["rings"]
        for key, value in {"track": "a", "produced": 5000, "durable": 5000, "lost": 0,
                           "lost_total": 0, "fill": 0, "state": "ok"}.items():
            self.assertEqual(ring[key], value, key)
        self.assertEqual((other["track"], other["produced"]), ("bb", 0))
        self.assertGreater(status["counters"]["recorder_written"], 0)

    def test_losses_are_counted_while_nobody_records_and_told_when_somebody_does(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.run_ok("gen", "--ring", "a", "--count", "5000", "--no-wait", code=3)
        self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "10")
        for _ in range(600):
            status = json.loads(self.run_ok("stat", "--json").stdout)[0]
            if status["rings"] and status["rings"][0]["lost_total"] > 1000:
                break
            self.pause()
        self.assertGreater(status["rings"][0]["lost_total"], 1000)
        self.assertEqual(status["rings"][0]["lost"], 0)  # lost counts this epoch only
        self.assertRegex(self.check(code=1), r"^warning: \d+ ticks lost since it started\n$")
        self.assertRegex(self.check("--recent", "1ns"), r"^ok: 2 of 2 rings recorded; \d+ ticks lost since it started;")

    def test_stat_goes_on_and_tells_rates(self):
        self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "100")
        self.settled(100)
        lines = self.run_ok("stat", "-i", "50ms", "-n", "3").stdout.decode().splitlines()
        heads = [line for line in lines if line.startswith("name\t")]
        self.assertEqual(len(heads), 3)
        rate = heads[0].split("\t").index("ticks_s")
        rows = [line.split("\t") for line in lines if line.startswith("a\t")]
        self.assertEqual(rows[0][rate], "")
        self.assertEqual(rows[2][rate], "0")

    def test_stat_ends_when_nobody_reads_it_any_more(self):
        self.recording()
        for args in ((), ("--json",), ("--all",), ("-a", f"unix:{self.tape}/recorder.sock")):
            stat = self.start_cli("stat", "-i", "10ms", *args, stdout=subprocess.PIPE)
            self.assertTrue(stat.process.stdout.readline())
            stat.process.stdout.close()
            self.assertEqual(stat.wait(), 0, stat.stderr)

    def test_all_counters_have_names_and_help(self):
        self.recording()
        rows = self.run_ok("stat", "--all").stdout.decode().splitlines()
        self.assertEqual(rows[0].split("\t"), ["daemon", "counter", "ring", "track", "value", "help"])
        for row in rows[1:]:
            self.assertTrue(all(row.split("\t")[column] for column in (0, 1, 4, 5)), row)

    def test_of_many_daemons_none_is_left_out(self):
        self.recording()
        page = next(self.rings.glob("recorder-*.counters"))
        for number in range(40):
            other = self.rings / f"recorder-{number:032x}.counters"
            shutil.copy(page, other)
            living = open(other, "rb")
            self.addCleanup(living.close)
            fcntl.flock(living, fcntl.LOCK_EX)
        self.assertEqual(len(json.loads(self.run_ok("stat", "--json").stdout)), 41)

    def test_nobody_there_is_6_and_a_killed_recorder_is_nobody(self):
        self.run_ok("stat", code=6)
        recorder = self.recording()
        self.run_ok("stat", "-T", self.tape)
        self.assertIn("no replayer runs here", self.run_ok("stat", "replayer", "-T", self.tape, code=6).stderr)
        recorder.kill()
        self.run_ok("stat", "-T", self.tape, code=6)
        self.run_ok("stat", "-T", self.scratch / "nowhere", code=1)
        self.run_ok("stat", "players", code=2)
        self.assertIn("--interval", self.run_ok("stat", "-n", "2", code=2).stderr)

    # ---- check ----

    def check(self, *args, code=0):
        return self.run_ok("check", "-T", self.tape, "--free-warning", "0", "--free-critical", "0",
                           *args, code=code).stdout.decode()

    def check_says(self, pattern):
        done = self.run_cli("check", "-T", self.tape, "--free-warning", "0", "--free-critical", "0")
        return re.search(pattern, done.stdout.decode())

    def test_a_tape_that_is_recorded_is_ok_in_each_form(self):
        self.recording()
        self.assertRegex(self.check(), r"^ok: 2 of 2 rings recorded; 0 ticks lost since it started; .* free\n$")
        self.assertRegex(self.check("-o", "nagios"),
                         r"^TAPEDECK OK - [^|\n]+ \| rings=2 ring_fill=\S+% .*disk_free=\d+B\n$")
        report = json.loads(self.check("--json"))[0]
        self.assertEqual((report["status"], report["exit"], report["values"]["rings"]), ("ok", 0, 2))
        self.assertIsInstance(report["values"]["disk_free"], int)  # exact, not rounded
        metrics = self.check("-o", "prometheus")
        self.assertIn(f'tapedeck_check_status{{tape="{self.tape}"}} 0\n', metrics)

    def test_each_end_of_a_recorder_has_its_level(self):
        recorder = self.recording()
        self.assertEqual(recorder.stop(), 0)
        self.assertRegex(self.check(code=1), "^warning: no recorder runs; the last one ended in order")
        self.assertRegex(self.check("--archive"), "^ok: nobody records it")
        self.recording().kill()
        self.assertRegex(self.check(code=2), "^critical: no recorder runs, and the last one was killed")

    def test_a_recorder_with_another_rings_directory_is_not_taken_for_a_dead_one(self):
        self.recording()
        elsewhere = dict(self.env, TAPEDECK_RINGS=str(self.scratch))
        done = self.run_cli("check", "-T", self.tape, "--free-warning", "0", "--free-critical", "0", env=elsewhere)
        self.assertEqual(done.stdout.decode(), "warning: something writes the tape, but no recorder's counters are in "
                         f"{self.scratch}\n")

    def test_a_copy_is_not_recorded_because_the_tape_with_its_id_is(self):
        self.recording()
        copy = self.scratch / "copy"
        shutil.copytree(self.tape, copy, ignore=shutil.ignore_patterns("*.sock"))
        self.assertRegex(self.check(), "^ok: 2 of 2 rings recorded")
        done = self.run_cli("check", "-T", copy, "--free-warning", "0", "--free-critical", "0")
        self.assertRegex(done.stdout.decode(), "^critical: no recorder runs")
        self.run_ok("stat", "-T", copy, code=6)
        self.run_ok("stat", "-T", self.tape)

    def test_a_stopped_loop_is_critical(self):
        recorder = self.recording()
        os.kill(recorder.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, recorder.pid, signal.SIGCONT)
        for _ in range(600):
            done = self.run_cli("check", "-T", self.tape)
            if done.returncode == 2:
                break
            self.pause()
        self.assertRegex(done.stdout.decode(), "^critical: the recorder has not moved for")
        status = json.loads(self.run_ok("stat", "-T", self.tape, "--json").stdout)[0]
        self.assertEqual([status["state"], *(ring["state"] for ring in status["rings"])], ["hangs"] * 3)

    def test_a_ring_that_is_waited_for_and_one_that_is_none_are_told(self):
        (self.rings / "b.ring").write_bytes(b"no ring")
        self.recorder("--ring", "a", "--ring", "b")
        self.assertRegex(self.check(code=2), "^critical: ring b is quarantined; ring a is not in .*; 0 of 2 rings recorded")

    def test_a_ring_that_is_waited_for_is_named_by_log_counters_and_check(self):
        recorder = self.recorder("--ring", "a", "--ring", "typo")
        self.assertEqual(recorder.stderr.count(f"ring typo is not in {self.rings}; waiting for it"), 1)
        self.run_ok("ring", "create", "a", "--size", "64K", "--track", "venue.a")
        self.wait_for(lambda: "1 of 2 rings" in self.run_cli("check", "-T", self.tape).stdout.decode())
        self.assertRegex(self.check(code=1),
                         f"^warning: ring typo is not in {self.rings}; 1 of 2 rings recorded\n$")
        rows = json.loads(self.run_ok("stat", "-T", self.tape, "--json").stdout)
        rings = {ring["name"]: (ring["track"], ring["state"]) for ring in rows[0]["rings"]}
        self.assertEqual(rings, {"a": ("venue.a", "ok"), "typo": ("", "waiting")})
        self.assertEqual(recorder.stderr.count("waiting for it"), 2)

    def test_a_ring_that_cannot_be_made_is_refused_with_the_reason_and_not_held_by_another(self):
        small = (1 << 20, 1 << 20)  # the largest file that the recorder may make
        recorder = self.recorder("--ring", "a", "--create-ring", "4M", "--segment-size", "512K", "--block-size", "64K",
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, small))
        reason = "create ring a: allocate its pages: File too large"
        recorder.wait_line(f"ring a: {reason}; no tick is taken, asking again")
        self.wait_for(lambda: self.run_cli("check", "-T", self.tape).returncode == 2)
        self.assertRegex(self.check(code=2), f"^critical: ring a is refused: {reason}; 0 of 1 ring recorded")
        for where in (("-T", self.tape), ("-a", f"unix:{self.tape}/recorder.sock")):
            rings = json.loads(self.run_ok("stat", *where, "--json").stdout)[0]["rings"]
            self.assertEqual(rings[0]["state"], f"refused: {reason}", where)
        recorder.signal(signal.SIGUSR1)
        recorder.wait_line(f"ring a track=. state=refused: {reason}")
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.wait_for(lambda: self.check_says("^ok: 1 of 1 ring recorded"))
        self.assertEqual(recorder.stderr.count("no tick is taken"), 1)

    def test_a_ring_that_fills_up_is_judged_by_each_threshold_on_its_own(self):
        # Nothing causes these ticks to be written, so the ring stays as full as it is.
        self.recorder("--ring", "a", "--create-ring", "1M", "--sync", "batch", "--block-age", "1h")
        self.run_ok("gen", "--ring", "a", "--count", "1500")

        def report(*args):
            done = self.run_cli("check", "-T", self.tape, "--json", *args)
            return json.loads(done.stdout)[0]

        def judged(*args):
            return [(finding["status"], finding["text"]) for finding in report(*args)["findings"]
                    if finding["check"] == "ring"]

        ring = self.ring_info("a")
        percent = 100 * ring["fill"] / ring["capacity"]
        self.assertGreater(percent, 5)
        self.wait_for(lambda: abs(report()["values"]["ring_fill"] - percent) < 0.01)
        told = f"ring a is {percent:.0f} % full"
        self.assertEqual(judged(), [])
        self.assertEqual(judged("--fill-warning", "5"), [("warning", told)])
        self.assertEqual(judged("--fill-warning", "1", "--fill-critical", "5"), [("critical", told)])
        self.assertEqual(judged("--fill-critical", "5"), [("critical", told)])  # below the warning threshold
        for option in ("--fill-warning", "--fill-critical"):
            self.run_ok("check", "-T", self.tape, option, "0", code=2)
            self.run_ok("check", "-T", self.tape, option, "101", code=2)

    def started_long_ago(self):
        """As if the recorder had run for an hour: its page says when it was started."""
        page = next(self.rings.glob("recorder-*.counters"))
        with open(page, "r+b") as file:
            file.seek(32)
            started = int.from_bytes(file.read(8), "little")
            file.seek(32)
            file.write((started - 3600 * 10**9).to_bytes(8, "little"))

    def test_a_disk_that_limits_keep_from_filling_is_not_about_to_be_full(self):
        small = ("--segment-size", "128K", "--block-size", "16K")
        for limits in ((), ("--retain-max-size", "1M")):
            recorder = self.recording(*small, *limits)
            self.run_ok("gen", "--ring", "a", "--count", "2000")
            self.run_ok("flush", "-T", self.tape)
            self.started_long_ago()
            pattern = r" free\n$" if limits else r" free, full in \S+\n$"
            self.wait_for(lambda: self.check_says(pattern))
            self.assertEqual(recorder.stop(), 0)

    def test_what_is_no_tape_is_unknown_and_nothing_at_all_is_usage(self):
        self.assertRegex(self.run_ok("check", "-T", self.scratch, code=3).stdout.decode(), "^unknown: ")
        self.run_ok("check", code=2)

    def test_what_recovery_set_aside_is_told(self):
        self.assertEqual(self.recording().stop(), 0)
        (self.tape / "quarantine").mkdir(exist_ok=True)
        for name in ("0000000007.torn", "0000000007.torn.1"):
            (self.tape / "quarantine" / name).touch()
        self.check("--archive")
        (self.tape / "quarantine" / "0000000008.seg").touch()
        self.assertIn("set aside 1 file\n", self.check("--archive", code=1))

    # ---- doctor ----

    def test_doctor_looks_at_host_and_disk_and_leaves_nothing(self):
        before = sorted(os.listdir(self.scratch))
        done = self.run_cli("doctor", "-T", self.tape, "--write-size", "1M", "--json")
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        found = {finding["check"]: finding for finding in json.loads(done.stdout)}
        for check in ("shm-size", "open-files", "memlock", "pid-namespace", "clock-source", "clock-sync",
                      "file-system", "space", "index-room", "fallocate", "o-direct", "bandwidth",
                      "latency"):
            self.assertIn(check, found)
            if found[check]["status"] != "ok":
                self.assertTrue(found[check]["remedy"], check)
        self.assertRegex(found["bandwidth"]["found"], r"^\S+/s written and synced$")
        self.assertEqual(sorted(os.listdir(self.scratch)), before)

    def test_doctor_holds_the_disk_against_the_recorded_rate(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "a", "--count", "2000")
        self.assertEqual(recorder.stop(), 0)
        done = self.run_cli("doctor", "-T", self.tape, "--write-size", "1M", "--json")
        found = {finding["check"]: finding["found"] for finding in json.loads(done.stdout)}
        self.assertRegex(found["bandwidth"], r"written and synced, \S+/s recorded$")

    @unittest.skipUnless(os.getuid() == 0, "needs root: it mounts a file system")
    def test_doctor_says_what_keeps_a_disk_from_being_written_to(self):
        small = self.scratch / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs", small], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("no tmpfs can be mounted")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        for options, remedy in (("rw", "free space, or remove files"), ("ro", "mount it for writing")):
            subprocess.run(["mount", "-o", f"remount,{options}", small], check=True)
            done = self.run_ok("doctor", "-T", small, "--json", code=2)
            found = {finding["check"]: finding for finding in json.loads(done.stdout)}
            self.assertEqual((found["write"]["status"], found["write"]["remedy"]), ("critical", remedy))

    def test_doctor_sees_rings_on_a_disk_and_a_short_shm(self):
        self.env["TAPEDECK_RINGS"] = str(self.scratch / "rings")
        done = self.run_cli("doctor", "--json")
        found = {finding["check"]: finding for finding in json.loads(done.stdout)}
        if shutil.which("findmnt") and "shm-type" not in found:
            self.skipTest("the scratch directory is on tmpfs")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(found["shm-type"]["status"], "critical")
        self.assertIn("TAPEDECK_RINGS", found["shm-type"]["remedy"])


if __name__ == "__main__":
    unittest.main()

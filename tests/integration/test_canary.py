"""A recorder's canary: the replayer finds it, check reports it, and it disturbs nobody."""

import json
import re
import signal
import time
import unittest
import urllib.request

from tests.support import screen, tapedeck, wire

TRACK = "tapedeck.canary"


class Canary(tapedeck.Case):
    def recording(self, *args):
        return self.recorder("--ring", "a", "--create-ring", "1M", "--canary", "1s", *args)

    def replaying(self, *args):
        replayer = self.start("tapedeck-replayer", "--tape", self.tape, *args)
        replayer.wait_line(r"^ready ")
        return replayer

    def until(self, what, seen):
        """Wait until `seen()` returns a true value, and return it."""
        end = time.monotonic() + tapedeck.PATIENCE
        while time.monotonic() < end:
            got = seen()
            if got:
                return got
            time.sleep(0.05)
        self.fail(f"it never came that {what}")

    def canary_ticks(self):
        done = self.run_cli("query", "-T", self.tape, "--track", TRACK, "--count")
        return int(done.stdout) if done.returncode == 0 else 0

    def counters(self, daemon="replayer"):
        return json.loads(self.run_ok("stat", daemon, "--json").stdout)[0]["counters"]

    def finding(self, *args):
        """The status that check gives for the canary, or None."""
        done = self.run_cli("check", "-T", self.tape, "--json", *args)
        found = json.loads(done.stdout)[0]["findings"]
        return next((finding["status"] for finding in found if finding["check"] == "canary"), None)

    # ---- in nobody's way ----

    def test_the_longest_write_of_the_last_seconds_is_forgotten_while_nothing_else_moves(self):
        recorder = self.recorder("--ring", "a", "--canary", "1s")
        client = wire.Client(self.tape / "recorder.sock")
        self.addCleanup(client.close)

        def longest():
            return client.call("stats")["counters"]["write_max_ns"]

        self.wait_for(longest)
        recorder.signal(signal.SIGUSR1)  # request the report that names the first segment
        recorder.wait_line("segment=1")
        seen = [longest()]

        def fell():
            seen.append(longest())
            return seen[-1] < max(seen)

        self.wait_for(fell)

    def test_who_names_no_track_does_not_meet_it(self):
        recorder = self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "1000")
        self.until("three are recorded", lambda: self.canary_ticks() >= 3)
        self.run_ok("flush", "-T", self.tape)
        self.run_ok("mark", "here", "-T", self.tape)
        self.assertEqual(self.tape_digest(), self.tape_digest("--track", "a"))
        self.assertEqual(self.run_ok("query", "-T", self.tape, "--count").stdout, b"1000\n")
        info = json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)[0]
        track = json.loads(self.run_ok("ls", "tracks", "-T", self.tape, "--json").stdout)[0]
        self.assertEqual(track["track"], "a")
        self.assertEqual((info["ticks"], info["tracks"]), (1000, 1))
        self.assertEqual(info["last_ts"], track["last_ts"])
        rows = self.run_ok("coverage", "-T", self.tape).stdout.decode().splitlines()[1:]
        self.assertEqual([row.split("\t")[0] for row in rows], ["a"])
        marks = json.loads(self.run_ok("ls", "marks", "-T", self.tape, "--json").stdout)
        self.assertEqual([mark["track"] for mark in marks], ["a"])
        self.run_ok("play", "-T", self.tape, "--into", "again", "--create", "1M", "--per-track",
                    "--max-idle", "1ms", "--speed", "max")
        self.assertEqual(sorted(ring.name for ring in self.rings.glob("again*.ring")), ["again.a.ring"])
        recorder.stop()
        self.assertEqual(self.run_ok("verify", "-T", self.tape).returncode, 0)

    def test_a_replayer_leaves_it_out_as_the_tape_does(self):
        self.recording()
        self.replaying()
        self.run_ok("gen", "--ring", "a", "--count", "100")
        self.until("one is recorded", lambda: self.canary_ticks() >= 1)
        self.run_ok("flush", "-T", self.tape)
        there = f"unix:{self.tape}/replayer.sock"
        self.assertEqual(self.run_ok("query", "-a", there, "--count").stdout, b"100\n")
        named = self.run_ok("query", "-a", there, "--track", TRACK, "-t", "canary", "-o", "jsonl")
        self.assertIn(TRACK, named.stdout.decode())

    def test_two_recorders_of_one_feed_differ_in_nothing(self):
        others = {"A": self.scratch / "A", "B": self.scratch / "B"}
        for tape in others.values():
            recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--canary", "1s", tape=tape)
            self.run_ok("gen", "--ring", "a", "--count", "100", "--seed", "7")
            recorder.stop()
        self.run_ok("diff", *others.values())

    def test_it_is_no_traffic_that_keeps_an_idle_recorder(self):
        recorder = self.recording("--exit-when-idle", "2s")
        self.assertEqual(recorder.wait(), 0)
        self.assertGreaterEqual(self.canary_ticks(), 2)
        self.assertEqual(list(self.rings.glob("*canary*")), [])

    # ---- what it is for ----

    def test_its_age_is_told_and_grows_when_nothing_is_recorded(self):
        recorder = self.recording()
        replayer = self.replaying()
        self.until("one was seen", lambda: self.counters().get("replayer_canary", 0) > 0)
        self.assertEqual(self.counters("recorder")["recorder_canary_period"], 10**9)
        self.until("check is content", lambda: self.finding() == "ok")
        recorder.signal(signal.SIGSTOP)
        self.until("check warns", lambda: self.finding("--canary-warning", "1s") == "warning")
        self.until("it is critical", lambda: self.finding("--canary-critical", "2s") == "critical")
        recorder.signal(signal.SIGCONT)
        self.until("check is content", lambda: self.finding("--canary-warning", "5s") == "ok")
        self.assertEqual(recorder.stop(), 0)  # the recorder also announces that no more canaries will come
        self.until("none is expected", lambda: self.counters()["replayer_canary_age"] == 0)
        self.assertTrue(replayer.alive())

    def test_its_age_grows_while_the_replayer_that_looks_for_it_stands_still(self):
        self.recording()
        replayer = self.replaying()
        self.until("one was seen", lambda: self.counters().get("replayer_canary", 0) > 0)
        self.until("check is content", lambda: self.finding("--canary-warning", "5s") == "ok")
        replayer.signal(signal.SIGSTOP)
        self.addCleanup(replayer.signal, signal.SIGCONT)
        self.until("it is critical", lambda: self.finding("--canary-critical", "5s") == "critical")

    def test_a_killed_recorder_is_told_by_it(self):
        recorder = self.recording()
        self.replaying()
        self.until("one was seen", lambda: self.counters().get("replayer_canary", 0) > 0)
        recorder.kill()
        killed = time.time_ns()
        self.until("its age grows", lambda: self.counters()["replayer_canary_age"] > 3 * 10**9)
        self.recording()  # continues with the ring where it is
        self.until("it is fresh", lambda: self.counters()["replayer_canary"] > killed)
        gaps = self.run_ok("gaps", "-T", self.tape, "--track", TRACK, "--json")
        self.assertEqual(json.loads(gaps.stdout), [])

    def test_a_ring_that_was_removed_is_made_anew(self):
        recorder = self.recording()
        self.until("one is recorded", lambda: self.canary_ticks() >= 1)
        for path in self.rings.glob("tapedeck.canary.*.ring"):
            path.unlink()
        recorder.wait_line("the canary gets a new one")
        before = self.canary_ticks()
        self.until("more are recorded", lambda: self.canary_ticks() >= before + 2)
        self.assertEqual(len(list(self.rings.glob("tapedeck.canary.*.ring"))), 1)
        self.assertEqual(len(re.findall("was removed: the canary", recorder.stderr)), 1)
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(list(self.rings.glob("*canary*")), [])
        self.assertEqual(self.run_ok("gaps", "-T", self.tape, "--track", TRACK, "--json").stdout, b"[]\n")

    def test_it_is_nothing_to_report_each_ten_seconds(self):
        recorder = self.recording()
        self.until("it has gone on for two reports", lambda: self.canary_ticks() >= 22)
        self.assertLessEqual(len(re.findall(r"state=ok rings=", recorder.stderr)), 1)

    def test_top_has_its_age(self):
        self.recording()
        with screen.Terminal([tapedeck.BIN / "tapedeck", "top", "-i", "100ms", "-T", self.tape],
                             self.env) as top:
            top.wait("canary each 1s: no replayer looks for it")
            self.replaying()
            top.wait(r"canary each 1s: what can be queried is [0-9.]+m?s old")
            top.type("q")
            self.assertEqual(top.end(), 0)

    def test_metrics_have_it_in_seconds(self):
        self.recording()
        port = self.port_of(self.replaying("--http", "127.0.0.1:0").pid)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=tapedeck.PATIENCE) as answer:
            self.assertRegex(answer.read().decode(), r"(?m)^tapedeck_replayer_canary_age_seconds \d")

    # ---- bad input ----

    def test_a_period_that_is_none_is_refused(self):
        for word in ("10ms", "2m", "often", "-1s"):
            recorder = self.recorder("--ring", "a", f"--canary={word}", ready=False)
            self.assertEqual(recorder.wait(), 2, word)
        recorder = self.recorder(f"--ring=a={TRACK}", ready=False)
        self.assertEqual(recorder.wait(), 2)
        self.assertIn("the recorder's own", recorder.stderr)


if __name__ == "__main__":
    unittest.main()

"""Plays that run in the replayer: its socket starts them, steers them and reports how they went."""

import json
import os
import signal
import subprocess
import time

from tests.support import tapedeck, wire

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


class Sessions(tapedeck.Case):
    """A replayer, and a tape with tracks a and b of 100 ticks each. Ticks are 2 ms apart, b's between a's."""

    def setUp(self):
        super().setUp()
        self.once(self.fill)
        self.replayer = self.start("tapedeck-replayer", "--tape", self.tape)
        self.replayer.wait_line(r"^ready tape=.* socket=")

    def fill(self):
        for track, offset in (("a", 0), ("b", MS)):
            self.put_lines(track, [(T0 + offset + i * 2 * MS, f"{track}{i}") for i in range(100)])

    def client(self):
        client = wire.Client(self.tape / "replayer.sock")
        self.addCleanup(client.close)
        return client

    def play(self, client, into="r", **params):
        return client.call("play", into=into, **{"create": 1 << 20, **params})["session"]

    def until(self, client, session, *states):
        """The first notification that the session is in one of these states."""
        while True:
            method, params = client.notification()
            self.assertEqual(method, "session")
            if params["session"] == session and params["state"] in states:
                return params

    def drained(self, ring="r", code=0):
        done = self.run_ok("drain", ring, "-o", "frames", "--until-end", "--timeout", "20s", "--digest", code=code)
        return list(tapedeck.parse_frames(done.stdout)), self.digest_of(done.stderr)

    def assert_error(self, name, client, method, **params):
        with self.assertRaises(wire.Error) as caught:
            client.call(method, **params)
        self.assertEqual(caught.exception.name, name)
        return str(caught.exception)


class Lockstep(Sessions):
    def test_a_session_holds_one_ring_until_the_other_is_released(self):
        """A backtest with two rings: a's second tick waits until b's first has been taken."""
        client = self.client()
        session = self.play(client, per_track=True, lockstep=True, stall_timeout=600 * 10**9)

        def take_one(ring):
            return self.run_ok("drain", ring, "--count", "1", "--timeout", "20s", "--wait", "20s", "-o", "jsonl",
                               "--envelope").stdout

        def fill(ring):
            return self.ring_info(ring)["fill"]

        for i in range(3):
            for ring, other in (("r.a", "r.b"), ("r.b", "r.a")):
                self.assertIn(b'"seq":"%d"' % (i + 1), take_one(ring))
                self.wait_for(lambda at=other: fill(at) > 0)
                time.sleep(0.1)
                self.assertEqual(fill(ring), 0)  # however long we wait
        client.call("stop", session=session)
        self.assertTrue(self.until(client, session, "ended", "failed")["stopped"])


class Plays(Sessions):
    def test_a_play_and_what_it_came_to(self):
        client = self.client()
        last = self.until(client, self.play(client), "ended", "failed")
        self.assertEqual((last["state"], last["ticks"]), ("ended", 200))
        frames, digest = self.drained()
        self.assertEqual((last["digest"], last["ticks"]), digest)
        self.assertEqual(self.tape_digest(), digest)
        self.assertTrue(last["complete"])
        self.assertTrue(last["coverage"]["complete"])
        self.assertEqual([t["track"] for t in last["coverage"]["tracks"]], ["a", "b"])
        self.assertEqual(last["coverage"]["tracks"][0]["epochs"][0]["last_seq"], 100)
        self.assertEqual(frames[-1].type, tapedeck.END)

    def test_types_are_asked_for_as_their_tracks_call_them(self):
        (line,) = {f.type for f in self.frames("--track", "a") if f.is_tick()}
        client = self.client()
        for i, types in enumerate((["line"], [line], [str(line)])):
            session = self.play(client, into=f"t{i}", types=types)
            self.assertEqual(self.until(client, session, "ended", "failed")["ticks"], 200)

    def test_who_wants_no_digest_gets_none(self):
        client = self.client()
        self.assertEqual(self.until(client, self.play(client, digest=False), "ended")["digest"], "")

    def test_consumers_are_waited_for_as_long_as_was_said(self):
        client = self.client()
        last = self.until(client, self.play(client, wait_consumers=1, wait_timeout=10 * MS), "failed")
        self.assertEqual(last["error"]["name"], "ETIMEDOUT")

    def test_a_consumer_that_takes_nothing_ends_it_as_soon_as_was_said(self):
        self.put_lines("much", [(T0 + i, "x" * 200) for i in range(2000)])
        client = self.client()
        session = self.play(client, create=65536, tracks=["much"], stall_timeout=50 * MS)
        self.assertEqual(self.until(client, session, "failed")["error"]["name"], "ESTALLED")

    def test_a_paced_play_tells_its_fidelity(self):
        client = self.client()
        last = self.until(client, self.play(client, speed="2x", tracks=["a"]), "ended")
        self.assertEqual(last["ticks"], 100)
        self.assertGreaterEqual(last["elapsed"], 98 * MS)
        self.assertEqual(set(last["fidelity"]), {"p50", "p99", "p99_9", "max"})

    def test_steps_seek_speed_resume(self):
        client = self.client()
        session = self.play(client, paused=True)
        self.until(client, session, "paused")
        self.assertEqual(client.call("step", session=session, n=3)["state"], "paused")
        self.wait_ticks(client, session, 3)
        client.call("step", session=session, by=4 * MS)
        listed = self.wait_ticks(client, session, 7)
        self.assertEqual(listed["at"], T0 + 6 * MS)
        self.assertEqual(client.call("seek", session=session, to=T0 + 90 * MS)["at"], T0 + 90 * MS)
        client.call("speed", session=session, speed="4x")
        self.assertEqual(client.call("resume", session=session)["state"], "playing")
        last = self.until(client, session, "ended")
        self.assertEqual(last["ticks"], 7 + 110)
        self.assertFalse(last["complete"])  # a part was skipped
        self.assert_error("ESRCH", client, "pause", session=session)

    def test_a_time_outside_of_the_range_is_not_sought(self):
        client = self.client()
        whole = self.play(client, paused=True)
        part = self.play(client, paused=True, into="part", **{"from": T0 - 5, "to": T0 + 50 * MS})
        for session, first, end in ((whole, T0, T0 + 199 * MS + 1), (part, T0 - 5, T0 + 50 * MS)):
            for place in (0, first - 1, end + 1):
                why = self.assert_error("EINVAL", client, "seek", session=session, to=place)
                self.assertIn(f"range of session {session}, 2023-", why)
            for place in (first, end - 1):
                self.assertEqual(client.call("seek", session=session, to=place)["at"], place)
            self.assertEqual(self.state_of(client, session), "paused")
            client.call("seek", session=session, to=end)
            self.until(client, session, "ended")

    @staticmethod
    def state_of(client, session):
        return {s["session"]: s for s in client.call("sessions")["sessions"]}[session]["state"]

    def wait_ticks(self, client, session, ticks):
        end = time.monotonic() + tapedeck.PATIENCE
        while True:
            listed = {s["session"]: s for s in client.call("sessions")["sessions"]}[session]
            if listed["ticks"] == ticks:
                return listed
            self.assertLess(time.monotonic(), end, listed)
            time.sleep(0.02)

    def test_stop_and_who_may(self):
        client, other = self.client(), self.client()
        session = self.play(client, speed="0.01x")
        listed = other.call("sessions")["sessions"]
        self.assertEqual([(s["session"], s["into"], s["speed"]) for s in listed], [(session, "r", "0.01x")])
        self.assertEqual(other.call("stop", session=session)["state"], "ended")
        last = self.until(client, session, "ended")
        self.assertFalse(last["complete"])
        self.assertEqual(other.call("sessions")["sessions"], [])

    def test_an_owner_that_is_no_text_is_listed_as_one(self):
        owner, other = wire.Client(self.tape / "replayer.sock", hello=False), self.client()
        self.addCleanup(owner.close)
        owner.send(b"\x94\x00\x00\xa5hello\x82\xa6client\xa4a\xff\xc3b\xa8protocol\x01")
        owner.answer(0)
        self.play(owner, speed="0.01x")
        (listed,) = other.call("sessions")["sessions"]
        self.assertRegex(listed["owner"], r"^a\?\?b uid \d+$")

    def test_it_waits_for_its_consumers(self):
        client = self.client()
        session = self.play(client, wait_consumers=1)
        self.until(client, session, "waiting")
        self.assertEqual(self.drained()[1][1], 200)
        self.until(client, session, "ended")

    def test_what_waits_can_be_stopped_behind_a_seek_and_puts_its_end(self):
        client = self.client()
        session = self.play(client, wait_consumers=1)
        self.until(client, session, "waiting")
        client.call("seek", session=session, to=T0)
        client.call("stop", session=session)
        last = self.until(client, session, "ended")
        self.assertEqual((last["stopped"], last["complete"], last["ticks"]), (True, False, 0))
        self.assertEqual(client.call("sessions")["sessions"], [])
        self.assertEqual(self.drained(code=3)[1][1], 0)

    def test_history_has_its_speed_again_behind_a_seek_out_of_the_present(self):
        client = self.client()
        session = self.play(client, speed="1x", then_live=True, **{"from": T0})

        def play():
            return client.call("sessions")["sessions"][0]

        for told, speed in ((None, "1x"), ("0.5x", "0.5x")):
            self.wait_for(lambda: play()["speed"] == "max")
            if told:
                client.call("speed", session=session, speed=told)
            client.call("pause", session=session)
            client.call("seek", session=session, to=T0)
            self.wait_for(lambda: play()["at"] == T0)
            self.assertEqual(play()["speed"], speed)
            client.call("resume", session=session)
        client.call("stop", session=session)
        self.until(client, session, "ended")

    def test_a_full_ring_is_told(self):
        client = self.client()
        self.put_lines("much", [(T0 + i, "x" * 200) for i in range(2000)])
        session = self.play(client, create=65536, tracks=["much"])
        self.until(client, session, "stalled")
        self.assertEqual(self.drained()[1][1], 2000)
        self.assertEqual(self.until(client, session, "ended")["ticks"], 2000)

    def test_a_play_ends_with_its_client_unless_detached(self):
        client, other = self.client(), self.client()
        self.play(client, speed="0.01x", into="one")
        kept = self.play(client, speed="0.01x", into="two", detach=True)
        client.close()
        end = time.monotonic() + tapedeck.PATIENCE
        while [s["session"] for s in other.call("sessions")["sessions"]] != [kept]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.drained("one", code=3)
        other.call("stop", session=kept)

    def test_many_side_by_side(self):
        """There are sixteen at once, one of them with a consumer that takes nothing."""
        client, digest = self.client(), self.tape_digest()
        sessions = [self.play(client, into=f"r{i}", speed="1x") for i in range(16)]
        left = set(sessions)
        while left:
            method, params = client.notification()
            self.assertEqual(method, "session")
            if params["state"] in ("ended", "failed"):
                self.assertEqual((params["digest"], params["ticks"]), digest, params)
                left.remove(params["session"])
        for i in range(16):
            self.assertEqual(self.drained(f"r{i}")[1], digest)

    def test_what_cannot_be(self):
        client = self.client()
        for params in ({}, {"into": "../x"}, {"into": 5}, {"into": "r", "speed": "fast"}, {"into": "r", "loop": 0},
                       {"into": "r", "create": 5}, {"into": "r", "tracks": "a"}, {"into": "r", "tracks": [1]},
                       {"into": "r", "types": ["nonsense"]}, {"into": "r", "axis": "up"}, {"into": "r", "from": -1},
                       {"into": "r", "rebase": "then"}, {"into": "r", "then_live": True, "to": T0},
                       {"into": "r", "reverse": True}, {"into": "r", "stall_timeout": 0}):
            self.assert_error("EINVAL", client, "play", **params)
        self.assert_error("ENOENT", client, "play", into="r", create=1 << 20, tracks=["nobody"])
        self.assert_error("ENOENT", client, "play", into="not-there")
        self.assert_error("ESRCH", client, "stop", session=77)
        self.assert_error("EINVAL", client, "stop")
        self.assert_error("EINVAL", client, "seek", session="x")
        session = self.play(client, paused=True)
        self.assert_error("EINVAL", client, "step", session=session, n=0)
        self.assert_error("EINVAL", client, "step", session=session, n=1, by=1)
        client.call("stop", session=session)
        self.until(client, session, "ended")
        self.assertEqual(client.call("sessions")["sessions"], [])

    def test_sigterm_ends_the_plays_and_the_daemon(self):
        client = self.client()
        self.play(client, speed="0.01x")
        self.assertEqual(self.replayer.stop(), 0, self.replayer.stderr)
        self.drained(code=3)

    def test_sigterm_ends_plays_that_come_with_it(self):
        """Depending on which of the two is seen first, the play is refused, or stopped as soon as it is open."""
        client = self.client()
        self.replayer.signal(signal.SIGSTOP)
        for into in ("x", "y"):
            client.request("play", {"into": into, "create": 1 << 20, "speed": "0.01x"})
        self.replayer.signal(signal.SIGTERM)
        self.replayer.signal(signal.SIGCONT)
        self.assertEqual(self.replayer.wait(), 0, self.replayer.stderr)
        self.assertEqual(list(self.rings.glob("*.clock")), [])
        for ring in self.rings.glob("*.ring"):
            self.drained(ring.stem, code=3)

    def test_a_ring_that_is_cut_under_a_play_ends_that_play_alone(self):
        client = self.client()
        whole, cut = (self.play(client, into=into, paused=True) for into in ("whole", "cut"))
        for name in ("cut.ring", "cut.clock"):
            self.wait_for((self.rings / name).exists) # the answer to a play comes before the play begins
            os.truncate(self.rings / name, 0)
        try:
            client.call("resume", session=cut)
        except wire.Error as told:
            self.assertIn("ESRCH", str(told))  # it has noticed by itself
        self.assertEqual(self.until(client, cut, "failed", "ended")["error"]["name"], "EHOSTILE")
        client.call("resume", session=whole)
        last = self.until(client, whole, "failed", "ended")
        self.assertEqual((last["state"], last["ticks"]), ("ended", 200))

    def test_a_limit_is_of_each_round_also_behind_a_seek(self):
        client = self.client()
        session = self.play(client, loop=2, limit=10, paused=True)
        self.until(client, session, "paused")
        client.call("step", session=session, n=14)
        self.wait_for(lambda: client.call("sessions")["sessions"][0]["ticks"] == 14)
        client.call("seek", session=session, to=T0 + 100 * MS)
        client.call("resume", session=session)
        self.assertEqual(self.until(client, session, "ended")["ticks"], 20)

    def record_feed(self):
        """A recorder of the ring `feed`, with 100 of its ticks on the tape, and a replayer that knows them."""
        self.replayer.stop()
        recorder = self.recorder("--ring", "feed", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "feed", "--count", 100)
        self.wait_for(
            lambda: self.run_cli("query", "-T", self.tape, "--track", "feed", "--count").stdout == b"100\n")
        self.replayer = self.start("tapedeck-replayer", "--tape", self.tape)
        self.replayer.wait_line(r"^ready ")
        return recorder

    def test_a_ring_that_is_cut_while_it_is_followed_leaves_the_play_with_its_tape(self):
        recorder = self.record_feed()
        client = self.client()
        session = self.play(client, tracks=["feed"], then_live=True)
        self.wait_for(lambda: self.ring_info("feed")["taps"] == 1)
        os.truncate(self.rings / "feed.ring", 0)
        recorder.wait_line("its file was cut")
        self.run_ok("drain", "r", "--count", 100, "--timeout", "20s", "-o", "frames")
        client.call("stop", session=session)
        last = self.until(client, session, "ended", "failed")
        self.assertEqual((last["state"], last["ticks"]), ("ended", 100), last)

    def test_then_live(self):
        recorder = self.record_feed()
        client = self.client()
        session = self.play(client, tracks=["feed"], then_live=True, limit=300)
        self.run_ok("gen", "--ring", "feed", "--count", 200, "--rate", "1000/s", "--seed", 2)
        last = self.until(client, session, "ended", "failed")
        self.assertEqual(last["ticks"], 300, last)
        frames, digest = self.drained()
        self.assertEqual(len([f for f in frames if f.type == tapedeck.JOIN]), 1)
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(self.tape_digest("--track", "feed"), digest)


class CommandLine(Sessions):
    def session(self, *words, code=0):
        return self.run_ok("session", *words, "-T", self.tape, code=code)

    def test_a_play_is_listed_and_steered(self):
        client = self.client()
        number = self.play(client, speed="0.01x", tracks=["a"])
        listed = json.loads(self.session("ls", "--json").stdout)
        self.assertEqual([(s["session"], s["into"], s["speed"]) for s in listed], [(number, "r", "0.01x")])
        self.assertEqual(json.loads(self.session("pause", number, "--json").stdout)[0]["state"], "paused")
        self.until(client, number, "paused")
        for words in (["-n", "2"], ["2"], ["5ms"]):
            self.session("step", number, *words)
        self.assertEqual(json.loads(self.session("seek", number, T0 + 180 * MS, "--json").stdout)[0]["at"],
                         T0 + 180 * MS)
        self.session("seek", number, "--to", T0 + 190 * MS)
        self.session("speed", number, "max")
        self.assertEqual(json.loads(self.session("resume", number, "--json").stdout)[0]["state"], "playing")
        self.until(client, number, "ended")
        self.session("stop", number, code=1)
        self.assertEqual(json.loads(self.session("ls", "--json").stdout), [])

    def test_play_asks_a_replayer(self):
        there = f"unix:{self.tape}/replayer.sock"
        done = self.run_ok("play", "-a", there, "--into", "r", "--create", "1M", "--digest", "--speed", "10x",
                           "--track", "b", "--fidelity", "p50<10s")
        self.assertEqual(self.digest_of(done.stderr), self.tape_digest("--track", "b"))
        self.assertRegex(done.stderr, r"(?m)^lateness p50 \S+ p99 \S+ p99.9 \S+ max \S+$")
        self.assertEqual(self.drained()[1], self.tape_digest("--track", "b"))
        play = ("play", "-a", there, "--into", "r2", "--create", "1M")
        self.run_ok(*play, "--speed", "100x", "--fidelity", "max<1ns", code=7)
        self.run_ok(*play, "--track", "nobody", code=1)
        self.run_ok(*play, "--from", "later", code=2)
        self.run_ok("play", "-a", "unix:/nowhere", "--into", "r", code=6)

    def both(self, *words, code=0):
        """Run one play here and in the replayer, each into its own ring. Returns what they report, without times."""
        said = []
        for where in (("-T", self.tape), ("-a", f"unix:{self.tape}/replayer.sock")):
            ring = f"r{len(said)}.{code}"
            done = self.run_ok("play", *where, "--into", ring, "--create", "1M", "--digest",
                               "--json", *words, code=code)
            rows = json.loads(done.stdout) if done.stdout else [{}]
            for row in rows:
                for key in ("elapsed", "rate", "bytes"):
                    row.pop(key, None)
            states = ("waiting", "paused", "stalled")  # only reported for a play in the replayer
            said.append((rows, [line.replace(ring, "RING") for line in done.stderr.splitlines()
                                if " in " not in line and not line.endswith(states)]))
        self.assertEqual(said[0], said[1])
        return said[0]

    def test_a_play_there_says_what_one_here_says(self):
        ((row,), lines) = self.both("--from", "start+10ms", "--to", "end-10ms")
        self.assertEqual((row["ticks"], row["complete"]), (180, True))
        self.assertIn("tapedeck play: whole: nothing of the range was lost or damaged", lines)
        ((row,), _) = self.both("--loop", "2", "--track", "a", "--rebase", "start+1h", "--require-complete", "--prime",
                                "--prime-back", "1s")
        self.assertEqual((row["rounds"], row["ticks"]), (2, 200))

    def test_what_cannot_be_ends_there_as_it_does_here(self):
        self.both("--wait-consumers", "1", "--timeout", "10ms", code=7)
        self.both("--track", "nobody", code=1)
        self.both("--type", "nonsense", code=2)
        self.both("--from", "end", "--to", "start", code=2)

    def test_a_hole_is_named_there_as_it_is_here(self):
        self.flip(sorted((self.tape / "segments").iterdir())[0], 4096 + 300)
        _, lines = self.both("--require-complete", code=3)
        self.assertIn("nothing is delivered", "".join(lines))
        for where in (("-T", self.tape), ("-a", f"unix:{self.tape}/replayer.sock")):
            done = self.run_ok("play", *where, "--into", "hole", "--create", "1M", code=3)
            self.assertIn("not whole", done.stderr)
            self.assertNotIn("nothing of the range was lost", done.stderr)

    def test_a_loss_is_named_there_as_it_is_here(self):
        """The play's last notification has the coverage, which is nested deeper than any request may be."""
        recorder = self.recorder("--ring", "feed", "--create-ring", "64K", "--sync", "none", tape=self.scratch / "lossy")
        recorder.signal(signal.SIGSTOP)
        self.run_ok("gen", "--ring", "feed", "--count", 5000, "--rate", "max", "--no-wait", code=3)
        recorder.signal(signal.SIGCONT)
        self.run_ok("gen", "--ring", "feed", "--count", 10)
        self.assertEqual(recorder.stop(), 0)
        replayer = self.start("tapedeck-replayer", "--tape", self.scratch / "lossy")
        replayer.wait_line("^ready ")
        done = self.run_ok("play", "-a", f"unix:{self.scratch}/lossy/replayer.sock", "--into", "hole", "--create", "1M",
                           code=3)
        self.assertRegex(done.stderr, "lost: track feed epoch .*: the ring was full")

    def test_a_play_is_sought_in_words_of_the_tape_and_listed_by_ls(self):
        client = self.client()
        number = self.play(client, paused=True)
        self.assertEqual(json.loads(self.session("seek", number, "--to", "end-1ns", "--json").stdout)[0]["at"],
                         T0 + 99 * 2 * MS + MS)
        for words in (("-T", self.tape), ("-a", f"unix:{self.tape}/replayer.sock")):
            listed = json.loads(self.run_ok("ls", "sessions", *words, "--json").stdout)
            self.assertEqual([s["session"] for s in listed], [number])

    def test_what_was_recorded_since_a_play_began_is_in_its_range(self):
        self.tape = self.scratch / "growing"
        recorder = self.recorder("--ring", "feed", "--create-ring", "4M")
        feed = self.start_cli("feed", "-", "--format", "lines", "--ring", "feed", stdin=subprocess.PIPE)

        def record(first, end):
            feed.process.stdin.write(b"".join(b"%d x\n" % (T0 + i * MS) for i in range(first, end)))
            feed.process.stdin.flush()
            self.wait_for(lambda: self.ring_info("feed")["produced"] >= end)
            self.run_ok("flush", "-T", self.tape)

        record(0, 2)
        replayer = self.start("tapedeck-replayer", "--tape", self.tape)
        replayer.wait_line("^ready ")
        client = self.client()
        number = self.play(client, paused=True)
        self.until(client, number, "paused")
        record(2, 5)
        self.wait_for(lambda: client.call("info")["last_ts"] == T0 + 4 * MS)
        self.assertIn("is not in the range", self.session("seek", number, "--to", "2100-01-01", code=1).stderr)
        self.assertEqual(json.loads(self.session("seek", number, "--to", "end-1ns", "--json").stdout)[0]["at"],
                         T0 + 4 * MS)
        client.call("resume", session=number)
        self.assertEqual(self.until(client, number, "ended")["ticks"], 1)
        feed.process.stdin.close()
        self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)

    def start_play(self, client, *words):
        """Start a long play with the command line. Returns it and its session."""
        player = self.start_cli("play", "-a", f"unix:{self.tape}/replayer.sock", "--into", "r", "--create", "1M",
                                "--speed", "0.01x", *words)
        self.wait_for(lambda: client.call("sessions")["sessions"])
        return player, client.call("sessions")["sessions"][0]["session"]

    def test_an_interrupted_play_ends_there_too(self):
        client = self.client()
        player, _ = self.start_play(client)
        player.signal(signal.SIGINT)
        self.assertEqual(player.wait(), 1, player.stderr)
        self.assertEqual(client.call("sessions")["sessions"], [])

    def test_a_play_that_is_taken_away_has_failed(self):
        client = self.client()
        player, number = self.start_play(client)
        self.session("stop", number)
        self.assertEqual(player.wait(), 1, player.stderr)
        player, number = self.start_play(client, "--then-live")  # such a play does not end by itself
        self.session("stop", number)
        self.assertEqual(player.wait(), 0, player.stderr)
        player, _ = self.start_play(client)
        self.replayer.stop()
        self.assertEqual(player.wait(), 1, player.stderr)
        self.assertIn("the replayer is stopping", player.stderr)

    def test_wrong_words(self):
        self.session("stop", "x", code=2)
        for words in ([], ["noon"], ["start", "--to", "start"]):
            self.session("seek", 1, *words, code=2)
        for words in (["soon"], ["0"], ["0s"], ["1", "-n", "1"], ["1s", "--by", "1s"]):
            self.session("step", 1, *words, code=2)
        self.session("speed", 1, "fast", code=2)
        self.assertIn("SPEED is missing", self.session("speed", 1, code=2).stderr)
        self.assertIn("ID is missing", self.session("speed", code=2).stderr)
        self.session("step", 1, "-n", 1, "--by", "1s", code=2)
        self.replayer.stop()
        self.session("ls", code=6)


class Daemon(tapedeck.Case):
    def test_it_says_what_is_wrong(self):
        for words, code in ((("--tape", self.scratch / "none"), 1), ((), 2), (("--tape", self.scratch), 1),
                            (("--nonsense",), 2)):
            replayer = self.start("tapedeck-replayer", *words)
            self.assertEqual(replayer.wait(), code, replayer.stderr)
            self.assertIn("tapedeck-replayer: ", replayer.stderr)

"""The recorder's socket: what it reports, what it does on request, and who may ask."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

from tests.support import tapedeck, wire


class Control(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.path = self.tape / "recorder.sock"

    def client(self, **how):
        client = wire.Client(self.path, **how)
        self.addCleanup(client.close)
        return client

    def record(self, *args):
        return self.recorder("--ring", "a", "--create-ring", "1M", *args)

    def gen(self, count):
        self.run_ok("gen", "--ring", "a", "--count", count)


class Answers(Control):
    def test_hello_says_who_is_there(self):
        self.record()
        welcome = self.client().welcome
        self.assertEqual(welcome["server"], "tapedeck-recorder")
        self.assertEqual(welcome["protocol"], 1)
        self.assertEqual(welcome["tape"], str(self.tape))
        self.assertEqual(welcome["limits"]["message"], 65536)

    def test_what_is_written_is_of_the_epoch_that_is_told(self):
        self.record("--block-age", "1m", "--sync", "interval:1h")
        client = self.client()
        self.gen(1000)
        client.call("flush")
        (first,) = client.call("status")["rings"]
        self.assertEqual((first["produced"], first["written"], first["durable"]), (1000, 1000, 1000))
        self.gen(1000) # the next epoch, with the same seqs: it waits in the ring
        (row,) = client.call("status")["rings"]
        self.assertGreater(row["epoch"], first["epoch"])
        self.assertEqual((row["produced"], row["written"], row["durable"]), (1000, 0, 0))
        client.call("flush")
        (row,) = client.call("status")["rings"]
        self.assertEqual((row["produced"], row["written"], row["durable"]), (1000, 1000, 1000))

    def test_what_is_lost_is_of_the_epoch_that_is_told(self):
        recorder = self.record("--block-age", "1m", "--sync", "interval:1h")
        client = self.client()
        feed = self.start_cli("feed", "-", "--ring", "a", "--format", "lines", "--no-wait", stdin=subprocess.PIPE)

        def publish(count):
            seen = self.ring_info("a")
            feed.process.stdin.write(b"".join(b"%d %s\n" % (10**18 + i, b"x" * 100) for i in range(count)))
            feed.process.stdin.flush()
            self.wait_for(lambda: sum(self.ring_info("a")[key] - seen[key] for key in ("produced", "lost")) == count)

        recorder.signal(signal.SIGSTOP)
        publish(20000)
        recorder.signal(signal.SIGCONT)
        client.call("flush")
        publish(10)
        feed.process.stdin.close()
        self.assertEqual(feed.wait(), 3)
        client.call("flush")
        (first,) = client.call("status")["rings"]
        self.assertGreater(first["lost"], 0)
        self.gen(1000) # the next epoch: it waits in the ring
        (row,) = client.call("status")["rings"]
        self.assertGreater(row["epoch"], first["epoch"])
        self.assertEqual((row["lost"], row["lost_total"]), (0, first["lost"]))
        client.call("flush")
        (row,) = client.call("status")["rings"]
        self.assertEqual((row["lost"], row["lost_total"]), (0, first["lost"]))

    def test_status_has_each_ring_with_its_counts(self):
        self.record()
        self.gen(1000)
        client = self.client()
        client.call("flush")
        status = client.call("status")
        self.assertEqual(status["state"], "ok")
        (ring,) = status["rings"]
        for key in ("produced", "written", "durable"):
            self.assertEqual(ring[key], 1000, key)
        self.assertEqual((ring["ring"], ring["track"], ring["state"]), ("a", "a", "ok"))
        self.assertEqual((ring["lost"], ring["lost_total"], ring["fill"]), (0, 0, 0))

    def test_a_ring_that_is_not_there_is_waited_for_and_one_that_is_none_is_quarantined(self):
        (self.rings / "bad.ring").write_bytes(b"no ring" * 10000)
        self.recorder("--ring", "bad", "--ring", "absent")
        states = {r["ring"]: r["state"] for r in self.client().call("status")["rings"]}
        self.assertEqual(states["absent"], "waiting")
        self.assertRegex(states["bad"], "^quarantined: .")

    def test_flush_makes_what_was_published_durable_at_once(self):
        self.record("--sync", "interval:60s", "--block-age", "60s")
        self.gen(500)
        self.assertEqual(self.client().call("flush"), {})
        self.assertEqual(self.tape_digest()[1], 500)

    def test_flush_tells_a_script_that_it_is_done(self):
        self.record()
        self.assertEqual(self.run_ok("flush", "-T", self.tape).stdout, b"")
        self.assertEqual(json.loads(self.run_ok("flush", "-T", self.tape, "--json").stdout), [{}])

    def test_flush_of_a_ring_says_when_it_is_not_recorded(self):
        (self.rings / "bad.ring").write_bytes(b"no ring" * 10000)
        self.recorder("--ring", "a", "--create-ring", "1M", "--ring", "bad", "--ring", "absent")
        self.gen(10)
        client = self.client()
        self.assertEqual(client.call("flush", ring="a"), {})
        self.assertEqual(client.call("flush", ring="absent"), {})  # nothing was published into it
        for ring, name in (("nosuch", "ENOENT"), ("bad", "EHOSTILE"), ("../a", "EINVAL"), (7, "EINVAL"), ("", "EINVAL")):
            with self.assertRaises(wire.Error, msg=ring) as caught:
                client.call("flush", ring=ring)
            self.assertEqual(caught.exception.name, name, ring)
        self.assertEqual(client.call("flush", ring=None), {})

    def test_roll_ends_the_segment_that_holds_what_was_published(self):
        self.record("--block-age", "60s")
        client = self.client()
        first = client.call("roll")["segment"]
        self.gen(300)
        self.assertEqual(client.call("roll")["segment"], first + 1)
        self.assertEqual(client.call("roll")["segment"], first + 1)  # the segment is empty, so it stays
        client.call("flush")
        rows = json.loads(self.run_ok("ls", "segments", "-T", self.tape, "--json").stdout)
        self.assertEqual([row["ticks"] for row in rows if row["ticks"]], [300])

    def test_a_mark_stands_on_the_track_behind_what_was_published(self):
        self.record()
        self.gen(100)
        client = self.client()
        before = time.time_ns()
        ts = client.call("mark", name="open")["ts"]
        self.assertTrue(before <= ts <= time.time_ns())
        frames = self.frames()
        (at,) = [i for i, f in enumerate(frames) if f.type == tapedeck.MARK]
        self.assertEqual((frames[at].payload, frames[at].ts), (b"open", ts))
        self.assertEqual(sum(f.is_tick() for f in frames[:at]), 100)

    def test_marks_that_are_asked_for_at_once_all_come(self):
        self.record()
        self.gen(10)
        client = self.client()
        names = [f"m{i}" for i in range(20)]
        results = client.call("batch", ops=[["mark", {"name": n}] for n in names])["results"]
        self.assertEqual([error for error, _ in results], [None] * 20)
        marks = [f.payload.decode() for f in self.frames() if f.type == tapedeck.MARK]
        self.assertEqual(marks, names)

    def test_stop_drains_and_ends(self):
        recorder = self.record()
        self.gen(100)
        self.assertEqual(self.client().call("stop"), {})
        self.assertEqual(recorder.wait(), 0)
        self.assertEqual(self.tape_digest()[1], 100)
        self.assertFalse(self.path.exists())

    def test_whoever_waits_when_it_ends_is_told(self):
        recorder = self.record()
        recorder.signal(19)  # SIGSTOP: the recorder does not answer
        client = self.client(hello=False)
        client.request("hello", {"client": "x", "protocol": 1})
        client.request("flush", {})
        recorder.signal(15)
        recorder.signal(18)
        self.assertEqual(recorder.wait(), 0)
        client.until_closed()

    def test_stats_counts(self):
        self.record()
        self.gen(100)
        client = self.client()
        client.call("flush")
        counters = client.call("stats")["counters"]
        self.assertEqual(counters["ticks"], 100)
        self.assertEqual(counters["connections"], 1)
        self.assertTrue(all(isinstance(value, int) for value in counters.values()))


class Errors(Control):
    def fails(self, name, method, client=None, /, **params):
        with self.assertRaises(wire.Error) as raised:
            (client or self.greeted).call(method, **params)
        self.assertEqual(raised.exception.name, name)
        return raised.exception

    def setUp(self):
        super().setUp()
        self.record()
        self.greeted = self.client()

    def test_before_hello_all_is_ehello_and_the_connection_lives(self):
        client = self.client(hello=False)
        for method in ("status", "nonsense", "batch"):
            self.fails("EHELLO", method, client)
        client.call("hello", client="x", protocol=1)
        client.call("status")

    def test_hello_is_said_once_and_in_our_protocol(self):
        self.fails("EINVAL", "hello", client="x", protocol=1)
        client = self.client(hello=False)
        self.fails("EVERSION", "hello", client, client="x", protocol=2)
        self.fails("EINVAL", "hello", client, client="x")
        self.fails("EINVAL", "hello", client, client="x", protocol="1")

    def test_what_is_well_formed_and_wrong_leaves_the_connection_alive(self):
        self.fails("ENOSYS", "nonsense")
        self.fails("ENOSYS", "\u00e9" * 100)
        self.fails("EINVAL", "mark")
        self.fails("EINVAL", "mark", name="../x")
        self.fails("EINVAL", "mark", name=5)
        self.fails("EINVAL", "batch", ops=5)
        self.fails("EINVAL", "batch", ops=[["status"]])
        self.greeted.call("status")

    def test_one_of_a_batch_fails_alone(self):
        ops = [["status", {}], ["nonsense", {}], ["hello", {}], ["batch", {"ops": []}],
               ["stats", None]]
        results = self.greeted.call("batch", ops=ops)["results"]
        self.assertEqual([e and e["name"] for e, _ in results],
                         [None, "ENOSYS", "EINVAL", "EINVAL", None])
        self.assertEqual(self.greeted.call("batch", ops=[]), {"results": []})

    def test_control_requests_have_a_budget_and_others_have_none(self):
        refused = 0
        for _ in range(300):
            try:
                self.greeted.call("mark", name="x")
            except wire.Error as error:
                self.assertEqual(error.name, "EAGAIN")
                self.assertTrue(0 < error.retry_after <= 10_000_000)
                refused += 1
        self.assertGreater(refused, 0)
        for _ in range(300):
            self.greeted.call("status")

    def test_what_is_no_message_gets_an_error_without_id_and_a_close(self):
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xc1", b"\x90", b"\xdd\xff\xff\xff\xff",
                     b"\x94\x00\x01\xa6status\xdf\xff\xff\xff\xff", b"\x91" * 9,
                     b"\x94\x00\x01\xa6status\x91\x01", b"\x94\x01\x01\xc0\x80",
                     b"\x94\x00\x01\xa1x\x81\xa1a\xc6\x00\x01\x00\x00"):
            client = self.client()
            client.send(data)
            begun = time.monotonic()
            (last,) = client.until_closed(tapedeck.SOON)
            self.assertEqual((last[0], last[1], last[3]), (1, None, None), data)
            self.assertIn(last[2]["name"], ("EFORMAT", "EFULL"))
            self.assertLess(time.monotonic() - begun, tapedeck.SOON)
        self.greeted.call("status")

    def test_requests_are_answered_in_order_however_they_come(self):
        client = self.client()
        data = b"".join(wire.msgpack.packb([0, i, method, {}]) for i, method in
                        enumerate(("status", "flush", "stats", "roll", "status") * 40, 100))
        for i in range(0, len(data), 7):
            client.send(data[i:i + 7])
        for i in range(100, 300):
            client.answer(i)

    def test_who_sends_and_hangs_up_is_answered_first(self):
        client = self.client()
        client.request("flush", {})
        client.request("status", {})
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual([m[1] for m in client.until_closed()], [client.id - 1, client.id])


class Sockets(Control):
    def test_the_socket_is_for_its_owner_alone(self):
        self.record()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_a_stale_socket_is_replaced_and_a_file_is_not(self):
        self.record().kill()
        self.assertTrue(self.path.is_socket())
        recorder = self.record()
        self.client().call("status")
        recorder.stop()
        self.path.write_text("mine")
        recorder = self.recorder("--ring", "a", ready=False)
        self.assertEqual(recorder.wait(), 1)
        self.assertIn("is not a socket", recorder.stderr)
        self.assertEqual(self.path.read_text(), "mine")

    def test_one_that_somebody_listens_on_is_left_alone(self):
        live = socket.socket(socket.AF_UNIX)
        self.addCleanup(live.close)
        path = self.scratch / "s"
        live.bind(str(path))
        live.listen()
        recorder = self.recorder("--ring", "a", "--socket", path, ready=False)
        self.assertEqual(recorder.wait(), 1)
        self.assertIn("another process listens", recorder.stderr)
        self.assertTrue(path.exists())

    def test_a_folder_that_another_has_locked_is_waited_for_and_not_for_ever(self):
        folder = self.scratch / "folder"
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        recorder = self.recorder("--ring", "a", "--socket", folder / "s", ready=False)
        self.assertEqual(recorder.wait(), 1)
        self.assertIn("another process has locked its directory", recorder.stderr)
        recorder = self.recorder("--ring", "a", "--socket", folder / "s", ready=False)
        fcntl.flock(lock, fcntl.LOCK_UN)
        recorder.wait_line("^ready ")

    def test_a_path_too_long_for_a_socket_works_all_the_same(self):
        self.tape = self.scratch / ("long" * 30) / ("longer" * 10)
        self.tape.parent.mkdir()
        self.record()
        self.run_ok("flush", "-T", self.tape)

    def test_tcp_needs_the_token(self):
        token = self.scratch / "token"
        token.write_text("correct horse battery\n")
        port = self.port_of(self.record("--listen", "127.0.0.1:0", "--token-file", token).pid)
        where = ("127.0.0.1", port)
        wire.Client(address=where, token="correct horse battery").close()
        for wrong in (None, "", "correct horse batter", "correct horse battery "):
            with wire.Client(address=where, hello=False) as client:
                with self.assertRaises(wire.Error) as raised:
                    client.call("hello", client="x", protocol=1, token=wrong)
                self.assertEqual(raised.exception.name, "EACCES")
        self.run_ok("flush", "-a", f"127.0.0.1:{port}", "--token-file", token)
        self.assertIn("--token-file", self.run_ok("flush", "-a", f"127.0.0.1:{port}", code=1).stderr)

    def test_tcp_beyond_loopback_or_without_a_token_is_wrong_usage(self):
        token = self.scratch / "token"
        token.write_text("correct horse battery\n")
        for args, code in ((("--listen", "127.0.0.1:0"), 2),
                           (("--listen", "0.0.0.0:0", "--token-file", token), 2),
                           (("--listen", "nonsense", "--token-file", token), 2),
                           (("--http", "0.0.0.0:0"), 2), (("--http", "nonsense"), 2), (("--http", "unix:/x"), 2)):
            recorder = self.recorder("--ring", "a", *args, ready=False)
            self.assertEqual(recorder.wait(), code, recorder.stderr)
            self.assertEqual([word in recorder.stderr for word in ("--listen", "--http")],
                             [args[0] == word for word in ("--listen", "--http")], recorder.stderr)

    def test_what_was_asked_is_on_record(self):
        recorder = self.record("--audit")
        client = self.client()
        client.call("mark", name="x")
        with self.assertRaises(wire.Error):
            client.call("nonsense", a=[1])
        recorder.stop()
        lines = [json.loads(line) for line in
                 pathlib.Path(self.tape / "audit.jsonl").read_text().splitlines()]
        self.assertEqual([(l["method"], l["result"]) for l in lines],
                         [("hello", "ok"), ("mark", "ok"), ("nonsense", "ENOSYS")])
        self.assertEqual(lines[1]["params"], {"name": "x"})
        self.assertEqual(lines[1]["uid"], os.getuid())


class Commands(Control):
    def test_nobody_there_is_six(self):
        self.tape.mkdir()
        for command in (("roll",), ("flush",), ("mark", "x")):
            done = self.run_ok(*command, "-T", self.tape, code=6)
            self.assertIn("is tapedeck-recorder running?", done.stderr)

    def test_a_tape_that_is_named_goes_before_an_address_in_a_variable(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.recorder("--ring", "a")
        elsewhere = dict(self.env, TAPEDECK_ADDR=f"unix:{self.scratch}/nosuch.sock")
        self.run_ok("flush", "-T", self.tape, env=elsewhere)
        self.run_ok("flush", env=elsewhere, code=6)
        self.run_ok("flush", env=dict(elsewhere, TAPEDECK_TAPE=str(self.tape)), code=6)
        self.run_ok("flush", "-T", self.tape, "-a", f"unix:{self.scratch}/nosuch.sock", code=6)

    def test_what_only_the_other_daemon_does_is_refused_by_name(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.recorder("--ring", "a")
        done = self.run_ok("query", "-a", f"unix:{self.tape}/recorder.sock", "--count", code=1)
        self.assertIn("tapedeck-recorder has no such method", done.stderr)

    def test_no_source_and_bad_words_are_two(self):
        self.run_ok("flush", code=2)
        self.run_ok("mark", "a/b", "-T", self.tape, code=2)
        self.run_ok("flush", "-a", "nonsense", code=2)



class Rings(Control):
    """Rings that are attached and detached while the recorder runs."""

    def count(self, track):
        return int(self.run_ok("query", "-T", self.tape, "--count", "--track", track).stdout)

    def test_a_track_that_goes_back_to_a_ring_whose_feed_lives_misses_nothing(self):
        """Ticks of an older epoch that the tape lacks get an epoch of their own, after that of the other ring."""
        self.record()
        client = self.client()
        for ring in ("one", "two"):
            self.run_ok("ring", "create", ring, "--size", "1M")
        feed = self.start("tapedeck", "gen", "--ring", "one", "--count", 3000, "--rate", "1500/s")
        client.call("attach", ring="one", track="t")
        self.wait_for(lambda: [r for r in client.call("status")["rings"] if r["ring"] == "one" and r["written"] > 100])
        client.call("detach", ring="one")
        client.call("attach", ring="two", track="t")
        self.run_ok("gen", "--ring", "two", "--count", 50)
        client.call("detach", ring="two")
        client.call("attach", ring="one", track="t")
        self.assertEqual(feed.wait(), 0)
        client.call("detach", ring="one")
        self.assertEqual(self.count("t"), 3050)
        (told,) = json.loads(self.run_ok("coverage", "-T", self.tape, "--track", "t", "--json").stdout)
        first, between, rest = told["tracks"][0]["epochs"]
        self.assertTrue(told["complete"])
        self.assertEqual(between["ticks"], 50)
        self.assertEqual((rest["first_seq"], rest["last_seq"]), (first["last_seq"] + 1, 3000))

    def test_one_more_and_one_less(self):
        self.record()
        client = self.client()
        self.run_ok("ring", "create", "b", "--size", "1M")
        self.run_ok("gen", "--ring", "b", "--count", 500)
        answer = client.call("attach", ring="b", track="bee")
        self.assertEqual(answer, {"ring": "b", "track": "bee", "state": "ok"})
        self.run_ok("gen", "--ring", "b", "--count", 300)
        self.assertEqual(client.call("detach", ring="b"), {})
        self.assertEqual(self.count("bee"), 800)
        self.assertEqual([r["ring"] for r in client.call("status")["rings"]], ["a"])
        for _ in range(100): # the page of counters is updated a little later
            rows = json.loads(self.run_ok("stat", "recorder", "-T", self.tape, "--json").stdout)
            rings = [r["ring"] for r in rows[0]["rings"]]
            if rings == ["a"]:
                break
            time.sleep(0.05)
        self.assertEqual(rings, ["a"])
        # What is published now stays in the ring, which another consumer may take. Then the ring is attached again.
        self.run_ok("gen", "--ring", "b", "--count", 200)
        client.call("flush")
        self.assertEqual(self.count("bee"), 800)
        self.run_ok("drain", "b", "--count", 50, "-o", "none", "--timeout", "5s")
        client.call("attach", ring="b", track="bee")
        client.call("flush")
        self.assertEqual(self.count("bee"), 950)

    def test_while_a_feed_publishes(self):
        recorder = self.record()
        client = self.client()
        feed = self.start_cli("gen", "--ring", "b", "--create", "1M", "--count", 20000,
                              "--rate", "20000")
        for _ in range(4):
            client.call("attach", ring="b")
            time.sleep(0.1)
            client.call("detach", ring="b")
        client.call("attach", ring="b")
        self.assertEqual(feed.wait(), 0)
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(self.count("b"), 20000)
        self.run_ok("gaps", "-T", self.tape)
        self.run_ok("verify", "-T", self.tape)

    def test_a_ring_that_is_not_there_is_waited_for(self):
        self.recorder("--ring", "a")
        client = self.client()
        self.assertEqual(client.call("attach", ring="later")["state"], "waiting")
        self.run_ok("gen", "--ring", "later", "--create", "1M", "--count", 100)
        end = time.monotonic() + 30
        while client.call("status")["rings"][1]["state"] != "ok" and time.monotonic() < end:
            time.sleep(0.05)
        client.call("flush")
        self.assertEqual(self.count("later"), 100)
        client.call("detach", ring="a")  # this ring never existed

    def test_what_cannot_be(self):
        self.record()
        client = self.client()
        client.call("attach", ring="b", track="c")
        for method, params, name in (("attach", {}, "EINVAL"), ("attach", {"ring": "a"}, "EEXIST"),
                                     ("attach", {"ring": "c", "track": "c"}, "EEXIST"),
                                     ("attach", {"ring": "../x"}, "EINVAL"),
                                     ("attach", {"ring": "x", "track": "."}, "EINVAL"),
                                     ("detach", {"ring": "nobody"}, "ENOENT"),
                                     ("detach", {}, "EINVAL")):
            with self.assertRaises(wire.Error) as raised:
                client.call(method, **params)
            self.assertEqual(raised.exception.name, name, (method, params))
        for i in range(63):
            client.call("attach", ring=f"r{i}")
        with self.assertRaises(wire.Error) as raised:
            client.call("attach", ring="more")
        self.assertEqual(raised.exception.name, "EFULL")

    def test_from_the_command_line(self):
        self.record()
        self.run_ok("attach", "b", "-T", self.tape, "--track", "bee")
        self.run_ok("attach", "b", "-T", self.tape, code=1)
        self.run_ok("attach", ".", "-T", self.tape, code=2)
        self.run_ok("gen", "--ring", "b", "--count", 10)
        self.run_ok("detach", "b", "-T", self.tape)
        self.assertEqual(self.count("bee"), 10)
        self.run_ok("detach", "b", "-T", self.tape, code=1)
        self.run_ok("attach", "b", "-T", self.scratch, code=6)


if __name__ == "__main__":
    tapedeck.unittest.main()

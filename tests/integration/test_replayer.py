"""The replayer, asked by an independent client: ranges, streams and their credit, many at once."""

import contextlib
import json
import os
import resource
import select
import socket
import threading
import time
import unittest
import urllib.request

from tests.support import tapedeck, wire


class Replayer(tapedeck.Case):
    COUNTS = {"a": 20000, "b": 10000}

    def setUp(self):
        super().setUp()
        self.path = self.tape / "replayer.sock"
        self.record = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "4M")
        for ring, count in self.COUNTS.items():
            self.run_ok("gen", "--ring", ring, "--count", count)
        self.run_ok("flush", "-T", self.tape)

    def serve(self, *args):
        started = self.start("tapedeck-replayer", "--tape", self.tape, *args)
        self.assertEqual(started.wait_line(r"^ready "),
                         f"ready tape={self.tape} socket={self.path}")
        return started

    def client(self, **how):
        client = wire.Client(self.path, **how)
        self.addCleanup(client.close)
        return client

    def grow(self):
        """Make the tape so large that reading it takes a while."""
        self.record.stop()
        lines = b"".join(b"%d %900d\n" % (10**18 + i, i) for i in range(60000))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "wide", stdin=lines)

    @staticmethod
    def stream(client, grant=True, **params):
        """Read a query to its end. Returns (frames, end)."""
        stream = client.call("query", **params)["stream"]
        data, ticks = [], 0
        while True:
            method, told = client.notification()
            if told.get("stream") != stream or method == "heartbeat":
                continue
            if method == "end":
                assert ticks == told["ticks"], (ticks, told)
                return b"".join(data), told
            assert method == "data", (method, told)
            data.append(told["frames"])
            ticks += told["n"]
            if grant:
                client.notify("credit", stream=stream, bytes=len(told["frames"]))


class Begin(tapedeck.Case):
    def test_without_a_tape_it_says_who_makes_one(self):
        for make in (lambda: None, self.tape.mkdir):
            make()
            replayer = self.start("tapedeck-replayer", "--tape", self.tape)
            self.assertEqual(replayer.wait(), 1)
            self.assertRegex(replayer.stderr, r"tape.*; the first recorder makes the tape$")

    @unittest.skipUnless(os.getuid() == 0, "needs root: it asks as another user")
    def test_who_may_not_connect_is_told_what_would_let_him(self):
        within = self.scratch / "within"  # as /var/lib/tapedeck: the directory that the tape is in is closed, too
        within.mkdir(mode=0o750)
        for words in (("query", "--count"), ("verify",), ("info",), ("check",)):
            done = self.run_as_a_stranger(*words, "-T", within / "tape", code=3 if words == ("check",) else 1)
            self.assertIn("Permission denied; join its group", done.stdout + done.stderr, words)
        self.recorder("--ring", "a")
        self.assertIn("Permission denied; join its group",
                      self.run_as_a_stranger("query", "-T", self.tape, "--count", code=1).stderr)
        for mode in (0o750, 0o755):
            self.tape.chmod(mode)
            denied = self.run_as_a_stranger("flush", "-T", self.tape, code=1)
            self.assertIn(f"--allow-uid {self.STRANGER}, and add this user to the group", denied.stderr)
        self.assertIn("join its group", self.run_as_a_stranger("query", "-T", self.tape, "--count", code=1).stderr)
        for words in (("recover",), ("import", "-", "--track", "b")):
            denied = self.run_as_a_stranger(*words, "-T", self.tape, code=1)
            self.assertRegex(denied.stderr, "Permission denied; only the user that the tape belongs to, and root", words)


class Reads(Replayer):
    def test_what_comes_is_what_the_tape_has(self):
        self.serve()
        client = self.client()
        data, end = self.stream(client)
        self.assertEqual((end["digest"], end["ticks"]), self.tape_digest())
        self.assertTrue(end["complete"])
        frames = list(tapedeck.parse_frames(data))
        self.assertEqual({f.track for f in frames if f.is_tick()}, {"a", "b"})
        self.assertEqual(frames[0].type, tapedeck.TRACK)
        self.assertEqual(end["bytes"], sum(24 + (len(f.payload) + 7) // 8 * 8
                                           for f in frames if f.is_tick()))
        for params, args in (({"tracks": ["a"]}, ("--track", "a")),
                             ({"limit": 7, "reverse": True}, ("-n", 7, "--reverse")),
                             ({"symbols": ["S001", "S00[3-5]"]}, ("-s", "S001", "-s", "S00[3-5]"))):
            _, end = self.stream(client, **params)
            self.assertEqual((end["digest"], end["ticks"]), self.tape_digest(*args), params)

    def test_lookups(self):
        self.serve()
        client = self.client()
        tracks = client.call("tracks")["tracks"]
        self.assertEqual({t["name"]: t["ticks"] for t in tracks}, self.COUNTS)
        self.assertEqual(client.call("count")["ticks"], 30000)
        self.assertEqual(client.call("count", symbols=["nobody"])["ticks"], 0)
        coverage = client.call("coverage", tracks=["a"])
        self.assertTrue(coverage["complete"])
        (epoch,) = coverage["tracks"][0]["epochs"]
        self.assertEqual((epoch["first_seq"], epoch["last_seq"], epoch["lost"]), (1, 20000, []))
        seen, after = set(), None
        while True:
            page = client.call("symbols", track="a", limit=10, after=after)
            seen |= {row["symbol"] for row in page["symbols"]}
            after = page["symbols"][-1]["symbol"]
            if not page["more"]:
                break
        rows = self.run_ok("ls", "symbols", "-T", self.tape, "--track", "a").stdout.splitlines()[1:]
        self.assertEqual(seen, {row.split(b"\t")[0].decode() for row in rows})
        results = client.call("batch", ops=[["count", {}], ["tracks", {}], ["count", {
            "tracks": ["zz"]}], ["query", {}], ["stats", {}]])["results"]
        self.assertEqual([e and e["name"] for e, _ in results],
                         [None, None, "ENOENT", "EINVAL", None])

    def test_what_is_recorded_meanwhile_is_seen(self):
        self.serve()
        client = self.client()
        self.run_ok("gen", "--ring", "a", "--count", 500)
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(client.call("count")["ticks"], 30500)
        self.record.stop()
        self.recorder("--ring", "c", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "c", "--count", 10)
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(client.call("count", tracks=["c"])["ticks"], 10)

    def test_wrong_params_are_named_and_the_connection_lives(self):
        self.serve()
        client = self.client()
        for method, params, name in (("query", {"from": "x"}, "EINVAL"),
                                     ("query", {"tracks": ["nobody"]}, "ENOENT"),
                                     ("query", {"tracks": ["../x"]}, "EINVAL"),
                                     ("query", {"types": ["nonsense"]}, "EINVAL"),
                                     ("query", {"axis": "x"}, "EINVAL"),
                                     ("count", {"symbols": "x"}, "EINVAL"),
                                     ("symbols", {"track": "../x"}, "EINVAL"),
                                     ("symbols", {"track": "nobody"}, "ENOENT"),
                                     ("coverage", {"tracks": ["nobody"]}, "ENOENT"),
                                     ("coverage", {"after": 5}, "EINVAL"),
                                     ("play-nothing", {}, "ENOSYS")):
            with self.assertRaises(wire.Error) as raised:
                client.call(method, **params)
            self.assertEqual(raised.exception.name, name, (method, params))
        self.assertEqual(client.call("count")["ticks"], 30000)


class Watched(Replayer):
    def test_what_it_counts_is_seen_from_outside(self):
        self.run_ok("stat", "replayer", "-T", self.tape, code=6)
        replayer = self.serve("--http", "127.0.0.1:0")
        self.run_ok("stat", "replayer", "-T", self.tape)
        self.stream(self.client())
        end = time.monotonic() + 30
        counters = {}
        while counters.get("replayer_streams_ended") != 1 and time.monotonic() < end:
            (row,) = json.loads(self.run_ok("stat", "replayer", "-T", self.tape, "--json").stdout)
            counters = row["counters"]
        self.assertEqual((counters["replayer_streams_ended"], counters["replayer_ticks"]), (1, 30000))
        lines = self.run_ok("stat", "replayer", "-T", self.tape).stdout.decode().splitlines()
        self.assertIn("replayer\treplayer_ticks\t\t\t30000\tticks sent in streams", lines)
        self.assertEqual(replayer.stop(), 0)
        self.run_ok("stat", "replayer", "-T", self.tape, code=6)

    def test_metrics(self):
        address = f"127.0.0.1:{self.port_of(self.serve('--http', '127.0.0.1:0').pid)}"
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=30) as answer:
            self.assertEqual((answer.status, answer.read()), (200, b"ok\n"))
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        self.assertRegex(text, r'tapedeck_build_info\{daemon="replayer"')
        self.assertIn("\ntapedeck_replayer_sent_bytes_total 0\n", text)

    def test_stat_asks_whom_it_is_told_to(self):
        self.serve()
        there = f"unix:{self.path}"
        (row,) = json.loads(self.run_ok("stat", "-a", there, "--json").stdout)
        self.assertEqual((row["daemon"], row["counters"]["connections"]), ("replayer", 1))
        lines = self.run_ok("stat", "-a", there, "-i", "10ms", "-n", "2").stdout.decode().splitlines()
        self.assertEqual(lines.count("replayer\tstreams\t0"), 2)
        there = f"unix:{self.tape}/recorder.sock"
        (row,) = json.loads(self.run_ok("stat", "-a", there, "--json").stdout)
        self.assertEqual((row["daemon"], row["state"], [r["durable"] for r in row["rings"]]),
                         ("recorder", "ok", [20000, 10000]))
        lines = self.run_ok("stat", "-a", there).stdout.decode().splitlines()
        self.assertEqual([line.split("\t")[:2] for line in lines],
                         [["name", "track"], ["a", "a"], ["b", "b"]])
        self.run_ok("stat", "-a", f"unix:{self.scratch}/none", code=6)
        self.run_ok("stat", "-a", "nonsense", code=2)

    def test_a_line_of_the_audit_log_is_whole_or_missing(self):
        replayer = self.serve("--audit")
        log, client = self.tape / "audit.jsonl", self.client()
        self.wait_for(log.read_text)
        full = (log.stat().st_size + 50, resource.RLIM_INFINITY)
        before = resource.prlimit(replayer.pid, resource.RLIMIT_FSIZE, full)
        client.call("info")  # as on a full disk, only the first part of its line fits
        replayer.wait_line("lines are missing")
        resource.prlimit(replayer.pid, resource.RLIMIT_FSIZE, before)
        client.call("stats")
        self.assertEqual(replayer.stop(), 0, replayer.stderr)
        self.assertEqual([json.loads(line)["method"] for line in log.read_text().splitlines()],
                         ["hello", "stats"])

    def test_a_second_one_serves_without_a_page(self):
        self.serve()
        other = self.start("tapedeck-replayer", "--tape", self.tape, "--socket",
                           self.scratch / "other.sock")
        other.wait_line(r"^ready ")
        self.assertIn("no counters page", other.stderr)


class Streams(Replayer):
    def test_no_more_than_the_credit_comes(self):
        self.serve()
        client = self.client()
        stream = client.call("query", credit=1000)["stream"]
        _, told = client.notification()
        got = len(told["frames"])
        self.assertTrue(0 < got <= 1000)
        client.notify("credit", stream=stream, bytes=5000)
        while got < 5000:
            _, told = client.notification()
            got += len(told["frames"])
        self.assertLessEqual(got, 6000)
        client.notify("cancel", stream=stream)
        method, end = client.notification()
        self.assertEqual((method, end["error"]["name"]), ("end", "ECANCELED"))
        client.notify("credit", stream=stream, bytes=5000)  # for a stream that has ended: no effect
        client.call("stats")

    def test_a_silent_stream_gives_a_sign_of_life(self):
        self.serve()
        client = self.client()
        stream = client.call("query", credit=0)["stream"]
        self.assertEqual(client.notification(), ("heartbeat", {"stream": stream}))

    def test_what_is_worked_on_for_long_gives_a_sign_of_life(self):
        self.grow()
        self.serve()
        client = self.client()
        number = client.request("batch", {"ops": [["coverage", {}]] * 1000})
        first = client.message()
        if first[0] == 1:
            self.skipTest("it was answered before")
        self.assertEqual(first, [2, "heartbeat", {"request": number}])

    def test_sixteen_a_connection_and_no_more(self):
        self.serve()
        client = self.client()
        for _ in range(16):
            client.call("query", credit=0)
        with self.assertRaises(wire.Error) as raised:
            client.call("query", credit=0)
        self.assertEqual(raised.exception.name, "EFULL")

    def test_damage_is_told_in_its_place_and_the_rest_goes_on(self):
        self.record.stop()
        self.flip(sorted((self.tape / "segments").iterdir())[0])
        self.serve()
        client = self.client()
        stream = client.call("query", credit=1 << 30)["stream"]
        damage, ticks = [], 0
        while True:
            method, told = client.notification()
            if method == "damage":
                damage.append(told)
            elif method == "data":
                ticks += told["n"]
            elif method == "end":
                break
        self.assertEqual(len(damage), 1)
        self.assertEqual((damage[0]["stream"], damage[0]["segment"]), (stream, 1))
        self.assertIn("cannot be read", damage[0]["reason"])
        self.assertEqual((told["damaged"], told["complete"]), (1, False))
        self.assertTrue(0 < ticks < 30000)

    def test_a_hundred_side_by_side_in_bounded_memory(self):
        replayer = self.serve()
        want = self.tape_digest()
        ends, lock = [], threading.Lock()

        def one():
            with wire.Client(self.path) as client:
                _, end = self.stream(client)
            with lock:
                ends.append((end["digest"], end["ticks"]))

        threads = [threading.Thread(target=one) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(ends, [want] * 100)
        with open(f"/proc/{replayer.pid}/status", encoding="ascii") as status:
            (peak,) = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
        kept = 256 if b"__asan_init" in (tapedeck.BIN / "tapedeck-replayer").read_bytes() else 0  # by the sanitizer
        # 128 MiB outstanding, two blocks in large pages for each stream, 32 MiB of kept blocks, and the program.
        self.assertLess(peak, (128 + 100 * 2 * 2 + 32 + 64 + kept) * 1024)

    def test_stopping_ends_streams_and_says_so(self):
        replayer = self.serve()
        client = self.client()
        client.call("query", credit=0)
        replayer.signal(15)
        method, end = client.notification()
        self.assertEqual((method, end["error"]["name"]), ("end", "ECANCELED"))
        self.assertEqual(replayer.wait(), 0)
        self.assertFalse(self.path.exists())

    def test_who_goes_on_asking_does_not_keep_it_from_its_end(self):
        replayer = self.serve()

        def ask_on():
            with contextlib.suppress(wire.Closed, OSError), self.client() as client:
                while True:
                    for _ in range(200):
                        client.request("tracks", {})
                    for _ in range(200):
                        client.message()
        asking = [threading.Thread(target=ask_on) for _ in range(16)]
        for thread in asking:
            thread.start()
        self.wait_for(lambda: self.client().call("stats")["counters"]["lookups"] > 100)
        replayer.signal(15)
        self.assertEqual(replayer.wait(), 0, replayer.stderr)
        for thread in asking:
            thread.join()


class Limits(Replayer):
    """Each limit is what it was set to, and `hello` states it."""

    def limited(self, told, *args):
        """Two clients of a replayer with these options."""
        self.serve(*args)
        clients = self.client(), self.client()
        limits = clients[0].welcome["limits"]
        self.assertEqual({name: limits[name] for name in told}, told)
        return clients

    def refused(self, client, method, **params):
        """The error's name, or None if the request is answered."""
        try:
            client.call(method, **params)
        except wire.Error as error:
            return error.name
        return None

    def test_streams_of_a_connection(self):
        one, other = self.limited({"streams": 2}, "--connection-streams", 2)
        self.assertEqual([self.refused(one, "query", credit=0) for _ in range(3)], [None, None, "EFULL"])
        self.assertIsNone(self.refused(other, "query", credit=0))

    def test_streams_of_all(self):
        one, other = self.limited({"streams_total": 2}, "--streams", 2)
        self.assertEqual([self.refused(who, "query", credit=0) for who in (one, other, other)],
                         [None, None, "EFULL"])

    def test_control_requests(self):
        one, other = self.limited({"control_rate": 1, "control_burst": 3},
                                  "--control-rate", 1, "--control-burst", 3)
        for who in (one, other):
            errors = [self.refused(who, "pause", session=99) for _ in range(100)]
            self.assertEqual(errors[:3], ["ESRCH"] * 3)
            self.assertIn("EAGAIN", errors)

    def test_reads_side_by_side(self):
        self.grow()
        one, other = self.limited({"reads": 1}, "--reads", 1)
        one.request("batch", {"ops": [["count", {}]] * 1000})
        rows = []
        self.wait_for(lambda: rows.append(other.call("stats")["counters"]) or rows[-1]["reads_waiting"] > 0)
        self.assertEqual(rows[-1]["reads_running"], 1)

    def unread(self, clients, watch):
        """The bytes that are read for four streams by the time they wait for room, when nobody takes any."""
        asked = {client: [] for client in clients}
        for i in range(4):
            client = clients[i % len(clients)]
            asked[client].append(client.call("query", credit=0)["stream"])
        for client, streams in asked.items():
            client.send(b"".join(wire.msgpack.packb([2, "credit", {"stream": stream, "bytes": 1 << 40}])
                                 for stream in streams))
        rows = []
        self.wait_for(lambda: rows.append(watch.call("stats")["counters"]) or rows[-1]["waits_for_memory"] > 3)
        return rows[-1]["outstanding"]

    def test_bytes_that_a_client_does_not_take(self):
        self.grow()
        one, watch = self.limited({"outstanding": 1 << 20}, "--outstanding-client", "1M")
        self.assertIn(self.unread([one], watch), range(1, (1 << 20) + 1))

    def test_bytes_that_all_do_not_take(self):
        self.grow()
        one, watch = self.limited({"outstanding_total": 1 << 20}, "--outstanding", "1M")
        self.assertIn(self.unread([one, *(self.client() for _ in range(3))], watch), range(1, (1 << 20) + 1))


class Left(Replayer):
    """When a client closes its connection, the work for it ends."""

    def test_what_is_answered_once_is_read_no_further(self):
        self.grow()
        token = self.scratch / "token"
        token.write_text("correct horse battery\n")
        replayer = self.serve("--audit", "--listen", "127.0.0.1:0", "--token-file", token)
        remote = wire.Client(address=("127.0.0.1", self.port_of(replayer.pid)), token="correct horse battery")
        for method, client in (("count", self.client()), ("coverage", remote)):
            client.request("batch", {"ops": [[method, {}]] * 1000})
            client.close()
        other = self.client()
        self.wait_for(lambda: other.call("stats")["counters"]["reads_waiting"] == 0)
        self.assertEqual(other.call("count", tracks=["wide"])["ticks"], 60000)
        self.assertEqual(replayer.stop(), 0, replayer.stderr)
        rows = [json.loads(line) for line in (self.tape / "audit.jsonl").read_text().splitlines()]
        for method in ("count", "coverage"):
            results = [row["result"] for row in rows if row["method"] == method]
            self.assertGreaterEqual(len(results), 1000)
            self.assertGreater(results.count("ECANCELED"), 0, method)

    def test_a_stream_ends(self):
        self.serve()
        other = self.client()
        for credit in (0, 100, 1 << 40):
            client = self.client()
            client.call("query", credit=credit)
            client.close()
        self.wait_for(lambda: other.call("stats")["counters"]["streams"] == 0)

    def test_who_has_only_said_his_last_is_answered(self):
        self.grow()
        self.serve()
        client = self.client()
        client.request("batch", {"ops": [["count", {}]] * 40})
        client.request("stats", {})
        client.socket.shutdown(socket.SHUT_WR)
        answers = [message for message in client.until_closed() if message[0] == 1]
        self.assertEqual([message[1] for message in answers], [client.id - 1, client.id])
        self.assertEqual({str(error) for error, _ in answers[0][3]["results"]}, {"None"})


class Crowds(Replayer):
    def test_hostile_slow_and_idle_ones_leave_a_good_one_served(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.serve()
        good = self.client()
        crowd = []
        for i in range(1500):
            client = wire.Client(self.path, hello=False)
            self.addCleanup(client.close)
            crowd.append(client)
            try:
                if i % 3 == 0:
                    client.send(b"\x94\x00\x01")  # only part of a message
                elif i % 3 == 1:
                    client.send(os.urandom(64))
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused: the limit of connections is reached
        slow = 0
        for _ in range(50):
            begun = time.monotonic()
            good.call("stats")
            slow = max(slow, time.monotonic() - begun)
        self.assertLess(slow, tapedeck.SOON)  # it takes some ms; the host may be busy
        counters = good.call("stats")["counters"]
        self.assertGreater(counters["connections_closed_malformed"], 0)
        self.assertLessEqual(counters["connections"], 1024)

    def test_one_more_than_may_be_is_told_and_closed(self):
        self.serve("--connections", 3)
        kept = [self.client() for _ in range(3)]
        (last,) = self.client(hello=False).until_closed()
        self.assertEqual((last[1], last[2]["name"]), (None, "EFULL"))
        kept[0].call("stats")

    def test_who_is_silent_or_stops_within_a_message_is_told_and_closed(self):
        self.serve("--idle", "1s", "--half-sent", "1s")
        streaming, half, idle = (self.client() for _ in range(3))
        streaming.call("query", credit=0)
        half.send(b"\x94\x00\x01\xda\xea\x60")  # a method of 60,000 bytes
        end = time.monotonic() + tapedeck.PATIENCE
        while not select.select([half.socket], [], [], 0.1)[0]:
            half.send(b"x")  # one byte of it now and then
            self.assertLess(time.monotonic(), end)
        for client, word in ((half, "only part of a message"), (idle, "no request came")):
            (last,) = client.until_closed()
            self.assertEqual((last[1], last[2]["name"]), (None, "ETIMEDOUT"))
            self.assertIn(word, last[2]["message"])
        counters = streaming.call("stats")["counters"]  # a client that has a stream may be silent
        self.assertEqual([counters[f"connections_closed_{why}"] for why in ("half_sent", "idle")], [1, 1])

    def test_who_takes_nothing_is_closed_and_costs_nobody_else(self):
        self.serve("--not-taken", "1s")
        stuck = self.client()
        stuck.call("query", credit=1 << 40)
        good = self.client()
        end = time.monotonic() + tapedeck.PATIENCE
        while good.call("stats")["counters"]["connections_closed_stuck"] == 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)


if __name__ == "__main__":
    tapedeck.unittest.main()

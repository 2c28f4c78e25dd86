"""python/tapedeck asks a replayer: queries, streams, plays, and ^C while it waits."""

import contextlib
import errno
import importlib.util
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

from tests.support import tapedeck as support
from tests.support.package import Case, expected

import numpy as np
import tapedeck
from tapedeck import records


class Plays(Case):
    def test_what_a_play_puts_into_a_ring_is_what_a_query_answers(self):
        name = ("dbn/nautilus/order_book_deltas_catalog/databento/"
                "orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst")
        if name not in expected():
            self.skipTest(f"{name} is not there")
        self.run_ok("import", support.SHARED / "data" / name, "-T", self.tape, "--track", "es")
        tapedeck.create_ring("p", 1 << 18)
        play = self.start_cli("play", "-T", self.tape, "--from", "start+1ms", "--into", "p", "--digest")
        got, seqs, tracks = [], [], set()
        with tapedeck.Consumer("p") as ring, tapedeck.Tape(self.tape) as tape:
            for batch in ring.batches(timeout=60):
                got.append(batch.records("mbo"))
                seqs.append(batch.seq[batch.types == records.DBN])
                tracks |= {p.track for p in batch.parts}
            want, heads = tape.query("mbo", tape.info.first_ts + 10**6, heads=True)
            self.assertEqual(play.wait(), 0)
            self.assertEqual(tracks - {"p"}, {"es"})  # p: frames about the ring itself
            np.testing.assert_array_equal(np.concatenate(got), want)
            np.testing.assert_array_equal(np.concatenate(seqs), heads["seq"])
            self.assertEqual(ring.ended["ticks"], len(want))
            self.assertEqual((ring.ended["digest"], len(want)), self.digest_of(play.stderr))

    def test_a_play_that_was_over_before_it_was_read_is_not_taken_for_live(self):
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        self.run_ok("play", "-T", self.tape, "--into", "p", "--create", "1M")  # the ring has room for all ticks
        with tapedeck.Consumer("p") as ring:
            for batch in ring.batches(timeout=30):
                clock = ring.clock()
                self.assertEqual((clock.state, clock.now()), ("ended", 500 * 10**6))
                self.assertEqual(int(batch.ts[batch.types == records.OPAQUE].max()), clock.now())
            self.assertEqual(ring.ended["ticks"], 500)

    def test_plays_that_lie_behind_each_other_in_a_ring_are_read_one_by_one(self):
        """The second begins as soon as the ring has all of the first, which may be long before it is read."""
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        tapedeck.create_ring("p", 1 << 20)
        with tapedeck.Tap("p") as tap, tapedeck.Consumer("p") as consumer:
            counts = (500, 7)
            for count in counts:
                self.run_ok("play", "-T", self.tape, "--into", "p", "-n", count)
            for ring in (tap, consumer):
                for count in counts:
                    texts = [bytes(text) for batch in ring.batches(timeout=30) for text in batch.payloads(3)]
                    self.assertEqual(texts, [b"text %d" % i for i in range(1, count + 1)])
                    self.assertEqual(ring.ended["ticks"], count)

    def test_tracks_that_take_turns_keep_their_names_and_epochs(self):
        """From a tape, a replayer and a ring alike. There are two tracks, one of them with two epochs."""
        lines = [b"".join(b"%d %d\n" % (10**18 + 10 * i + k, i) for i in range(first, first + 2000))
                 for k, first in ((0, 0), (1, 0), (1, 2000))]
        for track, text in zip("abb", lines):
            self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", track, stdin=text)
        tapedeck.create_ring("p", 1 << 20)
        play = self.start_cli("play", "-T", self.tape, "--into", "p")

        def runs(batches):
            """(track, epoch, ticks) of each run of neighbouring ticks, and the epochs of the ticks one by one."""
            found, epochs = [], []
            for batch in batches:
                ticks = batch.types < records.CONTROL
                epochs.append(batch.epoch[ticks])
                self.assertEqual(batch.epoch.tolist(),
                                 [p.epoch for p in batch.parts for _ in range(p.count)])
                for part in batch.parts:
                    count = int(ticks[part.first:part.first + part.count].sum())
                    if found and found[-1][:2] == (part.track, part.epoch):
                        count += found.pop()[2]
                    if count:
                        found.append((part.track, part.epoch, count))
            return found, np.concatenate(epochs)

        with tapedeck.Tape(self.tape) as tape:
            want, epochs = runs(tape.cursor().batches(enough=5000))
        self.assertEqual([track for track, _, _ in want], ["a", "b"] * 2000 + ["b"])
        self.assertEqual([count for *_, count in want], [1] * 4000 + [2000])
        self.assertEqual(len({epoch for _, epoch, _ in want}), 3)
        with tapedeck.Consumer("p") as ring:
            got, also = runs(ring.batches(timeout=60, size=5000))
        self.assertEqual((got, play.wait()), (want, 0))
        np.testing.assert_array_equal(also, epochs)
        if importlib.util.find_spec("msgpack") is None:
            return
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            got, also = runs(client.stream().batches(enough=5000))
        self.assertEqual(got, want)
        np.testing.assert_array_equal(also, epochs)

    def test_a_replayer_plays_for_a_client_and_can_be_steered(self):
        try:
            import msgpack  # noqa: F401
        except ImportError:
            self.skipTest("python3-msgpack is not installed")
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            self.assertEqual(client.call("count")["ticks"], 500)
            session = client.play("c", 1, 10**9, speed="1x", paused=True, create=1 << 16)
            with tapedeck.Consumer("c", wait=30) as ring:
                client.step(session, 3)
                texts = []
                while len(texts) < 3:
                    texts += map(bytes, ring.read(30).payloads(3))
                self.assertEqual(texts, [b"text 1", b"text 2", b"text 3"])
                self.wait_for(lambda: ring.clock().now() == 3 * 10**6)  # the clock follows what is published
                self.assertEqual(ring.clock().state, "paused")
                client.speed(session, "max")
                client.resume(session)
                for batch in ring.batches(timeout=30):
                    texts += map(bytes, batch.payloads(3))
                self.assertEqual(texts, [b"text %d" % i for i in range(1, 501)])
                self.assertTrue(ring.ended["complete"])
            self.assertTrue(client.wait(session))
            with self.assertRaisesRegex(tapedeck.Error, "track"):
                client.call("count", tracks=["none"])
        with self.assertRaises(tapedeck.Missing):
            tapedeck.Client(f"unix:{self.scratch}/none.sock")

    def test_a_play_is_asked_for_as_a_query_is(self):
        """The replayer passes over what it does not know, and takes an empty list for everything."""
        if importlib.util.find_spec("msgpack") is None:
            self.skipTest("python3-msgpack is not installed")
        ticks = "".join(json.dumps({"symbol": f"S{i % 3}", "timestamp": 100 + i, "price": 1, "volume": 1,
                                    "message_type": "trade"}) + "\n" for i in range(300))
        self.run_ok("import", "-", "--format", "jsonl", "-T", self.tape, "--track", "five", stdin=ticks.encode())
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "words", stdin=b"1 a\n2 b\n")
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        tapedeck.create_ring("p", 1 << 20)
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client, tapedeck.Consumer("p") as ring:
            for which, count in (({"tracks": "five"}, 300), ({"tracks": ("five", "words")}, 302),
                                 ({"symbols": "S1"}, 100), ({"types": "line"}, 2),
                                 ({"types": ["wide-trade", 3]}, 302), ({"limit": 5, "axis": "recv"}, 5)):
                session = client.play("p", **which)
                played = sum(int((batch.types < records.CONTROL).sum()) for batch in ring.batches(timeout=30))
                self.assertEqual(played, count)
                self.assertTrue(client.wait(session))
            for which in ("tracks", "symbols", "types"):
                self.assertRaisesRegex(ValueError, f"{which}: an empty list", client.play, "p", **{which: []})
            self.assertRaisesRegex(TypeError, "no 'symbol':.* limit,", client.play, "p", symbol="S1")

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_play_that_fails_says_why_and_each_what_came_of_it(self):
        lines = b"".join(b"%d %s\n" % (i, b"x" * i * 10000) for i in range(1, 5))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w", stdin=lines)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            small = client.play("small", create=1 << 16)  # it takes no payload of more than 16 KiB
            with self.assertRaisesRegex(tapedeck.Error, "play into a larger ring"):
                client.wait(small)
            self.assertEqual(client.outcome(small)["state"], "failed")
            whole = client.play("large", end=4, create=1 << 20)
            self.assertEqual(sum(map(len, client.stream())), 4)  # a stream passes on what it is told meanwhile
            self.assertTrue(client.wait(whole))
            end = client.outcome(whole)
            self.assertEqual((end["state"], end["ticks"], end["complete"]), ("ended", 3, True))
            self.assertEqual(end["coverage"]["tracks"][0]["track"], "w")
            self.assertIsNone(client.outcome(whole + 1))

    def test_a_replayer_answers_what_the_tape_answers(self):
        try:
            import msgpack  # noqa: F401
        except ImportError:
            self.skipTest("python3-msgpack is not installed")
        self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M")
        for ring in "ab":
            self.run_ok("gen", "--ring", ring, "--count", "3000", "--symbols", "3")
        self.run_ok("flush", "-T", self.tape)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        there = f"unix:{self.tape}/replayer.sock"
        with tapedeck.Tape(self.tape) as tape, tapedeck.Client(there) as client:
            name = tape.cursor(limit=100).read().schemas()[0]
            want, heads = tape.query(name, heads=True)
            got, also = client.query(name, heads=True)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(also, heads)
            for which in ({"tracks": "b", "limit": 7}, {"symbols": "S001"}, {"reverse": True, "limit": 5}):
                np.testing.assert_array_equal(tapedeck.ask(there, name, **which), tape.query(name, **which))
            stream = client.stream(control=True)
            begun = stream.read(1)
            asked = ("tdk_client_call", "tdk_client_query")  # not even called: another thread may be reading the stream
            with mock.patch.multiple(tapedeck.native.lib, **{name: mock.DEFAULT for name in asked}) as calls:
                self.assertRaisesRegex(tapedeck.Busy, there, client.call, "count")
                self.assertRaisesRegex(tapedeck.Busy, there, client.stream)
                self.assertEqual([calls[name].called for name in asked], [False, False])
            ticks = sum(int((batch.types < records.CONTROL).sum()) for batch in [begun, *stream])
            self.assertEqual((ticks, stream.whole.ticks, stream.whole.lost), (6000, 6000, 0))
            self.assertEqual((stream.whole.digest, 6000), self.tape_digest())
            self.assertEqual(client.call("count")["ticks"], 6000)
            with client.stream() as stream:
                stream.read(1)
            self.assertRaisesRegex(ValueError, "before its end", stream.read)
            stream = client.stream()
            stream.read(1)  # the stream is closed with its client, before its end
        self.assertRaisesRegex(ValueError, "before its end", list, stream)
        with self.assertRaises(ValueError):
            client.stream()
        with self.assertRaisesRegex(tapedeck.Error, "none"), tapedeck.Client(there) as client:
            client.query(name, tracks="none")

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_symbol_that_is_no_utf8_is_told_as_the_tape_tells_it(self):
        name = next(name for name in expected() if name.endswith("databento-dbn/test_data.bbo-1m.dbn"))
        data = (support.SHARED / "data" / name).read_bytes()
        self.run_ok("import", "-", "-T", self.tape, "--track", "x", stdin=data.replace(b"ESH1", b"E\xffH1"))
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Tape(self.tape) as tape, tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            self.assertEqual([row.symbol for row in tape.symbols()], ["E\\xffH1"])
            self.assertEqual([row["symbol"] for row in client.call("symbols")["symbols"]], ["E\\xffH1"])
            for symbols in (b"E\xffH1", np.array([b"E\xffH1"])):  # such as a definition has
                self.assertEqual(tape.count(symbols=symbols), tape.count())
                self.assertEqual(sum(map(len, client.stream(symbols=symbols))), tape.count())
                session = client.play("p", symbols=symbols, create=1 << 16)
                with tapedeck.Consumer("p") as ring:
                    for _ in ring.batches(timeout=30):
                        pass
                    self.assertEqual(ring.ended["ticks"], tape.count())
                self.assertTrue(client.wait(session))

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_question_can_be_asked_over_tcp(self):
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w", stdin=b"1 a\n2 b\n")
        token = self.scratch / "token"
        token.write_text("sixteen characters\n")
        token.chmod(0o600)
        replayer = self.start("tapedeck-replayer", "--tape", self.tape, "--listen", "127.0.0.1:0", "--token-file", token)
        replayer.wait_line("^ready ")
        there = f"127.0.0.1:{self.port_of(replayer.pid)}"
        self.assertEqual(len(tapedeck.ask(there, "trades", token="sixteen characters", timeout=support.PATIENCE)), 0)
        with self.assertRaisesRegex(tapedeck.Error, "needs the token") as caught:
            tapedeck.ask(there, "trades")
        self.assertEqual(caught.exception.code, -errno.EACCES)

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_client_waits_for_a_time_or_for_ever(self):
        nobody = f"unix:{self.scratch}/none.sock"
        for seconds in (-1, 2**64):
            self.assertRaisesRegex(ValueError, "timeout", tapedeck.Client, nobody, timeout=seconds)
        self.assertRaises(tapedeck.Missing, tapedeck.Client, nobody, timeout=None)

    @unittest.skipIf("LD_PRELOAD" in os.environ, "its programs have a sanitizer's runtime of their own")
    def test_the_backtest_of_the_examples_runs_and_is_the_same_each_time(self):
        told = []
        for _ in range(2):
            child = subprocess.run(
                [sys.executable, support.SOURCE / "python" / "examples" / "backtest.py"],
                env=dict(self.python_env(), TAPEDECK_BIN=str(support.BIN)), capture_output=True,
                text=True, timeout=300, check=False)
            self.assertEqual(child.returncode, 0, child.stderr)
            told.append([line for line in child.stdout.splitlines() if "seconds" not in line])
        self.assertEqual(told[0], told[1])
        self.assertRegex("\n".join(told[0]), r"20000 trades.*\n(.*\n)*.*total")

    @unittest.skipIf("LD_PRELOAD" in os.environ, "its programs have a sanitizer's runtime of their own")
    def test_the_backtest_runs_with_programs_that_are_installed(self):
        """Without a build tree only the programs on the PATH can be used."""
        script = self.scratch / "python" / "examples" / "backtest.py"
        script.parent.mkdir(parents=True)
        shutil.copy(support.SOURCE / "python" / "examples" / "backtest.py", script)
        env = dict(self.python_env(), PATH=f"{support.BIN}{os.pathsep}{os.environ['PATH']}")
        child = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True,
                               timeout=300, check=False)
        self.assertEqual(child.returncode, 0, child.stderr)
        self.assertIn("20000 trades", child.stdout)


@unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
class Interrupted(Case):
    """^C while the client waits for the other side."""

    class Interrupt(BaseException):
        pass

    def setUp(self):
        super().setUp()

        def interrupt(*_):
            raise self.Interrupt

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))

    @contextlib.contextmanager
    def client(self, method, say, timeout=10 * support.PATIENCE):
        """A client of a server that answers this method with say(connection, id)."""
        from tests.integration import test_hostile_server as fake
        path = self.scratch / "fake.sock"
        server = fake.Server(path, method, lambda *who: say(fake, *who))
        try:
            with tapedeck.Client(f"unix:{path}", timeout=timeout) as client:
                yield client
        finally:
            server.close()
            path.unlink()

    def test_what_is_not_answered_ends_and_its_connection_with_it(self):
        for method, ask in (("count", lambda client: client.call("count")),
                            ("query", lambda client: client.query("trades"))):
            ends = []

            def say(fake, connection, number, ends=ends):
                os.kill(os.getpid(), signal.SIGUSR1)
                connection.settimeout(support.SOON)
                with contextlib.suppress(TimeoutError):
                    ends.append(connection.recv(1))
                connection.sendall(fake.failure(number, {"code": -5, "name": "EIO", "message": "late"}))

            with self.subTest(method), self.client(method, say) as client:
                self.assertRaises(self.Interrupt, ask, client)
                self.wait_for(lambda ends=ends: ends)
                self.assertEqual(ends, [b""])
                self.assertRaisesRegex(ValueError, "interrupted", client.call, "tracks")

    def test_who_asks_next_is_not_told_what_was_asked_before(self):
        def say(fake, connection, number):
            os.kill(os.getpid(), signal.SIGUSR1)
            connection.sendall(fake.answer(number, {"asked": "before"}))

        with self.client("count", say) as client, \
                contextlib.suppress(ValueError):  # the answer may not come soon enough
            for _ in range(20):
                self.assertRaises(self.Interrupt, client.call, "count")
                self.assertEqual(list(client.call("tracks")), ["tracks", "more"])

    def test_who_is_interrupted_twice_leaves_nobody_at_the_connection_beside_the_next(self):
        left = threading.Event()

        def say(fake, connection, number):
            os.kill(os.getpid(), signal.SIGUSR1)
            left.wait(support.PATIENCE)
            time.sleep(0.1)  # time for the next call to use the connection, too
            connection.sendall(fake.answer(number, {"asked": "before"}))

        with self.client("count", say) as client:
            with mock.patch.object(tapedeck.helper._Job, "finish", side_effect=self.Interrupt):
                self.assertRaises(self.Interrupt, client.call, "count")
            left.set()
            self.assertEqual(list(client.call("tracks")), ["tracks", "more"])

    def test_what_a_stream_has_brought_meanwhile_comes_next(self):
        reading = threading.Event()
        head = struct.Struct("<IHBBQQ")
        frames = (head.pack(17, 1, records.TRACK, 0, 1, 9) + struct.pack("<QHBBI8s", 7, 1, 0, 1, 0, b"t")
                  + head.pack(8, 1, records.OPAQUE, 0, 1, 9) + b"12345678")

        def say(fake, connection, number):
            connection.sendall(fake.answer(number, {"stream": 1}))
            reading.wait(support.PATIENCE)
            os.kill(os.getpid(), signal.SIGUSR1)
            for message in ([2, "data", {"stream": 1, "n": 1, "frames": frames}],
                            [2, "end", {"stream": 1, "ticks": 1, "bytes": 32, "complete": True}]):
                connection.sendall(fake.msgpack.packb(message))

        with self.client("query", say) as client:
            stream = client.stream()
            with self.assertRaises(self.Interrupt):
                reading.set()
                stream.read()
            try:
                came = [bytes(payload) for batch in stream for payload in batch.payloads(3)]
            except tapedeck.Error:
                return  # the frames did not come soon enough
            self.assertEqual((came, stream.whole.ticks), ([b"12345678"], 1))


    def test_a_stream_that_is_closed_is_not_listened_to_for_ever(self):
        """A server whose disk hangs keeps sending heartbeats."""
        left = threading.Event()

        def say(fake, connection, number):
            connection.sendall(fake.answer(number, {"stream": 1}))
            until = time.monotonic() + support.SOON
            while time.monotonic() < until:
                try:
                    connection.sendall(fake.msgpack.packb([2, "heartbeat", {"stream": 1}]))
                except OSError:
                    left.set()
                    raise
                time.sleep(0.05)
            connection.sendall(fake.msgpack.packb([2, "end", {"stream": 1, "ticks": 0}]))

        with self.client("query", say, timeout=1) as client:
            client.stream().close()
            self.assertTrue(left.wait(support.PATIENCE))


if __name__ == "__main__":
    unittest.main()

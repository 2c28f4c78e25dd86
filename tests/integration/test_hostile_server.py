"""Our client against a server that may send anything. Every reply that the client decodes is broken in
many ways. The client must end in time, use little memory, and report the other side's mistake."""

import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

from tests.support import tapedeck
from tests.support.wire import msgpack

DEEP = b"\x91" * 64
NESTED = {"a": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]}

# For each method whose answer is broken, the commands that ask it. {a} is the address, {b} the address with
# a time-out.
QUESTIONS = {
    "tracks": ("ls tracks {a}", "ls symbols --track t {a}"),
    "symbols": ("ls symbols {a}",),
    "count": ("query --count {a}",),
    "query": ("query -o none {a}", "query -o jsonl {a}", "digest {a}"),
    "coverage": ("coverage {a}", "gaps {a}", "gaps --json {a}"),
    "info": ("info {a}",),
    "sessions": ("session ls {b}", "ls sessions {b}"),
    "pause": ("session pause 1 {b}",),
    "step": ("session step 1 -n 5 {b}",),
    "seek": ("session seek 1 --to 5 {b}",),
    "speed": ("session speed 1 2x {b}",),
    "stop": ("session stop 1 {b}",),
    "play": ("play --into r --create 64K {a}",),
    "status": ("stat recorder {a}",),
    "stats": ("stat replayer {a}",),
    "roll": ("roll {b}",),
    "mark": ("mark m {b}",),
    "flush": ("flush {b}",),
    "attach": ("attach r {b}",),
    "detach": ("detach r {b}",),
}
# These commands use nothing from the answer: any map will do.
DEAF = ("flush", "attach", "detach")

# Answers to the methods that the commands call besides the one that is broken.
WHOLE = {
    "hello": {"server": "fake", "version": "0", "protocol": 1, "tape": "/t", "limits": {}},
    "info": {"id": "0" * 32, "created": 1, "first_ts": 1, "last_ts": 9, "ticks": 3, "bytes": 72,
             "lost": 0, "tracks": 1, "segments": 1, "size_on_disk": 1, "recording": False},
    "tracks": {"tracks": [{"name": "t", "id": 1, "kind": "opaque", "first_ts": 1, "last_ts": 9,
                           "ticks": 3, "bytes": 72, "lost": 0, "epochs": 1}], "more": False},
    "stats": {"counters": {}},
    "coverage": {"tracks": [], "complete": True, "more": False},
}


def answer(number, result):
    return msgpack.packb([1, number, None, result])


def failure(number, error):
    return msgpack.packb([1, number, error, None])


class Server:
    """A server with one thread for each connection. It answers `hello` and the methods in WHOLE; the answer to
    `method` is whatever `say(connection, id)` sends."""

    def __init__(self, path, method, say):
        self.method, self.say = method, say
        self.threads, self.peers, self.over = [], [], False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.acceptor = threading.Thread(target=self.accept)
        self.acceptor.start()

    def accept(self):
        while not self.over:
            peer, _ = self.listener.accept()
            if self.over:
                peer.close()
                return
            self.peers.append(peer)
            self.threads.append(threading.Thread(target=self.serve, args=(peer,)))
            self.threads[-1].start()

    def serve(self, peer):
        unpacker = msgpack.Unpacker(raw=False)
        try:
            while True:
                data = peer.recv(1 << 16)
                if not data:
                    return
                unpacker.feed(data)
                for kind, number, method, *_ in (m for m in unpacker if m[0] == 0):
                    if method == self.method:
                        self.say(peer, number)
                    elif method in WHOLE:
                        peer.sendall(answer(number, WHOLE[method]))
                    else:
                        peer.sendall(failure(number, {"code": -38, "name": "ENOSYS", "message": "no"}))
        except OSError:
            pass  # the client has closed the connection, as it should
        finally:
            peer.close()

    def close(self):
        self.over = True
        with socket.socket(socket.AF_UNIX) as wake:
            wake.connect(self.listener.getsockname())
        self.acceptor.join()
        self.listener.close()
        for peer in self.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join()


def saying(make):
    """Send one message, or raw bytes, that `make` builds from the request's id."""
    def say(peer, number):
        made = make(number)
        peer.sendall(made if isinstance(made, bytes) else msgpack.packb(made))
    return say


def hanging_up(make):
    """The same, and then close the connection."""
    def say(peer, number):
        saying(make)(peer, number)
        peer.shutdown(socket.SHUT_RDWR)
    return say


# Each of these is wrong as an answer to any method.
BROKEN = {
    "rubbish": saying(lambda n: b"\xc1\xc1\xc1\xc1"),
    "text": saying(lambda n: b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "nothing, and the end": hanging_up(lambda n: b""),
    "half an answer, and the end": hanging_up(lambda n: answer(n, {"tracks": "x" * 100})[:20]),
    "a length of 4 GiB": saying(lambda n: b"\x94\x01" + msgpack.packb(n) + b"\xc0\xdb\xff\xff\xff\xff"),
    "a blob of 4 GiB": saying(lambda n: b"\x94\x01" + msgpack.packb(n) + b"\xc0\x81\xa1v\xc6\xff\xff\xff\xff"),
    "a list of 4 G items": saying(lambda n: b"\x94\x01" + msgpack.packb(n) + b"\xc0\x81\xa1v\xdd\xff\xff\xff\xff"),
    "a map of 4 G pairs": saying(lambda n: b"\x94\x01" + msgpack.packb(n) + b"\xc0\xdf\xff\xff\xff\xff"),
    "more items than may be": saying(lambda n: answer(n, {"v": list(range(2000))})),
    "too deep": saying(lambda n: answer(n, NESTED)),
    "deep without end": saying(lambda n: DEEP),
    "another id": saying(lambda n: answer(n + 1, {})),
    "no id": saying(lambda n: answer(None, {})),
    "an id of text": saying(lambda n: answer("x", {})),
    "a request": saying(lambda n: [0, n, "hello", {}]),
    "a list": saying(lambda n: answer(n, [1, 2, 3])),
    "a number": saying(lambda n: answer(n, 7)),
    "no message": saying(lambda n: [1]),
    "a kind that is none": saying(lambda n: [9, n, None, {}]),
    "an error without a code": saying(lambda n: failure(n, {"message": "x"})),
    "an error of text": saying(lambda n: failure(n, "broken")),
    "an error that is none": saying(lambda n: failure(n, {"code": 0, "name": "OK", "message": "fine"})),
    "an error that is a success": saying(lambda n: failure(n, {"code": 1, "name": "OK", "message": "x"})),
    "an error with escapes": saying(lambda n: failure(
        n, {"code": -5, "name": "EIO", "message": "\x1b[2J" + "x" * 5000})),
}
# Wrong for commands that use something from the answer.
EMPTY = {
    "an empty map": saying(lambda n: answer(n, {})),
    "another kind": saying(lambda n: answer(n, {key: {"x": 1} for key in (
        "ticks", "stream", "session", "segment", "ts", "tracks", "symbols", "sessions", "rings",
        "first_ts")} | {"counters": 5})),
}


class Case(tapedeck.Case):
    def serve(self, method, say):
        path = self.scratch / f"{len(self.served)}.sock"
        self.served.append(Server(path, method, say))
        return f"unix:{path}"

    def setUp(self):
        super().setUp()
        self.served = []
        self.addCleanup(lambda: [server.close() for server in self.served])

    def ask(self, question, method, say, timeout=None):
        """Run the command. Returns its exit status and what it wrote to stderr."""
        address = self.serve(method, say)
        words = question.format(a=f"-a {address}", b=f"-a {address} --timeout {timeout or '5s'}").split()
        done = self.run_cli(*words)
        self.assertGreaterEqual(done.returncode, 0, (question, done.stderr))  # it did not die by a signal
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        return done.returncode, done.stderr

    def break_all(self, broken, methods, allowed=(1, 6)):
        for name, say in broken.items():
            for method in methods:
                for question in QUESTIONS[method]:
                    with self.subTest(name, question=question):
                        status, told = self.ask(question, method, say)
                        self.assertIn(status, allowed, told)
                        self.assertRegex(told, r"^tapedeck[a-z -]*: ...")
                        self.assertLess(len(told), 2000)


class Answers(Case):
    def test_an_answer_that_is_none_is_an_error(self):
        """One decoder comes before all others, so not every question has to be tried in every way."""
        self.break_all(BROKEN, tapedeck.some(("count", "query", "sessions")))
        few = {name: BROKEN[name] for name in ("rubbish", "a number", "another id")}
        self.break_all(few, QUESTIONS)

    def test_an_answer_that_lacks_what_was_asked_for_is_an_error(self):
        self.break_all(EMPTY, [method for method in QUESTIONS if method not in DEAF])

    def test_a_greeting_that_is_none_is_an_error(self):
        for name, say in {**BROKEN, **EMPTY}.items():
            for question in ("session ls {b}",):
                with self.subTest(name, question=question):
                    status, told = self.ask(question, "hello", say)
                    self.assertIn(status, (1, 6), told)

    def test_what_the_other_side_refuses_has_its_own_status(self):
        error = {"code": -2, "name": "ENOENT", "message": "no such thing here"}
        for method, questions in QUESTIONS.items():
            for question in questions:
                status, told = self.ask(question, method, saying(lambda n: failure(n, error)))
                self.assertIn((status, "no such thing here" in told), ((1, True),), (question, told))


class Silence(Case):
    def test_silence_and_dribble_end_in_time(self):
        """A byte now and then counts as silence too, and a message about something else is no answer."""
        def dribble(peer, number):
            for byte in answer(number, {"x": "y" * 4000}):
                peer.sendall(bytes([byte]))
                time.sleep(0.05)

        ways = {"silence": lambda peer, number: None, "half": saying(lambda n: answer(n, {"a": 1})[:3]),
                "dribble": dribble}
        for name, say in ways.items():
            for method in ("sessions", "pause", "hello", "roll"):
                question = QUESTIONS.get(method, ("session ls {b}",))[0]
                with self.subTest(name, method=method):
                    status, told = self.ask(question, method, say, timeout="300ms")
                    self.assertEqual(status, 6, told)
                    self.assertRegex(told, "timed out|too slowly")

    def test_a_stream_that_falls_silent_can_be_interrupted(self):
        def begin(peer, number):
            peer.sendall(answer(number, {"stream": 1}))
        query = self.start_cli("query", "-o", "none", "-a", self.serve("query", begin))
        self.wait_for(lambda: len(self.served[0].peers) >= 2)
        while query.alive():  # the first signal may come before the client can handle it; the second ends it
            query.signal(signal.SIGINT)
            time.sleep(0.1)
        self.assertIn(query.wait(), (130, -signal.SIGINT))


def stream(*messages):
    """An answer to `query`, and the messages after it."""
    def say(peer, number):
        peer.sendall(answer(number, {"stream": 5}) + b"".join(
            m if isinstance(m, bytes) else msgpack.packb(m) for m in messages))
    return say


def frame(payload, kind=3, track=1, seq=1):
    head = len(payload).to_bytes(4, "little") + track.to_bytes(2, "little") + bytes([kind, 0])
    return head + seq.to_bytes(8, "little") + (7).to_bytes(8, "little") + payload + bytes(-len(payload) % 8)


TRACK = frame((77).to_bytes(8, "little") + b"\x01\x00\x03\x01\x00\x00\x00\x00t", kind=0xC5)
GOOD = {"stream": 5, "n": 1, "frames": TRACK + frame(b"tick")}
END = {"stream": 5, "ticks": 1, "bytes": 32, "lost": 0, "damaged": 0, "digest": "", "complete": True}


class Streams(Case):
    def test_a_stream_that_is_right_is_taken(self):
        status, told = self.ask("query -o none {a}", "query",
                                stream([2, "data", GOOD], [2, "heartbeat", {"stream": 5}], [2, "end", END]))
        self.assertEqual(status, 0, told)

    def test_a_stream_that_lies_is_an_error(self):
        bad = {
            "no frames": ([2, "data", {"stream": 5, "n": 1}],),
            "frames of text": ([2, "data", {"stream": 5, "n": 1, "frames": "x" * 48}],),
            "frames that are cut": ([2, "data", {**GOOD, "frames": GOOD["frames"][:-3]}],),
            "a frame of 4 GiB": ([2, "data", {**GOOD, "frames": TRACK + b"\xff" * 32}],),
            "frames of no track": ([2, "data", {**GOOD, "frames": frame(b"tick", track=9)}],),
            "an end too early": ([2, "end", END],),
            "an end too late": ([2, "data", GOOD], [2, "data", GOOD], [2, "end", END]),
            "an end that says nothing": ([2, "data", GOOD], [2, "end", {"stream": 5}]),
            "an end in error without a code": ([2, "data", GOOD], [2, "end", {**END, "error": {"x": 1}}]),
            "an answer in between": ([2, "data", GOOD], [1, 99, None, {}]),
            "a question in between": ([2, "data", GOOD], [0, 1, "hello", {"stream": 5}]),
            "rubbish in between": ([2, "data", GOOD], b"\xc1"),
            "a blob of 4 GiB": ([2, "data", GOOD], b"\x93\x02\xa4data\x81\xa6frames\xc6\xff\xff\xff\xff"),
        }
        for name, messages in bad.items():
            for question in QUESTIONS["query"]:
                with self.subTest(name, question=question):
                    status, told = self.ask(question, "query", stream(*messages))
                    self.assertEqual(status, 1, told)
                    self.assertRegex(told, "read from|broken answer|no code")

    def test_a_stream_that_breaks_off_is_told(self):
        def say(peer, number):
            stream([2, "data", GOOD])(peer, number)
            peer.shutdown(socket.SHUT_RDWR)
        for question in QUESTIONS["query"]:
            self.assertEqual(self.ask(question, "query", say)[0], 6)


class Endless(Case):
    """An answer that never ends is ended by a limit, or by the user. Memory does not grow with it."""

    def rest_of(self, question, method, say):
        """The process's peak memory in bytes, and its stderr. It is ended if it does not end by itself."""
        address = self.serve(method, say)
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", *question.format(a=f"-a {address}").split()],
                                   env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ended = threading.Event()

        def watch():
            if not ended.wait(1.5):
                process.terminate()  # ask for an orderly stop
            if not ended.wait(3):
                process.terminate()  # in case it did not act on the first
            if not ended.wait(10):
                process.kill()
        watcher = threading.Thread(target=watch)
        watcher.start()
        told = process.stderr.read().decode()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watcher.join()
        self.assertNotIn(process.returncode, (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGKILL), told)
        self.assertNotIn("Sanitizer", told)
        return usage.ru_maxrss << 10, told

    @staticmethod
    def page(rows, key):
        """Pages of rows without end; each page continues the one before."""
        state = {"next": 0}

        def say(peer, number):
            first = state["next"]
            state["next"] += 1000
            peer.sendall(answer(number, {key: [rows(first + i) for i in range(1000)], "more": True}))
        return say

    def test_tracks_are_no_more_than_a_tape_has(self):
        say = self.page(lambda i: {"name": f"t{i:09}"}, "tracks")
        rest, told = self.rest_of("ls tracks {a}", "tracks", say)
        self.assertLess(rest, 400 << 20)

    def test_epochs_that_do_not_lead_on_are_an_error(self):
        for epochs in ([{"epoch": 0}], [{"epoch": 2}, {"epoch": 2}]):
            status, told = self.ask("query -o dbn {a}", "epochs", saying(
                lambda number, epochs=epochs: answer(number, {"epochs": epochs, "more": True})))
            self.assertEqual(status, 1)
            self.assertIn("out of order", told)

    @staticmethod
    def losses(first, last=False):
        """A page with the next thousand losses of one epoch, and nothing else."""
        gaps = [{"first_seq": first + i, "count": 1, "from": 1, "to": 2, "reason": "ring full"} for i in range(1000)]
        told = {"tracks": [{"track": "t", "epochs": [{"epoch": 1, "ticks": 1, "lost": gaps}]}], "complete": False}
        return told if last else {**told, "more": True, "next": {"track": "t", "epoch": 1, "seq": first + 999}}

    def test_losses_are_written_as_they_come(self):
        pages, begun = iter(range(51)), threading.Event()

        def coverage(peer, number):
            page = next(pages)
            if page == 50 and not begun.wait(tapedeck.SOON):
                peer.close()
            peer.sendall(answer(number, self.losses(1 + page * 1000, last=page == 50)))

        address = self.serve("coverage", coverage)
        asking = self.start_cli("coverage", "--json", "-a", address, stdout=subprocess.PIPE)
        told = asking.process.stdout.read(1)
        begun.set()
        told += asking.process.stdout.read()
        self.assertEqual(asking.wait(), 3, asking.stderr)
        (epoch,) = json.loads(told)[0]["tracks"][0]["epochs"]
        self.assertEqual([gap["first_seq"] for gap in epoch["lost"]], list(range(1, 51001)))
        self.assertEqual((epoch["epoch"], epoch["ticks"], epoch["damaged"]), (1, 1, []))

    def test_what_leads_on_for_ever_takes_no_more_memory(self):
        def coverage(peer, number):
            coverage.seq += 1000
            peer.sendall(answer(number, self.losses(coverage.seq)))
        coverage.seq = 0

        def noise(peer, number):
            one = msgpack.packb([2, "session", {"session": 3, "state": "x" * 1000}])
            while True:
                peer.sendall(one * 100)

        def data(peer, number):
            peer.sendall(answer(number, {"stream": 5}))
            one = msgpack.packb([2, "data", {**GOOD, "frames": TRACK + frame(b"x" * 60000)}])
            while True:
                peer.sendall(one)

        for question, method, say in (("gaps {a}", "coverage", coverage), ("coverage {a}", "coverage", coverage),
                                      ("query --count {a}", "count", noise),
                                      ("session ls {a}", "sessions", noise),
                                      ("play --into r --create 64K {a}", "play", noise),
                                      ("query -o none {a}", "query", data)):
            with self.subTest(question):
                rest, told = self.rest_of(question, method, say)
                self.assertLess(rest, 300 << 20, told)


class Plays(Case):
    """Messages that come after the answer to `play`."""

    def test_a_play_that_ends_in_nonsense_is_an_error(self):
        def begin(*messages):
            def say(peer, number):
                peer.sendall(answer(number, {"session": 3}) + b"".join(map(msgpack.packb, messages)))
                peer.shutdown(socket.SHUT_WR)
            return say
        ways = {
            "nothing more": (),
            "the end of another": ([2, "session", {"session": 4, "state": "ended"}],),
            "a state of its own": ([2, "session", {"session": 3, "state": "flying"}],),
            "a state too long": ([2, "session", {"session": 3, "state": "x" * 9999}],),
            "an error of text": ([2, "session", {"session": 3, "state": "failed", "error": "x"}],),
            "failed, and no error": ([2, "session", {"session": 3, "state": "failed"}],),
            "a coverage that is none": ([2, "session", {"session": 3, "state": "ended", "lost": 5,
                                                        "coverage": {"tracks": 7}}],),
            "an end that says nothing": ([2, "session", {"session": 3, "state": "ended"}],),
        }
        for name, messages in ways.items():
            with self.subTest(name):
                status, told = self.ask("play --into r --create 64K {a}", "play", begin(*messages))
                self.assertIn(status, (1, 3, 6), told)

    def test_a_recorder_that_is_none_takes_no_loan(self):
        for name, say in BROKEN.items():
            with self.subTest(name):
                done = self.run_cli("gen", "--lend", self.serve("lend", say), "--ring", "r", "--count", "1")
                self.assertIn(done.returncode, (1, 6), done.stderr)
                self.assertNotIn("Sanitizer", done.stderr)


if __name__ == "__main__":
    unittest.main()

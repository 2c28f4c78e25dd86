"""The page at --http /: every address it has, who may ask, and what a browser shows."""

import contextlib
import ctypes
import http.client
import json
import os
import re
import socket
import struct
import threading
import time
import unittest
import urllib.parse

from tests.support import browser, stage, tapedeck

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
WALL = 0x40000000
HOSTILE = "<img src=x onerror=alert(1)>&\"'"


class Page(stage.Stage):
    def get(self, path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=tapedeck.PATIENCE)
        try:
            connection.request("GET", path,
                               headers={key.replace("_", "-"): value for key, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def rows(self, path, status=200):
        got, text, headers = self.get(path)
        self.assertEqual((got, headers["Content-Type"]), (status, "application/json"), text)
        return json.loads(text)

    def recording(self, *args, lines=()):
        if lines:
            file = self.scratch / "ticks.jsonl"
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
            self.run_ok("import", file, "-T", self.tape, "--track", "crypto", "--format", "jsonl")
        self.watched = self.recorder("--ring", "a", "--create-ring", "1M", "--http", "127.0.0.1:0", *args)
        self.port = self.port_of(self.watched.pid)

    @staticmethod
    def trades(symbol="BTC-USD", count=100):
        return [{"symbol": symbol, "timestamp": 1700000000 + n, "price": 100 + n, "volume": 0.5,
                 "message_type": "trade"} for n in range(count)]

    # ---- what there is ----

    def test_the_page_is_whole_and_is_made_of_ours_alone(self):
        self.recording()
        status, text, headers = self.get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn("script-src 'self' 'unsafe", headers["Content-Security-Policy"])
        self.assertIsNone(headers["Access-Control-Allow-Origin"])
        for link in re.findall(r'(?:src|href)="([^"]+)"', text):
            if link.startswith("data:"):
                continue
            self.assertRegex(link, r"^/[a-z.]+$")
            self.assertIn(self.get(link)[0], (200, 404) if "dygraph" in link else (200,), link)
        self.assertNotRegex(text, r"(?i)\son[a-z]+=|<style|<script>")
        self.assertEqual(self.get("/page.js")[2]["Content-Type"], "text/javascript; charset=utf-8")

    def test_the_state_is_what_was_recorded(self):
        self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "500")
        for _ in range(600):
            state = self.rows("/state")
            if state["rings"] and state["rings"][0]["ticks"] == 500:
                break
            time.sleep(0.05)
        ring = state["rings"][0]
        self.assertEqual((ring["ring"], ring["track"], ring["lost"]), ("a", "a", 0))
        self.assertEqual((state["daemon"], state["trouble"], state["players"]), ("recorder", None, []))
        self.assertGreater(state["own"]["recorder_disk_free"], 0)
        self.assertEqual(state["tape"], str(self.tape))

    def test_events_come_again_and_again_and_only_some_may_listen(self):
        self.recording()
        listening = []
        for _ in range(9):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=tapedeck.PATIENCE)
            self.addCleanup(connection.close)
            connection.request("GET", "/events")
            listening.append(connection.getresponse())
        self.assertEqual([answer.status for answer in listening], [200] * 8 + [503])
        self.assertEqual(listening[0].headers["Content-Type"], "text/event-stream")
        beats = []
        while len(beats) < 2:
            line = listening[0].fp.readline().decode()
            if line.startswith("data: "):
                beats.append(json.loads(line[6:])["now"])
        self.assertLess(beats[0], beats[1])
        self.assertEqual(self.get("/healthz")[0], 200)  # there is still room for monitors
        begun = time.monotonic()
        self.assertEqual(self.watched.stop(), 0)
        self.assertLess(time.monotonic() - begun, tapedeck.PATIENCE / 2)

    def test_its_end_does_not_wait_for_a_command_that_cannot_die(self):
        self.recording()
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(str(self.tape / "replayer.sock"))
        listening.listen()
        asking = threading.Thread(target=self.hear_nothing, daemon=True)
        asking.start()
        peer, _ = listening.accept()  # the command asks for the plays and gets no answer
        self.addCleanup(peer.close)
        pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if LIBC.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
            self.skipTest("nothing may be traced here")
        self.addCleanup(os.waitpid, pid, WALL)  # before this wait the traced process is not gone for its parent
        self.assertEqual(self.watched.stop(), 0, self.watched.stderr)
        asking.join()

    def hear_nothing(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.get("/state")

    def test_the_tape_is_told_as_the_commands_tell_it(self):
        self.recording(lines=self.trades())
        self.assertEqual(self.rows("/tape")["rows"][0]["ticks"], 100)
        self.assertEqual([row["track"] for row in self.rows("/tracks")["rows"]], ["crypto"])
        self.assertEqual([row["symbol"] for row in self.rows("/symbols")["rows"]], ["BTC-USD"])
        epochs = self.rows("/coverage")["rows"][0]["tracks"][0]["epochs"]
        self.assertEqual((epochs[0]["ticks"], epochs[0]["lost"]), (100, []))
        self.assertEqual(self.rows("/gaps")["rows"], [])

    def test_ticks_are_bars_of_what_is_on_the_tape(self):
        self.recording(lines=self.trades())
        rows = self.rows("/ticks?symbol=BTC-USD&from=1700000000000000000&to=1700000100000000000&bars=10")["rows"]
        self.assertEqual(len(rows), 10)
        self.assertEqual([rows[3][key] for key in ("time", "open", "high", "low", "close", "volume", "trades")],
                         [1700000030000000000, "130", "139", "130", "139", "5", 10])
        self.assertEqual(len(self.rows("/ticks?symbol=BTC-USD&from=start&to=start%2B10s")["rows"]), 10)
        self.assertEqual(self.rows("/ticks?symbol=NOBODY")["rows"], [])

    def test_what_cannot_be_asked_is_refused(self):
        self.recording(lines=self.trades())
        for query in ("", "symbol=", "symbol=a&from=yesterday", "symbol=a&bars=many", "symbol=a&bars=99999",
                      "symbol=a&from=end&to=start", "symbol=" + "x" * 300, "symbol=a&track=../etc"):
            self.assertIn("error", self.rows("/ticks?" + query, status=400), query)
        # A symbol is always taken as a value, whatever it looks like.
        for symbol in ("--help", "-T/", "; touch x", "a\nb", "%00", "$(id)", "'"):
            status, text, _ = self.get("/ticks?symbol=" + urllib.parse.quote(symbol))
            self.assertIn(status, (200, 400), symbol)
            self.assertNotIn("usage:", text)

    def test_hostile_symbols_are_data(self):
        self.recording(lines=self.trades(HOSTILE, 5))
        self.assertEqual(self.rows("/symbols")["rows"][0]["symbol"], HOSTILE)
        self.assertEqual(len(self.rows("/ticks?symbol=" + urllib.parse.quote(HOSTILE))["rows"]), 5)

    # ---- who may ask ----

    def test_another_name_for_us_is_not_served(self):
        self.recording()
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1"):
            for path in ("/", "/state", "/metrics", "/ticks?symbol=a"):
                self.assertIn(self.get(path, Host=host)[0], (400, 421), (host, path))
        for host in (f"127.0.0.1:{self.port}", "localhost", "LOCALHOST:1", "[::1]:80", "10.1.2.3"):
            self.assertEqual(self.get("/state", Host=host)[0], 200, host)

    def test_a_probe_that_names_nobody_is_served(self):
        self.recording()
        with socket.create_connection(("127.0.0.1", self.port), timeout=tapedeck.PATIENCE) as probe:
            probe.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            self.assertRegex(probe.makefile("rb").read(), rb"(?s)^HTTP/1.1 200 .*\r\n\r\nok\n$")

    def test_who_asks_byte_by_byte_keeps_no_monitor_out(self):
        self.recording()
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(40)]
        for connection in slow:
            self.addCleanup(connection.close)
        for byte in b"GET / HT":
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.send(bytes([byte]))
            self.assertEqual(self.get("/healthz")[0], 200)

    def test_a_crowd_that_comes_at_once_keeps_no_monitor_out(self):
        self.recording()
        tasks = f"/proc/{self.watched.pid}/task"  # a thread for each connection, and some for the pool
        few = len(os.listdir(tasks)) + 20
        for _ in range(10):
            with contextlib.ExitStack() as crowd:
                for _ in range(200):
                    crowd.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                self.assertEqual(self.get("/healthz")[0], 200)
            self.wait_for(lambda: len(os.listdir(tasks)) <= few)

    def test_pages_of_others_cannot_make_it_work(self):
        self.recording()
        self.assertEqual(self.get("/coverage", Sec_Fetch_Site="cross-site")[0], 403)
        self.assertEqual(self.get("/events", Sec_Fetch_Site="same-site")[0], 403)
        self.assertEqual(self.get("/", Sec_Fetch_Site="cross-site")[0], 200)  # a link is fine
        self.assertEqual(self.get("/tape", Sec_Fetch_Site="same-origin")[0], 200)

    # ---- of a replayer ----

    def replaying(self, *args):
        """A replayer of a tape with some trades, and a play of them that keeps running."""
        self.recording(lines=self.trades())
        replayer = self.start("tapedeck-replayer", "--tape", self.tape, "--http", "127.0.0.1:0", *args)
        replayer.wait_line("^ready ")
        self.port = self.port_of(replayer.pid)
        self.playing("replay", socket="other" if args else "replayer")

    def playing(self, into, socket="replayer"):
        self.start_cli("play", "-a", f"unix:{self.tape}/{socket}.sock",
                       "--speed", "1x", "--into", into, "--create", "1M")

    def state_with_a_play(self):
        for _ in range(600):
            state = self.rows("/state")
            if state["players"] and state["players"][0]["state"] in ("playing", "stalled"):
                return state
            time.sleep(0.05)
        self.fail(f"nothing is ever played: {state}")

    def test_a_replayer_shows_its_tape_and_its_plays(self):
        self.replaying()
        state = self.state_with_a_play()
        self.assertEqual((state["daemon"], state["tape"]), ("replayer", str(self.tape)))
        self.assertEqual(state["players"][0]["into"], "replay")
        self.assertIn("replayer_sessions", state["own"])
        self.assertEqual(self.rows("/tape")["rows"][0]["ticks"], 100)
        self.assertEqual(len(self.rows("/ticks?symbol=BTC-USD")["rows"]), 100)

    def test_an_event_is_one_line_however_much_is_played(self):
        self.replaying()
        self.playing("another")
        events = http.client.HTTPConnection("127.0.0.1", self.port, timeout=tapedeck.PATIENCE)
        self.addCleanup(events.close)
        events.request("GET", "/events")
        stream, players = events.getresponse().fp, set()
        while players != {"replay", "another"}:
            line = stream.readline().decode()
            if line.startswith("data: "):
                players = {player["into"] for player in json.loads(line[6:])["players"]}

    def test_a_replayer_at_another_socket_is_asked_there(self):
        self.replaying("--socket", str(self.tape / "other.sock"))
        self.assertEqual(self.state_with_a_play()["players"][0]["into"], "replay")

    def test_a_browser_shows_a_replayers_page(self):
        if browser.PROGRAM is None:
            self.skipTest("no browser is installed (Debian package chromium)")
        self.replaying()
        self.state_with_a_play()
        with browser.Browser() as chromium:
            page = chromium.open(f"http://127.0.0.1:{self.port}/", width=390)
            page.wait("document.querySelectorAll('#players tbody td').length > 5")
            page.wait("document.querySelectorAll('.calendar .whole').length >= 1")
            self.assertEqual(page.ask("document.getElementById('rings').offsetParent"), None)
            self.assertIn("plays", page.ask("document.getElementById('tiles').innerText"))
            self.assertLessEqual(page.ask("document.documentElement.scrollWidth"), 390)
            told = [str(line) for line in page.complaints()]
            self.assertEqual([line for line in told if "dygraph" not in line], [])

    # ---- in a browser ----

    def test_a_browser_shows_it(self):
        if browser.PROGRAM is None:
            self.skipTest("no browser is installed (Debian package chromium)")
        self.recording(lines=self.trades(HOSTILE))
        self.run_ok("gen", "--ring", "a", "--count", "500")
        with browser.Browser() as chromium:
            for dark, width in ((False, 1200), (True, 390)):
                page = chromium.open(f"http://127.0.0.1:{self.port}/", width=width, dark=dark)
                page.wait("document.querySelector('#rings tbody td').textContent === 'a'")
                page.wait("document.getElementById('prices-words').textContent.startsWith('100 ticks')")
                page.wait("document.querySelectorAll('.calendar .whole').length >= 1")
                self.assertIn(HOSTILE, page.ask("document.getElementById('prices-words').textContent"))
                self.assertEqual(page.ask("document.querySelectorAll('main img').length"), 0)
                self.assertLessEqual(page.ask("document.documentElement.scrollWidth"), width)
                ground = page.ask("getComputedStyle(document.body).backgroundColor")
                self.assertEqual(int(re.search(r"\d+", ground).group()) < 128, dark)
                if page.ask("hasCharts"):
                    self.assertGreater(page.ask("document.querySelectorAll('#price-chart canvas').length"), 0)
                else:
                    self.assertFalse(page.ask("document.getElementById('no-charts').hidden"))
            shown = [page.ask(f"moment({(1700000000000 + ms) * 10**6})") for ms in (0, 7, 10, 970, 986, 1994)]
            self.assertEqual([moment.split(" 22:13:")[1] for moment in shown],
                             ["20", "20.007", "20.01", "20.97", "20.986", "21.994"])
            told = [str(line) for line in page.complaints()]
            self.assertEqual([line for line in told if "dygraph" not in line], [])


if __name__ == "__main__":
    unittest.main()

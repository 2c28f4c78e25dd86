"""Metrics over HTTP: what Prometheus scrapes, and who may scrape it."""

import re
import shutil
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from tests.support import tapedeck

MONITORING = tapedeck.SOURCE / "docs" / "monitoring"


class Metrics(tapedeck.Case):
    def recording(self, *args):
        recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--http", "127.0.0.1:0", *args)
        self.port = self.port_of(recorder.pid)

    def get(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=tapedeck.PATIENCE) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def scrape(self, want):
        """Get /metrics again and again until one of its lines begins with `want`."""
        for _ in range(600):
            status, text, headers = self.get("/metrics")
            self.assertEqual(status, 200)
            self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4")
            if any(line.startswith(want) for line in text.splitlines()):
                return text
            time.sleep(0.05)
        self.fail(f"never {want}:\n{text}")

    def test_what_was_recorded_is_scraped_and_promtool_has_no_complaint(self):
        self.recording()
        self.run_ok("gen", "--ring", "a", "--count", "500")
        text = self.scrape('tapedeck_ring_ticks_total{ring="a",track="a"} 500')
        self.assertIn("tapedeck_recorder_state 0\n", text)
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not installed (Debian package prometheus)")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                              text=True, timeout=tapedeck.PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_ring_that_was_none_when_it_was_found_has_its_track_named_later(self):
        (self.rings / "b.ring").write_bytes(b"no ring")
        self.recording("--ring", "b")
        self.scrape('tapedeck_ring_state{ring="b"')
        (self.rings / "b.ring").unlink()
        self.run_ok("ring", "create", "b", "--size", "1M", "--track", "venue.b")
        text = self.scrape('tapedeck_ring_state{ring="b",track="venue.b"} 2')
        self.assertEqual(text.count('tapedeck_ring_state{ring="b"'), 1)

    def test_health_and_what_else_is_asked(self):
        self.recording()
        self.assertEqual(self.get("/healthz")[:2], (200, "ok\n"))
        self.assertEqual(self.get("/")[0], 200)
        self.assertEqual(self.get("/metrics", "HEAD")[:2], (200, ""))
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(self.get("/../../etc/passwd")[0], 404)
        self.assertEqual(self.get("/metrics", "POST")[0], 405)

    def test_only_loopback_unless_allowed(self):
        for address in ("0.0.0.0:9464", "nonsense", "127.0.0.1:", "127.0.0.1:99999"):
            recorder = self.recorder("--ring", "a", "--http", address, ready=False)
            self.assertEqual(recorder.wait(), 2, address)
            self.assertIn("--http", recorder.stderr)
        recorder = self.recorder("--ring", "a", "--http", "0.0.0.0:0", "--allow-remote")
        self.assertEqual(recorder.stop(), 0)

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen(1)
            address = f"127.0.0.1:{holder.getsockname()[1]}"
            recorder = self.recorder("--ring", "a", "--http", address, ready=False)
            self.assertEqual(recorder.wait(), 1)
            self.assertIn(address, recorder.stderr)

    def test_clients_that_say_nothing_or_nonsense_hurt_nobody(self):
        self.recording()
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(20)]
        idle[0].sendall(b"\0" * 100000)
        idle[1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        self.assertEqual(self.get("/healthz")[0], 200)
        for connection in idle:
            connection.close()

    def test_rules_are_what_promtool_takes_and_name_metrics_that_are_there(self):
        self.recording()
        text = self.scrape('tapedeck_ring_state{ring="a",track="a"}')
        replayer = self.start("tapedeck-replayer", "--tape", self.tape, "--http", "127.0.0.1:0")
        replayer.wait_line("^ready ")
        self.port = self.port_of(replayer.pid)
        text += self.scrape("tapedeck_replayer_")
        there = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
        for file in (MONITORING / "alerts.yaml", MONITORING / "dashboard.json"):
            for name in set(re.findall(r"tapedeck_[a-z_]+", file.read_text())):
                self.assertIn(name, there | {"tapedeck_check_status"}, file.name)
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not installed (Debian package prometheus)")
        subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yaml"], check=True,
                       capture_output=True, timeout=tapedeck.PATIENCE)


if __name__ == "__main__":
    unittest.main()

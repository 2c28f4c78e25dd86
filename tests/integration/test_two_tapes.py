"""Two recorders of one feed: what each of them missed, and one whole tape made of both."""

import json
import random
import shutil
import time
import unittest

from tests.support import tapedeck


class TwoTapes(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.a, self.b, self.c = (self.scratch / name for name in "abc")
        self.lines = [f"{1700000000000000000 + 1000 * i} tick number {i}" for i in range(30000)]

    def put(self, tape, lines, late=0, track="t"):
        """Import these lines as if they were received `late` ns later."""
        ticks = (line.split(" ", 1) for line in lines)
        self.put_lines(track, ((int(ts) + late, text) for ts, text in ticks), tape=tape)

    def diff(self, *args, code):
        done = self.run_ok("diff", self.a, self.b, "--json", *args, code=code)
        return json.loads(done.stdout), done.stderr

    def texts(self, tape):
        return [frame.payload.decode() for frame in self.frames(tape=tape) if frame.is_tick()]

    def test_tapes_of_the_same_ticks_are_equal_whatever_their_epochs(self):
        self.put(self.a, self.lines)
        self.put(self.b, self.lines)
        rows, _ = self.diff(code=0)
        self.assertEqual((rows[0]["both"], rows[0]["only_a"], rows[0]["same_time"]),
                         (30000, 0, 30000))

    def test_receive_times_are_told_and_count_if_asked(self):
        self.put(self.a, self.lines)
        self.put(self.b, self.lines, late=250)
        rows, _ = self.diff(code=0)
        self.assertEqual(rows[0]["b_later"], 30000)
        self.assertEqual(rows[0]["apart_max"], 250)
        _, stderr = self.diff("--times", code=3)
        self.assertIn("first difference: track t", stderr)

    def test_each_missing_tick_is_named(self):
        generator = random.Random(1)
        missing_a = set(range(100, 105)) | {0, 29999} | set(generator.sample(range(30000), 300))
        missing_b = set(range(103, 110)) | set(range(9000, 15000)) | {777}
        self.put(self.a, [line for i, line in enumerate(self.lines) if i not in missing_a])
        self.put(self.b, [line for i, line in enumerate(self.lines) if i not in missing_b], late=9)
        rows, stderr = self.diff(code=3)
        self.assertEqual(rows[0]["only_b"], len(missing_a - missing_b))
        self.assertEqual(rows[0]["only_a"], len(missing_b - missing_a))
        self.assertIn("first difference", stderr)
        stretches, _ = self.diff("--missing", code=3)
        self.assertEqual(sum(row["count"] for row in stretches if row["missing_in"] == "A"),
                         len(missing_a - missing_b))
        self.assertEqual(sum(row["count"] for row in stretches if row["missing_in"] == "B"),
                         len(missing_b - missing_a))

    def test_an_outage_longer_than_any_window_is_found(self):
        lines = [f"{1700000000000000000 + 1000 * i} {i}" for i in range(200000)]
        self.put(self.a, lines)
        self.put(self.b, lines[:1000] + lines[150000:], late=3)
        rows, _ = self.diff(code=3)
        self.assertEqual((rows[0]["both"], rows[0]["only_a"], rows[0]["only_b"]),
                         (51000, 149000, 0))

    def test_an_outage_is_found_also_where_the_clocks_are_further_apart_than_it_was_long(self):
        lines = [f"{1700000000000000000 + 1000 * i} tick {i}" for i in range(160000)]
        self.put(self.a, lines)
        for late in (-10**9, 10**9):
            shutil.rmtree(self.b, ignore_errors=True)
            self.put(self.b, lines[:20000] + lines[120000:], late=late)
            rows, _ = self.diff(code=3)
            self.assertEqual((rows[0]["both"], rows[0]["only_a"], rows[0]["only_b"]), (60000, 100000, 0), late)

    def test_one_that_begins_later_than_any_window_is_compared_also_where_the_clocks_are_further_apart(self):
        begin = 1700000000000000000
        lines = [f"{begin + 10**6 * i} tick {i}" for i in range(180000)]
        self.put(self.a, lines)
        for late in (-80 * 10**9, 80 * 10**9):
            shutil.rmtree(self.b, ignore_errors=True)
            self.put(self.b, lines[150000:], late=late)
            for args, only in (([], 150000), (["--from", begin + 10**6 * 40000], 110000)):
                rows, _ = self.diff(*args, code=3)
                self.assertEqual((rows[0]["both"], rows[0]["only_a"], rows[0]["only_b"]), (30000, only, 0), late)

    def test_ticks_of_the_same_times_that_say_something_else_cost_no_window_each(self):
        times = [1700000000000000000 + 1000 * i for i in range(200000)]
        common = [f"{times[-1] + 1000 * i} both {i}" for i in range(1, 1001)]
        self.put(self.a, [f"{ts} a {i}" for i, ts in enumerate(times)] + common)
        self.put(self.b, [f"{ts} b {i}" for i, ts in enumerate(times)] + common)
        rows, _ = self.diff(code=3)
        self.assertEqual((rows[0]["both"], rows[0]["only_a"], rows[0]["only_b"]),
                         (1000, 200000, 200000))

    def test_a_track_that_only_one_has(self):
        self.put(self.a, self.lines[:100])
        self.put(self.b, self.lines[:100])
        self.put(self.b, self.lines[:50], track="more")
        rows, _ = self.diff(code=3)
        self.assertEqual([(row["track"], row["only_b"]) for row in rows], [("more", 50), ("t", 0)])
        self.diff("--track", "t", code=0)
        self.run_ok("diff", self.a, self.b, "--track", "none", code=1)
        self.run_ok("diff", self.a, self.scratch / "none", code=1)
        self.run_ok("diff", self.a, code=2)

    def test_arbitrate_makes_one_whole_tape_with_origins(self):
        missing_a, missing_b = set(range(50, 70)) | {5}, set(range(65, 90)) - set(range(65, 70))
        self.put(self.a, [line for i, line in enumerate(self.lines) if i not in missing_a])
        self.put(self.b, [line for i, line in enumerate(self.lines) if i not in missing_b], late=5)
        self.run_ok("arbitrate", self.a, self.b, "-O", self.c)
        self.run_ok("verify", "-T", self.c)
        self.assertEqual(self.texts(self.c), [f"tick number {i}" for i in range(30000)])
        origin, told = None, {}
        for frame in self.frames(tape=self.c):
            if frame.type == tapedeck.INFO and b"origin" in frame.payload:
                origin = frame.payload.split(b"origin", 1)[1].split()[0].decode()
            elif frame.is_tick():
                told[int(frame.payload.split()[-1])] = origin
        self.assertEqual({i for i, word in told.items() if word == "b"}, missing_a)
        self.assertEqual({i for i, word in told.items() if word == "a"}, missing_b)
        self.run_ok("diff", self.a, self.c, code=3)
        self.run_ok("arbitrate", self.a, self.b, "-O", self.c, code=2)

    def test_what_both_recorders_lost_is_a_loss(self):
        for tape in (self.a, self.b):
            recorder = self.recorder("--ring", "r", "--create-ring", "64K", tape=tape)
            self.run_cli("gen", "--ring", "r", "--count", "40000", "--no-wait", "--rate", "max")
            self.assertEqual(recorder.stop(), 0)
            self.run_ok("ring", "rm", "r")
        lost = [json.loads(self.run_ok("ls", "tracks", "-T", tape, "--json").stdout)[0]["lost"]
                for tape in (self.a, self.b)]
        done = self.run_cli("arbitrate", self.a, self.b, "-O", self.c, "--json")
        row = json.loads(done.stdout)[0]
        self.assertEqual(done.returncode, 3 if row["lost"] else 0)
        self.assertLessEqual(row["lost"], min(lost))
        self.assertEqual(row["ticks"] + row["lost"], 40000)
        self.run_ok("verify", "-T", self.c)

    def test_what_neither_has_for_damage_is_a_loss(self):
        lines = [f"{1700000000000000000 + 1000 * i} {i:>900}" for i in range(5000)]
        self.put(self.a, lines)
        self.put(self.b, lines[:10] + lines[4900:])
        segment = max((self.a / "segments").glob("*.seg"), key=lambda path: path.stat().st_size)
        self.flip(segment)
        done = self.run_ok("arbitrate", self.a, self.b, "-O", self.c, "--json", code=3)
        (row,) = json.loads(done.stdout)
        self.assertGreater(row["lost"], 0)
        self.assertEqual(row["ticks"] + row["lost"], 5000)
        self.assertIn("on neither tape", done.stderr)
        gaps = json.loads(self.run_ok("gaps", "-T", self.c, "--json", code=3).stdout)
        self.assertEqual(sum(gap["count"] for gap in gaps), row["lost"])
        self.put(self.scratch / "whole", lines)
        self.run_ok("arbitrate", self.a, self.scratch / "whole", "-O", self.scratch / "mended")
        self.assertEqual(len(self.texts(self.scratch / "mended")), 5000)

    def test_what_an_arbitration_left_that_was_killed_early_may_be_used(self):
        self.put(self.a, self.lines[:200])
        self.put(self.b, self.lines[100:])
        whole = self.scratch / "whole"
        self.run_ok("arbitrate", self.a, self.b, "-O", whole)
        for left in ((), ("lock",), ("lock", "tape.meta.new"), ("lock", "tape.meta"), ("lock", "tape.meta", "segments", "index")):
            shutil.rmtree(self.c, ignore_errors=True)
            self.c.mkdir()
            for name in left:
                if name == "tape.meta":
                    shutil.copy(whole / name, self.c)
                elif name in ("segments", "index"):
                    (self.c / name).mkdir()
                else:
                    (self.c / name).touch()
            self.run_ok("arbitrate", self.a, self.b, "-O", self.c)
            self.assertEqual(self.texts(self.c), self.texts(whole), left)
        (self.scratch / "foreign").mkdir()
        (self.scratch / "foreign" / "thesis.txt").touch()
        for there in (self.c, self.scratch / "foreign", self.scratch / "foreign" / "thesis.txt"):
            self.run_ok("arbitrate", self.a, self.b, "-O", there, code=2)
        self.assertEqual([path.name for path in (self.scratch / "foreign").iterdir()], ["thesis.txt"])

    def test_arbitration_may_be_killed_and_run_again(self):
        self.put(self.a, self.lines[:20000])
        self.put(self.b, self.lines[10000:])
        for wait in (0.0, 0.02, 0.05):
            running = self.start_cli("arbitrate", self.a, self.b, "-O", self.c)
            time.sleep(wait)
            running.kill()
        if self.c.exists():
            done = self.run_cli("ls", "segments", "-T", self.c, "--json")
            if done.returncode == 0 and json.loads(done.stdout):
                return  # it was done before the kill
        self.run_ok("arbitrate", self.a, self.b, "-O", self.c)
        self.assertEqual(len(self.texts(self.c)), 30000)


if __name__ == "__main__":
    unittest.main()

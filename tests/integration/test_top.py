"""`tapedeck top` in a terminal: what it shows, and what its keys do."""

import unittest

from tests.support import screen, tapedeck


class Top(tapedeck.Case):
    def top(self, *args, **how):
        return screen.Terminal([tapedeck.BIN / "tapedeck", "top", "-i", "100ms", *args], self.env,
                               **how)

    def recording(self):
        return self.recorder("--ring", "alpha", "--ring", "beta=b.track", "--create-ring", "1M")

    def test_rings_tape_and_keys(self):
        self.recording()
        self.run_ok("gen", "--ring", "beta", "--count", "5000")
        with self.top("-T", self.tape) as top:
            text = top.wait(r"^beta=b\.track +ok +0 ")
            lines = text.splitlines()
            self.assertRegex(lines[0], r"^tapedeck  2 rings .* 0 lost +\d{4}-\d\d-\d\d .* UTC$")
            self.assertRegex(text, r"(?m)^TAPE +STATE +SIZE +SEGM +FREE")
            self.assertRegex(text, r"(?m)^\S*tape +ok +\S+ +1 ")
            self.assertLess(text.index("alpha"), text.index("beta"))
            self.assertTrue(all(len(line) <= 80 for line in lines))
            top.type("r")
            text = top.wait("by name, reversed")
            self.assertLess(text.index("beta"), text.index("alpha"))
            top.type("s")
            top.wait("by ticks, reversed")
            top.type(" ")
            top.wait("no play runs here")
            top.resize(12, 100)
            top.wait(r"^alpha +ok")
            top.type("q")
            self.assertEqual(top.end(), 0)

    def test_a_play_is_paused_and_goes_on(self):
        recorder = self.recorder("--ring", "alpha", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "alpha", "--count", "2000")
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("ring", "create", "out", "--size", "1M")
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        self.start_cli("play", "-a", f"unix:{self.tape}/replayer.sock", "--speed", "5/s",
                       "--into", "out")
        self.start_cli("drain", "out", "-o", "none", "--until-end")
        with self.top("-T", self.tape) as top:
            top.wait("no recorder runs")
            top.wait(r"^1 > out +playing +\d{4}-\S+ \S+ +\d+%")  # the percentage is of the tape, since no end was given
            top.type(" ")
            top.wait(r"^1 > out +paused ")
            top.type(" ")
            top.wait(r"^1 > out +playing ")
            top.type("q")
            self.assertEqual(top.end(), 0)

    def test_a_recorder_may_come_and_go(self):
        with self.top() as top:
            top.wait("no recorder runs")
            recorder = self.recording()
            top.wait(r"^alpha +ok")
            recorder.stop()
            top.wait("no recorder runs")
            top.type("q")
            self.assertEqual(top.end(), 0)

    def test_it_ends_with_its_terminal(self):
        with self.top() as top:
            top.wait("no recorder runs")
            top.hang_up()
            self.assertEqual(top.process.wait(tapedeck.PATIENCE), 0)

    def test_without_a_terminal_it_is_wrong_usage(self):
        done = self.run_ok("top", code=2)
        self.assertIn("terminal", done.stderr)
        self.assertIn("tapedeck stat", done.stderr)
        self.env["ASAN_OPTIONS"] = "detect_leaks=0"  # ncurses does not free what it allocated for this terminal
        with self.top(term="no-such-terminal") as top:
            self.assertEqual(top.end(), 2)

    def test_what_is_no_tape_is_said_before_there_is_a_screen(self):
        with self.top("-T", self.scratch) as top:
            self.assertEqual(top.end(), 1)
            top.wait("is no tape|not a tape|no tape")


if __name__ == "__main__":
    unittest.main()

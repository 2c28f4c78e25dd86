"""A program in a terminal of its own, and the contents of its screen.

    with Terminal([BIN / "tapedeck", "top"], env, rows=24, columns=80) as terminal:
        terminal.wait("RING")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

It knows what ncurses sends for TERM=linux: enough to read a screen and to draw a picture of it.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from tests.support import tapedeck

PLAIN = (None, False, False, False)  # colour, bold, dim, reverse
SEQUENCE = re.compile(r"\x1b(?:\[([?>=]?)([0-9;]*)([A-Za-z@`])|[()][0-9A-Za-z]|\][^\x07]*(?:\x07|P)|([78=>cMDE]))")


class Screen:
    """Cells of (character, look), changed by output as a terminal's would be."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[(" ", PLAIN)] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.look, self.pending = PLAIN, ""

    def text(self):
        return "\n".join("".join(cell[0] for cell in line).rstrip() for line in self.cells)

    def feed(self, text):
        text, self.pending = self.pending + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            found = SEQUENCE.match(text, at)
            if not found:
                if len(text) - at < 32:  # the rest is still to come
                    self.pending = text[at:]
                    return
                at += 1
                continue
            if found.group(3) and not found.group(1):
                numbers = [int(n) if n else 0 for n in found.group(2).split(";")]
                self._act(found.group(3), numbers)
            at = found.end()

    def _put(self, char):
        if char == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(self.column - 1, 0)
        elif char >= " ":
            if self.column < self.columns:
                self.cells[self.row][self.column] = (char, self.look)
            self.column += 1

    def _blank(self, row, begin, end):
        for column in range(begin, min(end, self.columns)):
            self.cells[row][column] = (" ", PLAIN)

    def _act(self, kind, numbers):
        n = max(numbers[0], 1)
        if kind in "Hf":
            self.row = min(n, self.rows) - 1
            self.column = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self.columns) - 1
        elif kind == "A":
            self.row = max(self.row - n, 0)
        elif kind == "B":
            self.row = min(self.row + n, self.rows - 1)
        elif kind == "C":
            self.column = min(self.column + n, self.columns - 1)
        elif kind == "D":
            self.column = max(self.column - n, 0)
        elif kind == "d":
            self.row = min(n, self.rows) - 1
        elif kind in "G`":
            self.column = min(n, self.columns) - 1
        elif kind == "J":
            self._blank(self.row, self.column, self.columns)
            for row in range(0 if numbers[0] == 2 else self.row + 1, self.rows):
                self._blank(row, 0, self.columns)
        elif kind == "K":
            self._blank(self.row, 0 if numbers[0] else self.column,
                        self.column + 1 if numbers[0] == 1 else self.columns)
        elif kind == "X":
            self._blank(self.row, self.column, self.column + n)
        elif kind == "P":
            line = self.cells[self.row]
            del line[self.column:self.column + n]
            line.extend([(" ", PLAIN)] * (self.columns - len(line)))
        elif kind == "@":
            line = self.cells[self.row]
            line[self.column:self.column] = [(" ", PLAIN)] * n
            del line[self.columns:]
        elif kind == "m":
            self._shine(numbers)

    def _shine(self, numbers):
        colour, bold, dim, reverse = self.look
        for n in numbers:
            if n == 0:
                colour, bold, dim, reverse = PLAIN
            elif n in (1, 21, 22):
                bold, dim = n == 1, dim and n == 1
            elif n == 2:
                dim = True
            elif n in (7, 27):
                reverse = n == 7
            elif 30 <= n <= 37:
                colour = n - 30
            elif n == 39:
                colour = None
        self.look = (colour, bold, dim, reverse)


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, args, env, rows=24, columns=80, term="linux"):
        self.master, slave = pty.openpty()
        self.screen = Screen(rows, columns)
        self._size(rows, columns)
        self.process = subprocess.Popen(
            [str(arg) for arg in args], env={**env, "TERM": term}, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True)
        os.close(slave)
        self.hung_up = False

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()

    def hang_up(self):
        """Close the terminal's window."""
        if not self.hung_up:
            os.close(self.master)
        self.hung_up = True

    def _size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen = Screen(rows, columns)
        self._size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds):
        """Read what comes within this time. False: nothing will come any more."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.screen.feed(data.decode("utf-8", "replace"))
        return bool(data)

    def wait(self, pattern, timeout=tapedeck.PATIENCE):
        """Wait until the screen shows it. Returns the screen's text."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.screen.text(), re.M):
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError(f"no {pattern!r} on the screen:\n{self.screen.text()}")
        return self.screen.text()

    def end(self, timeout=tapedeck.PATIENCE):
        """Wait until the program has ended by itself. Returns its exit status."""
        end = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        return self.process.wait(1)

#!/usr/bin/env python3
"""The README's pictures, made from the programs: ./run build, then docs/pictures/make.py.

The page needs chromium and libjs-dygraphs; the terminal's picture is text in an SVG and needs nothing.
"""

import html
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.support import browser, screen, stage, tapedeck  # noqa: E402

COLOURS = {1: "#ff7b85", 3: "#e5b04f", 6: "#63c5da"}  # as the terminal numbers them
WIDTH, HEIGHT, LEFT, TOP = 8.4, 18, 14, 24


def run_of_cells(line):
    """(column, text, look) of the cells that look alike."""
    begin = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or line[at][1] != line[begin][1]:
            yield begin, "".join(cell[0] for cell in line[begin:at]), line[begin][1]
            begin = at


APPEAR = ("<style>text{animation:appear .1s both}@keyframes appear{from{opacity:0}}"
          "@media(prefers-reduced-motion){text{animation:none}}</style>")


def svg(terminal, since=None):
    """A terminal's screen, sharp at any size, and its text can be searched for. `since`: rows appear
    after so many seconds."""
    rows, columns = terminal.rows, terminal.columns
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH + 2 * LEFT:.0f}" '
           f'height="{rows * HEIGHT + TOP:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
           'font-size="14" fill="#d5dbe2"><rect width="100%" height="100%" rx="8" fill="#14181d"/>'
           + (APPEAR if since else "")]
    for row, line in enumerate(terminal.cells):
        y = TOP + row * HEIGHT
        for column, text, (colour, bold, dim, reverse) in run_of_cells(line):
            if not text.strip() and not reverse:
                continue
            x, width = LEFT + column * WIDTH, len(text) * WIDTH
            ink = COLOURS.get(colour, "#d5dbe2")
            if reverse:
                out.append(f'<rect x="{x:.1f}" y="{y - 13}" width="{width:.1f}" height="{HEIGHT}" fill="{ink}"/>')
                ink = "#14181d"
            style = (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if dim else "")
            when = f' style="animation-delay:{since[row]:.1f}s"' if since else ""
            out.append(f'<text xml:space="preserve" x="{x:.1f}" y="{y}" textLength="{width:.1f}"{when} fill="{ink}"'
                       f'{style}>{html.escape(text)}</text>')
    return "\n".join(out + ["</svg>", ""])


class Pictures(stage.Stage):
    SYMBOLS = {"BTC-USD": 42000.0, "ETH-USD": 2300.0}

    def terminal(self):
        with screen.Terminal([tapedeck.BIN / "tapedeck", "top", "-T", self.tape], self.env, rows=14) as top:
            top.wait("playing")
            end = time.monotonic() + 4
            while time.monotonic() < end:
                top.read(0.1)
            (HERE / "top.svg").write_text(svg(top.screen), encoding="utf-8")
            top.type("q")
            top.end()

    def demo(self):
        """As it was typed and seen, up to the first proof."""
        with screen.Terminal([tapedeck.SOURCE / "examples" / "demo.sh", tapedeck.BIN], self.env, rows=26,
                             columns=112) as demo:
            begin, since = time.monotonic(), {}
            while "unchanged" not in demo.screen.text() and demo.read(0.05):
                for row in range(demo.screen.row + 1):
                    since.setdefault(row, time.monotonic() - begin)
            (HERE / "demo.svg").write_text(svg(demo.screen, since), encoding="utf-8")
            demo.end()

    def page(self):
        if browser.PROGRAM is None:
            sys.exit("no chromium here: the page's pictures stay as they are")
        with browser.Browser() as chromium:
            for name, dark in (("page-light", False), ("page-dark", True)):
                page = chromium.open(f"http://127.0.0.1:{self.port}/", width=1000, height=800, dark=dark)
                page.wait("past.length > 20", timeout=90)
                file = HERE / (name + ".png")
                page.picture(file)
                if shutil.which("pngquant"):
                    subprocess.run(["pngquant", "--force", "--ext", ".png", "64", file], check=True)

    def runTest(self):
        self.tape = pathlib.Path(str(self.scratch)) / "tape"
        self.demo()
        self.build_up()
        self.terminal()
        self.page()


if __name__ == "__main__":
    case = Pictures()
    result = case.run()
    for _, what in result.errors + result.failures:
        sys.exit(what)

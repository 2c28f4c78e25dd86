#!/usr/bin/env python3
"""Instructions a tick on the main paths, counted by callgrind: the same on a busy machine as on a quiet one.

    tests/bench/counts.py BIN            show them beside those held in counts.tsv; 1 when one has grown by over 20 %,
                                         or is less than half: that path may not do its work any more
    tests/bench/counts.py BIN --write    hold today's

Each path runs twice, for few and for many ticks; the difference, by tick, leaves out start and end.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FEW, MANY = 20_000, 120_000
GROWTH, SHRUNK = 1.20, 0.5
HELD = pathlib.Path(__file__).with_name("counts.tsv")


class Bench:
    def __init__(self, programs, scratch, rings):
        self.programs, self.scratch = pathlib.Path(programs).resolve(), scratch
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("TAPEDECK_")}
        self.env["TAPEDECK_RINGS"] = rings
        self.tape = scratch / "tape"

    def run(self, *args):
        subprocess.run([self.programs / args[0], *map(str, args[1:])], env=self.env, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120)

    def count(self, *args):
        """Instructions of one run. It has one processor, so that nothing is read ahead."""
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self.programs / args[0],
             *map(str, args[1:])], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=300, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            sys.exit(f"{' '.join(map(str, args))} exited {done.returncode}:\n{done.stderr}")
        return int(found.group(1))

    @contextlib.contextmanager
    def ring(self, fill=0, dist="trades"):
        self.run("tapedeck", "-q", "ring", "create", "a", "--size", "64M")
        if fill:
            self.run("tapedeck", "-q", "gen", "--ring", "a", "--count", fill, "--size-dist", dist)
        try:
            yield
        finally:
            self.run("tapedeck", "ring", "rm", "a")


def publish(bench, ticks):
    with bench.ring():
        return bench.count("tapedeck", "-q", "gen", "--ring", "a", "--count", ticks, "--size-dist", "fixed:64")


def consume(bench, ticks):
    with bench.ring(ticks, "fixed:64"):
        return bench.count("tapedeck", "-q", "drain", "a", "-o", "none", "--count", ticks)


def record(bench, ticks):
    tape = bench.scratch / f"recorded-{ticks}"
    with bench.ring(ticks):
        return bench.count("tapedeck-recorder", "-q", "--tape", tape, "--ring", "a", "--exit-when-idle", "200ms")


def play(bench, ticks, tape=None):
    with bench.ring():
        return bench.count("tapedeck", "-q", "play", "-T", tape or bench.tape, "-n", ticks, "--into", "a")


def play_merged(bench, ticks):
    """The same ticks on four tracks, which alternate, with a tie at every time."""
    tape = bench.scratch / "merged"
    if not tape.exists():
        source = bench.scratch / "merged.dbn"
        bench.run("tapedeck", "-q", "query", "-T", bench.tape, "-n", MANY // 4, "-o", "dbn", "-O", source)
        for track in "abcd":
            bench.run("tapedeck", "-q", "import", source, "-T", tape, "--track", track)
    return play(bench, ticks, tape)


def query(*options):
    def path(bench, ticks):
        return bench.count("tapedeck", "-q", "query", "-T", bench.tape, "-n", ticks, *options)
    return path


def recorded(bench, name, ticks):
    tape = bench.scratch / f"{name}-{ticks}"
    with bench.ring(ticks):
        bench.run("tapedeck-recorder", "-q", "--tape", tape, "--ring", "a", "--exit-when-idle", "100ms")
    return tape


def seal(bench, ticks):
    return bench.count("tapedeck", "-q", "seal", "-T", recorded(bench, "to-seal", ticks), "-j", 1)


def query_sealed(bench, ticks):
    """All of a tape of its own, because a packed block is always unpacked whole."""
    tape = recorded(bench, "sealed", ticks)
    bench.run("tapedeck", "-q", "seal", "-T", tape)
    return bench.count("tapedeck", "-q", "query", "-T", tape, "-o", "none")


def import_dbn(bench, ticks):
    source = bench.scratch / f"{ticks}.dbn"
    bench.run("tapedeck", "-q", "query", "-T", bench.tape, "-n", ticks, "-o", "dbn", "-O", source)
    return bench.count("tapedeck", "-q", "import", source, "-T", bench.scratch / f"imported-{ticks}", "--track", "t")


PATHS = {
    "gen, publish": publish,
    "drain": consume,
    "record": record,
    "play at full speed": play,
    "play, 4 tracks merged": play_merged,
    "query": query("-o", "none"),
    "seal": seal,
    "query, sealed": query_sealed,
    "query with digest": query("-o", "none", "--digest"),
    "query to csv": query("-o", "csv"),
    "query to dbn": query("-o", "dbn"),
    "import dbn": import_dbn,
}


def measure(bench):
    with bench.ring(MANY):
        bench.run("tapedeck-recorder", "-q", "--tape", bench.tape, "--ring", "a", "--exit-when-idle", "100ms")
    return {name: (path(bench, MANY) - path(bench, FEW)) / (MANY - FEW) for name, path in PATHS.items()}


def held():
    if not HELD.exists():
        return {}
    lines = HELD.read_text(encoding="utf-8").splitlines()[1:]
    return {name: float(count) for name, count in (line.split("\t") for line in lines)}


def show(counts, before):
    odd = []
    print(f"{'instructions a tick':<24} {'now':>8} {'held':>8}")
    for name, count in counts.items():
        ratio = count / before[name] if before.get(name) else 1
        print(f"{name:<24} {count:>8.1f} {before.get(name, 0):>8.1f}  {ratio:.2f}")
        if not SHRUNK <= ratio <= GROWTH:
            odd.append(name)
    return odd


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: ./run deps")
    with tempfile.TemporaryDirectory(prefix="tdk-counts-") as scratch, \
            tempfile.TemporaryDirectory(prefix="tdk-counts-", dir="/dev/shm") as rings:
        counts = measure(Bench(sys.argv[1], pathlib.Path(scratch), rings))
    odd = show(counts, held())
    if sys.argv[2:] == ["--write"]:
        HELD.write_text("path\tinstructions\n" + "".join(f"{n}\t{c:.1f}\n" for n, c in counts.items()),
                        encoding="utf-8")
    elif odd:
        sys.exit(f"grown by more than a fifth, or less than half: {', '.join(odd)}; if that is meant, `counts.py BIN --write`")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How fast Python reads tapes, asks a replayer, and reads and writes rings:
tests/bench/python_speed.py [TAPE [SCHEMA]]

Without a tape it makes synthetic ones of 2 M trades, with one track and with two that alternate tick by
tick. It uses the library that the package finds, and the programs beside it in build/release/bin.
"""

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build/release/bin"
sys.path.insert(0, str(ROOT / "python"))
import numpy as np  # noqa: E402
import tapedeck  # noqa: E402


def tell(what, rows, wall, cpu):
    print(f"{what:<32} {rows:>9} rows  {rows / wall / 1e6:6.2f} M/s  {cpu / rows * 1e9:7.0f} ns each",
          flush=True)


class Watch:
    """Seconds of wall time, and of processor time of all threads. Other processes cannot distort the latter."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def wall_spent(self):
        return time.perf_counter() - self.wall

    def cpu_spent(self):
        return time.process_time() - self.cpu

    def tell(self, what, rows):
        tell(what, rows, self.wall_spent(), self.cpu_spent())


@contextlib.contextmanager
def replayer(path):
    """Start a replayer for a tape; yields its address."""
    socket = path / "speed.sock"
    started = subprocess.Popen([BIN / "tapedeck-replayer", "--tape", path, "--socket", socket],
                               stderr=subprocess.DEVNULL)
    try:
        while started.poll() is None:
            with contextlib.suppress(tapedeck.Error):
                tapedeck.Client(f"unix:{socket}").close()
                break
            time.sleep(0.01)
        yield f"unix:{socket}"
    finally:
        started.terminate()
        started.wait()


def read(path, schema, what):
    with tapedeck.Tape(path) as tape:
        tape.query(schema)  # from here on the file is in the page cache
        watch = Watch()
        rows = len(tape.query(schema))
        watch.tell(f"query {what} to an array", rows)
        watch = Watch()
        rows = sum(len(batch.records(schema)) for batch in tape.cursor(types=schema))
        watch.tell(f"iterate {what} as views", rows)


def ask(path, schema, what):
    with replayer(path) as address, tapedeck.Client(address) as client:
        for _ in client.stream(types=schema):
            pass
        watch = Watch()
        rows = len(client.query(schema))
        watch.tell(f"ask for {what} as an array", rows)
        watch = Watch()
        rows = sum(len(batch.records(schema)) for batch in client.stream(types=schema))
        watch.tell(f"stream {what} as views", rows)


def drain(schema, rows):
    """Read what is in a ring already, again and again: no producer runs, and no memory is new."""
    values = tapedeck.records.make(schema, 10_000)
    tapedeck.create_ring("speed", 32 << 20)
    with tapedeck.Producer("speed") as feed, tapedeck.Consumer("speed") as ring:
        for warm in True, False:
            wall = cpu = seen = 0
            while seen < rows // (10 if warm else 1):
                while feed.info.fill < 16 << 20:
                    feed.publish(values)
                watch = Watch()
                seen += sum(len(batch.records(schema)) for batch in ring.batches(timeout=0))
                wall, cpu = wall + watch.wall_spent(), cpu + watch.cpu_spent()
        tell(f"iterate a ring of {schema}", seen, wall, cpu)
    tapedeck.remove_ring("speed")


def replay(path, what):
    """A play into a ring at full speed: what the program and the consumer take together."""
    tapedeck.create_ring("speed", 32 << 20)
    played = subprocess.Popen([BIN / "tapedeck", "play", "-q", "-T", path, "--into", "speed", "--speed",
                               "max"])
    with tapedeck.Consumer("speed") as ring:
        watch = Watch()
        seen = sum(len(batch.records("trades")) for batch in ring.batches(timeout=30))
        watch.tell(f"consume a play of {what}", seen)
    if played.wait() != 0:
        sys.exit(f"the play of {what} failed: exit {played.returncode}")
    tapedeck.remove_ring("speed")


def publish(rows, batch):
    """Publish while a consumer makes room."""
    values = tapedeck.records.make("mbo", batch)
    tapedeck.create_ring("speed", 64 << 20)
    stop = threading.Event()

    def consume():
        with tapedeck.Consumer("speed") as ring:
            while not stop.is_set():
                if ring.read(0.05):
                    ring.release()

    consumer = threading.Thread(target=consume)
    consumer.start()
    with tapedeck.Producer("speed") as feed:
        watch = Watch()
        done = sum(feed.publish(values, wait=None) for _ in range(rows // batch))
        watch.tell(f"publish mbo, {batch} a call", done)
    stop.set()
    consumer.join()
    tapedeck.remove_ring("speed")


def make(path, rows, tracks):
    """Make a tape of trades whose tracks alternate."""
    for i, track in enumerate(tracks):
        made = tapedeck.records.make("trades", rows // len(tracks))
        made["ts_recv"] = made["ts_event"] = 10**18 + i + len(tracks) * np.arange(len(made))
        file = path.with_suffix(f".{track}.dbn")
        file.write_bytes(made.tobytes())
        subprocess.run([BIN / "tapedeck", "import", "-q", "--format", "dbn", file, "-T", path, "--track",
                        track], check=True)
        file.unlink()
    return path


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tdk-python-"))
    rings = tempfile.mkdtemp(prefix="tdk-rings-", dir="/dev/shm")
    os.environ["TAPEDECK_RINGS"] = rings
    try:
        given, schema = sys.argv[1:2], (sys.argv[2:3] or ["trades"])[0]
        path = pathlib.Path(given[0]) if given else make(scratch / "one", 2_000_000, ["a"])
        for step in read, ask:
            step(path, schema, schema)
        two = make(scratch / "two", 2_000_000, ["a", "b"])
        for step in read, ask:
            step(two, "trades", "two tracks")
        replay(two, "two tracks")
        drain("mbo", 1_500_000)
        publish(2_000_000, 10_000)
        publish(200_000, 100)
        publish(20_000, 1)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(rings, ignore_errors=True)


main()

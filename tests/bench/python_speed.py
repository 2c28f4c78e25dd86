#!/usr/bin/env python3
"""How fast Python reads a tape and publishes into a ring: tests/bench/python_speed.py [TAPE [SCHEMA]]

Without a tape: a made-up one of 4 M trades. Uses the library that the package finds, and the
programs beside it in build/release/bin.
"""

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
sys.path.insert(0, str(ROOT / "python"))
import numpy as np  # noqa: E402
import tapedeck  # noqa: E402


class Watch:
    """Seconds on the wall and of processor time, of all threads: the latter a neighbour cannot take."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def tell(self, what, rows):
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        print(f"{what:<30} {rows:>9} rows  {rows / wall / 1e6:6.2f} M/s  {cpu / rows * 1e9:7.0f} ns each")


def read(path, schema):
    with tapedeck.Tape(path) as tape:
        tape.query(schema)  # from here on the file is in the page cache
        watch = Watch()
        rows = len(tape.query(schema))
        watch.tell(f"query {schema} to an array", rows)
        watch = Watch()
        rows = sum(len(batch.records(schema)) for batch in tape.cursor(types=schema))
        watch.tell(f"iterate {schema} as views", rows)


def publish(rows, batch):
    values = tapedeck.records.make("mbo", batch)
    tapedeck.create_ring("speed", 64 << 20)
    stop = threading.Event()

    def drain():
        with tapedeck.Consumer("speed") as ring:
            while not stop.is_set():
                if ring.read(0.05):
                    ring.release()

    consumer = threading.Thread(target=drain)
    consumer.start()
    with tapedeck.Producer("speed") as feed:
        watch = Watch()
        done = sum(feed.publish(values, wait=None) for _ in range(rows // batch))
        watch.tell(f"publish mbo, {batch} a call", done)
    stop.set()
    consumer.join()
    tapedeck.remove_ring("speed")


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tdk-python-"))
    rings = tempfile.mkdtemp(prefix="tdk-rings-", dir="/dev/shm")
    os.environ["TAPEDECK_RINGS"] = rings
    try:
        path, schema = sys.argv[1:2], (sys.argv[2:3] or ["mbo"])[0]
        if not path:
            path, schema = [scratch / "tape"], "trades"
            made = tapedeck.records.make("trades", 4_000_000)
            made["ts_recv"] = made["ts_event"] = 10**18 + np.arange(len(made))
            head = scratch / "made.dbn"
            head.write_bytes(made.tobytes())
            subprocess.run([ROOT / "build/release/bin/tapedeck", "import", "-q", "--format", "dbn", head,
                            "-T", path[0], "--track", "made"], check=True)
        read(path[0], schema)
        publish(2_000_000, 10_000)
        publish(200_000, 100)
        publish(20_000, 1)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(rings, ignore_errors=True)


main()

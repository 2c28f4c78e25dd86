#!/usr/bin/env python3
"""Sixteen plays and a hundred queries of one tape at once: is each whole, and how much memory do they take?

    python3 tests/bench/crowd.py TAPE      (programs from build/release/bin, or $TDK_BIN)
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.support import wire  # noqa: E402

BIN = pathlib.Path(os.environ.get("TDK_BIN", ROOT / "build/release/bin"))
PLAYS, QUERIES, PATIENCE = 16, 100, 300


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        rows = dict(line.split(":", 1) for line in status)
    return [int(rows[key].split()[0]) // 1024 for key in ("VmRSS", "VmHWM")]


def query(path, ends):
    with wire.Client(path) as client:
        stream = client.call("query")["stream"]
        while True:
            method, told = client.notification(PATIENCE)
            if method == "data":
                client.notify("credit", stream=stream, bytes=len(told["frames"]))
            elif method == "end":
                ends.append((told["ticks"], told["digest"]))
                return


def crowd(path, pid):
    plays, ends, drains = wire.Client(path), [], []
    for i in range(PLAYS):
        plays.call("play", into=f"crowd{i}", create=1 << 20, wait_consumers=1)
        drains.append(subprocess.Popen([BIN / "tapedeck", "drain", f"crowd{i}", "-o", "none", "--until-end", "-q"]))
    begun = time.monotonic()
    threads = [threading.Thread(target=query, args=(path, ends)) for _ in range(QUERIES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while len(ends) < QUERIES + PLAYS:
        _, told = plays.notification(PATIENCE)
        if told.get("state") in ("ended", "failed"):
            ends.append((told["ticks"], told.get("digest")))
    for drain in drains:
        drain.wait(PATIENCE)
    print(f"answers\tdifferent\tseconds\trss_MiB\tpeak_MiB\n{len(ends)}\t{len(set(ends))}\t"
          f"{time.monotonic() - begun:.1f}\t" + "\t".join(map(str, memory(pid))))
    return len(set(ends)) != 1


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        os.environ["TAPEDECK_RINGS"] = scratch
        path = pathlib.Path(scratch) / "s"
        replayer = subprocess.Popen([BIN / "tapedeck-replayer", "--tape", sys.argv[1], "--socket", path])
        try:
            while not path.exists() and replayer.poll() is None:
                time.sleep(0.05)
            return crowd(path, replayer.pid)
        finally:
            replayer.terminate()
            replayer.wait()


if __name__ == "__main__":
    sys.exit(main())

"""Check that all that was acknowledged is on the tape, in order and without a hole: acked.py TAPE ACKS

ACKS is a file with the lines that `tapedeck-recorder --ack-fd` wrote. If something is wrong, says what, and exits 1.
"""

import subprocess
import sys

from tests.support import tapedeck


def last_seqs(tape):
    """{(track, epoch): its last seq}. Exits if a seq does not follow the one before it."""
    done = subprocess.run([tapedeck.BIN / "tapedeck", "query", "-T", tape, "-o", "frames", "--control"],
                          capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"query: {done.returncode}: {done.stderr.decode()}")
    last = {}
    for frame in tapedeck.parse_frames(done.stdout):
        key = (frame.track, frame.epoch)
        if frame.is_tick():
            if frame.seq != last.get(key, 0) + 1:
                sys.exit(f"{frame} where {last.get(key, 0) + 1} is next")
            last[key] = frame.seq
    return last


def main():
    tape, acks = sys.argv[1:]
    last = last_seqs(tape)
    with open(acks, encoding="ascii") as file:
        for line in file.read().split("\n")[:-1]:
            track, epoch, seq = line.split()
            if int(seq) > last.get((track, int(epoch)), 0):
                sys.exit(f"acknowledged: {line}; on the tape: {last}")


if __name__ == "__main__":
    main()

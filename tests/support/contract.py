"""Shared by the tests of the command line's contract."""

import ctypes
import ctypes.util
import json
import os
import pty
import subprocess

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 1_000_000_000
U64_MAX = 2**64 - 1
DATA = tapedeck.SHARED / "data"


def five(symbol='"A"', timestamp="1", price="1", volume="1", message_type='"trade"'):
    return (f'{{"symbol":{symbol},"timestamp":{timestamp},"price":{price},"volume":{volume},'
            f'"message_type":{message_type}}}')


class Xxh3:
    """XXH3-128 as the library computes it, in canonical byte order."""

    class Hash(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]

    def __init__(self):
        library = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
        self.call = library.XXH3_128bits
        self.call.restype = self.Hash
        self.call.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    def hex(self, data):
        value = self.call(data, len(data))
        return f"{value.high:016x}{value.low:016x}"


class Contract(tapedeck.Case):
    def query(self, *args, code=0, tape=None):
        return self.run_ok("query", "-T", tape or self.tape, *args, code=code)

    def count(self, *args, tape=None):
        return int(self.query("--count", *args, tape=tape).stdout)

    def rows(self, *args, code=0, tape=None):
        return [json.loads(line) for line in
                self.query("-o", "jsonl", *args, code=code, tape=tape).stdout.splitlines()]

    def texts(self, *args, tape=None):
        return [row["text"] for row in self.rows(*args, tape=tape)]

    def refused(self, *args, code=2, says="", **how):
        """The command must refuse, with one line; `says` has the rest of the line."""
        done = self.run_cli(*args, **how)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
        self.assertEqual(len(done.stderr.splitlines()), 1, f"{args}: {done.stderr}")
        self.assertIn(says, done.stderr)
        self.assertEqual(done.stdout, b"", args)
        return done

    def on_terminal(self, *args):
        """Run with stdout on a terminal. Returns (status, what the terminal got, stderr)."""
        master, slave = pty.openpty()
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", *map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=slave, stderr=subprocess.PIPE)
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65536):
                shown += piece
        except OSError:
            pass  # the other end is gone: that is how a terminal ends
        os.close(master)
        stderr = process.stderr.read().decode()
        process.stderr.close()
        return process.wait(tapedeck.PATIENCE), shown, stderr

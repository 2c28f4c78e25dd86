"""Allocations are refused at many places: this gives an error and no signal, and nothing is left out in silence.

../shared/tools/faultshim.c fails the N-th allocation of a program, or that one and all later ones.
$TDK_REFUSALS says at how many places of each command allocations fail.
"""

import os
import shutil
import subprocess
import unittest

from tests.support import tapedeck

REFUSALS = int(os.environ.get("TDK_REFUSALS", "6"))
SHIM = tapedeck.SHARED / "tools" / "faultshim.c"


class ShortMemory(tapedeck.Case):
    def setUp(self):
        super().setUp()
        if not SHIM.exists():
            self.skipTest(f"no {SHIM} (set TDK_SHARED)")
        if b"__asan_init" in (tapedeck.BIN / "tapedeck").read_bytes():
            self.skipTest("the address sanitizer has allocations of its own")
        self.shim = self.scratch / "faultshim.so"
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", self.shim, SHIM, "-ldl"],
                       check=True, capture_output=True)
        recorder = self.recorder("--ring", "a", "--create-ring", "1M", "--segment-size", "512K", "--block-size", "16K")
        self.run_ok("gen", "--ring", "a", "--count", 12000)
        self.run_ok("flush", "-T", self.tape)
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        self.fired, self.counted = self.scratch / "fired", self.scratch / "counted"
        self.ours = self.scratch / "ours"

    def run_with(self, *args, **faults):
        shutil.rmtree(self.ours, ignore_errors=True)
        shutil.copytree(self.tape, self.ours)
        self.fired.write_bytes(b"")
        env = dict(self.env, LD_PRELOAD=str(self.shim), FAULT_LOG=str(self.fired), **faults)
        return self.run_cli("-q", *args, env=env)

    def sweep(self, *args, same=True):
        """Fail each place alone, and with all later ones. `same`: a run that ends with 0 must give the same output."""
        whole = self.run_with(*args, FAULT_COUNT=str(self.counted))
        self.assertEqual(whole.returncode, 0, whole.stderr)
        count = dict(line.split()[:2] for line in self.counted.read_text().splitlines()).get("malloc")
        places = sorted({1 + i * (int(count) - 1) // (REFUSALS - 1) for i in range(REFUSALS)})
        refused = 0
        for place in [str(n) for n in places] + [f"{n}+" for n in places]:
            done = self.run_with(*args, FAULT=f"malloc@{place}=null")
            self.assertGreaterEqual(done.returncode, 0, f"{args} malloc {place}: {done.stderr}")
            refused += self.fired.stat().st_size > 0 and done.returncode != 0
            if done.returncode == 0 and same:
                self.assertEqual(done.stdout, whole.stdout, f"{args} malloc {place}")
            elif done.returncode != 0:
                self.assertIn("memory", done.stderr, f"{args} malloc {place}")
            self.run_ok("verify", "-T", self.ours)
        self.assertGreater(refused, 0) # otherwise the shim did nothing

    def test_reading(self):
        self.sweep("query", "-T", self.ours, "-o", "jsonl", "--map-symbols", "-n", 100)
        self.sweep("query", "-T", self.ours, "-o", "csv", "-t", "trades", "-s", "S001")
        self.sweep("coverage", "-T", self.ours)
        self.sweep("asof", "-T", self.ours, "-s", "S001", "--at", "end", "-o", "jsonl")

    def test_reading_what_is_packed(self):
        self.run_ok("seal", "-T", self.tape)
        self.sweep("query", "-T", self.ours, "-o", "csv", "-t", "trades", "-s", "S001")
        self.sweep("digest", "-T", self.ours)

    def test_changing(self):
        self.sweep("seal", "-T", self.ours, same=False) # its output says how long it took
        self.sweep("reindex", "-T", self.ours, same=False)
        self.sweep("retain", "apply", "-T", self.ours, "--max-segments", 2)


if __name__ == "__main__":
    unittest.main()

"""Power cuts: every state of the disk that one may leave behind a recorder is recovered and checked.

../shared/tools/crashstates.py records what a recorder writes, syncs, creates and renames, and builds the
states from it. $TDK_STATES says how many of them are checked.
"""

import re
import shutil
import subprocess
import sys
import unittest

from tests.support import tapedeck

STATES = tapedeck.often("TDK_STATES", 40)
TOOLS = tapedeck.SHARED / "tools"


class Cut(tapedeck.Case):
    """A command is run under strace, and the states that a power cut may leave are built from that."""
    def setUp(self):
        super().setUp()
        if not (TOOLS / "crashstates.py").exists():
            self.skipTest(f"no {TOOLS}/crashstates.py (set TDK_SHARED)")
        if shutil.which("strace") is None:
            self.skipTest("no strace")
        self.env.update(PYTHONPATH=str(tapedeck.SOURCE), PYTHONDONTWRITEBYTECODE="1")
        self.names = [f"--dir={self.tape}", f"--image={self.scratch / 'image'}", f"--log={self.scratch / 'log'}"]

    def states(self, verb, *args, code=0):
        done = subprocess.run([sys.executable, TOOLS / "crashstates.py", verb, *self.names, *args],
                              env=self.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stdout[-3000:] + done.stderr[-3000:])
        return done.stdout


class Power(Cut):
    def record(self, *before):
        """Record two rings over at least three rolls of the tape, with acknowledgements on stdout."""
        for name in ("a", "b"):
            self.run_ok("ring", "create", name, "--size", "1M")
        feeds = [self.start_cli("gen", "--ring", name, "--count", 1200, "--rate", 1500)
                 for name in ("a", "b")]
        self.states("record", "--", *before, tapedeck.BIN / "tapedeck-recorder", "--tape", self.tape,
                    "--ring", "a", "--ring", "b", "--segment-size", "64K", "--block-size", "4K",
                    "--buffer-memory", "4M", "--ack-fd", "1", "--exit-when-idle", "500ms")
        for feed in feeds:
            self.assertEqual(feed.wait(), 0, feed.stderr)
        self.assertGreater(len(list((self.tape / "segments").glob("*.seg"))), 3)

    def check(self, model, *args, code=0, states=STATES):
        """If the power was cut before the tape was made, recover finds no tape, and the recorder's start makes it."""
        recover = (f"{tapedeck.BIN}/tapedeck recover --quick -q -T {{dir}}; rc=$?; [ $rc = 1 ] || exit $rc; "
                   f"{tapedeck.BIN}/tapedeck-recorder -q --tape {{dir}} --ring none --exit-when-idle 10ms")
        return self.states("check", "--model", model, "--again", "--ignore", "index/lock.mdb",
                           "--max-states", str(states), "--recover", recover,
                           "--oracle", f"{sys.executable} {tapedeck.SOURCE}/tests/crash/acked.py {{dir}} {{acks}}",
                           *args, code=code)

    def test_no_acknowledged_tick_is_lost_in_any_state(self):
        self.record()
        for model in ("posix", "ordered"):
            told = self.check(model)
            self.assertRegex(told, r"acks; model .*reproduced")
            self.assertGreater(int(re.search(r"(\d+) acks", told)[1]), 5)

    def test_without_syncs_it_would_be_seen(self):
        library = self.scratch / "faultshim.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-w", "-o", library, TOOLS / "faultshim.c", "-ldl"],
                       check=True)
        self.record("env", f"LD_PRELOAD={library}", "FAULT=fdatasync@1+=lie;fsync@1+=lie")
        self.check("posix", "--max-fail", "1", code=1, states=200)


class Unpacked(Cut):
    """A pack is unpacked on another host, and the pack itself may be gone afterwards."""
    def test_what_is_there_is_whole_and_what_was_done_is_there(self):
        pack = self.scratch / "lunch.tar.zst"
        lines = b"".join(b"%d tick %d\n" % (1700000000000000000 + i, i) for i in range(3000))
        self.run_ok("import", "-T", self.scratch / "t", "--track", "x", "--format", "lines",
                    "--segment-size", "64K", "--block-size", "8K", "-", stdin=lines)
        self.run_ok("pack", "-T", self.scratch / "t", "-O", pack)
        self.tape.mkdir()
        # Under a tracer the search for leaks cannot be done, and a sanitized program would end with an error.
        command = f"LSAN_OPTIONS=detect_leaks=0 {tapedeck.BIN}/tapedeck unpack -q {pack} -O {self.tape}/lunch && echo done"
        self.states("record", "--", "sh", "-c", command)
        self.assertGreater(len(list((self.tape / "lunch" / "segments").iterdir())), 2)
        oracle = (f"if [ -e {{dir}}/lunch ]; then {tapedeck.BIN}/tapedeck verify -q -T {{dir}}/lunch; "
                  "else ! grep done {acks}; fi")
        for model in ("posix", "ordered"):
            told = self.states("check", "--model", model, "--ignore", "*/index/lock.mdb", "--max-states",
                               str(STATES), "--oracle", oracle)
            self.assertRegex(told, r"1 acks; model .*reproduced")


if __name__ == "__main__":
    unittest.main()

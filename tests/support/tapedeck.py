"""Drives the programs from outside, with private rings and tapes, and leaves nothing behind.

    class Recording(tapedeck.Case):
        def test_what_is_published_is_on_the_tape(self):
            recorder = self.recorder("--ring", "a", "--create-ring", "1M")
            self.run_ok("gen", "--ring", "a", "--count", "1000")
            self.assertEqual(recorder.stop(), 0)

Programs are found in $TDK_BIN (build/release/bin if it is not set). Every program that a test starts
is ended by its pid. Rings are in a directory of their own under /dev/shm.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("TDK_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
BIN = pathlib.Path(os.environ.get("TDK_BIN") or SOURCE / "build" / "release" / "bin")
SHARED = pathlib.Path(os.environ.get("TDK_SHARED") or SOURCE.parent / "shared")
PATIENCE = float(os.environ.get("TDK_PATIENCE", "60"))  # s; for whatever must happen at all
SOON = PATIENCE / 4  # s; for what takes far less, on a host that has much else to do

SANITIZED = bool(os.environ.get("TDK_SANITIZE"))

signal.signal(signal.SIGTERM, signal.default_int_handler)


def some(cases, every=3):
    """All of them; under a sanitizer, where a program takes ten times as long to begin, every third. What
    a program prints is tested without a sanitizer, and errors of memory show in some of them."""
    cases = list(cases)
    if not SANITIZED:
        return cases
    print(f"under a sanitizer: {len(cases[::every])} of {len(cases)} cases")
    return cases[::every]


def often(variable, usual):
    """How many rounds a random test has: what $VARIABLE says, else the usual number; under a sanitizer a
    third of that. All moments are tried without a sanitizer, and errors of memory show in a few."""
    return int(os.environ.get(variable) or (-(-usual // 3) if SANITIZED else usual))


class Program:
    """A running program. Its stderr is read as it comes, so that it never waits for us."""

    def __init__(self, args, env, stdin=None, stdout=subprocess.DEVNULL, pass_fds=(), cwd=None, user=None,
                 preexec_fn=None):
        self.args = [str(arg) for arg in args]
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            self.args, env=env, stdin=stdin or subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE, pass_fds=pass_fds, cwd=cwd, user=user,
            preexec_fn=preexec_fn)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        with self.changed:
            return "\n".join(self.lines)

    def alive(self):
        return self.process.poll() is None

    def wait_line(self, pattern, timeout=PATIENCE, after=0):
        """The first line of stderr, from number `after` on, that has a match of the pattern."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines[after:]:
                    if re.search(pattern, line):
                        return line
                left = end - time.monotonic()
                if left <= 0 or (not self.reader.is_alive() and not self.alive()):
                    text = "\n".join(self.lines)
                    raise AssertionError(f"no line like {pattern!r} from {self.args}:\n{text}")
                self.changed.wait(min(left, 0.1))

    def wait_ready(self, timeout=PATIENCE):
        """Wait until it says that it is ready, or has ended."""
        end = time.monotonic() + timeout
        with self.changed:
            while not any(line.startswith("ready ") for line in self.lines) and self.alive():
                if time.monotonic() > end:
                    raise AssertionError(f"neither ready nor ended: {self.args}")
                self.changed.wait(0.05)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        code = self.process.wait(timeout)
        self.reader.join(5)
        return code

    def stop(self, timeout=PATIENCE):
        """Send SIGTERM. Returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """Send SIGKILL. The process is gone when this returns."""
        if self.alive():
            self.process.kill()
        return self.wait()


class Case(unittest.TestCase):
    """A test with a rings directory, a scratch directory and programs of its own."""

    def setUp(self):
        for name in ("tapedeck", "tapedeck-recorder", "tapedeck-replayer"):
            if not (BIN / name).exists():
                self.skipTest(f"{BIN / name} is not built")
        self.rings = pathlib.Path(tempfile.mkdtemp(prefix="tdk-rings-", dir="/dev/shm"))
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="tdk-test-"))
        self.addCleanup(shutil.rmtree, self.rings, ignore_errors=True)
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.tape = self.scratch / "tape"
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith("TAPEDECK_")}
        self.env["TAPEDECK_RINGS"] = str(self.rings)
        self.programs = []
        self.addCleanup(self._end_programs)

    def run(self, result=None):
        """A test that is interrupted or terminated leaves nothing behind, either."""
        try:
            return super().run(result)
        except BaseException:
            self.doCleanups()
            self.doClassCleanups()
            raise

    def _end_programs(self):
        for program in self.programs:
            program.kill()
            program.process.stderr.close()
            if program.process.stdout:
                program.process.stdout.close()

    def once(self, make):
        """self.tape as make() leaves it. Only the first test of a class calls make(), and the others get a
        copy, because one test of it is enough."""
        kept = type(self).__dict__.get("kept_tape")
        if kept is not None:
            shutil.copytree(kept, self.tape)
            return
        make()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tdk-kept-"))
        type(self).addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        shutil.copytree(self.tape, folder / "tape", ignore=shutil.ignore_patterns("*.sock"))
        type(self).kept_tape = folder / "tape"

    def wait_for(self, condition, timeout=PATIENCE):
        """Wait until it is so, which must happen at some time."""
        end = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came to pass")
            time.sleep(0.01)

    # ---- files ----

    def write(self, name, data):
        """A file in the scratch directory with this text or these bytes."""
        path = self.scratch / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def put_lines(self, track, ticks, *args, tape=None, code=0):
        """Import opaque ticks: (ts, text) each."""
        path = self.write(f"{track}.lines", "".join(f"{ts} {text}\n" for ts, text in ticks))
        self.run_ok("import", path, "-T", tape or self.tape, "--track", track, "--format", "lines", "-q", *args, code=code)

    def shared(self, *path):
        """A file or folder of the real data. Where it is not, the test is skipped."""
        found = SHARED.joinpath("data", *path)
        if not found.exists():
            self.skipTest(f"{found} is not there: the real data stands beside the project")
        return found

    @staticmethod
    def flip(path, at=None):
        """Flip a bit of a file: of the byte in its middle, or of that at `at`; negative: from the end."""
        with open(path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            place = file.seek(size // 2 if at is None else at % size)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))

    def ring_info(self, name):
        return json.loads(self.run_ok("ring", "info", name, "--json").stdout)[0]

    # ---- one command, to its end ----

    def run_cli(self, *args, stdin=None, timeout=PATIENCE, env=None):
        """Run `tapedeck ARGS`. The result has .returncode, .stdout (bytes) and .stderr (text)."""
        done = subprocess.run([str(BIN / "tapedeck"), *map(str, args)], input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, timeout=timeout, env=env or self.env, check=False)
        done.stderr = done.stderr.decode("utf-8", "backslashreplace")
        return done

    def run_ok(self, *args, code=0, **how):
        done = self.run_cli(*args, **how)
        self.assertEqual(done.returncode, code, f"tapedeck {' '.join(map(str, args))}:\n{done.stderr}")
        return done

    # ---- as somebody else: for tests that run as root ----

    STRANGER = 4242

    def program_of_a_stranger(self):
        """A copy of `tapedeck`, because other users may not reach the folder where it is built."""
        program = self.scratch / "tapedeck"
        if not program.exists():
            shutil.copy(BIN / "tapedeck", program)
        self.scratch.chmod(0o755)
        return program

    def run_as_a_stranger(self, *args, code=0, group=STRANGER):
        done = subprocess.run([self.program_of_a_stranger(), *map(str, args)], env=self.env, capture_output=True,
                              text=True, user=self.STRANGER, group=group, extra_groups=[],
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    # ---- programs that run beside the test ----

    def start(self, program, *args, **how):
        started = Program([BIN / program, *args], self.env, **how)
        self.programs.append(started)
        return started

    def start_cli(self, *args, **how):
        return self.start("tapedeck", *args, **how)

    def recorder(self, *args, tape=None, ready=True, **how):
        """Start a recorder on self.tape. Returns when it is ready."""
        started = self.start("tapedeck-recorder", "--tape", tape or self.tape, *args, **how)
        if ready:
            started.wait_line(r"^ready ")
        return started

    @staticmethod
    def port_of(pid):
        """The TCP port that a process listens on."""
        sockets = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                sockets.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                pass
        with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                words = line.split()
                if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                    return int(words[1].split(":")[1], 16)
        raise AssertionError("it listens nowhere")

    # ---- what is on a tape ----

    @staticmethod
    def digest_of(stderr):
        """(HEX, ticks) of the line `digest HEX ticks N`."""
        found = re.findall(r"^digest ([0-9a-f]{32}) ticks (\d+)$", stderr, re.M)
        if not found:
            raise AssertionError(f"no digest line in:\n{stderr}")
        return found[-1][0], int(found[-1][1])

    def tape_digest(self, *args, tape=None):
        done = self.run_ok("query", "-T", tape or self.tape, "-o", "none", "--digest", *args)
        return self.digest_of(done.stderr)

    def frames(self, *args, tape=None, code=0, **how):
        """The tape as `query -o frames --control` gives it: a list of Frame."""
        done = self.run_ok("query", "-T", tape or self.tape, "-o", "frames", "--control", *args,
                           code=code, **how)
        return list(parse_frames(done.stdout))


class Frame:
    """A frame outside a ring: its head, its payload, and its track and epoch."""

    def __init__(self, track, epoch, kind, flags, seq, ts, payload):
        self.track, self.epoch, self.type, self.flags = track, epoch, kind, flags
        self.seq, self.ts, self.payload = seq, ts, payload

    def is_tick(self):
        return 0 < self.type < 0xC0

    def __repr__(self):
        return (f"Frame({self.track} epoch={self.epoch} type={self.type:#x} flags={self.flags:#x} "
                f"seq={self.seq} ts={self.ts} size={len(self.payload)})")


LOSS, CLOCK, EPOCH, SYMBOL, MARK, TRACK, JOIN, END, INFO = range(0xC0, 0xC9)


def parse_frames(data):
    """Parse frames as they lie in a ring, on a tape, or in `-o frames`: TRACK frames name what follows."""
    names, at = {}, 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "little")
        number = int.from_bytes(data[at + 4:at + 6], "little")
        kind, flags = data[at + 6], data[at + 7]
        seq = int.from_bytes(data[at + 8:at + 16], "little")
        ts = int.from_bytes(data[at + 16:at + 24], "little")
        payload = data[at + 24:at + 24 + size]
        if len(payload) != size:
            raise AssertionError(f"a frame is cut at {at}")
        if kind == TRACK:
            name_size = payload[11]
            names[number] = (payload[16:16 + name_size].decode(),
                             int.from_bytes(payload[0:8], "little"))
        if kind != 0:
            track, epoch = names.get(number, (None, None))
            yield Frame(track, epoch, kind, flags, seq, ts, payload)
        at += 24 + (size + 7) // 8 * 8

"""Every format through a pipe: read from `-`, written to `-`, cut short, closed early, in bounded memory."""

import gzip
import json
import os
import shutil
import struct
import subprocess
import unittest

from tests.support import captures, records, tapedeck

T0 = 1_700_000_000_000_000_000
COUNT = 400


def datagram(i):
    return captures.ethernet(captures.ipv4(captures.udp(b"datagram %d" % i)))


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def itch(count):
    first = b"\0\x0cS" + bytes(10) + b"O"
    return first + b"".join(b"\0\x13D" + bytes(4) + struct.pack(">HI", 0, i) + bytes(8) for i in range(count))


def five(i):
    return json.dumps({"symbol": f"S{i % 7}", "timestamp": 1_700_000_000 + i, "price": 1.5, "volume": 2,
                       "message_type": "trade"}, separators=(",", ":")).encode() + b"\n"


def packets_ng(count):
    body = b"".join(captures.packet("<", 0, 10**15 + i, datagram(i)) for i in range(count))
    return captures.section() + captures.interface() + body


def samples(count=COUNT):
    """{name: (bytes of a file of about `count` ticks, options)}."""
    numbers = range(count)
    dbn = b"".join(records.mbo(i, T0 + i) for i in numbers)
    lines = b"".join(b"%d line %d\n" % (T0 + i, i) for i in numbers)
    jsonl = b"".join(five(i) for i in numbers)
    csv = b"at,sym,px,qty\n" + b"".join(b"%d,A,1.%03d,2\n" % (T0 + i, i % 1000) for i in numbers)
    raw = b"".join(b"%d.%06d: {\"n\": %d}\n" % (1_600_000_000, i % 10**6, i) for i in numbers)
    packets = captures.pcap([(10**9 + i, 0, datagram(i)) for i in numbers])
    return {
        "dbn": (dbn, ()),
        "dbn.zst": (zstd(dbn), ()),
        "jsonl": (jsonl, ()),
        "lines": (lines, ()),
        "lines.gz": (gzip.compress(lines), ()),
        "csv": (csv, ("--map", "ts=at,symbol=sym,price=px,size=qty")),
        "itch": (itch(count), ("--date", "2020-12-24")),
        "cryptofeed": (raw, ()),
        "pcap": (packets, ()),
        "pcapng": (packets_ng(count), ()),
        "pcap --whole": (packets, ("--whole",)),
    }


class Pipes(tapedeck.Case):
    def put(self, source, tape, *options, code=0, **how):
        return self.run_ok("import", source, "-T", tape, "--track", "t", *options, code=code, **how)

    def put_in_pieces(self, data, tape, *options):
        """Write the data in pieces, as a slow writer does. A piece may end in the middle of anything."""
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", "import", "-", "-T", tape, "--track", "t", *options],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        size, at = 1, 0
        with process.stdin as pipe:
            while at < len(data):
                pipe.write(data[at:at + size])
                pipe.flush()
                at += size
                size = size * 3 + 1
        stderr = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(tapedeck.PATIENCE), 0, stderr)

    def said(self, tape):
        """The ticks of a tape as text, without their epochs."""
        return self.run_ok("query", "-T", tape, "-o", "jsonl").stdout

    def start_query(self, *args):
        return subprocess.Popen([tapedeck.BIN / "tapedeck", "query", "-T", self.tape, *args],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)


class In(Pipes):
    def test_a_pipe_gives_what_the_file_gives(self):
        for name, (data, options) in samples().items():
            with self.subTest(name):
                path = self.scratch / "file"
                path.write_bytes(data)
                self.put(path, self.scratch / f"{name}.file", *options)
                self.put_in_pieces(data, self.scratch / f"{name}.pipe", *options)
                wanted = self.said(self.scratch / f"{name}.file")
                self.assertGreaterEqual(wanted.count(b"\n"), COUNT)
                self.assertEqual(self.said(self.scratch / f"{name}.pipe"), wanted)

    def test_a_pipe_that_breaks_off_tells_where(self):
        places = {"dbn": "offset", "dbn.zst": "near byte", "jsonl": "line", "lines.gz": "near byte", "csv": "line",
                  "itch": "offset", "pcap": "offset", "pcapng": "offset", "pcap --whole": "offset"}
        for name, (data, options) in samples().items():
            if name not in places:
                continue  # in this format the beginning of a line is itself a line
            with self.subTest(name):
                tape = self.scratch / f"{name}.cut"
                cut = data.rindex(b",") if name == "csv" else len(data) - 3
                form = ("--format", "dbn") if name == "dbn.zst" else ()
                done = self.put("-", tape, *options, *form, stdin=data[:cut], code=3)
                self.assertIn("stdin: ", done.stderr)
                self.assertIn(places[name], done.stderr)
                kept = self.tape_digest(tape=tape)[1]
                self.assertLessEqual(kept, COUNT + 1)
                if not name.endswith(("zst", "gz")):  # in a compressed file, all may be in the last piece
                    self.assertGreaterEqual(kept, COUNT - 1)

    def test_a_pipe_of_nothing_needs_a_format(self):
        self.assertIn("stdin: is empty", self.put("-", self.tape, stdin=b"", code=1).stderr)
        for form in ("dbn", "jsonl", "lines", "cryptofeed", "itch"):
            extra = ("--date", "2020-01-01") if form == "itch" else ()
            self.put("-", self.scratch / form, "--format", form, *extra, stdin=b"")
            self.assertEqual(self.tape_digest(tape=self.scratch / form)[1], 0)


class Out(Pipes):
    FORMATS = {"dbn": ("dbn", "dbn.zst", "csv", "jsonl", "parquet", "arrow", "frames"),
               "jsonl": ("csv", "jsonl", "parquet", "arrow", "frames"),
               "lines": ("csv", "jsonl", "parquet", "arrow", "frames", "pcap", "pcapng")}

    def setUp(self):
        super().setUp()
        self.samples = samples(40_000)  # more than a pipe holds, in any format

    def use(self, name):
        self.tape = self.scratch / name
        if not self.tape.exists():
            self.put("-", self.tape, stdin=self.samples[name][0])

    def each(self):
        for name, forms in self.FORMATS.items():
            self.use(name)
            for form in forms:
                with self.subTest(f"{name} as {form}"):
                    yield form
        self.use("jsonl")
        with self.subTest("five"):
            yield "jsonl --five"

    def test_a_pipe_gets_what_a_file_gets(self):
        for form in self.each():
            path = self.scratch / "out"
            self.run_ok("query", "-T", self.tape, "-o", *form.split(), "-O", path, "--force")
            done = self.run_ok("query", "-T", self.tape, "-o", *form.split(), "-O", "-")
            self.assertEqual(done.stdout, path.read_bytes())
            self.assertEqual(self.run_ok("query", "-T", self.tape, "-o", *form.split()).stdout, done.stdout)

    def test_a_reader_that_leaves_is_no_failure(self):
        for form in self.each():
            process = self.start_query("-o", *form.split(), "-O", "-")
            self.assertGreater(len(process.stdout.read(1)), 0)
            process.stdout.close()
            stderr = process.stderr.read()
            process.stderr.close()
            self.assertEqual((process.wait(tapedeck.PATIENCE), stderr), (0, b""))

    def test_a_pipe_whose_reader_was_gone_before_is_no_failure(self):
        self.use("lines")
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([tapedeck.BIN / "tapedeck", "query", "-T", self.tape, "-o", "csv"], stdout=write,
                              stderr=subprocess.PIPE, env=self.env, timeout=tapedeck.PATIENCE, check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_one_command_feeds_another(self):
        """From one tape to the next by pipes alone: all ticks are there again."""
        for name, form, options in (("dbn", "dbn", ()), ("dbn", "dbn.zst", ()), ("jsonl", "jsonl", ("--five",)),
                                    ("lines", "pcap", ()), ("lines", "pcapng", ())):
            with self.subTest(f"{name} as {form}"):
                self.use(name)
                out = self.start_query("-o", form, *options)
                tape = self.scratch / f"from-{name}-{form}"
                done = subprocess.run([tapedeck.BIN / "tapedeck", "import", "-", "-T", tape, "--track", "t"],
                                      stdin=out.stdout, stderr=subprocess.PIPE, env=self.env,
                                      timeout=tapedeck.PATIENCE, check=False)
                out.stdout.close()
                out.stderr.close()
                self.assertEqual((out.wait(tapedeck.PATIENCE), done.returncode), (0, 0), done.stderr)
                if name == "dbn":
                    self.assertEqual(self.said(tape), self.said(self.tape))
                else:  # types get new names, and kinds new numbers
                    self.assertEqual(self.tape_digest(tape=tape)[1], self.tape_digest()[1])


class Memory(Pipes):
    """What comes through a pipe is not collected: memory is that of the buffers, however long the input is."""

    SIZE = 96 << 20
    BOUND = 48 << 10  # KiB; up to 18 MiB of it are writes in flight

    def peak(self, data, head, options, tape):
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", "import", "-", "-T", tape, "--track", "t", "-q", *options],
                                   stdin=subprocess.PIPE, env=self.env)
        with process.stdin as pipe:
            pipe.write(data)
            for _ in range(self.SIZE // len(data)):
                pipe.write(memoryview(data)[head:])
            pipe.flush()
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:  # it waits for more input
                found, = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        self.assertEqual(process.wait(tapedeck.PATIENCE), 0)
        return found

    def test_of_every_format(self):
        if b"__asan_init" in (tapedeck.BIN / "tapedeck").read_bytes():
            self.skipTest("the address sanitizer keeps what was freed")
        for name, (data, options) in samples(60_000).items():
            head = {"csv": data.index(b"\n") + 1, "pcap": 24, "pcapng": 52, "itch": 14}.get(name, 0)
            if name in ("dbn.zst", "lines.gz", "pcap --whole"):
                continue
            with self.subTest(name):
                self.assertLess(self.peak(data, head, options, self.scratch / "tape"), self.BOUND)
                shutil.rmtree(self.scratch / "tape")


if __name__ == "__main__":
    unittest.main()

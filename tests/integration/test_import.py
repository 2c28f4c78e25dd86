"""import puts files straight on a tape: all of a file or nothing, and what is wrong is named."""

import bz2
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import resource
import shutil
import subprocess
import unittest

from tests.support import tapedeck

EVERYTHING = ("--from", "start", "--to", "end")


class Import(tapedeck.Case):
    def put(self, *args, code=0, **how):
        return self.run_ok("import", *args, "-T", self.tape, "--track", "t", code=code, **how)

    def ticks(self, *args):
        return [f for f in self.frames(*args) if f.is_tick()]

    def count(self, *args):
        return int(self.run_ok("query", "-T", self.tape, "--count", *args).stdout)

    def test_lines_lie_on_the_tape_as_they_were(self):
        lines = [b"10 a", b"20 ", b"15 \xff\x00", b"30 " + b"x" * 70000]
        self.put(self.write("lines", b"\n".join(lines) + b"\n"))
        ticks = self.ticks()
        self.assertEqual([t.payload for t in ticks], [line.split(b" ", 1)[1] for line in lines])
        self.assertEqual([t.ts for t in ticks], [10, 20, 15, 30])
        self.assertEqual([t.seq for t in ticks], [1, 2, 3, 4])

    def test_each_file_is_an_epoch(self):
        one, two = self.write("one", "1 a\n2 b\n"), self.write("two", "3 c\n")
        self.put(one, two)
        self.put(one)
        ticks = self.ticks()
        self.assertEqual([t.seq for t in ticks], [1, 2, 1, 1, 2])
        epochs = [t.epoch for t in ticks]
        self.assertEqual(len(set(epochs)), 3)
        self.assertEqual(epochs, sorted(epochs))

    def test_one_line_on_stderr_sums_it_up(self):
        done = self.put(self.write("lines", "1 a\n2 b\n"))
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("2 ticks", done.stderr)
        self.assertEqual(self.put(self.write("more", "1 a\n"), "-q").stderr, "")

    def test_a_file_without_ticks_keeps_what_they_would_have_been(self):
        trades = ("csv", "--map", "ts=t,symbol=s,price=p,size=q")
        quotes = ("csv", "--map", "ts=t,symbol=s,bid_px=p,ask_px=q")
        csv, names = "t,s,p,q\n1,A,2,3\n", "t,s,p,q\n"
        line = '{"symbol":"A","timestamp":1,"price":2,"volume":3,"message_type":"trade"}\n'
        for form, full, none, code in ((trades, csv, names, 0), (quotes, csv, names, 0), (quotes, csv, "", 0),
                                       (("jsonl",), line, "", 0), (("jsonl",), line, "bad\n", 3)):
            heads = []
            for text, status in ((full, 0), (none, code)):
                tape = self.scratch / "tape"
                self.run_ok("import", self.write("file", text), "-T", tape, "--track", "t", "--format", *form,
                            code=status)
                track = json.loads(self.run_ok("ls", "tracks", "-T", tape, "--json").stdout)[0]
                self.assertEqual(track["kind"], "wide")
                heads.append(self.run_ok("query", "-T", tape, "-o", "csv").stdout.splitlines()[0])
                self.run_ok("verify", "-T", tape)
                shutil.rmtree(tape)
            self.assertEqual(heads[0], heads[1])

    def test_nothing_half_imported_stays(self):
        good, none = self.write("good", "1 a\n2 b\n"), self.scratch / "none"
        self.put(good)
        before = self.tape_digest(*EVERYTHING)
        for bad, says in ((none, "No such file"), (self.write("random", bytes(range(1, 200))), "random"),
                          (self.scratch, "directory"), (self.write("empty", ""), "empty")):
            done = self.put(good, bad, code=1)
            self.assertIn(says, done.stderr)
            self.assertIn("nothing was imported", done.stderr)
            self.assertEqual(self.tape_digest(*EVERYTHING), before)
        self.run_ok("verify", "-T", self.tape)

    def test_a_file_that_may_not_grow_is_an_error(self):
        """The limit is that of the shell's `ulimit -f`. Space allocated ahead of the writes does not count."""
        path = self.write("lines", b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(3000)))
        for limit, code in ((1 << 20, 1), (4 << 20, 0)):
            done = subprocess.run([tapedeck.BIN / "tapedeck", "import", path, "-T", self.tape, "--track", "t"],
                                  preexec_fn=lambda to=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (to, to)),
                                  capture_output=True, text=True, env=self.env, timeout=tapedeck.PATIENCE, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            if code != 0:
                self.assertIn("File too large", done.stderr)
                self.assertFalse(self.tape.exists())
        self.assertEqual(self.count(), 3000)

    def test_a_file_that_cannot_be_read_makes_no_tape(self):
        for path in (self.scratch / "none", self.scratch, self.write("random", bytes(range(1, 200)))):
            self.put(path, code=1)
            self.assertFalse(self.tape.exists())
        for bad in (bytes(range(1, 200)), b""):  # a pipe is first read when the tape has been made
            self.assertIn("nothing was imported", self.put("-", stdin=bad, code=1).stderr)
            self.assertFalse(self.tape.exists())
        self.tape.mkdir()  # an empty folder that belongs to somebody
        self.put("-", stdin=b"", code=1)
        self.assertEqual(os.listdir(self.tape), [])

    def test_a_pipe_is_read_once(self):
        self.put("-", stdin=b"1 a\n2 b\n")
        self.assertEqual(self.count(), 2)
        fifo = self.scratch / "fifo"
        os.mkfifo(fifo)
        writer = tapedeck.subprocess.Popen(["sh", "-c", f"printf '1 a\\n' > {fifo}"])
        self.addCleanup(writer.wait)
        self.put(fifo)
        self.assertEqual(self.count(), 3)

    def test_wrong_usage_makes_no_tape(self):
        path = self.write("lines", "1 a\n")
        for args in ([path, "-T", self.tape], [path, "--track", "t"], ["-T", self.tape, "--track", "t"],
                     [path, "-T", self.tape, "--track", "a/b"],
                     [path, "-T", self.tape, "--track", "t", "--format", "xml"],
                     [path, "-T", self.tape, "--track", "t", "--block-size", "1K"],
                     [path, "-T", self.tape, "--track", "t", "--segment-size", "64K"],
                     [path, "-T", self.tape, "--track", "t", "--track-info", "x"]):
            done = self.run_ok("import", *args, code=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(self.tape.exists())

    def test_the_tape_may_come_from_the_environment(self):
        env = dict(self.env, TAPEDECK_TAPE=str(self.tape))
        self.run_ok("import", self.write("lines", "1 a\n"), "--track", "t", env=env)
        self.assertEqual(self.count(), 1)

    def test_malformed_lines_are_named_and_skipped(self):
        good = ('{"symbol":"A","timestamp":1.5,"price":1,"volume":2,"message_type":"trade"}')
        done = self.put(self.write("five", f"{good}\nbad\n{good}\n"), code=3)
        self.assertIn("line 2:", done.stderr)
        self.assertEqual(self.count(), 2)
        out = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five").stdout.decode()
        self.assertEqual(out.splitlines(), [good] * 2)

    def test_what_must_be_unpacked_first_is_told(self):
        lines = b"1 a\n2 b\n"
        tar = b"lines".ljust(257, b"\0") + b"ustar\0" + b"00" + bytes(247) + lines
        for data, word in ((gzip.compress(gzip.compress(lines)), "gzip"), (gzip.compress(b"\x28\xb5\x2f\xfd" + lines), "zstd"),
                           (bz2.compress(lines), "bzip2"), (lzma.compress(lines), "xz"), (tar, "tar"),
                           (gzip.compress(tar), "tar")):
            done = self.put(self.write("packed", data), code=1)
            self.assertIn(word, done.stderr)
            self.assertFalse(self.tape.exists())

    def test_dbz_is_refused_by_name(self):
        path = sorted(self.shared("dbn", "databento-dbn").glob("*.dbz"))[0]
        done = self.put(path, code=1)
        self.assertIn("DBZ", done.stderr)

    def test_a_file_cut_inside_a_record_gives_the_whole_ones(self):
        path = self.shared("dbn", "databento-dbn", "test_data.mbo.v3.dbn")
        data = path.read_bytes()
        self.put(path)
        whole = self.count()
        tape = self.scratch / "cut-tape"
        cut = self.write("cut.dbn", data[:-3])
        done = self.run_ok("import", cut, "-T", tape, "--track", "t", code=3)
        self.assertIn("cut.dbn", done.stderr)
        self.assertRegex(done.stderr, r"offset \d+|byte \d+")
        self.assertEqual(int(self.run_ok("query", "-T", tape, "--count").stdout), whole - 1)

    def test_a_file_without_records_makes_the_track_and_keeps_its_schema(self):
        path = self.shared("dbn", "databento-dbn", "test_data.ohlcv-1d.v3.dbn.zst")
        self.put(path)
        tracks = json.loads(self.run_ok("ls", "tracks", "-T", self.tape, "--json").stdout)
        self.assertEqual([track["track"] for track in tracks], ["t"])
        self.assertEqual(self.count(), 0)
        self.assertEqual(len(self.run_ok("query", "-T", self.tape, "-o", "csv").stdout.splitlines()), 1)

    def test_captures_come_back_byte_for_byte(self):
        path = sorted(self.shared("hyperliquid").glob("*.gz"))[0]
        self.put(path)
        found = hashlib.sha256(b"".join(tick.payload for tick in self.ticks()))
        lines = gzip.decompress(path.read_bytes()).splitlines()
        wanted = hashlib.sha256(b"".join(line.split(b" ", 1)[1] for line in lines))
        self.assertEqual(found.hexdigest(), wanted.hexdigest())

    def test_small_segments_and_blocks_hold_the_same(self):
        text = "".join(f"{1000 + i} {'x' * (i % 300)}\n" for i in range(20000))
        path = self.write("lines", text)
        self.put(path, "--segment-size", "256K", "--block-size", "4K")
        self.assertEqual(self.count(), 20000)
        self.assertGreater(len(list((self.tape / "segments").glob("*.seg"))), 5)
        self.assertEqual(list((self.tape / "segments").glob("*.open")), [])
        self.assertEqual([t.payload for t in self.ticks()],
                         [b"x" * (i % 300) for i in range(20000)])
        self.run_ok("verify", "-T", self.tape)

    def test_a_tape_that_is_held_is_told(self):
        recorder = self.recorder("--ring", "r", "--create-ring", "64K")
        done = self.put(self.write("lines", "1 a\n"), code=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(recorder.stop(), 0)
        self.put(self.write("lines", "1 a\n"))

    def test_a_folder_that_is_no_tape_is_left_alone(self):
        folder = self.scratch / "folder"
        folder.mkdir()
        (folder / "mine").write_text("mine")
        self.run_ok("import", self.write("lines", "1 a\n"), "-T", folder, "--track", "t", code=1)
        self.assertEqual(os.listdir(folder), ["mine"])


if __name__ == "__main__":
    unittest.main()

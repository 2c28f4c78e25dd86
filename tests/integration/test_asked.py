"""A replayer (-a) answers as the tape itself does (-T): the same bytes and the same exit status."""

import json
import os
import shutil
import signal
import socket
import threading

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000
DATA = tapedeck.SHARED / "data" / "dbn" / "databento-dbn"

RANGES = (
    ("ls", "tracks"), ("ls", "symbols"), ("ls", "symbols", "S00*", "--track", "gen", "-n", "3"),
    ("coverage",), ("coverage", "--json"), ("gaps",), ("gaps", "--json"),
    ("digest",), ("digest", "--by", "1s"), ("digest", "-n", "7"),
    ("query", "--count"), ("query", "--count", "--json", "-t", "wide-trade"),
    ("query", "--count", "-n", "9"), ("query", "--count", "--digest"),
    ("query", "-o", "none", "--digest"), ("query", "-o", "jsonl", "-n", "500"),
    ("query", "-o", "jsonl", "--reverse", "-n", "20", "--envelope", "--map-symbols"),
    ("query", "-o", "jsonl", "--control", "-n", "50"), ("query", "-o", "frames", "--control"),
    ("query", "-o", "frames"), ("query", "-o", "jsonl", "-t", "line"),
    ("query", "-o", "csv", "--track", "gen", "-s", "S001", "-s", "#5", "--pretty"),
    ("query", "-o", "jsonl", "--five", "--track", "gen", "-n", "30"),
    ("query", "-o", "csv", "--from", "start+1us", "--to", "start+3us", "--track", "lines"),
    ("query", "-o", "csv", "--axis", "event", "--track", "gen", "--from", "now-1h"),
    ("query", "-o", "none", "-s", "nobody", "--fail-empty"),
    ("query", "-o", "none", "--require-complete"),
    ("query", "-o", "jsonl", "--track", "nobody"), ("query", "-o", "jsonl", "-t", "nonsense"),
    ("query", "-o", "csv"), ("query", "-o", "jsonl", "--from", "9", "--to", "5"),
    ("query", "-o", "jsonl", "-s", "#x"), ("query",),
)


class Asked(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.path = self.tape / "replayer.sock"
        self.address = f"unix:{self.path}"

    def fill(self, count=4000, lossy=False):
        """Record a track of ticks with symbols, and a track of lines."""
        record = ("--ring", "gen", "--segment-size", "64K", "--block-size", "4K")
        self.run_ok("ring", "create", "gen", "--size", "64K" if lossy else "4M")
        if lossy:
            self.run_ok("gen", "--ring", "gen", "--count", count, "--no-wait", code=3)
            self.recorder(*record, "--exit-when-idle", "300ms").wait()
        else:
            recorder = self.recorder(*record)
            self.run_ok("gen", "--ring", "gen", "--count", count)
            recorder.stop()
        lines = b"".join(b"%d line %d\n" % (T0 + i * 10, i) for i in range(3000))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "lines",
                    stdin=lines)

    def serve(self, *args):
        started = self.start("tapedeck-replayer", "--tape", self.tape, *args)
        started.wait_line(r"^ready ")
        return started

    def compare(self, *args):
        """Run the command with -T and with -a, and check that status and output are equal. Returns both results."""
        here = self.run_cli(*args, "-T", self.tape)
        there = self.run_cli(*args, "-a", self.address)
        self.assertEqual(there.returncode, here.returncode, (args, here.stderr, there.stderr))
        self.assertEqual(there.stdout, here.stdout, args)
        return here, there


class Same(Asked):
    def test_a_whole_tape(self):
        self.fill()
        self.serve()
        for args in RANGES:
            here, there = self.compare(*args)
            self.assertEqual(there.stderr, here.stderr, args)

    def test_a_tape_with_losses(self):
        self.fill(lossy=True)
        self.serve()
        for args in tapedeck.some(RANGES):
            here, there = self.compare(*args)
            self.assertEqual(there.stderr, here.stderr, args)
        here, _ = self.compare("query", "-o", "none", "--digest")
        self.assertEqual(here.returncode, 3)

    def test_a_tape_with_damage(self):
        self.fill()
        self.flip(sorted((self.tape / "segments").glob("*.seg"))[1])
        self.serve()
        for args in tapedeck.some(RANGES):
            here, there = self.compare(*args)
            if "--count" not in args:  # a count says how many blocks are damaged, but not which
                self.assertEqual(there.stderr, here.stderr, args)
        here, there = self.compare("query", "-o", "none")
        self.assertEqual(there.returncode, 3)
        self.assertIn("the rest is delivered", there.stderr)

    def test_a_tape_whose_last_segment_is_cut(self):
        """The cut end is also the end of the epoch, so no later seq shows that there was more."""
        self.fill()
        last = max((self.tape / "segments").glob("*.seg"))
        os.truncate(last, last.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        self.serve()
        for args in (("coverage",), ("coverage", "--json"), ("gaps",), ("query", "-o", "jsonl", "--require-complete"),
                     *tapedeck.some(RANGES)):
            here, there = self.compare(*args)
            if "--count" not in args:
                self.assertEqual(there.stderr, here.stderr, args)
        whole, told = self.compare("coverage", "--json", "--to", T0)[0], self.compare("coverage", "--json")[0]
        self.assertEqual((whole.returncode, told.returncode), (0, 3))
        self.assertEqual([(row["complete"], row["lost_segments"]) for row in json.loads(whole.stdout) + json.loads(told.stdout)],
                         [(True, []), (False, [{"first": int(last.stem), "last": int(last.stem), "cut": True}])])

    def test_a_symbol_that_a_page_would_cut_is_whole(self):
        """A page has 1024 rows and each symbol has three. 1024 is no multiple of 3."""
        for track in ("a", "b", "c"):
            rows = "".join(f"{T0 + i},S{i:04d},1.5,1,buy\n" for i in range(400))
            self.run_ok("import", "-", "--format", "csv", "--map", "ts=ts:ns,symbol=sym,price=px,size=size,side=side",
                        "-T", self.tape, "--track", track,
                        stdin=("ts,sym,px,size,side\n" + rows).encode())
        self.serve()
        listed = self.run_ok("ls", "symbols", "-T", self.tape).stdout
        self.assertEqual(len(listed.splitlines()), 1201)
        self.assertEqual(self.run_ok("ls", "symbols", "-a", self.address).stdout, listed)

    def test_a_symbol_of_more_epochs_than_a_page_has_rows_is_whole(self):
        """Each file is an epoch, and so is each start of a feed. Every other file has a second symbol."""
        line = '{"symbol":"%s","timestamp":%d,"price":1,"volume":1,"message_type":"trade"}\n'
        files = [self.scratch / str(i) for i in range(1100)]
        for i, path in enumerate(files):
            path.write_text(line % ("S", i + 1) + line % ("T", i + 1) * (i % 2))
        self.run_ok("import", *files, "-T", self.tape, "--track", "t")
        self.serve()
        self.compare("ls", "symbols")
        _, there = self.compare("query", "-o", "csv", "--map-symbols", "--reverse")
        self.assertEqual(there.stdout.count(b",S\n"), 1100)

    def test_dbn_with_its_head(self):
        if not DATA.exists():
            self.skipTest(f"{DATA} is not there")
        files = {schema: DATA / f"test_data.{schema}.v3.dbn.zst"
                 for schema in ("trades", "mbp-1", "definition")}
        for track, path in files.items():
            self.run_ok("import", path, "-T", self.tape, "--track", track)
        self.serve()
        for schema in files:
            for how in (("-o", "dbn"), ("-o", "dbn.zst"), ("-o", "csv", "--map-symbols"),
                        ("-o", "csv", "--to", "5"), ("-o", "parquet", "--map-symbols")):
                self.compare("query", "-t", schema, *how)
        self.compare("query", "-o", "dbn")
        self.compare("ls", "symbols")

    def test_more_gaps_than_an_answer_has_room_for_all_come(self):
        lines = b"".join(b"%d %300d\n" % (T0 + i, i) for i in range(30000))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "many",
                    "--block-size", "4K", stdin=lines)
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "other", stdin=b"1 x\n")
        segment = sorted((self.tape / "segments").iterdir())[0]
        for at in range(6144, segment.stat().st_size - 65536, 8192):
            self.flip(segment, at)
        self.serve()
        rows = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=3).stdout)
        self.assertGreater(len(rows), 1024)
        for command in ("gaps", "coverage"):
            self.compare(command, "--json")

    def test_what_only_the_tape_itself_can_do_is_said(self):
        self.fill(count=10)
        self.serve()
        for args in (("query", "--explain"), ("query", "-o", "none", "--prime"),
                     ("gaps", "--quick"), ("coverage", "--quick")):
            done = self.run_ok(*args, "-a", self.address, code=2)
            self.assertIn("-T", done.stderr)

    def test_a_flag_is_nearer_than_a_variable(self):
        self.fill(count=10)
        self.serve()
        env = dict(self.env, TAPEDECK_ADDR="unix:/nowhere/x.sock")
        self.run_ok("query", "-T", self.tape, "--count", env=env)
        self.run_ok("query", "--count", env=env, code=6)
        env["TAPEDECK_ADDR"] = self.address
        self.assertEqual(self.run_ok("query", "--count", env=env).stdout, b"3010\n")
        env["TAPEDECK_TAPE"] = "/nowhere"
        self.assertEqual(self.run_ok("query", "--count", env=env).stdout, b"3010\n")


class Broken(Asked):
    def test_nobody_there(self):
        for args in (("query", "-o", "none"), ("ls", "tracks"), ("coverage",), ("digest",), ("info",)):
            done = self.run_ok(*args, "-a", f"unix:{self.scratch}/none.sock", code=6)
            self.assertIn("is tapedeck-replayer running?", done.stderr)
        self.run_ok("query", "-o", "none", "-a", "nonsense", code=2)

    def test_a_replayer_that_is_killed_in_the_middle_is_told(self):
        self.fill(count=60000)
        replayer = self.serve()
        reader, writer = os.pipe()
        query = self.start_cli("query", "-o", "frames", "-a", self.address, stdout=writer)
        os.close(writer)
        os.read(reader, 1)
        replayer.kill()
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reader, 1 << 16), b"")])
        drain.start()
        self.assertEqual(query.wait(), 6)
        drain.join()
        os.close(reader)
        self.assertIn("closed the connection", query.stderr)

    def test_a_replayer_that_ends_says_so(self):
        self.fill(count=60000)
        replayer = self.serve()
        reader, writer = os.pipe()
        query = self.start_cli("query", "-o", "frames", "-a", self.address, stdout=writer)
        os.close(writer)
        os.read(reader, 1)
        replayer.signal(signal.SIGTERM)
        while os.read(reader, 1 << 16):
            pass
        os.close(reader)
        self.assertEqual(query.wait(), 1)
        self.assertIn("the replayer is stopping", query.stderr)

    def test_one_that_speaks_nonsense_is_told(self):
        listener = socket.socket(socket.AF_UNIX)
        path = self.scratch / "odd.sock"
        listener.bind(str(path))
        listener.listen()
        self.addCleanup(listener.close)

        def speak():
            peer, _ = listener.accept()
            peer.recv(1 << 16)
            peer.sendall(b"\xc1\xc1\xc1")
            peer.close()
        speaker = threading.Thread(target=speak)
        speaker.start()
        done = self.run_ok("query", "-o", "none", "-a", f"unix:{path}", code=1)
        speaker.join()
        self.assertIn("msgpack", done.stderr)

"""coverage, gaps and --require-complete from outside: exactly what is missing, and how it is reported."""

import json

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000


class Surveyed(tapedeck.Case):
    """Two tracks of opaque ticks in several small segments, one ns apart."""

    COUNT = 6000

    def setUp(self):
        super().setUp()
        self.once(lambda: [self.load(track, self.COUNT) for track in "ab"])

    def load(self, track, count, begin=T0):
        self.put_lines(track, ((begin + i, f"{i:>300}") for i in range(count)),
                       "--segment-size", "512K", "--block-size", "32K")

    def segments(self):
        return sorted((self.tape / "segments").glob("*.seg"))

    def coverage(self, *args, code=0):
        rows = json.loads(self.run_ok("coverage", "-T", self.tape, "--json", *args, code=code).stdout)
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["complete"], code == 0)
        return rows[0]["tracks"]

    def gaps(self, *args):
        done = self.run_cli("gaps", "-T", self.tape, "--json", *args)
        rows = json.loads(done.stdout)
        self.assertEqual(done.returncode, 3 if rows else 0, done.stderr)
        return rows

    def missing(self, *args):
        """The set of (track, seq) that gaps names."""
        return {(row["track"], seq) for row in self.gaps(*args)
                for seq in range(row["first_seq"], row["first_seq"] + row["count"])}

    def served(self, *args, code=3):
        lines = self.run_ok("query", "-T", self.tape, "-o", "jsonl", *args, code=code).stdout
        return {(tick["track"], int(tick["seq"])) for tick in map(json.loads, lines.splitlines())}

    def everything(self):
        return {(track, seq) for track in "ab" for seq in range(1, self.COUNT + 1)}

    def check_split(self):
        """What gaps names and what a query gives are together all that was recorded, and they do not overlap."""
        missing, served = self.missing(), self.served()
        self.assertTrue(missing)
        self.assertFalse(missing & served)
        self.assertEqual(missing | served, self.everything())
        return missing


class Whole(Surveyed):
    def test_a_whole_tape_has_no_gaps(self):
        self.assertEqual(self.run_ok("gaps", "-T", self.tape, "--json").stdout, b"[]\n")
        tsv = self.run_ok("gaps", "-T", self.tape).stdout.decode()
        self.assertEqual(tsv, "track\tepoch\tfirst_seq\tcount\tfrom\tto\treason\n")

    def test_coverage_tells_each_tracks_epochs(self):
        self.load("a", 10, begin=T0 + 10**9)
        tracks = self.coverage()
        self.assertEqual([track["track"] for track in tracks], ["a", "b"])
        self.assertEqual([[(e["first_seq"], e["last_seq"], e["ticks"]) for e in track["epochs"]]
                          for track in tracks],
                         [[(1, self.COUNT, self.COUNT), (1, 10, 10)], [(1, self.COUNT, self.COUNT)]])
        for track in tracks:
            for epoch in track["epochs"]:
                self.assertEqual((epoch["lost"], epoch["damaged"]), ([], []))
        rows = self.run_ok("coverage", "-T", self.tape).stdout.decode().splitlines()
        self.assertEqual(len(rows), 4)
        self.assertEqual(rows[0].split("\t")[:4], ["track", "epoch", "first_seq", "last_seq"])

    def test_a_range_is_exact_at_its_edges(self):
        for quick in ([], ["--quick"]):
            epoch = self.coverage("--from", T0 + 1000, "--to", T0 + 2000, "--track", "b", *quick)[0]["epochs"][0]
            self.assertEqual((epoch["first_seq"], epoch["last_seq"], epoch["ticks"]), (1001, 2000, 1000))
            self.assertEqual((epoch["first_ts"], epoch["last_ts"]), (T0 + 1000, T0 + 1999))
        self.assertEqual(self.coverage("--to", T0, "--track", "a"), [{"track": "a", "epochs": []}])

    def test_a_lone_segment_is_covered_by_what_is_in_it(self):
        rows = json.loads(self.run_ok("coverage", "-T", self.segments()[1], "--json").stdout)
        epoch = rows[0]["tracks"][0]["epochs"][0]
        self.assertGreater(epoch["first_seq"], 1)
        self.assertTrue(rows[0]["complete"])

    def test_refusals(self):
        self.run_ok("gaps", code=2)
        self.run_ok("gaps", "-T", self.scratch / "nowhere", code=1)
        self.run_ok("gaps", "-T", self.tape, "--track", "nobody", code=1)
        self.run_ok("coverage", "-T", self.tape, "--from", "yesterday", code=2)


class Lost(tapedeck.Case):
    def test_what_a_full_ring_refused_is_a_gap_with_its_reason(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        self.run_ok("gen", "--ring", "r", "--count", "5000", "--no-wait", code=3)
        self.recorder("--ring", "r", "--exit-when-idle", "300ms").wait()
        rows = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=3).stdout)
        self.assertEqual({row["reason"] for row in rows}, {"ring full"})
        ticks = int(self.run_ok("query", "-T", self.tape, "--count", code=3).stdout)
        self.assertEqual(sum(row["count"] for row in rows), 5000 - ticks)
        self.assertEqual(rows, json.loads(
            self.run_ok("gaps", "-T", self.tape, "--json", "--quick", code=3).stdout))
        tracks = json.loads(self.run_ok("coverage", "-T", self.tape, "--json", code=3).stdout)[0]["tracks"]
        epoch = tracks[0]["epochs"][0]
        self.assertEqual((epoch["first_seq"], epoch["last_seq"], epoch["ticks"]), (1, 5000, ticks))
        self.assertEqual([loss["count"] for loss in epoch["lost"]], [row["count"] for row in rows])
        done = self.run_ok("query", "-T", self.tape, "-o", "none", code=3)
        self.assertRegex(done.stderr.splitlines()[-1], r"not whole: \d+ ticks lost in \d+ places?")
        nothing = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--require-complete", code=3)
        self.assertEqual(nothing.stdout, b"")
        # The range before the first loss is whole.
        self.run_ok("query", "-T", self.tape, "-o", "none", "--to", rows[0]["from"], "--require-complete")


class Damaged(Surveyed):
    def test_a_flipped_byte_costs_its_block_and_no_more(self):
        self.flip(self.segments()[2])
        missing = self.check_split()
        self.assertLess(len(missing), 200)
        self.assertEqual({row["reason"] for row in self.gaps()}, {"damage"})
        row = self.gaps()[0]
        self.assertEqual((row["from"], row["to"]),
                         (T0 + row["first_seq"] - 1, T0 + row["first_seq"] + row["count"] - 2))
        self.run_ok("verify", "-T", self.tape, code=5)
        # A count that reads the blocks counts what a query gives. One from directories counts what was recorded.
        for how, code, told in (((), 0, len(self.everything())), (("--digest",), 3, len(self.served())),
                                (("--require-complete",), 3, None)):
            done = self.run_ok("query", "-T", self.tape, "--count", *how, code=code)
            self.assertEqual(done.stdout, b"" if told is None else b"%d\n" % told, how)
        # A range beside the gap is whole, and so is the other track.
        other = "b" if row["track"] == "a" else "a"
        self.assertEqual(self.gaps("--track", other), [])
        self.assertEqual(self.gaps("--to", row["from"]), [])
        self.assertEqual(self.gaps("--from", row["to"] + 1), [])
        self.assertEqual(len(self.gaps("--from", row["from"], "--to", row["from"] + 1)), 1)
        for what, code in ((["--to", row["from"]], 0), (["--from", row["from"]], 3)):
            done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--require-complete", *what, code=code)
            self.assertEqual(done.stdout == b"", code == 3)
            done = self.run_ok("play", "-T", self.tape, "--into", "out", "--create", "64M", "--speed", "max",
                               "--require-complete", *what, code=code)
            self.assertEqual("nothing is delivered" in done.stderr, code == 3)

    def test_each_segment_that_goes_missing_is_named_tick_by_tick(self):
        for segment in self.segments():
            with self.subTest(segment=segment.name):
                aside = self.scratch / segment.name
                segment.rename(aside)
                self.check_split()
                self.run_ok("verify", "-T", self.tape, code=5)
                aside.rename(segment)
                self.assertEqual(self.gaps(), [])

    def test_seqs_tell_also_when_the_index_never_knew(self):
        first, middle = self.segments()[0], self.segments()[2]
        for segment in (first, middle):
            with self.subTest(segment=segment.name):
                aside = self.scratch / segment.name
                before = self.missing_when_gone(segment, aside)
                self.run_ok("reindex", "-T", self.tape, code=3)
                self.assertEqual(self.missing(), before)
                self.assertEqual(self.missing("--quick"), before)
                self.check_split()
                self.run_ok("verify", "-T", self.tape, code=5)
                aside.rename(segment)
                self.run_ok("reindex", "-T", self.tape)
                self.assertEqual(self.gaps(), [])

    def missing_when_gone(self, segment, aside):
        segment.rename(aside)
        return self.missing()

    def test_an_emptied_and_a_cut_segment_are_told(self):
        segment = self.segments()[1]
        data = segment.read_bytes()
        for size in (0, 100, 4096, len(data) // 2, len(data) - 1):
            with self.subTest(size=size):
                segment.write_bytes(data[:size])
                if size < len(data) - 1:
                    self.check_split()
                self.run_ok("verify", "-T", self.tape, code=5)
        segment.write_bytes(data)
        self.assertEqual(self.gaps(), [])

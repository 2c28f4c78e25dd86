"""recover and reindex from outside: whatever happens to a tape's files, what is left is served, and what is
missing is reported."""

import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import time
import unittest

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000


class Tape(tapedeck.Case):
    COUNT = 6000

    def setUp(self):
        super().setUp()
        self.once(lambda: self.load("a", self.COUNT))

    def load(self, track, count, tape=None, size="512K", code=0):
        self.put_lines(track, ((T0 + i, f"{i:>300}") for i in range(count)),
                       "--segment-size", size, "--block-size", "32K", tape=tape, code=code)

    def segments(self, pattern="*.seg"):
        return sorted((self.tape / "segments").glob(pattern))

    def names(self):
        return [path.name for path in self.segments("*")]

    def quarantine(self):
        return sorted(path.name for path in (self.tape / "quarantine").iterdir())

    def report(self, *args, code=0, tape=None):
        done = self.run_ok("recover", "-T", tape or self.tape, "--json", *args, code=code)
        row = json.loads(done.stdout)[0]
        row["stderr"] = done.stderr
        self.assertEqual(row["whole"], code == 0)
        return row

    def gaps(self, code):
        """The missing seqs. Times are left out: they are more exact while the index still has the blocks."""
        rows = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", code=code).stdout)
        return [{key: row[key] for key in ("track", "epoch", "first_seq", "count")} for row in rows]


class Recover(Tape):
    def test_a_whole_tape_stays_as_it_is(self):
        digest, names = self.tape_digest(), self.names()
        for how in ([], ["--quick"], ["-j", 2]):
            row = self.report(*how)
            self.assertEqual((row["segments"], row["damaged"], row["torn_bytes"]), (len(names), 0, 0))
        self.assertEqual((self.tape_digest(), self.names(), self.quarantine()), (digest, names, []))

    def test_it_makes_no_tape(self):
        for command in ("recover", "reindex"):
            self.run_ok(command, "-T", self.scratch / "nowhere", code=1)
            self.assertFalse((self.scratch / "nowhere").exists())
            empty = self.scratch / "empty"
            empty.mkdir(exist_ok=True)
            self.run_ok(command, "-T", empty, code=1)
            self.assertEqual(list(empty.iterdir()), [])
            self.run_ok(command, code=2)

    def test_a_segment_that_is_gone_is_told_to_whoever_asks_for_its_times(self):
        """The segment had a track's whole epoch, so no seq shows the loss, nor does the index that is made then."""
        day = 86_400_000_000_000
        for track in range(3):
            self.run_ok("import", "-", "-T", self.tape, "--track", f"day{track}", "--format", "lines",
                        stdin=b"%d one\n" % (T0 + day * (track + 1)))
        *_, gone, last = self.segments()
        for path in (last, gone): # the last number is missing, then there is a hole in the numbers
            number = int(path.name.partition(".")[0])
            data = path.read_bytes()
            path.unlink()
            self.report(code=3)
            at = T0 + day * (3 if path == last else 2)
            self.run_ok("query", "-T", self.tape, "--to", T0 + day, "-o", "none")
            told = self.run_ok("query", "-T", self.tape, "--from", at, "-o", "none", code=3).stderr
            self.assertIn(f"segment {number} is missing", told)
            for command in ("coverage", "gaps"):
                self.assertIn(f"segment {number} is missing",
                              self.run_ok(command, "-T", self.tape, "--from", at, code=3).stderr)
            self.run_ok("query", "-T", self.tape, "--from", at, "--count", code=3)
            path.mkdir() # a folder of the same name is not the segment either
            for command in ("reindex", "recover", "recover"):
                self.run_ok(command, "-T", self.tape, "-q", code=3)
                self.run_ok("query", "-T", self.tape, "--to", T0 + day, "-o", "none")
                self.run_ok("query", "-T", self.tape, "--from", at, "-o", "none", code=3)
            path.write_bytes(data)
            self.report()
            self.run_ok("query", "-T", self.tape, "-o", "none")
        self.run_ok("retain", "apply", "-T", self.tape, "--max-segments", 1)
        self.run_ok("query", "-T", self.tape, "-o", "none")

    def test_a_segment_that_was_made_ahead_and_holds_nothing_is_not_missed(self):
        digest, names = self.tape_digest(), self.names()
        self.recorder("--ring", "r", "--create-ring", "1M").kill()
        self.assertEqual(len(self.segments("*.open")), 1)
        self.run_ok("reindex", "-T", self.tape)
        self.report()
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual((self.tape_digest(), self.names()), (digest, names))

    def test_what_a_killed_import_leaves_is_not_missed(self):
        digest, names = self.tape_digest(), self.names()
        job = self.start_cli("import", "-", "-T", self.tape, "--track", "b", "--format", "lines",
                             "--segment-size", "512K", "--block-size", "32K", stdin=subprocess.PIPE)
        for i in range(self.COUNT):
            job.process.stdin.write(b"%d %300d\n" % (T0 + i, i))
        job.process.stdin.flush()
        self.wait_for(lambda: self.segments("*.import"))
        job.kill()
        job.process.stdin.close()
        self.run_ok("reindex", "-T", self.tape)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.report()["damaged"], 0)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual((self.tape_digest(), self.names()), (digest, names))

    def test_what_rotted_at_the_border_of_epochs_is_told_by_every_way(self):
        """No later seq of an epoch tells of its end. And where its beginning is gone, all that is left is later."""
        tape, feeds = self.scratch / "recorded", ("one", "two", "three")
        recorder = self.recorder("--ring", "r", "--create-ring", "1M", "--block-size", "4K", "--segment-size", "1M",
                                 tape=tape)
        for number, name in enumerate(feeds):
            lines = "".join(f"{T0 + number * 1000 + i} {name} {i:050}\n" for i in range(200))
            self.run_ok("feed", "-", "--ring", "r", "--format", "lines", "-q", stdin=lines.encode())
            self.run_ok("flush", "-T", tape)
        recorder.kill()
        segment = tape / "segments" / "0000000001.open"
        whole = segment.read_bytes()
        for name, i in (("one", 199), ("two", 0), ("two", 199)):
            rotten = bytearray(whole)
            rotten[whole.index(f"{name} {i:050}".encode())] ^= 1
            segment.write_bytes(rotten)
            at = T0 + feeds.index(name) * 1000 + i
            for how in ("query -o none", "query -o none --reverse", "query --count", "digest", "gaps"):
                for lost in (["--from", at, "--to", at + 1], []):
                    self.run_ok(*how.split(), "-T", tape, *lost, code=3)
            self.run_ok("query", "-T", tape, "-o", "none", "--from", T0 + 2100)
            self.run_ok("query", "-T", tape, "-o", "none", "--to", T0 + 100)

    def test_a_recorder_that_holds_the_tape_keeps_it(self):
        recorder = self.recorder("--ring", "r", "--create-ring", "1M")
        for command in ("recover", "reindex"):
            done = self.run_ok(command, "-T", self.tape, code=1)
            self.assertIn(str(recorder.pid), done.stderr)
        self.assertEqual(recorder.stop(), 0)

    def test_a_flipped_byte_is_told_and_stays(self):
        segment = self.segments()[1]
        self.flip(segment)
        data = segment.read_bytes()
        row = self.report(code=3)
        self.assertEqual((row["damaged"], row["findings"]), (1, 1))
        (found,) = json.loads(self.run_ok("verify", "-T", self.tape, "--json", code=5).stdout)
        self.assertEqual(found["segment"], 2)
        self.assertRegex(found["what"], r"^segment 2 offset \d+: track 1, ticks of ")
        self.assertIn(found["what"], row["stderr"])
        self.assertEqual(segment.read_bytes(), data)
        self.assertEqual(sum(gap["count"] for gap in self.gaps(3)),
                         self.COUNT - self.served())
        self.report(code=3)

    def test_what_rotted_before_the_index_was_made_is_a_gap_of_its_size(self):
        """The foot, which would have shown that the block existed, is gone too."""
        for segment in self.segments()[:2]:
            with self.subTest(segment.name):
                data = segment.read_bytes()
                at = 4096 + 300  # in the segment's first block
                segment.write_bytes(data[:at] + bytes([data[at] ^ 16]) + data[at + 1:-256])
                self.run_ok("reindex", "-T", self.tape, code=3)
                (gap,) = self.gaps(3)
                self.assertEqual(gap["count"], self.COUNT - self.served())
                self.assertEqual(gap["first_seq"] == 1, segment == self.segments()[0])
                quick = json.loads(self.run_ok("gaps", "-T", self.tape, "--json", "--quick", code=3).stdout)
                self.assertEqual([(row["first_seq"], row["count"]) for row in quick], [(gap["first_seq"], gap["count"])])
                segment.write_bytes(data)
                self.run_ok("reindex", "-T", self.tape)

    def test_what_rots_at_the_end_with_the_list_of_blocks_is_told(self):
        """The foot counts one block more than can be found. Neither a later seq nor the list shows it."""
        path = self.segments()[-1]
        (end,) = struct.unpack_from("<Q", path.read_bytes()[-256:], 72) # where the list of blocks begins
        self.flip(path, end + 50)
        self.flip(path, end - 4000) # in the last block
        self.run_ok("reindex", "-T", self.tape, code=3)
        self.assertLess(self.served(), self.COUNT)
        number = int(path.name.partition(".")[0])
        for command in (["gaps"], ["coverage"], ["query", "--count"]):
            told = self.run_ok(*command, "-T", self.tape, code=3).stderr
            self.assertIn(f"segment {number} is cut or damaged at its end", told)

    def test_what_is_said_of_the_index_is_of_no_segment(self):
        self.segments()[-1].unlink()
        found = json.loads(self.run_ok("verify", "-T", self.tape, "--json", code=5).stdout)
        self.assertTrue([row for row in found if row["what"].startswith("index: ")], found)
        self.assertEqual({row["segment"] for row in found}, {None})

    def served(self):
        done = self.run_ok("query", "-T", self.tape, "-o", "none", "--digest", code=3)
        return self.digest_of(done.stderr)[1]

    def test_what_a_dead_recorder_left_is_sealed_and_its_torn_tail_cut_and_kept(self):
        recorder = self.recorder("--ring", "r", "--create-ring", "8M", "--sync", "batch")
        self.run_ok("gen", "--ring", "r", "--count", "20000")
        self.run_ok("flush", "-T", self.tape)
        recorder.kill()
        open_segment = self.last_written()
        end = self.data_end(open_segment)
        with open(open_segment, "r+b") as file:
            file.seek(end)
            file.write(b"\xa5" * 3000)
        row = self.report()
        self.assertGreater(row["sealed"], 0)
        self.assertGreater(row["torn_bytes"], 0)
        self.assertEqual(self.segments("*.open"), [])
        torn = [name for name in self.quarantine() if name.endswith(".torn")]
        self.assertEqual(len(torn), 1)
        self.assertIn(b"\xa5" * 100, (self.tape / "quarantine" / torn[0]).read_bytes())
        self.assertEqual(int(self.run_ok("query", "-T", self.tape, "--count", "--track", "r").stdout), 20000)
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.report()["torn_bytes"], 0)

    def test_an_old_copy_of_an_unsealed_segment_does_not_replace_the_sealed_one(self):
        """A backup to which files are only ever added has both."""
        recorder = self.recorder("--ring", "r", "--create-ring", "8M")
        self.run_ok("gen", "--ring", "r", "--count", "1000")
        self.run_ok("flush", "-T", self.tape)
        name = self.last_written().name
        half = self.last_written().read_bytes()
        self.run_ok("gen", "--ring", "r", "--count", "1000")
        self.assertEqual(recorder.stop(), 0)
        self.run_ok("seal", "-T", self.tape, "-q")
        digest, names = self.tape_digest(), self.names()
        (self.tape / "segments" / name).write_bytes(half)
        self.assertEqual(self.tape_digest(), digest)
        self.assertIn(f"{name} exists twice", self.report(code=3)["stderr"])
        self.assertEqual((self.tape_digest(), self.names(), self.quarantine()), (digest, names, [name]))
        self.run_ok("verify", "-T", self.tape)

    def test_half_a_copy_of_a_packed_segment_does_not_replace_the_whole_one(self):
        name = self.segments()[1].name
        raw = self.segments()[1].read_bytes()
        digest, names = self.tape_digest(), self.names()
        self.run_ok("seal", "-T", self.tape, "--segments", 2, "-q")
        packed = self.segments("*.g1.seg")[0]
        (self.tape / "segments" / name).write_bytes(raw)
        packed.write_bytes(packed.read_bytes()[:9000])
        self.assertIn("segment 2: its packed file is not whole", self.report(code=3)["stderr"])
        self.assertEqual((self.tape_digest(), self.names(), self.quarantine()), (digest, names, [packed.name]))
        self.run_ok("verify", "-T", self.tape)

    def test_what_rots_in_front_of_what_was_synced_is_damage_and_cuts_nothing(self):
        recorder = self.recorder("--ring", "r", "--create-ring", "8M", "--block-size", "16K")
        ends = []
        for _ in range(3):
            self.run_ok("gen", "--ring", "r", "--count", "1000")
            self.run_ok("flush", "-T", self.tape)
            ends.append(self.data_end(self.last_written()))
        recorder.kill()
        self.flip(self.last_written(), ends[0] + 500)
        row = self.report(code=3)
        self.assertEqual((row["sealed"], row["torn_bytes"]), (1, 0))
        self.assertGreater(row["damaged"], 0)
        served = int(self.run_ok("query", "-T", self.tape, "--count", "--track", "r", code=3).stdout)
        self.assertGreaterEqual(served, 2000)
        self.assertEqual(sum(gap["count"] for gap in self.gaps(3)), 3000 - served)

    def last_written(self):
        """The unsealed segment that has blocks in it."""
        return max(self.segments("*.open"), key=self.data_end)

    @staticmethod
    def data_end(path):
        return (len(path.read_bytes().rstrip(b"\0")) + 4095) // 4096 * 4096

    def test_lost_meta_is_written_anew_and_told(self):
        digest = self.tape_digest()
        (self.tape / "tape.meta").unlink()
        self.assertEqual(self.tape_digest(), digest)
        self.assertIn(b"tape.meta", self.run_ok("verify", "-T", self.tape, code=5).stdout)
        row = self.report(code=3)
        self.assertTrue(row["meta_rebuilt"])
        self.assertIn("tape.meta", row["stderr"])
        self.assertIn("no tick is missing", row["stderr"])
        self.assertEqual(self.tape_digest(), digest)
        self.report()
        (self.tape / "tape.meta").write_bytes(b"x" * 256)
        self.assertEqual(self.tape_digest(), digest)
        self.run_ok("verify", "-T", self.tape, code=5)
        self.run_ok("reindex", "-T", self.tape, code=3)
        self.report()

    def test_a_first_segment_that_is_gone_with_the_meta_is_missed_all_the_same(self):
        (self.tape / "tape.meta").unlink()
        self.segments()[0].unlink()
        missing = self.gaps(3)
        self.assertEqual((missing[0]["first_seq"], len(missing)), (1, 1))
        for _ in range(2):
            self.assertIn("segment 1 is missing", self.report(code=3)["stderr"])
            self.assertEqual(self.gaps(3), missing)
        self.assertIn(b"segment 1 before it is missing", self.run_ok("verify", "-T", self.tape, code=5).stdout)

    def test_a_segment_that_is_there_twice_counts_once(self):
        digest, first = self.tape_digest(), self.segments()[0]
        last = int(self.segments()[-1].stem)
        for name in (f"{last + 1:010}.seg", f"{last + 7:010}.seg", f"{1:010}.open"):
            with self.subTest(name=name):
                shutil.copy(first, first.with_name(name))
                done = self.run_cli("query", "-T", self.tape, "-o", "none", "--digest")
                self.assertEqual(self.digest_of(done.stderr), digest)
                row = self.report(code=3)
                self.assertEqual(row["set_aside"], 1)
                self.assertIn(name, self.quarantine())
                self.assertEqual(self.tape_digest(), digest)
                self.report()

    def test_a_segment_of_another_tape_is_set_aside(self):
        digest, other = self.tape_digest(), self.scratch / "other"
        self.load("b", 3000, tape=other)
        foreign = sorted((other / "segments").glob("*.seg"))
        last = self.segments()[-1]
        shutil.copy(foreign[0], last.with_name(f"{int(last.stem) + 1:010}.seg"))
        row = self.report(code=3)
        self.assertEqual(row["set_aside"], 1)
        self.assertEqual(self.tape_digest(), digest)
        # A foreign segment replaces one of ours: ours is reported as missing, and nothing of the other is served.
        ours = self.segments()[1]
        kept = ours.read_bytes()
        shutil.copy(foreign[1], ours)
        missing = self.gaps(3)
        self.assertEqual(self.report(code=3)["set_aside"], 1)
        self.assertEqual(self.gaps(3), missing)
        self.assertEqual(sum(gap["count"] for gap in missing), self.COUNT - self.served())
        ours.write_bytes(kept)
        self.report()
        self.assertEqual(self.tape_digest(), digest)

    def test_segments_that_are_gone_are_named_once(self):
        for segment in self.segments()[1:3]:
            segment.unlink()
        row = self.report(code=3)
        self.assertEqual(len(re.findall(r"segments 2 to 3", row["stderr"])), 1, row["stderr"])
        self.assertEqual(row["findings"], 2)  # the segments, and the seqs that were in them

    def test_a_last_segment_that_is_gone_is_told_again_and_again(self):
        self.segments()[-1].unlink()
        missing = self.gaps(3)
        self.assertGreater(missing[0]["count"], 0)
        for _ in range(2):
            row = self.report(code=3)
            self.assertEqual(len(re.findall(r"segment \d+ is missing", row["stderr"])), 1)
        self.assertNotEqual(self.run_cli("reindex", "-T", self.tape).returncode, 0)

    def test_no_seq_tells_of_an_epoch_that_is_gone_with_its_segments(self):
        """Each import is an epoch. When its segments are gone, the segment numbers have a hole or end too early."""
        names = self.names()
        self.load("b", 100)
        self.load("c", 100)
        b, c = (self.tape / "segments" / name for name in self.names() if name not in names)
        for segment in (b, c):
            aside = self.scratch / segment.name
            segment.rename(aside)
            for command in ("recover", "reindex", "recover"):
                self.run_ok(command, "-T", self.tape, code=3)
                for args in (["query", "-o", "none"], ["query", "--count"], ["gaps"], ["coverage", "--quick"],
                             ["play", "--into", "out", "--create", "64M", "--require-complete"]):
                    done = self.run_ok(*args, "-T", self.tape, code=3)
                    self.assertIn(f"segment {int(segment.stem)} is missing", done.stderr, args)
                self.run_ok("query", "-T", self.tape, "-o", "none", "--to", T0)
            aside.rename(segment)
            self.report()
            self.assertEqual(self.gaps(0), [])
        (self.tape / "index" / "clean").unlink()
        b.unlink()
        self.load("d", 100, code=3)  # a number that is given out later does not close the hole
        self.run_ok("query", "-T", self.tape, "--count", code=3)

    def test_the_number_of_a_last_segment_of_which_nothing_is_left_is_not_given_again(self):
        """If the number of the segment set aside were given again, its loss would be reported only once."""
        self.load("b", 100)
        for mark in (False, True):
            with self.subTest(mark=mark):
                last = self.segments()[-1]
                os.truncate(last, 100)
                if not mark:  # without the index, as after a crash
                    shutil.rmtree(self.tape / "index")
                self.run_ok("query", "-T", self.tape, "-o", "none", code=3)
                self.load(f"c{mark}", 10, code=3)
                self.assertNotIn(last.name, self.names())
                for command in ("query --count", "gaps", "recover", "query -o none"):
                    done = self.run_ok(*command.split(), "-T", self.tape, code=3)
                    self.assertRegex(done.stderr, rf"segments? .*{int(last.stem)} (is|are) missing", command)
                self.run_ok("verify", "-T", self.tape, code=5)

    def test_an_emptied_segment_is_told(self):
        segment = self.segments()[1]
        os.truncate(segment, 0)
        missing = self.gaps(3)
        self.report(code=3)
        self.assertEqual(self.gaps(3), missing)
        self.assertEqual(sum(gap["count"] for gap in missing), self.COUNT - self.served())

    def test_who_counts_by_the_index_alone_misses_a_segment_too(self):
        first, second = self.segments()[:2]
        os.truncate(first, 100_000)
        second.unlink()
        done = self.run_ok("query", "-T", self.tape, "--count", code=3)
        self.assertLess(int(done.stdout), self.COUNT - 1000)
        self.assertIn("its file ends at 100000", done.stderr)
        self.run_ok("coverage", "-T", self.tape, "--quick", code=3)
        rows = json.loads(self.run_ok("ls", "segments", "-T", self.tape, "--json").stdout)
        self.assertEqual([row["state"] for row in rows[:3]], ["cut", "missing", "sealed"])
        self.run_ok("ls", "segments", "-T", self.segments()[-1])

    def test_a_bad_footer_is_told_and_costs_nothing(self):
        digest, segment = self.tape_digest(), self.segments()[1]
        self.flip(segment, -10)
        self.report(code=3)
        self.assertEqual(self.tape_digest(), digest)
        os.truncate(segment, segment.stat().st_size - 256)
        self.report(code=3)
        self.assertEqual(self.tape_digest(), digest)

    def test_a_range_inside_a_hole_is_not_whole(self):
        """Packed segments begin with blocks that hold only control frames, and these lie on either side of the hole."""
        self.run_ok("seal", "-T", self.tape, "-q")
        segment = self.segments()[1]
        data = segment.read_bytes()
        middle = T0 + int(1.5 * self.COUNT / len(self.segments()))
        for size in range(5 << 10, len(data), len(data) // 12):
            segment.write_bytes(data[:size])
            shutil.rmtree(self.tape / "index", ignore_errors=True)
            for begin in (T0, middle):
                done = self.run_cli("query", "-T", self.tape, "-o", "none", "--from", begin, "--to", middle + 10, "--digest")
                whole = done.stderr.endswith(f"ticks {middle + 10 - begin}\n")
                self.assertTrue(done.returncode == 3 or (whole and done.returncode == 0), (size, done.stderr))
            gaps = json.loads(self.run_cli("gaps", "-T", self.tape, "--json").stdout)
            self.assertTrue(whole or gaps, size)
            for gap in gaps:
                self.assertTrue(T0 <= gap["from"] <= gap["to"] < T0 + self.COUNT, gap)

    def test_the_end_of_the_last_segment_is_missed(self):
        """No later seq shows that there was more, and neither does an index, since there is none."""
        segment = self.segments()[-1]
        before = T0 + int(self.COUNT / len(self.segments()))
        os.truncate(segment, segment.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        for made_anew in (False, True):
            for args in (["query", "-o", "none"], ["query", "-o", "none", "--reverse"], ["query", "-o", "none", "--reverse", "--limit", "1"],
                         ["query", "--count"], ["digest"], ["tail", "-n", "1"], ["coverage"], ["gaps"]):
                done = self.run_ok(*args, "-T", self.tape, code=3)
                self.assertIn(f"segment {int(segment.stem)} is cut", done.stderr, args)
            refused = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--require-complete", code=3)
            self.assertEqual(refused.stdout, b"")
            for args in ([], ["--reverse", "--limit", "1"]):
                self.run_ok("query", "-T", self.tape, "-o", "none", "--to", before, *args)
            if not made_anew:
                self.report(code=3)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line(r"^ready ")
        address = f"unix:{self.tape / 'replayer.sock'}"
        for args in (["query", "-o", "none"], ["query", "--count"], ["query", "-o", "none", "--require-complete"]):
            self.run_ok(*args, "-a", address, code=3)


class Imports(Tape):
    """What was imported has its days in whatever order."""

    DAY = 86_400_000_000_000

    def put(self, track, *days):
        """One segment."""
        lines = "".join(f"{T0 + self.DAY * day + i} {i:>300}\n" for day in days for i in range(100))
        self.run_ok("import", "-", "-T", self.tape, "--track", track, "--format", "lines", "--block-size", "16K", "-q",
                    stdin=lines.encode())
        return self.segments()[-1]

    def told(self, day, code):
        times = ["-T", self.tape, "--from", T0 + self.DAY * day, "--to", T0 + self.DAY * (day + 1)]
        return [self.run_ok(*command, *times, code=code).stderr
                for command in (["query", "-o", "none"], ["query", "--count"], ["gaps"], ["coverage"])]

    def test_a_segment_that_is_gone_where_times_go_back_may_have_been_of_any_time(self):
        before = len(self.names())
        rows = {"in": range(2, 8), "order": range(2, 8), "none": (13, 17, 15, 11, 18, 19)}
        segments = [self.put(track, day) for track, days in rows.items() for day in days]
        for at, day, any_time in ((2, 4, False), (5, 7, True), (6, 2, True), (9, 5, False), (15, 11, True)):
            data = segments[at].read_bytes()
            segments[at].unlink()
            self.report(code=3)
            for told in self.told(day, code=3):
                self.assertIn(f"segment {before + 1 + at} is missing", told)
            self.told(-1, code=3 if any_time else 0)
            segments[at].write_bytes(data)
            self.report()

    def test_a_lost_end_where_times_go_back_may_have_been_of_any_later_time(self):
        cut = self.put("long", 2, 3, 4)
        self.put("later", 2)
        os.truncate(cut, cut.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        for made_anew in (False, True):
            for told in self.told(4, code=3):
                self.assertIn(f"segment {int(cut.stem)} is cut", told)
            self.told(1, code=0)
            if not made_anew:
                self.report(code=3)


class Index(Tape):
    """Whatever is in index/, answers are the same, and recover and reindex repair it."""

    def setUp(self):
        super().setUp()
        self.digest = self.tape_digest()
        self.data = self.tape / "index" / "data.mdb"

    def check(self):
        self.assertEqual(self.tape_digest("--require-complete"), self.digest)

    def mended_by(self, command):
        self.run_ok(command, "-T", self.tape)
        info = json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)[0]
        self.assertTrue(info["index_used"])
        self.run_ok("verify", "-T", self.tape)
        self.check()
        self.assertEqual(self.gaps(0), [])

    def both(self, harm):
        for command in ("recover", "reindex"):
            with self.subTest(command=command):
                harm()
                self.check()
                self.mended_by(command)

    def test_missing(self):
        def harm():
            shutil.rmtree(self.tape / "index")
        self.both(harm)

    def test_missing_but_for_the_mark(self):
        self.both(lambda: self.data.unlink())

    def test_empty_and_cut(self):
        for size in tapedeck.some((0, 1, 4096, 8192, 10000), every=2):
            with self.subTest(size=size):
                self.both(lambda: os.truncate(self.data, min(size, self.data.stat().st_size - 1)))

    def test_stale(self):
        old = self.scratch / "old"
        shutil.copytree(self.tape / "index", old)
        self.load("b", 100)
        self.digest = self.tape_digest()

        def harm():
            shutil.rmtree(self.tape / "index")
            shutil.copytree(old, self.tape / "index")
        self.both(harm)

    def test_foreign(self):
        other = self.scratch / "other"
        self.load("b", 3000, tape=other)

        def harm():
            shutil.rmtree(self.tape / "index")
            shutil.copytree(other / "index", self.tape / "index")

        def only_the_data():
            shutil.copy(other / "index" / "data.mdb", self.data)
        self.both(harm)
        self.both(only_the_data)

    def test_rotten(self):
        whole, random_of = self.data.read_bytes(), random.Random(7)
        for turn in tapedeck.some(range(40)):
            with self.subTest(turn=turn):
                rotten = bytearray(whole)
                for _ in range(random_of.choice((1, 8, 200))):
                    at = random_of.randrange(len(rotten))
                    rotten[at] = random_of.randrange(256)
                self.data.write_bytes(rotten)
                self.check()
        self.mended_by("recover")

    def test_of_another_version(self):
        def harm():
            data = self.data.read_bytes()
            at = data.index(b"TDKINDX1")
            changed = bytearray(data)
            changed[at + 8] = 2
            self.data.write_bytes(changed)
        self.both(harm)

    def test_reindex_tells_how_much(self):
        done = self.run_ok("reindex", "-T", self.tape, "--json")
        row = json.loads(done.stdout)[0]
        self.assertEqual(row["segments"], len(self.segments()))
        self.assertEqual(row["ticks"], self.COUNT)
        self.assertEqual(row["bytes"], sum(path.stat().st_size for path in self.segments()))


@unittest.skipUnless(os.getuid() == 0, "needs root: it reads as another user")
class Closed(Tape):
    """Files that this reader may not open, such as a file that root has made among those of a recorder."""

    def test_a_segment_that_may_not_be_read_is_no_empty_one(self):
        for path in (self.tape, *self.tape.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        closed = self.segments()[-1]
        closed.chmod(0o600)
        (self.tape / "index" / "clean").chmod(0o600)  # so that only the segments can be used
        for command in (["query", "--count"], ["digest"], ["coverage"], ["gaps"], ["info"], ["ls", "tracks"],
                        ["query", "-o", "none", "--require-complete"], ["verify"]):
            done = self.run_as_a_stranger(*command, "-T", self.tape, code=1)
            self.assertIn(f"open {closed}: Permission denied; ", done.stderr)
            self.assertEqual(done.stdout, "", command)


@unittest.skipUnless(os.getuid() == 0, "needs root: what it makes is given to another user")
class OfAnother(Tape):
    """When root works on a recorder's tape, the files still belong to the recorder's user."""

    def setUp(self):
        super().setUp()
        for path in (self.scratch, self.rings, self.tape, *self.tape.rglob("*")):
            os.chown(path, self.STRANGER, self.STRANGER)

    def roots(self, folder):
        return [str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_uid == 0]

    def test_what_root_makes_on_a_tape_belongs_to_who_owns_it(self):
        shutil.rmtree(self.tape / "index")
        (self.tape / "leases").unlink()
        self.run_ok("recover", "-T", self.tape)
        self.run_ok("seal", "-T", self.tape)
        self.load("b", 100)
        self.run_ok("retain", "hold", "1", "-T", self.tape)
        self.run_ok("reindex", "-T", self.tape)
        self.run_ok("move", self.scratch / "cold", "-T", self.tape, "--segments", "1-2")
        self.load("c", 100, tape=self.scratch / "fresh")
        self.run_ok("pack", "-T", self.tape, "-O", self.scratch / "pack.tar.zst")
        self.run_ok("unpack", self.scratch / "pack.tar.zst", "-O", self.scratch / "unpacked")
        for folder in (self.tape, *map(self.scratch.joinpath, ("cold", "fresh", "unpacked"))):
            self.assertEqual(self.roots(folder), [])
        self.assertEqual(self.run_as_a_stranger("query", "-T", self.tape, "--count").stdout,
                         f"{self.COUNT + 100}\n")
        self.run_as_a_stranger("verify", "-T", self.tape)
        self.run_as_a_stranger("recover", "-T", self.tape)

    def test_what_roots_daemons_leave_on_a_tape_belongs_to_who_owns_it(self):
        for program in (self.recorder("--ring", "a", "--create-ring", "64K", "--canary", "1s", "--audit"),
                        self.start("tapedeck-replayer", "--tape", self.tape, "--audit")):
            program.wait_line("^ready ")
            program.kill()
        (self.tape / "recorder.sock").unlink()  # sockets are removed by whoever owns the directory
        (self.tape / "replayer.sock").unlink()
        self.assertEqual(self.roots(self.tape), [])
        self.assertEqual([ring for ring in self.roots(self.rings) if ring.endswith(".ring")], [])

    def test_a_folder_of_roots_to_move_to_is_told(self):
        cold = self.scratch / "cold"
        cold.mkdir()
        moved = self.run_ok("move", cold, "-T", self.tape, "--segments", "1")
        self.assertIn(f"chown -R {self.STRANGER}:{self.STRANGER} {cold}", moved.stderr)

    def test_what_was_there_before_keeps_its_owner(self):
        """Otherwise a link to one of root's files would be a way to become its owner."""
        kept = self.scratch / "kept"
        kept.write_text("")
        (self.tape / "leases").unlink()
        os.link(kept, self.tape / "leases")
        self.run_ok("retain", "apply", "-T", self.tape, "--max-age", "36500d")
        self.assertEqual(kept.stat().st_uid, 0)


class Killed(Tape):
    """A command that is killed at any moment and run again gives the same tape."""

    COUNT = 60000

    def test_recover_and_reindex_can_be_killed(self):
        recorder = self.recorder("--ring", "r", "--create-ring", "32M", "--segment-size", "2M")
        self.run_ok("gen", "--ring", "r", "--count", "100000")
        self.run_ok("flush", "-T", self.tape)
        recorder.kill()
        last = max(self.segments("*.open"), key=lambda path: path.stat().st_blocks)
        with open(last, "r+b") as file:
            end = len(file.read().rstrip(b"\0"))
            file.seek((end + 4095) // 4096 * 4096)
            file.write(b"torn" * 500)
        pristine = self.scratch / "pristine"
        shutil.copytree(self.tape, pristine, ignore=shutil.ignore_patterns("*.sock"))
        begin = time.monotonic()
        self.report()
        took = time.monotonic() - begin
        right = self.tape_digest(), self.names(), self.quarantine()
        for seed in tapedeck.some(range(6)):
            for command in ("recover", "reindex"):
                with self.subTest(seed=seed, command=command):
                    shutil.rmtree(self.tape)
                    shutil.copytree(pristine, self.tape)
                    random_of = random.Random(seed)
                    for _ in range(2):
                        program = self.start_cli(command, "-T", self.tape)
                        time.sleep(random_of.random() * took)
                        program.kill()
                        self.assertIn(program.process.returncode, (0, -signal.SIGKILL))
                    self.report()
                    self.assertEqual((self.tape_digest(), self.names(), self.quarantine()), right)
                    self.run_ok("verify", "-T", self.tape)

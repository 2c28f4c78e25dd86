"""The name of an instrument at each time: mappings by day, gateways' records, definitions, announcements."""

import json
import struct
import unittest

from tests.support import tapedeck
from tests.support.records import trade

DAY = 86400 * 10**9
MONDAY = 1718582400 * 10**9  # 2024-06-17
TUESDAY = MONDAY + DAY
WIDTH = 71


def text(value, size=WIDTH):
    return value.encode().ljust(size, b"\0")


def metadata(mappings, stype_in=1, stype_out=0, schema=0):
    """A DBN version 2 head. mappings: {symbol: [(first day, day after the last, id)]}, from raw symbols to ids."""
    body = struct.pack("<16sHQQQBBBH53xI", b"TEST.DATA", schema, MONDAY, MONDAY + 2 * DAY, 0, stype_in, stype_out, 0,
                       WIDTH, 0)
    body += struct.pack("<I", len(mappings)) + b"".join(text(symbol) for symbol in mappings) + bytes(8)
    body += struct.pack("<I", len(mappings))
    for symbol, intervals in mappings.items():
        body += text(symbol) + struct.pack("<I", len(intervals))
        for first, behind, number in intervals:
            body += struct.pack("<II", first, behind) + text(str(number))
    return b"DBN\x02" + struct.pack("<I", len(body)) + body


def mapping(number, ts, symbol, start=2**64 - 1, end=2**64 - 1):
    return struct.pack("<BBHIQB71sB71sQQ", 44, 0x16, 1, number, ts, 1, symbol.encode(), 1, symbol.encode(), start, end)


class Symbols(tapedeck.Case):
    def put(self, data, track="t", code=0):
        path = self.scratch / f"{track}.dbn"
        path.write_bytes(data)
        return self.run_ok("import", path, "-T", self.tape, "--track", track, code=code)

    def prices(self, *args):
        out = self.run_ok("query", "-T", self.tape, "-o", "csv", "-t", "trades", *args).stdout.decode()
        names, *rows = [row.split(",") for row in out.splitlines()]
        return [int(row[names.index("price")]) for row in rows]

    def listed(self, *args):
        return json.loads(self.run_ok("ls", "symbols", "-T", self.tape, "--json", *args).stdout)

    def rolled(self):
        """On Tuesday id 1 means B, and A has become 2. Prices are 11 to 13 on Monday, and 21 and 22 on Tuesday."""
        head = metadata({"A": [(20240617, 20240618, 1), (20240618, 20240619, 2)],
                         "B": [(20240618, 20240619, 1)]})
        ticks = [(1, MONDAY, 11), (1, TUESDAY - 1, 12), (1, TUESDAY, 21), (2, TUESDAY, 22), (2, MONDAY + 5, 13)]
        self.put(head + b"".join(trade(*tick) for tick in ticks))

    def test_an_id_counts_only_on_the_days_of_its_symbol(self):
        self.rolled()
        self.assertEqual(self.prices("-s", "A"), [11, 12, 22])
        self.assertEqual(self.prices("-s", "B"), [21])
        self.assertEqual(self.prices("-s", "[AB]"), [11, 12, 21, 22])
        self.assertEqual(self.prices("-s", "#1"), [11, 12, 21])
        self.assertEqual(self.prices("-s", "#2", "-s", "B"), [21, 22, 13])
        self.assertEqual(self.prices("-s", "A", "--from", "2024-06-18"), [22])
        done = self.run_ok("query", "-T", self.tape, "-s", "B", "--to", "2024-06-18", "--count")
        self.assertEqual(int(done.stdout), 0)

    def test_the_days_are_listed(self):
        self.rolled()
        rows = [(row["symbol"], row["instrument_id"], int(row["from"]), int(row["to"])) for row in self.listed()]
        self.assertEqual(sorted(rows), [("A", 1, MONDAY, TUESDAY), ("A", 2, TUESDAY, TUESDAY + DAY),
                                        ("B", 1, TUESDAY, TUESDAY + DAY)])
        self.assertEqual([row["symbol"] for row in self.listed("B*")], ["B"])
        self.assertEqual(self.listed("C*"), [])

    def test_they_are_listed_by_id_and_by_time(self):
        self.rolled()

        def names(*args):
            return [(row["symbol"], row["instrument_id"]) for row in self.listed(*args)]

        self.assertEqual(names("#1"), [("A", 1), ("B", 1)])
        self.assertEqual(names("#3"), [])
        self.assertEqual(names("--to", "2024-06-18"), [("A", 1)])
        self.assertEqual(names("--from", "2024-06-18"), [("B", 1), ("A", 2)])
        self.assertEqual(names("--from", "2024-06-17T23:59:59.999999999", "--tz", "UTC", "A"), [("A", 1), ("A", 2)])
        self.assertEqual(names("--from", "2024-06-18", "#1"), [("B", 1)])
        self.assertEqual(names("--from", "2024-06-18", "--to", "2024-06-18"), [])
        self.assertEqual(names("--from", str(TUESDAY + DAY)), [])
        for bad in (("#",), ("#x",), ("#4294967296",), ("",), ("--from", "2024-06-18T00:00:00"),
                    ("--from", "2024-06-19", "--to", "2024-06-18")):
            self.run_ok("ls", "symbols", "-T", self.tape, *bad, code=2)

    def test_text_has_the_name_of_the_day(self):
        self.rolled()
        out = self.run_ok("query", "-T", self.tape, "-o", "csv", "--map-symbols").stdout.decode()
        self.assertEqual([line.rsplit(",", 1)[1] for line in out.splitlines()[1:]], ["A", "A", "B", "A", ""])

    def test_of_two_names_the_first_in_the_file_is_told_by_a_play_too(self):
        for track, names in (("a", "AB"), ("b", "BA")):
            self.put(metadata({name: [(20240617, 20240618, 1)] for name in names}) + trade(1, MONDAY, 11), track)
            told = self.run_ok("query", "-T", self.tape, "--track", track, "-o", "csv", "--map-symbols").stdout
            self.assertTrue(told.endswith(b"," + names[0].encode() + b"\n"), told)
            self.run_ok("play", "-T", self.tape, "--track", track, "--into", track, "--create", "64K")
            played = self.run_ok("drain", track, "-o", "csv", "--map-symbols", "--until-end").stdout
            self.assertEqual(played, told)

    def test_of_two_names_the_first_in_the_file_is_told_by_a_replayer_too(self):
        for track, names in (("a", "AB"), ("b", "BA")):
            self.put(metadata({name: [(20240617, 20240618, 1)] for name in names}) + trade(1, MONDAY, 11), track)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        for track in ("a", "b"):
            told = self.run_ok("query", "-a", f"unix:{self.tape}/replayer.sock", "--track", track, "-o", "csv",
                               "--map-symbols").stdout
            self.assertTrue(told.endswith(f",{track.upper()}\n".encode()), told)

    def test_a_gateways_mapping_holds_from_there_on(self):
        records = [mapping(1, MONDAY, "A"), trade(1, MONDAY + 1, 1), mapping(1, MONDAY + 10, "B"),
                   trade(1, MONDAY + 11, 2), trade(1, MONDAY + 12, 3)]
        self.put(metadata({}) + b"".join(records))
        self.assertEqual(self.prices("-s", "A"), [1])
        self.assertEqual(self.prices("-s", "B"), [2, 3])

    def test_names_stay_when_the_index_is_built_anew(self):
        self.rolled()
        before = self.listed()
        self.run_ok("reindex", "-T", self.tape)
        self.assertEqual(self.listed(), before)
        self.assertEqual(self.prices("-s", "A"), [11, 12, 22])

    def test_a_recorded_feed_knows_the_same_names_as_an_import(self):
        self.rolled()
        fed = self.scratch / "fed"
        recorder = self.recorder("--ring", "t", "--create-ring", "1M", tape=fed)
        self.run_ok("feed", self.scratch / "t.dbn", "--ring", "t")
        self.assertEqual(recorder.stop(), 0)
        for symbol in ("A", "B", "#1", "?"):
            self.assertEqual(self.run_ok("query", "-T", fed, "-s", symbol, "--count").stdout,
                             self.run_ok("query", "-T", self.tape, "-s", symbol, "--count").stdout)

    def test_files_that_are_fed_together_keep_their_heads(self):
        paths = [self.scratch / name for name in ("one.dbn", "words", "two.dbn")]
        paths[0].write_bytes(metadata({"A": [(20240617, 20240619, 1)]}) + trade(1, MONDAY, 11))
        paths[1].write_bytes(b"5 word\n6 word\n")
        paths[2].write_bytes(metadata({"B": [(20240617, 20240619, 1)]}, schema=1) + trade(1, TUESDAY, 21))
        recorder = self.recorder("--ring", "t", "--create-ring", "1M")
        self.run_ok("feed", *paths, "--ring", "t", "--track-info", "venue=X")
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual((self.prices("-s", "A"), self.prices("-s", "B")), ([11], [21]))
        frames = self.frames()
        self.assertEqual([frame.seq for frame in frames if frame.is_tick()], [1, 1, 2, 1])
        self.assertEqual(len({frame.epoch for frame in frames if frame.is_tick()}), 3)
        self.assertEqual(len([frame for frame in frames if b"venue" in frame.payload]), 3)
        self.run_ok("feed", paths[0], paths[2], "--ring", "r", "--create", "64K")
        refused = self.run_ok("drain", "r", "-o", "dbn", "--count", "2", code=1)
        self.assertIn("another schema", refused.stderr)

    def test_definitions_name_what_nothing_else_does(self):
        path = self.shared("dbn", "databento-dbn", "test_data.definition.v3.dbn.frag.zst")
        self.run_ok("import", path, "-T", self.tape, "--track", "t")
        rows = self.listed()
        self.assertEqual(len(rows), 2)
        for row in rows:
            found = self.run_ok("query", "-T", self.tape, "-s", row["symbol"], "--count").stdout
            self.assertEqual(int(found), 1)


if __name__ == "__main__":
    unittest.main()

"""Every real DBN file, to a tape and back: the record bytes are the same, and the text equals the vendor's."""

import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import unittest

from tests.support import records, tapedeck

DATA = tapedeck.SHARED / "data"
RTYPES = {  # by the names that the facts use
    0x00: "mbp-0", 0x01: "mbp-1", 0x0A: "mbp-10", 0x12: "status", 0x13: "instrument-def",
    0x14: "imbalance", 0x15: "error", 0x16: "symbol-mapping", 0x17: "system", 0x18: "statistics",
    0x20: "ohlcv-1s", 0x21: "ohlcv-1m", 0x22: "ohlcv-1h", 0x23: "ohlcv-1d", 0xA0: "mbo",
    0xB1: "cmbp-1", 0xC0: "cbbo-1s", 0xC1: "cbbo-1m", 0xC2: "tcbbo", 0xC3: "bbo-1s", 0xC4: "bbo-1m",
}
CHANGED = ("definition", "statistics", None)  # schemas whose records differ between versions
UNSET = 2**64 - 1


def facts():
    path = DATA / "expected.json"
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there: the real data stands beside the project")
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    return {name: fact for name, fact in files.items() if name.startswith("dbn/")}


class Dbn:
    """An independent decoder: it shares no code with the decoder under test."""

    def __init__(self, data):
        assert data[:3] == b"DBN", data[:8]
        self.version = data[3]
        end = 8 + struct.unpack_from("<I", data, 4)[0]
        self.body = data[end:]
        self.dataset = self._text(data[8:24])
        self.schema, self.start, self.end, self.limit = struct.unpack_from("<HQQQ", data, 24)
        at = 58 if self.version == 1 else 50
        self.stype_in, self.stype_out, self.ts_out = data[at:at + 3]
        self.symbol_size = 22 if self.version == 1 else struct.unpack_from("<H", data, 53)[0]
        self.data, self.at = data, 112
        self.symbols = self._names()
        self.partial = self._names()
        self.not_found = self._names()
        self.mappings = [self._mapping() for _ in range(self._u32())]
        padding = end - self.at
        assert 0 <= padding < 8 and (self.version == 3 or padding == 0), padding
        assert not any(data[self.at:end])

    @staticmethod
    def _text(raw):
        return raw.split(b"\0", 1)[0].decode()

    def _u32(self):
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def _symbol(self):
        self.at += self.symbol_size
        return self._text(self.data[self.at - self.symbol_size:self.at])

    def _names(self):
        return [self._symbol() for _ in range(self._u32())]

    def _mapping(self):
        raw = self._symbol()
        intervals = []
        for _ in range(self._u32()):
            start, end = self._u32(), self._u32()
            intervals.append({"start_date": start, "end_date": end, "symbol": self._symbol()})
        return {"raw_symbol": raw, "intervals": intervals}

    def records(self):
        at = 0
        while at < len(self.body):
            size = self.body[at] * 4
            yield self.body[at:at + size]
            at += size
        assert at == len(self.body)


class EveryFile(tapedeck.Case):
    def export(self, path, *args):
        tape = self.scratch / "one"
        shutil.rmtree(tape, ignore_errors=True)
        self.run_ok("import", path, "-T", tape, "--track", "t", "-q")
        return Dbn(self.run_ok("query", "-T", tape, "-o", "dbn", *args).stdout)

    def check_records(self, dbn, fact):
        records = list(dbn.records())
        self.assertEqual(len(records), fact["records"])
        self.assertEqual(hashlib.sha256(dbn.body).hexdigest(), fact["body_sha256"])
        by_rtype = {}
        for record in records:
            name = RTYPES[record[1]]
            by_rtype[name] = by_rtype.get(name, 0) + 1
        self.assertEqual(by_rtype, fact["by_rtype"])
        if records:
            events = [struct.unpack_from("<Q", record, 8)[0] for record in records]
            self.assertEqual(events[0], fact["ts_event"]["first"])
            self.assertEqual(events[-1], fact["ts_event"]["last"])

    def check_head(self, dbn, head):
        self.assertEqual(dbn.version, head["version"] if head["schema"] in CHANGED else 3)
        self.assertEqual(dbn.dataset, head["dataset"])
        self.assertEqual(dbn.schema == 0xFFFF, head["schema"] is None)
        self.assertEqual(dbn.start, head["start"])
        self.assertEqual(dbn.end, UNSET if head["end"] is None else head["end"])
        self.assertEqual(dbn.limit, head["limit"] or 0)
        self.assertEqual(dbn.ts_out, head["ts_out"])
        for key in ("symbols", "partial", "not_found", "mappings"):
            if isinstance(head[key], str):  # a list that is too long is given as "N mappings, ..."
                self.assertEqual(len(getattr(dbn, key)), int(head[key].split()[0]), key)
            else:
                self.assertEqual(getattr(dbn, key), head[key], key)

    def test_the_same_records_come_back(self):
        """unit/test_source_real.c also reads all of them under a sanitizer, in one process."""
        for name, fact in tapedeck.some(facts().items()):
            with self.subTest(name):
                dbn = self.export(DATA / name)
                self.check_records(dbn, fact)
                if "metadata" in fact:
                    self.check_head(dbn, fact["metadata"])

    def test_a_file_without_records_keeps_what_it_says(self):
        name = "dbn/databento-dbn/test_data.ohlcv-1d.v3.dbn.zst"
        fact = facts()[name]
        self.check_head(self.export(DATA / name), fact["metadata"])
        tape = self.scratch / "one"
        self.assertEqual(self.run_ok("query", "-T", tape, "--count").stdout, b"0\n")
        self.run_ok("verify", "-T", tape)
        rows = json.loads(self.run_ok("info", "-T", tape, "--json").stdout)
        self.assertIsNone(rows[0]["first_ts"])

    def test_through_a_ring_the_same_records_come_back(self):
        for name, fact in tapedeck.some(list(facts().items())[::8]):
            with self.subTest(name):
                self.run_ok("feed", DATA / name, "--ring", "r", "--create", "16M", "-q")
                count = ("--count", fact["records"]) if fact["records"] else ("--timeout", "1ms")
                dbn = Dbn(self.run_ok("drain", "r", "-o", "dbn", *count).stdout)
                self.run_ok("ring", "rm", "r")
                self.check_records(dbn, fact)
                if fact["records"] and "metadata" in fact:
                    self.check_head(dbn, fact["metadata"])

    def test_a_play_drained_as_dbn_is_the_file(self):
        name = "dbn/databento-dbn/test_data.mbp-1.v3.dbn.zst"
        fact = facts()[name]
        self.run_ok("import", DATA / name, "-T", self.tape, "--track", "t")
        self.run_ok("play", "-T", self.tape, "--into", "p", "--create", "1M")
        out = self.scratch / "out.dbn"
        self.run_ok("drain", "p", "--until-end", "-O", out)
        self.check_records(Dbn(out.read_bytes()), fact)
        self.check_head(Dbn(out.read_bytes()), fact["metadata"])

    def test_what_does_not_go_with_the_head_is_refused_and_stays_in_the_ring(self):
        if not DATA.is_dir():
            self.skipTest("no real data")
        for schema in ("trades", "mbp-1"):
            self.run_ok("import", DATA / f"dbn/databento-dbn/test_data.{schema}.dbn", "-T", self.tape, "--track", schema)
        self.run_ok("play", "-T", self.tape, "--into", "p", "--create", "1M")
        refused = self.run_cli("drain", "p", "--until-end", "-o", "dbn")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("another schema", refused.stderr)
        self.assertEqual(len(self.run_ok("drain", "p", "--until-end").stdout.splitlines()), 4)

    def test_zstd_holds_the_same(self):
        if shutil.which("zstd") is None:
            self.skipTest("no zstd program to look inside with")
        name = "dbn/databento-dbn/test_data.mbo.v3.dbn.zst"
        fact = facts()[name]
        self.run_ok("import", DATA / name, "-T", self.tape, "--track", "t")
        out = self.scratch / "out.dbn.zst"
        self.run_ok("query", "-T", self.tape, "-O", out)
        plain = subprocess.run(["zstd", "-dc", out], stdout=subprocess.PIPE, check=True).stdout
        self.check_records(Dbn(plain), fact)
        # The export can be imported again.
        self.run_ok("import", out, "-T", self.tape, "--track", "again")
        again = Dbn(self.run_ok("query", "-T", self.tape, "--track", "again", "-o", "dbn").stdout)
        self.check_records(again, fact)

    def test_files_through_a_ring_come_back_too(self):
        """feed -> ring -> recorder: the file's head travels through the ring."""
        names = ["dbn/databento-dbn/test_data.mbo.v3.dbn", "dbn/databento-dbn/test_data.definition.v1.dbn.zst",
                 "dbn/databento-python/LIVE/test_data.live.dbn.zst"]
        known = facts()
        for i, name in enumerate(names):
            with self.subTest(name):
                tape = self.scratch / f"tape{i}"
                ring = f"r{i}"
                recorder = self.recorder("--ring", ring, "--create-ring", "1M", tape=tape)
                self.run_ok("feed", DATA / name, "--ring", ring)
                self.assertEqual(recorder.stop(), 0)
                dbn = Dbn(self.run_ok("query", "-T", tape, "-o", "dbn").stdout)
                self.check_records(dbn, known[name])
                self.check_head(dbn, known[name]["metadata"])


class SeveralFiles(tapedeck.Case):
    def test_two_tracks_make_one_file_that_says_so(self):
        folder = DATA / "dbn" / "databento-dbn"
        if not folder.exists():
            self.skipTest("no real data")
        self.run_ok("import", folder / "test_data.mbo.v3.dbn", "-T", self.tape, "--track", "a")
        self.run_ok("import", folder / "test_data.trades.v1.dbn.zst", "-T", self.tape, "--track", "b")
        dbn = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn").stdout)
        self.assertEqual(dbn.version, 3)
        self.assertEqual(dbn.schema, 0xFFFF)
        self.assertEqual(dbn.dataset, "GLBX.MDP3")
        self.assertEqual(dbn.symbols, ["ESH1"])
        self.assertEqual(len(dbn.mappings), 1)
        self.assertEqual(sorted(record[1] for record in dbn.records()), [0x00, 0x00, 0xA0, 0xA0])
        trades = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn", "-t", "trades").stdout)
        self.assertEqual(trades.schema, 4)
        self.assertEqual([record[1] for record in trades.records()], [0, 0])

    def test_a_range_of_a_file_says_so(self):
        folder = DATA / "dbn" / "databento-dbn"
        if not folder.exists():
            self.skipTest("no real data")
        self.run_ok("import", folder / "test_data.trades.v3.dbn.zst", "-T", self.tape, "--track", "t")
        whole = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn").stdout)
        first, second = [struct.unpack_from("<Q", record, 32)[0] for record in whole.records()]
        part = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn", "--from", second, "--to", second + 1).stdout)
        self.assertEqual([struct.unpack_from("<Q", record, 32)[0] for record in part.records()], [second])
        self.assertEqual((part.start, part.end), (second, second + 1))
        limited = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn", "--reverse", "-n", 1).stdout)
        self.assertEqual(limited.limit, 1)
        self.assertEqual([struct.unpack_from("<Q", record, 32)[0] for record in limited.records()], [second])
        self.assertLess(first, second)

    def test_trades_can_be_said_in_five_fields(self):
        folder = DATA / "dbn" / "databento-dbn"
        if not folder.exists():
            self.skipTest("no real data")
        self.run_ok("import", folder / "test_data.trades.v3.dbn.zst", "-T", self.tape, "--track", "t")
        line = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five", "-n", 1).stdout.decode()
        self.assertEqual(line, '{"symbol":"ESH1","timestamp":1609160400.099150057,"price":3720.25,"volume":5,'
                               '"message_type":"trade"}\n')

    def test_versions_that_differ_in_layout_are_not_mixed(self):
        folder = DATA / "dbn" / "databento-dbn"
        if not folder.exists():
            self.skipTest("no real data")
        self.run_ok("import", folder / "test_data.definition.v1.dbn.zst", "-T", self.tape, "--track", "a")
        self.run_ok("import", folder / "test_data.definition.v3.dbn.zst", "-T", self.tape, "--track", "b")
        done = self.run_cli("query", "-T", self.tape, "-o", "dbn")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--track", done.stderr)
        self.assertEqual(Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn", "--track", "a").stdout).version, 1)
        self.assertEqual(Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn", "--track", "b").stdout).version, 3)


def head(ts_out=0, schema=0, start=0, end=UNSET):
    """The head of a DBN version 3 file that maps no symbols. The default schema is mbo."""
    body = struct.pack("<16sHQQQBBBH53xI", b"TEST", schema, start, end, 0, 1, 0, ts_out, 71, 0) + bytes(16)
    body += bytes(-len(body) % 8)
    return b"DBN\x03" + struct.pack("<I", len(body)) + body


class Times(tapedeck.Case):
    """A head's start is not later than its first record, and its end is after its last."""

    FIRST, LAST = 1_000_000_000, 1_000_000_500

    def setUp(self):
        super().setUp()
        self.file = self.scratch / "some.dbn"
        self.ticks = b"".join(records.mbo(i, ts) for i, ts in enumerate((self.FIRST, self.LAST)))

    def check(self, dbn):
        self.assertEqual(len(list(dbn.records())), 2)
        self.assertLessEqual(dbn.start, self.FIRST)
        self.assertGreater(dbn.end, self.LAST)

    def test_of_ticks_that_were_stamped_anew(self):
        for i, bounds in enumerate((head(start=self.FIRST, end=self.LAST + 1), head(), b"")):
            with self.subTest(i):
                self.file.write_bytes(bounds + self.ticks)
                tape = self.scratch / f"tape{i}"
                recorder = self.recorder("--ring", f"r{i}", "--create-ring", "1M", tape=tape)
                self.run_ok("feed", self.file, "--format", "dbn", "--ring", f"r{i}", "--stamp", "now")
                self.assertEqual(recorder.stop(), 0)
                for args in ((), ("--from", "2000-01-01"), ("--to", "2100-01-01")):
                    self.check(Dbn(self.run_ok("query", "-T", tape, "-o", "dbn", *args).stdout))

    def test_of_a_ring_whose_ticks_were_stamped_anew(self):
        self.file.write_bytes(self.ticks)
        self.run_ok("feed", self.file, "--format", "dbn", "--ring", "r", "--create", "1M", "--stamp", "now")
        self.check(Dbn(self.run_ok("drain", "r", "-o", "dbn", "--count", 2).stdout))

    def test_of_a_range_with_the_state_in_front_of_it(self):
        """There are two files, and the first is before the range."""
        for ts in (self.FIRST, self.LAST):
            self.file.write_bytes(head(schema=4, start=ts, end=ts + 1) + records.trade(7, ts))
            self.run_ok("import", self.file, "-T", self.tape, "--track", "t")
        query = ("query", "-T", self.tape, "-o", "dbn", "--from", self.LAST, "--to", self.LAST + 1)
        self.assertEqual(Dbn(self.run_ok(*query).stdout).start, self.LAST)
        for back in ((), ("--prime-back", "1s")):
            self.check(Dbn(self.run_ok(*query, "--prime", *back).stdout))


class Schemas(tapedeck.Case):
    """mbp-1 and tbbo share an rtype: only a file's head can tell them apart."""

    MBP_1, TBBO, MIXED = 1, 3, 0xFFFF

    def exported(self, *schemas, asked):
        """The schema in the head of an export of files whose heads say `schemas` (None: a file without a head)."""
        tape = self.scratch / "-".join(map(str, (*schemas, asked)))
        record = struct.pack("<BBHIQ", 20, 0x01, 1, 7, 1) + bytes(64)
        for schema in schemas:
            file = self.scratch / "some.dbn"
            file.write_bytes((b"" if schema is None else head(schema=schema)) + record)
            self.run_ok("import", file, "-T", tape, "--track", "t", "--format", "dbn")
        dbn = Dbn(self.run_ok("query", "-T", tape, "-o", "dbn", "-t", asked).stdout)
        self.assertEqual(list(dbn.records()), [record] * len(schemas))
        return dbn.schema

    def test_what_a_file_says_of_its_records_stays(self):
        self.assertEqual(self.exported(self.MBP_1, asked="tbbo"), self.MBP_1)
        self.assertEqual(self.exported(self.TBBO, asked="mbp-1"), self.TBBO)
        self.assertEqual(self.exported(self.MBP_1, self.TBBO, asked="tbbo"), self.MIXED)

    def test_what_no_file_says_is_what_was_asked_for(self):
        for known in (self.MIXED, None):
            self.assertEqual(self.exported(known, asked="tbbo"), self.TBBO)
            self.assertEqual(self.exported(known, asked="mbp-1"), self.MBP_1)


class SendTimes(tapedeck.Case):
    """Records with and without a send time (ts_out) after them, in files with and without a head."""

    SENT = 77

    def put(self, *ticks, first=b""):
        path = self.scratch / "some.dbn"
        path.write_bytes(first + b"".join(ticks))
        self.run_ok("import", path, "-T", self.tape, "--track", "t", "--format", "dbn")

    def sent(self, ts):
        record = bytearray(records.mbo(1, ts) + struct.pack("<Q", self.SENT))
        record[0] = len(record) // 4
        return bytes(record)

    def column(self):
        """The ts_out of each row of the CSV."""
        names, *rows = self.run_ok("query", "-T", self.tape, "-o", "csv").stdout.decode().splitlines()
        at = names.split(",").index("ts_out")
        return [row.split(",")[at] for row in rows]

    def test_without_a_head_they_make_a_file_that_says_so(self):
        self.put(self.sent(1), self.sent(2))
        dbn = Dbn(self.run_ok("query", "-T", self.tape, "-o", "dbn").stdout)
        self.assertEqual((dbn.ts_out, list(dbn.records())), (1, [self.sent(1), self.sent(2)]))
        self.assertEqual(self.column(), [str(self.SENT)] * 2)

    def test_behind_records_without_one_they_have_their_column_if_a_head_tells_of_them(self):
        self.put(records.mbo(1, 1), first=head(0))
        self.put(self.sent(2), first=head(1))
        self.assertEqual(self.column(), ["", str(self.SENT)])

    def test_they_are_refused_where_there_is_no_column_for_them(self):
        self.put(records.mbo(1, 1))
        self.put(self.sent(2))
        for form in ("csv", "arrow", "dbn"):
            refused = self.run_ok("query", "-T", self.tape, "-o", form, code=2)
            self.assertIn("ts_out", refused.stderr)
        self.assertIn(str(self.SENT), self.run_ok("query", "-T", self.tape, "-o", "jsonl").stdout.decode())


class Golden(tapedeck.Case):
    ENDINGS = {
        ".pretty-symbol.csv": ("-o", "csv", "--pretty", "--map-symbols"),
        ".csv": ("-o", "csv"),
        ".jsonl": ("-o", "jsonl"),
    }

    def source_of(self, golden):
        if golden.name == "live.jsonl":
            return DATA / "dbn/databento-python/LIVE/test_data.live.dbn.zst", ("-o", "jsonl")
        for ending, args in self.ENDINGS.items():
            if golden.name.endswith(ending):
                stem = golden.name[:-len(ending)]
                return DATA / "dbn" / "databento-dbn" / f"{stem}.dbn.zst", args
        raise AssertionError(golden)

    def test_text_is_the_vendors_byte_for_byte(self):
        folder = DATA / "dbn" / "text"
        if not folder.exists():
            self.skipTest("no real data")
        tapes = {}
        for golden in tapedeck.some(sorted(folder.iterdir())):
            source, args = self.source_of(pathlib.Path(golden))
            if source not in tapes:
                tapes[source] = self.scratch / f"tape{len(tapes)}"
                self.run_ok("import", source, "-T", tapes[source], "--track", "t", "-q")
            with self.subTest(golden.name):
                done = self.run_ok("query", "-T", tapes[source], *args)
                self.assertEqual(done.stdout, golden.read_bytes())


if __name__ == "__main__":
    unittest.main()

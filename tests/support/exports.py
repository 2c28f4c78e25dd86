"""Exports in columns, compared with the CSV of the same query."""

import csv
import io

from tests.support import readers, records, tapedeck

# Columns in which "" is a text, and does not mean that a char or a symbol is missing.
STRINGS = set("""asset cfi currency err exchange group leg_raw_symbol msg raw_symbol secsubtype
    security_type settl_currency strike_price_currency stype_in_symbol stype_out_symbol underlying
    unit_of_measure track""".split())
TIMES = {"auction_time", "start_ts", "end_ts", "expiration", "activation"}


class Case(tapedeck.Case):
    """A test of one format: FORMAT, and rows(path) -> (names, rows of text and None)."""

    FORMAT = ""

    def setUp(self):
        super().setUp()
        readers.need()

    def rows(self, path):
        raise NotImplementedError

    def take(self, data, *options, track="a", form="dbn"):
        """Import the bytes of a fragment (or lines) onto the tape."""
        path = self.scratch / "taken"
        path.write_bytes(data)
        self.run_ok("import", path, "-T", self.tape, "--track", track, "--format", form, *options)

    def export(self, *options, code=0):
        path = self.scratch / f"out.{self.FORMAT}"
        self.run_ok("query", "-T", self.tape, "-O", path, "--force", *options, code=code)
        return path

    def assert_same_as_csv(self, *options):
        names, found = self.rows(self.export(*options))
        done = self.run_ok("query", "-T", self.tape, "-o", "csv", *options)
        lines = list(csv.reader(io.StringIO(done.stdout.decode())))
        self.assertEqual(names, lines[0])
        self.assertEqual(len(found), len(lines) - 1)
        for i, name in enumerate(names):
            self.assertEqual([row[i] for row in found],
                             [self.value_of(name, line[i]) for line in lines[1:]], name)

    @staticmethod
    def value_of(name, text):
        """What a CSV field must be in a column: no value, or the same text."""
        if text == "":
            return text if name in STRINGS else None
        if text == str(records.TIME_NONE):
            return None if name.startswith("ts") or name in TIMES else text
        return None if text == str(records.PRICE_NONE) and name != "quantity" else text

    def assert_all_real_files_same(self):
        """Check one file of each schema, version and record size."""
        seen = {}
        for name, fact in records.facts().items():
            path = records.DATA / name
            kind = (fact.get("metadata", {}).get("schema"), fact.get("metadata", {}).get("version"),
                    tuple(fact.get("record_sizes", ())))
            if not path.exists() or kind in seen or len(fact.get("by_rtype", ())) != 1:
                continue
            seen[kind] = path
        self.assertGreater(len(seen), 20)
        for number, path in enumerate(tapedeck.some(seen.values())):
            with self.subTest(path.name):
                self.tape = self.scratch / f"tape{number}"
                self.run_ok("import", path, "-T", self.tape, "--track", "a")
                self.assert_same_as_csv("--envelope", "--map-symbols")

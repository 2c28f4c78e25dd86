"""-o arrow: Apache Arrow's own JavaScript library reads exactly the values that the CSV has."""

import os
import unittest

from tests.support import exports, readers, records

T0 = 1_700_000_000_000_000_000


class Arrow(exports.Case):
    FORMAT = "arrow"

    def rows(self, path):
        types, batches = readers.arrow(path)
        found = [list(row) for batch in batches for row in zip(*batch)]
        return [name for name, _ in types], found

    def types(self, path):
        return dict(readers.arrow(path)[0])

    def test_every_schema_of_the_real_files_is_the_csv(self):
        self.assert_all_real_files_same()

    def test_sums_over_the_real_orders_are_those_counted_by_others(self):
        for name, fact in records.facts().items():
            if fact.get("by_rtype", {}).keys() != {"mbo"} or fact["records"] < 1000:
                continue
            self.tape = self.scratch / name.replace("/", "-")
            self.run_ok("import", records.DATA / name, "-T", self.tape, "--track", "a")
            names, found = self.rows(self.export())
            at = names.index("price")
            prices = [int(row[at]) for row in found if row[at] is not None]
            price = fact["price"]
            self.assertEqual((len(found), len(prices), sum(prices), min(prices), max(prices)),
                             (fact["records"], price["n"], price["sum"], price["min"], price["max"]))

    def test_values_of_every_size_and_nulls_between_them(self):
        prices = [records.PRICE_NONE, -2**63, 2**63 - 2, 0, -1, 10**18]
        self.take(b"".join(
            records.mbo(2**64 - 1 - i * (2**63 + 12345) % 2**64, T0 + i * i, prices[i % 6],
                        side=b"\0AB"[i % 3:i % 3 + 1],
                        ts_event=records.TIME_NONE if i % 7 == 0 else 2**63 - 1 - i,
                        instrument=2**32 - 1 - i % 300)
            for i in range(3000)))
        self.assert_same_as_csv("--envelope")

    def test_no_tick_is_a_stream_with_a_schema(self):
        self.take(b"%d text\n" % T0, form="lines")
        names, found = self.rows(self.export("--to", T0))
        self.assertEqual((names, found), (["track", "epoch", "seq", "ts", "type", "payload"], []))

    def test_each_batch_has_the_symbols_it_needs(self):
        line = ('{"symbol":"S%d","timestamp":%d.%09d,"price":1,"volume":0.5,"message_type":"trade"}\n')
        count = 140_000
        self.take("".join(line % (i // 1000, 1_700_000_000 + i, i) for i in range(count)).encode(),
                  form="jsonl")
        path = self.export("--map-symbols")
        types, batches = readers.arrow(path)
        self.assertEqual(dict(types)["symbol"], "Dictionary<Int32, Utf8>")
        self.assertEqual([len(batch[0]) for batch in batches], [131072, count - 131072])
        symbols = [symbol for batch in batches for symbol in batch[-1]]
        self.assertEqual(symbols, [f"S{i // 1000}" for i in range(count)])

    def test_a_decimal_is_the_price(self):
        self.take(records.mbo(1, T0, 5_155_500_000_001) + records.mbo(2, T0, -1) +
                  records.mbo(3, T0, records.PRICE_NONE))
        path = self.export("--decimal")
        names, found = self.rows(path)
        at = names.index("price")
        self.assertEqual([row[at] for row in found], ["5155500000001", "-1", None])
        self.assertIn("Decimal", self.types(path)["price"])

    def test_payloads_are_bytes(self):
        payloads = [b"", b"\xff\x00", os.urandom(1 << 20).replace(b"\n", b" ")]
        self.take(b"".join(b"%d %s\n" % (T0 + i, payload) for i, payload in enumerate(payloads)),
                  form="lines")
        _, found = self.rows(self.export())
        self.assertEqual([row[-1] for row in found], [payload.hex() for payload in payloads])

    def test_a_pipe_has_the_same_bytes_as_a_file(self):
        self.take(b"".join(records.mbo(i, T0 + i) for i in range(1000)))
        done = self.run_ok("query", "-T", self.tape, "-o", "arrow")
        self.assertEqual(done.stdout, self.export().read_bytes())

    def test_more_than_one_schema_is_refused(self):
        self.take(records.mbo(1, T0))
        self.take(b"%d text\n" % T0, track="b", form="lines")
        done = self.run_ok("query", "-T", self.tape, "-o", "arrow", code=2)
        self.assertRegex(done.stderr, r"an Arrow stream has one.*-t")


if __name__ == "__main__":
    unittest.main()

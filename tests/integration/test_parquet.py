"""-o parquet: DuckDB reads exactly the values that the CSV has, whatever they are."""

import hashlib
import os
import unittest

from tests.support import exports, readers, records

T0 = 1_700_000_000_000_000_000
DECIMAL_MAX = 10**18 - 1


def value_of(column, kind):
    """SQL that turns a value into text without loss."""
    if kind == "TIMESTAMP_NS":
        return f'epoch_ns("{column}")::varchar'
    return f'"{column}"::varchar' if kind != "BLOB" else f'hex("{column}")'


class Parquet(exports.Case):
    FORMAT = "parquet"

    def columns(self, path):
        """{column: type}, in the order of the file."""
        rows, = readers.duck(f"describe select * from '{path}'")
        return {row[0]: row[1] for row in rows}

    def rows(self, path):
        names = self.columns(path)
        wanted = ", ".join(value_of(*item) for item in names.items())
        found, = readers.duck(f"select {wanted} from '{path}'")
        return list(names), found


class Real(Parquet):
    def test_every_schema_of_the_real_files_is_the_csv(self):
        self.assert_all_real_files_same()

    def test_sums_over_the_real_orders_are_those_counted_by_others(self):
        for name, fact in records.facts().items():
            if fact.get("by_rtype", {}).keys() != {"mbo"} or fact["records"] < 1000:
                continue
            self.tape = self.scratch / name.replace("/", "-")
            self.run_ok("import", records.DATA / name, "-T", self.tape, "--track", "a")
            path = self.export("--map-symbols")
            (row,), by_symbol = readers.duck(
                f"select count(*)::varchar, count(price)::varchar, sum(price)::varchar, "
                f"min(price)::varchar, max(price)::varchar, sum(size)::varchar, "
                f"epoch_ns(min(ts_recv))::varchar, epoch_ns(max(ts_event))::varchar from '{path}'",
                f"select symbol, count(*)::varchar from '{path}' group by all")
            price = fact["price"]
            self.assertEqual(row, [str(number) for number in (
                fact["records"], price["n"], price["sum"], price["min"], price["max"],
                fact["size"]["sum"], fact["ts_recv"]["min"], fact["ts_event"]["max"])])
            self.assertEqual({key: int(n) for key, n in by_symbol}, fact["by_symbol"])


class Edges(Parquet):
    def test_one_tick_is_a_file(self):
        self.take(records.mbo(1, T0))
        self.assert_same_as_csv()

    def test_no_tick_is_a_file_with_the_columns_that_there_would_be(self):
        envelope = ["track", "epoch", "seq", "ts"]
        self.take(b"%d text\n" % T0, form="lines")
        names, found = self.rows(self.export("--to", T0))
        self.assertEqual((names, found), (envelope + ["type", "payload"], []))
        # Where the kind is not known, only the columns that every tick has.
        self.take(records.mbo(1, T0), track="b")
        names, found = self.rows(self.export("--to", T0))
        self.assertEqual((names, found), (envelope, []))

    def test_a_column_may_have_no_value_at_all(self):
        self.take(b"".join(
            records.mbo(i, records.TIME_NONE, records.PRICE_NONE, ts_event=T0, action=b"\0",
                        side=b"\0") for i in range(1000)))
        names, found = self.rows(self.export())
        for name in ("ts_recv", "price", "action", "side"):
            at = names.index(name)
            self.assertEqual({row[at] for row in found}, {None}, name)
        self.assert_same_as_csv()

    def test_values_of_every_size_and_nulls_between_them(self):
        prices = [records.PRICE_NONE, -2**63, 2**63 - 2, 0, -1, 10**18]
        self.take(b"".join(
            records.mbo(2**64 - 1 - i * (2**63 + 12345) % 2**64, T0 + i * i, prices[i % 6],
                        size=2**32 - 1 - i % 3, side=b"\0AB"[i % 3:i % 3 + 1],
                        ts_event=records.TIME_NONE if i % 7 == 0 else 2**63 - 1 - i,
                        sequence=i * 0x9E3779B1 % 2**32, instrument=2**32 - 1 - i % 300)
            for i in range(5000)))
        self.assert_same_as_csv("--envelope")

    def test_ticks_go_on_in_the_next_row_group(self):
        count = 300_000
        self.take(b"".join(records.mbo(i * 7919 % 1000003, T0 + 1000 * i, (i % 977) * 10**9 - 5)
                           for i in range(count)))
        path = self.export()
        groups, (sums,), order = readers.duck(
            f"select distinct row_group_num_rows::varchar from parquet_metadata('{path}') order by 1",
            f"select count(*)::varchar, sum(order_id)::varchar, sum(price)::varchar, "
            f"sum(epoch_ns(ts_recv))::varchar from '{path}'",
            f"select count(*)::varchar from (select ts_recv, lag(ts_recv) over () as before from "
            f"'{path}') where epoch_ns(ts_recv) - epoch_ns(before) != 1000")
        self.assertEqual(groups, [["131072"], [str(count - 2 * 131072)]])
        self.assertEqual(sums, [str(count), str(sum(i * 7919 % 1000003 for i in range(count))),
                                str(sum((i % 977) * 10**9 - 5 for i in range(count))),
                                str(sum(T0 + 1000 * i for i in range(count)))])
        self.assertEqual(order, [["0"]])

    def test_a_row_group_is_passed_over_by_its_bounds(self):
        self.take(b"".join(records.mbo(i, T0 + i, i * 10**9, instrument=i % 2**20)
                           for i in range(200_000)))
        path = self.export()
        bounds, = readers.duck(f"select stats_min_value, stats_max_value from "
                               f"parquet_metadata('{path}') where path_in_schema = 'order_id' "
                               f"order by row_group_id")
        self.assertEqual(bounds, [["0", "131071"], ["131072", "199999"]])

    def test_a_time_past_2262_is_null_and_told(self):
        self.take(records.mbo(1, T0, ts_event=2**63) + records.mbo(2, T0, ts_event=T0))
        done = self.run_ok("query", "-T", self.tape, "-O", self.scratch / "out.parquet", code=3)
        self.assertIn("1 time is past 2262", done.stderr)
        names, found = self.rows(self.scratch / "out.parquet")
        at = names.index("ts_event")
        self.assertEqual([row[at] for row in found], [None, str(T0)])

    def test_more_than_one_schema_is_refused_and_leaves_nothing(self):
        self.take(records.mbo(1, T0))
        self.take(b"%d text\n" % T0, track="b", form="lines")
        done = self.run_ok("query", "-T", self.tape, "-O", self.scratch / "x.parquet", code=2)
        self.assertRegex(done.stderr, r"mbo, opaque payloads.*a Parquet file has one.*-t")
        self.assertFalse([path for path in self.scratch.iterdir() if "parquet" in path.name])
        self.assert_same_as_csv("-t", "mbo")


class Decimals(Parquet):
    def test_a_decimal_is_the_price(self):
        self.take(records.mbo(1, T0, 5_155_500_000_001) + records.mbo(2, T0, -1) +
                  records.mbo(3, T0, records.PRICE_NONE) + records.mbo(4, T0, DECIMAL_MAX) +
                  records.mbo(5, T0, -DECIMAL_MAX))
        path = self.export("--decimal")
        self.assertEqual(self.columns(path)["price"], "DECIMAL(18,9)")
        found, = readers.duck(f"select price::varchar from '{path}' order by order_id")
        self.assertEqual([row[0] for row in found], [
            "5155.500000001", "-0.000000001", None, "999999999.999999999", "-999999999.999999999"])

    def test_one_that_does_not_fit_is_named(self):
        for price in (DECIMAL_MAX + 1, -DECIMAL_MAX - 1):
            self.tape = self.scratch / f"tape{price}"
            self.take(records.mbo(1, T0, price))
            done = self.run_ok("query", "-T", self.tape, "-O", self.scratch / "x.parquet",
                               "--decimal", code=2)
            self.assertRegex(done.stderr, r"price -?1000000000\.000000000 .*--decimal")
            self.assertFalse((self.scratch / "x.parquet").exists())

    def test_text_has_pretty_instead(self):
        self.take(records.mbo(1, T0))
        done = self.run_ok("query", "-T", self.tape, "-o", "csv", "--decimal", code=2)
        self.assertIn("--decimal", done.stderr)


class Others(Parquet):
    def test_wide_ticks_have_their_columns(self):
        line = ('{"symbol":"%s","timestamp":%d.%09d,"price":%d.5,"volume":0.%09d,'
                '"message_type":"%s"}\n')
        self.take("".join(line % (("BTC-USD", "ETH-USD")[i % 2], 1_700_000_000 + i, i, i, i + 1,
                                  ("trade", "auction")[i % 2])
                          for i in range(1000)).encode(), form="jsonl")
        self.assert_same_as_csv("--map-symbols")
        path = self.export("--map-symbols", "--decimal")
        found, = readers.duck(f"select symbol, sum(size)::varchar from '{path}' group by 1 order by 1")
        self.assertEqual(found, [["BTC-USD", "0.000250000"], ["ETH-USD", "0.000250500"]])

    def test_payloads_are_bytes_beside_their_envelope(self):
        payloads = [b"", b"text", b"\xff\x00" * 3, os.urandom(1 << 20), b"x" * (1 << 20)]
        payloads = [payload.replace(b"\n", b" ") for payload in payloads]
        self.take(b"".join(b"%d %s\n" % (T0 + i, payload) for i, payload in enumerate(payloads)),
                  form="lines")
        path = self.export()
        self.assertEqual(self.columns(path), {
            "track": "VARCHAR", "epoch": "UBIGINT", "seq": "UBIGINT", "ts": "TIMESTAMP_NS",
            "type": "UTINYINT", "payload": "BLOB"})
        found, = readers.duck(f"select track, seq::varchar, epoch_ns(ts)::varchar, type::varchar, "
                              f"md5(payload) from '{path}'")
        self.assertEqual(found, [["a", str(i + 1), str(T0 + i), "3", hashlib.md5(p).hexdigest()]
                                 for i, p in enumerate(payloads)])

    def test_payloads_beyond_a_row_groups_bytes_begin_the_next(self):
        payload = os.urandom(1 << 19).replace(b"\n", b" ")
        count = 150
        self.take(b"".join(b"%d %s\n" % (T0 + i, payload[i:]) for i in range(count)), form="lines")
        path = self.export()
        groups, (sums,) = readers.duck(
            f"select count(distinct row_group_id)::varchar from parquet_metadata('{path}')",
            f"select count(*)::varchar, sum(octet_length(payload))::varchar from '{path}'")
        self.assertGreater(int(groups[0][0]), 1)
        self.assertEqual(sums, [str(count), str(sum(len(payload) - i for i in range(count)))])

    def test_a_pipe_has_the_same_bytes_as_a_file(self):
        self.take(b"".join(records.mbo(i, T0 + i) for i in range(1000)))
        path = self.export()
        done = self.run_ok("query", "-T", self.tape, "-o", "parquet", "-O", "-")
        self.assertEqual(done.stdout, path.read_bytes())


if __name__ == "__main__":
    unittest.main()

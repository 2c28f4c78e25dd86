"""python/tapedeck beside other decoders: what they counted, each layout as in the header; and where the library is."""

import os
import re
import unittest
import zlib

from tests.support import tapedeck as support
from tests.support.package import Case, LIBRARY, expected, whole

import numpy as np
import tapedeck
from tapedeck import records
from tapedeck.frame import is_price, is_time


class Truth(Case):
    """Each DBN file is put on a tape and compared with what an independent decoder counted in it."""

    def test_counts_and_sums_of_real_files_are_those_that_others_counted(self):
        files = {name: facts for name, facts in expected().items()
                 if name.startswith("dbn/") and facts.get("records")}
        self.run_ok("import", *(support.SHARED / "data" / name for name in files), "-T", self.tape,
                    "--track", "all")
        with tapedeck.Tape(self.tape) as tape:
            self.assertEqual(tape.count(), sum(facts["records"] for facts in files.values()))
            epochs = [e.epoch for e in tape.coverage().epochs]  # each file is one epoch, in order
            found = self.by_epoch(tape)
        self.assertEqual(len(epochs), len(files))
        for epoch, (name, facts) in zip(epochs, files.items()):
            with self.subTest(name):
                self.compare(found[epoch], facts)

    @staticmethod
    def by_epoch(tape):
        """{epoch: {schema: records}} of everything on a tape."""
        found = {}
        for batch in tape.cursor():
            for schema in batch.schemas():
                for dtype, which in batch.find(schema):
                    epochs, offsets = batch.epoch[which], batch.offsets[which]
                    for epoch in np.unique(epochs).tolist():
                        values = batch.gather(dtype, 24, offsets[epochs == epoch])
                        found.setdefault(epoch, {}).setdefault(schema, []).append(values)
        return {epoch: {schema: np.concatenate(parts) for schema, parts in kinds.items()}
                for epoch, kinds in found.items()}

    def compare(self, found, facts):
        names = {"mbp-0": "trades", "instrument-def": "definition"}  # the vendor's names for rtypes
        self.assertEqual({s: len(v) for s, v in found.items()},
                         {names.get(s, s): n for s, n in facts["by_rtype"].items()})
        if len(found) != 1:
            return
        values = next(iter(found.values()))
        ids, counts = np.unique(values["instrument_id"], return_counts=True)
        self.assertEqual(dict(zip(map(str, ids), counts.tolist())), facts["by_instrument_id"])
        for field in ("ts_event", "ts_recv", "sequence"):
            if facts.get(field) and field in values.dtype.names:
                self.assertEqual([int(values[field][0]), int(values[field][-1])],
                                 [facts[field]["first"], facts[field]["last"]], field)
        self.compare_prices(values, facts)

    def compare_prices(self, values, facts):
        price = facts.get("price")
        if price and "price" in values.dtype.names:
            defined = values["price"][values["price"] != tapedeck.records.PRICE_UNDEFINED]
            self.assertEqual(len(values) - len(defined), price.get("undef", 0))
            if "sum" in price:
                self.assertEqual([whole(defined), defined.min(), defined.max()],
                                 [price["sum"], price["min"], price["max"]])
            if "crc32_of_le_i64" in price:
                self.assertEqual(f"{zlib.crc32(values['price'].astype('<i8').tobytes()):08x}",
                                 price["crc32_of_le_i64"])
        size = facts.get("size")
        if size and "sum" in size and "size" in values.dtype.names:
            self.assertEqual(whole(values["size"][values["size"] != 2**32 - 1]), size["sum"])


class Layouts(unittest.TestCase):
    KINDS = {"int8_t": "i1", "uint8_t": "u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4",
             "uint32_t": "<u4", "int64_t": "<i8", "uint64_t": "<u8", "char": "S1"}

    def setUp(self):
        text = (support.SOURCE / "include" / "tapedeck" / "dbn.h").read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.structs = {}
        for name, body in re.findall(r"struct tdk_(\w+) \{(.*?)\n\};", text, re.S):
            self.structs[name] = [
                (kind, field.strip()) for kind, fields in re.findall(r"(struct \w+|\w+) ([^;]+);", body)
                for field in fields.split(",")]

    def fields(self, struct, number=""):
        """From dbn.h: (name, offset in the struct, dtype) of each field, and the struct's size."""
        found, at = [], 0
        for kind, field in self.structs[struct]:
            name, _, count = field.rstrip("]").partition("[")
            if kind.startswith("struct"):
                for level in range(int(count or 1)):
                    suffix = f"_{level:02}" if "level" in kind else ""
                    inner, size = self.fields(kind.split("tdk_")[1], suffix)
                    found += [(n, at + o, d) for n, o, d in inner]
                    at += size
                continue
            form = np.dtype(self.KINDS[kind] if not (kind == "char" and count) else f"S{count}")
            if not name.startswith(("reserved", "zero")):
                found.append((name + number, at, form))
            at += form.itemsize * (int(count) if count and kind != "char" else 1)
        return found, at

    def test_each_schema_is_laid_out_as_in_the_header(self):
        versions = {"definition": ["_v1", "_v2", ""], "statistics": ["_v2", ""], "error": ["_v1", ""],
                    "system": ["_v1", ""], "symbol-mapping": ["_v1", ""]}
        shared = {"tbbo": "mbp-1", "tcbbo": "cmbp-1", "bbo-1s": "bbo", "bbo-1m": "bbo",
                  "cbbo-1s": "cbbo", "cbbo-1m": "cbbo"}
        for name, schema in records.SCHEMAS.items():
            base = "ohlcv" if name.startswith("ohlcv") else shared.get(name, name)
            struct = base.replace("-", "_")
            struct = struct if name.startswith("wide") else f"dbn_{struct}"
            wanted = []
            for version in versions.get(base, [""]):
                fields, size = self.fields(struct + version)
                wanted.append((size, fields))
                if schema.type == records.DBN:
                    wanted.append((size + 8, fields + [("ts_out", size, np.dtype("<u8"))]))
            found = [(size, [(n, dtype.fields[n][1], dtype.fields[n][0]) for n in dtype.names])
                     for size, dtype in schema.dtypes.items()]
            self.assertEqual(found, wanted, name)

    def test_a_frame_takes_the_prices_and_times_for_such_that_csv_does(self):
        text = (support.SOURCE / "formats" / "dbn_layout.c").read_text()
        kinds = dict(re.findall(r"(?:NEXT|FIRST)\((\w+), (\w+)\)", text))
        self.assertGreater(len(kinds), 100)
        for name, kind in kinds.items():
            self.assertEqual((is_price(name), is_time(name)), (kind == "PRICE", kind == "TIME"), name)


class Finding(Case):
    def test_a_library_that_is_not_there_says_how_to_get_one(self):
        os.environ["TAPEDECK_LIB"] = "/nowhere/libtapedeck.so"
        self.addCleanup(os.environ.__setitem__, "TAPEDECK_LIB", str(LIBRARY))
        child = self.python("""
            try:
                import tapedeck
            except ImportError as told:
                print(told)
            """)
        self.assertRegex(child.communicate(timeout=60)[0], "libtapedeck is not there.*TAPEDECK_LIB")


if __name__ == "__main__":
    unittest.main()

"""python/tapedeck from outside: tapes compared with what other decoders counted, rings between processes,
and the examples as they are."""

import contextlib
import ctypes
import datetime
import errno
import gc
import importlib.util
import json
import os
import pathlib
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
import unittest
import zlib
from unittest import mock

from tests.support import tapedeck as support

LIBRARY = support.BIN.parent / "lib" / "libtapedeck.so.0"
DEBIAN = "/usr/lib/python3/dist-packages"  # apt installs NumPy here; another python3 may be first on the PATH


def preload_sanitizer():
    """A sanitized library needs its runtime loaded before anything else: start this process again with it."""
    if not LIBRARY.exists() or b"__asan_init" not in LIBRARY.read_bytes():
        return
    if "LD_PRELOAD" in os.environ:
        return
    runtimes = [subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True,
                               check=False).stdout.strip()
                for compiler, name in (("clang", "libclang_rt.asan-x86_64.so"),
                                       ("clang", "libclang_rt.asan-aarch64.so"))
                if subprocess.run(["which", compiler], capture_output=True, check=False).returncode == 0]
    runtimes = [path for path in runtimes if os.path.exists(path)]
    if not runtimes:
        raise unittest.SkipTest("the library is sanitized, and there is no runtime of it to preload")
    env = dict(os.environ, LD_PRELOAD=runtimes[0],
               ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)


preload_sanitizer()
os.environ["TAPEDECK_LIB"] = str(LIBRARY)
sys.path.insert(0, str(support.SOURCE / "python"))
if importlib.util.find_spec("numpy") is None:
    sys.path.append(DEBIAN)
try:
    import numpy as np
except ImportError:
    raise unittest.SkipTest("python3-numpy is not installed") from None
if not LIBRARY.exists():
    raise unittest.SkipTest(f"{LIBRARY} is not built")
import tapedeck  # noqa: E402
from tapedeck import records  # noqa: E402
from tapedeck.frame import is_price, is_time, symbols_of, texts_of  # noqa: E402


class Case(support.Case):
    def setUp(self):
        super().setUp()
        self.env.pop("LD_PRELOAD", None)  # the programs have their own runtime linked in
        before = os.environ.get("TAPEDECK_RINGS")
        os.environ["TAPEDECK_RINGS"] = str(self.rings)
        self.addCleanup(lambda: os.environ.pop("TAPEDECK_RINGS") if before is None
                        else os.environ.__setitem__("TAPEDECK_RINGS", before))

    @staticmethod
    def python_env():
        return dict(os.environ, PYTHONPATH=os.pathsep.join(
            [str(support.SOURCE / "python"), *([DEBIAN] if DEBIAN in sys.path else [])]))

    def python(self, script, **how):
        """Another Python process on the same rings and the same library."""
        return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], text=True,
                                env=self.python_env(), stdout=subprocess.PIPE, **how)


def expected():
    path = support.SHARED / "data" / "expected.json"
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there")
    return json.loads(path.read_text())["files"]


def whole(values):
    """The exact sum. NumPy's wraps around."""
    return sum(values.tolist())


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


class Tapes(Case):
    def setUp(self):
        super().setUp()
        self.once(self.fill)

    def fill(self):
        lines = "".join(f"{1000 + i} text {i}\n" for i in range(10))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "words",
                    stdin=lines.encode())
        ticks = "".join(json.dumps({"symbol": f"S{i % 3}", "timestamp": 100 + i, "price": 1.5 + i,
                                    "volume": 0.25, "message_type": "trade"}) + "\n"
                        for i in range(300))
        self.run_ok("import", "-", "--format", "jsonl", "-T", self.tape, "--track", "five",
                    stdin=ticks.encode())

    def test_a_range_a_symbol_a_limit_and_the_other_way_round(self):
        with tapedeck.Tape(self.tape) as tape:
            self.assertEqual([t.name for t in tape.tracks()], ["five", "words"])
            every = tape.query("wide-trade")
            self.assertEqual(len(every), 300)
            self.assertEqual(every["price"].tolist(), [(15 + 10 * i) * 10**8 for i in range(300)])
            part = tape.query("wide-trade", 110 * 10**9, "1970-01-01T00:02:00Z")
            np.testing.assert_array_equal(part, every[10:20])
            one = tape.query("wide-trade", symbols="S1", limit=5, reverse=True)
            self.assertEqual(one["ts_event"].tolist(), [(100 + i) * 10**9 for i in
                                                        (298, 295, 292, 289, 286)])
            self.assertEqual(tape.count(symbols=["S0", "S2"]), 200)
            self.assertEqual({s.symbol for s in tape.symbols("five")}, {"S0", "S1", "S2"})

    def test_heads_tell_track_epoch_and_seq(self):
        with tapedeck.Tape(self.tape) as tape:
            values, heads = tape.query("wide-trade", heads=True)
            self.assertEqual(heads["seq"].tolist(), list(range(1, 301)))
            self.assertEqual(set(heads["epoch"].tolist()), {tape.coverage(tracks="five").epochs[0].epoch})
            np.testing.assert_array_equal(heads["ts"], values["ts_event"])

    def test_opaque_payloads_and_several_tracks_in_one_batch(self):
        with tapedeck.Tape(self.tape) as tape:
            batch = next(iter(tape.cursor()))
            self.assertEqual([bytes(p) for p in batch.payloads(3)],
                             [b"text %d" % i for i in range(10)])
            self.assertEqual([(p.track, p.count) for p in batch.parts], [("words", 10), ("five", 300)])
            self.assertEqual(batch.schemas(), ["wide-trade"])
            self.assertEqual(len(batch.records("wide-trade")), 300)
            self.assertEqual(batch.heads["size"].tolist(), [6] * 10 + [56] * 300)

    def test_an_opaque_types_name_is_its_tracks_own(self):
        for track, ts, name in (("words", 91, "late"), ("other", 92, "other")):
            self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", track, "--type-name", name,
                        stdin=f"{ts}{10**9} {name}\n".encode())
        with tapedeck.Tape(self.tape) as tape:
            def texts(*types, **how):
                return [bytes(p) for batch in tape.cursor(types=types, **how) for p in batch.payloads(3)]

            self.assertEqual(texts("other"), [b"other"])
            self.assertEqual(texts("late", "other", start=91 * 10**10), [b"late", b"other"])
            self.assertEqual(texts("late", start=91 * 10**10), [b"late"])
            self.assertEqual(texts("late", "trades", tracks="words", start=91 * 10**10), [b"late"])
            self.assertEqual(texts("line", end=90 * 10**10), [b"text %d" % i for i in range(10)])
            self.assertEqual(texts("line", start=95 * 10**10), [])
            for types, how, why in ((["line"], {}, "'late' on track words"), (["nobody"], {}, "no type 'nobody'"),
                                    (["late", "trades"], {"start": 91 * 10**10}, "'other' on track other"),
                                    (["other"], {"tracks": "words"}, "no type 'other'")):
                with self.assertRaisesRegex(ValueError, why):
                    tape.cursor(types=types, **how)
            self.assertEqual(tape.count(types=["late", 3]), 12)
            self.assertEqual(tape.count(types="late", tracks=iter(["words"]), start=91 * 10**10), 1)

    def test_views_outlive_batch_cursor_and_tape(self):
        tape = tapedeck.Tape(self.tape)
        batch = next(iter(tape.cursor(types="wide-trade")))
        view, seq = batch.records(), batch.heads["seq"]
        self.assertFalse(view.flags.owndata)
        self.assertFalse(view.flags.writeable)
        tape.close()
        del batch, tape
        junk = [np.ones(1 << 16) for _ in range(50)]  # overwrites anything that was freed
        self.assertEqual(whole(view["size"]), 300 * 25 * 10**7)
        self.assertEqual(whole(seq), 300 * 301 // 2)
        del junk

    def test_a_tape_that_is_garbage_with_its_cursors_is_closed_last(self):
        for first in (True, False):  # objects are finalized in the order of creation
            knot = []
            tape = tapedeck.Tape(self.tape)
            cursors = [tape.cursor() for _ in range(3)]
            for cursor in cursors:
                cursor.read(1)
            knot += [knot, tape, cursors] if first else [knot, cursors, tape]
            del knot, tape, cursors, cursor
            gc.collect()

    def test_what_is_refused_says_why_and_has_a_code(self):
        with self.assertRaisesRegex(tapedeck.Missing, "nowhere: No such file") as caught:
            tapedeck.Tape(self.scratch / "nowhere")
        self.assertEqual(caught.exception.code, -2)
        with tapedeck.Tape(self.tape) as tape:
            with self.assertRaisesRegex(tapedeck.Missing, "no track elsewhere"):
                tape.query("trades", tracks="elsewhere")
            with self.assertRaisesRegex(ValueError, "no schema 'mbq'.*mbp-1"):
                tape.query("mbq")
            with self.assertRaisesRegex(ValueError, "no time"):
                tape.query("mbo", "yesterday")
            with self.assertRaisesRegex(ValueError, "type 259"):
                tape.cursor(types=259)
        with self.assertRaisesRegex(ValueError, "is closed"):
            tape.query("mbo")

    def test_an_error_passes_from_one_process_to_another(self):
        """A pool of processes that cannot unpickle what a worker raised waits for it for ever."""
        for kind, code in ((tapedeck.Error, -5), (tapedeck.Missing, -2), (tapedeck.Damaged, -20001)):
            passed = pickle.loads(pickle.dumps(kind(code, "why")))
            self.assertEqual((type(passed), passed.code, str(passed)), (kind, code, "why"))
        self.assertEqual(pickle.loads(pickle.dumps(tapedeck.Lapped(-20012, "why", 7))).missed, 7)

    def test_an_empty_list_is_not_taken_for_everything(self):
        with tapedeck.Tape(self.tape) as tape:
            for which in ("tracks", "symbols", "types"):
                for none in ([], (), {}):
                    with self.assertRaisesRegex(ValueError, f"{which}: an empty list"):
                        tape.count(**{which: none})
            self.assertEqual(tape.count(tracks=None, symbols=None, types=None), 310)

    def test_what_is_no_name_is_not_taken_for_one(self):
        with tapedeck.Tape(self.tape) as tape:
            for which in ("tracks", "symbols"):
                for name in ("S1\0words", 5, [None]):
                    with self.assertRaisesRegex(ValueError, f"{which}: .* is no name"):
                        tape.count(**{which: name})
            self.assertEqual(tape.count(symbols=b"S1", tracks=[b"five"]), 100)
            self.assertRaises(tapedeck.Missing, tape.symbols, "")
            self.assertRaisesRegex(tapedeck.Error, "track's name", tapedeck.create_ring, "r", track="")
            with self.assertRaisesRegex(ValueError, "no schema b'line'"):
                tape.count(types=b"line")

    def test_a_number_that_has_no_room_is_refused(self):
        with tapedeck.Tape(self.tape) as tape:
            for number in (-1, 2**64):
                with self.assertRaisesRegex(ValueError, "limit"):
                    tape.cursor(limit=number)
                with self.assertRaisesRegex(ValueError, "limit"):
                    tape.query("mbo", limit=number)
                with self.assertRaisesRegex(ValueError, "enough"):
                    tape.cursor().read(number)
                with self.assertRaisesRegex(ValueError, "epoch"):
                    tape.property("any", "key", number)
        for what, numbers in (("capacity", (-1, 2**64 + 65536)), ("payload_max", (-1, 2**32 + 4096))):
            for number in numbers:
                with self.assertRaisesRegex(ValueError, what):
                    tapedeck.create_ring("r", **{what: number})

    def test_a_time_that_no_tick_can_have_is_refused(self):
        utc = datetime.timezone.utc
        for moment in (-1, "1969-12-31T23:59:59Z", "1970-01-01T00:30:00+01:00", 2**64, "2600-01-01",
                       datetime.datetime(1950, 1, 1, tzinfo=utc), np.datetime64("1950-01-01"),
                       np.datetime64("NaT"), np.datetime64("2500-01-01")):
            with tapedeck.Tape(self.tape) as tape:
                with self.assertRaises(ValueError, msg=moment):
                    tape.count(moment)
                with self.assertRaises(ValueError, msg=moment):
                    tape.count(end=moment)
        self.assertEqual(tapedeck.to_ns("2500-01-01T00:00:00.5Z"), 16725225600 * 10**9 + 5 * 10**8)
        self.assertEqual(tapedeck.to_ns(np.datetime64("2026-11-20", "D")), tapedeck.to_ns("2026-11-20"))

    WALKS = {"Track": tapedeck.Tape.tracks, "Symbol": tapedeck.Tape.symbols,
             "EpochCoverage": tapedeck.Tape.coverage}  # the class of the rows, and the method that walks them

    def test_what_is_raised_in_the_midst_of_a_walk_ends_it(self):
        """^C comes while the library walks. Without the row that was being made the answer would look whole."""
        class Interrupt(BaseException):
            pass

        def interrupt(*_):
            raise Interrupt

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))
        for row, walk in self.WALKS.items():
            kind, ways = getattr(tapedeck.tape, row), {"signal": [], "raise": []}
            for way, rows in ways.items():
                def make(*fields, way=way, rows=rows, kind=kind):
                    rows.append(kind(*fields))
                    if way == "raise":
                        raise Interrupt
                    if len(rows) == 1:
                        os.kill(os.getpid(), signal.SIGUSR1)
                    return rows[-1]

                with tapedeck.Tape(self.tape) as tape:
                    with mock.patch.object(tapedeck.tape, row, make), self.assertRaises(Interrupt):
                        walk(tape)
                    walk(tape)
            self.assertEqual(len(ways["raise"]), 1, row)

    def test_a_search_for_what_is_rare_hears_of_interrupts_and_goes_on(self):
        class Interrupt(BaseException):
            pass

        def interrupt(*_):
            raise Interrupt

        def not_yet(*_):
            os.kill(os.getpid(), signal.SIGUSR1)
            return -errno.EAGAIN

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))
        patience = tapedeck.native.lib.tdk_cursor_set_patience
        with tapedeck.Tape(self.tape) as tape, \
                mock.patch.object(tapedeck.native.lib, "tdk_cursor_set_patience", wraps=patience) as told:
            cursor = tape.cursor()
            self.assertEqual(told.call_args.args[1], 10**8)
            for name, read in (("tdk_cursor_batch", cursor.read), ("tdk_cursor_read", tape.count)):
                with mock.patch.object(tapedeck.native.lib, name, not_yet):
                    self.assertRaises(Interrupt, read)
            self.assertEqual((sum(map(len, cursor)), tape.count()), (310, 310))

    def test_an_interrupt_does_not_wait_until_an_index_is_made(self):
        """The library may be at that for long; what it opens for nobody is closed."""
        class Interrupt(BaseException):
            pass

        def interrupt(*_):
            raise Interrupt

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))
        library, closed, tape = tapedeck.native.lib, [], tapedeck.Tape(self.tape)
        close = library.tdk_tape_close
        for name, ask in (("tdk_tape_open", lambda: tapedeck.Tape(self.tape)), ("tdk_tape_refresh", tape.refresh)):
            call, interrupted, on_main, made = getattr(library, name), threading.Event(), [], []

            def make(*arguments, call=call, interrupted=interrupted, on_main=on_main, made=made):
                on_main.append(threading.current_thread() is threading.main_thread())
                os.kill(os.getpid(), signal.SIGUSR1)
                interrupted.wait(support.PATIENCE)
                made.append(call(*arguments))
                return made[-1]

            with self.subTest(name), mock.patch.object(library, name, make), \
                    mock.patch.object(library, "tdk_tape_close", lambda at: (closed.append(at), close(at))):
                self.assertRaises(Interrupt, ask)
                interrupted.set()
                self.assertEqual(on_main, [False])
                self.wait_for(lambda name=name, made=made: made and (name != "tdk_tape_open" or closed))
        self.assertEqual((tape.count(), len(closed)), (310, 1))

    def test_what_a_cursor_has_read_when_it_is_interrupted_comes_next(self):
        """A signal's handler runs as soon as the library is back with the batch, or with the damage."""
        class Interrupt(BaseException):
            pass

        library = tapedeck.native.lib
        cursor_batch = library.tdk_cursor_batch

        def interrupted(*arguments):
            cursor_batch(*arguments)
            raise Interrupt

        def read(cursor):
            with mock.patch.object(library, "tdk_cursor_batch", interrupted):
                self.assertRaises(Interrupt, cursor.read, 1)
            return cursor.read(1)

        with tapedeck.Tape(self.tape) as tape, tape.cursor() as cursor:
            self.assertEqual(sum(map(len, iter(lambda: read(cursor), None))), 310)
        self.damage()
        with tapedeck.Tape(self.tape) as tape, tape.cursor() as cursor:
            self.assertRaises(tapedeck.Damaged, read, cursor)
            self.assertEqual(sum(map(len, iter(lambda: read(cursor), None))), 300)

    def test_an_interrupt_while_a_batch_is_freed_is_not_forgotten(self):
        """Freeing takes long. In a __del__ of Python's, an exception is printed and passed over."""
        class Interrupt(BaseException):
            pass

        def interrupt(*_):
            raise Interrupt

        class Freed:
            _as_parameter_ = int(signal.SIGUSR1)
            __del__ = tapedeck.native.finalizer(ctypes.CDLL(None)["raise"])

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))
        with self.assertRaises(Interrupt):
            freed = Freed()
            del freed
            self.fail("the signal's handler has not run")
        self.assertFalse(hasattr(tapedeck.tape.Given.__del__, "__code__"))

    def test_an_interrupt_while_a_cursor_opens_leaves_its_tape_open(self):
        """A signal's handler runs as soon as the library is back: the cursor is there, and nobody has it yet."""
        class Interrupt(BaseException):
            pass

        library = tapedeck.native.lib
        cursor_open, tape_close = library.tdk_cursor_open, library.tdk_tape_close

        def interrupted(*arguments):
            cursor_open(*arguments)
            raise Interrupt

        with mock.patch.object(library, "tdk_tape_close", mock.Mock()) as closed:
            tape = tapedeck.Tape(self.tape)
            with mock.patch.object(library, "tdk_cursor_open", interrupted):
                self.assertRaises(Interrupt, tape.cursor)
            gc.collect()
            closed.assert_not_called()
            self.assertEqual(tape.count(), 310)
            closed.side_effect = tape_close
            del tape
            closed.assert_called_once()

    def test_a_walk_that_does_not_come_about_is_no_empty_one(self):
        """This also holds for what is raised on the thread that makes the walk."""
        with tapedeck.Tape(self.tape) as tape, \
                mock.patch.object(tapedeck.native, "Err", side_effect=MemoryError):
            for walk in self.WALKS.values():
                self.assertRaises(MemoryError, walk, tape)
            self.assertRaises(MemoryError, tapedeck.rings)

    def test_a_tape_that_another_thread_closes_stays_while_the_library_is_at_it(self):
        library, closed = tapedeck.native.lib, []
        close = library.tdk_tape_close
        for row, walk in self.WALKS.items():
            tape, kind, found = tapedeck.Tape(self.tape), getattr(tapedeck.tape, row), []
            closed.clear()

            def make(*fields, tape=tape, kind=kind, found=found):
                tape.close()
                found.append(len(closed))
                return kind(*fields)

            with mock.patch.object(library, "tdk_tape_close", lambda at: (closed.append(1), close(at))), \
                    mock.patch.object(tapedeck.tape, row, make):
                walk(tape)
                gc.collect()
            self.assertEqual((set(found), closed), ({0}, [1]), row)

    def test_a_walk_while_the_interpreter_ends_does_not_wait_for_a_thread_that_never_begins(self):
        child = self.python(f"""
            import tapedeck
            class Last:
                def __del__(self, tape=tapedeck.Tape({str(self.tape)!r})):
                    tape.tracks()
            last = Last()
            """)
        self.addCleanup(child.kill)
        child.communicate(timeout=support.PATIENCE)
        self.assertEqual(child.returncode, 0)

    def test_a_time_that_a_datetime64_cannot_say_is_none_and_not_another(self):
        times = np.array([5, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1], np.uint64)
        self.assertEqual(np.isnat(tapedeck.to_datetime64(times)).tolist(), [False, False, True, True, True])
        self.assertEqual(tapedeck.to_datetime64(times)[0], np.datetime64(5, "ns"))

    def test_a_price_that_is_not_defined_is_no_number(self):
        trades = records.make("wide-trade", 2)
        trades["price"], trades["size"] = (-1500000000, records.PRICE_UNDEFINED), (250000000, 2**64 - 1)
        for field, defined in (("price", -1.5), ("size", 0.25)):
            np.testing.assert_array_equal(tapedeck.to_float(trades[field]), [defined, np.nan])
            np.testing.assert_array_equal([tapedeck.to_float(trade[field]) for trade in trades], [defined, np.nan])

    def damage(self):
        """In the only block of `words`, which comes first."""
        for segment in (self.tape / "segments").iterdir():
            data = bytearray(segment.read_bytes())
            if (at := data.find(b"text 3")) >= 0:
                data[at] ^= 1
                segment.write_bytes(data)

    def test_damage_is_raised_or_passed_over_with_a_warning(self):
        self.damage()
        with tapedeck.Tape(self.tape) as tape:
            with self.assertRaises(tapedeck.Damaged):
                list(tape.cursor())
            with self.assertWarns(tapedeck.LossWarning):
                left = sum(map(len, tape.cursor().batches(damage="skip")))
            self.assertEqual(left, 300)
            self.assertEqual(len(tape.query("wide-trade", tracks="five")), 300)
            coverage = tape.coverage()
            self.assertFalse(coverage.complete)
            self.assertEqual([(g.track, g.count, g.damaged) for g in coverage.gaps],
                             [("words", 10, True)])

    def test_a_segment_that_lost_its_end_is_not_complete(self):
        """The lost end is the end of its epoch, so no later seq shows that there was more."""
        segment = max((self.tape / "segments").iterdir())
        os.truncate(segment, segment.stat().st_size // 2)
        shutil.rmtree(self.tape / "index")
        with tapedeck.Tape(self.tape) as tape:
            coverage = tape.coverage()
            self.assertEqual((coverage.complete, coverage.gaps), (False, []))
            self.assertEqual(coverage.lost_segments, [(int(segment.stem), int(segment.stem), True)])
            self.assertTrue(tape.coverage(end=1).complete)
            with self.assertRaises(tapedeck.Damaged):
                tape.count()

    def test_a_symbol_is_that_of_a_records_own_time_as_in_a_query(self):
        """A feed that passes a file on stamps the frames now, and the file tells its symbols by its own times."""
        name = next(name for name in expected() if name.endswith("databento-dbn/test_data.mbo.v3.dbn"))
        self.recorder("--ring", "r", "--create-ring", "1M")
        self.run_ok("feed", support.SHARED / "data" / name, "--ring", "r", "--stamp", "now")
        self.run_ok("flush", "-T", self.tape)
        with tapedeck.Tape(self.tape) as tape:
            row, = tape.symbols("r")
            values, heads = tape.query("mbo", tracks="r", heads=True)
            self.assertEqual(tape.count(tracks="r", symbols=row.symbol), len(values))
            self.assertGreater(int(heads["ts"][0]), row.end)
            found = symbols_of(values, heads, [row], {track.number: track.name for track in tape.tracks()})
            self.assertEqual(found.tolist(), [row.symbol] * len(values))
            values["ts_recv"][0] = records.TS_UNDEFINED
            self.assertEqual(symbols_of(values, heads, [row], {heads["track"][0]: "r"})[0], "")

    def test_a_text_of_any_code_can_be_in_a_frame(self):
        found = texts_of(np.array([b"plain", "\u00e9".encode(), b"E\xffH1", b""]))
        self.assertEqual(found.tolist(), ["plain", "\u00e9", "E\\xffH1", ""])
        self.assertEqual(texts_of(np.array([b"A", b"N"])).tolist(), ["A", "N"])

    def test_a_pandas_frame_has_times_prices_and_symbols(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("python3-pandas is not installed")
        with tapedeck.Tape(self.tape) as tape:
            frame = tape.frame("wide-trade")
            self.assertEqual(frame.index[0], pandas.Timestamp(100, unit="s", tz="UTC"))
            self.assertEqual(frame["price"].tolist()[:2], [1.5, 2.5])
            self.assertEqual(frame["size"].iloc[0], 0.25)
            self.assertEqual(frame.groupby("symbol").size().to_dict(), {"S0": 100, "S1": 100, "S2": 100})
            self.assertEqual(tape.frame("wide-trade", exact=True)["price"].iloc[0], 1500000000)


class Rings(Case):
    def test_what_one_process_publishes_another_consumes(self):
        tapedeck.create_ring("r", 1 << 16)
        reader = self.python("""
            import sys, tapedeck
            with tapedeck.Consumer("r") as ring:
                print("ready", flush=True)
                count = total = last = 0
                for batch in ring.batches(timeout=30):
                    values = batch.records("wide-trade")
                    count, total = count + len(values), total + int(values["price"].sum())
                    if len(values): last = int(batch.seq[-1])
                    if last >= 20000: break
                print(count, total, last)
            """)
        self.addCleanup(reader.stdout.close)
        self.assertEqual(reader.stdout.readline(), "ready\n")
        trades = records.make("wide-trade", 20000)
        trades["price"] = np.arange(20000)
        with tapedeck.Producer("r") as feed:
            self.assertEqual(feed.publish(trades, wait=60), 20000)
            self.assertEqual(feed.info.lost, 0)
        self.assertEqual(reader.communicate(timeout=60)[0], f"20000 {19999 * 10000} 20000\n")
        self.assertEqual(reader.returncode, 0)

    def test_a_full_ring_refuses_and_counts(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            fit = feed.publish(records.make("wide-trade", 2000))
            self.assertEqual(feed.info.lost, 2000 - fit)
            self.assertEqual(feed.publish(records.make("wide-trade", 1), wait=0.01), 0)
            self.assertEqual(feed.info.lost, 2000 - fit)  # it waited in vain, and no seq was spent
            self.assertEqual(len(ring.read().records("wide-trade")), fit)
            self.assertEqual(len(tap.read().records("wide-trade")), fit)
            ring.release()
            self.assertTrue(feed.publish_bytes(b"hello", 77))
            batch = ring.read(1)
            self.assertEqual([bytes(p) for p in batch.payloads()], [b"hello"])
            self.assertEqual((batch.ts[0], batch.seq[0]), (77, 2001))
            self.assertIsNone(ring.read())

    def test_a_producer_that_waits_for_room_can_be_closed(self):
        tapedeck.create_ring("r", 1 << 16)
        feed, told = tapedeck.Producer("r"), []

        def publish():
            try:
                feed.publish(records.make("mbo", 2000), wait=None)
            except ValueError as closed:
                told.append(str(closed))

        threads = [threading.Thread(target=publish, daemon=True), threading.Thread(target=feed.close, daemon=True)]
        threads[0].start()
        self.wait_for(lambda: tapedeck.ring_info("r").produced > 0)
        threads[1].start()
        for thread in threads:
            thread.join(support.PATIENCE)
        self.assertEqual(told, ["ring r: this handle is closed"])

    def test_any_layout_and_any_stride_can_be_published(self):
        tapedeck.create_ring("r", 1 << 16)
        every = records.make("mbo", 100)
        every["order_id"] = np.arange(100)
        pairs = np.arange(6, dtype="<u4").reshape(3, 2)
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            feed.publish(every[::-3])
            feed.publish(pairs.view("V8").reshape(-1), np.array([5, 6, 7], np.uint64), type=9)
            batch = ring.read()
            self.assertEqual(batch.records("mbo")["order_id"].tolist(), list(range(99, -1, -3)))
            self.assertEqual(b"".join(batch.payloads(9)), pairs.tobytes())
            self.assertEqual(batch.ts[batch.types == 9].tolist(), [5, 6, 7])
            with self.assertRaisesRegex(ValueError, "records of no schema"):
                feed.publish(pairs.reshape(-1))
            with self.assertRaisesRegex(ValueError, "records of trades have length 12, not 0; .*make"):
                feed.publish(np.zeros(3, tapedeck.SCHEMAS["trades"].dtype))
            with self.assertRaisesRegex(tapedeck.Error, "cannot be published"):
                feed.publish_bytes(b"x", type=0xC0)
            with self.assertRaisesRegex(ValueError, "100 records and 3 times"):
                feed.publish(every, np.zeros(3, np.uint64))
            for texts in (np.array(["a", None], object), np.array([(1, "a")], [("n", "<u4"), ("text", object)])):
                with self.assertRaisesRegex(ValueError, "addresses"):
                    feed.publish(texts, type=3)
            for byte in ({"type": 259}, {"type": -1}, {"flags": 256}):
                with self.assertRaisesRegex(ValueError, "0 to 255"):
                    feed.publish_bytes(b"x", **{"type": 3, **byte})

    def test_bytes_of_any_kind_can_be_published_and_what_was_read_again(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            for payload in (b"a\0b", bytearray(b"cd"), memoryview(b"efgh")[::2], np.arange(2, dtype="<u2"), b""):
                self.assertTrue(feed.publish_bytes(payload))
            batch = ring.read()
            for payload in batch.payloads(3):
                feed.publish_bytes(payload)
            for texts in (batch, ring.read()):
                self.assertEqual([bytes(p) for p in texts.payloads(3)], [b"a\0b", b"cd", b"eg", b"\0\0\1\0", b""])
            for no_bytes in ("text", 5, None):
                self.assertRaises(TypeError, feed.publish_bytes, no_bytes)

    def test_a_ring_whose_file_is_cut_is_hostile_and_kills_nobody(self):
        tapedeck.create_ring("r", 1 << 16)
        child = self.python("""
            import os, tapedeck
            with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring, tapedeck.Tap("r") as tap:
                feed.publish_bytes(b"x")
                os.truncate(os.environ["TAPEDECK_RINGS"] + "/r.ring", 0)
                for use in ring.read, tap.read, lambda: [feed.publish_bytes(b"y") for _ in range(2)]:
                    try:
                        print("not told:", use())
                    except tapedeck.Hostile as told:
                        print(told)
            """)
        self.assertEqual(child.communicate(timeout=60)[0], "its file was cut\n" * 3)
        self.assertEqual(child.returncode, 0)

    def test_a_control_frame_that_breaks_off_tells_nothing_and_costs_no_tick(self):
        tapedeck.create_ring("r", 1 << 16)
        for kind, payload in ((records.TRACK, b"short"), (records.TRACK, b"\xff" * 17),
                              (records.END, b"brief"), (records.EPOCH, b"\1" * 9)):
            with self.subTest(kind=kind), tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
                feed.publish_bytes(b"good")
                feed.publish_bytes(payload)
                with open(self.rings / "r.ring", "r+b") as file:  # overwrite the type in the frame's head
                    file.seek(file.read().rfind(payload) - 24 + 6)
                    file.write(bytes([kind]))
                batch = ring.read()
                self.assertEqual([bytes(p) for p in batch.payloads(3)], [b"good"])
                self.assertEqual({(p.track, p.epoch) for p in batch.parts[1:]}, {("r", feed.epoch)})
                self.assertIsNone(ring.ended)
                ring.release()

    def test_times_of_any_unit_are_ns_in_the_ring(self):
        tapedeck.create_ring("r", 1 << 16)
        two = records.make("mbo", 2)
        days = np.array(["2026-11-20", "2026-11-21"], "datetime64[D]")
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            feed.publish(two, days)
            feed.publish(two, [7, 8])
            feed.publish_bytes(b"x", days[0])
            ts = [tapedeck.to_ns(day) for day in days]
            self.assertEqual(ring.read().ts[-5:].tolist(), ts + [7, 8] + ts[:1])
            for told in (["2026-11-20", "2026-11-21T00:00Z"],
                         [datetime.datetime(2026, 11, day, tzinfo=datetime.timezone.utc) for day in (20, 21)]):
                feed.publish(two, told)
                self.assertEqual(ring.read().ts.tolist(), ts)
            for wrong in (np.array([0.5, 1]), np.array([-1, 1]), np.array(["NaT", "NaT"], "datetime64[s]"),
                          np.array(["2500-01-01", "2026-11-20"], "datetime64[D]"), ["now", "now"],
                          [datetime.datetime(2026, 11, 20)] * 2):
                with self.assertRaises(ValueError, msg=wrong):
                    feed.publish(two, wrong)
            self.assertIsNone(ring.read())

    def test_a_ring_has_one_producer_and_a_name_that_can_be(self):
        tapedeck.create_ring("r", 1 << 16, track="eq")
        self.assertEqual(tapedeck.rings(), ["r"])
        with tapedeck.Producer("r"):
            with self.assertRaisesRegex(tapedeck.Busy, "living producer"):
                tapedeck.Producer("r")
            with self.assertRaises(tapedeck.Busy):
                tapedeck.remove_ring("r")
        self.assertEqual(tapedeck.ring_info("r").track, "eq")
        with self.assertRaises(tapedeck.Missing):
            tapedeck.Consumer("other")
        with self.assertRaisesRegex(tapedeck.Error, "name"):
            tapedeck.create_ring("../r")
        tapedeck.remove_ring("r")
        self.assertEqual(tapedeck.rings(), [])

    def test_a_tap_that_is_overtaken_is_told(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            for _ in range(4):
                feed.publish(records.make("mbo", 700))
                ring.read()
                ring.release()
            with self.assertRaisesRegex(tapedeck.Lapped, "overtook this tap") as caught:
                tap.read()
            self.assertGreater(caught.exception.missed, 1 << 16)
            feed.publish(records.make("mbo", 2))
            self.assertEqual(len(tap.read()), 2)

    def test_a_tap_that_is_overtaken_by_another_producer_knows_its_epoch(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            with tapedeck.Producer("r") as first:
                first.publish(records.make("mbo", 1))
                self.assertEqual(set(tap.read().epoch.tolist()), {first.epoch})
            with tapedeck.Producer("r") as second:
                for _ in range(4):
                    second.publish(records.make("mbo", 700))
                    ring.read()
                    ring.release()
                with self.assertRaises(tapedeck.Lapped):
                    tap.read()
                second.publish(records.make("mbo", 2))
                batch = tap.read()
                self.assertEqual([(part.track, part.epoch) for part in batch.parts],
                                 [("r", second.epoch)])
                self.assertEqual(batch.epoch.tolist(), [second.epoch] * 2)


class Plays(Case):
    def test_what_a_play_puts_into_a_ring_is_what_a_query_answers(self):
        name = ("dbn/nautilus/order_book_deltas_catalog/databento/"
                "orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst")
        if name not in expected():
            self.skipTest(f"{name} is not there")
        self.run_ok("import", support.SHARED / "data" / name, "-T", self.tape, "--track", "es")
        tapedeck.create_ring("p", 1 << 18)
        play = self.start_cli("play", "-T", self.tape, "--from", "start+1ms", "--into", "p", "--digest")
        got, seqs, tracks = [], [], set()
        with tapedeck.Consumer("p") as ring, tapedeck.Tape(self.tape) as tape:
            for batch in ring.batches(timeout=60):
                got.append(batch.records("mbo"))
                seqs.append(batch.seq[batch.types == records.DBN])
                tracks |= {p.track for p in batch.parts}
            want, heads = tape.query("mbo", tape.info.first_ts + 10**6, heads=True)
            self.assertEqual(play.wait(), 0)
            self.assertEqual(tracks - {"p"}, {"es"})  # p: frames about the ring itself
            np.testing.assert_array_equal(np.concatenate(got), want)
            np.testing.assert_array_equal(np.concatenate(seqs), heads["seq"])
            self.assertEqual(ring.ended["ticks"], len(want))
            self.assertEqual((ring.ended["digest"], len(want)), self.digest_of(play.stderr))

    def test_a_play_that_was_over_before_it_was_read_is_not_taken_for_live(self):
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        self.run_ok("play", "-T", self.tape, "--into", "p", "--create", "1M")  # the ring has room for all ticks
        with tapedeck.Consumer("p") as ring:
            for batch in ring.batches(timeout=30):
                clock = ring.clock()
                self.assertEqual((clock.state, clock.now()), ("ended", 500 * 10**6))
                self.assertEqual(int(batch.ts[batch.types == records.OPAQUE].max()), clock.now())
            self.assertEqual(ring.ended["ticks"], 500)

    def test_plays_that_lie_behind_each_other_in_a_ring_are_read_one_by_one(self):
        """The second begins as soon as the ring has all of the first, which may be long before it is read."""
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        tapedeck.create_ring("p", 1 << 20)
        with tapedeck.Tap("p") as tap, tapedeck.Consumer("p") as consumer:
            counts = (500, 7)
            for count in counts:
                self.run_ok("play", "-T", self.tape, "--into", "p", "-n", count)
            for ring in (tap, consumer):
                for count in counts:
                    texts = [bytes(text) for batch in ring.batches(timeout=30) for text in batch.payloads(3)]
                    self.assertEqual(texts, [b"text %d" % i for i in range(1, count + 1)])
                    self.assertEqual(ring.ended["ticks"], count)

    def test_tracks_that_take_turns_keep_their_names_and_epochs(self):
        """From a tape, a replayer and a ring alike. There are two tracks, one of them with two epochs."""
        lines = [b"".join(b"%d %d\n" % (10**18 + 10 * i + k, i) for i in range(first, first + 2000))
                 for k, first in ((0, 0), (1, 0), (1, 2000))]
        for track, text in zip("abb", lines):
            self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", track, stdin=text)
        tapedeck.create_ring("p", 1 << 20)
        play = self.start_cli("play", "-T", self.tape, "--into", "p")

        def runs(batches):
            """(track, epoch, ticks) of each run of neighbouring ticks, and the epochs of the ticks one by one."""
            found, epochs = [], []
            for batch in batches:
                ticks = batch.types < records.CONTROL
                epochs.append(batch.epoch[ticks])
                self.assertEqual(batch.epoch.tolist(),
                                 [p.epoch for p in batch.parts for _ in range(p.count)])
                for part in batch.parts:
                    count = int(ticks[part.first:part.first + part.count].sum())
                    if found and found[-1][:2] == (part.track, part.epoch):
                        count += found.pop()[2]
                    if count:
                        found.append((part.track, part.epoch, count))
            return found, np.concatenate(epochs)

        with tapedeck.Tape(self.tape) as tape:
            want, epochs = runs(tape.cursor().batches(enough=5000))
        self.assertEqual([track for track, _, _ in want], ["a", "b"] * 2000 + ["b"])
        self.assertEqual([count for *_, count in want], [1] * 4000 + [2000])
        self.assertEqual(len({epoch for _, epoch, _ in want}), 3)
        with tapedeck.Consumer("p") as ring:
            got, also = runs(ring.batches(timeout=60, size=5000))
        self.assertEqual((got, play.wait()), (want, 0))
        np.testing.assert_array_equal(also, epochs)
        if importlib.util.find_spec("msgpack") is None:
            return
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            got, also = runs(client.stream().batches(enough=5000))
        self.assertEqual(got, want)
        np.testing.assert_array_equal(also, epochs)

    def test_a_replayer_plays_for_a_client_and_can_be_steered(self):
        try:
            import msgpack  # noqa: F401
        except ImportError:
            self.skipTest("python3-msgpack is not installed")
        lines = "".join(f"{i}000000 text {i}\n" for i in range(1, 501))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w",
                    stdin=lines.encode())
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            self.assertEqual(client.call("count")["ticks"], 500)
            session = client.play("c", 1, 10**9, speed="1x", paused=True, create=1 << 16)
            with tapedeck.Consumer("c", wait=30) as ring:
                client.step(session, 3)
                texts = []
                while len(texts) < 3:
                    texts += map(bytes, ring.read(30).payloads(3))
                self.assertEqual(texts, [b"text 1", b"text 2", b"text 3"])
                self.wait_for(lambda: ring.clock().now() == 3 * 10**6)  # the clock follows what is published
                self.assertEqual(ring.clock().state, "paused")
                client.speed(session, "max")
                client.resume(session)
                for batch in ring.batches(timeout=30):
                    texts += map(bytes, batch.payloads(3))
                self.assertEqual(texts, [b"text %d" % i for i in range(1, 501)])
                self.assertTrue(ring.ended["complete"])
            self.assertTrue(client.wait(session))
            with self.assertRaisesRegex(tapedeck.Error, "track"):
                client.call("count", tracks=["none"])
        with self.assertRaises(tapedeck.Missing):
            tapedeck.Client(f"unix:{self.scratch}/none.sock")

    def test_a_play_is_asked_for_as_a_query_is(self):
        """The replayer passes over what it does not know, and takes an empty list for everything."""
        if importlib.util.find_spec("msgpack") is None:
            self.skipTest("python3-msgpack is not installed")
        ticks = "".join(json.dumps({"symbol": f"S{i % 3}", "timestamp": 100 + i, "price": 1, "volume": 1,
                                    "message_type": "trade"}) + "\n" for i in range(300))
        self.run_ok("import", "-", "--format", "jsonl", "-T", self.tape, "--track", "five", stdin=ticks.encode())
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "words", stdin=b"1 a\n2 b\n")
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        tapedeck.create_ring("p", 1 << 20)
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client, tapedeck.Consumer("p") as ring:
            for which, count in (({"tracks": "five"}, 300), ({"tracks": ("five", "words")}, 302),
                                 ({"symbols": "S1"}, 100), ({"types": "line"}, 2),
                                 ({"types": ["wide-trade", 3]}, 302), ({"limit": 5, "axis": "recv"}, 5)):
                session = client.play("p", **which)
                played = sum(int((batch.types < records.CONTROL).sum()) for batch in ring.batches(timeout=30))
                self.assertEqual(played, count)
                self.assertTrue(client.wait(session))
            for which in ("tracks", "symbols", "types"):
                self.assertRaisesRegex(ValueError, f"{which}: an empty list", client.play, "p", **{which: []})
            self.assertRaisesRegex(TypeError, "no 'symbol':.* limit,", client.play, "p", symbol="S1")

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_play_that_fails_says_why_and_each_what_came_of_it(self):
        lines = b"".join(b"%d %s\n" % (i, b"x" * i * 10000) for i in range(1, 5))
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w", stdin=lines)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            small = client.play("small", create=1 << 16)  # it takes no payload of more than 16 KiB
            with self.assertRaisesRegex(tapedeck.Error, "play into a larger ring"):
                client.wait(small)
            self.assertEqual(client.outcome(small)["state"], "failed")
            whole = client.play("large", end=4, create=1 << 20)
            self.assertEqual(sum(map(len, client.stream())), 4)  # a stream passes on what it is told meanwhile
            self.assertTrue(client.wait(whole))
            end = client.outcome(whole)
            self.assertEqual((end["state"], end["ticks"], end["complete"]), ("ended", 3, True))
            self.assertEqual(end["coverage"]["tracks"][0]["track"], "w")
            self.assertIsNone(client.outcome(whole + 1))

    def test_a_replayer_answers_what_the_tape_answers(self):
        try:
            import msgpack  # noqa: F401
        except ImportError:
            self.skipTest("python3-msgpack is not installed")
        self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M")
        for ring in "ab":
            self.run_ok("gen", "--ring", ring, "--count", "3000", "--symbols", "3")
        self.run_ok("flush", "-T", self.tape)
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        there = f"unix:{self.tape}/replayer.sock"
        with tapedeck.Tape(self.tape) as tape, tapedeck.Client(there) as client:
            name = tape.cursor(limit=100).read().schemas()[0]
            want, heads = tape.query(name, heads=True)
            got, also = client.query(name, heads=True)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(also, heads)
            for which in ({"tracks": "b", "limit": 7}, {"symbols": "S001"}, {"reverse": True, "limit": 5}):
                np.testing.assert_array_equal(tapedeck.ask(there, name, **which), tape.query(name, **which))
            stream = client.stream(control=True)
            begun = stream.read(1)
            asked = ("tdk_client_call", "tdk_client_query")  # not even called: another thread may be reading the stream
            with mock.patch.multiple(tapedeck.native.lib, **{name: mock.DEFAULT for name in asked}) as calls:
                self.assertRaisesRegex(tapedeck.Busy, there, client.call, "count")
                self.assertRaisesRegex(tapedeck.Busy, there, client.stream)
                self.assertEqual([calls[name].called for name in asked], [False, False])
            ticks = sum(int((batch.types < records.CONTROL).sum()) for batch in [begun, *stream])
            self.assertEqual((ticks, stream.whole.ticks, stream.whole.lost), (6000, 6000, 0))
            self.assertEqual((stream.whole.digest, 6000), self.tape_digest())
            self.assertEqual(client.call("count")["ticks"], 6000)
            with client.stream() as stream:
                stream.read(1)
            self.assertRaisesRegex(ValueError, "before its end", stream.read)
            stream = client.stream()
            stream.read(1)  # the stream is closed with its client, before its end
        self.assertRaisesRegex(ValueError, "before its end", list, stream)
        with self.assertRaises(ValueError):
            client.stream()
        with self.assertRaisesRegex(tapedeck.Error, "none"), tapedeck.Client(there) as client:
            client.query(name, tracks="none")

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_symbol_that_is_no_utf8_is_told_as_the_tape_tells_it(self):
        name = next(name for name in expected() if name.endswith("databento-dbn/test_data.bbo-1m.dbn"))
        data = (support.SHARED / "data" / name).read_bytes()
        self.run_ok("import", "-", "-T", self.tape, "--track", "x", stdin=data.replace(b"ESH1", b"E\xffH1"))
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        with tapedeck.Tape(self.tape) as tape, tapedeck.Client(f"unix:{self.tape}/replayer.sock") as client:
            self.assertEqual([row.symbol for row in tape.symbols()], ["E\\xffH1"])
            self.assertEqual([row["symbol"] for row in client.call("symbols")["symbols"]], ["E\\xffH1"])
            for symbols in (b"E\xffH1", np.array([b"E\xffH1"])):  # such as a definition has
                self.assertEqual(tape.count(symbols=symbols), tape.count())
                self.assertEqual(sum(map(len, client.stream(symbols=symbols))), tape.count())
                session = client.play("p", symbols=symbols, create=1 << 16)
                with tapedeck.Consumer("p") as ring:
                    for _ in ring.batches(timeout=30):
                        pass
                    self.assertEqual(ring.ended["ticks"], tape.count())
                self.assertTrue(client.wait(session))

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_question_can_be_asked_over_tcp(self):
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "w", stdin=b"1 a\n2 b\n")
        token = self.scratch / "token"
        token.write_text("sixteen characters\n")
        token.chmod(0o600)
        replayer = self.start("tapedeck-replayer", "--tape", self.tape, "--listen", "127.0.0.1:0", "--token-file", token)
        replayer.wait_line("^ready ")
        there = f"127.0.0.1:{self.port_of(replayer.pid)}"
        self.assertEqual(len(tapedeck.ask(there, "trades", token="sixteen characters", timeout=support.PATIENCE)), 0)
        with self.assertRaisesRegex(tapedeck.Error, "needs the token") as caught:
            tapedeck.ask(there, "trades")
        self.assertEqual(caught.exception.code, -errno.EACCES)

    @unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
    def test_a_client_waits_for_a_time_or_for_ever(self):
        nobody = f"unix:{self.scratch}/none.sock"
        for seconds in (-1, 2**64):
            self.assertRaisesRegex(ValueError, "timeout", tapedeck.Client, nobody, timeout=seconds)
        self.assertRaises(tapedeck.Missing, tapedeck.Client, nobody, timeout=None)

    @unittest.skipIf("LD_PRELOAD" in os.environ, "its programs have a sanitizer's runtime of their own")
    def test_the_backtest_of_the_examples_runs_and_is_the_same_each_time(self):
        told = []
        for _ in range(2):
            child = subprocess.run(
                [sys.executable, support.SOURCE / "python" / "examples" / "backtest.py"],
                env=dict(self.python_env(), TAPEDECK_BIN=str(support.BIN)), capture_output=True,
                text=True, timeout=300, check=False)
            self.assertEqual(child.returncode, 0, child.stderr)
            told.append([line for line in child.stdout.splitlines() if "seconds" not in line])
        self.assertEqual(told[0], told[1])
        self.assertRegex("\n".join(told[0]), r"20000 trades.*\n(.*\n)*.*total")

    @unittest.skipIf("LD_PRELOAD" in os.environ, "its programs have a sanitizer's runtime of their own")
    def test_the_backtest_runs_with_programs_that_are_installed(self):
        """Without a build tree only the programs on the PATH can be used."""
        script = self.scratch / "python" / "examples" / "backtest.py"
        script.parent.mkdir(parents=True)
        shutil.copy(support.SOURCE / "python" / "examples" / "backtest.py", script)
        env = dict(self.python_env(), PATH=f"{support.BIN}{os.pathsep}{os.environ['PATH']}")
        child = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True,
                               timeout=300, check=False)
        self.assertEqual(child.returncode, 0, child.stderr)
        self.assertIn("20000 trades", child.stdout)


@unittest.skipIf(importlib.util.find_spec("msgpack") is None, "python3-msgpack is not installed")
class Interrupted(Case):
    """^C while the client waits for the other side."""

    class Interrupt(BaseException):
        pass

    def setUp(self):
        super().setUp()

        def interrupt(*_):
            raise self.Interrupt

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))

    @contextlib.contextmanager
    def client(self, method, say, timeout=10 * support.PATIENCE):
        """A client of a server that answers this method with say(connection, id)."""
        from tests.integration import test_hostile_server as fake
        path = self.scratch / "fake.sock"
        server = fake.Server(path, method, lambda *who: say(fake, *who))
        try:
            with tapedeck.Client(f"unix:{path}", timeout=timeout) as client:
                yield client
        finally:
            server.close()
            path.unlink()

    def test_what_is_not_answered_ends_and_its_connection_with_it(self):
        for method, ask in (("count", lambda client: client.call("count")),
                            ("query", lambda client: client.query("trades"))):
            ends = []

            def say(fake, connection, number, ends=ends):
                os.kill(os.getpid(), signal.SIGUSR1)
                connection.settimeout(support.SOON)
                with contextlib.suppress(TimeoutError):
                    ends.append(connection.recv(1))
                connection.sendall(fake.failure(number, {"code": -5, "name": "EIO", "message": "late"}))

            with self.subTest(method), self.client(method, say) as client:
                self.assertRaises(self.Interrupt, ask, client)
                self.wait_for(lambda ends=ends: ends)
                self.assertEqual(ends, [b""])
                self.assertRaisesRegex(ValueError, "interrupted", client.call, "tracks")

    def test_who_asks_next_is_not_told_what_was_asked_before(self):
        def say(fake, connection, number):
            os.kill(os.getpid(), signal.SIGUSR1)
            connection.sendall(fake.answer(number, {"asked": "before"}))

        with self.client("count", say) as client, \
                contextlib.suppress(ValueError):  # the answer may not come soon enough
            for _ in range(20):
                self.assertRaises(self.Interrupt, client.call, "count")
                self.assertEqual(list(client.call("tracks")), ["tracks", "more"])

    def test_who_is_interrupted_twice_leaves_nobody_at_the_connection_beside_the_next(self):
        left = threading.Event()

        def say(fake, connection, number):
            os.kill(os.getpid(), signal.SIGUSR1)
            left.wait(support.PATIENCE)
            time.sleep(0.1)  # time for the next call to use the connection, too
            connection.sendall(fake.answer(number, {"asked": "before"}))

        with self.client("count", say) as client:
            with mock.patch.object(tapedeck.helper._Job, "finish", side_effect=self.Interrupt):
                self.assertRaises(self.Interrupt, client.call, "count")
            left.set()
            self.assertEqual(list(client.call("tracks")), ["tracks", "more"])

    def test_what_a_stream_has_brought_meanwhile_comes_next(self):
        reading = threading.Event()
        head = struct.Struct("<IHBBQQ")
        frames = (head.pack(17, 1, records.TRACK, 0, 1, 9) + struct.pack("<QHBBI8s", 7, 1, 0, 1, 0, b"t")
                  + head.pack(8, 1, records.OPAQUE, 0, 1, 9) + b"12345678")

        def say(fake, connection, number):
            connection.sendall(fake.answer(number, {"stream": 1}))
            reading.wait(support.PATIENCE)
            os.kill(os.getpid(), signal.SIGUSR1)
            for message in ([2, "data", {"stream": 1, "n": 1, "frames": frames}],
                            [2, "end", {"stream": 1, "ticks": 1, "bytes": 32, "complete": True}]):
                connection.sendall(fake.msgpack.packb(message))

        with self.client("query", say) as client:
            stream = client.stream()
            with self.assertRaises(self.Interrupt):
                reading.set()
                stream.read()
            try:
                came = [bytes(payload) for batch in stream for payload in batch.payloads(3)]
            except tapedeck.Error:
                return  # the frames did not come soon enough
            self.assertEqual((came, stream.whole.ticks), ([b"12345678"], 1))


    def test_a_stream_that_is_closed_is_not_listened_to_for_ever(self):
        """A server whose disk hangs keeps sending heartbeats."""
        left = threading.Event()

        def say(fake, connection, number):
            connection.sendall(fake.answer(number, {"stream": 1}))
            until = time.monotonic() + support.SOON
            while time.monotonic() < until:
                try:
                    connection.sendall(fake.msgpack.packb([2, "heartbeat", {"stream": 1}]))
                except OSError:
                    left.set()
                    raise
                time.sleep(0.05)
            connection.sendall(fake.msgpack.packb([2, "end", {"stream": 1, "ticks": 0}]))

        with self.client("query", say, timeout=1) as client:
            client.stream().close()
            self.assertTrue(left.wait(support.PATIENCE))


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

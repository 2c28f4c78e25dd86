"""python/tapedeck reads tapes: ranges, batches, symbols, and what is wrong with a tape."""

import ctypes
import datetime
import errno
import gc
import json
import os
import pickle
import shutil
import signal
import threading
import unittest
from unittest import mock

from tests.support import tapedeck as support
from tests.support.package import Case, expected, whole

import numpy as np
import tapedeck
from tapedeck import records
from tapedeck.frame import symbols_of, texts_of


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


if __name__ == "__main__":
    unittest.main()

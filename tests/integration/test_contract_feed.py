"""The command line against its contract, where ticks come in and go out: files, captures, rings and
plays. Each class is a section of the contract, and the names of its tests say what the section promises."""

import gzip
import hashlib
import json
import os
import shutil
import struct
import time
import unittest

from tests.support import tapedeck
from tests.support.contract import Contract, DATA, SECOND, T0, five


class FiveFields(Contract):
    def one(self, line):
        """Import one line and return it as it comes back, or None if it was refused as malformed, with its number."""
        tape = self.scratch / "one"
        shutil.rmtree(tape, ignore_errors=True)
        data = line if isinstance(line, bytes) else line.encode()
        done = self.run_cli("import", "-", "-T", tape, "--track", "t", "--format", "jsonl", "-q", stdin=data + b"\n")
        out = self.query("-o", "jsonl", "--five", tape=tape).stdout.decode()
        if done.returncode == 3:
            self.assertIn("line 1:", done.stderr)
            self.assertEqual(out, "")
            return None
        self.assertEqual(done.returncode, 0, done.stderr)
        return out.rstrip("\n")

    def many(self, lines):
        """Import (line, what must come back, or None if malformed) pairs in one file, and check what comes back."""
        data = "\n".join(line for line, _ in lines)
        done = self.run_cli("import", "-", "-T", self.tape, "--track", "t", "--format", "jsonl", "-q", stdin=data.encode())
        self.assertEqual(done.returncode, 3 if any(want is None for _, want in lines) else 0, done.stderr)
        out = self.query("-o", "jsonl", "--five").stdout.decode().splitlines()
        self.assertEqual(out, [want for _, want in lines if want is not None])

    def test_decimals_are_exact_or_malformed(self):
        def case(key, given, back):
            return five(**{key: given}), None if back is None else five(**{key: back})
        self.many([case("price", *pair) for pair in (
            ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("0.000000001", "0.000000001"), ("-0.000000001", "-0.000000001"),
            ("50000.5000000000", "50000.5"), ("0.0000000001", None), ("1e3", "1000"), ("1.5e-8", "0.000000015"), ("1e-9", "0.000000001"),
            ("1e-10", None), ("1e400", None), ("123456789.123456789", "123456789.123456789"), ("0.1", "0.1"),
            ("9223372036.854775806", "9223372036.854775806"), ("9223372036.854775807", None),
            ("-9223372036.854775806", "-9223372036.854775806"), ("-9223372036.854775807", None), ("9" * 400, None),
            ("01", None), ("+1", None), (".5", None), ("5.", None), ("NaN", None), ("Infinity", None), ("-Infinity", None),
            ("null", None), ("true", None), ('"1"', None), ("[1]", None), ("{}", None), ("-", None), ("", None), ("1_0", None))] + [
            case("volume", *pair) for pair in (
                ("0", "0"), ("-0", "0"), ("-1", None), ("-0.000000001", None), ("18446744073.709551614", "18446744073.709551614"),
                ("18446744073.709551615", None), ("1.0000000001", None))] + [
            case("timestamp", *pair) for pair in (
                ("0", "0"), ("-1", None), ("1690000000.123456789", "1690000000.123456789"), ("1690000000.1234567890", "1690000000.123456789"),
                ("1690000000.1234567891", None), ("1690000000123456789", None), ("18446744073.709551615", None), ("1.69e9", "1690000000"))])

    def test_symbol_and_message_type_are_kept_as_given(self):
        for text in ('"é😀"', '"a b"', '"a\\"b\\\\c"', '"\\u0001\\t\\n"', '"x,y"'):
            for key in ("symbol", "message_type"):
                self.assertEqual(self.one(five(**{key: text})), five(**{key: text}))
        self.assertEqual(self.one(five(message_type='""')), five(message_type='""'))
        self.assertEqual(self.one(five(symbol='"\\u00e9\\ud83d\\ude00"')), five(symbol='"é😀"'))
        for bad in tapedeck.some((five(symbol='""'), five(symbol="1"), five(symbol="null"), five(symbol='"a\\u0000b"'), five(symbol='"\\ud800"'),
                    five(symbol='"\\udc00x"'), five(symbol='"' + "S" * 300 + '"'), b'{"symbol":"\xff","timestamp":1,"price":1,"volume":1,'
                    b'"message_type":"trade"}', b'{"symbol":"\xc0\x80","timestamp":1,"price":1,"volume":1,"message_type":"trade"}')):
            self.assertIsNone(self.one(bad), bad)

    def test_lines_that_are_no_object_of_five_keys(self):
        whole = five()
        for bad in tapedeck.some(("bad", "{}", "[]", "[" + whole + "]", whole + " x", whole * 2, whole.replace("}", ",}"), whole.replace('"', "'"),
                    '{"symbol":"A"}', "[" * 100000, whole[:-1], "\ufeff\ufeff" + whole)):
            self.assertIsNone(self.one(bad), bad[:80])
        self.assertIsNone(self.one(b'{"x":"' + b"x" * 5_000_000 + b'"}'))
        for good in (whole + "\r", "  " + whole + "  ", "\ufeff" + whole, whole.replace("{", '{"more":[1,{"x":2}],'), whole.replace(":", " : ")):
            self.assertEqual(self.one(good), whole, good)
        self.assertEqual(self.one('{"message_type":"trade","volume":1,"price":1,"timestamp":1,"symbol":"A"}'), whole)

    def test_the_first_ten_malformed_lines_are_named_and_all_are_counted(self):
        text = "\n\r\n" + five() + "\n" + "bad\n" * 25 + five() + "\n"
        for args in (("import", "-", "-T", self.tape, "--track", "t"), ("feed", "-", "--ring", "r", "--create", "64K")):
            done = self.run_ok(*args, "-q", stdin=text.encode(), code=3)
            named = [line for line in done.stderr.splitlines() if ": line " in line]
            self.assertEqual(len(named), 10)
            for number, line in enumerate(named, 4):
                self.assertIn(f"line {number}:", line)
            self.assertIn("25", done.stderr.splitlines()[-1])
        self.assertEqual(self.count(), 2)

    def test_empty_lines_are_nothing(self):
        self.run_ok("import", "-", "-T", self.tape, "--track", "t", "--format", "jsonl", stdin=b"\n\r\n\n")
        self.assertEqual(self.count(), 0)

    def test_in_text_without_five_they_are_dbns_with_strings_for_long_numbers(self):
        self.run_ok("import", self.write("f", five(price="0.5", volume="1.25")), "-T", self.tape, "--track", "t")
        row = self.rows("--map-symbols")[0]
        self.assertEqual((row["price"], row["size"], row["id"], row["symbol"]), ("500000000", "1250000000", "0", "A"))
        header, line = self.query("-o", "csv", "--pretty", "--map-symbols").stdout.decode().splitlines()
        cells = dict(zip(header.split(","), line.split(",")))
        self.assertEqual((cells["price"], cells["size"], cells["symbol"]), ("0.500000000", "1.250000000", "A"))


class Import(Contract):
    def put(self, *args, code=0, **how):
        shutil.rmtree(self.tape, ignore_errors=True)
        return self.run_ok("import", *args, "-T", self.tape, "--track", "t", code=code, **how)

    def test_lines(self):
        good = {b"1 a": "a", b"1 ": "", b"1  a": " a", b"1 a\r": "a\r", b"18446744073709551615 a": "a", b"1 a\0b": "a\0b",
                "1 é\"\\".encode(): "é\"\\"}
        data = b"\n".join(good) + b"\n\n1 \xff\n"
        self.put("-", "--format", "lines", stdin=data)
        rows = self.rows()
        self.assertEqual([row.get("text") for row in rows], [*good.values(), None])
        self.assertEqual(rows[-1]["base64"], "/w==")
        self.assertEqual(set(rows[0]), {"ts", "track", "seq", "type", "text"})
        for bad in tapedeck.some((b"1", b" 1 a", b"1\ta", b"a b", b"-1 a", b"+1 a", b"1.5 a", b"18446744073709551616 a", b"1 " + b"x" * (16 << 20))):
            done = self.put("-", "--format", "lines", "-q", stdin=bad + b"\n2 b\n", code=3)
            self.assertIn("line 1:", done.stderr)
            self.assertEqual(self.texts(), ["b"])

    def test_files_that_are_none(self):
        for path, says in ((self.scratch / "nothing", "nothing"), (self.scratch, "irectory"), (self.write("empty", ""), "empty"),
                           (self.write("random", bytes(range(128, 256))), "random"), (self.write("nl", "\n\n"), "nl"),
                           (self.write("e.gz", gzip.compress(b"")), "e.gz"), (self.write("v.dbn", b"DBN\x04" + b"\0" * 200), "version 4"),
                           (self.write("v0.dbn", b"DBN\x00" + b"\0" * 200), "version 0"), (self.write("d.dbn", b"DBN"), "d.dbn"),
                           (self.write("huge.dbn", b"DBN\x03\xff\xff\xff\xff" + b"\0" * 200), "huge.dbn")):
            done = self.put(path, code=1)
            self.assertIn(says, done.stderr)
            self.assertFalse(self.tape.exists())

    def test_what_is_cut_gives_its_whole_records_and_the_place(self):
        data = self.shared("dbn", "databento-dbn", "test_data.mbo.v3.dbn").read_bytes()
        head = 8 + struct.unpack_from("<I", data, 4)[0]
        for size in (3, 7, 8, head - 1):
            self.assertIn("offset 0", self.put(self.write("cut.dbn", data[:size]), code=1).stderr)
        for records, size in ((0, head), (1, head + 56)):
            self.put(self.write("cut.dbn", data[:size]))
            self.assertEqual(self.count(), records)
            for more in (1, 55):
                done = self.put(self.write("cut.dbn", data[:size + more]), code=3)
                self.assertIn(f"offset {size}", done.stderr)
                self.assertIn("cut.dbn", done.stderr)
                self.assertEqual(self.count(), records)
        lines = gzip.compress("".join(f"{i} {hashlib.sha256(bytes([i % 256])).hexdigest()}\n" for i in range(2000)).encode())
        done = self.put(self.write("cut.gz", lines[:-100]), code=3)
        self.assertIn("cut.gz", done.stderr)
        self.assertGreater(self.count(), 1000)
        damaged = lines[:-8] + bytes([lines[-8] ^ 1]) + lines[-7:]
        self.put(self.write("bad.gz", damaged), code=3)
        self.assertEqual(self.count(), 2000)

    def test_two_dbn_files_in_one_are_told(self):
        data = self.shared("dbn", "databento-dbn", "test_data.mbo.v3.dbn").read_bytes()
        done = self.put(self.write("two.dbn", data + data), code=3)
        self.assertIn(f"offset {len(data)}", done.stderr)
        self.assertEqual(self.count(), 2)

    def test_dbz_is_refused_by_name_whatever_the_format(self):
        for path in tapedeck.some(sorted(self.shared("dbn", "databento-dbn").glob("*.dbz"))):
            for form in ("auto", "dbn", "lines"):
                self.assertIn("DBZ", self.put(path, "--format", form, code=1).stderr)

    def test_no_record_is_a_track_with_its_schema(self):
        path = self.shared("dbn", "databento-dbn", "test_data.ohlcv-1d.v3.dbn.zst")
        self.put(path)
        self.assertEqual(self.count(), 0)
        self.assertEqual(len(self.query("-o", "csv").stdout.splitlines()), 1)
        self.assertEqual(self.query("-o", "dbn").stdout[:4], b"DBN\x03")
        self.assertEqual([row["track"] for row in json.loads(self.run_ok("ls", "tracks", "-T", self.tape, "--json").stdout)], ["t"])

    def test_nothing_half_imported_stays_and_the_segment_is_closed(self):
        good, bad = self.write("good", "1 a\n"), self.write("bad.dbn", b"DBN\x04" + b"\0" * 100)
        self.run_ok("import", good, bad, "-T", self.tape, "--track", "t", code=1)
        self.assertFalse(self.tape.exists())
        self.run_ok("import", good, good, "-T", self.tape, "--track", "t")
        self.assertEqual([path.suffix for path in (self.tape / "segments").iterdir()], [".seg"])
        self.run_ok("import", bad, "-T", self.tape, "--track", "t", code=1)
        self.assertEqual(self.count(), 2)
        self.run_ok("verify", "-T", self.tape)

    def test_limits_of_sizes(self):
        path = self.write("l", "1 a\n")
        for args in (["--block-size", "1K"], ["--block-size", "4095"], ["--segment-size", "63K"], ["--segment-size", "1M", "--block-size", "1M"],
                     ["--block-size", "x"], ["--format", "xml"], ["--format", ""], ["--track-info", "x"], ["--track-info", "=x"]):
            self.refused("import", path, "-T", self.tape, "--track", "t", *args)
        self.run_ok("import", path, "-T", self.tape, "--track", "t", "--block-size", "4K", "--segment-size", "64K")


class Captures(Contract):
    """Captures of real data: their payloads come back as the independent decoder read them."""

    def test_captures_by_count_times_and_payloads(self):
        facts = self.shared("expected.json")
        for name, fact in json.loads(facts.read_text(encoding="utf-8"))["files"].items():
            if fact.get("format") != "LOCAL_NS JSON lines" or fact["records"] > 40000:
                continue
            with self.subTest(name):
                tape = self.scratch / name.replace("/", "-")
                self.run_ok("import", DATA / name, "-T", tape, "--track", "t", "-q")
                out = self.query("-o", "frames", tape=tape).stdout
                payloads, times = hashlib.sha256(), []
                for frame in tapedeck.parse_frames(out):
                    if frame.is_tick():
                        payloads.update(frame.payload)
                        times.append(frame.ts)
                self.assertEqual(payloads.hexdigest(), fact["payload_sha256"])
                self.assertEqual(len(times), fact["local_ns"]["n"])
                self.assertEqual((times[0], times[-1], min(times), max(times)),
                                 tuple(fact["local_ns"][key] for key in ("first", "last", "min", "max")))
                shutil.rmtree(tape)


class Rings(Contract):
    def test_a_ring_on_a_disk_is_allowed_only_by_name(self):
        env = dict(self.env, TAPEDECK_RINGS=str(self.scratch / "rings"))
        (self.scratch / "rings").mkdir()
        if os.stat(self.scratch).st_dev == os.stat("/dev/shm").st_dev:
            self.skipTest("the scratch folder is on tmpfs too")
        self.refused("ring", "create", "d", "--size", "64K", env=env, says="--allow-disk-ring")
        self.refused("gen", "--ring", "d", "--create", "64K", "--count", "1", env=env, says="--allow-disk-ring")
        self.run_ok("ring", "create", "d", "--size", "64K", "--allow-disk-ring", env=env)
        self.run_ok("gen", "--ring", "d", "--count", "1", env=env)

    def test_info_has_the_words_of_the_contract(self):
        self.run_ok("ring", "create", "r", "--size", "64K", "--track", "t")
        self.run_ok("gen", "--ring", "r", "--count", "10")
        info = self.ring_info("r")
        for key in ("name", "track", "epoch", "produced", "lost", "lost_total", "fill", "high_water", "capacity", "consumed", "producer",
                    "consumer", "taps"):
            self.assertIn(key, info)
        self.assertEqual((info["name"], info["track"], info["produced"], info["consumed"]), ("r", "t", 10, 0))
        self.assertGreaterEqual(info["high_water"], info["fill"])
        self.assertGreater(info["fill"], 0)

    def test_a_ring_must_exist_unless_it_is_to_be_made(self):
        path = self.write("l", "1 a\n")
        for args in (["gen", "--count", "1", "--ring", "r"], ["feed", path, "--ring", "r"], ["drain", "r"], ["tap", "r"],
                     ["ring", "info", "r"], ["ring", "rm", "r"]):
            self.refused(*args, code=1, says="r")
        for args in (["gen", "--count", "1", "--ring", "r"], ["feed", path, "--ring", "r"], ["drain", "r"], ["tap", "r"]):
            begin = time.monotonic()
            self.refused(*args, "--wait", "60ms", code=1, says="r")
            self.assertGreaterEqual(time.monotonic() - begin, 0.06)
            self.refused(*args, "--wait", "5")
        self.assertEqual(os.listdir(self.rings), [])

    def test_a_second_producer_is_1_at_once(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        first = self.start_cli("gen", "--ring", "r", "--count", "100000", "--rate", "10")
        self.wait_for(lambda: self.ring_info("r")["producer"] == first.pid)
        self.put_lines("t", [(T0, "x")])
        path = self.write("l", "1 a\n")
        for args in (["gen", "--ring", "r", "--count", "1"], ["gen", "--ring", "r", "--count", "1", "--wait", "1h"],
                     ["feed", path, "--ring", "r"], ["play", "-T", self.tape, "--into", "r"]):
            self.refused(*args, code=1, says="producer")

    def test_one_seed_is_one_market(self):
        def payloads(seed, *args):
            self.run_ok("ring", "create", "s", "--size", "4M", "-q")
            self.run_ok("gen", "--ring", "s", "--count", "500", "--seed", seed, *args, "-q")
            out = self.run_ok("drain", "s", "-o", "frames", "--count", "500").stdout
            self.run_ok("ring", "rm", "s", "-q")
            ticks = [frame for frame in tapedeck.parse_frames(out) if frame.is_tick()]
            for frame in ticks:
                self.assertLess(abs(frame.ts - time.time_ns()), 600 * SECOND)  # CLOCK_REALTIME
            return [frame.payload for frame in ticks]
        for dist in ("market", "uniform:0-300"):
            self.assertEqual(payloads(5, "--size-dist", dist), payloads(5, "--size-dist", dist, "--rate", "100000"))
            self.assertNotEqual(payloads(5, "--size-dist", dist), payloads(6, "--size-dist", dist))

    def test_what_no_wait_drops_is_3_and_exactly_that_is_lost_on_the_tape(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        done = self.run_ok("gen", "--ring", "r", "--count", "3000", "--no-wait", "--digest", "--size-dist", "fixed:48", code=3)
        sent = self.digest_of(done.stderr)
        info = self.ring_info("r")
        lost = info["lost"]
        self.assertEqual(info["produced"] + lost, 3000)
        self.assertIn(str(lost), done.stderr)
        recorder = self.recorder("--ring", "r")
        self.wait_for(lambda: self.ring_info("r")["fill"] == 0)
        self.run_ok("gen", "--ring", "r", "--count", "5", "--size-dist", "fixed:48")
        self.assertEqual(recorder.stop(), 0)
        losses = [frame for frame in self.frames(code=3) if frame.type == tapedeck.LOSS]
        self.assertEqual([struct.unpack_from("<QQ", frame.payload) for frame in losses], [(sent[1] + 1, lost)])
        # Raw frames include the loss without --control. Besides the TRACK frames they include no other control frame.
        raw = list(tapedeck.parse_frames(self.query("-o", "frames", code=3).stdout))
        self.assertEqual([frame.type for frame in raw if not frame.is_tick()], [tapedeck.TRACK, tapedeck.LOSS, tapedeck.TRACK])
        epoch = raw[0].epoch
        first = [frame for frame in raw if frame.is_tick() and frame.epoch == epoch]
        self.assertEqual(len(first), sent[1])
        self.assertEqual(self.query("--count", code=3).stdout, f"{sent[1] + 5}\n".encode())
        for args in (["-o", "jsonl"], ["--count"], ["-o", "none", "--digest"]):
            self.assertEqual(self.query(*args, "--require-complete", code=3).stdout, b"")
        self.run_ok("play", "-T", self.tape, "--into", "new", "--create", "64K", "--require-complete", code=3)
        self.run_ok("ring", "info", "new", code=1)
        # A range without the hole is whole.
        last = [frame.ts for frame in raw if frame.is_tick() and frame.epoch != epoch]
        self.assertEqual(self.count("--from", last[0], "--require-complete"), 5)
        self.assertEqual(len(self.rows("--reverse", "-n", 5, "--require-complete", "--from", last[0])), 5)

    def test_drain_ends_as_told(self):
        self.run_ok("ring", "create", "r", "--size", "1M")
        self.run_ok("gen", "--ring", "r", "--count", "100")
        self.assertEqual(len(self.run_ok("drain", "r", "--count", "10").stdout.splitlines()), 10)
        self.assertEqual(self.ring_info("r")["consumed"], 10)
        self.assertEqual(self.run_ok("drain", "r", "-n", "1", "-O", "-").stdout[:1], b"{")
        done = self.run_ok("drain", "r", "-o", "none", "--count", "1000", "--timeout", "50ms", "--digest", code=7)
        self.assertEqual(self.digest_of(done.stderr)[1], 89)
        self.assertEqual(done.stderr.splitlines()[-1].split()[0], "digest")
        self.run_ok("drain", "r", "--until-end", "--timeout", "20ms", code=7)
        self.run_ok("drain", "r", "--timeout", "20ms")
        for args in tapedeck.some(([], ["r", "x"], ["r", "-n", "0"], ["r", "-o", "parchment"], ["r", "--timeout", "5"], ["r", "--timeout", "0s"],
                     ["r", "-O", "x"])):
            self.refused("drain", *args)

    def test_what_a_ring_cannot_be_put_out_as_is_told_without_a_flag_that_is_not_there(self):
        self.run_ok("ring", "create", "r", "--size", "1M")
        self.run_ok("gen", "--ring", "r", "--count", "50")
        for args in (["-o", "csv"], ["--five"]):
            done = self.run_cli("drain", "r", "--timeout", "20ms", *args)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertNotIn("-t", done.stderr)
        self.assertEqual(len(self.run_ok("drain", "r", "--count", "50").stdout.splitlines()), 50)

    def test_frames_of_a_drain_have_the_control_frames(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        self.run_ok("gen", "--ring", "r", "--count", "2", "--symbols", "1")
        frames = list(tapedeck.parse_frames(self.run_ok("drain", "r", "-o", "frames", "--count", "2").stdout))
        self.assertEqual({frame.type for frame in frames}, {tapedeck.TRACK, tapedeck.EPOCH, tapedeck.SYMBOL, 1})
        self.assertEqual({frame.track for frame in frames}, {"r"})

    def test_wrong_words_of_gen_and_feed(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        path = self.write("l", "1 a\n")
        for args in tapedeck.some(([], ["--count", "x"], ["--count", "-1"], ["--count", "1", "--rate", "0"], ["--count", "1", "--rate", "5x"],
                     ["--count", "1", "--rate", ""], ["--count", "1", "--symbols", "0"], ["--count", "1", "--symbols", "9999999"],
                     ["--count", "1", "--seed", "x"], ["--count", "1", "--size-dist", "fixed"], ["--count", "1", "--size-dist", "fixed:17M"],
                     ["--count", "1", "--size-dist", "uniform:9-3"], ["--count", "1", "--create", "63K"], ["--count", "1", "x"])):
            self.refused("gen", "--ring", "r", *args)
        for args in tapedeck.some(([], [path, "--speed", "0x"], [path, "--speed", "1"], [path, "--speed", "x"], [path, "--format", "xml"], [path, "--stamp", "x"],
                     [path, "--create", "63K"], [path, "--track-info", "x"])):
            self.refused("feed", "--ring", "r", *args)
        self.refused("gen", "--ring", "r", "--count", "1", "--size-dist", "fixed:20K", code=1)
        self.assertEqual(self.ring_info("r")["produced"], 0)


class Play(Contract):
    def setUp(self):
        super().setUp()
        self.once(self.fill)

    def fill(self):
        for track, offset in (("a", 0), ("b", 20_000_000)):
            self.put_lines(track, [(T0 + offset + i * 40_000_000, f"{track}{i}") for i in range(5)])

    def played(self, *args, ring="r", code=0):
        """Play into a ring and drain it. Returns (frames, digest of the drain, the play)."""
        self.run_ok("ring", "create", ring, "--size", "64K")
        done = self.run_ok("play", "-T", self.tape, "--into", ring, *args, code=code)
        drain = self.run_ok("drain", ring, "-o", "frames", "--until-end", "--digest")
        self.run_ok("ring", "rm", ring)
        return list(tapedeck.parse_frames(drain.stdout)), self.digest_of(drain.stderr), done

    def test_it_is_what_the_tape_has_with_names_and_an_end(self):
        frames, digest, done = self.played("--digest")
        self.assertEqual(digest, self.tape_digest())
        self.assertEqual(self.digest_of(done.stderr), digest)
        ticks = [frame for frame in frames if frame.is_tick()]
        self.assertEqual([(frame.track, frame.payload) for frame in ticks[:3]], [("a", b"a0"), ("b", b"b0"), ("a", b"a1")])
        self.assertEqual([frame.seq for frame in ticks if frame.track == "b"], [1, 2, 3, 4, 5])
        end = frames[-1]
        self.assertEqual(end.type, tapedeck.END)
        self.assertEqual(struct.unpack_from("<QQ", end.payload), (10, 0))
        self.assertEqual((end.payload[16:32].hex(), end.payload[32]), (digest[0], 1))

    def test_every_speed_and_no_other_word(self):
        for speed, seconds in (("max", 0), ("1x", 0.18), ("2x", 0.09), ("0.5x", 0.36), ("100/s", 0.09)):
            begin = time.monotonic()
            _, digest, done = self.played("--speed", speed)
            self.assertGreaterEqual(time.monotonic() - begin, seconds, speed)
            self.assertEqual(digest, self.tape_digest())
            self.assertEqual("lateness p50 " in done.stderr, speed != "max")
        for word in tapedeck.some(("", "0", "0x", "-1x", "1", "x", "1 x", "1e3x", "inf", "maxx", "0/s", "-5/s", "18446744073709551616/s")):
            self.refused("play", "-T", self.tape, "--into", "r", "--speed", word)

    def test_the_digest_is_of_the_tapes_own_times_and_of_one_round(self):
        frames, digest, done = self.played("--rebase", "2020-01-01", "--digest")
        self.assertEqual(min(frame.ts for frame in frames if frame.is_tick()), 1577836800 * SECOND)
        self.assertEqual(digest, self.tape_digest())
        self.assertEqual(self.digest_of(done.stderr), digest)
        frames, _, done = self.played("--loop", "3", "--digest")
        self.assertEqual(len([frame for frame in frames if frame.is_tick()]), 30)
        self.assertEqual(self.digest_of(done.stderr), self.tape_digest())

    def test_a_ring_for_each_track(self):
        self.run_ok("play", "-T", self.tape, "--into", "x", "--per-track", "--create", "64K")
        for track in ("a", "b"):
            done = self.run_ok("drain", f"x.{track}", "-o", "none", "--until-end", "--digest")
            self.assertEqual(self.digest_of(done.stderr), self.tape_digest("--track", track))
        self.refused("play", "-T", self.tape, "--into", "y" * 63, "--per-track", "--create", "64K")
        self.assertEqual(sorted(os.listdir(self.rings)), ["x.a.ring", "x.b.ring"])

    def test_idle_stretches_are_cut(self):
        begin = time.monotonic()
        self.put_lines("late", [(T0 + 3600 * SECOND, "z")])
        self.played("--speed", "1x", "--max-idle", "10ms")
        self.assertLess(time.monotonic() - begin, 30)

    def test_fidelity_is_a_gate(self):
        self.played("--speed", "10x", "--fidelity", "max<60s")
        self.run_ok("play", "-T", self.tape, "--into", "f", "--create", "64K", "--speed", "10x", "--fidelity", "p50<1ns", code=7)
        done = self.run_ok("play", "-T", self.tape, "--into", "f", "--speed", "10x", "--json", "-q")
        self.assertRegex(done.stderr, r"^lateness p50 \S+ p99 \S+ p99\.9 \S+ max \S+\n$")
        report = json.loads(done.stdout)[0]
        self.assertLessEqual(report["p50"], report["max"])
        for word in tapedeck.some(("", "p99", "p98<5us", "p99<5", "p99>5us", "<5us")):
            self.refused("play", "-T", self.tape, "--into", "f", "--speed", "1x", "--fidelity", word)

    def test_waiting_has_an_end(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        self.refused("play", "-T", self.tape, "--into", "r", "--wait-consumers", "1", "--timeout", "50ms", code=7)
        self.put_lines("big", [(T0 + i, "x" * 1000) for i in range(200)])
        self.refused("play", "-T", self.tape, "--into", "r", "--stall-timeout", "100ms", code=1, says="stalled")

    def test_a_play_reads_at_most_what_it_was_asked_for(self):
        frames, _, _ = self.played("--from", T0 + 40_000_000, "-n", 3)
        self.assertEqual([frame.payload for frame in frames if frame.is_tick()], [b"a1", b"b1", b"a2"])
        frames, _, _ = self.played("--from", "end")
        self.assertEqual([frame.type for frame in frames][-1], tapedeck.END)

    def test_wrong_words(self):
        for args in tapedeck.some((["--loop", "0"], ["--loop", "x"], ["--max-idle", "5"], ["--rebase", "x"], ["--rebase", "2020-01-01T00:00:00"],
                     ["--wait-consumers", "x"], ["--create", "63K"], ["--from", "2", "--to", "1"], ["--timeout", "3"], ["-n", "0"], ["extra"])):
            self.refused("play", "-T", self.tape, "--into", "r", *args)
        self.refused("play", "-T", self.tape)
        self.refused("play", "-T", self.tape, "--into", "r", code=1, says="--create")


if __name__ == "__main__":
    unittest.main()

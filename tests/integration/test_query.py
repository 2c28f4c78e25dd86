"""query, digest, info, ls and verify from outside: what they put out, and what they report when they fail."""

import json
import os
import pathlib
import subprocess

from tests.support import records, tapedeck

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


class Lines(tapedeck.Case):
    """Two tracks of opaque ticks: those of a at T0, +1 s, +2 s and so on, those of b half a second later."""

    COUNT = 10

    def setUp(self):
        super().setUp()
        self.once(self.fill)

    def fill(self):
        self.put_lines("a", [(T0 + i * SECOND, f"a{i}") for i in range(self.COUNT)])
        self.put_lines("b", [(T0 + i * SECOND + SECOND // 2, f"b{i}") for i in range(self.COUNT)])

    def texts(self, *args, code=0):
        done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", *args, code=code)
        return [json.loads(line)["text"] for line in done.stdout.splitlines()]

    def count(self, *args, code=0):
        return int(self.run_ok("query", "-T", self.tape, "--count", *args, code=code).stdout)


class Which(Lines):
    def test_tracks_are_merged_by_time(self):
        merged = [f"{track}{i}" for i in range(self.COUNT) for track in "ab"]
        self.assertEqual(self.texts(), merged)
        self.assertEqual(self.texts("--reverse"), merged[::-1])
        self.assertEqual(self.texts("-n", 3), merged[:3])
        self.assertEqual(self.texts("--reverse", "-n", 3), merged[:-4:-1])

    def test_a_range_has_its_beginning_and_not_its_end(self):
        self.assertEqual(self.texts("--from", T0 + SECOND, "--to", T0 + 2 * SECOND), ["a1", "b1"])
        self.assertEqual(self.texts("--from", "start", "--to", "end"), self.texts())
        self.assertEqual(self.texts("--from", "end-1ns"), [f"b{self.COUNT - 1}"])
        self.assertEqual(self.texts("--to", "start+1s"), ["a0", "b0"])
        self.assertEqual(self.texts("--from", "2023-11-14T22:13:21Z", "--to", "2023-11-14T22:13:22.000000001Z"),
                         ["a1", "b1", "a2"])
        self.assertEqual(self.texts("--from", T0, "--to", T0), [])

    def test_tracks_and_types_choose(self):
        self.assertEqual(self.texts("--track", "b", "-n", 2), ["b0", "b1"])
        self.assertEqual(len(self.texts("--track", "b", "--track", "a")), 2 * self.COUNT)
        self.assertEqual(len(self.texts("-t", "line")), 2 * self.COUNT)
        self.assertEqual(len(self.texts("-t", "3")), 2 * self.COUNT)
        self.assertEqual(self.texts("-t", "mbo"), [])

    def test_an_opaque_types_name_is_its_tracks_own(self):
        self.put_lines("c", [(T0, "named")], "--type-name", "special")
        self.assertEqual(self.texts("-t", "special"), ["named"])
        self.assertEqual(len(self.texts("-t", "line")), 2 * self.COUNT)
        self.assertEqual(len(self.texts("-t", "special", "-t", "line")), 2 * self.COUNT + 1)
        self.assertEqual(len(self.texts("-t", "3")), 2 * self.COUNT + 1)

    def test_what_has_the_same_number_and_another_name_is_not_told_for_it(self):
        def put(track, ts, name):
            self.put_lines(track, [(ts, name)], "--type-name", name)

        put("c", T0 + 90 * SECOND, "special")
        put("c", T0 + 91 * SECOND, "late")
        args = ("query", "-T", self.tape, "-o", "none", "-t", "special", "-t", "wide-trade")
        self.assertIn("number 3, which is 'line' on track a", self.run_ok(*args, code=2).stderr)
        self.assertIn("which is 'late' on track c", self.run_ok(*args, "--track", "c", code=2).stderr)
        for more in (("--track", "c", "--to", T0 + 91 * SECOND), ("--from", T0 + 90 * SECOND, "--to", T0 + 91 * SECOND)):
            self.assertEqual(self.texts("-t", "special", "-t", "wide-trade", *more), ["special"])
        self.assertEqual(len(self.texts("-t", "special", "-t", "3")), 2 * self.COUNT + 2)
        self.assertEqual(self.texts("-t", "special", "-t", "late"), ["special", "late"])

    def test_a_count_is_only_that(self):
        done = self.run_ok("query", "-T", self.tape, "--count")
        self.assertEqual(done.stdout, b"20\n")
        self.assertEqual(self.count("--from", T0 + SECOND, "--track", "a"), 9)
        self.assertEqual(self.count("-n", 7), 7)
        rows = json.loads(self.run_ok("query", "-T", self.tape, "--count", "--json").stdout)
        self.assertEqual(rows, [{"ticks": 20}])

    def test_nothing_is_4_only_when_asked(self):
        self.assertEqual(self.texts("--to", T0), [])
        self.texts("--to", T0, "--fail-empty", code=4)
        self.count("--to", T0, "--fail-empty", code=4)
        self.texts("--fail-empty")

    def test_explain_reads_nothing_and_says_how_much_it_would(self):
        rows = json.loads(self.run_ok("query", "-T", self.tape, "--explain", "--json").stdout)
        self.assertEqual(set(rows[0]), {"blocks", "bytes"})
        self.assertEqual(rows[0]["blocks"], 2)


class Forms(Lines):
    def test_frames_name_each_track_before_its_first_tick(self):
        frames = list(tapedeck.parse_frames(
            self.run_ok("query", "-T", self.tape, "-o", "frames").stdout))
        self.assertEqual([frame.type for frame in frames[:4]],
                         [tapedeck.TRACK, 3, tapedeck.TRACK, 3])
        ticks = [frame for frame in frames if frame.is_tick()]
        self.assertEqual(len(frames), 2 + len(ticks))
        self.assertEqual([frame.payload for frame in ticks[:2]], [b"a0", b"b0"])
        self.assertEqual([frame.track for frame in ticks[:2]], ["a", "b"])

    def test_control_frames_come_when_asked_for(self):
        frames = self.frames()
        self.assertIn(tapedeck.EPOCH, {frame.type for frame in frames})
        self.assertIn(tapedeck.INFO, {frame.type for frame in frames})
        lines = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--control").stdout.splitlines()
        kinds = {json.loads(line).get("control") for line in lines}
        self.assertLessEqual({None, "epoch", "info"}, kinds)
        self.assertNotIn("track", kinds) # each line names its own track

    def test_the_envelope_says_whose_tick_it_is(self):
        line = json.loads(self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--envelope", "-n", 1).stdout)
        self.assertEqual(line["tape"]["track"], "a")
        self.assertEqual(line["tape"]["seq"], "1")
        self.assertEqual(line["tape"]["ts"], str(T0))
        csv = self.run_ok("query", "-T", self.tape, "-o", "csv", "--envelope", "-n", 1).stdout.decode()
        self.assertTrue(csv.startswith("track,epoch,seq,ts,"), csv)

    def test_the_digest_is_the_same_by_every_way(self):
        digest = self.tape_digest()
        self.assertEqual(digest[1], 20)
        for form in ("jsonl", "csv", "frames"):
            done = self.run_ok("query", "-T", self.tape, "-o", form, "--digest")
            self.assertEqual(self.digest_of(done.stderr), digest)
            self.assertEqual(done.stderr.splitlines()[-1], f"digest {digest[0]} ticks 20")
        line = self.run_ok("digest", "-T", self.tape).stdout.decode()
        self.assertEqual(line, f"digest {digest[0]} ticks 20\n")

    def test_a_digest_by_second_is_that_of_each_second(self):
        lines = self.run_ok("digest", "-T", self.tape, "--by", "1s").stdout.decode().splitlines()
        self.assertEqual(len(lines), self.COUNT)
        for i, line in enumerate(lines):
            _, digest, ticks = line.split()
            part = self.tape_digest("--from", T0 + i * SECOND, "--to", T0 + (i + 1) * SECOND)
            self.assertEqual((digest, int(ticks)), part)


class Files(Lines):
    def test_a_file_is_there_whole_or_not_at_all(self):
        out = self.scratch / "out.jsonl"
        self.run_ok("query", "-T", self.tape, "-O", out)
        self.assertEqual(len(out.read_text(encoding="utf-8").splitlines()), 20)
        done = self.run_ok("query", "-T", self.tape, "-O", out, code=2)
        self.assertIn("--force", done.stderr)
        self.run_ok("query", "-T", self.tape, "-O", out, "--force", "-n", 1)
        self.assertEqual(len(out.read_text(encoding="utf-8").splitlines()), 1)
        # A query that fails leaves neither the file nor a part of it.
        other = self.scratch / "out.dbn"
        self.run_ok("query", "-T", self.tape, "-O", other, code=2)
        self.assertEqual(sorted(path.name for path in self.scratch.iterdir()),
                         ["out.jsonl", "tape"])

    def test_what_is_no_file_is_written_to_as_it_is(self):
        self.run_ok("query", "-T", self.tape, "-o", "jsonl", "-O", "/dev/null")
        self.assertFalse(pathlib.Path("/dev/null").is_file())

    def test_a_file_has_the_rights_the_shell_would_give(self):
        out = self.scratch / "out.csv"
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        self.run_ok("query", "-T", self.tape, "-O", out)
        self.assertEqual(out.stat().st_mode & 0o777, 0o640)

    def test_a_closed_pipe_is_success(self):
        self.put_lines("long", [(T0 + i, "x" * 100) for i in range(20000)])
        process = subprocess.Popen([tapedeck.BIN / "tapedeck", "query", "-T", self.tape, "-o", "jsonl"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(tapedeck.PATIENCE), 0, stderr)
        self.assertEqual(stderr, b"")


class Refusals(Lines):
    def check(self, code, words, *args):
        before = sorted(path for path in self.scratch.rglob("*"))
        done = self.run_cli("query", *args)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words.split("|"):
            self.assertIn(word, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(before, sorted(path for path in self.scratch.rglob("*")), "a query creates nothing")

    def test_wrong_usage_is_2(self):
        tape = ("-T", self.tape, "-o", "csv")
        self.check(2, "-T", "-o", "csv")
        self.check(2, "-o", "-T", self.tape)
        self.check(2, "jsonl", "-T", self.tape, "-o", "jsonal")
        self.check(2, "--from", *tape, "--from", "yesterday")
        self.check(2, "--from", *tape, "--from", "2023-11-14T22:13:21")
        self.check(2, "after", *tape, "--from", T0 + 1, "--to", T0)
        self.check(2, "--type", *tape, "-t", "mboo")
        self.check(2, "--type", *tape, "-t", "192")
        self.check(2, "--symbol", *tape, "-s", "#12x")
        self.check(2, "--symbol", *tape, "-s", "#4294967296")
        self.check(2, "--track", *tape, "--track", "../a")
        self.check(2, "-n", *tape, "-n", "0")
        self.check(2, "", *tape, "--axis", "sideways")
        self.check(2, "--control", *tape, "--control")
        self.check(2, "--five", *tape, "--five")
        self.check(2, "--pretty", "-T", self.tape, "-o", "frames", "--pretty")
        self.check(2, "format", "-T", self.tape, "-O", self.scratch / "file.parq")

    def test_a_source_that_cannot_be_opened_is_1(self):
        self.check(1, "nowhere", "-T", self.scratch / "nowhere", "-o", "csv")
        self.check(1, "", "-T", self.scratch, "-o", "csv")
        (self.scratch / "lines").write_text(f"{T0} no tape\n", encoding="utf-8")
        self.check(1, "lines", "-T", self.scratch / "lines", "-o", "csv")
        self.check(1, "nobody", "-T", self.tape, "-o", "csv", "--track", "nobody")
        self.check(1, "nobody", "-T", self.tape, "-o", "csv", "--track", "nobody", "-t", "line")

    def test_a_format_that_cannot_hold_a_tick_says_which_can(self):
        self.check(2, "-t|-o", "-T", self.tape, "-o", "dbn")
        self.check(2, "--five", "-T", self.tape, "-o", "jsonl", "--five")

    def test_the_environment_names_the_tape(self):
        env = dict(self.env, TAPEDECK_TAPE=str(self.tape))
        self.assertEqual(self.run_ok("query", "--count", env=env).stdout, b"20\n")


class Lists(Lines):
    def test_info_says_what_is_there(self):
        row = json.loads(self.run_ok("info", "-T", self.tape, "--json").stdout)
        self.assertEqual(len(row), 1)
        self.assertEqual(row[0]["ticks"], 20)
        self.assertEqual(row[0]["tracks"], 2)
        self.assertEqual(row[0]["first_ts"], T0)
        self.assertEqual(row[0]["last_ts"], T0 + 9 * SECOND + SECOND // 2)
        self.assertFalse(row[0]["recording"])

    def test_a_lone_sealed_segment_that_is_cut_is_told(self):
        whole = next((self.tape / "segments").glob("*.seg"))
        cut = self.scratch / "cut.seg"
        cut.write_bytes(whole.read_bytes()[:-4096])
        for args in (["query", "--count"], ["query", "-o", "none"], ["digest"], ["info"], ["ls", "tracks"], ["coverage"],
                     ["gaps", "--json"]):
            done = self.run_ok(args[0], *args[1:], "-T", cut, code=3)
            self.assertIn("cut.seg is cut", done.stderr, args)
        self.assertFalse(json.loads(self.run_ok("coverage", "--json", "-T", cut, code=3).stdout)[0]["complete"])
        refused = self.run_ok("query", "-T", cut, "-o", "jsonl", "--require-complete", code=3)
        self.assertEqual(refused.stdout, b"")
        self.run_ok("verify", "-T", cut, code=5)
        opened = self.scratch / "cut.open"  # a segment that is being written has no foot yet
        cut.rename(opened)
        self.run_ok("query", "-T", opened, "--count")

    def test_a_lone_segment_says_it_too(self):
        segment = next((self.tape / "segments").glob("*.seg"))
        row = json.loads(self.run_ok("info", "-T", segment, "--json").stdout)
        self.assertEqual(row[0]["segments"], 1)
        done = self.run_ok("query", "-T", segment, "--count")
        self.assertEqual(int(done.stdout), row[0]["ticks"])

    def test_tracks_and_segments_are_tables(self):
        rows = json.loads(self.run_ok("ls", "tracks", "-T", self.tape, "--json").stdout)
        self.assertEqual([row["track"] for row in rows], ["a", "b"])
        self.assertEqual([row["ticks"] for row in rows], [10, 10])
        tsv = self.run_ok("ls", "segments", "-T", self.tape).stdout.decode().splitlines()
        self.assertEqual(tsv[0].split("\t")[0], "segment")
        self.assertGreaterEqual(len(tsv), 2)

    def test_verify_finds_nothing_wrong(self):
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.run_ok("verify", "-T", self.tape, "--json").stdout, b"[]\n")


class Nothing(tapedeck.Case):
    """An answer without ticks has the columns that a tick would have had."""

    MAPS = {"trades": "ts=t,symbol=s,price=p,size=q", "quotes": "ts=t,symbol=s,bid_px=p,ask_px=q"}

    def setUp(self):
        super().setUp()
        self.once(self.fill)

    def fill(self):
        for track, columns in self.MAPS.items():
            self.run_ok("import", "-", "-T", self.tape, "--track", track, "--format", "csv", "--map", columns,
                        stdin=b"t,s,p,q\n1,A,2,3\n")

    def head(self, track, *args):
        rows = self.run_ok("query", "-T", self.tape, "--track", track, "-o", "csv", *args).stdout.splitlines()
        return rows[0] if rows else None

    def test_is_of_what_the_track_holds(self):
        heads = {track: self.head(track) for track in self.MAPS}
        self.assertEqual(len(set(heads.values())), 2)
        for track, head in heads.items():
            for nothing in (("-s", "NOPE"), ("--from", "2000-01-01"), ("--prime", "-s", "NOPE")):
                self.assertEqual(self.head(track, *nothing), head)

    def test_is_of_what_was_asked_for(self):
        for kind, track in (("wide-trade", "quotes"), ("wide-quote", "trades")):
            held = "quotes" if track == "trades" else "trades"
            self.assertEqual(self.head(track, "-t", kind), self.head(held))
            self.assertEqual(self.head(held, "-t", kind, "-s", "NOPE"), self.head(held))


class Damage(tapedeck.Case):
    def test_what_is_not_damaged_is_delivered_and_the_rest_is_named(self):
        self.put_lines("a", ((T0 + i, f"{i:>900}") for i in range(5000)))
        segment = next((self.tape / "segments").glob("*.seg"))
        self.flip(segment)

        done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", code=3)
        got = [int(json.loads(line)["text"]) for line in done.stdout.splitlines()]
        self.assertEqual(got, sorted(set(got)))
        self.assertGreater(len(got), 1000)
        self.assertLess(len(got), 5000)
        self.assertEqual((got[0], got[-1]), (0, 4999))
        for word in (segment.name.split(".")[0].lstrip("0"), "a"):
            self.assertIn(word, done.stderr)
        self.run_ok("digest", "-T", self.tape, code=3)
        self.run_ok("verify", "-T", self.tape, code=5)
        nothing = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--require-complete", code=3)
        self.assertEqual(nothing.stdout, b"")


class FiveFields(tapedeck.Case):
    TICKS = [
        '{"symbol":"BTC-USD","timestamp":1690000000.123456789,"price":50000.5,"volume":1.5,"message_type":"trade"}',
        '{"symbol":"BTC-USDT","timestamp":1690000000.2,"price":-0.000000001,"volume":0,"message_type":"trade"}',
        '{"symbol":"ETH \\"quoted\\"","timestamp":1690000001,"price":9223372036.854775806,"volume":18446744073.709551614,'
        '"message_type":"auction"}',
    ]

    def test_they_come_back_as_they_were(self):
        path = self.scratch / "ticks.jsonl"
        path.write_text("\n".join(self.TICKS) + "\n", encoding="utf-8")
        self.run_ok("import", path, "-T", self.tape, "--track", "crypto")
        done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five")
        self.assertEqual(done.stdout.decode().splitlines(), self.TICKS)
        one = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five", "-s", "BTC-USD")
        self.assertEqual(one.stdout.decode().splitlines(), self.TICKS[:1])
        glob = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five", "-s", "BTC-*")
        self.assertEqual(glob.stdout.decode().splitlines(), self.TICKS[:2])
        rows = json.loads(self.run_ok("ls", "symbols", "-T", self.tape, "--json").stdout)
        self.assertEqual(sorted(row["symbol"] for row in rows), ["BTC-USD", "BTC-USDT", 'ETH "quoted"'])

    def test_what_is_undefined_is_left_out_and_told(self):
        path = self.scratch / "ticks.dbn"
        usual = {"price": 1_000_000_000, "size": 1}
        odd = ({"price": records.PRICE_NONE}, {"price": -2**63}, {"price": -2**63 + 1}, {"size": 2**32 - 1})
        path.write_bytes(b"".join(records.trade(7, 5, **{**usual, **more}) for more in (*odd, {})) +
                         records.trade(7, records.TIME_NONE))
        self.run_ok("import", path, "-T", self.tape, "--track", "t", "--format", "dbn", code=0)
        done = self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--five", code=3)
        self.assertEqual(done.stdout.decode(), '{"symbol":"#7","timestamp":0.000000005,"price":1,"volume":1,'
                                               '"message_type":"trade"}\n')
        self.assertIn("5 ticks have no form in this format (not a whole record, or its price", done.stderr)

    def test_wide_ticks_are_in_dbns_manner(self):
        path = self.scratch / "ticks.jsonl"
        path.write_text(self.TICKS[0] + "\n", encoding="utf-8")
        self.run_ok("import", path, "-T", self.tape, "--track", "crypto")
        tick = json.loads(self.run_ok("query", "-T", self.tape, "-o", "jsonl", "--map-symbols", "-t",
                                      "wide-trade").stdout)
        self.assertEqual(tick["price"], "50000500000000")
        self.assertEqual(tick["size"], "1500000000")
        self.assertEqual(tick["symbol"], "BTC-USD")

    def test_bars_are_of_one_instrument(self):
        recorder = self.recorder("--ring", "a", "--ring", "b", "--create-ring", "1M")
        for ring in ("a", "b"):
            self.run_ok("gen", "--ring", ring, "--count", "300", "--symbols", "3")
        self.assertEqual(recorder.stop(), 0)
        for words in ((), ("-s", "S*"), ("-s", "S001", "-s", "S002"), ("--track", "a"), ("-s", "#1")):
            done = self.run_ok("bars", "-T", self.tape, *words, code=2)
            self.assertIn("more than one instrument", done.stderr)
            self.assertEqual(done.stdout, b"")
        for words in (("-s", "S001"), ("-s", "S001*", "--track", "a"), ("-s", "#1", "--track", "b")):
            self.assertTrue(json.loads(self.run_ok("bars", "-T", self.tape, "--json", *words).stdout))

    def test_bars_on_the_axis_of_events_are_of_when_it_happened(self):
        recorder = self.recorder("--ring", "a", "--create-ring", "1M")
        trade = '{"symbol":"A","timestamp":%d,"price":%d,"volume":1,"message_type":"trade"}\n'
        lines = "".join(trade % (1690000000 + i, 100 + i) for i in range(20))
        self.run_ok("feed", "-", "--format", "jsonl", "--ring", "a", "--stamp", "now", stdin=lines.encode())
        self.assertEqual(recorder.stop(), 0)
        for bounds, expected in (((), [("100", "109"), ("110", "119")]),
                                 (("--to", "1690000010000000000"), [("100", "109")]),
                                 (("--from", "1690000010000000000"), [("110", "119")])):
            bars = json.loads(self.run_ok("bars", "-T", self.tape, "-s", "A", "--axis", "event", "--every", "10s",
                                          "--json", *bounds).stdout)
            self.assertEqual([(bar["open"], bar["close"]) for bar in bars], expected)

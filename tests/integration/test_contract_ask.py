"""The command line against its contract, for commands that query. Scripts rely on this contract, so it is
tried with whatever a hostile or hurried user might type. Each class is a section of the contract, and the
names of its tests say what the section promises."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import struct
import subprocess
import unittest

from tests.support import tapedeck
from tests.support.contract import Contract, SECOND, T0, U64_MAX, Xxh3, five


class Rules(Contract):
    COMMANDS = (["ring", "create"], ["ring", "ls"], ["ring", "info"], ["ring", "rm"], ["feed"], ["gen"], ["drain"],
                ["tap"], ["import"], ["query"], ["play"], ["info"], ["ls", "tracks"], ["ls", "symbols"],
                ["ls", "segments"], ["verify"], ["digest"])

    def test_every_command_has_help_and_version_and_one_table_for_both_ways_of_asking(self):
        for command in tapedeck.some(self.COMMANDS):
            with self.subTest(command):
                text = self.run_ok(*command, "--help").stdout
                self.assertTrue(text.startswith(b"usage: tapedeck " + " ".join(command).encode()))
                self.assertNotIn(b"(null)", text)
                self.assertEqual(self.run_ok("help", *command).stdout, text)
                for word in (b"--config", b"--log-format", b"--quiet", b"--verbose"):
                    self.assertIn(word, text)
                self.assertTrue(self.run_ok(*command, "--version").stdout.startswith(b"tapedeck "))
        recorder = subprocess.run([tapedeck.BIN / "tapedeck-recorder", "--help"], env=self.env, capture_output=True,
                                  check=True)
        for word in (b"--tape", b"--ring", b"--create-ring", b"--sync", b"--block-size", b"--block-age", b"--ack-fd",
                     b"--segment-size", b"--segment-age", b"--io-workers", b"--cpu-workers", b"--exit-when-idle"):
            self.assertIn(word, recorder.stdout)

    def test_help_fits_a_terminal_says_nothing_twice_and_promises_no_segment_where_a_tape_is_wanted(self):
        commands = re.findall(r"(?m)^  ([a-z]+) ", self.run_ok("help").stdout.decode())
        for command in commands:
            text = self.run_ok("help", command).stdout.decode()
            words = text.split("\n\n", 1)[1]
            for line in words.splitlines():
                self.assertLessEqual(len(line), 80, (command, line))
            for option in re.split(r"\n  (?=-)", words):
                self.assertLessEqual(option.count("may be given"), 1, (command, option))
        for command in ("recover", "reindex", "seal", "move", "check", "doctor", "stat"):
            self.assertNotIn("one segment file", self.run_ok("help", command).stdout.decode(), command)

    def test_help_that_cannot_be_told_is_1_and_one_that_nobody_reads_is_success(self):
        for program in ("tapedeck", "tapedeck-recorder", "tapedeck-replayer"):
            for word in ("--help", "--version"):
                for shut, code in ((">/dev/full", 1), (">&-", 1), ("| :", 0)):
                    done = subprocess.run(["bash", "-c", f'"$0" {word} {shut}; exit ${{PIPESTATUS[0]}}',
                                           tapedeck.BIN / program], env=self.env, capture_output=True, check=False,
                                          timeout=tapedeck.PATIENCE)
                    self.assertEqual(done.returncode, code, (program, word, shut, done.stderr))

    def test_what_is_no_command_is_wrong_usage(self):
        for args in tapedeck.some((["nosuch"], ["nosuch", "--help"], ["help", "nosuch"], ["ring", "nosuch"], ["--nosuch"],
                     ["ring", "--nosuch"], ["query", "--nosuch"], ["query", "--coun"], ["ring"], ["ls"], ["query", "-Z"])):
            self.refused(*args)
        self.assertTrue(self.run_ok("ring", "--version").stdout.startswith(b"tapedeck "))
        self.run_ok(code=2)

    def test_file_then_environment_then_flag(self):
        self.put_lines("a", [(T0 + i * SECOND, "x") for i in range(10)])
        config = self.write("c.conf", f"tape = {self.tape}\n\n# a comment\n; another\n[query]\ncount = yes\nfrom = {T0 + SECOND}\n")
        self.assertEqual(self.run_ok("query", "--config", config).stdout, b"9\n")
        marked = self.write("marked.conf", "\ufeff" + config.read_text())  # as some editors save it
        self.assertEqual(self.run_ok("query", "--config", marked).stdout, b"9\n")
        env = dict(self.env, TAPEDECK_FROM=str(T0 + 5 * SECOND))
        self.assertEqual(self.run_ok("query", "--config", config, env=env).stdout, b"5\n")
        self.assertEqual(self.run_ok("query", "--config", config, "--from", T0 + 8 * SECOND, env=env).stdout, b"2\n")
        for text, says in (("nonsense\n", ":1:"), ("\n\nrong = 1\n", ":3:"), ("[query]\ncount = maybe\n", ":2: count"),
                           ("= 1\n", ":1:"), ("config = x\n", ":1:"), ("\0", "zero byte")):
            self.refused("query", "-T", self.tape, "--config", self.write("bad.conf", text), says=says)
        self.refused("query", "--config", self.scratch / "nothing", says="nothing")
        self.refused("query", "-T", self.tape, env=dict(self.env, TAPEDECK_COUNT="maybe"), says="TAPEDECK_COUNT")
        self.refused("query", "-T", self.tape, env=dict(self.env, TAPEDECK_COUNT=""), says="-o")  # empty is not set

    def test_talk_may_be_json_a_line(self):
        for args in (("query", "-T", self.scratch / "none", "-o", "none", "--log-format", "json"),
                     ("--log-format", "json", "query", "-T", self.scratch / "none", "-o", "none")):
            line = json.loads(self.refused(*args, code=1).stderr)
            self.assertEqual(line["level"], "error")
        self.refused("query", "--log-format", "xml")

    def test_lists_are_a_table_on_a_terminal_tsv_in_a_pipe_and_an_array_for_machines(self):
        self.put_lines("a", [(T0, "x")])
        self.run_ok("ring", "create", "r", "--size", "64K")
        for args in (("info", self.tape), ("ls", "tracks", "-T", self.tape), ("ls", "segments", "-T", self.tape),
                     ("ls", "symbols", "-T", self.tape), ("ring", "ls"), ("ring", "info", "r"),
                     ("query", "-T", self.tape, "--explain")):
            with self.subTest(args):
                header, *lines = self.run_ok(*args).stdout.decode().splitlines()
                array = json.loads(self.run_ok(*args, "--json").stdout)
                self.assertIsInstance(array, list)
                self.assertEqual(len(array), len(lines))
                for line, row in zip(lines, array):
                    self.assertEqual(header.split("\t"), list(row))
                    self.assertEqual(len(line.split("\t")), len(row))
                status, shown, _ = self.on_terminal(*args)
                self.assertEqual(status, 0)
                self.assertNotIn(b"\t", shown)

    def test_binary_to_a_terminal_is_refused(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        self.put_lines("a", [(T0, "x")])
        for args in (("query", "-T", self.tape, "-o", "frames"), ("query", "-T", self.tape, "-o", "frames", "-O", "-"),
                     ("query", "-T", self.tape, "-o", "dbn"), ("query", "-T", self.tape, "-o", "dbn.zst"),
                     ("drain", "r", "-o", "frames", "--timeout", "1s"), ("tap", "r", "-o", "frames", "--timeout", "1s")):
            status, shown, stderr = self.on_terminal(*args)
            self.assertEqual((status, shown), (2, b""), args)
            self.assertEqual(len(stderr.splitlines()), 1)
        self.assertEqual(self.on_terminal("query", "-T", self.tape, "-o", "jsonl")[0], 0)

    def test_progress_can_be_read_by_machines(self):
        self.put_lines("a", [(T0, "x")])
        path = self.write("more.lines", "1 a\n")
        for args in (("import", path, "-T", self.tape, "--track", "b"), ("query", "-T", self.tape, "-o", "none"),
                     ("verify", "-T", self.tape), ("gen", "--ring", "r", "--create", "64K", "--count", "3")):
            done = self.run_ok(*args, "--progress", "ndjson", "-q")
            last = json.loads(done.stderr.splitlines()[-1])
            self.assertEqual(last["progress"], args[0])
            self.assertGreaterEqual(last["ticks"], 1)
            self.refused(*args, "--progress", "bogus")

    def test_progress_of_several_files_is_of_all(self):
        paths = [self.write(name, "".join(f"{T0 + i} {name}\n" for i in range(500))) for name in ("a", "b")]
        done = self.run_ok("import", *paths, "-T", self.tape, "--track", "a", "--progress", "ndjson", "-q")
        last = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual(last["total"], sum(path.stat().st_size for path in paths))

    def test_sizes_are_powers_of_1024(self):
        for word, size in (("64K", 65536), ("65536", 65536), ("128K", 131072), ("1M", 1 << 20)):
            self.run_ok("ring", "create", "s", "--size", word)
            self.assertEqual(self.ring_info("s")["capacity"], size)
            self.run_ok("ring", "rm", "s")
        for word in tapedeck.some(("", "0", "1", "63K", "96K", "-1", "64KB", "64 K", "x", "2T", "18446744073709551616", "99999999999G")):
            self.refused("ring", "create", "s", "--size", word)
        self.assertEqual(os.listdir(self.rings), [])

    def test_durations_have_a_unit(self):
        self.put_lines("a", [(T0, "x")])
        for word in ("250ms", "1s", "5m", "1h"):
            self.run_ok("digest", "-T", self.tape, "--by", word)
        for word in tapedeck.some(("", "5", "0s", "-1s", "1S", "1 s", "999999999999h", "s")):
            self.refused("digest", "-T", self.tape, "--by", word)

    def test_names_are_checked(self):
        path = self.write("l", "1 a\n")
        good, bad = ("a", "0", "A-b.c_9", "x" * 64), ("", ".a", "-a", "_a", "a/b", "../x", "a b", "é", "a\n", "x" * 65)
        for name in good:
            self.run_ok("ring", "create", name, "--size", "64K", "-q")
            self.run_ok("import", path, "-T", self.tape, "--track", name, "-q")
        for name in tapedeck.some(bad):
            self.refused("ring", "create", "--size", "64K", "--", name)
            self.refused("import", path, "-T", self.tape, "--track", name)
            self.refused("query", "-T", self.tape, "--count", f"--track={name}")
            self.refused("gen", "--count", "1", f"--ring={name}")
            self.refused("play", "-T", self.tape, f"--into={name}")
        self.assertEqual(len(os.listdir(self.rings)), len(good))


class Times(Contract):
    def setUp(self):
        super().setUp()
        self.once(lambda: self.put_lines("a", [(T0 + i * SECOND, str(i)) for i in range(4)]))

    def test_times_in_every_form(self):
        for word, left in tapedeck.some((
                (str(T0 + SECOND), 3), ("0", 4), (str(U64_MAX), 0), ("2023-11-14T22:13:21Z", 3),
                ("2023-11-14T22:13:21.000000000Z", 3), ("2023-11-14T22:13:21.000000001Z", 2), ("2023-11-14T22:13:20.9Z", 3),
                ("2023-11-14T22:13:21+00:00", 3), ("2023-11-15T03:43:21+05:30", 3), ("2023-11-14T14:13:21-08:00", 3),
                ("2023-11-14", 4), ("2023-11-15", 0), ("1970-01-01", 4), ("1969-12-31T23:30:00-01:00", 4),
                ("2554-07-21T23:34:33.709551615Z", 0), ("2024-02-29", 0), ("now", 0), ("now-5m", 0), ("now-1000000h", 4),
                ("start", 4), ("end", 0), ("start+1s", 3), ("start+1001ms", 2), ("end-1s", 1), ("start-1h", 4),
                ("end+1h", 0), ("end-1000000h", 4))):
            with self.subTest(word):
                self.assertEqual(self.count("--from", word), left)

    def test_what_is_no_time(self):
        for word in tapedeck.some(("", " ", "x", "-1", "+5", "1.5", "0x10", "18446744073709551616", "99999999999999999999999",
                     "2023-11-14T22:13:21", "2023-11-14T22:13:21.1234567890Z", "2023-11-14T22:13:21.Z", "2023-11-14T22:13Z",
                     "2023-02-29", "2023-13-01", "2023-00-10", "2023-11-31", "2023-1-1", "1969-12-31", "1970-01-01T00:30:00+01:00",
                     "2554-07-21T23:34:33.709551616Z", "2555-01-01", "9999-12-31T23:59:59Z", "2016-12-31T23:59:60Z",
                     "2023-11-14T24:00:00Z", "2023-11-14T23:60:00Z", "2023-11-14T22:13:21+24:00", "2023-11-14Z",
                     "now-", "now-5", "now-5x", "Now", "start+1s+1s", "start + 1s", "start+18446744073709551615")):
            with self.subTest(word):
                self.refused("query", "-T", self.tape, "--count", "--from", word, says="--from")
                self.refused("digest", "-T", self.tape, "--to", word, says="--to")

    def test_a_zone_stands_in_for_the_one_that_is_missing(self):
        for zone, time_ in (("UTC", "2023-11-14T22:13:21"), ("+01:00", "2023-11-14T23:13:21"), ("-05:00", "2023-11-14T17:13:21")):
            self.assertEqual(self.count("--tz", zone, "--from", time_), 3)
        self.assertEqual(self.count("--tz", "+01:00", "--from", "2023-11-14T22:13:21Z"), 3)
        for zone in ("", "Nowhere/Town", "../../etc/passwd", "+1", "+99:00"):
            self.refused("query", "-T", self.tape, "--count", "--tz", zone, "--from", "2023-11-14T22:13:21")
        if pathlib.Path("/usr/share/zoneinfo/Europe/Berlin").exists():
            self.assertEqual(self.count("--tz", "Europe/Berlin", "--from", "2023-11-14T23:13:21"), 3)
            for time_ in ("2023-03-26T02:30:00", "2023-10-29T02:30:00"):  # this time did not exist, this one came twice
                self.refused("query", "-T", self.tape, "--count", "--tz", "Europe/Berlin", "--from", time_, says="clocks")

    def test_a_range_has_its_beginning_and_not_its_end(self):
        self.assertEqual(self.texts("--from", T0 + SECOND, "--to", T0 + 3 * SECOND), ["1", "2"])
        self.assertEqual(self.texts("--from", T0, "--to", T0), [])
        self.assertEqual(self.count("--from", "start", "--to", "end"), 4)
        self.refused("query", "-T", self.tape, "--count", "--from", "end", "--to", "start", says="after")

    def test_start_and_end_of_a_tape_without_ticks(self):
        empty = self.scratch / "empty"
        self.run_ok("import", self.write("none", ""), "-T", empty, "--track", "t", "--format", "lines", "-q")
        for args in (["--from", "start"], ["--to", "end"], ["--from", "start", "--to", "end"], ["--from", "end-1s"],
                     ["--from", "start+1s"]):
            self.assertEqual(self.count(*args, tape=empty), 0)
        self.assertEqual(self.run_ok("digest", "-T", empty).stdout, b"digest 99aa06d3014798d86001c324468d497f ticks 0\n")
        row = json.loads(self.run_ok("info", empty, "--json").stdout)[0]
        self.assertEqual((row["ticks"], row["first_ts"], row["last_ts"]), (0, None, None))

    def test_absurd_times_are_kept_and_found_and_are_no_end(self):
        odd = self.scratch / "odd"
        self.put_lines("t", [(T0, "a"), (U64_MAX, "b"), (T0 + 1, "c"), (4 * 10**18, "d"), (10**18, "e")], tape=odd)
        self.assertEqual(self.texts(tape=odd), ["a", "b", "c", "d", "e"])
        self.assertEqual(self.texts("--from", "start", "--to", "end", tape=odd), ["a", "c", "e"])
        self.assertEqual(self.texts("--from", "end", tape=odd), ["b", "d"])
        self.assertEqual(self.texts("--from", U64_MAX, tape=odd), ["b"])
        self.assertIsNone(self.rows("--from", U64_MAX, "--pretty", tape=odd)[0]["ts"])

    def test_the_event_axis_is_that_of_the_payload(self):
        path = self.shared("dbn", "databento-dbn", "test_data.bbo-1m.dbn")
        tape = self.scratch / "event"
        self.run_ok("import", path, "-T", tape, "--track", "t", "-q")
        rows = self.rows("--envelope", tape=tape)
        for axis, get in (("event", lambda row: int(row["hd"]["ts_event"])), ("recv", lambda row: int(row["tape"]["ts"]))):
            times = sorted({get(row) for row in rows})
            for i, low in enumerate(times):
                for high in times[i:]:
                    want = [row for row in rows if low <= get(row) < high]
                    self.assertEqual(self.rows("--envelope", "--axis", axis, "--from", low, "--to", high, tape=tape), want)
        self.refused("query", "-T", self.tape, "--count", "--axis", "EVENT")


class Sources(Contract):
    """Without a value the command fails. It does not guess one."""

    def test_no_source_is_2_and_one_that_cannot_be_opened_is_1(self):
        for command in (["query", "--count"], ["digest"], ["info"], ["verify"], ["ls", "tracks"], ["play", "--into", "r"]):
            self.refused(*command)
            self.refused(*command, "-T", "")
            self.refused(*command, "-T")
            self.refused(*command, "-T", self.scratch / "nothing", code=1, says="nothing")
            self.refused(*command, "-T", self.scratch, code=1)
            if command != ["verify"]:  # to verify, a file that is no segment is a damaged segment
                self.refused(*command, "-T", self.write("file", "no tape"), code=1)
            self.refused(*command, env=dict(self.env, TAPEDECK_TAPE=str(self.scratch / "other")), code=1, says="other")
        self.assertEqual(os.listdir(self.rings), [])

    def test_a_query_creates_nothing(self):
        self.put_lines("a", [(T0, "x")])
        shutil.rmtree(self.tape / "index")
        before = sorted(self.tape.rglob("*"))
        for command in (["query", "--count"], ["query", "-o", "none", "--digest"], ["query", "--explain"], ["digest"],
                        ["info"], ["ls", "tracks"], ["ls", "symbols"]):
            self.run_ok(*command, "-T", self.tape)
        self.assertEqual(sorted(self.tape.rglob("*")), before)

    def test_an_unknown_track_is_1_and_an_unknown_symbol_is_nothing(self):
        self.put_lines("a", [(T0, "x")])
        for command in (["query", "--count"], ["digest"], ["play", "--into", "r", "--create", "64K"]):
            self.refused(*command, "-T", self.tape, "--track", "b", code=1, says="b")
        self.refused("query", "--count", "-T", self.tape, "--track", "a", "--track", "b", code=1)
        self.assertEqual(self.count("-s", "nobody"), 0)
        self.assertEqual(os.listdir(self.rings), [])

    def test_an_existing_file_is_2_and_stays_and_force_replaces_it(self):
        self.put_lines("a", [(T0, "x")])
        self.run_ok("ring", "create", "r", "--size", "64K")
        out = self.write("out.jsonl", "mine")
        self.refused("query", "-T", self.tape, "-O", out, says="--force")
        self.refused("drain", "r", "-O", out, "--timeout", "1s", says="--force")
        self.assertEqual(out.read_text(), "mine")
        self.query("-O", out, "--force")
        self.assertEqual(len(out.read_text().splitlines()), 1)
        self.refused("query", "-T", self.tape, "-O", self.scratch / "no" / "such.csv", code=1, says="such.csv")
        self.refused("query", "-T", self.tape, "-o", "csv", "-O", self.scratch, code=1, says="directory")
        self.refused("query", "-T", self.tape, "-O", "")

    def test_minus_is_stdin_and_stdout(self):
        self.run_ok("import", "-", "-T", self.tape, "--track", "a", "-q", stdin=b"1 x\n")
        self.assertEqual(len(self.query("-o", "jsonl", "-O", "-").stdout.splitlines()), 1)
        self.refused("query", "-T", self.tape, "-O", "-")  # no file name from which the format could be taken

    def test_a_closed_pipe_is_success(self):
        self.put_lines("a", [(T0 + i, "x" * 100) for i in range(20000)])
        for form in ("jsonl", "csv", "frames"):
            process = subprocess.Popen([tapedeck.BIN / "tapedeck", "query", "-T", self.tape, "-o", form], env=self.env,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.read(100)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
            self.assertEqual(process.wait(tapedeck.PATIENCE), 0)

    def test_a_closed_descriptor_is_never_that_of_a_file_of_the_tape(self):
        self.put_lines("a", [(T0 + i, "x" * 100) for i in range(2000)])
        index = [self.tape / "index" / name for name in ("data.mdb", "lock.mdb")]
        for shut in ("1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"):
            for args in (("query", "-T", self.tape, "-o", "jsonl"), ("query", "-T", self.tape, "-o", "dbn"),
                         ("reindex", "-T", self.tape), ("import", self.scratch / "nosuch", "-T", self.tape, "--track", "a")):
                done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {shut}', tapedeck.BIN / "tapedeck", *args], env=self.env,
                                      capture_output=True, check=False, timeout=tapedeck.PATIENCE)
                if "1>&-" in shut and args[-1] == "jsonl":
                    self.assertEqual(done.returncode, 1, done.stderr) # the output went nowhere, so this is a failure
                for path in index:
                    self.assertFalse(b"tapedeck " in path.read_bytes(), (shut, *args))
        self.run_ok("verify", "-T", self.tape)
        self.assertEqual(self.count(), 2000)

    def test_a_lone_segment_is_a_source(self):
        self.put_lines("a", [(T0, "x")])
        self.put_lines("b", [(T0 + 1, "y")])
        first, second = sorted((self.tape / "segments").iterdir())
        self.assertEqual(self.texts(tape=first), ["x"])
        self.assertEqual(self.texts(tape=second), ["y"])
        row = json.loads(self.run_ok("info", second, "--json").stdout)[0]
        self.assertEqual((row["ticks"], row["created"]), (1, None))

    def test_bad_words_of_query(self):
        self.put_lines("a", [(T0, "x")])
        for args in tapedeck.some((["-o", "xml"], ["-o", ""], [], ["--count", "extra"], ["-n", "0", "-o", "none"], ["-n", "-1", "-o", "none"],
                     ["-n", "1K", "-o", "none"], ["-n", "18446744073709551616", "-o", "none"], ["--count", "-s", ""],
                     ["--count", "-s", "#"], ["--count", "-s", "#x"], ["--count", "-s", "#4294967296"], ["--count", "-t", "mboo"],
                     ["--count", "-t", "0"], ["--count", "-t", "192"], ["--count", "-t", "256"], ["--count", "-t", "-1"],
                     ["--count", "-t", ""], ["--count", "--explain"], ["--count", "-O", "x"], ["--explain", "--digest"],
                     ["-o", "csv", "--five"], ["-o", "jsonl", "--five", "--envelope"], ["-o", "frames", "--pretty"],
                     ["-o", "csv", "--control"], ["-o", "jsonl", "--five"], ["-o", "dbn"])):
            with self.subTest(args):
                self.refused("query", "-T", self.tape, *args)

    def test_nothing_is_4_only_when_asked_for(self):
        self.put_lines("a", [(T0, "x")])
        self.query("-o", "none", "--to", T0)
        self.query("-o", "none", "--to", T0, "--fail-empty", code=4)
        self.query("--count", "--to", T0, "--fail-empty", code=4)
        self.query("--count", "--digest", "--to", T0, "--fail-empty", code=4)


class Order(Contract):
    def setUp(self):
        super().setUp()
        self.streams, files = {}, []
        for n, track in enumerate(("b", "a", "B", "a-1", "a.1", "Z9")):
            stream = self.streams[track] = []
            for epoch in range(2):
                # Ties, disorder, and two epochs that overlap in time.
                ticks = [(T0 + (i * 7 + n * 3) % 11 // 2 + epoch * 3, f"{track}/{epoch}/{i}") for i in range(40)]
                files.append((track, ticks))
                stream += [(ts, track, epoch, seq, text) for seq, (ts, text) in enumerate(ticks, 1)]
        self.once(lambda: [self.put_lines(*file, "--block-size", "4K") for file in files])

    def merged(self, low=0, high=U64_MAX):
        """Merge the tracks: by seq inside a track, and by (ts, name bytewise, epoch, seq) between tracks."""
        left = {track: [tick for tick in ticks if low <= tick[0] < high] for track, ticks in self.streams.items()}
        out = []
        while any(left.values()):
            first = min((ticks[0][0], track.encode(), ticks[0][2:4], track) for track, ticks in left.items() if ticks)[3]
            out.append(left[first].pop(0)[4])
        return out

    def test_tracks_are_merged_and_reverse_is_the_exact_reverse(self):
        for low, high in ((0, U64_MAX), (T0 + 1, T0 + 2), (T0 + 3, T0 + 6), (T0 + 8, T0 + 8)):
            want = self.merged(low, high)
            span = ("--from", low, "--to", high)
            self.assertEqual(self.texts(*span), want)
            self.assertEqual(self.texts(*span, "--reverse"), want[::-1])
            self.assertEqual(self.count(*span), len(want))

    def test_a_limit_counts_after_reverse(self):
        want = self.merged()
        for limit in (1, 7, len(want) - 1, len(want), len(want) + 1):
            self.assertEqual(self.texts("-n", limit), want[:limit])
            self.assertEqual(self.texts("-n", limit, "--reverse"), want[::-1][:limit])
            self.assertEqual(self.count("-n", limit), min(limit, len(want)))

    def test_control_frames_are_in_neither_counts_nor_limit_nor_digest(self):
        plain, control = (self.query("-o", "jsonl", "--digest", "-n", 50, *more) for more in ([], ["--control"]))
        self.assertEqual(self.digest_of(plain.stderr), self.digest_of(control.stderr))
        self.assertGreater(len(control.stdout.splitlines()), 50)
        self.assertEqual([line for line in control.stdout.splitlines() if b'"control"' not in line], plain.stdout.splitlines())

    def test_explain_reads_less_for_less(self):
        def blocks(*args):
            return json.loads(self.query("--explain", "--json", *args).stdout)[0]["blocks"]
        self.assertEqual(blocks("--track", "a"), 2)
        self.assertEqual(blocks("--to", T0 - 1), 0)
        self.assertGreaterEqual(blocks(), 12)

    def test_the_digest_is_that_of_the_definition(self):
        try:
            xxh3 = Xxh3()
        except (OSError, AttributeError):
            self.skipTest("no libxxhash to look over the shoulder")
        rows = self.rows("--envelope")

        def digest(some):
            data = b""
            for row in some:
                tape, payload = row["tape"], row["text"].encode()
                data += bytes([len(tape["track"])]) + tape["track"].encode()
                data += struct.pack("<QQQBI", int(tape["epoch"]), int(tape["seq"]), int(tape["ts"]), row["type"], len(payload))
                data += payload
            return xxh3.hex(data), len(some)
        self.assertEqual(self.tape_digest(), digest(rows))
        self.assertEqual(self.tape_digest("--reverse"), digest(rows[::-1]))
        self.assertEqual(self.tape_digest("-n", 33), digest(rows[:33]))
        picked = [row for row in rows if row["track"] in ("B", "a")]
        self.assertEqual(self.tape_digest("--track", "a", "--track", "B"), digest(picked))
        self.assertEqual(self.run_ok("digest", "-T", self.tape).stdout.decode(), "digest {} ticks {}\n".format(*digest(rows)))
        both = self.query("--count", "--digest")
        self.assertEqual(self.digest_of(both.stderr), digest(rows))
        self.assertEqual(both.stdout, f"{len(rows)}\n".encode())

    def test_a_digest_by_interval_is_that_of_each(self):
        lines = self.run_ok("digest", "-T", self.tape, "--by", "2ns", "--track", "a").stdout.decode().splitlines()
        self.assertGreater(len(lines), 3)
        total = 0
        for line in lines:
            time_, value, ticks = line.split(" ")
            total += int(ticks)
            low = T0 + int(time_[20:29])
            self.assertEqual((value, int(ticks)), self.tape_digest("--track", "a", "--from", low, "--to", low + 2))
        self.assertEqual(total, len(self.streams["a"]))


class Choosing(Contract):
    SYMBOLS = ("A", "a", "*", "[x]", "x", "a*b", "abc", "a b", "é", "BTC-USD", "BTC-USDT", "BTC/USD", "-x", "a,b", "#5")

    def test_symbols_are_exact_or_ids_or_globs(self):
        text = "\n".join(five(symbol=json.dumps(symbol, ensure_ascii=False)) for symbol in self.SYMBOLS)
        self.run_ok("import", self.write("five", text), "-T", self.tape, "--track", "t")

        def got(*args):
            return [row["symbol"] for row in self.rows("--five", *args)]
        self.assertEqual(got(), list(self.SYMBOLS))
        for pattern, want in (("A", ["A"]), ("BTC-USD", ["BTC-USD"]), ("BTC-*", ["BTC-USD", "BTC-USDT"]), ("*", list(self.SYMBOLS)),
                              ("\\*", ["*"]), ("[[]x]", ["[x]"]), ("[x]", ["[x]", "x"]), ("a?c", ["abc"]), ("a*b", ["a*b", "a b", "a,b"]),
                              ("-x", ["-x"]), ("é", ["é"]), ("[#]5", ["#5"]), ("nobody", []), ("BTC", [])):
            self.assertEqual(got("-s", pattern), want, pattern)
        self.assertEqual(got("-s", "A", "-s", "abc"), ["A", "abc"])
        for row in json.loads(self.run_ok("ls", "symbols", "-T", self.tape, "--json").stdout):
            self.assertEqual(got("-s", f"#{row['instrument_id']}"), [row["symbol"]])

    def test_types_are_schemas_wide_trades_names_and_numbers(self):
        self.run_ok("import", self.write("five", five()), "-T", self.tape, "--track", "five")
        self.put_lines("lines", [(T0, "x"), (T0, "y")], "--type-name", "json")
        for word, ticks in (("wide-trade", 1), ("wide-quote", 0), ("json", 2), ("3", 2), ("2", 1), ("1", 0), ("191", 0), ("mbo", 0),
                            ("trades", 0), ("mbp-1", 0), ("ohlcv-1d", 0), ("definition", 0), ("statistics", 0), ("status", 0)):
            self.assertEqual(self.count("-t", word), ticks, word)
        self.assertEqual(self.count("-t", "json", "-t", "wide-trade"), 3)

    def test_an_empty_csv_has_the_head_of_what_was_asked_for(self):
        self.run_ok("ring", "create", "feed", "--size", "256K")
        recorder = self.recorder("--ring", "feed")
        self.run_ok("gen", "--ring", "feed", "--count", 100) # trades and mbp-1; no file's head announced them
        self.assertEqual(recorder.stop(), 0, recorder.stderr)
        query = ("query", "-T", self.tape, "-o", "csv", "-t", "trades")
        some, none = self.run_ok(*query, "--track", "feed"), self.run_ok(*query, "--track", "feed", "--to", 1000)
        self.assertEqual(none.stdout, some.stdout.splitlines(keepends=True)[0])

    def test_one_schema_a_csv(self):
        folder = self.shared("dbn", "databento-dbn")
        self.run_ok("import", folder / "test_data.mbo.v3.dbn", "-T", self.tape, "--track", "mbo")
        self.run_ok("import", folder / "test_data.trades.v3.dbn.zst", "-T", self.tape, "--track", "trades")
        self.refused("query", "-T", self.tape, "-o", "csv", says="-t")
        self.assertEqual(len(self.query("-o", "csv", "-t", "mbo").stdout.splitlines()), 3)
        self.assertEqual(len(self.query("-o", "csv", "-t", "trades").stdout.splitlines()), 3)
        envelope = self.query("-o", "csv", "-t", "mbo", "--envelope", "--pretty", "--map-symbols").stdout.decode().splitlines()
        self.assertTrue(envelope[0].startswith("track,epoch,seq,ts,ts_recv,"))
        self.assertTrue(envelope[0].endswith(",symbol") and envelope[1].endswith(",ESH1"))
        row = self.rows("-t", "mbo", "--envelope")[0]
        self.assertEqual(set(row["tape"]), {"track", "epoch", "seq", "ts"})
        self.assertIsInstance(row["order_id"], str)


class Damage(Contract):
    def test_nothing_changed_is_served_the_rest_is_and_the_place_is_named(self):
        self.put_lines("a", [(T0 + i, f"{i} " + "p" * 60) for i in range(300)], "--block-size", "4K")
        want = self.query("-o", "jsonl").stdout.splitlines()
        segment = next((self.tape / "segments").iterdir())
        data = segment.read_bytes()
        for at in range(5, len(data), len(data) // 24):
            segment.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
            done = self.run_cli("query", "-T", self.tape, "-o", "jsonl")
            got = done.stdout.splitlines()
            self.assertEqual(got, [line for line in want if line in set(got)])
            self.assertEqual(done.returncode, 0 if got == want else 3, at)
            if got != want:
                self.assertRegex(done.stderr, r"segment 1 offset \d+: \d+ ticks of track a from 2023-")
                self.assertGreater(len(got), 200)
            self.run_ok("verify", "-T", self.tape, code=5)
        segment.write_bytes(data)
        self.run_ok("verify", "-T", self.tape)

    def test_a_segment_that_is_cut_or_gone_is_told(self):
        self.put_lines("a", [(T0 + i, "x" * 100) for i in range(200)], "--block-size", "4K")
        self.put_lines("b", [(T0, "y")])
        first = sorted((self.tape / "segments").iterdir())[0]
        data = first.read_bytes()
        for size in (0, 100, 4096, 9000):
            first.write_bytes(data[:size])
            self.assertIn("y", [row["text"] for row in self.rows(code=3)])
            self.run_ok("verify", "-T", self.tape, code=5)
        first.unlink()
        self.assertEqual([row["text"] for row in self.rows(code=3)], ["y"])
        self.run_ok("verify", "-T", self.tape, code=5)


class Signals(Contract):
    def test_an_interrupted_query_is_1_and_leaves_no_file(self):
        self.put_lines("a", [(T0 + i, "x" * 200) for i in range(50000)])
        fifo = self.scratch / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(fifo, os.O_WRONLY)
        query = self.start_cli("query", "-T", self.tape, "-o", "jsonl", stdout=writer)
        os.close(writer)
        self.assertTrue(select.select([reader], [], [], tapedeck.PATIENCE)[0])  # it has begun to write
        query.signal(signal.SIGINT)
        os.set_blocking(reader, True)
        while os.read(reader, 1 << 20):
            pass
        self.assertEqual(query.wait(), 1)
        self.assertIn("interrupted", query.stderr)
        os.close(reader)

    def test_a_terminal_that_is_closed_ends_a_play_with_its_end(self):
        self.put_lines("a", [(T0 + i, "x") for i in range(10)])
        play = self.start_cli("play", "-T", self.tape, "--into", "r", "--create", "64K", "--paused")
        self.wait_for(lambda: (self.rings / "r.ring").exists() and self.ring_info("r")["producer"] == play.pid)
        play.signal(signal.SIGHUP)
        self.assertEqual(play.wait(), 1, play.stderr)
        self.run_ok("drain", "r", "--until-end", "-o", "none", code=3)  # the play was not whole

    def test_what_nohup_ignores_stays_ignored(self):
        self.run_ok("ring", "create", "r", "--size", "64K")
        drain = self.start_cli("drain", "r", "-o", "none", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for(lambda: self.ring_info("r")["consumer"] == drain.pid)
        drain.signal(signal.SIGHUP)
        self.assertEqual(drain.stop(), 0, drain.stderr)


if __name__ == "__main__":
    unittest.main()

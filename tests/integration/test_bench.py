"""tapedeck bench: every row is measured and checked; comparisons and mistakes are reported. No figure is judged."""

import contextlib
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import xml.etree.ElementTree

from tests.support import tapedeck


class Bench(tapedeck.Case):
    def bench(self, *args):
        rows = json.loads(self.run_ok("bench", *args, "--runs", "1", "--json", "-q").stdout)
        for row in rows:
            self.assertGreater(row["operations"], 0, row)
            self.assertGreater(row["time"], 0, row)
        return {row["what"]: row for row in rows}

    def test_ring(self):
        rows = self.bench("ring", "--count", "20000", "--rate", "20000")
        self.assertEqual(list(rows), ["one at a time", "batches of 32", "32 to 256 bytes",
                                      "one at a time, tapped", "paced, 20000/s", "round trip"])
        self.assertEqual(rows["one at a time"]["operations"], 20000)
        self.assertGreater(rows["round trip"]["p50"], 0)
        self.assertIsNone(rows["one at a time"]["p50"])
        self.assertEqual(os.listdir(self.rings), [])

    def test_record(self):
        rows = self.bench("record", "--count", "20000", "--producers", "2", "--rate", "20000", "--ring-size", "1M",
                          "--dir", self.scratch)
        for row in ("the disk alone, durable", "a bare recorder, durable"):
            rows.pop(row, None)  # only measured where the page cache can be bypassed
        self.assertEqual(list(rows), ["copy and CRC-32C alone", "copy and CRC-32C, three ways", "drained, no disk",
                                      "written, 1 ring", "written, 2 rings", "durable, 1 ring", "durable, 2 rings", "publish, nobody reads",
                                      "publish, recorded"])
        few = self.bench("record", "--count", "20000", "--only", "CRC", "--dir", self.scratch)
        self.assertEqual(list(few), ["copy and CRC-32C alone", "copy and CRC-32C, three ways"])
        self.assertEqual(os.listdir(self.scratch), [])
        self.assertEqual(os.listdir(self.rings), [])

    def test_one_that_is_killed_leaves_no_recorder(self):
        bench = self.start_cli("bench", "record", "--runs", "100", "--only", "durable, 1 ring", "--ring-size", "1M",
                               "--dir", self.scratch)

        def proc(pid, file):
            try:
                return pathlib.Path(f"/proc/{pid}/{file}").read_text()
            except OSError:  # the process is gone
                return ""

        found = []

        def look():
            children = proc(bench.pid, f"task/{bench.pid}/children").split()
            found.extend(child for child in children if proc(child, "comm").startswith("tapedeck-record"))
            return found

        self.wait_for(look)
        bench.kill()
        self.wait_for(lambda: proc(found[0], "stat").rpartition(") ")[2][:1] in ("", "Z"))

    def test_query_and_play_make_a_day_and_remove_it(self):
        rows = self.bench("query", "--ticks", "20000", "--repeat", "3", "--dir", self.scratch)
        self.assertEqual(rows["everything, in order"]["operations"], 20000)
        self.assertEqual(rows["one symbol, a minute"]["operations"], 3)
        rows = self.bench("play", "--ticks", "20000", "--ring-size", "1M", "--dir", self.scratch)
        self.assertEqual(rows["at full speed"]["operations"], 20000)
        self.assertEqual(rows["at full speed, 4 tracks merged"]["operations"], 20000)
        self.assertEqual(rows["at full speed, sealed, cold"]["operations"], 20000)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_the_store_adapter_records_a_day_and_answers(self):
        day = [(i * 1000000, 10000 + i % 7, i % 5, i % 3, i % 11, i) for i in range(5000)]
        data = self.scratch / "day"
        data.write_bytes(b"".join(struct.pack("<QqIIII", *tick) for tick in day))
        for seal in ("", "1"):
            store = self.scratch / f"store{seal}"
            store.mkdir()
            env = self.env | {"TDK_BIN": str(tapedeck.BIN), "BENCH_SEAL": seal}

            def adapter(*args):
                done = subprocess.run([tapedeck.SOURCE / "tests/bench/store/adapter", *map(str, args)], env=env,
                                      capture_output=True, text=True, timeout=tapedeck.PATIENCE, check=True)
                return [dict(word.split("=") for word in line.split()) for line in done.stdout.splitlines()]

            (recorded,) = adapter("record", data, store)
            self.assertEqual(recorded["ticks"], "5000")
            self.assertEqual(recorded["mode"], "ring+recorder,synced" + (",sealed" if seal else ""))
            for symbol, begin, end in ((-1, 0, 9 * 10**18), (1, 0, 9 * 10**18), (2, 10**9, 2 * 10**9)):
                want = [tick for tick in day if symbol in (-1, tick[3]) and begin <= tick[0] < end]
                answers = adapter("query", store, "rows", symbol, begin, end, 2)
                self.assertEqual(len(answers), 2)
                for answer in answers:
                    self.assertEqual([int(answer[key]) for key in ("rows", "px", "sz", "fl", "inv")],
                                     [len(want), sum(t[1] for t in want), sum(t[2] for t in want),
                                      sum(t[4] for t in want), 0])
                self.assertEqual(int(adapter("query", store, "count", symbol, begin, end, 1)[0]["rows"]), len(want))

    def test_a_report_is_made_of_what_was_measured(self):
        out = self.scratch / "out"
        out.mkdir()
        (out / "machine.txt").write_text("a machine\n", encoding="utf-8")
        (out / "ring.tsv").write_text(
            "".join(f"T\t{name}\tone\tcap={1 << 20}\t{rate}\t1\t1\n" for name, rate in
                    (("tapedeck", 30), ("tapedeck", 50), ("tapedeck", 40), ("boost_spsc", 10), ("limit_bulk", 99)))
            + "L\tboost_spsc\tlat\tcap=1\t200\t1\t1\t1\nL\ttapedeck\tlat\tcap=1\t300\t1\t1\t1\n", encoding="utf-8")
        (out / "store.tsv").write_text(
            "".join(f"{name}\trecord\t1000000\t{sec}\t9000000\t1\tsynced\t1\n" for name, sec in
                    (("flat", 1), ("tapedeck", .25)))
            + "".join(f"{name}\tsym_1min\t{heat}\t{sec}\t{rows},1,1,1,0\t1\n" for name, heat, sec, rows in
                      (("flat", "hot", 1e-5, 7), ("flat", "cold", 1e-2, 7), ("tapedeck", "hot", 1e-5, 8))), encoding="utf-8")
        (out / "play.json").write_text('[{"what": "at full speed", "rate": 5000000, "p50": null, "p99": null}]',
                                       encoding="utf-8")
        (out / "record.json").write_text(json.dumps([
            {"what": what, "rate": rate, "bytes_rate": rate * 88, "p50": None, "p99": None} for what, rate in
            (("the disk alone, durable", 20000000), ("a bare recorder, durable", 16000000), ("durable, 1 ring", 15000000))]),
            encoding="utf-8")
        (out / "bare-play.json").write_text('{"name": "bare play: read, sum, copy", "per_s": 65000000}\n', encoding="utf-8")
        (out / "ring.log").write_text("FAILED (3): build/tapedeck --mode=batch\n", encoding="utf-8")
        (out / "store.log").write_text("flat record: ticks=1000000\nskip lmdb: record failed\nskip nats: needs a server\n",
                                       encoding="utf-8")
        report = tapedeck.SOURCE / "tests/bench/report.py"
        done = subprocess.run([sys.executable, report, out], capture_output=True, text=True,
                              timeout=tapedeck.PATIENCE, check=False)
        told = done.stdout
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(told.strip(), (out / "tables.md").read_text(encoding="utf-8").strip())
        for line in ("| ring, 64 bytes one at a time, 1 MiB: of boost_spsc | at least 2.5 x | 4 x |  | yes |",
                     "| ring, round trip, p50: of boost_spsc | at most 1.05 x | 1.5 x |  | **no** |",
                     "| record until durable: of flat | at least 2 x | 4 x | 196 x | **no** |", # its answers are wrong
                     "| bench record: durable, 1 ring: of the disk alone, durable | at least 0.9 x | 0.75 x | 0.8 x | **no** |",
                     "| one symbol, a minute, hot | at most 0.02 ms | 0.01 ms |  | **no** |",
                     "| play at full speed | at least 100 Mt/s | 5 Mt/s | 65 Mt/s | **no** |",
                     "- FAILED (3): build/tapedeck --mode=batch", "- skip lmdb: record failed",
                     "- tapedeck: its answers are not those of flat"):
            self.assertIn(line, told.splitlines())
        self.assertIn("tapedeck WRONG", told)
        self.assertNotIn("nats", told)
        self.assertEqual(sorted(path.name for path in out.glob("*.svg")),
                         ["ring-capacity.svg", "store-record.svg", "store-sym-1min.svg"])
        for image in out.glob("*.svg"):
            self.assertTrue(xml.etree.ElementTree.parse(image).getroot().tag.endswith("svg"))

    def test_a_path_that_does_nothing_any_more_is_no_faster_one(self):
        sys.path.insert(0, str(tapedeck.SOURCE / "tests/bench"))
        self.addCleanup(sys.path.pop, 0)
        import counts
        held = {"record": 200.0, "seal": 3000.0, "query": 50.0, "drain": 100.0}
        now = {"record": 1.0, "seal": 1700.0, "query": 61.0, "drain": 119.0}
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(counts.show(now, held), ["record", "query"])

    def test_an_earlier_run_is_compared_with(self):
        before = self.scratch / "before"
        args = ("bench", "query", "--ticks", "20000", "--repeat", "2", "--runs", "1", "--dir", self.scratch, "-q")
        before.write_bytes(self.run_ok(*args).stdout)
        header, first, *_ = self.run_ok(*args, "--baseline", before).stdout.decode().splitlines()
        self.assertEqual(header.split("\t")[-1], "baseline")
        self.assertGreater(float(first.split("\t")[-1]), 0)

    def test_mistakes_are_told(self):
        nothing = self.scratch / "nothing"
        nothing.write_text("", encoding="utf-8")
        for words, code, says in (
                (("ring", "--size", "12"), 2, "multiple of 8"),
                (("ring", "--cpus", "7"), 2, "two processors"),
                (("ring", "--cpus", "0,4000", "--runs", "1", "--count", "1000"), 1, "pin to processor 4000"),
                (("query", "--baseline", nothing), 1, "not a baseline"),
                (("record", "--only", "no such row", "--dir", self.scratch), 2, "no such row"),
                (("query", "-T", self.scratch), 1, str(self.scratch)),
                (("record", "--dir", self.scratch / "gone", "--runs", "1"), 1, "gone")):
            done = self.run_cli("bench", *words)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(says, done.stderr)
            self.assertEqual(os.listdir(self.rings), [])

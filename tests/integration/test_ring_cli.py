"""Rings from the command line: create, ls, info, rm; gen, drain and tap on them."""

import json
import os
import signal
import subprocess
import time
import unittest

from tests.support import tapedeck


class Rings(tapedeck.Case):
    # ---- create, ls, info, rm ----

    def test_a_ring_is_made_shown_and_removed(self):
        self.run_ok("ring", "create", "a", "--size", "128K", "--track", "binance")
        one = self.ring_info("a")
        self.assertEqual((one["name"], one["track"], one["capacity"]), ("a", "binance", 131072))
        for key in ("epoch", "produced", "consumed", "lost", "lost_total", "fill", "high_water", "taps"):
            self.assertEqual(one[key], 0, key)
        self.assertIsNone(one["producer"])
        self.assertIsNone(one["consumer"])
        self.run_ok("ring", "create", "b", "--size", "64K")
        names = [ring["name"] for ring in json.loads(self.run_ok("ring", "ls", "--json").stdout)]
        self.assertEqual(names, ["a", "b"])
        header, *lines = self.run_ok("ring", "ls").stdout.decode().splitlines()
        self.assertEqual(header.split("\t")[0], "name")
        self.assertEqual([line.split("\t")[0] for line in lines], ["a", "b"])
        self.run_ok("ring", "rm", "a", "b")
        self.assertEqual(json.loads(self.run_ok("ring", "ls", "--json").stdout), [])
        self.assertEqual(os.listdir(self.rings), [])

    def test_no_rings_at_all_is_an_empty_list(self):
        env = dict(self.env, TAPEDECK_RINGS=str(self.scratch / "none"))
        listed = self.run_ok("ring", "ls", "--json", env=env)
        self.assertEqual(json.loads(listed.stdout), [])
        self.assertIn(f"there is no rings directory {self.scratch / 'none'}", listed.stderr)
        self.assertEqual(self.run_ok("ring", "ls").stderr, "")

    def test_a_ring_that_is_not_there_is_told_with_what_helps(self):
        nowhere = dict(self.env, TAPEDECK_RINGS=str(self.scratch / "none"))
        for words in (["rm", "a"], ["rm", "--force", "a"], ["rm", "--dry-run", "a"], ["info", "a"]):
            told = self.run_ok("ring", *words, code=1).stderr
            self.assertIn(f"there is no ring a in {self.rings}", told)
            self.assertIn("`tapedeck ring ls`", told)
            self.assertNotIn("create", told)
            told = self.run_ok("ring", *words, env=nowhere, code=1).stderr
            self.assertIn(f"there is no rings directory {self.scratch / 'none'}", told)
            self.assertNotIn("create", told)
        for words in (["drain", "a"], ["tap", "a"], ["gen", "--ring", "a", "--count", "1"]):
            told = self.run_ok(*words, code=1).stderr
            self.assertIn(f"there is no ring a in {self.rings}; `tapedeck ring create` creates it", told)

    @unittest.skipUnless(os.getuid() == 0, "needs root: what it makes is given to another user")
    def test_a_ring_that_root_makes_belongs_to_who_owns_the_directory(self):
        os.chown(self.rings, self.STRANGER, self.STRANGER)
        self.rings.chmod(0o770)
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.run_ok("gen", "--ring", "a", "--count", 10)
        recorder = self.recorder("--ring", "a", "--exit-when-idle", "100ms")
        self.assertEqual(recorder.wait(), 0)
        play = self.start_cli("play", "-T", self.tape, "--into", "b", "--create", "64K",
                              "--wait-consumers", 1, "--timeout", "60s")
        self.wait_for((self.rings / "b.ring").exists)  # the ring is made after its clock
        for name in ("a.ring", "b.ring", "b.clock"):
            made = (self.rings / name).stat()
            self.assertEqual((made.st_uid, made.st_gid, made.st_mode & 0o777),
                             (self.STRANGER, self.STRANGER, 0o660), name)
        self.run_as_a_stranger("drain", "b", "--until-end", "--timeout", "60s", "-o", "none")
        self.assertEqual(play.wait(), 0)

    @unittest.skipUnless(os.getuid() == 0, "needs root: it asks as another user")
    def test_who_may_not_have_a_ring_is_told_what_to_do(self):
        self.run_ok("ring", "create", "a")
        denied = self.run_as_a_stranger("drain", "a", code=1)
        self.assertIn("Permission denied; join its group, or set TAPEDECK_RINGS", denied.stderr)
        for words in (("ring", "ls"), ("stat",)):
            self.assertIn("; join its group, or set", self.run_as_a_stranger(*words, code=1).stderr, words)
        self.rings.chmod(0o755)
        self.assertIn("; join its group, or set", self.run_as_a_stranger("ring", "create", "b", code=1).stderr)
        denied = self.run_as_a_stranger("drain", "a", code=1)
        self.assertIn("open ring a in ", denied.stderr)
        self.assertIn("Permission denied; join its group", denied.stderr)

    def test_who_drains_a_ring_that_is_recorded_is_told_of_tap(self):
        self.recorder("--ring", "a", "--create-ring", "1M")
        self.assertIn("`tapedeck tap` shows its ticks", self.run_ok("drain", "a", code=1).stderr)

    def test_a_ring_that_is_there_is_never_replaced(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.run_ok("gen", "--ring", "a", "--count", "3")
        done = self.run_ok("ring", "create", "a", "--size", "64K", code=1)
        self.assertIn("a exists already", done.stderr)
        self.assertEqual(self.ring_info("a")["produced"], 3)

    def test_wrong_sizes_and_names_are_wrong_usage(self):
        for args in (["a", "--size", "100K"], ["a", "--size", "1K"], ["a", "--size", "64X"],
                     ["a", "--size", "64K", "--track", ".hidden"], ["../a"], [""], ["a" * 65],
                     ["a", "b"], []):
            done = self.run_ok("ring", "create", *args, code=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(os.listdir(self.rings), [])

    def test_the_largest_payload_is_what_was_asked_for(self):
        for args, most in (((), 16384), (("--payload-max", 100), 100), (("--payload-max", "4K"), 4096)):
            self.run_ok("ring", "create", "a", "--size", "64K", *args)
            self.assertEqual(self.ring_info("a")["payload_max"], most)
            self.run_ok("gen", "--ring", "a", "--count", 1, "--size-dist", f"fixed:{most}")
            done = self.run_ok("gen", "--ring", "a", "--count", 1, "--size-dist", f"fixed:{most + 1}", code=1)
            self.assertIn(f"it takes {most} at most", done.stderr)
            self.run_ok("ring", "rm", "a")
        done = self.run_ok("ring", "create", "a", "--size", "64K", "--payload-max", "32K", code=2)
        self.assertIn("at most 16384 bytes", done.stderr)

    def test_dry_run_removes_nothing(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.assertIn("would remove ring a", self.run_ok("ring", "rm", "a", "--dry-run").stderr)
        self.ring_info("a")

    def test_a_ring_that_is_used_is_removed_only_by_force(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        drain = self.start_cli("drain", "a", "-o", "none")
        self.wait_for(lambda: self.ring_info("a")["consumer"] == drain.pid)
        done = self.run_ok("ring", "rm", "a", code=1)
        self.assertIn("consumer", done.stderr)
        self.assertEqual(done.stderr.count("--force"), 1)
        self.run_ok("ring", "rm", "a", "--force")
        self.run_ok("ring", "info", "a", code=1)

    def test_what_is_no_ring_is_named_and_passed_over(self):
        self.run_ok("ring", "create", "good", "--size", "64K")
        (self.rings / "bad.ring").write_bytes(b"no ring" * 100)
        done = self.run_ok("ring", "ls", "--json", code=3)
        self.assertEqual([ring["name"] for ring in json.loads(done.stdout)], ["good"])
        self.assertIn("bad", done.stderr)
        for command in (["drain", "bad"], ["tap", "bad"], ["gen", "--ring", "bad", "--count", "1"]):
            self.assertIn("bad", self.run_ok(*command, code=1).stderr)
        self.assertIn("--force removes", self.run_ok("ring", "rm", "bad", code=1).stderr)
        self.run_ok("ring", "rm", "bad", "--force")
        self.run_ok("ring", "ls")

    # ---- gen ----

    def payloads(self, *args):
        self.run_ok("ring", "create", "p", "--size", "16M")
        self.run_ok("gen", "--ring", "p", "--count", "2000", *args)
        done = self.run_ok("drain", "p", "--timeout", "200ms", "-o", "frames")
        self.run_ok("ring", "rm", "p")
        frames = list(tapedeck.parse_frames(done.stdout))
        return [(f.type, f.payload) for f in frames if f.type not in (tapedeck.EPOCH, tapedeck.TRACK)]

    def test_payloads_hang_on_the_seed_alone(self):
        for dist in ("market", "log:0-500"):
            first = self.payloads("--seed", "7", "--size-dist", dist)
            self.assertEqual(first, self.payloads("--seed", "7", "--size-dist", dist))
            self.assertNotEqual(first, self.payloads("--seed", "8", "--size-dist", dist))

    def test_sizes_are_those_that_were_asked_for(self):
        for dist, low, high in (("fixed:64", 64, 64), ("fixed:0", 0, 0), ("uniform:10-20", 10, 20),
                                ("log:0-64K", 0, 65536), ("trades", 48, 48), ("mbp-1", 80, 80)):
            sizes = {len(p) for kind, p in self.payloads("--size-dist", dist) if kind < 0xC0}
            self.assertGreaterEqual(min(sizes), low, dist)
            self.assertLessEqual(max(sizes), high, dist)
            self.assertTrue(len(sizes) > 1 or low == high, dist)

    def test_symbols_are_announced(self):
        frames = self.payloads("--symbols", "5")
        names = [p[24:].decode() for kind, p in frames if kind == tapedeck.SYMBOL]
        self.assertEqual(names, ["S000", "S001", "S002", "S003", "S004"])
        ids = {int.from_bytes(p[4:8], "little") for kind, p in frames if kind == 1}
        self.assertEqual(ids, {1, 2, 3, 4, 5})

    def test_a_dropped_tick_is_counted_and_its_payload_spent(self):
        whole = [p for kind, p in self.payloads("--size-dist", "fixed:100") if kind < 0xC0]
        self.run_ok("ring", "create", "a", "--size", "64K")
        done = self.run_ok("gen", "--ring", "a", "--count", "2000", "--size-dist", "fixed:100",
                           "--no-wait", "--digest", code=3)
        sent = self.digest_of(done.stderr)
        one = self.ring_info("a")
        self.assertEqual(one["produced"] + one["lost"], 2000)
        self.assertEqual(one["produced"], sent[1])
        done = self.run_ok("drain", "a", "-o", "frames", "--timeout", "200ms", "--digest", code=3)
        self.assertEqual(self.digest_of(done.stderr), sent)
        self.assertIn(f"{one['lost']} ticks were lost", done.stderr)
        ticks = [f for f in tapedeck.parse_frames(done.stdout) if f.is_tick()]
        self.assertEqual(len(ticks), sent[1])
        for tick in ticks:
            self.assertEqual(tick.payload, whole[tick.seq - 1])

    def test_a_ring_that_is_not_there_is_no_guess(self):
        self.run_ok("gen", "--ring", "a", "--count", "1", code=1)
        self.run_ok("gen", "--ring", "a", "--count", "1", "--wait", "50ms", code=1)
        self.run_ok("gen", "--ring", "a", "--count", "1", "--create", "64K")
        self.run_ok("gen", "--ring", "a", "--count", "1", "--create", "64K")
        waiting = self.start_cli("gen", "--ring", "later", "--count", "5", "--wait", "30s")
        time.sleep(0.1)
        self.run_ok("ring", "create", "later", "--size", "64K")
        self.assertEqual(waiting.wait(), 0, waiting.stderr)

    def test_wrong_numbers_are_wrong_usage(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        for args in (["--count", "x"], [], ["--count", "1", "--rate", "0"], ["--count", "-1"],
                     ["--count", "1", "--size-dist", "fixed"], ["--count", "1", "--symbols", "0"],
                     ["--count", "1", "--size-dist", "uniform:9-3"], ["--count", "1", "extra"],
                     ["--count", "1", "--create", "1K"], ["--count", "1", "--create", "100K", "--ring", "new"], ["--count", "1", "--wait", "5"]):
            done = self.run_ok("gen", "--ring", "a", *args, code=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.run_ok("gen", "--ring", "a", "--count", "1", "--size-dist", "fixed:20K", code=1)
        self.assertEqual(self.ring_info("a")["produced"], 0)

    def test_a_second_producer_is_refused_at_once(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        first = self.start_cli("gen", "--ring", "a", "--count", "1000000", "--rate", "10")
        self.wait_for(lambda: self.ring_info("a")["producer"] == first.pid)
        self.assertIn("producer", self.run_ok("gen", "--ring", "a", "--count", "1", code=1).stderr)
        first.signal(signal.SIGINT)
        self.assertEqual(first.wait(), 1)
        self.assertIn("interrupted", first.stderr)
        self.run_ok("gen", "--ring", "a", "--count", "1")

    def test_a_consumer_that_breaks_the_rules_ends_the_wait_for_room(self):
        lines = self.scratch / "lines"
        lines.write_bytes(b"".join(b"%d %s\n" % (i, b"x" * 100) for i in range(1, 2001)))
        for ring, command in (("a", ["gen", "--count", "2000"]), ("b", ["feed", lines])):
            self.run_ok("ring", "create", ring, "--size", "64K")
            waiting = self.start_cli(*command, "--ring", ring)
            with open(self.rings / f"{ring}.ring", "r+b", buffering=0) as shared:
                self.wait_for(lambda: os.pread(shared.fileno(), 1, 1280) == b"\1")  # `room_wanted`
                # `consumed`: more than was produced.
                os.pwrite(shared.fileno(), (1 << 40).to_bytes(8, "little"), 896)
            self.assertEqual(waiting.wait(), 1, waiting.stderr)
            self.assertIn(f"ring {ring}: ", waiting.stderr)

    def test_a_ring_that_is_cut_ends_who_shares_it_with_an_error(self):
        lines = self.scratch / "lines"
        lines.write_bytes(b"".join(b"%d %s\n" % (i, b"x" * 100) for i in range(1, 2001)))
        self.run_ok("import", lines, "-T", self.tape, "--track", "t", "--format", "lines")
        for command in (("gen", "--count", 9999, "--ring"), ("feed", lines, "--ring"), ("drain",), ("tap",),
                        ("play", "-T", self.tape, "--into")):
            with self.subTest(command[0]):
                ring = command[0]
                self.run_ok("ring", "create", ring, "--size", "64K")
                waiting = self.start_cli(*command, ring)
                with open(self.rings / f"{ring}.ring", "r+b", buffering=0) as shared:
                    self.wait_for(lambda: self.is_shared(ring, shared))
                    shared.truncate(0)
                self.assertEqual(waiting.wait(), 1, waiting.stderr)
                self.assertIn("its file was cut", waiting.stderr)

    def is_shared(self, ring, shared):
        """A reader has attached, or a producer has filled the ring and waits for room."""
        info = self.ring_info(ring)
        is_read = info["taps"] > 0 or info["consumer"]
        return is_read or os.pread(shared.fileno(), 1, 1280) == b"\1"  # `room_wanted`

    def test_a_rate_is_kept(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        begin = time.monotonic()
        self.run_ok("gen", "--ring", "a", "--count", "100", "--rate", "200/s")
        self.assertGreaterEqual(time.monotonic() - begin, 0.49)

    # ---- drain ----

    def test_what_goes_in_comes_out_with_one_digest(self):
        for size, dist in (("64K", "market"), ("256K", "log:0-60K"), ("64K", "fixed:0")):
            self.run_ok("ring", "create", "a", "--size", size)
            drain = self.start_cli("drain", "a", "-o", "none", "--digest", "--count", "20000")
            done = self.run_ok("gen", "--ring", "a", "--count", "20000", "--size-dist", dist, "--digest")
            self.assertEqual(drain.wait(), 0, drain.stderr)
            self.assertEqual(self.digest_of(drain.stderr), self.digest_of(done.stderr))
            self.run_ok("ring", "rm", "a")

    def test_count_leaves_the_rest_in_the_ring(self):
        self.run_ok("ring", "create", "a", "--size", "1M")
        self.run_ok("gen", "--ring", "a", "--count", "100")
        seqs = []
        for count in (1, 30, 69):
            done = self.run_ok("drain", "a", "--count", count, "--envelope", "--timeout", "5s")
            lines = done.stdout.decode().splitlines()
            seqs += [int(json.loads(line)["tape"]["seq"]) for line in lines]
            self.assertEqual(self.ring_info("a")["consumed"], len(seqs))
        self.assertEqual(seqs, list(range(1, 101)))

    def test_a_deadline_is_missed_only_if_something_was_expected(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.run_ok("drain", "a", "--timeout", "50ms")
        self.run_ok("drain", "a", "--timeout", "50ms", "--count", "1", code=7)
        self.run_ok("drain", "a", "--timeout", "50ms", "--until-end", code=7)

    def test_an_interrupt_ends_a_drain_well(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        drain = self.start_cli("drain", "a", "-o", "none", "--digest")
        self.run_ok("gen", "--ring", "a", "--count", "1000")
        self.wait_for(lambda: self.ring_info("a")["fill"] == 0)
        drain.signal(signal.SIGINT)
        self.assertEqual(drain.wait(), 0)
        self.assertEqual(self.digest_of(drain.stderr)[1], 1000)

    def test_what_cannot_be_put_out_stays_in_the_ring(self):
        self.run_ok("ring", "create", "a", "--size", "1M")
        self.run_ok("gen", "--ring", "a", "--count", "200")
        out = self.scratch / "out.csv"
        self.run_ok("drain", "a", "-O", out, "--timeout", "1s", code=1)  # two schemas, one header
        self.assertFalse(out.exists())
        self.assertEqual(list(self.scratch.glob("*out*")), [])
        done = self.run_ok("drain", "a", "--timeout", "100ms")
        self.assertEqual(len(done.stdout.splitlines()), 200)

    def test_a_ring_can_be_put_out_as_what_help_names_and_as_nothing_else(self):
        line = b'{"symbol":"A","timestamp":1,"price":1,"volume":1,"message_type":"trade"}\n'
        self.run_ok("feed", "-", "--ring", "a", "--create", "64K", stdin=line)
        self.assertIn("parquet", self.run_ok("drain", "a", "-n", "1", "-o", "xml", code=2).stderr)
        for form in ("dbn", "dbn.zst"):
            self.assertIn("not DBN", self.run_ok("drain", "a", "-n", "1", "-o", form, code=1).stderr)
        self.assertIn("packets", self.run_ok("drain", "a", "-n", "1", "-o", "pcap", code=1).stderr) # a trade is none
        self.assertEqual(self.run_ok("drain", "a", "-n", "1", "-o", "parquet").stdout[:4], b"PAR1")
        self.assertIn(b"parquet", self.run_ok("drain", "--help").stdout)

    def test_a_file_is_replaced_only_by_force(self):
        self.run_ok("ring", "create", "a", "--size", "1M")
        self.run_ok("gen", "--ring", "a", "--count", "20")
        out = self.scratch / "out.jsonl"
        out.write_text("mine")
        self.run_ok("drain", "a", "-O", out, "--count", "10", code=2)
        self.assertEqual(out.read_text(), "mine")
        self.run_ok("drain", "a", "-O", out, "--count", "10", "--force")
        self.assertEqual(len(out.read_text().splitlines()), 10)
        self.run_ok("drain", "a", "-O", self.scratch / "out.xyz", "--count", "1", code=2)
        self.run_ok("drain", "a", "-o", "bogus", "--count", "1", code=2)
        self.assertEqual(self.ring_info("a")["consumed"], 10)

    def test_a_closed_pipe_is_success(self):
        self.run_ok("ring", "create", "a", "--size", "4M")
        self.run_ok("gen", "--ring", "a", "--count", "20000")
        drain = subprocess.Popen([tapedeck.BIN / "tapedeck", "drain", "a"], env=self.env,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        drain.stdout.readline()
        drain.stdout.close()
        self.assertEqual(drain.wait(timeout=tapedeck.PATIENCE), 0)

    def test_what_a_closed_pipe_did_not_take_stays_in_the_ring(self):
        self.run_ok("ring", "create", "a", "--size", "16M")
        self.run_ok("gen", "--ring", "a", "--count", "40000")
        drain = subprocess.Popen([tapedeck.BIN / "tapedeck", "drain", "a"], env=self.env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        came = drain.stdout.readline()
        drain.send_signal(signal.SIGSTOP)
        os.waitpid(drain.pid, os.WUNTRACED)
        os.set_blocking(drain.stdout.fileno(), False)
        came += drain.stdout.read() or b""
        drain.stdout.close()
        drain.send_signal(signal.SIGCONT)
        self.assertIn(b"stays in the ring", drain.stderr.read())
        self.assertEqual(drain.wait(timeout=tapedeck.PATIENCE), 0)
        drain.stderr.close()
        more = self.run_ok("drain", "a", "--timeout", "50ms").stdout
        self.assertGreaterEqual(came.count(b"\n") + more.count(b"\n"), 40000)

    # ---- tap ----

    def test_a_tap_takes_nothing_away(self):
        self.run_ok("ring", "create", "a", "--size", "1M")
        tap = self.start_cli("tap", "a", "-o", "none", "--digest", "-n", "500", "--timeout", "30s")
        self.wait_for(lambda: self.ring_info("a")["taps"] == 1)
        done = self.run_ok("gen", "--ring", "a", "--count", "500", "--digest")
        self.assertEqual(tap.wait(), 0, tap.stderr)
        self.assertEqual(self.digest_of(tap.stderr), self.digest_of(done.stderr))
        self.assertEqual(self.ring_info("a")["consumed"], 0)
        self.assertEqual(self.ring_info("a")["taps"], 0)
        drained = self.run_ok("drain", "a", "-o", "none", "--digest", "--timeout", "100ms")
        self.assertEqual(self.digest_of(drained.stderr), self.digest_of(done.stderr))

    def test_a_tap_that_was_overtaken_by_another_producer_knows_its_epoch(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.start_cli("drain", "a", "-o", "none")
        seen = self.scratch / "seen"

        def epochs():
            lines = seen.read_text().split("\n")[:-1]
            return [int(json.loads(line)["tape"]["epoch"]) for line in lines]

        with open(seen, "wb") as out:
            tap = self.start_cli("tap", "a", "--envelope", stdout=out)
        self.wait_for(lambda: self.run_ok("gen", "--ring", "a", "--count", "1") and epochs())
        tap.signal(signal.SIGSTOP)
        os.waitpid(tap.pid, os.WUNTRACED)  # wait until it has stopped
        self.run_ok("gen", "--ring", "a", "--count", "5000")  # more than the ring holds
        passed = len(epochs())
        feed = self.start_cli("gen", "--ring", "a", "--count", "1000000", "--rate", "100/s")
        self.wait_for(lambda: self.ring_info("a")["producer"] == feed.pid)
        self.wait_for(lambda: 0 < self.ring_info("a")["produced"] < 5000)
        tap.signal(signal.SIGCONT)
        self.wait_for(lambda: len(epochs()) > passed)
        tap.signal(signal.SIGINT)
        self.assertEqual(tap.wait(), 3, tap.stderr)
        self.assertIn("overtaken by the producer 1 time", tap.stderr)
        self.assertEqual(set(epochs()[passed:]), {self.ring_info("a")["epoch"]})

    def test_a_tap_that_waits_in_vain_says_so(self):
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.run_ok("tap", "a", "--timeout", "50ms")
        self.run_ok("tap", "a", "--timeout", "50ms", "-n", "1", code=7)

    # ---- the front page ----

    def test_help_and_version_are_everywhere(self):
        self.assertIn(b"commands", self.run_ok("help").stdout)
        self.assertIn(b"commands", self.run_ok("--help").stdout)
        self.assertTrue(self.run_ok("--version").stdout.startswith(b"tapedeck "))
        for command in ("gen", "feed", "drain", "tap", "import"):
            self.assertIn(b"usage: tapedeck " + command.encode(),
                          self.run_ok(command, "--help").stdout)
            self.assertEqual(self.run_ok("help", command).stdout,
                             self.run_ok(command, "--help").stdout)
        self.assertIn(b"usage: tapedeck ring create", self.run_ok("ring", "create", "-h").stdout)
        self.run_ok(code=2)
        self.assertIn("did you mean 'drain'", self.run_ok("drian", code=2).stderr)
        self.assertNotIn("did you mean", self.run_ok("help", "nope", code=2).stderr)
        self.run_ok("ring", code=2)
        self.run_ok("ring", "rn", code=2)

    def test_options_come_from_file_environment_and_flags(self):
        config = self.scratch / "tapedeck.conf"
        config.write_text("quiet = yes\n[gen]\nring = a\ncount = 10\nsize-dist = fixed:8\n")
        self.run_ok("ring", "create", "a", "--size", "64K")
        self.assertEqual(self.run_ok("gen", "--config", config).stderr, "")
        self.assertEqual(self.run_ok("--config", config, "gen").stderr, "")
        env = dict(self.env, TAPEDECK_COUNT="7", TAPEDECK_CONFIG=str(config))
        self.run_ok("gen", env=env)
        self.run_ok("gen", "--count", "5", env=env)
        done = self.run_ok("drain", "a", "-o", "none", "--digest", "--timeout", "50ms")
        self.assertEqual(self.digest_of(done.stderr)[1], 10 + 10 + 7 + 5)
        config.write_text("[gen]\nrong = a\n")
        done = self.run_ok("gen", "--config", config, code=2)
        self.assertIn(f"{config}:2: there is no option 'rong'; did you mean 'ring'?", done.stderr)

    def test_messages_can_be_json(self):
        done = self.run_ok("gen", "--ring", "no\n", "--count", "1", "--log-format", "json", code=2)
        self.assertEqual(json.loads(done.stderr)["level"], "error")

    def test_a_hostile_name_forges_no_line(self):
        done = self.run_ok("ring", "info", "a\n\x1b[31mtapedeck: all is well", code=2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertNotIn("\x1b", done.stderr)

    def test_what_a_drain_took_is_not_lost_with_its_file(self):
        """A CSV has one schema. When a tick of the other comes, the first ticks have already left the ring."""
        out = self.scratch / "out.csv"
        self.run_ok("ring", "create", "two", "--size", "16M")
        self.run_ok("gen", "--ring", "two", "--count", 60000, "--size-dist", "trades")
        self.run_ok("gen", "--ring", "two", "--count", 10, "--size-dist", "mbp-1")
        done = self.run_ok("drain", "two", "-o", "csv", "-O", out, code=1)
        self.assertIn(f"is in {out}", done.stderr)
        rows = len(out.read_text().splitlines()) - 1
        left = len(self.run_ok("drain", "two", "-o", "jsonl", "--timeout", "100ms").stdout.splitlines())
        self.assertEqual(rows, 60000)
        self.assertGreaterEqual(left, 10)

    def test_a_file_that_came_meanwhile_is_not_replaced(self):
        out = self.scratch / "out.jsonl"
        self.run_ok("ring", "create", "one", "--size", "1M")
        drain = self.start("tapedeck", "drain", "one", "-o", "jsonl", "-O", out, "-n", 10)
        self.wait_for(lambda: list(self.scratch.glob(".out.jsonl.*")))
        out.write_text("precious")
        self.run_ok("gen", "--ring", "one", "--count", 10)
        self.assertEqual(drain.wait(), 2)
        self.assertEqual(out.read_text(), "precious")
        (kept,) = self.scratch.glob(".out.jsonl.*")
        self.assertIn(str(kept), drain.stderr)
        self.assertEqual(len(kept.read_text().splitlines()), 10)


if __name__ == "__main__":
    unittest.main()

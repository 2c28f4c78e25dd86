"""Completions, run by the real shells, and the manual as it is built."""

import os
import re
import shutil
import subprocess
import unittest

from tests.support import tapedeck

MANUAL = tapedeck.BIN.parent / "manual"


class Shell(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = f"{tapedeck.BIN}{os.pathsep}{self.env['PATH']}"
        self.env["HOME"] = str(self.scratch)

    def shell(self, *command):
        done = subprocess.run(command, env=self.env, cwd=self.scratch, capture_output=True, text=True,
                              timeout=tapedeck.PATIENCE, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def bash(self, *words):
        """What bash would complete for these words, of which the last is unfinished."""
        script = ('eval "$(tapedeck completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  '_tapedeck; printf "%s\\n" "${COMPREPLY[@]}"')
        return [line for line in self.shell("bash", "-c", script, "bash", *words) if line]


class Bash(Shell):
    def test_commands_and_their_parts_are_completed(self):
        self.assertEqual(self.bash("tapedeck", "comp"), ["completion"])
        self.assertIn("query", self.bash("tapedeck", ""))
        self.assertEqual(self.bash("tapedeck", "ring", "cr"), ["create"])

    def test_options_and_their_choices_are_completed(self):
        self.assertEqual(self.bash("tapedeck", "query", "--ax"), ["--axis"])
        self.assertEqual(self.bash("tapedeck", "query", "--axis", ""), ["recv", "event"])
        self.assertIn("--config", self.bash("tapedeck", "query", "--"))

    def test_a_daemon_completes_from_its_own_table(self):
        self.assertEqual(self.bash("tapedeck-recorder", "--seg"), ["--segment-size", "--segment-age"])
        self.assertEqual(self.bash("tapedeck-recorder", "--log-format", "j"), ["json"])

    def test_rings_that_are_there_are_completed(self):
        self.run_ok("ring", "create", "binance", "--size", "64K")
        self.run_ok("ring", "create", "bitmex", "--size", "64K")
        self.assertEqual(self.bash("tapedeck", "ring", "info", "b"), ["binance", "bitmex"])
        self.assertEqual(self.bash("tapedeck", "gen", "--ring", "bin"), ["binance"])
        self.assertEqual(self.bash("tapedeck-recorder", "--ring", "bit"), ["bitmex"])

    def test_tracks_and_symbols_of_the_tape_are_completed(self):
        recorder = self.recorder("--ring", "venue", "--create-ring", "1M")
        self.run_ok("gen", "--ring", "venue", "--count", "100", "--symbols", "3")
        self.assertEqual(recorder.stop(), 0)
        self.assertEqual(self.bash("tapedeck", "query", "-T", str(self.tape), "--track", ""), ["venue"])
        self.assertEqual(self.bash("tapedeck", "query", "-T", str(self.tape), "-s", "S00"),
                         ["S000", "S001", "S002"])
        self.env["TAPEDECK_TAPE"] = str(self.tape)
        self.assertEqual(self.bash("tapedeck", "digest", "-s", "S002"), ["S002"])

    def test_files_and_folders_are_the_shells_own(self):
        (self.scratch / "some dir").mkdir()
        (self.scratch / "some.dbn").touch()
        self.assertEqual(self.bash("tapedeck", "feed", "some."), ["some.dbn"])
        self.assertEqual(self.bash("tapedeck", "query", "-T", "some"), ["some dir"])

    def test_nonsense_completes_to_nothing_and_says_nothing(self):
        for words in (["tapedeck", "nonsense", "x"], ["tapedeck", "query", "-T", "/nowhere", "-s", ""],
                      ["tapedeck", "query", "--no-such", ""]):
            self.assertEqual(self.bash(*words), [])
        self.run_ok("completion", "tcsh", code=2)
        self.run_ok("completion", code=2)


class Others(Shell):
    def test_fish_offers_the_same_with_descriptions(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        self.run_ok("ring", "create", "binance", "--size", "64K")
        self.run_ok("completion", "fish")
        lines = self.shell("fish", "-c", 'tapedeck completion fish | source; '
                           'complete -C "tapedeck ring info b"; complete -C "tapedeck veri"')
        self.assertEqual(lines[0], "binance\tring")
        self.assertTrue(lines[1].startswith("verify\t"))

    def test_zsh_loads_it_and_collects_the_same_words(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        self.run_ok("ring", "create", "binance", "--size", "64K")
        # The real _describe draws on a terminal. This one prints what it is given.
        lines = self.shell("zsh", "-fc", 'compdef() { :; }; _describe() { print -l -- "${(@P)2}"; }; '
                           'source <(tapedeck completion zsh); '
                           'words=(tapedeck ring info b); CURRENT=4; _tapedeck')
        self.assertEqual(lines, ["binance:ring"])


class Manual(unittest.TestCase):
    def setUp(self):
        if not MANUAL.is_dir():
            self.skipTest(f"{MANUAL} is not built")

    def test_pages_are_there_and_groff_has_no_complaint(self):
        pages = sorted(page.name for page in MANUAL.glob("*.[158]"))
        for page in ("tapedeck.1", "tapedeck-recorder.8", "tapedeck.conf.5"):
            self.assertIn(page, pages)
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        for page in pages:
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", MANUAL / page],
                                  capture_output=True, text=True, timeout=60, check=True)
            self.assertEqual(done.stderr, "", page)
            self.assertNotRegex(done.stdout, r"@[A-Z_]+@")

    def test_pages_have_every_option_of_the_programs(self):
        rows = subprocess.run([tapedeck.BIN / "tapedeck-recorder", "--help-as", "rows"],
                              capture_output=True, text=True, timeout=60, check=True).stdout
        page = (MANUAL / "tapedeck-recorder.8").read_text().replace("\\-", "-")
        conf = (MANUAL / "tapedeck.conf.5").read_text().replace("\\-", "-")
        for row in rows.splitlines():
            name = row.split("\t")[0]
            self.assertIn(f"--{name}\\fR", page)
            if name not in ("help", "version", "config"):
                self.assertIn(f"\\fB{name}\\fR =", conf)


class Sample(tapedeck.Case):
    def test_the_recorder_takes_every_line_of_the_sample_config(self):
        text = (tapedeck.SOURCE / "packaging" / "tapedeck.conf").read_text()
        text = re.sub(r"^#(\S+ = )", r"\1", text, flags=re.M).replace("/var/lib/tapedeck", str(self.scratch))
        text = text.replace("create-ring = 64M", "create-ring = 1M")
        config = self.scratch / "tapedeck.conf"
        config.write_text(text + "exit-when-idle = 200ms\n" if "[replayer]" not in text else
                          text.replace("[replayer]", "exit-when-idle = 200ms\n[replayer]"))
        recorder = self.start("tapedeck-recorder", "--config", config)
        recorder.wait_line("^ready .* rings=2$")
        self.assertEqual(recorder.wait(), 0)
        self.run_ok("info", "--config", config)

    def test_a_file_may_have_a_section_for_each_command_and_for_no_other(self):
        def words(*command):
            return re.findall(r"^  (\w+)  ", self.run_ok(*command).stdout.decode(), flags=re.M)
        commands = words("help")
        leaves = [f"{c} {part}" if part else c for c in commands for part in (words(c, "--help") or [""])]
        self.assertIn("retain plan", leaves)
        self.assertNotIn("ring", leaves)
        config = self.scratch / "all.conf"
        config.write_text("".join(f"[{name}]\n" for name in [*leaves, "recorder", "replayer"]))
        replayer = self.start("tapedeck-replayer", "--config", config, "--tape", self.scratch / "none")
        self.assertEqual(replayer.wait(), 1, replayer.stderr)
        config.write_text("[recorder]\n[recordr]\nring = x\n")
        for program in (["tapedeck-replayer", "--tape", self.tape], ["tapedeck-recorder", "--tape", self.tape],
                        ["tapedeck", "info", "-T", self.tape]):
            refused = self.start(*program, "--config", config)
            self.assertEqual(refused.wait(), 2)
            self.assertIn(f"{config}:2: there is no section [recordr]; did you mean [recorder]?", refused.stderr)


if __name__ == "__main__":
    unittest.main()

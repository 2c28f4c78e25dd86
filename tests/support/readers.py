"""Readers that share no code with tapedeck: DuckDB and Apache Arrow, from npm.

The first test that needs them installs them into build/readers, never into the repository. Where
there is no node, no npm or no way to the registry, the tests that need them are skipped and say so.
"""

import atexit
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from tests.support import tapedeck

PACKAGES = {"@duckdb/node-api": "1.5.6-r.1", "apache-arrow": "21.2.0"}
FOLDER = pathlib.Path(os.environ.get("TDK_READERS") or tapedeck.SOURCE / "build" / "readers")
SCRIPT = pathlib.Path(__file__).with_suffix(".js")


def _is_there():
    for name, version in PACKAGES.items():
        try:
            package = json.loads((FOLDER / "node_modules" / name / "package.json").read_text())
        except (OSError, ValueError):
            return False
        if package["version"] != version:
            return False
    return True


def _install():
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm to get DuckDB and Arrow with"
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    try:
        done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
                               "--prefix", str(FOLDER), *wanted],
                              capture_output=True, text=True, timeout=240, check=False)
    except subprocess.TimeoutExpired:
        return "npm install took too long"
    return "" if done.returncode == 0 else f"npm install: {done.stderr.strip()[-300:]}"


def need():
    """Skip the calling test unless the readers are available."""
    if shutil.which("node") is None:
        raise unittest.SkipTest("there is no node to run DuckDB and Arrow with")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = "" if _is_there() else _install()
    if why:
        raise unittest.SkipTest(why)


_process = []  # node's, once it has been started


def _end():
    _process[0].stdin.close()
    _process[0].wait(30)


def ask(reader, what):
    if not _process:
        _process.append(subprocess.Popen(["node", str(SCRIPT), str(FOLDER)], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        atexit.register(_end)
    node = _process[0]
    node.stdin.write(json.dumps({"reader": reader, "what": what}) + "\n")
    node.stdin.flush()
    line = node.stdout.readline()
    answer = json.loads(line) if line else {"error": "node has ended"}
    if "error" in answer:
        raise AssertionError(f"{reader} cannot read it: {answer['error']}")
    return answer["answer"]


def duck(*queries):
    """DuckDB's rows for each query, as lists of text and None."""
    return ask("duck", list(queries))


def arrow(path):
    """(types as [name, type], batches of columns of text and None) of an Arrow stream."""
    answer = ask("arrow", str(path))
    return answer["types"], answer["batches"]

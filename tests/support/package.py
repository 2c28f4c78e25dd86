"""The Python package as it is in the tree: what its tests need before they can import NumPy and tapedeck."""

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import unittest

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
if importlib.util.find_spec("numpy") is None:
    raise unittest.SkipTest("python3-numpy is not installed")
if not LIBRARY.exists():
    raise unittest.SkipTest(f"{LIBRARY} is not built")


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
    """What an independent decoder counted in each real file."""
    path = support.SHARED / "data" / "expected.json"
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there")
    return json.loads(path.read_text())["files"]


def whole(values):
    """The exact sum. NumPy's wraps around."""
    return sum(values.tolist())

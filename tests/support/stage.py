"""Something to show: a tape of several days with a loss on it, busy rings, a play."""

import datetime
import json
import math
import random

from tests.support import tapedeck


class Stage(tapedeck.Case):
    """A Case whose build_up() leaves a recorder with --http at self.port, and a replayer."""

    DAYS = 40
    SYMBOLS = {"BTC-USD": 42000.0, "<b>&\"'": 12.5}

    def history(self):
        """Five-field trades of two symbols, some each hour, but none on weekends."""
        dice, prices = random.Random(7), dict(self.SYMBOLS)
        day = datetime.datetime.now(datetime.timezone.utc).replace(
            hour=8, minute=0, second=0, microsecond=0) - datetime.timedelta(days=self.DAYS)
        for n in range(self.DAYS):
            when = day + datetime.timedelta(days=n)
            if when.weekday() >= 5:
                continue
            for tick in range(240):
                for symbol in prices:
                    prices[symbol] *= math.exp(dice.gauss(0, 0.0015))
                    stamp = int(when.timestamp()) + tick * 120
                    yield json.dumps({"symbol": symbol, "timestamp": stamp, "volume": dice.randint(1, 90) / 10,
                                      "price": round(prices[symbol], 2), "message_type": "trade"})

    def build_up(self, rate=20000):
        days = {}
        for line in self.history():
            days.setdefault(json.loads(line)["timestamp"] // 86400, []).append(line)
        files = []
        for day, lines in days.items():
            files.append(self.scratch / f"{day}.jsonl")
            files[-1].write_text("\n".join(lines) + "\n")
        for file in files:  # one epoch for each day
            self.run_ok("import", file, "-T", self.tape, "--track", "crypto", "--format", "jsonl")
        self.run_ok("ring", "create", "equities", "--size", "64K")
        self.run_ok("gen", "--ring", "equities", "--count", "3000", "--no-wait", "--symbols", "5", code=3)
        self.run_ok("ring", "rm", "equities")
        self.run_ok("ring", "create", "futures", "--size", "64K")
        self.run_ok("gen", "--ring", "futures", "--count", "3000", "--no-wait", code=3)
        self.watched = self.recorder("--ring", "equities", "--ring", "futures", "--ring", "options=opra.a",
                                     "--create-ring", "4M", "--http", "127.0.0.1:0")
        self.port = self.port_of(self.watched.pid)
        for ring, share in (("equities", 1.0), ("futures", 0.45)):
            self.start_cli("gen", "--ring", ring, "--count", "100000000", "--rate", int(rate * share),
                           "--symbols", "5")
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line("^ready ")
        self.start_cli("play", "-a", f"unix:{self.tape}/replayer.sock", "--track", "crypto",
                       "--speed", "3600x", "--into", "replay", "--create", "1M")
        self.wait_for(lambda: "replay" in self.run_ok("ring", "ls").stdout.decode())
        self.start_cli("drain", "replay", "-o", "none", "--until-end")

#!/usr/bin/env python3
"""Backtest a toy strategy on a replayed range, cell by cell.

    PYTHONPATH=python python/examples/backtest.py [TAPE]

TAPE has wide trades; without one, a made-up market is recorded first. The strategy reads a ring, as
it would live: only the ring's name differs. Nothing here is advice.
"""

# %% What we need: NumPy, and the programs (`./run build`, or the package).
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import tapedeck

BIN = pathlib.Path(os.environ.get("TAPEDECK_BIN")
                   or pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "bin")


def program(name: str) -> str:
    return str(BIN / name) if (BIN / name).exists() else name


# %% A market, if there is none: four symbols that wander, published as a feed would.
def make_tape(folder: pathlib.Path) -> pathlib.Path:
    random = np.random.default_rng(7)
    count, start = 20_000, tapedeck.to_ns("2026-01-05T14:30:00Z")
    trades = tapedeck.records.make("wide-trade", count)
    trades["instrument_id"] = random.integers(1, 5, count)
    trades["ts_event"] = start + np.cumsum(random.integers(1, 20_000_000, count), dtype=np.uint64)
    trades["size"] = random.integers(1, 500, count) * 10**7
    for instrument in range(1, 5):
        ours = trades["instrument_id"] == instrument
        steps = random.normal(0, 0.02, ours.sum()).cumsum()
        trades["price"][ours] = ((100 * instrument + steps) * 100).round().astype(np.int64) * 10**7
    tapedeck.create_ring("market", 8 << 20)
    with tapedeck.Producer("market") as feed:
        feed.publish(trades, ts=trades["ts_event"])
    tape = folder / "tape"
    subprocess.run([program("tapedeck-recorder"), "--tape", str(tape), "--ring", "market",
                    "--exit-when-idle", "1s"], check=True, stderr=subprocess.DEVNULL)
    return tape


# %% The strategy: buy one when a price falls below its moving average, sell it when it is back above.
class Reversion:
    """Sees batches of trades in order, and knows nothing of tapes."""

    def __init__(self, weight: float = 0.05, edge: float = 0.03) -> None:
        self.weight, self.edge = weight, edge
        self.mean: dict[int, float] = {}
        self.held: dict[int, float] = {}
        self.profit: dict[int, float] = {}
        self.orders = 0

    def on_trades(self, trades: np.ndarray) -> None:
        prices = tapedeck.to_float(trades["price"]).tolist()
        for instrument, price in zip(trades["instrument_id"].tolist(), prices):
            mean = self.mean.get(instrument, price)
            if instrument not in self.held and price < mean - self.edge:
                self.held[instrument] = price
                self.orders += 1
            elif instrument in self.held and price > mean + self.edge:
                gain = price - self.held.pop(instrument)
                self.profit[instrument] = self.profit.get(instrument, 0.0) + gain
                self.orders += 1
            self.mean[instrument] = mean + self.weight * (price - mean)


# %% Replay: a player puts the tape into a ring, we consume it, and it waits for us.
def backtest(tape: pathlib.Path, strategy: Reversion) -> int:
    tapedeck.create_ring("backtest", 1 << 20)
    player = subprocess.Popen([program("tapedeck"), "play", "-q", "-T", str(tape), "--into", "backtest",
                               "-t", "wide-trade"])
    count = 0
    with tapedeck.Consumer("backtest") as ring:
        for batch in ring.batches(timeout=30):  # until END
            trades = batch.records("wide-trade")
            strategy.on_trades(trades)
            count += len(trades)
        complete = ring.ended is not None and ring.ended["complete"]
    if player.wait(30) != 0 or not complete:
        raise SystemExit("the replay was not whole")
    return count


# %% All of it, and what came out.
def main() -> None:
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tapedeck-backtest-"))
    rings = tempfile.mkdtemp(prefix="tapedeck-backtest-", dir="/dev/shm")
    os.environ["TAPEDECK_RINGS"] = rings  # our own, so that no name of ours is taken
    try:
        tape = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else make_tape(scratch)
        with tapedeck.Tape(tape) as opened:
            expected = opened.count(types="wide-trade")
        strategy = Reversion()
        count = backtest(tape, strategy)
        assert count == expected, f"{count} trades played, {expected} on the tape"
        print(f"{count} trades, {strategy.orders} orders")
        for instrument, profit in sorted(strategy.profit.items()):
            print(f"  instrument {instrument}: {profit:+.2f}")
        print(f"total {sum(strategy.profit.values()):+.2f}, {len(strategy.held)} still held")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(rings, ignore_errors=True)


if __name__ == "__main__":
    main()

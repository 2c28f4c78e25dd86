#!/usr/bin/env python3
"""Tables and pictures from what rivals.sh measured.

    tests/bench/report.py OUT           writes OUT/tables.md and OUT/*.svg
    tests/bench/report.py OUT --docs    also puts them into docs/performance.md and docs/performance/

Medians; ratios within the one run. A target that was not measured is not in the table. Runs that failed and answers
that are wrong are named in front of the figures, and the exit is 1.
"""

import collections
import json
import pathlib
import re
import statistics
import sys

from svg import bars, lines

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
OURS = ("tapedeck", "sealed")
LIMITS = ("limit_bulkfv", "limit_slots", "limit_lines", "limit_lines_memcpy")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


# ---- what was measured ----

def read_lines(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class Ring:
    """rate[mode][capacity][name]: M messages a second; delay[mode][name]: p50 in ns."""

    def __init__(self, path):
        rates, delays = collections.defaultdict(list), collections.defaultdict(list)
        for kind, name, mode, *rest in read_lines(path):
            if kind == "T":
                capacity = re.fullmatch(r"cap=(\d+)", rest[0])
                if capacity:
                    rates[mode, int(capacity[1]), re.sub(r"_\d+[km]$", "", name)].append(float(rest[1]))
            else:
                delays[mode, name].append(float(rest[1]))
        self.rate = collections.defaultdict(lambda: collections.defaultdict(dict))
        for (mode, capacity, name), values in rates.items():
            self.rate[mode][capacity][name] = statistics.median(values)
        self.delay = collections.defaultdict(dict)
        for (mode, name), values in delays.items():
            self.delay[mode][name] = statistics.median(values)

    def of(self, mode, capacity):
        return self.rate[mode].get(capacity, {})

    def bare(self, mode, capacity):
        """The fastest bare loop: lines of 64 bytes, without a head."""
        return max((r for n, r in self.of(mode, capacity).items() if re.match("limit_(lines|slots)", n)), default=None)

    def best_rival(self, mode, capacity):
        rivals = {n: r for n, r in self.of(mode, capacity).items() if n != "tapedeck" and not n.startswith("limit")}
        return max(rivals.items(), key=lambda item: item[1], default=(None, None))


class Store:
    """rate[name]: M ticks a second until durable; size[name]: bytes a tick; time[query, "hot" | "cold"][name]: s."""

    def __init__(self, path):
        rates, sizes = collections.defaultdict(list), {}
        times, answers = collections.defaultdict(lambda: collections.defaultdict(list)), {}
        self.mode, self.wrong, self.judge = {}, set(), None  # whose answers are held against the others'
        for name, what, *rest in read_lines(path):
            if what == "record":
                rates[name].append(int(rest[0]) / float(rest[1]) / 1e6)
                sizes[name] = int(rest[2]) / int(rest[0])
                self.mode[name] = rest[4]
                continue
            times[what, rest[0]][name].append(float(rest[1]))
            self.judge = self.judge or name
            answer = rest[2].split(",")[0] if what.startswith("count") else rest[2]
            if answers.setdefault(what, answer) != answer:
                self.wrong.add(name)
        self.rate = {name: statistics.median(values) for name, values in rates.items()}
        self.size = sizes
        self.time = {key: {name: statistics.median(values) for name, values in by.items()} for key, by in times.items()}


def read_bench(path):
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {row["what"]: row for row in rows}


def read_bare(out):
    """What bare loops reached, by name: a rate per second, or seconds."""
    rows = [json.loads(line) for path in out.glob("bare-*.json") for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["name"]: row.get("per_s", row.get("seconds")) for row in rows}


def read_failures(out, store):
    """What the harnesses report as failed, and which contestants answer differently from the first."""
    said = [line for path in (out / "ring.log", out / "store.log") if path.exists()
            for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in said if line.startswith("FAILED") or line.endswith("record failed")] + [
        f"{name}: its answers are not those of {store.judge}" for name in sorted(store.wrong)]


# ---- in words ----

def capacity_text(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def table(head, rows):
    def line(cells):
        return "| " + " | ".join(cells) + " |"
    return "\n".join([line(head), "|---|" + "---:|" * (len(head) - 1), *(line(row) for row in rows)]) + "\n"


# ---- the targets ----

class Targets:
    """limit: the same figure of a bare loop in the same run, which does the minimum. Not sound: the contestant gave wrong
    answers, so it has not reached the target."""

    def __init__(self):
        self.rows = []

    def least(self, what, value, target, unit="x", limit=None, sound=True):
        self._add(what, value, target, "at least", unit, limit, sound and value is not None and value >= target)

    def most(self, what, value, target, unit, limit=None, sound=True):
        self._add(what, value, target, "at most", unit, limit, sound and value is not None and value <= target)

    def aside(self, what, value, unit="x"):
        """A figure for comparison only, without a target."""
        if value is not None:
            self.rows.append([what, "", f"{value:.3g} {unit}", "", ""])

    def _add(self, what, value, target, bound, unit, limit, reached):
        if value is not None:
            self.rows.append([what, f"{bound} {target:g} {unit}", f"{value:.3g} {unit}", f"{limit:.3g} {unit}" if limit else "",
                              "yes" if reached else "**no**"])


def ratio(a, b):
    return a / b if a and b else None


def ring_targets(targets, ring):
    for capacity, wanted in ((256 << 10, 2.5), (1 << 20, 2.5), (4 << 20, 1.3), (16 << 20, 1), (64 << 20, 3)):
        name, best = ring.best_rival("one", capacity)
        targets.least(f"ring, 64 bytes one at a time, {capacity_text(capacity)}: of {name}",
                      ratio(ring.of("one", capacity).get("tapedeck"), best), wanted, limit=ratio(ring.bare("one", capacity), best))
    for mode, words, wanted in (("var", "32 to 256 bytes", 2.5), ("batch", "batches of 32", 1.5)):
        name, best = ring.best_rival(mode, 1 << 20)
        targets.least(f"ring, {words}, 1 MiB: of {name}", ratio(ring.of(mode, 1 << 20).get("tapedeck"), best), wanted,
                      limit=ratio(ring.bare(mode, 1 << 20), best))
    rivals = {name: value for name, value in ring.delay["lat"].items() if name not in OURS and "limit" not in name}
    if rivals:
        name = min(rivals, key=rivals.get)
        targets.most(f"ring, round trip, p50: of {name}", ratio(ring.delay["lat"].get("tapedeck"), rivals[name]), 1.05, "x",
                     ratio(ring.delay["lat"].get("limit_slots"), rivals[name]))
    for rate, wanted in (("1e+07", 1), ("2e+07", 2)):
        value, bare = (ring.delay["pace" + rate].get(name) for name in ("tapedeck", "limit_slots"))
        targets.most(f"ring, one way at {float(rate) / 1e6:g} M/s, p50", value and value / 1e3, wanted, "us", bare and bare / 1e3)


def store_targets(targets, store, record, bare):
    sound, sealed_sound = (name not in store.wrong for name in OURS)
    disk = None  # how many of a tape's ticks it takes
    if "the disk alone, durable" in record and "tapedeck" in store.size:
        disk = record["the disk alone, durable"]["bytes_rate"] / store.size["tapedeck"] / 1e6
    for rival, wanted in (("flat", 2), ("nats", 2.5), ("duckdb", 5), ("lmdb", 20), ("redis", 50), ("sqlite", 80), ("pg", 80)):
        targets.least(f"record until durable: of {rival}", ratio(store.rate.get("tapedeck"), store.rate.get(rival)), wanted,
                      limit=ratio(disk, store.rate.get(rival)), sound=sound)

    for what, of, wanted, bare_row in (("durable, 1 ring", "the disk alone, durable", 0.9, "a bare recorder, durable"),
                                       ("drained, no disk", "copy and CRC-32C, three ways", 0.8, None)):
        if what in record and of in record:
            targets.least(f"bench record: {what}: of {of}", record[what]["rate"] / record[of]["rate"], wanted,
                          limit=bare_row in record and record[bare_row]["rate"] / record[of]["rate"])
    if "drained, no disk" in record:
        widest = "copy and CRC-32C alone"
        targets.aside(f"bench record: drained, no disk: of {widest}", record["drained, no disk"]["rate"] / record[widest]["rate"])

    def asked(query, heat, name="tapedeck"):
        return store.time.get((query, heat), {}).get(name)

    def read_bare_ms(what, heat):
        return bare.get(f"{what}: read, sum, walk" + (", cold" if heat == "cold" else ""), 0) * 1e3

    for query, words, hot, cold in (("sym_1min", "one symbol, a minute", 20e-6, 5e-3), ("all_1min", "all symbols, a minute", 60e-6, 5e-3),
                                    ("sym_day", "one symbol, the day, from rows", 25e-3, 100e-3)):
        for heat, wanted in (("hot", hot), ("cold", cold)):
            value = asked(query, heat)
            targets.most(f"{words}, {heat}", value and value * 1e3, wanted * 1e3, "ms", query == "sym_day" and read_bare_ms("rows", heat),
                         sound=sound)
    for heat, wanted in (("hot", 8), ("cold", 50)):
        value = asked("sym_day", heat, "sealed")
        targets.most(f"one symbol, the day, sealed, {heat}", value and value * 1e3, wanted, "ms", read_bare_ms("sealed, a symbol", heat),
                     sound=sealed_sound)
    value = asked("count_sym_day", "hot")
    targets.most("count of a symbol's day, hot", value and value * 1e3, 1, "ms", sound=sound)
    for words, heat, name, wanted, least in (
            ("everything in order, hot", "hot", "tapedeck", 0.8, "rows: read, sum, walk"),
            ("everything in order, sealed, cold", "cold", "sealed", 2.5, "sealed: read, lay, walk, cold")):
        flat = asked("replay_all", heat, "flat")
        targets.least(f"{words}: of flat's speed", ratio(flat, asked("replay_all", heat, name)), wanted,
                      limit=ratio(flat, bare.get(least)), sound=name not in store.wrong)
    targets.most("bytes of a tick on disk, sealed", store.size.get("sealed"), 5.5, "bytes", sound=sealed_sound)


def play_targets(targets, play, bare):
    least = "bare play: read, sum, copy"
    for what, wanted, limit in (("at full speed", 100, least), ("at full speed, cold", 40, least + ", cold"),
                                ("at full speed, sealed, cold", 100, "bare play: read, lay, copy, cold"), ("at full speed, 4 tracks merged", 40, least)):
        targets.least(f"play {what}", what in play and play[what]["rate"] / 1e6 or None, wanted, "Mt/s", limit in bare and bare[limit] / 1e6)


# ---- the tables ----

def ring_table(ring, mode):
    capacities = sorted(ring.rate[mode])
    names = sorted({name for by in ring.rate[mode].values() for name in by if name not in LIMITS},
                   key=lambda name: -max(by.get(name, 0) for by in ring.rate[mode].values()))
    rows = [[name.replace("limit_bulk", "bulk copy: the limit"),
             *(f"{ring.rate[mode][c][name]:.1f}" if name in ring.rate[mode][c] else "" for c in capacities)] for name in names]
    return table(["M messages a second", *map(capacity_text, capacities)], rows)


def store_table(store):
    queries = ["sym_1min", "all_1min", "sym_day", "count_sym_day", "replay_all"]
    names = sorted(store.rate, key=lambda name: -store.rate[name])
    ours = store.rate.get("tapedeck")

    def cell(query, name):
        return " / ".join(duration(store.time[query, heat][name]) if name in store.time.get((query, heat), {}) else "-"
                          for heat in ("hot", "cold"))
    rows = [[name + (" WRONG" if name in store.wrong else ""), store.mode[name].replace("_", " "), f"{store.rate[name]:.2f}",
             f"{ours / store.rate[name]:.1f}x" if ours else "", f"{store.size[name]:.1f}", *(cell(query, name) for query in queries)]
            for name in names]
    return table(["store", "durability", "Mt/s", "tapedeck to it", "bytes a tick", "symbol, minute (hot / cold)", "all, minute",
                  "symbol, day", "count", "everything"], rows)


def bench_table(rows):
    return table(["", "a second", "p50", "p99"],
                 [[what, f"{row['rate'] / 1e6:.2f} M" if row["rate"] >= 1e5 else f"{row['rate']}",
                   *(duration(row[key] / 1e9) if row[key] else "" for key in ("p50", "p99"))] for what, row in rows.items()])


# ---- all of it ----

def pictures(ring, store):
    made = {}
    if ring.rate["one"]:
        names = {name for by in ring.rate["one"].values() for name in by if name not in LIMITS}
        series = {name.replace("limit_bulk", "bulk copy"): [(capacity_text(c), by[name]) for c, by in sorted(ring.rate["one"].items())
                                                         if name in by] for name in sorted(names)}
        made["ring-capacity"] = lines("64-byte messages one at a time, by the ring's capacity", "M/s", series, "tapedeck")
    if store.rate:
        made["store-record"] = bars("Record a day until it is durable", "M ticks/s",
                                    {name: [rate] for name, rate in sorted(store.rate.items(), key=lambda x: -x[1])}, OURS)
    for query, words in (("sym_1min", "One symbol, one minute"), ("sym_day", "One symbol, the whole day"), ("replay_all", "Everything, in order")):
        hot, cold = store.time.get((query, "hot"), {}), store.time.get((query, "cold"), {})
        if hot:
            made["store-" + query.replace("_", "-")] = bars(
                f"{words}: hot, and cold (lighter)", "ms",
                {name: [value * 1e3] + ([cold[name] * 1e3] if name in cold else [])
                 for name, value in sorted(hot.items(), key=lambda x: x[1])}, OURS)
    return made


def times(count):
    return f", {count} times" if count > 1 else ""


def text(out, ring, store, benches, bare, failures):
    targets = Targets()
    ring_targets(targets, ring)
    store_targets(targets, store, benches["record"], bare)
    play_targets(targets, benches["play"], bare)
    machine = (out / "machine.txt").read_text(encoding="utf-8")
    if "limit_rtt1" in ring.delay["lat"]:
        machine += f"a line from one processor to the other and back: {ring.delay['lat']['limit_rtt1']:.0f} ns\n"
    parts = ["```\n" + machine + "```\n"]
    if failures:
        parts += ["### What failed\n", "\n".join(f"- {failure}{times(count)}"
                                                 for failure, count in collections.Counter(failures).items()) + "\n"]
    parts += ["### Targets\n", table(["", "target", "measured", "a bare loop", "reached"], targets.rows)]
    for mode, words in (("one", "64 bytes, one at a time"), ("batch", "64 bytes, batches of 32"), ("var", "32 to 256 bytes, one at a time")):
        if ring.rate[mode]:
            parts += [f"### Ring: {words}\n", ring_table(ring, mode)]
    if store.rate:
        parts += ["### Stores\n", store_table(store)]
    for name, rows in benches.items():
        if rows:
            parts += [f"### `tapedeck bench {name}`\n", bench_table(rows)]
    return "\n".join(parts)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    ring, store = Ring(out / "ring.tsv"), Store(out / "store.tsv")
    benches = {name: read_bench(out / f"{name}.json") for name in ("record", "query", "play")}
    failures = read_failures(out, store)
    made = text(out, ring, store, benches, read_bare(out), failures)
    images = pictures(ring, store)
    (out / "tables.md").write_text(made, encoding="utf-8")
    folders = [out]
    if sys.argv[2:] == ["--docs"]:
        folders.append(DOCS / "performance")
        folders[-1].mkdir(exist_ok=True)
        page = DOCS / "performance.md"
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        page.write_text(before + BEGIN + "\n" + made + END + rest.split(END)[1], encoding="utf-8")
    for folder in folders:
        for name, image in images.items():
            (folder / f"{name}.svg").write_text(image, encoding="utf-8")
    print(made)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

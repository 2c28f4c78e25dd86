"""--prime from outside: the state that a range begins with is checked against all ticks before it."""

import random
import struct

from tests.support import tapedeck

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
TRADE, MBP1, STATUS, DEFINITION, MAPPING, MBO = 0x00, 0x01, 0x12, 0x13, 0x16, 0xA0
SIZES = {TRADE: 48, MBP1: 80, STATUS: 40, MBO: 56}
STATEFUL = (TRADE, MBP1, STATUS)
PROLOGUE = 8


def record(rtype, instrument, ts, number):
    """A DBN record: its head, bytes that identify it, and ts_recv at the place where this rtype has it."""
    size = SIZES[rtype]
    body = bytearray(struct.pack("<BBHIQ", size // 4, rtype, 1, instrument, ts) + bytes(size - 16))
    at = {TRADE: 32, MBP1: 32, STATUS: 16, MBO: 40}[rtype]
    body[at:at + 8] = struct.pack("<Q", ts)
    body[at + 8:at + 12] = struct.pack("<I", number)
    return bytes(body)


class Prime(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.once(self.fill)
        self.all = [frame for frame in self.frames() if frame.is_tick()]

    def fill(self):
        shuffled = random.Random(5)
        for track in "ab":
            for epoch in range(2):
                records = []
                for i in range(3000):
                    # Instrument 9 is only in the first epoch. Times go back now and then.
                    instrument = shuffled.choice((1, 2, 3, 4) if epoch else (1, 2, 3, 9))
                    ts = T0 + (epoch * 3000 + i - shuffled.randrange(3)) * MS
                    rtype = shuffled.choice((TRADE, MBP1, MBP1, MBO) + ((STATUS,) if i < 40 else ()))
                    records.append(record(rtype, instrument, ts, i))
                path = self.scratch / f"{track}{epoch}.dbn"
                path.write_bytes(b"".join(records))
                self.run_ok("import", path, "-T", self.tape, "--track", track, "--format", "dbn",
                            "--block-size", "64K", "-q")

    def expected(self, start, keep=lambda frame: True):
        """The last tick before the start, by (epoch, seq), of each track, instrument and kind."""
        last = {}
        for frame in self.all:
            kind, instrument = frame.payload[1], struct.unpack("<I", frame.payload[4:8])[0]
            if frame.ts < start and kind in STATEFUL and keep(frame):
                key = (frame.track, instrument, kind)
                place = (frame.epoch, frame.seq)
                last[key] = max(last.get(key, place), place)
        return {(track, *place) for (track, _, _), place in last.items()}

    def primed(self, *args):
        frames = list(tapedeck.parse_frames(
            self.run_ok("query", "-T", self.tape, "--prime", "-o", "frames", *args).stdout))
        ticks = [frame for frame in frames if frame.is_tick()]
        states = [frame for frame in ticks if frame.flags & PROLOGUE]
        self.assertEqual(ticks[:len(states)], states)  # all states come first
        return states, ticks[len(states):]

    @staticmethod
    def places(frames):
        return [(frame.track, frame.epoch, frame.seq) for frame in frames]

    def test_the_last_of_each_kind_and_instrument_comes_first(self):
        for start in (T0 + MS, T0 + 20 * MS, T0 + 2999 * MS, T0 + 3001 * MS, T0 + 4500 * MS, T0 + 9000 * MS):
            states, ticks = self.primed("--from", start)
            with self.subTest(start=start):
                self.assertEqual(len(states), len(set(self.places(states))))
                self.assertEqual(set(self.places(states)), self.expected(start))
                self.assertEqual(sorted(self.places(ticks)),
                                 sorted(self.places(f for f in self.all if f.ts >= start)))

    def test_a_state_is_what_the_tape_has(self):
        by_place = {(f.track, f.epoch, f.seq): f for f in self.all}
        for state in self.primed("--from", T0 + 4500 * MS)[0]:
            origin = by_place[state.track, state.epoch, state.seq]
            self.assertEqual((state.payload, state.ts, state.flags), (origin.payload, origin.ts, origin.flags | PROLOGUE))

    def test_only_what_is_asked_for(self):
        start = T0 + 4500 * MS
        self.assertEqual(set(self.places(self.primed("--from", start, "-s", "#9")[0])),
                         self.expected(start, lambda f: f.payload[4] == 9))
        self.assertEqual(set(self.places(self.primed("--from", start, "-t", "trades", "-t", "mbo")[0])),
                         self.expected(start, lambda f: f.payload[1] == TRADE))
        self.assertEqual(set(self.places(self.primed("--from", start, "--track", "b")[0])),
                         self.expected(start, lambda f: f.track == "b"))
        self.assertEqual(set(self.places(self.primed("--from", start, "--prime-back", "1s")[0])),
                         self.expected(start, lambda f: f.ts >= start - 1000 * MS))

    def test_there_is_nothing_before_the_beginning(self):
        self.assertEqual(self.primed()[0], [])

    def test_a_primed_ring_counts_and_digests_the_range_alone(self):
        start = T0 + 4500 * MS
        plain = self.tape_digest("--from", start)
        done = self.run_ok("play", "-T", self.tape, "--from", start, "--prime", "--digest", "--into", "r",
                           "--create", "4M", "--loop", "1")
        self.assertEqual(self.digest_of(done.stderr), plain)
        drained = self.run_ok("drain", "r", "-o", "frames", "--until-end", "--digest", "--timeout", "20s")
        self.assertEqual(self.digest_of(drained.stderr), plain)
        frames = list(tapedeck.parse_frames(drained.stdout))
        ticks = [frame for frame in frames if frame.is_tick()]
        states = [frame for frame in ticks if frame.flags & PROLOGUE]
        self.assertEqual(ticks[:len(states)], states)
        self.assertEqual(set(self.places(states)), self.expected(start))
        self.assertEqual(int.from_bytes(frames[-1].payload[0:8], "little"), plain[1])

    def test_a_primed_ring_of_each_track_and_shifted_times(self):
        start = T0 + 4500 * MS
        first = min(f.ts for f in self.all if f.ts >= start and f.track == "a")
        self.run_ok("play", "-T", self.tape, "--from", start, "--prime", "--per-track", "--into", "r", "--create",
                    "4M", "--rebase", "2030-01-01T00:00:00Z")
        drained = self.run_ok("drain", "r.a", "-o", "frames", "--until-end", "--timeout", "20s", "--digest")
        self.assertEqual(self.digest_of(drained.stderr), self.tape_digest("--from", start, "--track", "a"))
        states = [f for f in tapedeck.parse_frames(drained.stdout) if f.is_tick() and f.flags & PROLOGUE]
        self.assertEqual(set(self.places(states)), self.expected(start, lambda f: f.track == "a"))
        self.assertTrue(all(f.ts > first for f in states))

    def test_it_does_not_go_with_counting_or_reverse(self):
        for word in ("--reverse", "--count"):
            self.assertEqual(self.run_cli("query", "-T", self.tape, "--prime", word, "-o", "none").returncode, 2)

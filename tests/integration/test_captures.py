"""Packet captures and files from other programs, compared with what independent decoders counted in them."""

import functools
import gzip
import hashlib
import io
import json
import struct
import unittest
import zipfile
import zlib

from tests.support import captures, tapedeck


@functools.lru_cache(maxsize=None)
def expected():
    return json.loads((tapedeck.SHARED / "data" / "expected.json").read_text())["files"]


class Captures(tapedeck.Case):
    def real(self, name):
        """A file of the real data, and what independent decoders counted in it."""
        return self.shared(name), expected()[name]

    def put(self, *args, code=0, track="t", **how):
        return self.run_ok("import", *args, "-T", self.tape, "--track", track, code=code, **how)

    def ticks(self, *args, **how):
        return [f for f in self.frames(*args, **how) if f.is_tick()]

    def jsonl(self, *args):
        out = self.run_ok("query", "-T", self.tape, "-o", "jsonl", *args).stdout
        return [json.loads(line) for line in out.splitlines()]


    @staticmethod
    def crc(values):
        """The CRC of prices in order, as expected.json states it."""
        return f"{zlib.crc32(b''.join(struct.pack('<q', value) for value in values)):08x}"

    def records(self, *args):
        """Wide ticks as integers, keyed by column name."""
        lines = self.run_ok("query", "-T", self.tape, "-o", "csv", *args).stdout.decode().splitlines()
        names = lines[0].split(",")
        return [dict(zip(names, line.split(","))) for line in lines[1:]]


class Packets(Captures):
    def test_the_real_capture_has_every_datagram(self):
        path, wanted = self.real("iex/TOPS16.pcapng.gz")
        done = self.put(path)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        ticks = self.ticks()
        self.assertEqual(len(ticks), wanted["capture_ns"]["n"])
        self.assertEqual(ticks[0].ts, wanted["capture_ns"]["first"])
        self.assertEqual(ticks[-1].ts, wanted["capture_ns"]["last"])
        found = hashlib.sha256(b"".join(tick.payload for tick in ticks)).hexdigest()
        self.assertEqual(found, wanted["udp_payload_sha256"])

    def test_whole_packets_are_what_was_captured(self):
        path, wanted = self.real("iex/TOPS16.pcapng.gz")
        self.put(path, "--whole")
        ticks = self.ticks()
        self.assertEqual(sum(len(tick.payload) for tick in ticks), wanted["captured_bytes"])
        infos = {f.payload[16:] for f in self.frames() if f.type == tapedeck.INFO}
        self.assertIn(b"pcap.linktype1", infos)
        self.assertIn(b"pcap.whole1", infos)

    def test_a_feed_gives_the_same_ticks_as_an_import(self):
        path, wanted = self.real("iex/TOPS16.pcapng.gz")
        self.put(path)
        recorder = self.recorder("--ring", "r", "--create-ring", "16M", tape=self.scratch / "fed")
        self.run_ok("feed", path, "--ring", "r")
        self.assertEqual(recorder.stop(), 0)
        fed = self.ticks(tape=self.scratch / "fed")
        self.assertEqual([(t.ts, t.payload) for t in fed], [(t.ts, t.payload) for t in self.ticks()])
        self.assertEqual(len(fed), wanted["records"])

    def test_both_byte_orders_and_resolutions_and_a_pipe(self):
        packets = [(1500000000 + i, i * 7, captures.ethernet(captures.ipv4(captures.udp(b"%d" % i))))
                   for i in range(300)]
        for number, (order, magic, unit) in enumerate((
                ("<", 0xA1B2C3D4, 1000), (">", 0xA1B2C3D4, 1000),
                ("<", 0xA1B23C4D, 1), (">", 0xA1B23C4D, 1))):
            track = f"t{number}"
            self.put("-", stdin=captures.pcap(packets, order, magic), track=track)
            ticks = self.ticks("--track", track)
            self.assertEqual([t.payload for t in ticks], [b"%d" % i for i in range(300)])
            self.assertEqual([t.ts for t in ticks],
                             [(1500000000 + i) * 10**9 + i * 7 * unit for i in range(300)])

    def test_interfaces_and_sections_have_clocks_of_their_own(self):
        make = captures.ipv4(captures.udp(b"x"))
        file = b""
        for order in "<>":
            file += captures.section(order)
            file += captures.interface(order, link=101)  # without if_tsresol: microseconds
            file += captures.interface(order, link=101, tsresol=9)
            file += captures.interface(order, link=101, tsresol=0x8A)  # 2^-10 s
            file += captures.interface(order, link=1, tsresol=3, offset=100)
            file += captures.packet(order, 0, 5_000_001, make)
            file += captures.packet(order, 1, 6_000_000_001, make)
            file += captures.packet(order, 2, 7 * 1024 + 512, make)
            file += captures.packet(order, 3, 8_001, captures.ethernet(make))
        self.put(self.write("x.pcapng", file))
        self.assertEqual([t.ts for t in self.ticks()],
                         [5_000_001_000, 6_000_000_001, 7_500_000_000, 108_001_000_000] * 2)

    def test_what_is_no_datagram_is_counted(self):
        ok = captures.ethernet(captures.ipv4(captures.udp(b"ok")))
        tcp = captures.ethernet(captures.ipv4(bytes(20), protocol=6))
        arp = captures.ethernet(bytes(28), kind=0x0806)
        part = captures.ethernet(captures.ipv4(captures.udp(b"part", size=99), fragment=0x2000))
        done = self.put(self.write("a.pcap", captures.pcap([(1, 0, p) for p in (tcp, ok, arp)])))
        self.assertIn("2 packets hold no UDP", done.stderr)
        done = self.put(self.write("b.pcap", captures.pcap([(1, 0, p) for p in (part, ok)])), code=3)
        self.assertIn("1 fragments", done.stderr)
        done = self.put(self.write("c.pcap", captures.pcap([(1, 0, ok[:-1], len(ok))])), code=3)
        self.assertIn("1 packets were cut", done.stderr)
        done = self.put(self.write("d.pcap", captures.pcap([(1, 0, ok)], link=105)), code=3)
        self.assertIn("--whole", done.stderr)
        self.assertEqual([t.payload for t in self.ticks()], [b"ok", b"ok", b"o"])

    def test_a_cut_file_gives_its_whole_packets(self):
        packets = [(i, 0, captures.ethernet(captures.ipv4(captures.udp(b"x" * i)))) for i in range(1, 4)]
        file = captures.pcap(packets)
        done = self.put(self.write("cut.pcap", file[:-1]), code=3)
        self.assertIn("cut.pcap", done.stderr)
        self.assertRegex(done.stderr, r"at offset \d+, \d+ bytes of \d+")
        self.assertEqual(len(self.ticks()), 2)
        ng = captures.section() + captures.interface() + b"".join(
            captures.packet("<", 0, 1000 * i, data) for i, _, data in packets)
        done = self.put(self.write("cut.pcapng", ng[:-5]), code=3, track="ng")
        self.assertIn("offset", done.stderr)
        self.assertEqual(len(self.ticks("--track", "ng")), 2)

    def test_hostile_lengths_are_refused_with_their_offset(self):
        good = captures.section() + captures.interface()
        for name, tail in (("short", b"\x06\0\0\0\x08\0\0\0\x08\0\0\0"), ("odd", b"\x06\0\0\0\x0d\0\0\0\0\0\0\0"),
                           ("huge", b"\x06\0\0\0\xfc\xff\xff\xff\0\0\0\0"),
                           ("packet", captures.packet("<", 0, 1, b"x")[:20] + b"\xff" * 4 + bytes(12))):
            done = self.put(self.write(name, good + tail), code=1)
            self.assertRegex(done.stderr, rf"{name}: .*offset {len(good)}\b", name)
        plain = captures.pcap([]) + b"\0" * 8 + b"\xff" * 8
        self.put(self.write("plain", plain), code=1)
        self.assertFalse((self.tape / "segments").exists() and self.ticks())
        one = captures.packet("<", 0, 1000, captures.ethernet(captures.ipv4(captures.udp(b"good"))))
        self.put(self.write("behind", good + one + b"\xff" * 64), code=3)
        self.assertEqual([t.payload for t in self.ticks()], [b"good"])

    def test_the_modified_format_is_refused_by_name(self):
        done = self.put(self.write("m", captures.pcap([], magic=0xA1B2CD34)), code=1)
        self.assertIn("modified", done.stderr)


class Venues(Captures):
    def check_binance(self, name):
        path, wanted = self.real(name)
        track = path.name[:-3]
        self.put(path, "--decode", "binance", track=track)
        ticks = self.ticks("--track", track)
        self.assertEqual(len(ticks), wanted["records"])
        self.assertEqual(ticks[0].ts, wanted["local_ns"]["first"])
        self.assertEqual(ticks[-1].ts, wanted["local_ns"]["last"])
        trades = self.records("--track", track, "-t", "wide-trade")
        self.assertEqual(len(trades), wanted["by_event"]["trade"])
        prices = [int(trade["price"]) for trade in trades]
        self.assertEqual(sum(prices), wanted["trades"]["price"]["sum"])
        self.assertEqual(self.crc(prices), wanted["trades"]["price"]["crc32_of_le_i64"])
        self.assertEqual(sum(int(trade["size"]) for trade in trades),
                         sum(wanted["trades"]["qty_e9_sum_by_symbol"].values()))
        quotes = self.records("--track", track, "-t", "wide-quote")
        self.assertEqual(len(quotes), wanted["by_event"]["bookTicker"])
        both = [int(quote[side]) for quote in quotes for side in ("bid_px_00", "ask_px_00")]
        self.assertEqual(self.crc(both), wanted["book_ticker_prices_bid_then_ask"]["crc32_of_le_i64"])
        symbol = next(iter(wanted["trades"]["by_symbol"]))
        found = int(self.run_ok("query", "-T", self.tape, "--track", track, "-s", symbol, "--count").stdout)
        self.assertEqual(found, len(trades) + len(quotes))
        return ticks, path

    def test_binance_spot_becomes_trades_and_quotes(self):
        self.check_binance("binance/spot/ethusdt_20240808.gz")

    def test_binance_coin_m_becomes_trades_and_quotes(self):
        ticks, path = self.check_binance("binance/cm/ethusd_perp_20240809.gz")
        lines = [line.split(b" ", 1)[1] for line in gzip.decompress(path.read_bytes()).splitlines()]
        others = [line for line in lines if b"@trade" not in line and b"@bookTicker" not in line]
        self.assertEqual([t.payload for t in ticks if t.type == 3], others)

    def test_binance_usd_m_becomes_trades_and_quotes(self):
        self.check_binance("binance/usdm/btcusdt_20240808.gz")

    def test_a_message_that_cannot_be_read_stays_a_line(self):
        bad = b'{"e":"trade","s":"X","t":1,"p":"1.00000000001","q":"1"}'
        done = self.put("-", "--decode", "binance", stdin=b"1 " + bad + b"\n2 nothing\n", code=3)
        self.assertIn("2 messages", done.stderr)
        self.assertEqual([t.payload for t in self.ticks()], [bad, b"nothing"])

    def test_captures_of_cryptofeed(self):
        for name in ("cryptofeed/COINBASE.ws.28.0", "cryptofeed/KRAKEN.ws.50.0"):
            path, wanted = self.real(name)
            self.put(path, track=path.name)
            ticks = self.ticks("--track", path.name)
            self.assertEqual(len(ticks), wanted["records"])
            self.assertEqual(ticks[0].ts, wanted["local_ns"]["first"])
            self.assertEqual(ticks[-1].ts, wanted["local_ns"]["last"])
            found = hashlib.sha256(b"".join(tick.payload for tick in ticks)).hexdigest()
            self.assertEqual(found, wanted["payload_sha256"])

    def test_itch_has_a_type_a_letter(self):
        path, wanted = self.real("itch/ex20101224.TEST_ITCH_50.gz")
        self.assertIn("--date", self.put(path, code=1).stderr)
        self.put(path, "--date", "2010-12-24", "--tz", "-05:00")
        ticks = self.ticks()
        self.assertEqual(len(ticks), wanted["records"])
        midnight = 1293166800 * 10**9
        self.assertEqual(ticks[0].ts, midnight + wanted["ns_since_midnight"]["first"])
        self.assertEqual(ticks[-1].ts, midnight + wanted["ns_since_midnight"]["last"])
        for letter, count in wanted["by_type"].items():
            found = self.run_ok("query", "-T", self.tape, "-t", f"itch-{letter}", "--count").stdout
            self.assertEqual(int(found), count, letter)
        found = hashlib.sha256(b"".join(tick.payload for tick in ticks)).hexdigest()
        self.assertEqual(found, wanted["payload_sha256"])

    @staticmethod
    def itch(letter, size):
        return letter + bytes(size - 1)

    @staticmethod
    def mold(sequence, *messages, session=b"SESSION001"):
        body = b"".join(struct.pack(">H", len(m)) + m for m in messages)
        return captures.ethernet(captures.ipv4(captures.udp(
            session + struct.pack(">QH", sequence, len(messages)) + body)))

    def put_mold(self, *packets, **how):
        return self.put("-", "--format", "itch", **how,
                        stdin=captures.pcap([(i + 1, 0, packet) for i, packet in enumerate(packets)]))

    def test_itch_in_packets_has_their_times_and_gaps_are_counted(self):
        mold, message = self.mold, self.itch
        done = self.put_mold(mold(1, message(b"S", 12), message(b"A", 36)), mold(3),
                             mold(5, message(b"D", 19)), code=3)
        self.assertIn("2 messages are missing", done.stderr)
        self.assertEqual([(t.ts // 10**9, t.payload[:1]) for t in self.ticks()],
                         [(1, b"S"), (1, b"A"), (3, b"D")])
        cut = self.put("-", "--format", "itch", "--date", "2010-12-24",
                       stdin=b"\0\0" + message(b"S", 12) + b"\0\0A", code=3, track="cut")
        self.assertIn("offset 14", cut.stderr)

    def test_gaps_are_those_of_each_session_and_not_what_comes_on_a_second_line(self):
        def datagram(number, session):
            return self.mold(number, self.itch(b"D", 19), session=session)

        a, b = b"SESSION00A", b"SESSION00B"
        first, second = [datagram(n, a) for n in (1, 2, 4, 5)], [datagram(n, a) for n in (1, 2, 3)]
        self.put_mold(*first, *second, track="lines")
        done = self.put_mold(datagram(1, a), datagram(1, b), datagram(3, a), datagram(4, b), code=3)
        self.assertIn("3 messages are missing", done.stderr)


class Columns(Captures):
    def test_quotes_of_a_day_in_a_zip(self):
        for name in ("lean-fx/forex/oanda/tick/eurusd/20140501_quote.zip",
                     "lean-fx/cfd/oanda/tick/xauusd/20140501_quote.zip"):
            path, wanted = self.real(name)
            wanted = next(iter(wanted["members"].values()))
            track = path.parent.name
            self.put(path, "--map", "lean-quotes", "--symbol", track.upper(), "--date", "2014-05-01", track=track)
            ticks = self.ticks("--track", track)
            self.assertEqual(len(ticks), wanted["records"])
            midnight = 1398902400 * 10**9
            self.assertEqual(ticks[0].ts, midnight + wanted["ns_since_midnight"]["first"])
            self.assertEqual(ticks[-1].ts, midnight + wanted["ns_since_midnight"]["last"])
            quotes = self.records("--track", track)
            for side in ("bid", "ask"):
                self.assertEqual(self.crc(int(q[f"{side}_px_00"]) for q in quotes),
                                 wanted[side]["crc32_of_le_i64"])

    def test_every_tardis_file(self):
        for name, args in (("bitmex_trades_XBTUSD", ()), ("huobi-dm-swap_quotes_BTC-USD", ()),
                           ("binance-futures_book_snapshot_5_BTCUSDT", ()),
                           ("deribit_incremental_book_L2_BTC-PERPETUAL", ("--map", "ts=local_timestamp:us"))):
            path, wanted = self.real(f"tardis/{name}.csv")
            self.put(path, *args, track=name)
            ticks = self.ticks("--track", name)
            self.assertEqual(len(ticks), wanted["records"], name)
            self.assertEqual(ticks[0].ts, wanted["local_timestamp_us"]["first"] * 1000)
            self.assertEqual(ticks[-1].ts, wanted["local_timestamp_us"]["last"] * 1000)
            if not args:
                symbol = next(iter(wanted["by_symbol"]))
                found = self.run_ok("query", "-T", self.tape, "--track", name, "-s", symbol, "--count").stdout
                self.assertEqual(int(found), wanted["records"])

    def test_columns_are_found_by_name_and_decimals_are_exact(self):
        text = ('when,"the, symbol",px,qty,side\r\n'
                '2026-11-20T09:30:00.000000001,"A""B",-0.000000001,18446744073.709551614,sell\r\n'
                '2026-11-20T09:30:01,C,9223372036.854775806,,\r\n')
        self.put("-", "--map", "ts=when:text,symbol=the, symbol,price=px,size=qty,side=side", stdin=text.encode(),
                 code=2)  # a comma ends the column's name
        self.put("-", "--map", "ts=#1:text,symbol=#2,price=#3,size=#4,side=#5", "--tz", "Europe/Berlin",
                 stdin=text.split("\n", 1)[1].encode())
        trades = self.records()
        self.assertEqual([t["price"] for t in trades], ["-1", "9223372036854775806"])
        self.assertEqual([t["size"] for t in trades], [str(2**64 - 2), str(2**64 - 1)])
        self.assertEqual([t["side"] for t in trades], ["A", "N"])
        self.assertEqual(self.ticks()[0].ts, 1795163400000000001)
        names = self.run_ok("ls", "symbols", "-T", self.tape, "--json").stdout
        self.assertEqual({row["symbol"] for row in json.loads(names)}, {'A"B', "C"})

    def test_bad_lines_are_named_and_skipped(self):
        text = "t,p\n1,1\n2,x\n3\n4,\"4\n5,5\n"
        done = self.put(self.write("bad.csv", text), "--map", "ts=t,price=p", "--symbol", "S", code=3)
        for line in (3, 4, 5):
            self.assertIn(f"bad.csv: line {line}: ", done.stderr)
        self.assertEqual([t.ts for t in self.ticks()], [1, 5])

    def test_what_cannot_be_is_refused_before_anything_is_made(self):
        path = self.write("a.csv", "t,p\n1,1\n")
        for args, code, says in ((("--map", "ts=t,price=p"), 1, "--symbol"), (("--format", "csv"), 1, "--map"),
                                 (("--map", "ts=u,price=p", "--symbol", "S"), 1, "column 'u'"),
                                 (("--map", "nonsense"), 2, "nonsense"), (("--map", "lean-quotes", "--symbol", "S"), 1, "--date"),
                                 (("--date", "20140501"), 2, "--date"),
                                 (("--map", "ts=t", "--format", "pcap"), 2, "--map"), (("--whole", "--format", "csv"), 2, "--whole"),
                                 (("--decode", "binance", "--format", "dbn"), 2, "--decode"), (("--symbol", ""), 2, "--symbol"), (("--separator", "ab"), 2, "--separator")):
            done = self.put(path, *args, code=code)
            self.assertIn(says, done.stderr)
            self.assertFalse(self.tape.exists())

    def test_a_zip_of_several_files_is_told(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", "1 a\n")
            archive.writestr("b", "2 b\n")
        done = self.put(self.write("two.zip", packed.getvalue()), code=3)
        self.assertIn("several files", done.stderr)
        self.assertEqual([t.payload for t in self.ticks()], [b"a"])
        damaged = bytearray(packed.getvalue())
        damaged[14] ^= 1  # the checksum of the first packet
        done = self.put(self.write("bad.zip", bytes(damaged)), code=3, track="bad")
        self.assertIn("checksum", done.stderr)


if __name__ == "__main__":
    unittest.main()

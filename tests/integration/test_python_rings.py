"""python/tapedeck publishes into rings and reads them, between processes and as the examples do."""

import datetime
import threading
import unittest

from tests.support import tapedeck as support
from tests.support.package import Case

import numpy as np
import tapedeck
from tapedeck import records


class Rings(Case):
    def test_what_one_process_publishes_another_consumes(self):
        tapedeck.create_ring("r", 1 << 16)
        reader = self.python("""
            import sys, tapedeck
            with tapedeck.Consumer("r") as ring:
                print("ready", flush=True)
                count = total = last = 0
                for batch in ring.batches(timeout=30):
                    values = batch.records("wide-trade")
                    count, total = count + len(values), total + int(values["price"].sum())
                    if len(values): last = int(batch.seq[-1])
                    if last >= 20000: break
                print(count, total, last)
            """)
        self.addCleanup(reader.stdout.close)
        self.assertEqual(reader.stdout.readline(), "ready\n")
        trades = records.make("wide-trade", 20000)
        trades["price"] = np.arange(20000)
        with tapedeck.Producer("r") as feed:
            self.assertEqual(feed.publish(trades, wait=60), 20000)
            self.assertEqual(feed.info.lost, 0)
        self.assertEqual(reader.communicate(timeout=60)[0], f"20000 {19999 * 10000} 20000\n")
        self.assertEqual(reader.returncode, 0)

    def test_a_full_ring_refuses_and_counts(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            fit = feed.publish(records.make("wide-trade", 2000))
            self.assertEqual(feed.info.lost, 2000 - fit)
            self.assertEqual(feed.publish(records.make("wide-trade", 1), wait=0.01), 0)
            self.assertEqual(feed.info.lost, 2000 - fit)  # it waited in vain, and no seq was spent
            self.assertEqual(len(ring.read().records("wide-trade")), fit)
            self.assertEqual(len(tap.read().records("wide-trade")), fit)
            ring.release()
            self.assertTrue(feed.publish_bytes(b"hello", 77))
            batch = ring.read(1)
            self.assertEqual([bytes(p) for p in batch.payloads()], [b"hello"])
            self.assertEqual((batch.ts[0], batch.seq[0]), (77, 2001))
            self.assertIsNone(ring.read())

    def test_a_producer_that_waits_for_room_can_be_closed(self):
        tapedeck.create_ring("r", 1 << 16)
        feed, told = tapedeck.Producer("r"), []

        def publish():
            try:
                feed.publish(records.make("mbo", 2000), wait=None)
            except ValueError as closed:
                told.append(str(closed))

        threads = [threading.Thread(target=publish, daemon=True), threading.Thread(target=feed.close, daemon=True)]
        threads[0].start()
        self.wait_for(lambda: tapedeck.ring_info("r").produced > 0)
        threads[1].start()
        for thread in threads:
            thread.join(support.PATIENCE)
        self.assertEqual(told, ["ring r: this handle is closed"])

    def test_any_layout_and_any_stride_can_be_published(self):
        tapedeck.create_ring("r", 1 << 16)
        every = records.make("mbo", 100)
        every["order_id"] = np.arange(100)
        pairs = np.arange(6, dtype="<u4").reshape(3, 2)
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            feed.publish(every[::-3])
            feed.publish(pairs.view("V8").reshape(-1), np.array([5, 6, 7], np.uint64), type=9)
            batch = ring.read()
            self.assertEqual(batch.records("mbo")["order_id"].tolist(), list(range(99, -1, -3)))
            self.assertEqual(b"".join(batch.payloads(9)), pairs.tobytes())
            self.assertEqual(batch.ts[batch.types == 9].tolist(), [5, 6, 7])
            with self.assertRaisesRegex(ValueError, "records of no schema"):
                feed.publish(pairs.reshape(-1))
            with self.assertRaisesRegex(ValueError, "records of trades have length 12, not 0; .*make"):
                feed.publish(np.zeros(3, tapedeck.SCHEMAS["trades"].dtype))
            with self.assertRaisesRegex(tapedeck.Error, "cannot be published"):
                feed.publish_bytes(b"x", type=0xC0)
            with self.assertRaisesRegex(ValueError, "100 records and 3 times"):
                feed.publish(every, np.zeros(3, np.uint64))
            for texts in (np.array(["a", None], object), np.array([(1, "a")], [("n", "<u4"), ("text", object)])):
                with self.assertRaisesRegex(ValueError, "addresses"):
                    feed.publish(texts, type=3)
            for byte in ({"type": 259}, {"type": -1}, {"flags": 256}):
                with self.assertRaisesRegex(ValueError, "0 to 255"):
                    feed.publish_bytes(b"x", **{"type": 3, **byte})

    def test_bytes_of_any_kind_can_be_published_and_what_was_read_again(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            for payload in (b"a\0b", bytearray(b"cd"), memoryview(b"efgh")[::2], np.arange(2, dtype="<u2"), b""):
                self.assertTrue(feed.publish_bytes(payload))
            batch = ring.read()
            for payload in batch.payloads(3):
                feed.publish_bytes(payload)
            for texts in (batch, ring.read()):
                self.assertEqual([bytes(p) for p in texts.payloads(3)], [b"a\0b", b"cd", b"eg", b"\0\0\1\0", b""])
            for no_bytes in ("text", 5, None):
                self.assertRaises(TypeError, feed.publish_bytes, no_bytes)

    def test_a_ring_whose_file_is_cut_is_hostile_and_kills_nobody(self):
        tapedeck.create_ring("r", 1 << 16)
        child = self.python("""
            import os, tapedeck
            with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring, tapedeck.Tap("r") as tap:
                feed.publish_bytes(b"x")
                os.truncate(os.environ["TAPEDECK_RINGS"] + "/r.ring", 0)
                for use in ring.read, tap.read, lambda: [feed.publish_bytes(b"y") for _ in range(2)]:
                    try:
                        print("not told:", use())
                    except tapedeck.Hostile as told:
                        print(told)
            """)
        self.assertEqual(child.communicate(timeout=60)[0], "its file was cut\n" * 3)
        self.assertEqual(child.returncode, 0)

    def test_a_control_frame_that_breaks_off_tells_nothing_and_costs_no_tick(self):
        tapedeck.create_ring("r", 1 << 16)
        for kind, payload in ((records.TRACK, b"short"), (records.TRACK, b"\xff" * 17),
                              (records.END, b"brief"), (records.EPOCH, b"\1" * 9)):
            with self.subTest(kind=kind), tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
                feed.publish_bytes(b"good")
                feed.publish_bytes(payload)
                with open(self.rings / "r.ring", "r+b") as file:  # overwrite the type in the frame's head
                    file.seek(file.read().rfind(payload) - 24 + 6)
                    file.write(bytes([kind]))
                batch = ring.read()
                self.assertEqual([bytes(p) for p in batch.payloads(3)], [b"good"])
                self.assertEqual({(p.track, p.epoch) for p in batch.parts[1:]}, {("r", feed.epoch)})
                self.assertIsNone(ring.ended)
                ring.release()

    def test_times_of_any_unit_are_ns_in_the_ring(self):
        tapedeck.create_ring("r", 1 << 16)
        two = records.make("mbo", 2)
        days = np.array(["2026-11-20", "2026-11-21"], "datetime64[D]")
        with tapedeck.Producer("r") as feed, tapedeck.Consumer("r") as ring:
            feed.publish(two, days)
            feed.publish(two, [7, 8])
            feed.publish_bytes(b"x", days[0])
            ts = [tapedeck.to_ns(day) for day in days]
            self.assertEqual(ring.read().ts[-5:].tolist(), ts + [7, 8] + ts[:1])
            for told in (["2026-11-20", "2026-11-21T00:00Z"],
                         [datetime.datetime(2026, 11, day, tzinfo=datetime.timezone.utc) for day in (20, 21)]):
                feed.publish(two, told)
                self.assertEqual(ring.read().ts.tolist(), ts)
            for wrong in (np.array([0.5, 1]), np.array([-1, 1]), np.array(["NaT", "NaT"], "datetime64[s]"),
                          np.array(["2500-01-01", "2026-11-20"], "datetime64[D]"), ["now", "now"],
                          [datetime.datetime(2026, 11, 20)] * 2):
                with self.assertRaises(ValueError, msg=wrong):
                    feed.publish(two, wrong)
            self.assertIsNone(ring.read())

    def test_a_ring_has_one_producer_and_a_name_that_can_be(self):
        tapedeck.create_ring("r", 1 << 16, track="eq")
        self.assertEqual(tapedeck.rings(), ["r"])
        with tapedeck.Producer("r"):
            with self.assertRaisesRegex(tapedeck.Busy, "living producer"):
                tapedeck.Producer("r")
            with self.assertRaises(tapedeck.Busy):
                tapedeck.remove_ring("r")
        self.assertEqual(tapedeck.ring_info("r").track, "eq")
        with self.assertRaises(tapedeck.Missing):
            tapedeck.Consumer("other")
        with self.assertRaisesRegex(tapedeck.Error, "name"):
            tapedeck.create_ring("../r")
        tapedeck.remove_ring("r")
        self.assertEqual(tapedeck.rings(), [])

    def test_a_tap_that_is_overtaken_is_told(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Producer("r") as feed, tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            for _ in range(4):
                feed.publish(records.make("mbo", 700))
                ring.read()
                ring.release()
            with self.assertRaisesRegex(tapedeck.Lapped, "overtook this tap") as caught:
                tap.read()
            self.assertGreater(caught.exception.missed, 1 << 16)
            feed.publish(records.make("mbo", 2))
            self.assertEqual(len(tap.read()), 2)

    def test_a_tap_that_is_overtaken_by_another_producer_knows_its_epoch(self):
        tapedeck.create_ring("r", 1 << 16)
        with tapedeck.Tap("r") as tap, tapedeck.Consumer("r") as ring:
            with tapedeck.Producer("r") as first:
                first.publish(records.make("mbo", 1))
                self.assertEqual(set(tap.read().epoch.tolist()), {first.epoch})
            with tapedeck.Producer("r") as second:
                for _ in range(4):
                    second.publish(records.make("mbo", 700))
                    ring.read()
                    ring.release()
                with self.assertRaises(tapedeck.Lapped):
                    tap.read()
                second.publish(records.make("mbo", 2))
                batch = tap.read()
                self.assertEqual([(part.track, part.epoch) for part in batch.parts],
                                 [("r", second.epoch)])
                self.assertEqual(batch.epoch.tolist(), [second.epoch] * 2)


if __name__ == "__main__":
    unittest.main()

"""The bytes in docs/protocol.md are those that a replayer accepts and sends."""

import re
import socket

from tests.support import tapedeck, wire

DOCUMENT = tapedeck.SOURCE / "docs" / "protocol.md"


def exchange():
    """(direction, bytes, whole) for each line of hex in the document's exchange."""
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"## One exchange\n.*?```\n(.*?)```", text, re.S).group(1)
    for line in block.splitlines():
        if line[:2] in ("> ", "< "):
            whole = not line.endswith("..")
            yield line[0], bytes.fromhex(line[2:].removesuffix("..")), whole


class Exchange(tapedeck.Case):
    def setUp(self):
        super().setUp()
        self.run_ok("import", "-", "--format", "lines", "-T", self.tape, "--track", "t",
                    stdin=b"1000 hello\n2000 hello\n3000 hello\n")
        self.start("tapedeck-replayer", "--tape", self.tape).wait_line(r"^ready ")
        self.socket = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.socket.close)
        self.socket.connect(str(self.tape / "replayer.sock"))
        self.socket.settimeout(wire.PATIENCE)
        self.came = b""

    def message(self):
        """The bytes of the next message."""
        while True:
            unpacker = wire.msgpack.Unpacker()
            unpacker.feed(self.came)
            try:
                unpacker.skip()
            except wire.msgpack.OutOfData:
                data = self.socket.recv(1 << 16)
                self.assertNotEqual(data, b"", "closed")
                self.came += data
                continue
            size = unpacker.tell()
            message, self.came = self.came[:size], self.came[size:]
            return message

    def test_it_is_as_written(self):
        lines = list(exchange())
        self.assertGreater(len(lines), 8)
        for direction, data, whole in lines:
            if direction == ">":
                wire.msgpack.unpackb(data)
                self.socket.sendall(data)
                continue
            message = self.message()
            self.assertEqual(message[:len(data)].hex(" "), data.hex(" "))
            self.assertTrue(not whole or len(message) == len(data), message)
        self.socket.sendall(wire.msgpack.packb([0, 9, "stats", {}]))  # the replayer is still alive
        self.assertEqual(wire.msgpack.unpackb(self.message())[1], 9)

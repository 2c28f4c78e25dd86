"""A client of the protocol that shares no code with tapedeck: sockets, and Debian's python3-msgpack."""

import socket
import sys
import time
import unittest

try:
    import msgpack
except ImportError:  # this Python is not Debian's, but can use its modules
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import msgpack
    except ImportError:
        raise unittest.SkipTest("python3-msgpack is not installed") from None

PATIENCE = 30.0


class Error(Exception):
    """An error that the other side answered instead of a result."""

    def __init__(self, error):
        super().__init__(f"{error['name']}: {error['message']}")
        self.code, self.name, self.message = error["code"], error["name"], error["message"]
        self.retry_after = error.get("retry_after")


class Closed(Exception):
    """The other side closed the connection."""


class Client:
    """One connection. Notifications that come while it waits for an answer are kept."""

    def __init__(self, path=None, address=None, hello=True, token=None):
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(path))
        else:
            self.socket = socket.create_connection(address)
        self.socket.settimeout(PATIENCE)
        self.unpacker = msgpack.Unpacker(raw=False, max_buffer_size=1 << 26)
        self.id = 0
        self.kept = []
        self.welcome = None
        if hello:
            params = {"client": "test", "protocol": 1}
            if token is not None:
                params["token"] = token
            self.welcome = self.call("hello", **params)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, params):
        self.id += 1
        self.send(msgpack.packb([0, self.id, method, params]))
        return self.id

    def notify(self, method, **params):
        self.send(msgpack.packb([2, method, params]))

    def message(self, timeout=PATIENCE):
        """The next message, of any kind."""
        end = time.monotonic() + timeout
        while True:
            for message in self.unpacker:
                return message
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            data = self.socket.recv(1 << 20)
            if not data:
                raise Closed
            self.unpacker.feed(data)

    def answer(self, wanted, timeout=PATIENCE):
        while True:
            message = self.message(timeout)
            if message[0] == 2:
                self.kept.append(message)
                continue
            if message[1] not in (wanted, None):
                raise AssertionError(f"an answer to {message[1]}, and {wanted} was asked")
            if message[2] is not None:
                raise Error(message[2])
            return message[3]

    def call(self, method, /, **params):
        return self.answer(self.request(method, params))

    def notification(self, timeout=PATIENCE):
        """The next notification: (method, params)."""
        message = self.kept.pop(0) if self.kept else self.message(timeout)
        if message[0] != 2:
            raise AssertionError(f"no notification: {message}")
        return message[1], message[2]

    def until_closed(self, timeout=PATIENCE):
        """Everything that comes before the end."""
        messages = []
        try:
            while True:
                messages.append(self.message(timeout))
        except (Closed, ConnectionResetError, BrokenPipeError):
            return messages

"""Packets and the files that hold them, built by hand according to the specifications of pcap and pcapng."""

import struct


def udp(payload, port=26400, size=None):
    length = 8 + len(payload) if size is None else size
    return struct.pack(">HHHH", 12345, port, length, 0) + payload


def ipv4(data, protocol=17, fragment=0, options=b"", padding=b""):
    total = 20 + len(options) + len(data)
    return struct.pack(">BBHHHBBHII", 0x45 + len(options) // 4, 0, total, 7, fragment, 64, protocol, 0,
                       0x0A000001, 0xE9360C6F) + options + data + padding


def ipv6(data, next_header=17, extensions=()):
    body, follows = data, next_header
    for number, make in reversed(extensions):
        body, follows = make(follows) + body, number
    return struct.pack(">IHBB", 6 << 28, len(body), follows, 64) + bytes(32) + body


def ethernet(data, kind=0x0800, tags=()):
    head = bytes(12)
    for tag in tags:
        head += struct.pack(">HH", tag, 42)
    return head + struct.pack(">H", kind) + data


def sll(data, kind=0x0800):
    return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), kind) + data


def sll2(data, kind=0x0800):
    return struct.pack(">HHIHBB8s", kind, 0, 1, 1, 0, 6, bytes(8)) + data


def pcap(packets, order="<", magic=0xA1B2C3D4, link=1):
    """packets: (seconds, fraction, bytes[, size on the wire])."""
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for seconds, fraction, data, *wire in packets:
        out += struct.pack(order + "IIII", seconds, fraction, len(data), wire[0] if wire else len(data)) + data
    return out


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def section(order="<"):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order="<", link=1, snaplen=0, tsresol=None, offset=None):
    body = struct.pack(order + "HHI", link, 0, snaplen)
    if tsresol is not None:
        body += struct.pack(order + "HHBxxx", 9, 1, tsresol)
    if offset is not None:
        body += struct.pack(order + "HHq", 14, 8, offset)
    return block(order, 1, body + struct.pack(order + "HH", 0, 0))


def packet(order, number, units, data, wire=None):
    return block(order, 6, struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data),
                                       len(data) if wire is None else wire) + data)


def simple(order, data, wire=None):
    return block(order, 3, struct.pack(order + "I", len(data) if wire is None else wire) + data)

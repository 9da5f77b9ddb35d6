"""Splits messages without Touchstone: one hexadecimal message (type first) a line in, "DE from to" triples out.

The table is written here by hand from docs/protocol/unionpay-pos.md, section 2, so that a slip in the program's own table
shows: number: (kind, prefix bytes, size). Kinds n and z count digits, two a byte; b counts bytes.
"""
import sys

TABLE = {
    2: ("n", 1, 19), 3: ("n", 0, 6), 4: ("n", 0, 12), 11: ("n", 0, 6), 12: ("n", 0, 6), 13: ("n", 0, 4), 14: ("n", 0, 4),
    15: ("n", 0, 4), 22: ("n", 0, 3), 23: ("n", 0, 3), 25: ("n", 0, 2), 26: ("n", 0, 2), 32: ("n", 1, 11), 35: ("n", 1, 37),
    36: ("n", 2, 104), 37: ("b", 0, 12), 38: ("b", 0, 6), 39: ("b", 0, 2), 41: ("b", 0, 8), 42: ("b", 0, 15), 44: ("b", 1, 25),
    48: ("n", 2, 322), 49: ("b", 0, 3), 52: ("b", 0, 8), 53: ("n", 0, 16), 54: ("b", 2, 20), 55: ("b", 2, 255), 58: ("b", 2, 100),
    59: ("b", 2, 999), 60: ("n", 2, 17), 61: ("n", 2, 29), 62: ("b", 2, 512), 63: ("b", 2, 163), 64: ("b", 0, 8),
}


def split(message):
    bits = int.from_bytes(message[2:10], "big")
    at, out = 10, []
    for n in range(2, 65):
        if not bits >> (64 - n) & 1:
            continue
        kind, prefix, size = TABLE[n]
        if prefix:
            size = int(message[at:at + prefix].hex())
        start = at
        at += prefix + ((size + 1) // 2 if kind == "n" else size)
        out.append(f"DE{n} {start} {at}")
    return out, at


for line in sys.stdin:
    message = bytes.fromhex(line)
    parts, end = split(message)
    assert end == len(message), (end, len(message))
    print("; ".join(parts))

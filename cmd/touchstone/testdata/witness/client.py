#!/usr/bin/env python3
"""A terminal in another language: a second witness of docs/protocol/unionpay-pos.md.

It shares nothing with the Go sources: its packing is written from the tables of sections 2 and 3, its
MAC from 4.1 and 4.2, its PIN blocks from 5.2, its serial-number ciphertext from 6.4, and its block
ciphers are those of the openssl command. It signs in, sells, sends the same bytes again, changes the
amount, reverses, and sends the sale once more, and checks each answer and its MAC.

    client.py --fixture fixture.json --terminal 90000001 [--host HOST:PORT] [--dump-mab DIR]

--dump-mab writes the sale's MAB, the working key that authenticates it and the MAC, as hexadecimal
digits, to mab, mak and mac in DIR. Use it with the published keys of a demonstration only: the openssl
command takes a key as an argument, which other users of the machine can read.

Exit code 0: every check held; 1: one did not, and the last line names it.
"""

import argparse
import json
import os
import socket
import subprocess
import sys

TIMEOUT = 120  # seconds, for an answer
TPDU_AND_HEADER = bytes.fromhex("6000030000" + "603100311812")


class Failure(Exception):
    pass


def check(held, what):
    """Every check is printed; none prints a secret."""
    if not held:
        raise Failure(what)
    print("ok", what)


# ---- block ciphers: the openssl command ----


def openssl_flags():
    version = subprocess.run(["openssl", "version"], check=True, capture_output=True, timeout=TIMEOUT).stdout
    if version.startswith((b"OpenSSL 1.", b"LibreSSL")):
        return []  # has no providers; DES is in it
    return ["-provider", "default", "-provider", "legacy"]


class Cipher:
    """One block cipher in ECB."""

    flags = None

    def __init__(self, name, key):
        self.name, self.key = name, key
        self.size = 16 if name == "sm4-ecb" else 8

    def run(self, data, decrypt):
        if Cipher.flags is None:
            Cipher.flags = openssl_flags()
        line = ["openssl", "enc", "-" + self.name, "-nopad", "-K", self.key.hex()] + Cipher.flags
        done = subprocess.run(line + (["-d"] if decrypt else []), input=data, capture_output=True, timeout=TIMEOUT)
        if done.returncode != 0 or len(done.stdout) != len(data):
            raise Failure("openssl enc -%s does not work here" % self.name)
        return done.stdout

    def encrypt(self, data):
        return self.run(data, False)

    def decrypt(self, data):
        return self.run(data, True)

    def check_value(self):
        return self.encrypt(bytes(self.size))[:4]


def xor(a, b):
    assert len(a) == len(b)
    return bytes(x ^ y for x, y in zip(a, b))


def ecb_mac(cipher, data):
    """Sections 4.1 and 4.2: eight ASCII characters."""
    n = cipher.size
    data += bytes(-len(data) % n)
    r = bytes(n)
    for i in range(0, len(data), n):
        r = xor(r, data[i : i + n])
    h = r.hex().upper().encode()
    e1 = cipher.encrypt(h[:n])
    e2 = cipher.encrypt(xor(e1, h[n:]))
    return e2[:4].hex().upper().encode()


# ---- elements: section 2 ----


def bcd(digits):
    """Left-aligned nibbles, filled up with 0 on the right; = is D."""
    digits = digits.replace("=", "D")
    return bytes.fromhex(digits + "0" * (len(digits) % 2))


def fixed(digits, n):
    assert len(digits) == n
    return bcd(digits)


def ll(digits):
    return bcd("%02d" % len(digits)) + bcd(digits)


def lll(digits):
    return bcd("%04d" % len(digits)) + bcd(digits)


def lll_bytes(raw):
    return bcd("%04d" % len(raw)) + raw


def message(mti, elements):
    bitmap = 0
    for n in elements:
        bitmap |= 1 << (64 - n)
    return bcd(mti) + bitmap.to_bytes(8, "big") + b"".join(elements[n] for n in sorted(elements))


# How long an element of an answer is: digits of fixed length, bytes of fixed length, or a prefix's bytes
# and whether it counts digits.
DIGITS = {3: 6, 4: 12, 11: 6, 12: 6, 13: 4, 14: 4, 15: 4, 22: 3, 25: 2, 26: 2, 53: 16}
BYTES = {37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 49: 3, 52: 8, 64: 8}
PREFIXED = {2: (1, True), 32: (1, True), 35: (1, True), 36: (2, True), 44: (1, False), 48: (2, True), 54: (2, False),
            55: (2, False), 58: (2, False), 59: (2, False), 60: (2, True), 61: (2, True), 62: (2, False), 63: (2, False)}


class Answer:
    def __init__(self, raw):
        check(raw[:5] == bytes.fromhex("6000000003"), "the answer's TPDU is the request's, turned round")
        self.body = raw[11:]
        self.mti = self.body[:2].hex()
        bitmap = int.from_bytes(self.body[2:10], "big")
        self.elements, at = {}, 10
        for n in range(1, 65):
            if not bitmap >> (64 - n) & 1:
                continue
            if n in DIGITS:
                size = (DIGITS[n] + 1) // 2
            elif n in BYTES:
                size = BYTES[n]
            else:
                prefix, digits = PREFIXED[n]
                count = int(self.body[at : at + prefix].hex())
                at += prefix
                size = (count + 1) // 2 if digits else count
            self.elements[n] = self.body[at : at + size]
            at += size
        check(at == len(self.body), "the answer's bytes are its elements and no more")

    def code(self):
        return self.elements[39].decode()


# ---- the terminal ----


class Terminal:
    def __init__(self, entry, card, address):
        self.entry, self.card = entry, card
        self.code = entry["sign_in_code"]
        self.sm4 = self.code in ("005", "006")
        self.trace, self.batch = 700000, "000000"
        host, port = address.rsplit(":", 1)
        self.connection = socket.create_connection((host, int(port)), timeout=TIMEOUT)

    def send(self, body):
        frame = TPDU_AND_HEADER + body
        self.connection.sendall(len(frame).to_bytes(2, "big") + frame)
        return Answer(self.read(int.from_bytes(self.read(2), "big")))

    def read(self, n):
        raw = b""
        while len(raw) < n:
            more = self.connection.recv(n - len(raw))
            if not more:
                raise Failure("the host closed the connection")
            raw += more
        return raw

    def next_trace(self):
        self.trace += 1
        return "%06d" % self.trace

    def identity(self):
        return {41: self.entry["terminal_id"].encode(), 42: self.entry["merchant_id"].encode()}

    def sign_in(self):
        """Sections 3.1 and 3.2."""
        licence, serial = self.entry["network_licence"][1:], self.entry["serial"][-8:]
        elements = self.identity() | {
            11: fixed(self.next_trace(), 6),
            60: lll("00" + self.batch + self.code),
            62: lll_bytes(("Sequence No12" + licence + serial).encode()),
            63: lll_bytes(b"001"),
        }
        answer = self.send(message("0800", elements))
        check(answer.mti == "0810" and answer.code() == "00", "sign-in %s is approved" % self.code)
        check(64 not in answer.elements, "a sign-in's answer carries no MAC")
        self.batch = answer.elements[60].hex()[2:8]
        keys = answer.elements[62]
        check(len(keys) == 40, "the working keys of %s are 40 bytes" % self.code)
        tmk = Cipher("sm4-ecb" if self.sm4 else "des-ede", bytes.fromhex(self.entry["tmk"]))
        pik, mak = tmk.decrypt(keys[0:16]), keys[20:36]
        if self.sm4:
            self.pik, self.mak = Cipher("sm4-ecb", pik), Cipher("sm4-ecb", tmk.decrypt(mak))
        else:
            check(mak[8:] == bytes(8), "an eight-byte MAK is followed by eight zeros")
            self.pik, self.mak = Cipher("des-ede", pik), Cipher("des-ecb", tmk.decrypt(mak[:8]))
        check(self.pik.check_value() == keys[16:20], "the PIK's check value is right")
        check(self.mak.check_value() == keys[36:40], "the MAK's check value is right")

    def pin_block(self):
        """Section 5.2: with PAN; under SM4 mode 1."""
        pin, n = self.card["pin"], 16 if self.sm4 else 8
        clear = ("%02d" % len(pin) + pin).ljust(2 * n, "F")
        account = self.card["pan"][-13:-1].rjust(2 * n, "0")
        return self.pik.encrypt(xor(bytes.fromhex(clear), bytes.fromhex(account)))

    def de59(self, block):
        """Sections 6.1 and 6.4."""
        def tag(name, value):
            return name + b"%03d" % len(value) + value

        serial, factor = self.entry["serial"].encode(), self.card["pan"][-6:].encode()
        cipher = ecb_mac(Cipher("sm4-ecb", bytes.fromhex(self.entry["serial_key"])), serial + factor)
        a2 = (tag(b"01", self.entry["device_type"].encode()) + tag(b"02", serial) + tag(b"03", factor) + tag(b"04", cipher)
              + tag(b"05", self.entry["app_version"].encode().ljust(8)))
        return lll_bytes((tag(b"A1", block) if self.sm4 else b"") + tag(b"A2", a2))

    def authenticated(self, mti, elements):
        """Section 4.1: bit 64 is set before the MAC is computed."""
        mab = message(mti, elements | {64: b""})
        return mab, mab + ecb_mac(self.mak, mab)

    def money(self, trace, amount):
        return self.identity() | {
            3: fixed("000000", 6), 4: fixed("%012d" % amount, 12), 11: fixed(trace, 6), 22: bcd("021"), 25: bcd("00"),
            49: b"156", 60: lll("22" + self.batch + "000" + "500"),
        }

    def sale(self, trace, amount):
        block = self.pin_block()
        return self.authenticated("0200", self.money(trace, amount) | {
            26: bcd("12"), 35: ll(self.card["track2"]), 52: bytes(8) if self.sm4 else block,
            53: bcd("2300000000000000" if self.sm4 else "2600000000000000"), 59: self.de59(block),
        })

    def reversal(self, trace, amount):
        elements = self.money(trace, amount) | {39: b"98"}
        if self.sm4:
            elements[53] = bcd("0300000000000000")
        return self.authenticated("0400", elements)[1]

    def verify(self, answer, what):
        check(64 in answer.elements, what + ": the answer carries a MAC")
        check(ecb_mac(self.mak, answer.body[:-8]) == answer.elements[64], what + ": the answer's MAC is right")


RECORDED = (12, 13, 15, 37, 38, 39, 44, 54)  # section 9A.2


def run(args):
    with open(args.fixture, encoding="utf-8") as f:
        fixture = json.load(f)
    entry = next(t for t in fixture["terminals"] if t["terminal_id"] == args.terminal)
    t = Terminal(entry, fixture["cards"][args.card], args.host or fixture["listen"]["tcp"])
    t.sign_in()

    amount, trace = 1850, t.next_trace()
    mab, sale = t.sale(trace, amount)
    if args.dump_mab:
        for name, text in ("mab", mab.hex()), ("mak", t.mak.key.hex()), ("mac", sale[-8:].decode()):
            with open(os.path.join(args.dump_mab, name), "w", encoding="ascii") as f:
                f.write(text + "\n")
    first = t.send(sale)
    check(first.mti == "0210" and first.code() == "00", "the sale is approved")
    t.verify(first, "the sale")
    for n, value in t.money(trace, amount).items():
        if n in (3, 4, 11, 25, 41, 42, 49):
            check(first.elements.get(n) == value, "the sale: element %d is echoed" % n)
    check({12, 13, 32, 37, 38, 39, 60} <= set(first.elements), "the sale: elements 12, 13, 32, 37, 38, 39, 60 are there")

    again = t.send(sale)
    check(again.code() == "00", "the same bytes are answered again")
    t.verify(again, "the same bytes")
    check(all(again.elements.get(n) == first.elements.get(n) for n in RECORDED), "the same bytes get the same answer")

    at = 2 + 8 + 3  # MTI, bitmap, element 3; then element 4
    altered = sale[:at] + fixed("%012d" % (amount + 1), 12) + sale[at + 6 :]
    answer = t.send(altered)
    check(answer.mti == "0210" and answer.code() == "A0", "an altered amount is A0")
    check(64 not in answer.elements, "an unauthenticated message gets an answer without a MAC")

    reversal = t.reversal(trace, amount)
    answer = t.send(reversal[:-1] + (b"1" if reversal[-1:] == b"0" else b"0"))
    check(answer.mti == "0410" and answer.code() == "A0", "a reversal with a wrong MAC is A0 and undoes nothing")
    answer = t.send(sale)
    check(answer.code() == "00", "the sale still stands")
    answer = t.send(reversal)
    check(answer.mti == "0410" and answer.code() == "00", "the reversal is answered 00")
    t.verify(answer, "the reversal")
    answer = t.send(reversal)
    check(answer.code() == "00", "a reversal sent again is answered 00")

    answer = t.send(sale)
    check(answer.mti == "0210" and answer.code() == "94", "the sale sent after its reversal is 94")
    t.verify(answer, "the late sale")


def main():
    parser = argparse.ArgumentParser(description="A second witness of the protocol.")
    parser.add_argument("--fixture", required=True)
    parser.add_argument("--terminal", required=True)
    parser.add_argument("--card", type=int, default=0)
    parser.add_argument("--host")
    parser.add_argument("--dump-mab", metavar="DIR")
    try:
        run(parser.parse_args())
    except Failure as failure:
        print("FAILED:", failure)
        return 1
    print("every check held")
    return 0


if __name__ == "__main__":
    sys.exit(main())

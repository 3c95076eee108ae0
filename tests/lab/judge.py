#!/usr/bin/env python3
"""A sender that validates with OpenSSL's own DANE code, many times a second.

It takes the TLSA RRset from real resolvers' caches as they are at that moment, and from simulated
caches: filled from each authoritative server, staggered over the TTL, each holding its answer for
exactly the TTL it came with. Prints "ready" when it has begun, and a verdict in JSON on SIGTERM.
Standard library and libssl alone; none of the code under test.
"""

import argparse
import ctypes
import ctypes.util
import json
import random
import signal
import socket
import struct
import sys
import threading
import time

ssl = ctypes.CDLL("libssl.so.3")
for name, result, arguments in [
    ("TLS_client_method", ctypes.c_void_p, []),
    ("SSL_CTX_new", ctypes.c_void_p, [ctypes.c_void_p]),
    ("SSL_CTX_dane_enable", ctypes.c_int, [ctypes.c_void_p]),
    ("SSL_CTX_ctrl", ctypes.c_long, [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]),
    ("SSL_CTX_set_verify", None, [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]),
    ("SSL_new", ctypes.c_void_p, [ctypes.c_void_p]),
    ("SSL_free", None, [ctypes.c_void_p]),
    ("SSL_dane_enable", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]),
    ("SSL_dane_set_flags", ctypes.c_ulong, [ctypes.c_void_p, ctypes.c_ulong]),
    ("SSL_dane_tlsa_add", ctypes.c_int,
     [ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint8, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_size_t]),
    ("SSL_set_fd", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int]),
    ("SSL_connect", ctypes.c_int, [ctypes.c_void_p]),
    ("SSL_write", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]),
    ("SSL_get_verify_result", ctypes.c_long, [ctypes.c_void_p]),
    ("SSL_get0_peer_certificate", ctypes.c_void_p, [ctypes.c_void_p]),
]:
    function = getattr(ssl, name)
    function.restype, function.argtypes = result, arguments
crypto = ctypes.CDLL("libcrypto.so.3")
crypto.X509_digest.restype = ctypes.c_int
crypto.X509_digest.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
crypto.EVP_sha256.restype = ctypes.c_void_p
crypto.ERR_clear_error.restype = None

SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF = 44, 0
DANE_FLAG_NO_DANE_EE_NAMECHECKS = 1
TYPE_TLSA = 52


def new_context():
    context = ssl.SSL_CTX_new(ssl.TLS_client_method())
    assert context and ssl.SSL_CTX_dane_enable(context) > 0
    ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, None)
    return context


def encode_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def skip_name(message, at):
    while True:
        length = message[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at


class NoAnswer(Exception):
    pass


def ask(server, owner, recurse):
    """The records, their TTL and whether they were validated; asks over UDP, then over TCP."""
    identity = random.getrandbits(16)
    flags = 0x0100 if recurse else 0
    question = struct.pack("!6H", identity, flags, 1, 0, 0, 1) + encode_name(owner)
    question += struct.pack("!2H", TYPE_TLSA, 1) + b"\0" + struct.pack("!2HIH", 41, 4096, 0x8000, 0)
    answer = None
    for attempt in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(2)
            try:
                s.sendto(question, (server, 53))
                while answer is None:
                    reply = s.recv(8192)
                    if reply[:2] == question[:2]:
                        answer = reply
            except OSError:
                continue
        if answer:
            break
    if answer is None:
        raise NoAnswer("time-out")
    _, flags, questions, answers, authorities, _ = struct.unpack("!6H", answer[:12])
    if flags & 15 not in (0, 3):
        raise NoAnswer("rcode %d" % (flags & 15))
    at = 12
    for _ in range(questions):
        at = skip_name(answer, at) + 4
    records, ttls, negative = [], [], None
    for number in range(answers + authorities):
        at = skip_name(answer, at)
        kind, _, ttl, length = struct.unpack("!2HIH", answer[at:at + 10])
        data = answer[at + 10:at + 10 + length]
        at += 10 + length
        if number < answers and kind == TYPE_TLSA:
            records.append((data[0], data[1], data[2], data[3:]))
            ttls.append(ttl)
        elif number < answers and kind == 5:
            ttls.append(ttl)
        elif number >= answers and kind == 6:
            negative = min(ttl, struct.unpack("!I", data[-4:])[0])
    ttl = min(ttls) if ttls else (negative or 0)
    return sorted(records), ttl, bool(flags & 0x20)


class Cache:
    """A cache that holds one answer for exactly its TTL, then fetches from one server."""

    def __init__(self, server, owner, delay):
        self.server, self.owner = server, owner
        self.records, self.until = None, time.monotonic() + delay

    def get(self):
        now = time.monotonic()
        if self.records is None or now >= self.until:
            try:
                records, ttl, _ = ask(self.server, self.owner, False)
            except NoAnswer:
                # The server is silent: a sender would ask another one. This cache is out of work.
                self.records = None
                raise
            self.records, self.until = records, now + ttl
        return self.records


def read_reply(connection, buffer):
    while True:
        while b"\n" not in buffer[0]:
            part = connection.recv(4096)
            if not part:
                raise OSError("closed")
            buffer[0] += part
        line, buffer[0] = buffer[0].split(b"\n", 1)
        if line[3:4] != b"-":
            return line


def starttls(address):
    connection = socket.create_connection((address, 25), 10)
    # libssl needs a blocking descriptor; a time limit for the kernel instead of Python's.
    connection.settimeout(None)
    limit = struct.pack("ll", 10, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    buffer = [b""]
    for command, expected in [(None, b"220"), (b"EHLO judge.example\r\n", b"250"), (b"STARTTLS\r\n", b"220")]:
        if command:
            connection.sendall(command)
        reply = read_reply(connection, buffer)
        if not reply.startswith(expected):
            connection.close()
            raise OSError("%r answered to %r" % (reply, command))
    return connection


def deliver(context, address, host, records):
    """OpenSSL's verdict (0 is good), and the digest of the certificate presented."""
    connection = starttls(address)
    session = ssl.SSL_new(context)
    try:
        crypto.ERR_clear_error()
        assert ssl.SSL_dane_enable(session, host.encode()) > 0
        ssl.SSL_dane_set_flags(session, DANE_FLAG_NO_DANE_EE_NAMECHECKS)
        usable = 0
        for usage, selector, matching, data in records:
            usable += ssl.SSL_dane_tlsa_add(session, usage, selector, matching, data, len(data)) > 0
        ssl.SSL_set_fd(session, connection.fileno())
        if ssl.SSL_connect(session) != 1:
            raise OSError("TLS handshake failed")
        verdict = ssl.SSL_get_verify_result(session) if usable else -1
        digest = ctypes.create_string_buffer(32)
        crypto.X509_digest(ssl.SSL_get0_peer_certificate(session), crypto.EVP_sha256(), digest, None)
        ssl.SSL_write(session, b"QUIT\r\n", 6)
        return verdict, digest.raw.hex()[:8]
    finally:
        ssl.SSL_free(session)
        connection.close()


def brief(records):
    return ", ".join("%d %d %d %s" % (u, s, m, d.hex()[:8]) for u, s, m, d in records) or "none"


class Judge:
    def __init__(self, options):
        self.options = options
        self.context = new_context()
        self.started = time.monotonic()
        self.log = open(options.log, "w", buffering=1)
        self.lock = threading.Lock()
        self.counts = dict(attempts=0, failures=0, unprotected=0, unreachable=0, dns_failures=0)
        self.failing_since = {}
        self.longest_outage = 0.0
        self.first_failures, self.changes, self.last = [], [], {}
        self.running = True

    def sources(self):
        for resolver in self.options.resolver:
            yield "unbound " + resolver, lambda resolver=resolver: ask(resolver, self.options.owner, True)[0]
        for server in self.options.server:
            try:
                _, ttl, _ = ask(server, self.options.owner, False)
            except NoAnswer:
                ttl = 1
            for number in range(self.options.caches):
                cache = Cache(server, self.options.owner, 0)
                cache.records, _, _ = ask(server, self.options.owner, False)
                cache.until = time.monotonic() + max(ttl, 1) * number / self.options.caches
                yield "cache %d of %s" % (number, server), cache.get

    def note(self, key, value):
        if self.last.get(key) != value:
            self.last[key] = value
            self.changes.append([round(time.monotonic() - self.started, 2), key, value])

    def attempt(self, name, get, address):
        record = {"at": round(time.monotonic() - self.started, 3), "source": name, "address": address}
        try:
            records = get()
        except NoAnswer as error:
            with self.lock:
                self.counts["dns_failures"] += 1
            record["dns"] = str(error)
            self.log.write(json.dumps(record) + "\n")
            return
        record["records"] = brief(records)
        sets = [records]
        if self.options.each and records:
            sets = [[r for r in records if r[:3] == combination] for combination in sorted({r[:3] for r in records})]
        verdict = 0
        try:
            for part in sets:
                verdict, key = deliver(self.context, address, self.options.host, part)
                record["key"] = key
                if verdict != 0:
                    break
        except OSError as error:
            with self.lock:
                self.counts["unreachable"] += 1
                if len(self.first_failures) < 10:
                    self.first_failures.append(dict(record, unreachable=str(error)))
            record["unreachable"] = str(error)
            self.log.write(json.dumps(record) + "\n")
            return
        record["verdict"] = verdict
        with self.lock:
            self.note("served at " + address, record["key"])
            self.note(name, record["records"])
            if not records:
                self.counts["unprotected"] += 1
            else:
                self.counts["attempts"] += 1
                self.judge(name, verdict != 0, record)
        self.log.write(json.dumps(record) + "\n")

    def judge(self, name, failed, record):
        now = time.monotonic()
        if not failed:
            self.failing_since.pop(name, None)
            return
        self.counts["failures"] += 1
        since = self.failing_since.setdefault(name, now)
        self.longest_outage = max(self.longest_outage, now - since)
        if len(self.first_failures) < 10:
            self.first_failures.append(record)

    def work(self, sources):
        while self.running:
            for name, get in sources:
                for address in self.options.address:
                    if not self.running:
                        return
                    self.attempt(name, get, address)
                    time.sleep(self.options.pause)

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        sources = list(self.sources())
        threads = [threading.Thread(target=self.work, args=(sources[part::2],)) for part in range(2)]
        for name, get in sources:
            self.attempt(name, get, self.options.address[0])
        for thread in threads:
            thread.start()
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        self.running = False
        for thread in threads:
            thread.join()
        details = {"changes": self.changes[:400], "first_failures": self.first_failures}
        verdict = dict(self.counts, longest_outage=round(self.longest_outage, 3), details=details,
                       seconds=round(time.monotonic() - self.started, 1))
        print(json.dumps(verdict), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--owner", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--address", action="append", required=True)
    parser.add_argument("--resolver", action="append", default=[])
    parser.add_argument("--server", action="append", default=[])
    parser.add_argument("--caches", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.04)
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--log", required=True)
    Judge(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())

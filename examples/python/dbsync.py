#!/usr/bin/env python3
"""A client of dbsync's version 2 in one file, written from docs/protocol-v2.md alone.

Needs Python 3.9 and the package "cryptography" (Debian: python3-cryptography). Keys are RSA or Ed25519.

    python3 dbsync.py --key private.pem --servers 127.0.0.1:1111,127.0.0.1:1112 SET greeting hello

    with Client(["127.0.0.1:1111", "127.0.0.1:1112"], "private.pem") as client:
        client.call("SET", "greeting", "hello")
        client.call("GET", "greeting")  # b"hello"

Each call is one envelope, sent to all servers at once; the first good answer is the result; `submit` takes several
commands as one envelope. TLS and batching are left out. Off loopback give `cluster`, which each daemon prints.
Version 1, which can be replayed, is left out too: whoever closes on the hello gets nothing.
"""

import argparse
import hashlib
import os
import socket
import statistics
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

DEFAULT_PORT = 1111
MAX_FRAME_BYTES = 64 << 20
MAX_AHEAD_MS = 4000  # an envelope is dated at most this much later than the daemons' clock
MAX_SEQ = 65535
HELLO_ELEMENTS = 7  # at least
NONCE_BYTES = 16
MAX_SIGNINGS = 3  # the first one, and what refusals for skew may cost
MAX_WAITING = 100  # calls that wait for one server; further ones go without it


class DbsyncError(Exception):
    """A call that failed. `applied` is False when no daemon applied anything of it, else "unknown"."""

    def __init__(self, text, applied="unknown"):
        super().__init__(text)
        self.applied = applied


class Refused(DbsyncError):
    """A daemon would not take the envelope; `code` is one of the table in docs/protocol-v2.md."""

    def __init__(self, code, sentence, applied):
        super().__init__(f"{code}: {sentence}", applied)
        self.code = code


class ProtocolError(DbsyncError):
    """Bytes that no daemon of version 2 sends."""


class Closed(ProtocolError):
    """The connection ended between two messages."""


class ClosedHello(ProtocolError):
    """The daemon closed on the hello, as those do that speak version 1 only, and whoever hides version 2."""


class ReplyError(Exception):
    """A command's own error, such as `WRONGTYPE …`: an answer of the database, not of the network."""


@dataclass
class Answer:
    """What one daemon said to an envelope: for each unit its reply (ReplyError among them) and its flags."""

    id: bytes
    daemon: bytes
    replies: list
    flags: list


# --- RESP2 and frames -------------------------------------------------------------------------------------


def bulk(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*items):
    """An array of encoded items."""
    return b"*%d\r\n" % len(items) + b"".join(items)


class Reader:
    """Reads one payload from its first byte to its last."""

    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def line(self):
        end = self.payload.find(b"\r\n", self.at)
        if end < 0:
            raise ProtocolError("a line without its end")
        line, self.at = self.payload[self.at : end], end + 2
        return line

    def number(self, digits):
        try:
            return int(digits)
        except ValueError:
            raise ProtocolError("a number that is none") from None

    def value(self):
        """int, bytes, str (a status), None, a list, or a ReplyError as a value."""
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "replace")
        if kind == b"-":
            return ReplyError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return self.number(rest)
        count = self.number(rest)
        if kind == b"$" and count == -1 or kind == b"*" and count == -1:
            return None
        if kind == b"$" and 0 <= count <= len(self.payload) - self.at - 2:
            data, self.at = self.payload[self.at : self.at + count], self.at + count + 2
            if self.payload[self.at - 2 : self.at] != b"\r\n":
                raise ProtocolError("a string that does not end where it said")
            return data
        if kind == b"*" and 0 <= count <= len(self.payload):
            return [self.value() for _ in range(count)]
        raise ProtocolError("an unknown kind of value, or a length that cannot be")


def read_message(payload):
    reader = Reader(payload)
    message = reader.value()
    if not isinstance(message, list) or not message or reader.at != len(payload):
        raise ProtocolError("a payload that is not one array")
    return message


# --- signing ----------------------------------------------------------------------------------------------


class Signer:
    """A private key and its name."""

    def __init__(self, pem, password=None):
        self.key = load_pem_private_key(pem, password)
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(spki).digest()

    def sign(self, signed):
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(signed)


def signed_bytes(body):
    """What the signature is over; its SHA-256 is the envelope's id."""
    return b"dbsync2\0command\0" + len(body).to_bytes(8, "big") + body


def write_body(header, commands):
    """`header`: pairs of name and value in their order; a list as a value is an array."""
    flat = []
    for name, value in header:
        flat += [bulk(name), array(*map(bulk, value)) if isinstance(value, list) else bulk(value)]
    return array(bulk("dbsync2"), array(*flat), *(array(*map(bulk, command)) for command in commands))


# --- clock ------------------------------------------------------------------------------------------------


class Clock:
    """Dates envelopes by the daemons' clocks, later than everything this client has seen an answer to."""

    def __init__(self, now=lambda: time.time_ns() // 1_000_000):
        self.now = now
        self.offsets = {}  # by server
        self.newest, self.used = (0, 0), (0, 0)  # (at, seq)
        self.lock = threading.Lock()

    def learn(self, server, clock, newest=(0, 0)):
        with self.lock:
            self.offsets[server] = clock - self.now()
            self.newest = max(self.newest, newest)

    def date(self):
        """A new (at, seq), behind the one before unless that was by a clock that has proved wrong."""
        with self.lock:
            corrected = self.now() + int(statistics.median_low(self.offsets.values() or [0]))
            latest = corrected + MAX_AHEAD_MS
            used = self.used if self.used[0] <= latest else (0, 0)
            newest = self.newest if self.newest[0] <= latest else (latest, -1)
            at, seq = max(used, newest)
            if corrected > at:
                self.used = corrected, 0
            else:
                self.used = (at, seq + 1) if seq < MAX_SEQ else (at + 1, 0)
            return self.used


# --- servers ----------------------------------------------------------------------------------------------


class Server:
    """One daemon: its connection, and the one thread that uses it."""

    def __init__(self, address, cluster, clock, timeout):
        host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
        self.address = (host.strip("[]"), int(port or DEFAULT_PORT))
        self.name, self.cluster, self.clock, self.timeout = address, cluster, clock, timeout
        self.socket = self.stream = None
        self.thread, self.free = ThreadPoolExecutor(1), threading.Semaphore(MAX_WAITING)

    def submit(self, step, *arguments):
        """Runs a step on the server's thread, behind those before it; a Future."""
        future = Future()
        if not self.free.acquire(blocking=False):
            future.set_exception(DbsyncError(f"{self.name}: {MAX_WAITING} calls wait for it", applied=False))
            return future
        future = self.thread.submit(step, *arguments)
        future.add_done_callback(lambda _: self.free.release())
        return future

    def hello(self):
        """Connects if need be. The cluster that the daemon names."""
        if self.socket is None:
            try:
                try:
                    self.greet()
                except ClosedHello:
                    self.close()  # it may just have been stopped
                    self.greet()
            except (OSError, ValueError, DbsyncError) as error:
                self.close()
                raise DbsyncError(f"{self.name}: {error}", applied=False) from error
        if self.cluster not in (None, self.named):
            raise DbsyncError(f"{self.name}: this is the cluster {self.named.hex()}", applied=False)
        return self.named

    def greet(self):
        """Connects, and learns from the daemon's hello, which may have elements that nobody here knows."""
        self.socket = socket.create_connection(self.address, self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        try:
            self.send("hello", "2", "", self.cluster or b"", self.clock.now(), "", "client")
            hello = self.receive()
        except (Closed, ConnectionError) as error:
            raise ClosedHello(
                "it closes on version 2's hello: it speaks version 1 only, which this file does not, has no room, "
                "or somebody hides version 2 from you"
            ) from error
        if hello[0] != b"hello" or len(hello) < HELLO_ELEMENTS:
            raise ProtocolError("no hello came back")
        if b"2" not in hello[1].split():
            raise DbsyncError("the daemon has no keys, and takes no signed commands")
        self.named = hello[3]
        self.clock.learn(self.name, int(hello[4]))

    def exchange(self, envelope):
        """Sends an envelope's (id, body, signature); the daemon's Answer."""
        self.hello()
        identity, body, signature = envelope
        try:
            self.send("command", body, signature)
            while True:
                message = self.receive()
                if message[0] == b"result" and message[1] == identity:
                    _, _, daemon, clock, newest, *units = message
                    at, seq = map(int, newest.split())
                    self.clock.learn(self.name, int(clock), (at, seq))
                    flags = [words.decode().split() for words in units[1::2]]
                    return Answer(identity, daemon, units[0::2], flags)
                if message[0] == b"refused" and message[1] in (identity, b""):
                    _, _, code, sentence, clock, effect = message
                    self.clock.learn(self.name, int(clock))
                    applied = False if effect == b"not-applied" else "unknown"
                    raise Refused(code.decode(), f"{self.name}: {sentence.decode()}", applied)
        except Refused:
            raise
        except (OSError, ValueError, IndexError, DbsyncError) as error:
            self.close()
            raise DbsyncError(f"{self.name}: {error}") from error

    def send(self, *elements):
        payload = array(*map(bulk, elements))
        self.socket.sendall(b"ds2:%d:%s" % (len(payload), payload))

    def receive(self):
        head = b""
        while not head.endswith(b":") or len(head) < 5:
            byte = self.stream.read(1)
            if not byte:
                raise Closed("the daemon closed the connection")
            head += byte
            if len(head) > 15 or not head.startswith(b"ds2:"[: len(head)]):
                raise ProtocolError("no frame of version 2")
        length = int(head[4:-1])
        if length > MAX_FRAME_BYTES:
            raise ProtocolError("a frame that is too long")
        payload = self.stream.read(length)
        if len(payload) < length:
            raise ProtocolError("the connection ended within a frame")
        return read_message(payload)

    def close(self):
        for closing in (self.stream, self.socket):
            if closing is not None:
                closing.close()
        self.socket = self.stream = None


# --- client -----------------------------------------------------------------------------------------------


class Client:
    """
    servers: a list of "host:port". key: a path, or PEM bytes. timeout: seconds for each step that waits.
    cluster: 64 hex digits, or None to ask the servers.
    """

    def __init__(self, servers, key, *, password=None, cluster=None, timeout=3.0):
        if not isinstance(key, bytes):
            with open(key, "rb") as file:
                key = file.read()
        self.signer = Signer(key, password)
        self.cluster = bytes.fromhex(cluster) if cluster else None
        self.clock = Clock()
        self.servers = [Server(address, self.cluster, self.clock, timeout) for address in servers]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Waits until each server has had what it was sent."""
        for server in self.servers:
            server.thread.submit(server.close)
        for server in self.servers:
            server.thread.shutdown()

    def call(self, *command, **header):
        """One command; its reply. Raises ReplyError if that is an error. `header` as for `submit`."""
        reply = self.submit([command], **header).replies[0]
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def submit(self, commands, **header):
        """
        Commands as one envelope; the first good Answer.
        header: db=number; multi=True; after=order key; only=daemon's id; and `conditions` for the header's
        `if`: a list of (database, key, unit that changed it last, empty if it must be absent).
        """
        cluster = self.learn_cluster()
        for attempt in range(MAX_SIGNINGS):
            answer, failures = self.fan_out(self.sign(cluster, commands, **header))
            if answer is not None:
                return answer
            skewed = any(isinstance(failure, Refused) and failure.code == "skew" for failure in failures)
            safe = all(failure.applied is False for failure in failures)
            if not (skewed and safe and attempt < MAX_SIGNINGS - 1):
                raise worst(failures)
        raise AssertionError("unreachable")

    def sign(self, cluster, commands, db=0, multi=False, conditions=(), after=None, only=None):
        """An envelope: (id, body, signature)."""
        at, seq = self.clock.date()
        header = [("key", self.signer.id), ("cluster", cluster), ("at", at), ("seq", seq)]
        header.append(("nonce", os.urandom(NONCE_BYTES)))
        if db:
            header.append(("db", db))
        if multi:
            header.append(("multi", "1"))
        if conditions:
            header.append(("if", [part for condition in conditions for part in condition]))
        header += [(name, value) for name, value in (("after", after), ("only", only)) if value is not None]
        body = write_body(header, commands)
        signed = signed_bytes(body)
        return hashlib.sha256(signed).digest(), body, self.signer.sign(signed)

    def learn_cluster(self):
        """The clock of one server at least, and the cluster: as told, or what all servers name at first."""
        hellos = [server.submit(server.hello) for server in self.servers]
        if self.cluster is not None:
            waiting = set(hellos)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                if any(hello.exception() is None for hello in done):
                    return self.cluster
            raise worst([hello.exception() for hello in hellos])
        named = {hello.result() for hello in hellos if hello.exception() is None}
        if not named:
            raise worst([hello.exception() for hello in hellos])
        if len(named) > 1:
            raise DbsyncError("the servers are of different clusters", applied=False)
        self.cluster = named.pop()
        for server in self.servers:
            server.cluster = self.cluster
        return self.cluster

    def fan_out(self, envelope):
        """The first answer without an error in it, else the first with one, else None; and the failures."""
        waiting: set[Future] = {server.submit(server.exchange, envelope) for server in self.servers}
        second_best, failures = None, []
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for exchange in done:
                failure = exchange.exception()
                if failure is not None:
                    failures.append(failure)
                elif not any(isinstance(reply, ReplyError) for reply in exchange.result().replies):
                    return exchange.result(), failures
                else:
                    second_best = second_best or exchange.result()
        return second_best, failures


def worst(failures):
    """Of several failures the one to show: what a daemon said, else what the network did; unknown if any is."""
    failures = sorted(failures, key=lambda failure: not isinstance(failure, Refused))
    shown = failures[0]
    if isinstance(shown, DbsyncError) and any(getattr(each, "applied", "unknown") for each in failures):
        shown.applied = "unknown"
    return shown


# --- command line -----------------------------------------------------------------------------------------


def show(reply, indent=""):
    if isinstance(reply, list):
        for item in reply:
            show(item, indent + "  " if isinstance(item, list) else indent)
    elif isinstance(reply, bytes):
        sys.stdout.buffer.write(indent.encode() + reply + b"\n")
    else:
        sys.stdout.buffer.write(f"{indent}{'' if reply is None else reply}\n".encode())


def main():
    parser = argparse.ArgumentParser(description="Signs a command, sends it to all servers, prints an answer.")
    parser.add_argument("--key", required=True, help="private key, PEM, RSA or Ed25519")
    parser.add_argument("--servers", default=f"127.0.0.1:{DEFAULT_PORT}", help="host:port,host:port,…")
    parser.add_argument("--cluster", help="64 hex digits; asked of the servers if not given")
    parser.add_argument("--db", type=int, default=0, help="number of the database")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing, such as PING")
    command = [os.fsencode(word) for word in options.command]
    try:
        with Client(
            options.servers.split(","), options.key, cluster=options.cluster, timeout=options.timeout
        ) as client:
            show(client.call(*command, db=options.db))
    except ReplyError as error:
        print(f"(error) {error}", file=sys.stderr)
        return 1
    except (DbsyncError, OSError, ValueError) as error:
        effect = " (not applied)" if getattr(error, "applied", "unknown") is False else ""
        print(f"dbsync.py: {error}{effect}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

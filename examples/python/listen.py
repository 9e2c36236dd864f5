#!/usr/bin/env python3
"""Signs commands, and is told what happens, over WebSocket (dbsyncd --ws): version 2 in binary messages.

Beside dbsync.py, of which it takes what is not about sockets; written from docs/protocol-v2.md as well. Needs the package
"websockets" besides (Debian: python3-websockets).

    python3 listen.py --key private.pem --server ws://127.0.0.1:1180 SET greeting hello
    python3 listen.py --key private.pem --server ws://127.0.0.1:1180 SUBSCRIBE news

A command's reply is printed. SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, WATCH and WATCHPREFIX go on: each event is a line, its
words separated by blanks, until the daemon is silent or gone; who has missed something then opens another and reads anew.
"""

import argparse
import asyncio
import hashlib
import os
import sys

import websockets
from dbsync import Clock, ProtocolError, Signer, array, bulk, read_message, show, signed_bytes, write_body

LISTENING = ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH", "WATCHPREFIX")
NONCE_BYTES = 16
MAX_MESSAGE_BYTES = 64 << 20
HELLO_EVERY_S = 5  # a daemon that hangs says as little as one that has nothing to tell
SILENT_S = 12


class Connection:
    """One daemon. Messages of version 2 are in frames, and frames in WebSocket messages, cut as the daemon likes."""

    def __init__(self, socket, name, key):
        self.socket, self.name, self.unread = socket, name, b""
        self.signer, self.clock = Signer(key), Clock()

    async def greet(self):
        await self.hello()
        hello = await self.receive()
        self.daemon, self.cluster = hello[2], hello[3]
        self.clock.learn(self.name, int(hello[4]))

    async def hello(self):
        await self.send("hello", "2", "", "", self.clock.now(), "", "client", "0", "listen")

    async def ask(self, kind, command):
        """Sends an envelope, as `command` or to `listen`; its reply. Events before it are printed."""
        at, seq = self.clock.date()
        header = [("key", self.signer.id), ("cluster", self.cluster), ("at", at), ("seq", seq)]
        header += [("nonce", os.urandom(NONCE_BYTES)), ("only", self.daemon)][: 2 if kind == "listen" else 1]
        body = write_body(header, [command])
        signed = signed_bytes(body)
        await self.send(kind, body, self.signer.sign(signed))
        while True:
            message = await self.receive()
            if message[0] == b"result" and message[1] == hashlib.sha256(signed).digest():
                return message[5]
            if message[0] == b"refused":
                raise ProtocolError(f"{message[2].decode()}: {message[3].decode()}")

    async def send(self, *elements):
        payload = array(*map(bulk, elements))
        await self.socket.send(b"ds2:%d:%s" % (len(payload), payload))

    async def receive(self):
        while True:
            tag, _, rest = self.unread.partition(b":")
            length, colon, payload = rest.partition(b":")
            if colon and tag != b"ds2":
                raise ProtocolError("a frame that does not begin with ds2:")
            if colon and len(payload) >= int(length):
                self.unread = payload[int(length) :]
                return read_message(payload[: int(length)])
            self.unread += await asyncio.wait_for(self.socket.recv(), SILENT_S)


async def talk(server, key, command):
    async with websockets.connect(server, subprotocols=["dbsync2"], max_size=MAX_MESSAGE_BYTES) as socket:
        connection = Connection(socket, server, key)
        await connection.greet()
        listens = command[0].decode().upper() in LISTENING
        show(await connection.ask("listen" if listens else "command", command))
        sys.stdout.flush()
        if not listens:
            return
        greeting = asyncio.ensure_future(greet_again(connection))
        try:
            while True:
                message = await connection.receive()
                if message[0] == b"event":
                    sys.stdout.buffer.write(b" ".join(message[1:]) + b"\n")
                    sys.stdout.flush()
        finally:
            greeting.cancel()


async def greet_again(connection):
    while True:
        await asyncio.sleep(HELLO_EVERY_S)
        await connection.hello()


def main():
    parser = argparse.ArgumentParser(description="Signs a command for a daemon's --ws; or listens there.")
    parser.add_argument("--key", required=True, help="private key, PEM, RSA or Ed25519")
    parser.add_argument("--server", default="ws://127.0.0.1:1180", help="ws://host:port, or wss://")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing, such as PING")
    try:
        with open(options.key, "rb") as file:
            key = file.read()
        asyncio.run(talk(options.server, key, [os.fsencode(word) for word in options.command]))
    except (OSError, ValueError, ProtocolError, asyncio.TimeoutError, websockets.WebSocketException) as error:
        print(f"listen.py: {error or 'the daemon is silent'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

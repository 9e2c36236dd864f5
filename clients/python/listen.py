#!/usr/bin/env python3
"""Signs commands and receives events over WebSocket (dbsyncd --ws), as version 2 in binary messages.

Uses the package dbsync in the same folder (docs/python.md) for everything except sockets. Also requires the package "websockets"
(Debian: python3-websockets).

    python3 listen.py --key private.pem --server ws://127.0.0.1:1180 SET greeting hello
    python3 listen.py --key private.pem --server ws://127.0.0.1:1180 SUBSCRIBE news

Prints the reply of a command. SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, WATCH and WATCHPREFIX print each event as a line of words, until the
daemon hangs or closes the connection. A program that may have missed events then reconnects and reads the data again.
"""

import argparse
import asyncio
import os
import sys

import websockets
from dbsync.__main__ import show
from dbsync.clock import Clock
from dbsync.dialing import hello_frame
from dbsync.envelope import Header, seal
from dbsync.errors import DbsyncError, ProtocolError
from dbsync.messages import FrameReader, Hello, frame, read_message
from dbsync.resp import command_bytes, read_array
from dbsync.signing import Signer

LISTENING = ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH", "WATCHPREFIX")
MAX_MESSAGE_BYTES = 64 << 20
HELLO_EVERY_S = 5  # distinguishes a hung daemon from one without events
SILENT_S = 12


class Connection:
    """The connection to one daemon. WebSocket messages contain parts of version 2 frames of any length."""

    def __init__(self, socket, key):
        self.socket, self.frames, self.messages = socket, FrameReader(), []
        self.signer, self.clock = Signer(key), Clock()

    async def greet(self):
        sent_at = self.clock.now()
        await self.hello()
        self.daemon = read_message(read_array(await self.receive()))
        if not isinstance(self.daemon, Hello):
            raise ProtocolError("no hello came back")
        self.clock.heard(self, self.daemon.clock, sent_at)

    async def hello(self):
        await self.socket.send(hello_frame(None, None))

    async def ask(self, kind, command):
        """Sends an envelope, as `command` or as `listen`. Returns its reply."""
        header = Header(only=self.daemon.daemon if kind == "listen" else None)
        envelope = seal(self.signer, self.daemon.cluster, self.clock.date(), header, [command_bytes(command)])
        await self.send(kind, envelope.body, envelope.signature)
        while True:
            name, *message = read_array(await self.receive())
            if name == b"result" and message[0] == envelope.id:
                return message[4]
            if name == b"refused":
                raise ProtocolError(f"{message[1].decode()}: {message[2].decode()}")

    async def send(self, *elements):
        await self.socket.send(frame(*elements))

    async def receive(self):
        while not self.messages:
            self.messages += self.frames.push(await asyncio.wait_for(self.socket.recv(), SILENT_S))
        return self.messages.pop(0)


async def talk(server, key, command):
    async with websockets.connect(server, subprotocols=["dbsync2"], max_size=MAX_MESSAGE_BYTES) as socket:
        connection = Connection(socket, key)
        await connection.greet()
        listens = command[0].decode().upper() in LISTENING
        show(await connection.ask("listen" if listens else "command", command))
        sys.stdout.flush()
        if not listens:
            return
        greeting = asyncio.ensure_future(greet_again(connection))
        try:
            while True:
                name, *particulars = read_array(await connection.receive())
                if name == b"event":
                    sys.stdout.buffer.write(b" ".join(particulars) + b"\n")
                    sys.stdout.flush()
        finally:
            greeting.cancel()


async def greet_again(connection):
    while True:
        await asyncio.sleep(HELLO_EVERY_S)
        await connection.hello()


def main():
    parser = argparse.ArgumentParser(description="Sends a signed command to a daemon's --ws, or listens for events.")
    parser.add_argument("--key", required=True, help="private key, PEM, RSA or Ed25519")
    parser.add_argument("--server", default="ws://127.0.0.1:1180", help="ws://host:port, or wss://")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing, such as PING")
    try:
        asyncio.run(talk(options.server, options.key, [os.fsencode(word) for word in options.command]))
    except (OSError, ValueError, DbsyncError, ProtocolError, asyncio.TimeoutError, websockets.WebSocketException) as error:
        print(f"listen.py: {error or 'the daemon is silent'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""
The link to one daemon: a connection, the envelopes in flight on it, and the waiting ones. When a connection is lost, the link sends its
envelopes again with the same bytes, which a daemon applies only once. Source: docs/protocol-v2.md "hello", "Retrying".
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from typing import Any, Literal

from .clock import steady_ms
from .dialing import Gone, dial, hello_frame, require_way
from .errors import ProtocolError
from .messages import FrameReader, Hello, Message, OtherProtocol, Refusal, Result, read_message
from .policy import Failure
from .resp import Reader
from .sending import LinkOwner, Sending
from .servers import Address

CONNECT_S = 10.0
"""The timeout in seconds of connecting and of the answer to the hello. A waiting call has its own timeout."""

OVERDUE_S = 10.0
"""A connection with pending answers is closed after this time without received bytes: the machine may be down."""

IDLE_S = 30.0
"""A connection that was idle for this time may be broken, so the next call opens another one."""

ASK_AGAIN_S = 1.0
"""The minimum interval for asking a daemon of another cluster for its cluster again."""

FIRST_BACK_OFF_S, MAX_BACK_OFF_S = 0.05, 2.0
MAX_WRITES = 3
MAX_WAITING = 1000
"""The maximum number of envelopes that wait for one daemon. Further ones are not sent to it."""

MAX_WAITING_BYTES = 64 << 20
CHUNK_BYTES = 1 << 16


class Link:
    """The link to one daemon. Its state is `closed`, `connecting`, `speaking`, or `ending` while it is being closed."""

    def __init__(self, address: Address, context: ssl.SSLContext | None, owner: LinkOwner) -> None:
        self.address, self._context, self._owner = address, context, owner
        self.state: Literal["closed", "connecting", "speaking", "ending"] = "closed"
        self.hello: Hello | None = None
        """The last hello of the daemon."""
        self.failure: Failure | None = None
        """The reason why the daemon cannot be reached, or None."""
        self._queue: deque[Sending] = deque()
        self._owed: dict[bytes, Sending] = {}
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._failures, self._backoff_until = 0, 0.0
        self.heard_at = self._greeted_at = self._asked_at = 0.0
        """`heard_at`: when the daemon last sent something."""
        self._is_asking = self._is_closed = False
        self._complaint = self._reason = ""
        """An error of the daemon for the complete connection, and the reason why this side closed it."""

    @property
    def is_idle(self) -> bool:
        """Whether no envelope is in flight or waiting."""
        return not self._queue and not self._owed

    @property
    def is_in_backoff(self) -> bool:
        """Whether the link is in a backoff pause."""
        return self.state == "closed" and self.failure is not None and _now() < self._backoff_until

    @property
    def silence(self) -> Failure:
        """Returns the failure to report for a daemon that has not answered yet."""
        if self.state == "closed" and self.failure is not None:
            return self.failure
        if self.state == "connecting" and self._writer is None:
            where = ", or in the handshake" if self.address.is_encrypted else ""
            return Failure("connect", f"no answer to the attempt to connect{where}")
        return Failure("timeout", "connected, but the hello was not answered" if self.state == "connecting" else "")

    def want(self, insist: bool = False) -> None:
        """Connects, unless the link is already connected or in a backoff pause."""
        if self.state == "closed" and not self._is_closed and (insist or not self.is_in_backoff):
            self.state = "connecting"
            self._task = asyncio.get_running_loop().create_task(self._live())

    def ask(self) -> None:
        """Asks the daemon for a new hello."""
        if self.state == "speaking" and not self._is_asking:
            self._is_asking, self._asked_at = True, steady_ms()
            self._send_hello()

    def _send_hello(self) -> None:
        owner = self._owner
        self._write(hello_frame(owner.cluster if owner.is_signed else None, len(owner.links) - 1))

    def offer(self, sending: Sending, insist: bool) -> None:
        """Accepts an envelope. Its call receives the outcome later."""
        if self._is_closed:
            sending.failed("closed")
        elif self.is_in_backoff and not insist:
            failure = self.failure or Failure("connect")
            sending.failed(failure.stage, failure.detail)
        elif not self.is_idle and not self._has_room(sending):
            sending.failed("busy")
        else:
            if self.is_idle and self.state == "speaking" and _now() - self.heard_at > IDLE_S:
                self._give_up("")
            self._queue.append(sending)
            self._waiting_bytes += len(sending.bytes)
            self.want(insist)
            self._pump()

    def withdraw(self, sending: Sending) -> bool:
        """Removes an envelope from the queue. Returns whether it was in the queue and was never sent."""
        if sending not in self._queue:
            return False
        self._queue.remove(sending)
        self._settled(sending)
        return sending.writes == 0

    def expire(self, sending: Sending) -> None:
        """Handles the end of a call. If the daemon has sent nothing since the envelope, the link opens another connection."""
        if self.withdraw(sending):
            sending.failed(self.silence.stage, self.silence.detail)
            return
        if self._owed.pop(sending.envelope.id, None) is not None:
            self._settled(sending)
            if self.state == "speaking" and self.heard_at < sending.written_at and not sending.may_wait:
                self._give_up("silent for too long")
        sending.failed("timeout")

    def close(self) -> None:
        """Closes the link permanently, and fails its envelopes."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
        self._end_connection()
        for sending in self._take_all():
            sending.failed("closed")

    async def ended(self) -> None:
        """Waits until a closed link has released its socket."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _live(self) -> None:
        """Serves one connection until it ends."""
        has_spoken = False
        try:
            await self._greet()
            has_spoken = True
            while True:
                await self._read()
        except asyncio.CancelledError:
            # Up to Python 3.11, wait_for may finish the attempt to connect after `close`.
            self._end_connection()
            raise
        except Gone as gone:
            self._lost(gone, has_spoken)
        except OSError as error:
            self._lost(Gone("lost", error.strerror or str(error)), has_spoken)
        except Exception as mistake:  # a defect of this package, which must not block calls
            self._lost(Gone("garbage", repr(mistake)), has_spoken)
            raise

    async def _greet(self) -> None:
        """Connects and exchanges hellos. Tries a second time if the daemon closes the connection, since it may be restarting."""
        for is_last in (False, True):
            self._complaint = self._reason = ""
            try:
                await asyncio.wait_for(self._open(), CONNECT_S)
                return
            except Gone as gone:
                # wait_for discards a cancellation that arrives together with the end of the attempt.
                if gone.stage != "lost" or self._complaint or self._is_closed:
                    raise
                self._end_connection(is_again=True)
                if is_last:
                    raise Gone("version") from None
            except asyncio.TimeoutError:
                raise Gone(self.silence.stage, self.silence.detail) from None

    async def _open(self) -> None:
        self.hello, self._frames = None, FrameReader()
        self._reader, self._writer = await dial(self.address, self._context)
        self._is_asking, self._asked_at = True, steady_ms()
        self._send_hello()
        while self.state != "speaking":
            await self._read()

    async def _read(self) -> None:
        try:
            chunk = await self._reader.read(CHUNK_BYTES)
        except OSError as error:
            raise Gone("lost", self._complaint or self._reason or error.strerror or str(error)) from error
        if not chunk:
            raise Gone("lost", self._complaint or self._reason)
        self.heard_at = _now()
        try:
            for payload in self._frames.push(chunk):
                message = read_message(await self._decode(payload))
                if message is not None:
                    self._told(message)
        except OtherProtocol as error:
            raise Gone("refused", f"other-protocol: The daemon sent {error}: install the same version of dbsync on both sides.") from error
        except ProtocolError as error:
            if not self.address.is_encrypted and chunk[:2] == b"\x15\x03":
                raise Gone("tls", "it accepts only TLS: write dbsyncs:// before its address in the list of servers") from None
            raise Gone("garbage", str(error)) from error

    async def _decode(self, payload: bytes) -> list[Any]:
        """Decodes in steps, and stops when no call waits for the answer. Raises Gone, ProtocolError."""
        reader = Reader(payload)
        while not reader.step():
            await asyncio.sleep(0)
            if self.state == "ending" or self.state == "speaking" and not self._owed:
                raise Gone("lost", self._reason or "its answer took too long to decode")
        return reader.message

    def _told(self, message: Message) -> None:
        if isinstance(message, Hello):
            self._greeted(message)
            return
        sending = self._owed.pop(message.id, None)
        if sending is None:
            if isinstance(message, Refusal) and not message.id:
                self._complaint = f"{message.code}: {message.sentence}"
                if self.state != "speaking":
                    raise Gone("refused", self._complaint)
            return
        self._settled(sending)
        self._owner.answered(self, sending, message)

    def _greeted(self, hello: Hello) -> None:
        require_way(hello, self._owner.is_signed)
        self.hello, self.state, self.failure, self._failures = hello, "speaking", None, 0
        self._is_asking, self._greeted_at = False, _now()
        self._owner.greeted(self, hello, self._asked_at)
        self._pump()

    def _pump(self) -> None:
        while self._queue and self.state == "speaking" and not self._is_asking and self.hello is not None:
            sending = self._queue[0]
            if sending.envelope.cluster != self.hello.cluster:
                if _now() - self._greeted_at > ASK_AGAIN_S:
                    self.ask()
                    return
                self._queue.popleft()
                self._settled(sending)
                sending.failed("wrong-cluster", f"its cluster is {self.hello.cluster.hex()}")
                continue
            self._queue.popleft()
            self._owed[sending.envelope.id] = sending
            sending.writes += 1
            sending.written_at = _now()
            self._write(sending.bytes)
        if self._owed and self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(OVERDUE_S, self._look)

    def _look(self) -> None:
        """Closes a connection whose answers are overdue."""
        self._watch = None
        if self.state != "speaking" or not self._owed:
            return
        first = min(sending.written_at for sending in self._owed.values())
        left = OVERDUE_S - (_now() - max(first, self.heard_at))
        may_wait = any(sending.may_wait for sending in self._owed.values())
        if left <= 0 and not may_wait:
            self._give_up("silent for too long")
        else:
            self._watch = asyncio.get_running_loop().call_later(max(left, 1.0), self._look)

    def _lost(self, gone: Gone, has_spoken: bool) -> None:
        self._end_connection()
        written = list(self._owed.values())
        self._owed.clear()
        if not has_spoken:
            self.failure = Failure(gone.stage, gone.detail)
            longest = min(MAX_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** min(self._failures, 10))
            self._failures += 1
            self._backoff_until = _now() + random.random() * longest
            failed = written + self._take_all()
        else:
            may_go_again = gone.stage == "lost" and not self._complaint
            again = [sending for sending in written if may_go_again and sending.writes < MAX_WRITES]
            failed = [sending for sending in written if sending not in again]
            self._queue.extendleft(reversed(again))
        for sending in failed:
            self._settled(sending)
            sending.failed(gone.stage, gone.detail)
        if self._queue:
            self.want()
        self._owner.changed()

    def _give_up(self, reason: str) -> None:
        """Aborts the connection. `_live` detects this, and opens another one if envelopes are waiting."""
        self.state, self._reason = "ending", reason
        if self._writer is not None:
            self._writer.transport.abort()

    def _end_connection(self, is_again: bool = False) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._writer is not None:
            # Nothing more has to be sent, and a regular end of TLS would wait for the other side.
            self._writer.transport.abort()
        self._writer = self._watch = None
        self._is_asking = False
        self.state = "connecting" if is_again else "closed"

    def _take_all(self) -> list[Sending]:
        waiting = [*self._owed.values(), *self._queue]
        self._owed.clear()
        self._queue.clear()
        self._waiting_bytes = 0
        return waiting

    def _has_room(self, sending: Sending) -> bool:
        count = len(self._queue) + len(self._owed)
        return count < MAX_WAITING and self._waiting_bytes + len(sending.bytes) <= MAX_WAITING_BYTES

    def _settled(self, sending: Sending) -> None:
        self._waiting_bytes = max(0, self._waiting_bytes - len(sending.bytes))
        if self.is_idle:
            self._owner.changed()

    def _write(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)


def _now() -> float:
    return steady_ms() / 1000

"""
The blocking client. All its connections belong to a background thread with an event loop. Therefore many threads can make calls at the
same time, and the client receives late answers of daemons while the program continues.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from concurrent.futures import Future, wait
from datetime import datetime
from types import TracebackType
from typing import Any, Coroutine, Iterator, Literal, TypeVar, overload

from .errors import Closed
from .face import Face
from .fleet import DRAIN_S
from .follow import Feed, FeedEvent
from .options import Options
from .policy import Policy
from .requests import Request
from .sentences import CODES
from .servers import Servers
from .settings import KeySource, Settings, read_settings

S = TypeVar("S", bytes, str)
T = TypeVar("T")
Self = TypeVar("Self", bound="Client[Any]")


class Background:
    """A thread with an event loop. It starts with the first call."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._left: list[object] = []
        self._calls: set[Future[Any]] = set()
        """The calls that have not ended."""
        self.feeds: set[Feed] = set()
        """The feeds that are being iterated over."""
        self._is_closed = False
        self.fleet = settings.make_fleet()
        self.lives_in = os.getpid()
        RUNNING.add(self)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the thread and waits for its result. Raises Closed."""
        with self._lock:
            loop = self._started()
            # Hold the lock until the loop has the coroutine. After a close the coroutine would never run.
            future = None if loop is None else asyncio.run_coroutine_threadsafe(coroutine, loop)
            if future is not None:
                self._calls.add(future)
        if future is None:
            coroutine.close()
            raise Closed(CODES["closed"])
        try:
            return future.result()
        except BaseException:
            # After Control-C or an exception in a signal handler, no code waits for the result.
            future.cancel()
            raise
        finally:
            self._calls.discard(future)

    def end(self, feed: Feed) -> None:
        """Closes a feed, unless the thread has ended. Does not wait, because the garbage collector may call it on the thread itself."""
        self.feeds.discard(feed)
        with self._lock:
            if self._loop is not None:
                future = asyncio.run_coroutine_threadsafe(feed.close(), self._loop)
                self._calls.add(future)
                future.add_done_callback(self._calls.discard)

    def close(self, drain: float) -> None:
        """Closes all connections and ends the thread."""
        with self._lock:
            self._is_closed = True
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None or self.lives_in != os.getpid():
            return
        for feed in list(self.feeds):
            asyncio.run_coroutine_threadsafe(feed.close(), loop).result()
        asyncio.run_coroutine_threadsafe(self.fleet.close(drain), loop).result()
        # On a stopped loop the remaining calls would never end.
        wait(list(self._calls))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def forked(self) -> None:
        """Resets the object in a forked child process, which has no copy of the thread. The connections belong to the parent process."""
        # The connections stay referenced: closing them here would affect the parent process.
        self._left += [self._loop, self.fleet, self.feeds]
        self._lock, self._loop, self._thread = threading.RLock(), None, None
        self._calls, self.feeds = set(), set()
        self.fleet = self.settings.make_fleet()
        self.lives_in = os.getpid()

    def _started(self) -> asyncio.AbstractEventLoop | None:
        """Starts the thread. The caller must hold the lock."""
        if self._loop is None and not self._is_closed:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="dbsync", daemon=True)
            self._thread.start()
        return self._loop


RUNNING: weakref.WeakSet[Background] = weakref.WeakSet()


def _forked() -> None:
    for background in list(RUNNING):
        background.forked()


def _end() -> None:
    """Closes all clients at the end of the program, so that slower daemons also receive its last commands."""
    for background in list(RUNNING):
        background.close(DRAIN_S)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
atexit.register(_end)


class Client(Face[S]):
    """
    Each method waits for its value. Threads may share a client. A forked child process opens its own connections.

    servers: `host:port,host:port`, or a list; `dbsyncs://host:port#sha256:…` with TLS (DBSYNC_SERVERS, 127.0.0.1:1111).
    key: the private key, a path or PEM text (DBSYNC_SIGNKEY). password: the password of the key.
    ca: the authorities for the servers' certificates, a path or PEM text (DBSYNC_CA; default: those that this machine trusts).
    cluster: the cluster of the daemons, 64 hexadecimal digits (DBSYNC_CLUSTER; default: the client asks the daemons).
    decode_responses: whether strings in replies are decoded to text. timeout, policy, db: the defaults for all calls.
    """

    @overload
    def __init__(
        self: Client[bytes],
        servers: Servers | None = None,
        key: KeySource | None = None,
        *,
        password: str | bytes | None = None,
        ca: str | None = None,
        cluster: str | bytes | None = None,
        decode_responses: Literal[False] = False,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: Client[str],
        servers: Servers | None = None,
        key: KeySource | None = None,
        *,
        password: str | bytes | None = None,
        ca: str | None = None,
        cluster: str | bytes | None = None,
        decode_responses: Literal[True],
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
    ) -> None: ...

    def __init__(
        self,
        servers: Servers | None = None,
        key: KeySource | None = None,
        *,
        password: str | bytes | None = None,
        ca: str | None = None,
        cluster: str | bytes | None = None,
        decode_responses: bool = False,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
    ) -> None:
        self._background = Background(read_settings(servers, key, password, ca, cluster))
        self._options = Options(timeout, policy, db)
        self._decodes = decode_responses

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last_write(self) -> bytes | None:
        """The newest write that a daemon has answered, for the option `after` of another client, or None."""
        return self._background.fleet.last_write

    def close(self, drain: float = DRAIN_S) -> None:
        """Closes all connections. Daemons that have not answered yet may do so within `drain` seconds."""
        self._background.close(drain)

    def follow(
        self,
        *,
        form: Literal["final", "early"] = "final",
        since: str | datetime | None = None,
        key: str | bytes | None = None,
        signer: str | None = None,
    ) -> Iterator[FeedEvent]:
        """
        Iterates over the recorded writes of all clients: once they are final, in their order, or as they arrive at one daemon (`early`).
        Continue with `since` at the `position` of the last unit that your program has processed. Raises ReplyError if that is no longer
        stored.
        """
        feed = Feed(self._background.settings, form, since, key, signer, self._options.db)
        return self._events(feed)

    def _events(self, feed: Feed) -> Iterator[FeedEvent]:
        self._background.feeds.add(feed)
        try:
            while True:
                yield from self._background.run(feed.events())
        finally:
            self._background.end(feed)

    def _send(self, request: Request[Any]) -> Any:
        return self._background.run(self._run(self._background.fleet, request))

"""
The client that waits. All of its connections live on a thread of its own, which runs an event loop: so the calls of many threads are on
their way at once, and the daemons that answer later than the first are heard while the program goes on.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from types import TracebackType
from typing import Any, Coroutine, Literal, TypeVar, overload

from .awaiting import DRAIN_S, Connected
from .errors import Closed
from .face import Face
from .options import Options
from .policy import Policy
from .requests import Request
from .servers import Servers
from .settings import KeySource, Settings, read_settings

S = TypeVar("S", bytes, str)
T = TypeVar("T")
Self = TypeVar("Self", bound="Client[Any]")


class Background:
    """A thread with an event loop, from the first call on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._left: list[object] = []
        self._is_closed = False
        self.connected = Connected(settings)
        self.lives_in = os.getpid()
        RUNNING.add(self)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it there and waits for it. Raises Closed."""
        with self._lock:
            loop = self._started()
            # Held until it is the loop's: behind a close it would never run.
            future = None if loop is None else asyncio.run_coroutine_threadsafe(coroutine, loop)
        if future is None:
            coroutine.close()
            raise Closed("The client was closed")
        try:
            return future.result()
        except BaseException:
            # Control-C, and what a signal's handler throws: nothing waits for it any more.
            future.cancel()
            raise

    def close(self, drain: float) -> None:
        """Ends all connections and the thread."""
        with self._lock:
            self._is_closed = True
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None or self.lives_in != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(self.connected.close(drain), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def forked(self) -> None:
        """In a process that was forked off: threads do not come along, and connections belong to the other one."""
        # Kept as they are: to close them would be heard by the other process.
        self._left += [self._loop, self.connected]
        self._lock, self._loop, self._thread = threading.Lock(), None, None
        self.connected = Connected(self._settings)
        self.lives_in = os.getpid()

    def _started(self) -> asyncio.AbstractEventLoop | None:
        """To be called with the lock."""
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
    """A program's last commands reach daemons that are slower than the first one."""
    for background in list(RUNNING):
        background.close(DRAIN_S)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
atexit.register(_end)


class Client(Face[S]):
    """
    Each method waits for its value. Threads may share a client; a process that is forked off connects anew.

    servers: `host:port,host:port`, or a list; `dbsyncs://host:port#sha256:…` with TLS (DBSYNC_SERVERS, 127.0.0.1:1111).
    key: the private key, a path or PEM text (DBSYNC_SIGNKEY). password: of the key.
    ca: who may have signed the servers' certificates, a path or PEM text (DBSYNC_CA, those that this machine trusts).
    cluster: which the commands are for, 64 hexadecimal digits (DBSYNC_CLUSTER, else the daemons are asked).
    decode_responses: strings of replies as text. timeout, policy, db: of each call.
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
        self._settings = read_settings(servers, key, password, ca, cluster)
        self._options = Options(timeout, policy, db)
        self._decodes = decode_responses
        self._background = Background(self._settings)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last_write(self) -> bytes | None:
        """The newest write that a daemon has answered, for the option `after` of another client; None: none yet."""
        return self._background.connected.last_write

    def close(self, drain: float = DRAIN_S) -> None:
        """Ends all connections. Daemons that have not answered yet have so many seconds to."""
        self._background.close(drain)

    def _send(self, request: Request[Any]) -> Any:
        return self._background.run(self._sent(request))

    async def _sent(self, request: Request[Any]) -> Any:
        return await self._run(self._background.connected.fleet(), request)

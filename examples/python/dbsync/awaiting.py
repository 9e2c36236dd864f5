"""The client for asyncio."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from .errors import Closed
from .face import Face
from .fleet import Fleet
from .options import Options
from .policy import Policy
from .requests import Request
from .servers import Servers
from .settings import KeySource, Settings, read_settings

S = TypeVar("S", bytes, str)
Self = TypeVar("Self", bound="AsyncClient[Any]")

DRAIN_S = 0.5
"""The time in seconds for which `close` waits for daemons that have not answered yet."""


TURNS_TO_CLOSE = 3


class Connected:
    """The connections to the daemons, which exist from the first call on. Clients made by `using` share them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fleet: Fleet | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def fleet(self) -> Fleet:
        """Returns the fleet of the running event loop. Raises Closed, RuntimeError."""
        if self._is_closed:
            raise Closed("The client was closed")
        loop = asyncio.get_running_loop()
        if self._fleet is None:
            self._fleet, self._loop = self._settings.make_fleet(), loop
        elif self._loop is not loop:
            raise RuntimeError("this AsyncClient belongs to another event loop: make one in each")
        return self._fleet

    @property
    def last_write(self) -> bytes | None:
        """The newest write that a daemon has answered."""
        return None if self._fleet is None else self._fleet.last_write

    async def close(self, seconds: float) -> None:
        """Waits for pending answers, at most for this time, and closes all connections."""
        self._is_closed = True
        if self._fleet is not None:
            try:
                await self._fleet.drain(seconds)
            finally:
                self._fleet.close()
            await self._fleet.ended()
            # Sockets are closed in the next turn of the loop, and those with TLS in the turn after it.
            for _ in range(TURNS_TO_CLOSE):
                await asyncio.sleep(0)


class AsyncClient(Face[S]):
    """
    All methods are coroutines. A client belongs to the event loop that uses it first.

    servers: `host:port,host:port`, or a list; `dbsyncs://host:port#sha256:…` with TLS (DBSYNC_SERVERS, 127.0.0.1:1111).
    key: the private key, a path or PEM text (DBSYNC_SIGNKEY). password: the password of the key.
    ca: the authorities for the servers' certificates, a path or PEM text (DBSYNC_CA; default: those that this machine trusts).
    cluster: the cluster of the daemons, 64 hexadecimal digits (DBSYNC_CLUSTER; default: the client asks the daemons).
    decode_responses: whether strings in replies are decoded to text. timeout, policy, db: the defaults for all calls.
    """

    @overload
    def __init__(
        self: AsyncClient[bytes],
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
        self: AsyncClient[str],
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
        self._connected = Connected(self._settings)

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def last_write(self) -> bytes | None:
        """The newest write that a daemon has answered, for the option `after` of another client, or None."""
        return self._connected.last_write

    async def close(self, drain: float = DRAIN_S) -> None:
        """Closes all connections. Daemons that have not answered yet may do so within `drain` seconds."""
        await self._connected.close(drain)

    async def _send(self, request: Request[Any]) -> Any:
        return await self._run(self._connected.fleet(), request)

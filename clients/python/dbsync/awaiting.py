"""The client for asyncio."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, AsyncIterator, Coroutine, Literal, TypeVar, overload

from .face import Face
from .fleet import DRAIN_S
from .follow import Feed, FeedEvent
from .options import Options
from .policy import Policy
from .requests import Request
from .servers import Servers
from .settings import KeySource, read_settings

S = TypeVar("S", bytes, str)
Self = TypeVar("Self", bound="AsyncClient[Any]")


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
        self._fleet = self._settings.make_fleet()
        self._feeds: set[Feed] = set()
        """The feeds that are being iterated over."""
        self._options = Options(timeout, policy, db)
        self._decodes = decode_responses

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def last_write(self) -> bytes | None:
        """The newest write that a daemon has answered, for the option `after` of another client, or None."""
        return self._fleet.last_write

    async def close(self, drain: float = DRAIN_S) -> None:
        """Closes all connections. Daemons that have not answered yet may do so within `drain` seconds."""
        for feed in list(self._feeds):
            await feed.close()
        await self._fleet.close(drain)

    def follow(
        self,
        *,
        form: Literal["final", "early"] = "final",
        since: str | datetime | None = None,
        key: str | bytes | None = None,
        signer: str | None = None,
    ) -> AsyncIterator[FeedEvent]:
        """
        Iterates over the recorded writes of all clients: once they are final, in their order, or as they arrive at one daemon (`early`).
        Continue with `since` at the `position` of the last unit that your program has processed. Raises ReplyError if that is no longer
        stored.
        """
        return self._events(Feed(self._settings, form, since, key, signer, self._options.db))

    async def _events(self, feed: Feed) -> AsyncIterator[FeedEvent]:
        self._feeds.add(feed)
        try:
            while True:
                for event in await feed.events():
                    yield event
        finally:
            self._feeds.discard(feed)
            await feed.close()

    def _send(self, request: Request[Any]) -> Coroutine[Any, Any, Any]:
        return self._run(self._fleet, request)

"""
The daemons of a client: their links, their clock, and the cluster to which they belong. A fleet belongs to the event
loop of its first call. Clients made by `using` share it.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections import Counter
from typing import Sequence

from .clock import Clock
from .envelope import order_key
from .errors import Closed, ClustersDiffer, DbsyncError, DbsyncWarning, NoAnswer, Outcome, Refused, TimedOut
from .link import Link
from .messages import KNOWS_DECISIONS, NO_CLUSTER, Hello, Refusal, Result
from .sending import Sending
from .sentences import CODES
from .servers import Address
from .signing import Signer

LINGER_S = 0.05
"""The time in seconds for which a fleet waits for the cluster ids of the remaining daemons after the first one."""

DRAIN_S = 0.5
"""The time in seconds for which `close` waits for daemons that have not answered yet."""

TURNS_TO_CLOSE = 3


class Fleet:
    """
    cluster: 32 bytes, or None to ask the daemons. In this case the majority decides.
    contexts: the TLS context of each address, or None for an unencrypted one.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        contexts: Sequence[ssl.SSLContext | None],
        signer: Signer | None,
        cluster: bytes | None,
    ) -> None:
        self.links: list[Link] = [Link(address, context, self) for address, context in zip(addresses, contexts)]
        self.signer, self.is_signed = signer, signer is not None
        # Unsigned commands are for daemons without keys, which belong to no cluster.
        self.cluster = cluster if self.is_signed else NO_CLUSTER
        self.is_told = self.cluster is not None
        self.clock = Clock()
        self.last_write: bytes | None = None
        """The order key of the newest write that a daemon has answered."""
        self._deciding: set[bytes] = set()
        """The clusters of which a daemon has ever announced that members decide on conditions."""
        self._votes: dict[Link, bytes] = {}
        self._linger: asyncio.TimerHandle | None = None
        self._conflict: str | None = None
        self._news: asyncio.Future[None] | None = None
        self._believed: bytes | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def bind(self) -> None:
        """Binds the fleet to the running event loop. Raises Closed, RuntimeError."""
        if self._is_closed:
            raise Closed(CODES["closed"])
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("this AsyncClient belongs to another event loop: make one in each")
        self._loop = loop

    @property
    def is_in_backoff(self) -> bool:
        """Whether all daemons are in a backoff pause. In this case the next call connects anyway."""
        return all(link.is_in_backoff for link in self.links)

    async def ready(self, deadline: float) -> bytes:
        """Waits until the cluster and the clock of at least one daemon are known. Returns the cluster. Raises DbsyncError."""
        if self.cluster is None or not self._is_heard:
            self._conflict = None
            insist = self.is_in_backoff
            for link in self.links:
                link.want(insist)
                if link not in self._votes:
                    link.ask()
            # Daemons may have sent their clusters between two calls.
            self._decide(False)
        while self.cluster is None or not self._is_heard:
            if self._is_closed:
                raise Closed(CODES["closed"])
            if self._conflict is not None:
                self._votes.clear()
                raise ClustersDiffer(f"{CODES['clusters-differ']}: {self._conflict}")
            if all(link.state == "closed" for link in self.links):
                raise self._unreachable(NoAnswer)
            if not await self._changed(deadline):
                raise self._unreachable(TimedOut)
        return self.cluster

    @property
    def is_deciding(self) -> bool:
        """
        Whether the members of a list decide on conditions. One daemon that has announced it is enough: a daemon that cannot decide
        refuses such a unit, and one daemon alone cannot acknowledge it.
        """
        return self.cluster in self._deciding

    @property
    def may_decide(self) -> bool:
        """Whether the members may decide on a call that is made now."""
        return self.cluster is None or not self._is_heard or self.is_deciding

    @property
    def _is_heard(self) -> bool:
        return any(link.hello is not None for link in self.links)

    def doubt(self, link: Link, cluster: bytes) -> None:
        """Handles the refusal `wrong-cluster`: asks the daemon for its cluster again. The fleet may then choose a different cluster."""
        if self._votes.get(link) == cluster:
            del self._votes[link]
            link.ask()
        if not self.is_told and self.cluster == cluster:
            supporters = sum(vote == cluster for vote in self._votes.values())
            if 2 * supporters <= len(self.links):
                self.cluster = None

    def greeted(self, link: Link, hello: Hello, sent_at: float) -> None:
        self.clock.heard(link, hello.clock, sent_at)
        self._votes[link] = hello.cluster
        if KNOWS_DECISIONS in hello.knows:
            self._deciding.add(hello.cluster)
        if self.cluster is None and self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._decide, True)
        self._decide(False)
        self._tell()

    def answered(self, link: Link, sending: Sending, message: Result | Refusal) -> None:
        self.clock.heard(link, message.clock, sending.written_at * 1000)
        if message.newest is not None:
            self.clock.seen(message.newest)
        sending.call.reported(sending, message)

    def written(self, sending: Sending, units: int) -> None:
        """Records an answered write."""
        self.last_write = max(self.last_write or b"", order_key(sending.envelope, units))

    def changed(self) -> None:
        self._decide(False)
        self._tell()

    async def close(self, seconds: float) -> None:
        """Waits for pending answers, at most for this time. Closes all connections, and fails the remaining calls."""
        self._is_closed = True
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            while not all(link.is_idle for link in self.links) and await self._changed(deadline):
                pass
        finally:
            if self._linger is not None:
                self._linger.cancel()
            for link in self.links:
                link.close()
            self._tell()
        for link in self.links:
            await link.ended()
        # Sockets are closed in the next turn of the loop, and those with TLS in the turn after it.
        for _ in range(TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    def _decide(self, is_final: bool) -> None:
        if is_final:
            self._linger = None
        if self.cluster is not None or not self._votes:
            return
        is_pending = any(link.state == "connecting" or link not in self._votes and link.state == "speaking" for link in self.links)
        (most, supporters), *others = Counter(self._votes.values()).most_common(2)
        if 2 * supporters <= len(self.links) and is_pending and not is_final:
            return
        if others and others[0][1] == supporters:
            self._conflict = self._differing()
        else:
            self._believe(most)
        self._tell()

    def _differing(self) -> str:
        named: dict[bytes, list[str]] = {}
        for link, cluster in self._votes.items():
            named.setdefault(cluster, []).append(link.address.text)
        claims = "; ".join(f"{', '.join(addresses)} to {cluster.hex()}" for cluster, addresses in named.items())
        return f"{claims}. Correct the list of servers, or select the right cluster with the option cluster"

    def _believe(self, cluster: bytes) -> None:
        self.cluster = cluster
        if cluster == self._believed:
            return
        self._believed = cluster
        doubtful = [each.address for each in self.links if not (each.address.is_loopback or each.address.is_encrypted)]
        if doubtful:
            warnings.warn(
                "the servers named their cluster over an unprotected connection: an attacker between here and "
                f"{doubtful[0].text} could have answered; configure it with the option cluster or DBSYNC_CLUSTER: {cluster.hex()}",
                DbsyncWarning,
                stacklevel=2,
            )

    def _unreachable(self, kind: type[DbsyncError]) -> DbsyncError:
        outcomes = []
        for link in self.links:
            stage, detail = link.silence.stage, link.silence.detail
            outcomes.append(Outcome(link.address.text, False, stage=stage, detail=detail, effect="not-applied"))
        if all(each.stage == "refused" for each in outcomes):
            return Refused(CODES["refused"], outcomes)
        return kind(CODES["all-failed"], outcomes)

    async def _changed(self, deadline: float) -> bool:
        """Waits for a change. Returns False after the timeout."""
        loop = asyncio.get_running_loop()
        if self._news is None or self._news.done():
            self._news = loop.create_future()
        left = deadline - loop.time()
        if left <= 0:
            return False
        done, _ = await asyncio.wait([self._news], timeout=left)
        return bool(done)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

"""
The clock that envelopes are dated by: this process's, corrected by what daemons say of theirs. It rests on a clock that never jumps, so
setting this machine's time changes nothing. Source: docs/protocol-v2.md "Clocks".
"""

from __future__ import annotations

import statistics
import time
from typing import Callable, Hashable, Iterable

from .messages import Date

MAX_AHEAD_MS = 4000
"""How far ahead of the daemons' clock an envelope may be dated; they take up to 5 s."""

MAX_SEQ = 65535
NEVER: Date = (0, 0)


def steady_ms() -> float:
    """Milliseconds by a clock that never jumps."""
    return time.monotonic_ns() / 1e6


class Clock:
    """Dates envelopes by the daemons' clocks, later than everything this client has seen an answer to."""

    def __init__(self, now: Callable[[], float] = steady_ms) -> None:
        self.now = now
        self.newest = self.used = NEVER
        self._offsets: dict[Hashable, float] = {}
        self._offset = time.time_ns() / 1e6 - now()

    def heard(self, daemon: Hashable, clock: int, sent_at: float) -> None:
        """A daemon's clock, read between `sent_at` and now: its offset is moved no more than that demands."""
        # Daemons tell whole milliseconds.
        least, most = clock - self.now(), clock + 1 - sent_at
        known = self._offsets.get(daemon)
        self._offsets[daemon] = (least + most) / 2 if known is None else min(max(known, least), most)
        self._offset = statistics.median_low(self._offsets.values())

    def seen(self, newest: Date) -> None:
        """The newest write that a daemon has applied: the next one is dated after it."""
        self.newest = max(self.newest, newest)

    def time(self) -> int:
        """Milliseconds since 1970, as the daemons count them."""
        return max(0, int(self.now() + self._offset))

    def time_by(self, daemons: Iterable[Hashable]) -> int:
        """The time by the middle clock of these daemons. For what only reads: it is in no order with others."""
        offsets = [self._offsets.get(daemon, self._offset) for daemon in daemons]
        return max(0, int(self.now() + statistics.median_low(offsets)))

    def date(self) -> Date:
        """A new date, behind the one before unless that was by a clock that has proved wrong."""
        present = self.time()
        latest = present + MAX_AHEAD_MS
        used = self.used if self.used[0] <= latest else NEVER
        newest = self.newest if self.newest[0] <= latest else (latest, -1)
        at, seq = max(used, newest)
        if present > at:
            self.used = present, 0
        else:
            self.used = (at, seq + 1) if seq < MAX_SEQ else (at + 1, 0)
        return self.used

"""
The clock for the dates of envelopes: the clock of this process, corrected by the clocks of the daemons. It uses a monotonic clock, so
setting the time of this machine has no effect. Source: docs/protocol-v2.md "Clocks".
"""

from __future__ import annotations

import statistics
import time
from typing import Callable, Hashable, Iterable

from .messages import Date

MAX_AHEAD_MS = 4000
"""The time by which the date of an envelope may be ahead of the daemons' clocks. They accept up to 5 s."""

MAX_SEQ = 65535
NEVER: Date = (0, 0)


def steady_ms() -> float:
    """Returns milliseconds of a monotonic clock."""
    return time.monotonic_ns() / 1e6


class Clock:
    """Provides dates according to the daemons' clocks. Each date is later than all units whose answers this client has received."""

    def __init__(self, now: Callable[[], float] = steady_ms) -> None:
        self.now = now
        self.newest = self.used = NEVER
        self._offsets: dict[Hashable, float] = {}
        self._offset = time.time_ns() / 1e6 - now()

    def heard(self, daemon: Hashable, clock: int, sent_at: float) -> None:
        """Records the clock of a daemon, read between `sent_at` and now. Changes the known offset only as far as necessary."""
        # Daemons report whole milliseconds.
        least, most = clock - self.now(), clock + 1 - sent_at
        known = self._offsets.get(daemon)
        self._offsets[daemon] = (least + most) / 2 if known is None else min(max(known, least), most)
        self._offset = statistics.median_low(self._offsets.values())

    def seen(self, newest: Date) -> None:
        """Records the newest write that a daemon has applied. The next date is later."""
        self.newest = max(self.newest, newest)

    def time(self) -> int:
        """Returns milliseconds since 1970 according to the daemons."""
        return max(0, int(self.now() + self._offset))

    def time_by(self, daemons: Iterable[Hashable]) -> int:
        """Returns the time of the median clock of these daemons. Only for reads, because earlier dates of this client may be later."""
        offsets = [self._offsets.get(daemon, self._offset) for daemon in daemons]
        return max(0, int(self.now() + statistics.median_low(offsets)))

    def date(self) -> Date:
        """Returns a new date. It is later than the previous one, unless that date was too far ahead because a clock was wrong."""
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

"""Commands for sorted sets. A score is a number, or a bound such as `(5` or `-inf`."""

from __future__ import annotations

import math
from typing import Generic, Mapping, Sequence, TypeVar, Union

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key, when
from .replies import decimal, decimals, listed, maybe_decimal, maybe_whole, scored, several, whole

S = TypeVar("S", bytes, str)
Bound = Union[int, float, str]


def _score(value: Bound) -> Bound:
    """Returns a score, or a bound, as an argument: an infinite one is a text."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


class SortedSetCommands(Generic[S]):
    """ZADD, ZRANGE, ZSCORE …"""

    @command
    def zadd(
        self,
        name: Key,
        mapping: Mapping[str, float] | Mapping[bytes, float],
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> Request[int]:
        """Sets the scores of members. Returns the number of new members, or with ch, of new and changed members."""
        turned = [word for member, score in mapping.items() for word in (_score(score), member)]
        return asks(whole, "ZADD", name, *when(nx=nx, xx=xx, ch=ch, gt=gt, lt=lt), *turned)

    @command
    def zrem(self, name: Key, *values: Argument) -> Request[int]:
        """Removes members. Returns the number of removed members."""
        return asks(whole, "ZREM", name, *values)

    @command
    def zscore(self, name: Key, value: Argument) -> Request[float | None]:
        """Returns the score of a member, or None if it is not a member."""
        return asks(maybe_decimal, "ZSCORE", name, value)

    @command
    def zmscore(self, key: Key, members: Sequence[Argument]) -> Request[list[float | None]]:
        """Returns the scores of several members, each of which may be None."""
        return asks(decimals, "ZMSCORE", key, *members)

    @command
    def zincrby(self, name: Key, amount: float, value: Argument) -> Request[float]:
        """Adds to the score of a member. Returns the new score."""
        return asks(decimal, "ZINCRBY", name, _score(amount), value)

    @command
    def zcard(self, name: Key) -> Request[int]:
        """Returns the number of members."""
        return asks(whole, "ZCARD", name)

    @command
    def zcount(self, name: Key, min: Bound, max: Bound) -> Request[int]:
        """Returns the number of members with a score between these bounds."""
        return asks(whole, "ZCOUNT", name, _score(min), _score(max))

    @command
    def zrange(self, name: Key, start: int, end: int, desc: bool = False) -> Request[list[S]]:
        """Returns members by their ranks, including the one at `end`."""
        return asks(several, "ZRANGE", name, start, end, *when(rev=desc))

    @command
    def zrange_withscores(self, name: Key, start: int, end: int, desc: bool = False) -> Request[list[tuple[S, float]]]:
        """Returns members by their ranks, with their scores."""
        return asks(scored, "ZRANGE", name, start, end, *when(rev=desc, withscores=True))

    @command
    def zrevrange(self, name: Key, start: int, end: int) -> Request[list[S]]:
        """Returns members by their ranks, beginning with the highest score."""
        return asks(several, "ZREVRANGE", name, start, end)

    @command
    def zrangebyscore(
        self, name: Key, min: Bound, max: Bound, start: int | None = None, num: int | None = None
    ) -> Request[list[S]]:
        """Returns members by their scores; with start and num only a part of them."""
        limit: list[Argument] = [] if start is None or num is None else ["LIMIT", start, num]
        return asks(several, "ZRANGEBYSCORE", name, _score(min), _score(max), *limit)

    @command
    def zrank(self, name: Key, value: Argument) -> Request[int | None]:
        """Returns the rank of a member, counted from the lowest score, or None if it is not a member."""
        return asks(maybe_whole, "ZRANK", name, value)

    @command
    def zrevrank(self, name: Key, value: Argument) -> Request[int | None]:
        """Returns the rank of a member, counted from the highest score."""
        return asks(maybe_whole, "ZREVRANK", name, value)

    @command
    def zpopmin(self, name: Key, count: int = 1) -> Request[list[tuple[S, float]]]:
        """Removes and returns the members with the lowest scores."""
        return asks(scored, "ZPOPMIN", name, count)

    @command
    def zpopmax(self, name: Key, count: int = 1) -> Request[list[tuple[S, float]]]:
        """Removes and returns the members with the highest scores."""
        return asks(scored, "ZPOPMAX", name, count)

    @command
    def zremrangebyscore(self, name: Key, min: Bound, max: Bound) -> Request[int]:
        """Removes members by their scores. Returns the number of removed members."""
        return asks(whole, "ZREMRANGEBYSCORE", name, _score(min), _score(max))

    @command
    def zremrangebyrank(self, name: Key, min: int, max: int) -> Request[int]:
        """Removes members by their ranks. Returns the number of removed members."""
        return asks(whole, "ZREMRANGEBYRANK", name, min, max)

    @command
    def zunionstore(self, dest: Key, keys: Key | Sequence[Key], *args: Key) -> Request[int]:
        """Stores the union of these sets, with the sums of the scores."""
        names = listed(keys, args)
        return asks(whole, "ZUNIONSTORE", dest, len(names), *names)

"""Keys, whatever they hold, and databases."""

from __future__ import annotations

from typing import Any, Generic, Sequence, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .replies import done, same, scanned, several, whole

S = TypeVar("S", bytes, str)
Key = Argument


def when(**flags: bool) -> list[Argument]:
    """The words of the flags that are set, such as NX."""
    return [name.upper() for name, is_set in flags.items() if is_set]


class KeyCommands(Generic[S]):
    """DEL, EXPIRE, SCAN …"""

    @command
    def delete(self, *names: Key) -> Request[int]:
        """Removes keys. How many there were."""
        return asks(whole, "DEL", *names)

    @command
    def unlink(self, *names: Key) -> Request[int]:
        """As `delete`."""
        return asks(whole, "UNLINK", *names)

    @command
    def exists(self, *names: Key) -> Request[int]:
        """How many of these keys there are."""
        return asks(whole, "EXISTS", *names)

    @command
    def expire(
        self, name: Key, time: int, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Lets a key end in so many seconds."""
        return asks(done, "EXPIRE", name, time, *when(nx=nx, xx=xx, gt=gt, lt=lt))

    @command
    def pexpire(
        self, name: Key, time: int, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Lets a key end in so many milliseconds."""
        return asks(done, "PEXPIRE", name, time, *when(nx=nx, xx=xx, gt=gt, lt=lt))

    @command
    def expireat(self, name: Key, when_: int) -> Request[bool]:
        """Lets a key end at a time: seconds since 1970."""
        return asks(done, "EXPIREAT", name, when_)

    @command
    def pexpireat(self, name: Key, when_: int) -> Request[bool]:
        """Lets a key end at a time: milliseconds since 1970."""
        return asks(done, "PEXPIREAT", name, when_)

    @command
    def persist(self, name: Key) -> Request[bool]:
        """Takes a key's end away."""
        return asks(done, "PERSIST", name)

    @command
    def ttl(self, name: Key) -> Request[int]:
        """Seconds until a key ends; -1: it does not, -2: there is none."""
        return asks(whole, "TTL", name)

    @command
    def pttl(self, name: Key) -> Request[int]:
        """The same in milliseconds."""
        return asks(whole, "PTTL", name)

    @command
    def type(self, name: Key) -> Request[str]:
        """What a key holds: `string`, `list` …; `none`: nothing."""
        return asks(str, "TYPE", name)

    @command
    def rename(self, src: Key, dst: Key) -> Request[bool]:
        """Gives a key another name."""
        return asks(done, "RENAME", src, dst)

    @command
    def renamenx(self, src: Key, dst: Key) -> Request[bool]:
        """The same, if there is none of that name."""
        return asks(done, "RENAMENX", src, dst)

    @command
    def copy(self, source: Key, destination: Key, replace: bool = False) -> Request[bool]:
        """Makes another key with the same value."""
        return asks(done, "COPY", source, destination, *when(replace=replace))

    @command
    def touch(self, *names: Key) -> Request[int]:
        """How many of these keys there are."""
        return asks(whole, "TOUCH", *names)

    @command
    def keys(self, pattern: Key = "*") -> Request[list[S]]:
        """All names that match. In a large database use `scan`."""
        return asks(several, "KEYS", pattern)

    @command
    def randomkey(self) -> Request[S | None]:
        """Any name."""
        return asks(same, "RANDOMKEY")

    @command
    def scan(
        self, cursor: int = 0, match: Key | None = None, count: int | None = None, _type: str | None = None
    ) -> Request[tuple[int, list[S]]]:
        """A part of the names, and the cursor of the next part; 0: that was the last."""
        words: list[Argument] = ["SCAN", cursor]
        for name, value in (("MATCH", match), ("COUNT", count), ("TYPE", _type)):
            words += [] if value is None else [name, value]
        return asks(scanned, *words)

    @command
    def dbsize(self) -> Request[int]:
        """How many keys the database has."""
        return asks(whole, "DBSIZE")

    @command
    def flushdb(self) -> Request[bool]:
        """Removes all keys of the database."""
        return asks(done, "FLUSHDB")

    @command
    def ping(self) -> Request[bool]:
        """Whether a daemon answers."""
        return asks(done, "PING")

    @command
    def echo(self, value: Argument) -> Request[S]:
        """The same back."""
        return asks(same, "ECHO", value)

    @command
    def publish(self, channel: Key, message: Argument) -> Request[int]:
        """Says something on a channel. How many of the daemon's subscribers have heard it."""
        return asks(whole, "PUBLISH", channel, message)

    @command
    def writers(self, *names: Key) -> Request[list[S | None]]:
        """The units that changed these keys last, for `Condition`; None: the key is absent."""
        return asks(_writers, "WRITERS", *names)


def _writers(reply: Sequence[Any]) -> list[Any]:
    return [each or None for each in reply]

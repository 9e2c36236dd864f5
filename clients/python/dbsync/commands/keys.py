"""Commands for keys of any type, and for databases."""

from __future__ import annotations

from typing import Any, Generic, Sequence, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .replies import done, same, scanned, several, whole

S = TypeVar("S", bytes, str)
Key = Argument


def when(**flags: bool) -> list[Argument]:
    """Returns the arguments for the flags that are set, such as NX."""
    return [name.upper() for name, is_set in flags.items() if is_set]


class KeyCommands(Generic[S]):
    """DEL, EXPIRE, SCAN …"""

    @command
    def delete(self, *names: Key) -> Request[int]:
        """Removes keys. Returns the number of removed keys."""
        return asks(whole, "DEL", *names)

    @command
    def unlink(self, *names: Key) -> Request[int]:
        """Does the same as `delete`."""
        return asks(whole, "UNLINK", *names)

    @command
    def exists(self, *names: Key) -> Request[int]:
        """Returns the number of these keys that exist."""
        return asks(whole, "EXISTS", *names)

    @command
    def expire(
        self, name: Key, time: int, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Makes a key expire after a number of seconds."""
        return asks(done, "EXPIRE", name, time, *when(nx=nx, xx=xx, gt=gt, lt=lt))

    @command
    def pexpire(
        self, name: Key, time: int, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Makes a key expire after a number of milliseconds."""
        return asks(done, "PEXPIRE", name, time, *when(nx=nx, xx=xx, gt=gt, lt=lt))

    @command
    def expireat(self, name: Key, when_: int) -> Request[bool]:
        """Makes a key expire at a time in seconds since 1970."""
        return asks(done, "EXPIREAT", name, when_)

    @command
    def pexpireat(self, name: Key, when_: int) -> Request[bool]:
        """Makes a key expire at a time in milliseconds since 1970."""
        return asks(done, "PEXPIREAT", name, when_)

    @command
    def persist(self, name: Key) -> Request[bool]:
        """Removes the expiry time of a key."""
        return asks(done, "PERSIST", name)

    @command
    def ttl(self, name: Key) -> Request[int]:
        """Returns the seconds until a key expires, -1 if it does not expire, or -2 if it does not exist."""
        return asks(whole, "TTL", name)

    @command
    def pttl(self, name: Key) -> Request[int]:
        """Returns the same as `ttl` in milliseconds."""
        return asks(whole, "PTTL", name)

    @command
    def type(self, name: Key) -> Request[str]:
        """Returns the type of a key: `string`, `list` …, or `none` if it does not exist."""
        return asks(str, "TYPE", name)

    @command
    def rename(self, src: Key, dst: Key) -> Request[bool]:
        """Renames a key."""
        return asks(done, "RENAME", src, dst)

    @command
    def renamenx(self, src: Key, dst: Key) -> Request[bool]:
        """Renames a key if the new name does not exist."""
        return asks(done, "RENAMENX", src, dst)

    @command
    def copy(self, source: Key, destination: Key, replace: bool = False) -> Request[bool]:
        """Copies the value of a key to another key."""
        return asks(done, "COPY", source, destination, *when(replace=replace))

    @command
    def touch(self, *names: Key) -> Request[int]:
        """Returns the number of these keys that exist."""
        return asks(whole, "TOUCH", *names)

    @command
    def keys(self, pattern: Key = "*") -> Request[list[S]]:
        """Returns all matching names. Use `scan` in a large database."""
        return asks(several, "KEYS", pattern)

    @command
    def randomkey(self) -> Request[S | None]:
        """Returns the name of a random key, or None if there are no keys."""
        return asks(same, "RANDOMKEY")

    @command
    def scan(
        self, cursor: int = 0, match: Key | None = None, count: int | None = None, _type: str | None = None
    ) -> Request[tuple[int, list[S]]]:
        """Returns a part of the names, and the cursor of the next part, which is 0 after the last part."""
        words: list[Argument] = ["SCAN", cursor]
        for name, value in (("MATCH", match), ("COUNT", count), ("TYPE", _type)):
            words += [] if value is None else [name, value]
        return asks(scanned, *words)

    @command
    def dbsize(self) -> Request[int]:
        """Returns the number of keys in the database."""
        return asks(whole, "DBSIZE")

    @command
    def flushdb(self) -> Request[bool]:
        """Removes all keys of the database."""
        return asks(done, "FLUSHDB")

    @command
    def ping(self) -> Request[bool]:
        """Returns whether a daemon answers."""
        return asks(done, "PING")

    @command
    def echo(self, value: Argument) -> Request[S]:
        """Returns the message."""
        return asks(same, "ECHO", value)

    @command
    def publish(self, channel: Key, message: Argument) -> Request[int]:
        """Publishes a message on a channel. Returns the number of the daemon's subscribers that received it."""
        return asks(whole, "PUBLISH", channel, message)

    @command
    def writers(self, *names: Key) -> Request[list[S | None]]:
        """Returns the unit that changed each of these keys last, for `Condition`, or None for a missing key."""
        return asks(_writers, "WRITERS", *names)


def _writers(reply: Sequence[Any]) -> list[Any]:
    return [each or None for each in reply]

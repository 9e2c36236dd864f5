"""Commands for strings, and for numbers and bits in them."""

from __future__ import annotations

from typing import Generic, Mapping, Sequence, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key, when
from .replies import decimal, done, flat, listed, same, several, whole

S = TypeVar("S", bytes, str)


class StringCommands(Generic[S]):
    """SET, GET, INCR …"""

    @command
    def get(self, name: Key) -> Request[S | None]:
        """Returns the value of a key, or None if it does not exist."""
        return asks(same, "GET", name)

    @command
    def set(
        self,
        name: Key,
        value: Argument,
        ex: int | None = None,
        px: int | None = None,
        nx: bool = False,
        xx: bool = False,
        keepttl: bool = False,
        exat: int | None = None,
        pxat: int | None = None,
    ) -> Request[bool]:
        """
        Sets a key. Returns whether it was set.
        nx: only if the key does not exist. xx: only if it exists. ex, px: its lifetime in seconds, milliseconds. exat, pxat: its expiry
        time in seconds, milliseconds since 1970.
        """
        words: list[Argument] = ["SET", name, value]
        for option, number in (("EX", ex), ("PX", px), ("EXAT", exat), ("PXAT", pxat)):
            words += [] if number is None else [option, number]
        return asks(done, *words, *when(keepttl=keepttl, nx=nx, xx=xx))

    @command
    def setex(self, name: Key, time: int, value: Argument) -> Request[bool]:
        """Sets a key that expires after a number of seconds."""
        return asks(done, "SETEX", name, time, value)

    @command
    def psetex(self, name: Key, time_ms: int, value: Argument) -> Request[bool]:
        """Sets a key that expires after a number of milliseconds."""
        return asks(done, "PSETEX", name, time_ms, value)

    @command
    def setnx(self, name: Key, value: Argument) -> Request[bool]:
        """Sets a key if it does not exist. Returns whether it was set."""
        return asks(done, "SETNX", name, value)

    @command
    def getset(self, name: Key, value: Argument) -> Request[S | None]:
        """Sets a key. Returns its previous value."""
        return asks(same, "GETSET", name, value)

    @command
    def getdel(self, name: Key) -> Request[S | None]:
        """Removes a key. Returns its value."""
        return asks(same, "GETDEL", name)

    @command
    def getex(
        self, name: Key, ex: int | None = None, px: int | None = None, persist: bool = False
    ) -> Request[S | None]:
        """Returns the value of a key, and sets or removes its expiry time."""
        words: list[Argument] = ["GETEX", name]
        for option, number in (("EX", ex), ("PX", px)):
            words += [] if number is None else [option, number]
        return asks(same, *words, *when(persist=persist))

    @command
    def mget(self, keys: Key | Sequence[Key], *args: Key) -> Request[list[S | None]]:
        """Returns the values of several keys."""
        return asks(several, "MGET", *listed(keys, args))

    @command
    def mset(self, mapping: Mapping[str, Argument] | Mapping[bytes, Argument]) -> Request[bool]:
        """Sets several keys in one step."""
        return asks(done, "MSET", *flat(mapping))

    @command
    def msetnx(self, mapping: Mapping[str, Argument] | Mapping[bytes, Argument]) -> Request[bool]:
        """Sets several keys in one step if none of them exists."""
        return asks(done, "MSETNX", *flat(mapping))

    @command
    def incr(self, name: Key, amount: int = 1) -> Request[int]:
        """Adds to a number. Returns the new number."""
        return asks(whole, "INCRBY", name, amount)

    @command
    def incrby(self, name: Key, amount: int = 1) -> Request[int]:
        """Does the same as `incr`."""
        return asks(whole, "INCRBY", name, amount)

    @command
    def decr(self, name: Key, amount: int = 1) -> Request[int]:
        """Subtracts from a number. Returns the new number."""
        return asks(whole, "DECRBY", name, amount)

    @command
    def decrby(self, name: Key, amount: int = 1) -> Request[int]:
        """Does the same as `decr`."""
        return asks(whole, "DECRBY", name, amount)

    @command
    def incrbyfloat(self, name: Key, amount: float = 1.0) -> Request[float]:
        """Adds to a floating-point number. Returns the new number."""
        return asks(decimal, "INCRBYFLOAT", name, amount)

    @command
    def append(self, key: Key, value: Argument) -> Request[int]:
        """Appends to a string. Returns its new length."""
        return asks(whole, "APPEND", key, value)

    @command
    def strlen(self, name: Key) -> Request[int]:
        """Returns the length of a string in bytes."""
        return asks(whole, "STRLEN", name)

    @command
    def getrange(self, key: Key, start: int, end: int) -> Request[S]:
        """Returns a part of a string, including the byte at `end`."""
        return asks(same, "GETRANGE", key, start, end)

    @command
    def setrange(self, name: Key, offset: int, value: Argument) -> Request[int]:
        """Overwrites a part of a string. Returns its new length."""
        return asks(whole, "SETRANGE", name, offset, value)

    @command
    def setbit(self, name: Key, offset: int, value: int) -> Request[int]:
        """Sets a bit. Returns its previous value."""
        return asks(whole, "SETBIT", name, offset, value)

    @command
    def getbit(self, name: Key, offset: int) -> Request[int]:
        """Returns a bit."""
        return asks(whole, "GETBIT", name, offset)

    @command
    def bitcount(self, key: Key) -> Request[int]:
        """Returns the number of set bits."""
        return asks(whole, "BITCOUNT", key)

    @command
    def pfadd(self, name: Key, *values: Argument) -> Request[bool]:
        """Adds elements to an approximate count of different elements. Returns whether the estimate has changed."""
        return asks(done, "PFADD", name, *values)

    @command
    def pfcount(self, *names: Key) -> Request[int]:
        """Returns the estimated number of different elements."""
        return asks(whole, "PFCOUNT", *names)

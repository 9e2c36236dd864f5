"""Lists."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key
from .replies import done, maybe_whole, same, several, whole

S = TypeVar("S", bytes, str)
End = Literal["LEFT", "RIGHT"]


class ListCommands(Generic[S]):
    """LPUSH, LPOP, LRANGE …"""

    @command
    def lpush(self, name: Key, *values: Argument) -> Request[int]:
        """Inserts values at the beginning. Returns the new length of the list."""
        return asks(whole, "LPUSH", name, *values)

    @command
    def rpush(self, name: Key, *values: Argument) -> Request[int]:
        """Appends values. Returns the new length of the list."""
        return asks(whole, "RPUSH", name, *values)

    @command
    def lpushx(self, name: Key, *values: Argument) -> Request[int]:
        """Does the same as `lpush` if the list exists."""
        return asks(whole, "LPUSHX", name, *values)

    @command
    def rpushx(self, name: Key, *values: Argument) -> Request[int]:
        """Does the same as `rpush` if the list exists."""
        return asks(whole, "RPUSHX", name, *values)

    @command
    def lpop(self, name: Key) -> Request[S | None]:
        """Removes and returns the first value."""
        return asks(same, "LPOP", name)

    @command
    def rpop(self, name: Key) -> Request[S | None]:
        """Removes and returns the last value."""
        return asks(same, "RPOP", name)

    @command
    def llen(self, name: Key) -> Request[int]:
        """Returns the number of values."""
        return asks(whole, "LLEN", name)

    @command
    def lrange(self, name: Key, start: int, end: int) -> Request[list[S]]:
        """Returns a part of the list, including the value at `end`."""
        return asks(several, "LRANGE", name, start, end)

    @command
    def lindex(self, name: Key, index: int) -> Request[S | None]:
        """Returns the value at an index, or None if there is none."""
        return asks(same, "LINDEX", name, index)

    @command
    def lset(self, name: Key, index: int, value: Argument) -> Request[bool]:
        """Replaces one value."""
        return asks(done, "LSET", name, index, value)

    @command
    def lrem(self, name: Key, count: int, value: Argument) -> Request[int]:
        """Removes a number of equal values. Returns the number of removed values."""
        return asks(whole, "LREM", name, count, value)

    @command
    def ltrim(self, name: Key, start: int, end: int) -> Request[bool]:
        """Removes all values outside a part of the list."""
        return asks(done, "LTRIM", name, start, end)

    @command
    def linsert(self, name: Key, where: Literal["BEFORE", "AFTER"], refvalue: Argument, value: Argument) -> Request[int]:
        """Inserts a value before or after another one. Returns the new length of the list."""
        return asks(whole, "LINSERT", name, where, refvalue, value)

    @command
    def lpos(self, name: Key, value: Argument) -> Request[int | None]:
        """Returns the index of the first equal value."""
        return asks(maybe_whole, "LPOS", name, value)

    @command
    def lmove(
        self, first_list: Key, second_list: Key, src: End = "LEFT", dest: End = "RIGHT"
    ) -> Request[S | None]:
        """Moves a value from one list to another."""
        return asks(same, "LMOVE", first_list, second_list, src, dest)

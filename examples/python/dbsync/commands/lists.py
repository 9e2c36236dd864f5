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
        """Puts values in front; the list's length then."""
        return asks(whole, "LPUSH", name, *values)

    @command
    def rpush(self, name: Key, *values: Argument) -> Request[int]:
        """Puts values behind; the list's length then."""
        return asks(whole, "RPUSH", name, *values)

    @command
    def lpushx(self, name: Key, *values: Argument) -> Request[int]:
        """As `lpush`, if there is such a list."""
        return asks(whole, "LPUSHX", name, *values)

    @command
    def rpushx(self, name: Key, *values: Argument) -> Request[int]:
        """As `rpush`, if there is such a list."""
        return asks(whole, "RPUSHX", name, *values)

    @command
    def lpop(self, name: Key) -> Request[S | None]:
        """Takes the first value."""
        return asks(same, "LPOP", name)

    @command
    def rpop(self, name: Key) -> Request[S | None]:
        """Takes the last value."""
        return asks(same, "RPOP", name)

    @command
    def llen(self, name: Key) -> Request[int]:
        """How many values there are."""
        return asks(whole, "LLEN", name)

    @command
    def lrange(self, name: Key, start: int, end: int) -> Request[list[S]]:
        """A part of the list, the last one among it."""
        return asks(several, "LRANGE", name, start, end)

    @command
    def lindex(self, name: Key, index: int) -> Request[S | None]:
        """One value."""
        return asks(same, "LINDEX", name, index)

    @command
    def lset(self, name: Key, index: int, value: Argument) -> Request[bool]:
        """Replaces one value."""
        return asks(done, "LSET", name, index, value)

    @command
    def lrem(self, name: Key, count: int, value: Argument) -> Request[int]:
        """Removes so many such values; how many there were."""
        return asks(whole, "LREM", name, count, value)

    @command
    def ltrim(self, name: Key, start: int, end: int) -> Request[bool]:
        """Keeps a part of the list alone."""
        return asks(done, "LTRIM", name, start, end)

    @command
    def linsert(self, name: Key, where: Literal["BEFORE", "AFTER"], refvalue: Argument, value: Argument) -> Request[int]:
        """Puts a value beside another; the list's length then."""
        return asks(whole, "LINSERT", name, where, refvalue, value)

    @command
    def lpos(self, name: Key, value: Argument) -> Request[int | None]:
        """Where the first such value is."""
        return asks(maybe_whole, "LPOS", name, value)

    @command
    def lmove(
        self, first_list: Key, second_list: Key, src: End = "LEFT", dest: End = "RIGHT"
    ) -> Request[S | None]:
        """Takes a value from one list and puts it into another."""
        return asks(same, "LMOVE", first_list, second_list, src, dest)

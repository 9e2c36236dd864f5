"""Sets."""

from __future__ import annotations

from typing import Generic, Sequence, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key
from .replies import done, listed, members, same, switches, whole

S = TypeVar("S", bytes, str)


class SetCommands(Generic[S]):
    """SADD, SMEMBERS, SINTER …"""

    @command
    def sadd(self, name: Key, *values: Argument) -> Request[int]:
        """Adds members. Returns the number of new members."""
        return asks(whole, "SADD", name, *values)

    @command
    def srem(self, name: Key, *values: Argument) -> Request[int]:
        """Removes members. Returns the number of removed members."""
        return asks(whole, "SREM", name, *values)

    @command
    def smembers(self, name: Key) -> Request[set[S]]:
        """Returns all members."""
        return asks(members, "SMEMBERS", name)

    @command
    def sismember(self, name: Key, value: Argument) -> Request[bool]:
        """Returns whether a value is a member."""
        return asks(done, "SISMEMBER", name, value)

    @command
    def smismember(self, name: Key, values: Argument | Sequence[Argument], *args: Argument) -> Request[list[bool]]:
        """Returns for each value whether it is a member."""
        return asks(switches, "SMISMEMBER", name, *listed(values, args))

    @command
    def scard(self, name: Key) -> Request[int]:
        """Returns the number of members."""
        return asks(whole, "SCARD", name)

    @command
    def spop(self, name: Key) -> Request[S | None]:
        """Removes and returns a random member."""
        return asks(same, "SPOP", name)

    @command
    def srandmember(self, name: Key) -> Request[S | None]:
        """Returns a random member, or None if the set does not exist."""
        return asks(same, "SRANDMEMBER", name)

    @command
    def smove(self, src: Key, dst: Key, value: Argument) -> Request[bool]:
        """Moves a member to another set."""
        return asks(done, "SMOVE", src, dst, value)

    @command
    def sunion(self, keys: Key | Sequence[Key], *args: Key) -> Request[set[S]]:
        """Returns the union of these sets."""
        return asks(members, "SUNION", *listed(keys, args))

    @command
    def sinter(self, keys: Key | Sequence[Key], *args: Key) -> Request[set[S]]:
        """Returns the intersection of these sets."""
        return asks(members, "SINTER", *listed(keys, args))

    @command
    def sdiff(self, keys: Key | Sequence[Key], *args: Key) -> Request[set[S]]:
        """Returns the members of the first set that are in none of the other sets."""
        return asks(members, "SDIFF", *listed(keys, args))

    @command
    def sunionstore(self, dest: Key, keys: Key | Sequence[Key], *args: Key) -> Request[int]:
        """Stores the result of `sunion`. Returns the number of its members."""
        return asks(whole, "SUNIONSTORE", dest, *listed(keys, args))

    @command
    def sinterstore(self, dest: Key, keys: Key | Sequence[Key], *args: Key) -> Request[int]:
        """Stores the result of `sinter`. Returns the number of its members."""
        return asks(whole, "SINTERSTORE", dest, *listed(keys, args))

    @command
    def sdiffstore(self, dest: Key, keys: Key | Sequence[Key], *args: Key) -> Request[int]:
        """Stores the result of `sdiff`. Returns the number of its members."""
        return asks(whole, "SDIFFSTORE", dest, *listed(keys, args))

"""Hashes."""

from __future__ import annotations

from typing import Generic, Mapping, Sequence, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key
from .replies import decimal, done, flat, listed, pairs, same, several, whole

S = TypeVar("S", bytes, str)


class HashCommands(Generic[S]):
    """HSET, HGET, HGETALL …"""

    @command
    def hset(
        self,
        name: Key,
        key: Key | None = None,
        value: Argument | None = None,
        mapping: Mapping[str, Argument] | Mapping[bytes, Argument] | None = None,
    ) -> Request[int]:
        """Sets one field, or all fields of a mapping. Returns the number of new fields."""
        one: list[Argument] = [] if key is None or value is None else [key, value]
        return asks(whole, "HSET", name, *one, *flat(mapping or {}))

    @command
    def hsetnx(self, name: Key, key: Key, value: Argument) -> Request[bool]:
        """Sets a field if it does not exist. Returns whether it was set."""
        return asks(done, "HSETNX", name, key, value)

    @command
    def hget(self, name: Key, key: Key) -> Request[S | None]:
        """Returns the value of a field, or None if the field does not exist."""
        return asks(same, "HGET", name, key)

    @command
    def hmget(self, name: Key, keys: Key | Sequence[Key], *args: Key) -> Request[list[S | None]]:
        """Returns the values of several fields, each of which may be None."""
        return asks(several, "HMGET", name, *listed(keys, args))

    @command
    def hgetall(self, name: Key) -> Request[dict[S, S]]:
        """Returns all fields and values."""
        return asks(pairs, "HGETALL", name)

    @command
    def hdel(self, name: Key, *keys: Key) -> Request[int]:
        """Removes fields. Returns the number of removed fields."""
        return asks(whole, "HDEL", name, *keys)

    @command
    def hexists(self, name: Key, key: Key) -> Request[bool]:
        """Returns whether a field exists."""
        return asks(done, "HEXISTS", name, key)

    @command
    def hkeys(self, name: Key) -> Request[list[S]]:
        """Returns the names of the fields."""
        return asks(several, "HKEYS", name)

    @command
    def hvals(self, name: Key) -> Request[list[S]]:
        """Returns the values of the fields."""
        return asks(several, "HVALS", name)

    @command
    def hlen(self, name: Key) -> Request[int]:
        """Returns the number of fields."""
        return asks(whole, "HLEN", name)

    @command
    def hstrlen(self, name: Key, key: Key) -> Request[int]:
        """Returns the length of a field's value in bytes."""
        return asks(whole, "HSTRLEN", name, key)

    @command
    def hincrby(self, name: Key, key: Key, amount: int = 1) -> Request[int]:
        """Adds to a number in a field. Returns the new number."""
        return asks(whole, "HINCRBY", name, key, amount)

    @command
    def hincrbyfloat(self, name: Key, key: Key, amount: float = 1.0) -> Request[float]:
        """Adds to a floating-point number in a field. Returns the new number."""
        return asks(decimal, "HINCRBYFLOAT", name, key, amount)

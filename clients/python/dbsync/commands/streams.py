"""Commands for streams. Use `call` for groups and for waiting for entries."""

from __future__ import annotations

from typing import Any, Generic, Mapping, TypeVar

from ..requests import Request, asks, command
from ..resp import Argument
from .keys import Key
from .replies import entries, flat, same, whole

S = TypeVar("S", bytes, str)


class StreamCommands(Generic[S]):
    """XADD, XRANGE …"""

    @command
    def xadd(
        self,
        name: Key,
        fields: Mapping[str, Argument] | Mapping[bytes, Argument],
        id: str = "*",
        maxlen: int | None = None,
        nomkstream: bool = False,
    ) -> Request[S | None]:
        """Adds an entry. Returns its id."""
        words: list[Argument] = ["XADD", name]
        if nomkstream:
            words.append("NOMKSTREAM")
        if maxlen is not None:
            words += ["MAXLEN", maxlen]
        return asks(same, *words, id, *flat(fields))

    @command
    def xlen(self, name: Key) -> Request[int]:
        """Returns the number of entries."""
        return asks(whole, "XLEN", name)

    @command
    def xrange(
        self, name: Key, min: str = "-", max: str = "+", count: int | None = None
    ) -> Request[list[tuple[S, dict[S, S]]]]:
        """Returns the entries between two ids, the oldest first."""
        return asks(entries, "XRANGE", name, min, max, *_counted(count))

    @command
    def xrevrange(
        self, name: Key, max: str = "+", min: str = "-", count: int | None = None
    ) -> Request[list[tuple[S, dict[S, S]]]]:
        """Returns the entries between two ids, the newest first."""
        return asks(entries, "XREVRANGE", name, max, min, *_counted(count))

    @command
    def xdel(self, name: Key, *ids: str) -> Request[int]:
        """Removes entries. Returns the number of removed entries."""
        return asks(whole, "XDEL", name, *ids)

    @command
    def xtrim(self, name: Key, maxlen: int) -> Request[int]:
        """Removes all entries except the newest ones. Returns the number of removed entries."""
        return asks(whole, "XTRIM", name, "MAXLEN", maxlen)


def _counted(count: int | None) -> list[Any]:
    return [] if count is None else ["COUNT", count]

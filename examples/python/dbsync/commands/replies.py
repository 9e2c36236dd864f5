"""What replies are turned into. Strings are as the client gives them: bytes, or with decode_responses text."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ..resp import Argument


def same(reply: Any) -> Any:
    """As it came."""
    return reply


def done(reply: Any) -> bool:
    """Whether it was done: not nil, as of `SET … NX`, and not 0."""
    return bool(reply)


def whole(reply: Any) -> int:
    """A number."""
    return int(reply)


def maybe_whole(reply: Any) -> int | None:
    """A number, or None for nil."""
    return None if reply is None else int(reply)


def decimal(reply: Any) -> float:
    """A number as text."""
    return float(reply)


def maybe_decimal(reply: Any) -> float | None:
    """The same, or None for nil."""
    return None if reply is None else float(reply)


def decimals(reply: Any) -> list[float | None]:
    """Several of them."""
    return [maybe_decimal(each) for each in reply]


def switches(reply: Any) -> list[bool]:
    """A list of 1 and 0."""
    return [bool(each) for each in reply]


def several(reply: Any) -> list[Any]:
    """A list; empty for nil."""
    return [] if reply is None else list(reply)


def members(reply: Any) -> set[Any]:
    """A set."""
    return set(reply)


def pairs(reply: Any) -> dict[Any, Any]:
    """A flat list of names and values."""
    return dict(zip(reply[0::2], reply[1::2]))


def scored(reply: Any) -> list[tuple[Any, float]]:
    """A flat list of members and scores."""
    return [(member, float(score)) for member, score in zip(reply[0::2], reply[1::2])]


def scanned(reply: Any) -> tuple[int, list[Any]]:
    """The next cursor, and what was found."""
    return int(reply[0]), list(reply[1])


def entries(reply: Any) -> list[tuple[Any, dict[Any, Any]]]:
    """A stream's entries: each its id, and its fields."""
    return [(identity, pairs(fields or [])) for identity, fields in reply or []]


def flat(mapping: Mapping[Any, Argument]) -> Iterable[Argument]:
    """A mapping as words."""
    for name, value in mapping.items():
        yield name
        yield value


def listed(first: Argument | Sequence[Argument], more: Sequence[Argument]) -> list[Argument]:
    """Names given one by one, or as a list."""
    if isinstance(first, (str, bytes, bytearray, memoryview, int, float)):
        return [first, *more]
    return [*first, *more]

"""Converts replies to Python values. Strings are bytes, or text with decode_responses."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ..resp import Argument


def same(reply: Any) -> Any:
    """Returns a reply unchanged."""
    return reply


def done(reply: Any) -> bool:
    """Returns whether a command had an effect: its reply is not nil, as from `SET … NX`, and not 0."""
    return bool(reply)


def whole(reply: Any) -> int:
    """Returns a number."""
    return int(reply)


def maybe_whole(reply: Any) -> int | None:
    """Returns a number, or None for nil."""
    return None if reply is None else int(reply)


def decimal(reply: Any) -> float:
    """Returns a floating-point number from its text."""
    return float(reply)


def maybe_decimal(reply: Any) -> float | None:
    """Returns a floating-point number from its text, or None for nil."""
    return None if reply is None else float(reply)


def decimals(reply: Any) -> list[float | None]:
    """Returns several floating-point numbers, each of which may be None."""
    return [maybe_decimal(each) for each in reply]


def switches(reply: Any) -> list[bool]:
    """Returns booleans from a list of 1 and 0."""
    return [bool(each) for each in reply]


def several(reply: Any) -> list[Any]:
    """Returns a list, which is empty for nil."""
    return [] if reply is None else list(reply)


def members(reply: Any) -> set[Any]:
    """Returns a set."""
    return set(reply)


def pairs(reply: Any) -> dict[Any, Any]:
    """Returns a dictionary from a flat list of names and values."""
    return dict(zip(reply[0::2], reply[1::2]))


def scored(reply: Any) -> list[tuple[Any, float]]:
    """Returns pairs from a flat list of members and scores."""
    return [(member, float(score)) for member, score in zip(reply[0::2], reply[1::2])]


def scanned(reply: Any) -> tuple[int, list[Any]]:
    """Returns the next cursor and the elements of a scan."""
    return int(reply[0]), list(reply[1])


def entries(reply: Any) -> list[tuple[Any, dict[Any, Any]]]:
    """Returns the entries of a stream, each with its id and its fields."""
    return [(identity, pairs(fields or [])) for identity, fields in reply or []]


def flat(mapping: Mapping[Any, Argument]) -> Iterable[Argument]:
    """Returns a mapping as a flat list of arguments."""
    for name, value in mapping.items():
        yield name
        yield value


def listed(first: Argument | Sequence[Argument], more: Sequence[Argument]) -> list[Argument]:
    """Returns the names from separate arguments or from a list."""
    if isinstance(first, (str, bytes, bytearray, memoryview, int, float)):
        return [first, *more]
    return [*first, *more]

"""The options of a call, and their defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Sequence, Union

from .envelope import HASH_BYTES, ORDER_KEY_BYTES, UNIT_BYTES, Condition, Header
from .errors import BadOption
from .policy import POLICIES, Policy
from .resp import bytes_of

DEFAULT_TIMEOUT_S = 3.0
MAX_TIMEOUT_S = 20.0
"""The maximum timeout in seconds. After this time a daemon would refuse the command as too old."""

STABLE_TIMEOUT_S = 60.0
"""The timeout of stable calls in seconds. A stable call waits until no daemon accepts earlier dates, and for the daemons' reports."""

MAX_DB = 0x7FFFFFFF
MAX_CONDITIONS = 1024
MAX_DAEMONS = 99

Hexed = Union[bytes, str]
"""Bytes, or a string with their hexadecimal digits."""


@dataclass(frozen=True)
class Options:
    """The options of one call. None means that the option is not set."""

    timeout: float | None = None
    """The maximum duration of the call in seconds."""
    policy: Policy | None = None
    db: int | None = None
    conditions: Sequence[Condition] | None = None
    after: Hexed | None = None
    only: Hexed | None = None
    stable: bool | None = None
    replicated: int | None = None

    def __post_init__(self) -> None:
        for name, check, allowed in CHECKS:
            value = getattr(self, name)
            if value is not None and not check(value):
                raise BadOption(name, value, allowed)
        if self.stable and self.replicated is not None:
            raise BadOption("replicated", self.replicated, "only without stable, which guarantees more")
        if self.timeout is not None and self.timeout > self.most_seconds:
            raise BadOption("timeout", self.timeout, f"seconds, at most {self.most_seconds:g}")

    def changed(self, **changes: Any) -> Options:
        """Returns a copy with the given changes. Raises BadOption."""
        said = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **said) if said else self

    @property
    def most_seconds(self) -> float:
        """The longest timeout."""
        return STABLE_TIMEOUT_S if self.stable else MAX_TIMEOUT_S

    @property
    def seconds(self) -> float:
        """The timeout."""
        if self.timeout is not None:
            return self.timeout
        return STABLE_TIMEOUT_S if self.stable else DEFAULT_TIMEOUT_S

    @property
    def header(self) -> Header:
        """The part of the options that is signed."""
        return Header(
            db=self.db or 0,
            conditions=tuple(Condition(*each) for each in self.conditions or ()),
            after=None if self.after is None else _bytes(self.after),
            only=None if self.only is None else _bytes(self.only),
        )

    @property
    def wait(self) -> str | None:
        """The condition for which the daemon waits before it sends the answer."""
        if self.stable:
            return "stable"
        return None if self.replicated is None else f"replicated {self.replicated}"

    @property
    def may_wait(self) -> bool:
        """Whether a working daemon may send nothing for a long time."""
        return self.wait is not None or self.after is not None


def _bytes(value: Hexed) -> bytes:
    return bytes.fromhex(value) if isinstance(value, str) else value


def _is_bytes(value: object, length: int) -> bool:
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            return False
    return isinstance(value, bytes) and len(value) == length


def _is_number(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _is_policy(value: object) -> bool:
    return value in POLICIES if isinstance(value, str) else _is_number(value, 1, MAX_DAEMONS)


def _is_condition(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) not in (2, 3) or not isinstance(value[0], (str, bytes)):
        return False
    writer = value[1]
    is_writer = writer is None or (isinstance(writer, (bytes, str)) and len(bytes_of(writer)) in (0, UNIT_BYTES))
    return is_writer and (len(value) == 2 or value[2] is None or _is_number(value[2], 0, MAX_DB))


def _are_conditions(value: object) -> bool:
    return isinstance(value, (list, tuple)) and 0 < len(value) <= MAX_CONDITIONS and all(map(_is_condition, value))


CHECKS = (
    ("timeout", _is_seconds, "seconds, above 0"),
    ("policy", _is_policy, "first, majority, all, all-equal, or a number of daemons"),
    ("db", lambda value: _is_number(value, 0, MAX_DB), "a database's number"),
    ("conditions", _are_conditions, f"a list of 1 to {MAX_CONDITIONS} Condition(key, writer), writer as writers() returns it"),
    ("after", lambda value: _is_bytes(value, ORDER_KEY_BYTES), "the last_write of a client, 46 bytes"),
    ("only", lambda value: _is_bytes(value, HASH_BYTES), "a daemon's id, 64 hexadecimal digits"),
    ("stable", lambda value: isinstance(value, bool), "True or False"),
    ("replicated", lambda value: _is_number(value, 1, MAX_DAEMONS), f"a number of daemons, 1 to {MAX_DAEMONS}"),
)

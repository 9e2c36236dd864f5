"""Encodes and decodes RESP2, the format of messages in version 2. It uses no sockets and no clock."""

from __future__ import annotations

import math
from typing import Any, Sequence, Union

from .errors import BadCommand, ProtocolError, ReplyError

Argument = Union[str, bytes, bytearray, memoryview, int, float]
"""An argument of a command. Text is sent as UTF-8, a number as its digits, and bytes unchanged."""

MAX_DEPTH = 64
"""The maximum depth of nested arrays. The deepest reply of a daemon has five levels."""

MAX_ELEMENTS = 4 << 20
"""The maximum number of elements in an answer, including nested arrays. Each element uses much more memory than its bytes."""

ERROR_ELEMENTS = 16
"""The number of elements that an error counts as, since an exception uses more memory than a string."""

MAX_DIGITS = 20
"""The maximum number of characters in a number of 64 bits, including its sign."""

STEP_ELEMENTS = 4096
"""The number of elements per step, which takes a few milliseconds. The deadline is checked between two steps."""


def bulk(value: Argument) -> bytes:
    """Encodes a bulk string."""
    data = value if isinstance(value, bytes) else bytes_of(value)
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*items: bytes) -> bytes:
    """Encodes an array of encoded items."""
    return b"*%d\r\n" % len(items) + b"".join(items)


def bytes_of(value: object) -> bytes:
    """
    Returns the bytes of an argument.
    Raises TypeError for other types, such as None and booleans, whose meaning differs between programs, and for numbers
    that are not finite, which no command accepts in the form of Python.
    """
    if isinstance(value, str):
        # An argument of a program that is not UTF-8 is sent unchanged.
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise TypeError("text with half of a character (an unpaired surrogate) cannot be sent; pass bytes") from error
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{float.__repr__(value)} is not finite; an infinite score is the text inf or -inf")
        # A subclass, such as the numbers of numpy, may have another representation.
        return float.__repr__(value).encode()
    if isinstance(value, int) and not isinstance(value, bool):
        # A member of an IntEnum has another representation too.
        return int.__repr__(value).encode()
    raise TypeError(f"{value!r:.40} is of the type {type(value).__name__}; text, bytes and numbers can be sent")


def command_bytes(words: Sequence[object]) -> bytes:
    """Encodes a command as an array of bulk strings. Raises BadCommand with the number of the invalid argument."""
    parts = []
    for place, word in enumerate(words):
        try:
            parts.append(bulk(bytes_of(word)))
        except TypeError as error:
            raise BadCommand(f"argument {place}: {error}" if place else f"the name: {error}") from None
    if not words or words[0] in ("", b""):
        raise BadCommand("it has no name, such as GET")
    return array(*parts)


class Reader:
    """Decodes the array of a payload in steps. Between the steps, the event loop serves timers and other connections."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0
        self.message: list[Any] = []
        """The decoded array. It is complete when `step` has returned True."""
        self._lists = [self.message]
        """The arrays that are being read, the innermost one last."""
        self._missing = [1]
        """The number of missing elements of each array."""
        self._room = MAX_ELEMENTS

    def step(self) -> bool:
        """Decodes up to STEP_ELEMENTS elements. Returns whether the payload is complete. Raises ProtocolError."""
        for _ in range(STEP_ELEMENTS):
            while not self._missing[-1]:
                if len(self._missing) == 1:
                    return self._ended()
                self._missing.pop()
                self._lists.pop()
            self._missing[-1] -= 1
            self._element()
        return False

    def _element(self) -> None:
        line = self._line()
        kind, rest = line[:1], line[1:]
        self._count(ERROR_ELEMENTS if kind == b"-" else 1)
        holder = self._lists[-1]
        value: Any
        if kind == b"+":
            value = rest.decode("utf-8", "replace")
        elif kind == b"-":
            value = ReplyError(rest.decode("utf-8", "replace"))
        elif kind == b":":
            value = number(rest)
        elif kind == b"*" and rest != b"-1":
            value = self._begin(number(rest))
        elif kind == b"$" and rest != b"-1":
            value = self._string(number(rest))
        elif kind in (b"$", b"*"):
            value = None
        else:
            raise ProtocolError("an unknown kind of value")
        holder.append(value)

    def _begin(self, count: int) -> list[Any]:
        """Begins an array whose elements follow."""
        if not 0 <= count <= self._room:
            raise ProtocolError(f"an array of {count} elements; an answer may have at most {MAX_ELEMENTS}")
        if len(self._lists) > MAX_DEPTH:
            raise ProtocolError(f"arrays nested deeper than {MAX_DEPTH}")
        items: list[Any] = []
        self._lists.append(items)
        self._missing.append(count)
        return items

    def _string(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or self.payload[end : end + 2] != b"\r\n":
            raise ProtocolError("a string does not end at its length")
        data, self.at = self.payload[self.at : end], end + 2
        return data

    def _count(self, elements: int) -> None:
        self._room -= elements
        if self._room < 0:
            raise ProtocolError(f"more than {MAX_ELEMENTS} elements in one answer")

    def _ended(self) -> bool:
        message = self.message[0]
        if not isinstance(message, list) or not message or self.at != len(self.payload):
            raise ProtocolError("a payload is not one array")
        self.message = message
        return True

    def _line(self) -> bytes:
        end = self.payload.find(b"\r\n", self.at)
        if end < 0:
            raise ProtocolError("a line has no end")
        line, self.at = self.payload[self.at : end], end + 2
        return line


def read_array(payload: bytes) -> list[Any]:
    """Decodes a payload without pausing between steps. Raises ProtocolError."""
    reader = Reader(payload)
    while not reader.step():
        pass
    return reader.message


def number(digits: bytes) -> int:
    """Parses a number. Raises ProtocolError."""
    try:
        # Python converts long texts slowly.
        if len(digits) <= MAX_DIGITS:
            return int(digits)
    except ValueError:
        pass
    raise ProtocolError("a number is malformed")

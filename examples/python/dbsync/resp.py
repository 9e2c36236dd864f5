"""RESP2, as version 2's messages are made of it: values to bytes, and one payload back to values. No sockets, no clock."""

from __future__ import annotations

from typing import Any, Sequence, Union

from .errors import BadCommand, ProtocolError, ReplyError

Argument = Union[str, bytes, bytearray, memoryview, int, float]
"""What a command may hold: text goes as UTF-8, a number as its digits, bytes as they are."""

MAX_DEPTH = 64
"""Arrays in arrays; the deepest reply of a daemon has five."""

MAX_ELEMENTS = 4 << 20
"""Elements of one answer, those of nested arrays included: each costs memory far above its bytes."""

ERROR_ELEMENTS = 16
"""Elements that an error counts as: an exception takes more memory than a string."""

MAX_DIGITS = 20
"""Characters of a number, its sign included: 64 bits."""

STEP_ELEMENTS = 4096
"""Elements decoded in one step, a few milliseconds; the deadline is checked between steps."""


def bulk(value: Argument) -> bytes:
    """One bulk string."""
    data = value if isinstance(value, bytes) else bytes_of(value)
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*items: bytes) -> bytes:
    """An array of items that are encoded already."""
    return b"*%d\r\n" % len(items) + b"".join(items)


def bytes_of(value: object) -> bytes:
    """
    An argument's bytes.
    Raises TypeError for what has no bytes of its own: None and booleans mean different things to different programs.
    """
    if isinstance(value, str):
        # What came as a program's argument and is no UTF-8 goes out as it came.
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value).encode()
    raise TypeError(f"{value!r:.40} is of the type {type(value).__name__}; text, bytes and numbers can be sent")


def command_bytes(words: Sequence[object]) -> bytes:
    """A command as an array of bulk strings. Raises BadCommand, which names the argument by its place."""
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
    """Decodes the one array that a payload is, in steps: the event loop's timers and other connections run between them."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0
        self.message: list[Any] = []
        """Complete once `step` has returned True."""
        self._lists = [self.message]
        """Arrays that are being read, the innermost last."""
        self._missing = [1]
        """Elements that each of them still needs."""
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
        """An array whose elements follow."""
        if not 0 <= count <= self._room:
            raise ProtocolError(f"an array of {count} elements; {MAX_ELEMENTS} in one answer are the most")
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
    """A number as text. Raises ProtocolError."""
    try:
        # Python converts long ones slowly.
        if len(digits) <= MAX_DIGITS:
            return int(digits)
    except ValueError:
        pass
    raise ProtocolError("a number is malformed")

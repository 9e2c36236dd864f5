"""RESP2, as version 2's messages are made of it: values to bytes, and one payload back to values. No sockets, no clock."""

from __future__ import annotations

from typing import Any, Sequence, Union

from .errors import BadCommand, ProtocolError, ReplyError

Argument = Union[str, bytes, bytearray, memoryview, int, float]
"""What a command may hold: text goes as UTF-8, a number as its digits, bytes as they are."""

MAX_DEPTH = 64
"""Of arrays in arrays; replies have five at most."""


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
    """Reads one payload from its first byte to its last."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0

    def value(self, depth: int = 0) -> Any:
        """int, bytes, str (a status), None, a list, or a ReplyError as a value."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "replace")
        if kind == b"-":
            return ReplyError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return number(rest)
        count = number(rest)
        if count == -1 and kind in (b"$", b"*"):
            return None
        if kind == b"$" and 0 <= count <= len(self.payload) - self.at - 2:
            data, self.at = self.payload[self.at : self.at + count], self.at + count + 2
            if self.payload[self.at - 2 : self.at] != b"\r\n":
                raise ProtocolError("a string does not end where it said")
            return data
        if kind == b"*" and 0 <= count <= len(self.payload) and depth < MAX_DEPTH:
            return [self.value(depth + 1) for _ in range(count)]
        raise ProtocolError("an unknown kind of value, or a length that cannot be")

    def _line(self) -> bytes:
        end = self.payload.find(b"\r\n", self.at)
        if end < 0:
            raise ProtocolError("a line has no end")
        line, self.at = self.payload[self.at : end], end + 2
        return line


def number(digits: bytes) -> int:
    """A number as text."""
    try:
        return int(digits)
    except ValueError:
        raise ProtocolError("a number is none") from None


def read_array(payload: bytes) -> list[Any]:
    """The one array that a payload is. Raises ProtocolError."""
    reader = Reader(payload)
    message = reader.value()
    if not isinstance(message, list) or not message or reader.at != len(payload):
        raise ProtocolError("a payload is not one array")
    return message

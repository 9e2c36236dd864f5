"""The frames and messages of version 2. Source: docs/protocol-v2.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Union

from .errors import ProtocolError
from .resp import Argument, array, bulk, number

TAG = b"ds2:"
MAX_FRAME_BYTES = 260 << 20
"""The maximum size of an answer. By default daemons send at most 256 MiB (--max-output-bytes)."""

MAX_LENGTH_DIGITS = 10
PROTOCOL = "2"
"""The number of the protocol, which the versions of each hello contain."""

HELLO_ELEMENTS = 9
"""The number of elements in a hello."""

NO_CLUSTER = bytes(32)

KNOWS_DECISIONS = "decisions"
"""The capability of a daemon that knows a list of members: these decide on envelopes with `decide`."""

Date = tuple[int, int]
"""The milliseconds since 1970, and the number within the millisecond."""


@dataclass(frozen=True)
class Hello:
    """The description that a daemon sends of itself."""

    versions: tuple[str, ...]
    daemon: bytes
    cluster: bytes
    """The id of the cluster, or NO_CLUSTER for a daemon without keys."""
    clock: int
    state: str
    members: int | None
    """The number of connected members, or None for a daemon without peers."""
    knows: tuple[str, ...]
    """The daemon's capabilities."""


@dataclass(frozen=True)
class Result:
    """The answer of a daemon: the reply (possibly a ReplyError) and the flags of each unit in the envelope."""

    id: bytes
    daemon: bytes
    clock: int
    newest: Date
    replies: tuple[Any, ...]
    flags: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Refusal:
    """A refusal of an envelope. `id` is empty if the daemon could not determine the envelope."""

    id: bytes
    code: str
    sentence: str
    clock: int
    is_applied: bool
    """Whether the envelope may still have been applied."""
    newest: Date | None = None
    """With `too-old`: as in a result."""


Message = Union[Hello, Result, Refusal]


class OtherProtocol(ProtocolError):
    """A hello with another number of elements or another protocol number than this client reads."""


def frame(*elements: Argument) -> bytes:
    """Returns a message in its frame."""
    payload = array(*map(bulk, elements))
    return b"%b%d:%b" % (TAG, len(payload), payload)


class FrameReader:
    """Splits the received bytes into payloads."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._needed = 0

    def push(self, chunk: bytes) -> Iterator[bytes]:
        """Returns the payloads that `chunk` completes. Raises ProtocolError."""
        self._unread += chunk
        while len(self._unread) >= self._needed:
            head = bytes(self._unread[: len(TAG) + MAX_LENGTH_DIGITS + 1])
            if not head.startswith(TAG[: len(head)]):
                raise ProtocolError("the answer does not begin as one of version 2")
            colon = head.find(b":", len(TAG))
            if colon < 0:
                if len(head) > len(TAG) + MAX_LENGTH_DIGITS:
                    raise ProtocolError("a frame's length has no end")
                return
            length = number(head[len(TAG) : colon])
            if not 0 <= length <= MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes is too long")
            self._needed = colon + 1 + length
            if len(self._unread) < self._needed:
                return
            payload = bytes(self._unread[colon + 1 : self._needed])
            del self._unread[: self._needed]
            self._needed = 0
            yield payload


def read_message(elements: list[Any]) -> Message | None:
    """Parses the message of a daemon. Returns None for an unknown kind of message. Raises ProtocolError, OtherProtocol."""
    try:
        read = READERS.get(elements[0])
        return None if read is None else read(elements)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProtocolError(f"a message is malformed ({error})") from error


def _string(element: Any) -> bytes:
    # bytes() of a number would return this number of zeros.
    if not isinstance(element, bytes):
        raise TypeError("expected a string")
    return element


def _read_hello(elements: list[Any]) -> Hello:
    if len(elements) != HELLO_ELEMENTS:
        raise OtherProtocol(f"a hello with {len(elements)} elements instead of {HELLO_ELEMENTS}")
    _, versions, daemon, cluster, clock, state, _, members, knows = elements
    spoken = tuple(versions.decode("latin-1").split())
    if PROTOCOL not in spoken:
        raise OtherProtocol(f"a hello of protocol {' and '.join(spoken)} instead of {PROTOCOL}")
    return Hello(
        spoken,
        _string(daemon),
        _string(cluster) or NO_CLUSTER,
        number(clock),
        state.decode("latin-1"),
        number(members) if _string(members) else None,
        tuple(knows.decode("latin-1").split()),
    )


def _date(element: Any) -> Date:
    at, seq = map(number, element.split())
    return at, seq


def _read_result(elements: list[Any]) -> Result:
    _, identity, daemon, clock, newest, *units = elements
    flags = tuple(tuple(words.decode("latin-1").split()) for words in units[1::2])
    if len(units) != 2 * len(flags):
        raise ProtocolError("a reply without its flags")
    return Result(_string(identity), _string(daemon), number(clock), _date(newest), tuple(units[0::2]), flags)


REFUSAL_BYTES_MAX = 1000
"""The maximum number of bytes of a refusal's code and of its sentence; the remaining bytes are left out."""


def _read_refusal(elements: list[Any]) -> Refusal:
    _, identity, code, sentence, clock, effect, *dates = elements
    code, sentence = (words[:REFUSAL_BYTES_MAX].decode("utf-8", "replace") for words in (code, sentence))
    newest = _date(*dates) if dates else None
    return Refusal(_string(identity), code, sentence, number(clock), effect != b"not-applied", newest)


READERS: dict[bytes, Callable[[list[Any]], Message]] = {b"hello": _read_hello, b"result": _read_result, b"refused": _read_refusal}

"""What goes to one daemon for a call, and what its link tells the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Union

from .envelope import Envelope
from .messages import Hello, Refusal, Result
from .policy import Failure

if TYPE_CHECKING:
    from .link import Link


class Sending:
    """An envelope on its way to one daemon. Its call is told once what became of it."""

    def __init__(self, call: SendingOwner, index: int, envelope: Envelope, bytes_: bytes, may_wait: bool) -> None:
        self.call, self.index, self.envelope, self.bytes, self.may_wait = call, index, envelope, bytes_, may_wait
        self.writes = 0
        self.written_at = 0.0

    def failed(self, stage: str, detail: str = "") -> None:
        """It has come to nothing, or nothing is known of it."""
        self.call.reported(self, Failure(stage, detail, "unknown" if self.writes else "not-applied"))


class SendingOwner(Protocol):
    """A call."""

    def reported(self, sending: Sending, report: Union[Result, Refusal, Failure]) -> None:
        """What became of it, at one daemon."""


class LinkOwner(Protocol):
    """All daemons of a client."""

    cluster: bytes | None
    is_signed: bool

    def greeted(self, link: Link, hello: Hello, sent_at: float) -> None:
        """A daemon says of itself who it is."""

    def answered(self, link: Link, sending: Sending, message: Result | Refusal) -> None:
        """A daemon has answered an envelope."""

    def changed(self) -> None:
        """A daemon cannot be reached, or owes nothing any more."""

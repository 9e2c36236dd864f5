"""A request to one daemon for a call, and the interfaces that its link notifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Union

from .envelope import Envelope
from .messages import Hello, Refusal, Result
from .policy import Failure

if TYPE_CHECKING:
    from .link import Link


class Sending:
    """An envelope in flight to one daemon. Its call is notified once about the outcome."""

    def __init__(self, call: SendingOwner, index: int, envelope: Envelope, bytes_: bytes, may_wait: bool) -> None:
        self.call, self.index, self.envelope, self.bytes, self.may_wait = call, index, envelope, bytes_, may_wait
        self.writes = 0
        self.written_at = 0.0

    def failed(self, stage: str, detail: str = "") -> None:
        """Reports that the request has failed, or that its outcome is unknown."""
        self.call.reported(self, Failure(stage, detail, "unknown" if self.writes else "not-applied"))


class SendingOwner(Protocol):
    """The interface of a call."""

    def reported(self, sending: Sending, report: Union[Result, Refusal, Failure]) -> None:
        """Receives the outcome on one daemon."""


class LinkOwner(Protocol):
    """The interface of a fleet: all daemons of a client."""

    cluster: bytes | None
    is_signed: bool
    links: list[Link]

    def greeted(self, link: Link, hello: Hello, sent_at: float) -> None:
        """Receives the hello of a daemon."""

    def answered(self, link: Link, sending: Sending, message: Result | Refusal) -> None:
        """Receives the answer of a daemon to an envelope."""

    def changed(self) -> None:
        """Called when a daemon cannot be reached, or has no pending answer left."""

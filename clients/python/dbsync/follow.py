"""
The change feed: the recorded writes of all clients, in their final order, or as they arrive at one daemon. A page is requested only when
the program has taken the units of the previous one. Source: docs/change-feed.md.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Sequence, Union

from .calls import Call
from .errors import BadOption, Closed, DbsyncError, ReplyError
from .fleet import Fleet
from .options import MAX_TIMEOUT_S, Options
from .resp import command_bytes
from .sentences import CODES
from .settings import Settings

PAUSE_S = {"final": 1.0, "early": 0.2}
"""The time in seconds between two requests if there are no further units."""
RETRY_S = 1.0
"""The time in seconds between two rounds through the servers if none answers."""
MAX_UNITS = 1000
POSITIONS = {"final": r"[\da-fA-F]{92}", "early": r"[\da-f]{16}-[\da-f]{32}"}


@dataclass(frozen=True)
class Unit:
    """A command, or several commands that took effect together."""

    server: str
    position: str
    """The position for `since`. In the final form it is the same at all daemons; in the early form it is valid at this one."""
    at: int
    """The date that orders the unit, in milliseconds since 1970."""
    seq: int
    id: str
    """The envelope's id, hexadecimal."""
    index: int
    """The index of the unit's first command in its envelope."""
    signer: str
    label: str
    user: str | None
    """The user of a listener, or None if the signer signed for itself."""
    db: int
    commands: tuple[tuple[bytes, ...], ...]
    outcome: str | None
    """Only `applied` has changed data; the others are `error`, `denied`, `unmet`, `malformed`. None: not known (early)."""
    reply: bytes | None
    """The beginning of the reply, as text."""
    late: bool
    """In the early form: whether a conflicting unit with a later position in the order may have been returned before."""


@dataclass(frozen=True)
class Waiting:
    """The final feed has stopped, because no further date can become final: usually because a member is down."""

    server: str
    detail: str
    """What it waits for, such as `its member 10.0.0.3:1107 is not connected`."""
    since: int
    """Since when, in milliseconds since 1970."""


@dataclass(frozen=True)
class Lost:
    """No daemon has answered. The feed tries again, and continues at the same position."""

    server: str
    detail: str


FeedEvent = Union[Unit, Waiting, Lost]


class Feed:
    """
    The state of one iteration. Raises BadOption.
    since: the position of the last unit that was processed, or for the final form a date; None begins now.
    """

    def __init__(
        self,
        settings: Settings,
        form: Literal["final", "early"],
        since: str | datetime | None,
        key: str | bytes | None,
        signer: str | None,
        db: int | None,
    ) -> None:
        if form not in POSITIONS:
            raise BadOption("form", form, "final or early")
        self._form = form
        self._position = _position(form, since)
        self._filters: list[str | bytes] = [] if key is None else ["KEY", key]
        self._filters += [] if signer is None else ["SIGNER", signer]
        self._options = Options(timeout=MAX_TIMEOUT_S, db=db)
        self._settings = settings
        self._fleet: Fleet | None = None
        self._current = self._failures = 0
        self._has_answered = self._is_lost = self._is_closed = False
        self._pause = 0.0
        self._waits_for = ""

    async def events(self) -> Sequence[FeedEvent]:
        """Returns the next events, after a while perhaps none. Raises the error of a daemon that will not pass, and Closed."""
        await asyncio.sleep(self._pause)
        if self._is_closed:
            raise Closed(CODES["closed"])
        address = self._settings.addresses[self._current]
        try:
            fields = _fields(await self._page())
        except DbsyncError as error:
            return await self._failed(error, address.text)
        self._failures, self._has_answered, self._is_lost = 0, True, False
        self._position = fields[b"position"].decode()
        self._pause = 0.0 if fields[b"more"] == 1 else PAUSE_S[self._form]
        events: list[FeedEvent] = [_unit(each, address.text) for each in fields[b"units"]]
        reason = fields.get(b"waits-for")
        detail = "" if reason is None else reason.decode("utf-8", "replace")
        if detail and detail != self._waits_for:
            events.append(Waiting(address.text, detail, fields[b"waits-since"]))
        self._waits_for = detail
        return events

    async def close(self) -> None:
        """Closes the connection, and ends the iteration."""
        self._is_closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            await fleet.close(0)

    async def _page(self) -> Any:
        if self._fleet is None:
            at, settings = self._current, self._settings
            alone = replace(settings, addresses=(settings.addresses[at],), contexts=(settings.contexts[at],))
            self._fleet = alone.make_fleet()
        self._fleet.bind()
        start = "ARRIVED" if self._form == "early" else "AFTER"
        words = ["TIMELINE", "LOG", start, self._position, *self._filters, "LIMIT", str(MAX_UNITS)]
        call = Call(self._fleet, [command_bytes(words)], self._options.header, self._options, True, False)
        [reply] = await call.run()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def _failed(self, error: DbsyncError, server: str) -> Sequence[FeedEvent]:
        await self._disconnect()
        if self._is_closed:
            raise error
        self._pause = 0.0
        self._failures += 1
        is_last = self._failures >= len(self._settings.addresses)
        is_permanent = isinstance(error, ReplyError) and not str(error).startswith("TRYAGAIN")
        # The position of an early form is valid at the daemon that sent it alone.
        stays = self._form == "early" and self._has_answered
        if is_permanent if stays else is_last and (is_permanent or not self._has_answered):
            raise error
        if not stays:
            self._current = (self._current + 1) % len(self._settings.addresses)
        if not is_last:
            return []
        self._failures, self._pause = 0, RETRY_S
        was_lost, self._is_lost = self._is_lost, True
        return [] if was_lost else [Lost(server, str(error))]


def _position(form: str, since: str | datetime | None) -> str:
    if since is None:
        return "NOW"
    if isinstance(since, datetime) and form == "final":
        return str(int(since.timestamp() * 1000))
    if isinstance(since, str) and re.fullmatch(POSITIONS[form], since):
        return since
    raise BadOption("since", since, f"a position of the {form} form" + (", or a datetime" if form == "final" else ""))


def _unit(reply: Any, server: str) -> Unit:
    fields = _fields(reply)
    user, outcome = fields[b"as"], fields[b"outcome"]
    return Unit(
        server=server,
        position=fields[b"position"].decode(),
        at=fields[b"at"],
        seq=fields[b"seq"],
        id=fields[b"id"].decode(),
        index=fields[b"index"],
        signer=fields[b"signer"].decode(),
        label=fields[b"label"].decode("utf-8", "replace"),
        user=None if user is None else user.decode("utf-8", "replace"),
        db=fields[b"db"],
        commands=tuple(tuple(words) for words in fields[b"commands"]),
        outcome=None if outcome is None else outcome.decode(),
        reply=fields[b"reply"],
        late=fields.get(b"late", 0) == 1,
    )


def _fields(reply: Any) -> dict[bytes, Any]:
    return dict(zip(reply[::2], reply[1::2]))

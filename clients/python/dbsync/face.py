"""The methods of both clients: the commands, transactions and options. Client and AsyncClient differ in how they wait for replies."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, Iterator, Sequence, TypeVar

from .calls import Call
from .commands.hashes import HashCommands
from .commands.keys import KeyCommands
from .commands.lists import ListCommands
from .commands.replies import same
from .commands.sets import SetCommands
from .commands.sorted_sets import SortedSetCommands
from .commands.streams import StreamCommands
from .commands.strings import StringCommands
from .envelope import Condition
from .errors import BadCommand, DbsyncError, ReplyError
from .fleet import Fleet
from .options import Hexed, Options
from .policy import Policy
from .requests import Request, Words, command, has_condition
from .resp import Argument, bytes_of, command_bytes
from .sentences import READ_COMMANDS

S = TypeVar("S", bytes, str)
Self = TypeVar("Self", bound="Face[Any]")

MAX_COMMANDS = 4096
"""The maximum number of commands in an envelope, if each is a unit."""
MAX_UNIT_COMMANDS = 100_000
"""The maximum number of commands in one unit."""


class Face(
    KeyCommands[S],
    StringCommands[S],
    HashCommands[S],
    ListCommands[S],
    SetCommands[S],
    SortedSetCommands[S],
    StreamCommands[S],
    Generic[S],
):
    """
    The options of a call. For methods of commands, set them with `using`:
    timeout: the maximum duration in seconds (3). policy: `first`, `majority`, `all`, `all-equal` or a number; the default is `first`, and
    with conditions the outcome that more than half of the servers report. With the default or `majority`, the members of a list decide
    on conditions, and on single commands such as SET with NX.
    db: the number of the database. conditions: the call is applied only if these units changed the keys last; otherwise the reply is None.
    after: the daemon first waits for this write. only: the only daemon that may accept the call. stable: the answer is sent when it is
    final. replicated: the answer is sent when this number of disks have the write.
    """

    _options: Options
    _decodes: bool

    @command
    def call(
        self,
        *words: Argument,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
        conditions: Sequence[Condition] | None = None,
        after: Hexed | None = None,
        only: Hexed | None = None,
        stable: bool | None = None,
        replicated: int | None = None,
    ) -> Request[Any]:
        """
        Sends any command, beginning with its name. Returns its reply: int, bytes or text, a status as text (`OK`), a list, or None.
        Raises ReplyError if the command failed.
        """
        options = Options(timeout, policy, db, conditions, after, only, stable, replicated)
        return Request([words], same, options=options)

    @command
    def multi(
        self,
        commands: Sequence[Words],
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
        conditions: Sequence[Condition] | None = None,
        after: Hexed | None = None,
        only: Hexed | None = None,
        stable: bool | None = None,
        replicated: int | None = None,
    ) -> Request[list[Any] | None]:
        """Sends commands as one unit. Returns a reply for each, which is a ReplyError if it failed, or None if a condition does not hold."""
        options = Options(timeout, policy, db, conditions, after, only, stable, replicated)
        return Request(commands, same, is_multi=True, options=options)

    @command
    def batch(
        self,
        commands: Sequence[Words],
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
    ) -> Request[list[Any]]:
        """
        Sends independent commands with one signature, except those on which the members of a list decide. Returns a reply for each,
        which is a ReplyError if it failed.
        """
        return Request(commands, same, is_single=False, options=Options(timeout, policy, db))

    def using(
        self: Self,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
        after: Hexed | None = None,
        only: Hexed | None = None,
        stable: bool | None = None,
        replicated: int | None = None,
    ) -> Self:
        """Returns a client with other options that shares the connections: `client.using(policy="majority").get("k")`."""
        options = Options(timeout, policy, db, None, after, only, stable, replicated)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._options = _joined(self._options, options)
        return other

    async def _run(self, fleet: Fleet, request: Request[Any]) -> Any:
        """Sends a request. The clients differ in how they wait for it."""
        fleet.bind()
        options = self._options if request.options is None else _joined(self._options, request.options)
        commands = [command_bytes(words) for words in request.commands]
        if not commands:
            raise BadCommand("the list is empty")
        maximum = MAX_UNIT_COMMANDS if request.is_multi else MAX_COMMANDS
        if len(commands) > maximum:
            raise BadCommand(f"{len(commands)} commands are too many for one signature; the maximum is {maximum}")
        header = options.header
        if request.is_multi:
            header = header.as_unit()
        calls = []
        for part, may_decide in _envelopes(request, options, fleet.may_decide):
            is_read = all(bytes_of(words[0]).decode("latin-1").upper() in READ_COMMANDS for words in request.commands[part])
            calls.append(Call(fleet, commands[part], header, options, is_read, may_decide and not is_read))
        replies = await (calls[0].run() if len(calls) == 1 else _all_replies(calls))
        if request.is_single and isinstance(replies[0], ReplyError):
            raise replies[0]
        values = _decoded(replies) if self._decodes else replies
        return request.convert(values[0] if request.is_single else values)


def _envelopes(request: Request[Any], options: Options, may_decide: bool) -> Iterator[tuple[slice, bool]]:
    """
    Returns the part of the commands in each envelope, and whether the members of a list decide on it. A unit on which they decide is
    alone in its envelope. A caller that names another policy than `majority` has chosen what an answer means.
    may_decide: whether there may be such a list.
    """
    commands = request.commands
    if options.policy not in (None, "majority") or options.only is not None:
        yield slice(None), False
    elif request.is_single:
        yield slice(None), bool(options.conditions) or not request.is_multi and has_condition(commands[0])
    else:
        alone = [may_decide and has_condition(words) for words in commands]
        start = 0
        for end in range(1, len(alone) + 1):
            if end == len(alone) or alone[start] or alone[end]:
                yield slice(start, end), alone[start]
                start = end


async def _all_replies(calls: Sequence[Call]) -> list[Any]:
    """Runs calls in parallel, and returns their replies in the order of the calls. Raises the first error, after the last call has ended."""
    parts = await asyncio.gather(*(call.run() for call in calls), return_exceptions=True)
    errors = [part for part in parts if isinstance(part, BaseException)]
    if not errors:
        return [reply for part in parts if isinstance(part, list) for reply in part]
    error = errors[0]
    if isinstance(error, DbsyncError):
        is_untouched = all(isinstance(part, DbsyncError) and part.effect == "not-applied" for part in parts)
        error.effect = "not-applied" if is_untouched else "unknown"
    raise error


def _joined(options: Options, more: Options) -> Options:
    """Merges two sets of options. Those of `more` take precedence."""
    return options.changed(**{name: getattr(more, name) for name in Options.__dataclass_fields__})


def _decoded(reply: Any) -> Any:
    """Decodes strings to text. Invalid UTF-8 is preserved, so that it can be sent again unchanged."""
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "surrogateescape")
    return [_decoded(each) for each in reply] if isinstance(reply, list) else reply

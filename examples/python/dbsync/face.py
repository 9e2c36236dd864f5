"""What both clients have: the commands, and what else may be sent. Client and AsyncClient say how it is waited for."""

from __future__ import annotations

from typing import Any, Generic, Sequence, TypeVar

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
from .errors import BadCommand, ReplyError
from .fleet import Fleet
from .options import Hexed, Options
from .policy import Policy
from .requests import Request, Words, command
from .resp import Argument, bytes_of, command_bytes
from .sentences import READ_COMMANDS
from .settings import Settings

S = TypeVar("S", bytes, str)
Self = TypeVar("Self", bound="Face[Any]")

MAX_COMMANDS = 4096
"""Of an envelope."""


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
    Options of a call; those of a method are given by `using`:
    timeout: seconds until it settles, whatever the daemons do (3). policy: `first`, `majority`, `all`, `all-equal` or a number; without
    it `first`, and with conditions the outcome that more than half of the servers report.
    db: number of the database. conditions: applied only if each key was last changed by that unit, else the reply is None.
    after: the daemon waits for that write first. only: the one daemon that may take it. stable, replicated: the answer comes when it is
    final, or on so many disks.
    """

    _settings: Settings
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
        Any command, name first; its reply: int, bytes or text, a status as text (`OK`), a list, or None.
        Raises ReplyError if the command failed.
        """
        given = Options(timeout, policy, db, conditions, after, only, stable, replicated)
        return Request([words], same, options=given)

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
        """Commands as one unit; a reply for each, a ReplyError in place of one that failed. None: a condition does not hold."""
        given = Options(timeout, policy, db, conditions, after, only, stable, replicated)
        return Request(commands, same, is_multi=True, options=given)

    @command
    def batch(
        self,
        commands: Sequence[Words],
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
        db: int | None = None,
    ) -> Request[list[Any]]:
        """Commands under one signature, each by itself; a reply for each, a ReplyError in place of one that failed."""
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
        """The same client with other options: `client.using(policy="majority").get("k")`. It shares the connections."""
        given = Options(timeout, policy, db, None, after, only, stable, replicated)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._options = _joined(self._options, given)
        return other

    async def _run(self, fleet: Fleet, request: Request[Any]) -> Any:
        """What both wait for, each in its way."""
        options = self._options if request.options is None else _joined(self._options, request.options)
        commands = [command_bytes(words) for words in request.commands]
        if not commands:
            raise BadCommand("the list is empty")
        if len(commands) > MAX_COMMANDS:
            raise BadCommand(f"{len(commands)} commands are too many for one signature; {MAX_COMMANDS} is the most")
        header = options.header
        if request.is_multi:
            header = header.as_unit()
        is_read = all(bytes_of(words[0]).decode("latin-1").upper() in READ_COMMANDS for words in request.commands)
        replies = await Call(fleet, commands, header, options, is_read).run()
        if request.is_single and isinstance(replies[0], ReplyError):
            raise replies[0]
        given = _decoded(replies) if self._decodes else replies
        return request.convert(given[0] if request.is_single else given)


def _joined(options: Options, more: Options) -> Options:
    """`more` has its say first."""
    return options.changed(**{name: getattr(more, name) for name in Options.__dataclass_fields__})


def _decoded(reply: Any) -> Any:
    """Strings as text. What is no UTF-8 goes out again as it came."""
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "surrogateescape")
    return [_decoded(each) for each in reply] if isinstance(reply, list) else reply

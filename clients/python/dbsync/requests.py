"""
Defines methods of commands once, with types for both clients. The body of a method returns its request. The client then determines
whether the caller receives the value (Client) or an awaitable of the value (AsyncClient).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Concatenate, Coroutine, Generic, ParamSpec, Sequence, TypeVar, overload

from .options import Options
from .resp import Argument, bytes_of

if TYPE_CHECKING:
    from .blocking import Client
    from .awaiting import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")

Words = Sequence[Argument]


@dataclass(frozen=True)
class Request(Generic[T]):
    """Commands, and the conversion of their replies to the result."""

    commands: Sequence[Words]
    convert: Callable[[Any], T]
    """Converts the reply of one command, or the list of replies of several commands."""
    is_multi: bool = False
    """Whether the commands form one unit."""
    is_single: bool = True
    options: Options | None = None


CONDITIONAL_NAME = re.compile(rb"SET|[HM]?SETNX", re.IGNORECASE)
"""The names of the commands that may write only if a key is absent or present."""


def has_condition(words: Words) -> bool:
    """
    Returns whether a command writes only if a key is absent or present, and answers only whether this condition holds. Source:
    protocol/implicit-condition.ts.
    """
    name = bytes_of(words[0])
    if CONDITIONAL_NAME.fullmatch(name) is None:
        return False
    options = {bytes_of(word).upper() for word in words[3:]}
    # With both options it is an error, and with GET it also answers the value.
    return len(name) > len("SET") or b"GET" not in options and (b"NX" in options) != (b"XX" in options)


def asks(convert: Callable[[Any], T], *words: Argument) -> Request[T]:
    """Returns a request with one command."""
    return Request([words], convert)


class command(Generic[P, T]):  # used as a decorator, hence the name
    """A decorator for methods that return a Request. The decorated method sends the request."""

    def __init__(self, build: Callable[Concatenate[Any, P], Request[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: Client[Any], owner: Any = None) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: AsyncClient[Any], owner: Any = None) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __get__(self, client: None, owner: Any = None) -> Callable[Concatenate[Any, P], Any]: ...

    def __get__(self, client: Any, owner: Any = None) -> Any:
        build = self._build
        if client is None:
            return build

        @functools.wraps(build)
        def send(*args: P.args, **kwargs: P.kwargs) -> T | Awaitable[T]:
            sent: T | Awaitable[T] = client._send(build(client, *args, **kwargs))
            return sent

        return send

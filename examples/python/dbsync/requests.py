"""
How a method of the commands is written once and typed twice: what it asks for stands in the class's body, and who is asked decides
whether the caller gets the value (Client) or an awaitable of it (AsyncClient).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Concatenate, Coroutine, Generic, ParamSpec, Sequence, TypeVar, overload

from .options import Options
from .resp import Argument

if TYPE_CHECKING:
    from .blocking import Client
    from .awaiting import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")

Words = Sequence[Argument]


@dataclass(frozen=True)
class Request(Generic[T]):
    """Commands, and what the caller is given for their replies."""

    commands: Sequence[Words]
    convert: Callable[[Any], T]
    """Of one command its reply; of several a list of replies."""
    is_multi: bool = False
    """Whether they are one unit."""
    is_single: bool = True
    options: Options | None = None


def asks(convert: Callable[[Any], T], *words: Argument) -> Request[T]:
    """For one command."""
    return Request([words], convert)


class command(Generic[P, T]):  # used as a decorator, hence the name
    """A method that returns a Request, turned into one that sends it."""

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

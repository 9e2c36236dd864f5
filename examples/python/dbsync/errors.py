"""
All errors that leave the package. Each says what failed, at which daemon, and what to do; `effect` says whether anything can have
been applied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Literal, Sequence

from .sentences import EFFECTS, OWN_CURES, REFUSAL_CURES, STAGES

Effect = Literal["not-applied", "unknown"]


class DbsyncWarning(UserWarning):
    """What works, and should be done otherwise."""


@dataclass(frozen=True)
class Outcome:
    """What one daemon made of a call."""

    address: str
    ok: bool
    """Whether it answered, and without an error."""
    reply: Any = None
    flags: tuple[str, ...] = ()
    """What it says about the answer: `late`, `unmet`, `provisional`, `catching-up`, `isolated`."""
    stage: str = ""
    """Where it failed; docs/python.md has them all."""
    detail: str = ""
    effect: Effect = "unknown"

    def __str__(self) -> str:
        return f"{self.address}: {describe(self)}"


class DbsyncError(Exception):
    """A call that has not brought a value."""

    code: str = "all-failed"
    """For programs; the text is for people."""

    def __init__(self, text: str, outcomes: Sequence[Outcome] = (), *, is_read: bool = False) -> None:
        super().__init__(self._told(text, outcomes))
        self.outcomes: tuple[Outcome, ...] = tuple(outcomes)
        """One for each server; empty for what was found before anything was sent."""
        untouched = all(not each.ok and each.effect == "not-applied" for each in outcomes)
        self.effect: Effect = "not-applied" if is_read or untouched else "unknown"
        """`not-applied`: it is certain that no daemon has changed anything, or will."""

    def _told(self, text: str, outcomes: Sequence[Outcome]) -> str:
        lines = _lines(outcomes)
        return text + (":" if lines else "") + "".join(f"\n  {line}" for line in lines)


class BadCommand(DbsyncError):
    """The command cannot be sent: nothing was."""

    code = "bad-command"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The command cannot be sent: {detail}")


class BadOption(DbsyncError, ValueError):
    """An option has a value it cannot have: nothing was sent."""

    code = "bad-option"

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"An option cannot be used: {option} is {value!r:.80}, allowed: {allowed}")


class BadKey(DbsyncError):
    """The private key cannot be used: nothing was sent."""

    code = "bad-key"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The signing key cannot be used: {detail}")


class ReplyError(DbsyncError):
    """The command failed where it ran, such as `WRONGTYPE …`: an answer of the database, not of the network."""

    code = "reply"

    def _told(self, text: str, outcomes: Sequence[Outcome]) -> str:
        # The daemon's text tells all there is, and is what programs compare.
        return text


class NoAnswer(DbsyncError, ConnectionError):
    """No daemon answered."""

    code = "all-failed"


class TimedOut(NoAnswer, TimeoutError):
    """No daemon answered by the call's deadline."""

    code = "all-failed"


class Refused(DbsyncError):
    """Every daemon refused to take the command; `reasons` are codes of docs/protocol-v2.md."""

    code = "refused"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The code of each daemon's refusal."""
        return tuple(each.detail.split(":", 1)[0] for each in self.outcomes)


class PolicyNotMet(DbsyncError):
    """Daemons answered, but not as the policy requires; `code` says what is missing."""

    def __init__(self, code: str, text: str, outcomes: Sequence[Outcome], *, is_read: bool) -> None:
        super().__init__(text, outcomes, is_read=is_read)
        self.code = code


class ClustersDiffer(DbsyncError):
    """The servers belong to different clusters, and no option says which is meant: nothing was sent."""

    code = "clusters-differ"


class Closed(DbsyncError):
    """The client was closed."""

    code = "closed"


class ProtocolError(Exception):
    """Bytes that no daemon of version 2 sends. Stays inside: a call tells it as a daemon's stage `garbage`."""


def describe(outcome: Outcome) -> str:
    """`connect: no connection (Connection refused); is dbsyncd running there? [not applied there]`"""
    if outcome.ok:
        return f"answered {'nil' if outcome.reply is None else json.dumps(shown(outcome.reply))}"
    meaning, cure = STAGES[outcome.stage]
    if outcome.stage in ("refused", "lost"):
        code = outcome.detail.split(":", 1)[0]
        cure = {**REFUSAL_CURES, **OWN_CURES}.get(code, cure)
    detail = f" ({_printable(outcome.detail)})" if outcome.detail else ""
    effect = "recorded" if outcome.stage == "reply" and outcome.effect == "unknown" else outcome.effect
    return f"{outcome.stage}: {meaning}{detail}; {cure} [{EFFECTS[effect]}]"


def shown(reply: object) -> str:
    """A reply as a message shows it."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return text if len(text) <= 80 else text[:80] + "…"


def _lines(outcomes: Iterable[Outcome]) -> list[str]:
    """One line for each kind of outcome, which names all daemons it is true of."""
    alike: dict[str, list[str]] = {}
    for outcome in outcomes:
        alike.setdefault(describe(outcome), []).append(outcome.address)
    return [f"{', '.join(addresses)}: {text}" for text, addresses in alike.items()]


def _printable(text: str) -> str:
    """A daemon's words come to terminals and logs."""
    return "".join(char if char.isprintable() else "?" for char in text)

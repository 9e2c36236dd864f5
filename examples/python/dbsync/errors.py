"""
All exceptions of the package. The message states the failure, the daemon and the remedy. `effect` states whether anything may have
been applied.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable, Literal, Sequence

from .sentences import EFFECTS, OTHER_PORT, OTHER_PORT_CURE, STAGES

Effect = Literal["not-applied", "unknown"]


class DbsyncWarning(UserWarning):
    """A warning about a working setting that should be changed."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call on one daemon."""

    address: str
    ok: bool
    """Whether the daemon has answered without an error."""
    reply: Any = None
    flags: tuple[str, ...] = ()
    """The flags of the answer: `late`, `unmet`, `decided`, `placed`, `provisional`, `catching-up`, `isolated`."""
    stage: str = ""
    """The stage at which the call failed; docs/python.md lists all stages."""
    detail: str = ""
    effect: Effect = "unknown"

    def __str__(self) -> str:
        return f"{self.address}: {describe(self)}"


class DbsyncError(Exception):
    """A call that has not returned a value."""

    code: str = "all-failed"
    """The code of the error, for programs."""

    def __init__(self, text: str, outcomes: Sequence[Outcome] = (), *, is_read: bool = False) -> None:
        super().__init__(self._told(text, outcomes))
        self.outcomes: tuple[Outcome, ...] = tuple(outcomes)
        """The outcomes, one per server. Empty if the error was found before anything was sent."""
        untouched = all(not each.ok and each.effect == "not-applied" for each in outcomes)
        self.effect: Effect = "not-applied" if is_read or untouched else "unknown"
        """The effect of the call. `not-applied` means that no daemon has applied it, and none ever will."""

    def _told(self, text: str, outcomes: Sequence[Outcome]) -> str:
        lines = _lines(outcomes)
        return text + (":" if lines else "") + "".join(f"\n  {line}" for line in lines)


class BadCommand(DbsyncError):
    """The command cannot be sent, and nothing was sent."""

    code = "bad-command"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The command cannot be sent: {detail}")


class BadOption(DbsyncError, ValueError):
    """An option has an invalid value. Nothing was sent."""

    code = "bad-option"

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"An option cannot be used: {option} is {value!r:.80}, allowed: {allowed}")


class BadKey(DbsyncError):
    """The private key cannot be used. Nothing was sent."""

    code = "bad-key"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The signing key cannot be used: {detail}")


class ReplyError(DbsyncError):
    """The database answered with an error, for example `WRONGTYPE …`."""

    code = "reply"

    def _told(self, text: str, outcomes: Sequence[Outcome]) -> str:
        # Programs compare the text of the daemon, so it stays unchanged.
        return text


class NoAnswer(DbsyncError, ConnectionError):
    """No daemon answered."""

    code = "all-failed"


class TimedOut(NoAnswer, TimeoutError):
    """No daemon answered by the call's deadline."""

    code = "all-failed"


class Refused(DbsyncError):
    """Every daemon refused the command. `reasons` contains codes of docs/protocol-v2.md."""

    code = "refused"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the refusals, one per daemon."""
        return tuple(each.detail.split(":", 1)[0] for each in self.outcomes)


class PolicyNotMet(DbsyncError):
    """Daemons answered, but not as the policy requires. `code` contains the reason."""

    def __init__(self, code: str, text: str, outcomes: Sequence[Outcome], *, is_read: bool) -> None:
        super().__init__(text, outcomes, is_read=is_read)
        self.code = code


class ClustersDiffer(DbsyncError):
    """The servers belong to different clusters, and no option selects one. Nothing was sent."""

    code = "clusters-differ"


class Closed(DbsyncError):
    """The client was closed."""

    code = "closed"


class ProtocolError(Exception):
    """The received bytes are not valid in version 2. This exception is internal: a call reports it as the stage `garbage` of a daemon."""


def _has_cure(detail: str) -> bool:
    """Whether a refusal consists of a code, and of the reason and the cure, each as a sentence."""
    return CODE.match(detail) is not None and detail.endswith(".") and ". " in detail


CODE = re.compile(r"[a-z-]+: ")


def describe(outcome: Outcome) -> str:
    """Returns an outcome as text: `connect: no connection (Connection refused); is dbsyncd running there? [not applied there]`."""
    if outcome.ok:
        return f"answered {'nil' if outcome.reply is None else json.dumps(shown(outcome.reply))}"
    meaning, cure = STAGES[outcome.stage]
    if outcome.detail.startswith(OTHER_PORT):
        cure = OTHER_PORT_CURE
    elif outcome.stage in ("refused", "lost") and _has_cure(outcome.detail):
        cure = ""
    detail = f" ({_printable(outcome.detail)})" if outcome.detail else ""
    effect = "recorded" if outcome.stage == "reply" and outcome.effect == "unknown" else outcome.effect
    return f"{outcome.stage}: {meaning}{detail}{f'; {cure}' if cure else ''} [{EFFECTS[effect]}]"


def shown(reply: object) -> str:
    """Returns a reply as text for messages, shortened to 80 characters."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return text if len(text) <= 80 else text[:80] + "…"


def _lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Returns one line for each different outcome, with the addresses of all daemons that have it."""
    alike: dict[str, list[str]] = {}
    for outcome in outcomes:
        alike.setdefault(describe(outcome), []).append(outcome.address)
    return [f"{', '.join(addresses)}: {text}" for text, addresses in alike.items()]


def _printable(text: str) -> str:
    """Replaces unprintable characters, since texts of daemons are printed on terminals and in logs."""
    return "".join(char if char.isprintable() else "?" for char in text)

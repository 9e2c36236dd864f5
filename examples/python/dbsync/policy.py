"""
Decides when and how a call ends. These are pure functions from the reports of the daemons to a verdict.

- `first`: the first answer that is not nil. Any later answer takes precedence over a failure, and a later value over nil or over an
  answer of a daemon that is catching up. Nil is returned immediately only from a daemon that answers for its peers.
- a number: the first answer that is not nil, as soon as this number of daemons have answered. `all`: the number of servers.
- `majority`: an answer that more than half of all servers gave; an error of the command counts as an answer.
- `all-equal`: an answer that every server gave.
- no policy: `first`, and for a unit with conditions the outcome (applied, not applied, the same failure) that more than half of all
  servers reported; late answers and those of daemons that are catching up do not count. If the members of a list decide on the unit:
  `majority`, and with conditions the outcome of the decision. A daemon that is catching up reports this as well; only its reply may be old.
  Outcomes are the same only if the replies have the same form (`_word`). The result is the reply that more than half of all servers
  sent, if there is one.

Except for `first`, an answer with the flag `late` does not count. Source: client/shared/policy.ts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Sequence, Union

from .errors import Effect, ReplyError

Policy = Union[Literal["first", "majority", "all", "all-equal"], int]
POLICIES = ("first", "majority", "all", "all-equal")


@dataclass(frozen=True)
class Answer:
    """A reply without an error."""

    reply: Any
    flags: tuple[str, ...] = ()
    is_for_all: bool = False
    """Whether the daemon answers for its peers: it is live, and has all their entries."""

    @property
    def is_miss(self) -> bool:
        """Whether the reply is nil or an empty list, so that another daemon's value takes precedence."""
        return self.reply is None or self.reply == []


@dataclass(frozen=True)
class Failure:
    """The reason for a missing reply, or an error as the reply."""

    stage: str
    detail: str = ""
    effect: Effect = "not-applied"
    flags: tuple[str, ...] = ()
    error: ReplyError | None = None

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return self.detail.split(":", 1)[0] if self.stage == "refused" else ""


Report = Union[Answer, Failure]
Reports = Sequence[Union[Report, None]]


@dataclass(frozen=True)
class Verdict:
    """The decision about a call. `wait`: not decided. `linger`: decided after a short time without further answers. `value`: the answer.
    `failed`: the error."""

    kind: Literal["wait", "linger", "value", "failed"]
    answer: Answer | None = None
    code: str = ""


WAIT = Verdict("wait")
LINGER = Verdict("linger")


def judge(
    policy: Policy | None,
    reports: Reports,
    final: bool,
    refusers: int = 0,
    has_conditions: bool = False,
    is_decided: bool = False,
) -> Verdict:
    """
    policy: the policy of the caller, or None.
    reports: one report per daemon, None if the daemon has not reported yet.
    final: whether to decide with the present reports.
    refusers: the number of daemons that have refused the date of the command, and have not answered since.
    is_decided: whether the members of a list decide on the unit.
    """
    if policy is None and has_conditions:
        return _outcome(reports, final, is_decided)
    if policy == "majority" or policy is None and is_decided:
        return _majority(reports, final)
    if policy is None or policy == "first":
        return _first(reports, final, refusers)
    if policy == "all-equal":
        return _all_equal(reports, final)
    return _number(policy if isinstance(policy, int) else len(reports), reports, final)


def _first(reports: Reports, final: bool, refusers: int) -> Verdict:
    answers = _answers(reports)
    for answer in answers:
        if answer.is_for_all or not (answer.is_miss or "catching-up" in answer.flags):
            return Verdict("value", answer)
    is_silent = None in reports
    has_erred = any(isinstance(each, Failure) and each.stage == "reply" for each in reports)
    behind = next((answer for answer in answers if not answer.is_miss), None)
    if behind is not None:
        return LINGER if is_silent and not final else Verdict("value", behind)
    is_doubted = len(answers) <= refusers
    if is_silent and answers and is_doubted and not has_erred:
        return WAIT
    if is_silent and not final:
        return LINGER if answers or has_erred else WAIT
    if not answers or (is_doubted and has_erred):
        return _failure(reports)
    return Verdict("failed", code="clocks-differ") if is_doubted else Verdict("value", answers[0])


def _number(needed: int, reports: Reports, final: bool) -> Verdict:
    every = _answers(reports)
    answers = [answer for answer in every if not _is_late(answer)]
    if answers and len(answers) >= needed:
        return Verdict("value", next((answer for answer in answers if not answer.is_miss), answers[0]))
    if None in reports and not final:
        return WAIT
    if not every:
        return _failure(reports)
    if len(every) >= needed:
        return Verdict("failed", code="late-answers")
    return Verdict("failed", code="not-all-answered" if needed >= len(reports) else "too-few-answers")


def _majority(reports: Reports, final: bool) -> Verdict:
    groups: list[list[Report]] = []
    answered = late = 0
    for report in reports:
        if report is None or (isinstance(report, Failure) and report.stage != "reply"):
            continue
        answered += 1
        if _is_late(report):
            late += 1
            continue
        group = next((group for group in groups if _same(group[0], report)), None)
        if group is None:
            groups.append([report])
        else:
            group.append(report)
    for group in groups:
        if 2 * len(group) > len(reports):
            chosen = group[0]
            return Verdict("value", chosen) if isinstance(chosen, Answer) else Verdict("failed", code="reply")
    if None in reports and not final:
        return WAIT
    if answered == 0:
        return _failure(reports)
    if 2 * answered <= len(reports):
        return Verdict("failed", code="too-few-answers")
    return Verdict("failed", code="late-answers" if late else "answers-differ")


def _outcome(reports: Reports, final: bool, is_decided: bool) -> Verdict:
    """Decides about a unit with conditions. Fails as soon as no outcome can reach a majority."""
    groups: dict[str, list[Report]] = {}
    silent = answered = late = behind = 0
    for report in reports:
        if report is None:
            silent += 1
            continue
        if isinstance(report, Failure) and report.stage != "reply":
            continue
        answered += 1
        if _is_late(report):
            late += 1
        elif _is_behind(report) and not is_decided:
            behind += 1
        elif isinstance(report, Failure):
            groups.setdefault(f"failed: {report.detail}", []).append(report)
        else:
            groups.setdefault(_word(report), []).append(report)
    for word, group in groups.items():
        if 2 * len(group) > len(reports):
            rest = [report for other, each in groups.items() if other != word for report in each]
            return _agreed(group, any(not _is_behind(report) for report in rest), final or silent == 0, len(reports))
    if not final and 2 * (max(map(len, groups.values()), default=0) + silent) > len(reports):
        return WAIT
    # A daemon that is silent may still answer. The code must not depend on whether its answer or the failures arrive first.
    if answered == 0 and (final or silent == 0):
        return _failure(reports)
    if 2 * (answered - behind) <= len(reports):
        return Verdict("failed", code="too-few-answers")
    return Verdict("failed", code="late-answers" if late else "answers-differ")


def _word(report: Answer) -> str:
    """
    Returns the outcome of a unit with conditions. Its replies may differ if the daemons have different data, but not in their form:
    otherwise, one lying daemon could change whether a client has a lock.
    """
    if "unmet" in report.flags:
        return "unmet"
    if report.reply is None:
        return "applied: nil"
    if report.reply == []:
        return "applied: empty list"
    if not isinstance(report.reply, list):
        return f"applied: {_form(report.reply)}"
    # Other lists of texts may have different lengths.
    forms = [f"{index} {_form(item)}" for index, item in enumerate(report.reply) if not isinstance(item, bytes)]
    return f"applied: list {forms}"


def _form(reply: Any) -> str:
    """Returns the part of a reply that states whether a command had an effect. A status is a `str`."""
    return repr(reply) if reply in (None, 0, 1) or isinstance(reply, str) else type(reply).__name__


def _agreed(group: Sequence[Report], is_contradicted: bool, final: bool, servers: int) -> Verdict:
    """
    Returns the verdict for an outcome on which a majority agrees. Each daemon runs the commands itself, so the reply of a daemon
    that is not catching up takes precedence. One daemon may lie about its reply, so the reply of a majority is used. There may be
    none, because the daemons had different plain writes.
    is_contradicted: whether a daemon that is not catching up reports another outcome.
    """
    complete = next((report for report in reversed(group) if not _is_behind(report)), None)
    if complete is None and "unmet" not in group[0].flags:
        if not final:
            return WAIT
        if is_contradicted:
            return Verdict("failed", code="answers-differ")
    candidates = [report for report in group if complete is None or not _is_behind(report)]
    shared = next((each for each in candidates if 2 * sum(_same(each, other) for other in group) > servers), None)
    if shared is None and not final:
        return LINGER
    chosen = shared or complete or group[0]
    return Verdict("value", chosen) if isinstance(chosen, Answer) else Verdict("failed", code="reply")


def _all_equal(reports: Reports, final: bool) -> Verdict:
    if None in reports and not final:
        return WAIT
    answers = _answers(reports)
    if not answers:
        return _failure(reports)
    if not all(_same(answer, answers[0]) for answer in answers):
        return Verdict("failed", code="answers-differ")
    if len(answers) < len(reports):
        return Verdict("failed", code="not-all-answered")
    return Verdict("failed", code="late-answers") if any(map(_is_late, answers)) else Verdict("value", answers[0])


def _failure(reports: Reports) -> Verdict:
    """Returns the error of a call without any successful answer."""
    stages = [report.stage for report in reports if isinstance(report, Failure)]
    if "reply" in stages:
        return Verdict("failed", code="reply")
    is_refused = len(stages) == len(reports) and all(stage == "refused" for stage in stages)
    return Verdict("failed", code="refused" if is_refused else "all-failed")


def _answers(reports: Reports) -> list[Answer]:
    return [report for report in reports if isinstance(report, Answer)]


def _is_late(report: Report) -> bool:
    return "late" in report.flags


def _is_behind(report: Report) -> bool:
    return "catching-up" in report.flags


def _same(left: Report, right: Report) -> bool:
    if isinstance(left, Answer) and isinstance(right, Answer):
        return repr(left.reply) == repr(right.reply)
    return isinstance(left, Failure) and isinstance(right, Failure) and left.detail == right.detail

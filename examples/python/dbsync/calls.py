"""One call: its envelope, the requests to all daemons, and the decision based on their reports."""

from __future__ import annotations

import asyncio
from typing import Any, Sequence, Union

from .envelope import Header, seal
from .errors import Closed, DbsyncError, NoAnswer, Outcome, PolicyNotMet, Refused, ReplyError, TimedOut
from .fleet import LINGER_S, Fleet
from .messages import Date, Refusal, Result, frame
from .options import Options
from .policy import Answer, Failure, Report, Verdict, judge
from .sending import Sending
from .sentences import CODES

MAX_SIGNATURES = 4
"""The maximum number of signatures per call. If daemons still refuse the date, their clocks are too different."""

REFUSED_FOR_DATE = ("skew", "too-old")
REFUSED_FOR_CLUSTER = "wrong-cluster"


class Call:
    """
    One call on all daemons of a fleet. commands: the encoded commands. is_read: whether the commands change nothing.
    may_decide: whether the members decide on the call, if they decide at all.
    """

    def __init__(
        self,
        fleet: Fleet,
        commands: Sequence[bytes],
        header: Header,
        options: Options,
        is_read: bool,
        may_decide: bool = False,
    ) -> None:
        self._fleet, self._commands, self._header, self._options = fleet, commands, header, options
        self._is_read, self._may_decide = is_read, may_decide
        self._decides = False
        """Whether the envelope requests a decision of the members."""
        self._units = 1 if header.multi else len(commands)
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._deadline = loop.time() + options.seconds
        self._outcome: asyncio.Future[list[Any]] = loop.create_future()
        self._reports: list[Union[Result, Failure, None]] = [None] * len(fleet.links)
        self._sendings: list[Sending | None] = [None] * len(fleet.links)
        self._held: dict[int, Failure] = {}
        """The refusals after which the call may be signed again."""
        self._refusers: set[int] = set()
        """The daemons that have refused the date, and have not answered since."""
        self._signatures = 0
        self._is_offering = False
        self._timers: list[asyncio.TimerHandle] = []
        self._lingering = False
        self._again: asyncio.Task[None] | None = None

    async def run(self) -> list[Any]:
        """Returns the reply to each unit, which may be a ReplyError. Raises DbsyncError."""
        await self._fleet.ready(self._deadline)
        self._timers.append(self._loop.call_at(self._deadline, self._expire))
        self._offer(range(len(self._reports)), self._fleet.clock.date())
        try:
            return await self._outcome
        except asyncio.CancelledError:
            self._withdraw()
            raise

    def reported(self, sending: Sending, report: Result | Refusal | Failure) -> None:
        """Records the report of one daemon."""
        index = sending.index
        if self._sendings[index] is not sending:
            return
        if isinstance(report, Refusal):
            self._reports[index] = self._weigh(sending, report)
        elif isinstance(report, Failure):
            self._reports[index] = report
        elif len(report.replies) != self._units:
            self._reports[index] = Failure("garbage", "the number of replies is not the number of units", "unknown")
        else:
            self._reports[index] = report
            self._refusers.discard(index)
            if not self._is_read:
                self._fleet.written(sending, self._units)
        self._consider()

    def _weigh(self, sending: Sending, refusal: Refusal) -> Failure | None:
        """Returns the failure for a refusal, or None if the call may be signed again."""
        index, code = sending.index, refusal.code
        # If the envelope was also sent on an earlier connection, the daemon may have applied it then. The refusal does
        # not rule this out.
        is_unknown = refusal.is_applied or sending.writes > 1
        failure = Failure("refused", f"{code}: {refusal.sentence}", "unknown" if is_unknown else "not-applied")
        is_for_date = code in REFUSED_FOR_DATE
        is_for_cluster = code == REFUSED_FOR_CLUSTER and not self._fleet.is_told
        if is_for_date:
            self._refusers.add(index)
        if is_for_cluster:
            self._fleet.doubt(self._fleet.links[index], sending.envelope.cluster)
        may_be_signed_again = (
            (is_for_date or is_for_cluster)
            and (self._is_read or not is_unknown)
            and not self._outcome.done()
            and self._signatures < MAX_SIGNATURES
        )
        if not may_be_signed_again:
            return failure
        self._held[index] = failure
        return None

    def _consider(self, is_final: bool = False) -> None:
        """Evaluates a new report: finishes the call, signs it again, or continues to wait."""
        if self._is_offering:
            return
        if self._outcome.done():
            self._tidy()
            return
        if self._held and self._again is None and not self._sign_again() and self._again is None:
            self._reports = [self._held.pop(i, report) for i, report in enumerate(self._reports)]
        verdicts = [
            judge(
                self._options.policy,
                self._unit(unit),
                is_final,
                len(self._refusers),
                bool(self._options.conditions),
                self._decides,
            )
            for unit in range(self._units)
        ]
        kinds = {verdict.kind for verdict in verdicts}
        if "wait" in kinds:
            return
        if "linger" in kinds:
            if not self._lingering:
                self._lingering = True
                self._timers.append(self._loop.call_later(LINGER_S, self._consider, True))
            return
        # A failure before the deadline counts only once every daemon was tried, or if a majority agrees on it.
        is_early = not is_final and self._has_untried
        if is_early and any(each.kind == "failed" and each.code != "reply" for each in verdicts):
            return
        self._settle(verdicts)
        self._tidy()

    @property
    def _has_untried(self) -> bool:
        """Whether the envelope was not yet written to a daemon that may still receive it."""
        pairs = zip(self._sendings, self._reports)
        return any(sending is not None and sending.writes == 0 and report is None for sending, report in pairs)

    def _sign_again(self) -> bool:
        """Returns False if the call cannot be signed again. A write is signed again only if no daemon can have applied it."""
        others = [report for index, report in enumerate(self._reports) if index not in self._held]
        if not self._is_read:
            if any(isinstance(each, Result) or isinstance(each, Failure) and each.effect != "not-applied" for each in others):
                return False
            if any(each is None for each in others):
                return self._loop.time() < self._deadline
        if self._loop.time() >= self._deadline:
            return False
        self._again = self._loop.create_task(self._offer_again())
        return True

    async def _offer_again(self) -> None:
        try:
            await self._fleet.ready(self._deadline)
        except DbsyncError:
            self._again = None
            self._reports = [self._held.pop(i, report) for i, report in enumerate(self._reports)]
            self._consider()
            return
        indices, self._again = list(self._held), None
        self._held.clear()
        if self._outcome.done():
            return
        links = [self._fleet.links[index] for index in indices]
        date = (self._fleet.clock.time_by(links), 0) if self._is_read else self._fleet.clock.date()
        self._offer(indices, date)

    def _offer(self, indices: Sequence[int], date: Date) -> None:
        """Signs the call, and sends it to these daemons."""
        cluster = self._fleet.cluster
        if cluster is None:
            raise AssertionError("no cluster is known")
        self._decides = self._may_decide and self._fleet.is_deciding
        header = self._header.to_decide() if self._decides else self._header
        envelope = seal(self._fleet.signer, cluster, date, header, self._commands)
        wait = self._options.wait
        framed = frame("command", envelope.body, envelope.signature, *([] if wait is None else [wait]))
        insist = self._fleet.is_in_backoff
        self._signatures += 1
        self._is_offering = True
        for index in indices:
            sending = Sending(self, index, envelope, framed, self._options.may_wait)
            self._sendings[index] = sending
            self._fleet.links[index].offer(sending, insist)
        self._is_offering = False
        self._consider()

    def _expire(self) -> None:
        self._is_offering = True
        for index, sending in enumerate(self._sendings):
            if self._reports[index] is None and index not in self._held and sending is not None:
                self._fleet.links[index].expire(sending)
        self._is_offering = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._consider(True)

    def _withdraw(self) -> None:
        """Handles a cancelled call. If no daemon has received it, it is not sent. Otherwise all daemons receive it."""
        if self._again is not None:
            self._again.cancel()
        sendings = [sending for sending in self._sendings if sending is not None]
        if not any(sending.writes for sending in sendings):
            for sending in sendings:
                if self._fleet.links[sending.index].withdraw(sending):
                    self._reports[sending.index] = Failure("closed")
        self._tidy()

    def _tidy(self) -> None:
        """Cancels the timers when every daemon has reported."""
        if all(report is not None for report in self._reports):
            for timer in self._timers:
                timer.cancel()

    def _unit(self, unit: int) -> list[Report | None]:
        return [self._report(index, unit) for index in range(len(self._reports))]

    def _report(self, index: int, unit: int) -> Report | None:
        report = self._reports[index]
        if not isinstance(report, Result):
            return report
        reply, flags = report.replies[unit], report.flags[unit]
        if isinstance(reply, ReplyError):
            # A recorded command that failed may still succeed because of a late write.
            may_come = "provisional" in flags or str(reply).startswith("TOOLONG ")
            return Failure("reply", str(reply), "unknown" if may_come else "not-applied", flags, reply)
        # A daemon that lies could otherwise add a lock's OK to `unmet`, or nil to a unit that was applied.
        is_complete = not self._header.multi or isinstance(reply, list) and len(reply) == len(self._commands)
        is_honest = reply is None if "unmet" in flags else is_complete
        if not is_honest:
            return Failure("garbage", "its reply contradicts its flags or commands", "unknown")
        hello = self._fleet.links[index].hello
        is_live = "catching-up" not in flags and "isolated" not in flags
        return Answer(reply, flags, hello is not None and (hello.members or 0) > 0 and is_live)

    def _settle(self, verdicts: Sequence[Verdict]) -> None:
        values: list[Any] = []
        for unit, verdict in enumerate(verdicts):
            if verdict.answer is not None:
                values.append(verdict.answer.reply)
                continue
            error = self._error(verdict.code, unit)
            if not isinstance(error, ReplyError):
                self._outcome.set_exception(error)
                return
            values.append(error)
        self._outcome.set_result(values)

    def _error(self, code: str, unit: int) -> DbsyncError:
        reports = self._unit(unit)
        outcomes = [self._told(index, report) for index, report in enumerate(reports)]
        if code == "reply":
            texts = [each.detail for each in reports if isinstance(each, Failure) and each.stage == "reply"]
            return ReplyError(texts[0], outcomes, is_read=self._is_read)
        stages = {each.stage for each in outcomes}
        if stages == {"closed"}:
            return Closed(CODES["closed"], outcomes, is_read=self._is_read)
        if code == "refused":
            return Refused(CODES[code], outcomes, is_read=self._is_read)
        if code == "all-failed":
            kind = TimedOut if self._loop.time() >= self._deadline else NoAnswer
            return kind(CODES[code], outcomes, is_read=self._is_read)
        return PolicyNotMet(code, CODES[code], outcomes, is_read=self._is_read)

    def _told(self, index: int, report: Report | None) -> Outcome:
        address = self._fleet.links[index].address.text
        if isinstance(report, Answer):
            return Outcome(address, True, report.reply, report.flags)
        if report is None:
            # The daemon may have received the call, or receives it later: only the deadline removes it from the queue.
            report = self._held.get(index, Failure("not-awaited", "", "unknown"))
        effect = "not-applied" if self._is_read else report.effect
        return Outcome(address, False, None, report.flags, report.stage, report.detail, effect)

package dbsync

import (
	"context"
	"time"
)

const (
	// maxUnits is the maximum number of units of an envelope, and maxUnitCommands that of the commands of one unit.
	maxUnits        = 4096
	maxUnitCommands = 100_000
	// maxSharedBytes is the size at which a batch takes no further calls. Larger batches save no more.
	maxSharedBytes = 256 << 10
	// decisionTime and helloTime are the minimum times for a decision at other daemons, and for the answer to a hello,
	// which shows that a daemon is not hung.
	decisionTime = time.Second
	helloTime    = 250 * time.Millisecond
)

// call is one call: one unit, or several units that share an envelope.
type call struct {
	commands [][]byte
	bytes    int
	// first and units are the call's part of the units of its batch.
	first, units int
	rules        rules
	deadline     time.Time
	// lingerUntil is when the call ends without further answers; zero: it does not linger.
	lingerUntil time.Time
	batch       *batch
	isSettled   bool
	// done is closed when the call has settled. Then replies has one reply per unit, or err is set.
	done    chan struct{}
	replies []any
	err     *Error
}

func (c *call) size() int { return c.bytes }

// failure is the reason for a missing answer.
type failure struct {
	stage, detail string
	effect        Effect
}

// report is what a daemon reports on a batch: a result or a failure.
type report struct {
	result  *result
	failure *failure
	// isBehind is whether the daemon may be missing the client's last writes, and isForAll whether it answers for its
	// peers if it is live.
	isBehind, isForAll bool
}

// batch contains calls that are signed together: one envelope, its sendings to the daemons, and their reports. Each
// call has its own deadline and result. The lock of the fleet guards it.
type batch struct {
	fleet  *fleet
	number uint64
	kind   commandKind
	header header
	wait   string
	// mayDecide is whether the members decide on the batch, if they decide at all, and decides whether its envelope
	// requests it.
	mayDecide, decides bool
	calls              []*call
	bytes              int
	units              int
	unsettled          int
	// deadline is the latest deadline of the calls, and dueAt the time of the alarm.
	deadline, dueAt time.Time
	alarm           *alarm
	giveUps         []*alarm
	// sendings, reports, held and isRefuser have an element for each daemon. held contains the refusals after which the
	// batch may be signed again, and isRefuser the daemons that have refused the date, and have not answered since.
	sendings  []*sending
	reports   []*report
	held      []*failure
	isRefuser []bool
	// targets contains the daemons that receive the envelope when it is signed.
	targets    []int
	signatures int
	// isWaiting is whether the batch waits to be signed, and isSealing whether it is being signed.
	isWaiting, isSealing bool
	isOffering           bool
	hasEnded             bool
	// after is the write that the client's session names in the envelope, or "".
	after string
}

func newBatch(f *fleet, kind commandKind, h header, wait string, mayDecide bool) *batch {
	daemons := len(f.links)
	f.outbox.batches++
	f.open++
	return &batch{
		fleet: f, number: f.outbox.batches, kind: kind, header: h, wait: wait, mayDecide: mayDecide, isWaiting: true,
		sendings: make([]*sending, daemons), reports: make([]*report, daemons), held: make([]*failure, daemons),
		isRefuser: make([]bool, daemons),
	}
}

func (b *batch) isRead() bool { return b.kind == kindReads }

// mayWait returns whether a working daemon may send nothing for a long time.
func (b *batch) mayWait() bool { return b.wait != "" || b.header.after != "" }

// isMissing returns whether a daemon has refused the batch or will not answer it.
func (b *batch) isMissing(index int) bool {
	return b.held[index] != nil || b.reports[index] != nil && b.reports[index].failure != nil
}

// isTaken returns whether a daemon has answered with results.
func (b *batch) isTaken(index int) bool {
	return b.reports[index] != nil && b.reports[index].result != nil
}

// takes returns whether a call may join the batch: both have the same database, and no other options.
func (b *batch) takes(c *call, kind commandKind, h header, wait string, mayDecide bool) bool {
	return kind == b.kind && h.isPlain() && b.header.isPlain() && h.db == b.header.db && wait == "" && b.wait == "" &&
		!mayDecide && !b.mayDecide && b.signatures == 0 && b.unsettled > 0 &&
		b.units+c.units <= maxUnits && b.bytes+c.bytes <= maxSharedBytes
}

// isPlain returns whether only the database is set.
func (h header) isPlain() bool {
	return !h.isUnit && len(h.conditions) == 0 && h.after == "" && h.only == ""
}

func (b *batch) add(c *call) {
	c.batch, c.first = b, b.units
	b.calls = append(b.calls, c)
	b.units += c.units
	b.bytes += c.bytes
	b.unsettled++
	if c.deadline.After(b.deadline) {
		b.deadline = c.deadline
	}
	b.wakeBy(c.deadline)
}

// wakeBy sets the alarm, unless it is set to an earlier time.
func (b *batch) wakeBy(at time.Time) {
	if b.hasEnded || b.alarm != nil && !at.Before(b.dueAt) {
		return
	}
	b.alarm.stop()
	b.dueAt = at
	b.alarm = b.fleet.after(time.Until(at), func() {
		b.alarm = nil
		b.tick(time.Now())
	})
}

// tick settles the calls whose deadline, or whose wait for further answers, is over.
func (b *batch) tick(now time.Time) {
	if !now.Before(b.deadline) {
		b.expire()
	}
	for _, c := range b.openCalls() {
		b.judge(c, now)
	}
	next := b.deadline
	for _, c := range b.calls {
		if c.isSettled {
			continue
		}
		if c.deadline.Before(next) {
			next = c.deadline
		}
		if !c.lingerUntil.IsZero() && c.lingerUntil.Before(next) {
			next = c.lingerUntil
		}
	}
	b.end()
	b.wakeBy(next)
}

// openCalls returns the calls that have not settled. It is a copy, because settling may remove calls.
func (b *batch) openCalls() []*call {
	open := make([]*call, 0, b.unsettled)
	for _, c := range b.calls {
		if !c.isSettled {
			open = append(open, c)
		}
	}
	return open
}

// expire ends the sendings at the deadline of the batch.
func (b *batch) expire() {
	for index, known := range b.reports {
		if known != nil {
			continue
		}
		end, effect := b.fleet.links[index].silence(), NotApplied
		if s := b.sendings[index]; s != nil {
			effect = s.effect()
			end = b.fleet.links[index].expire(s)
		}
		b.reports[index] = &report{failure: &failure{end.stage, end.detail, effect}}
		if refusal := b.held[index]; refusal != nil {
			b.reports[index].failure, b.held[index] = refusal, nil
		}
	}
	if b.isWaiting {
		b.fleet.outbox.take(b)
	}
}

// draft is the contents of an envelope that is not signed yet.
type draft struct {
	cluster  string
	date     date
	header   header
	commands [][]byte
}

// draft returns the envelope to sign now.
func (b *batch) draft() draft {
	f := b.fleet
	if b.signatures == 0 {
		// The callers of settled calls know that these are not sent.
		b.dropSettled()
	}
	var refusers []*link
	b.targets = nil
	for index, l := range f.links {
		if b.signatures > 0 && b.held[index] == nil {
			continue
		}
		b.targets = append(b.targets, index)
		b.held[index], b.sendings[index] = nil, nil
		if b.isRefuser[index] {
			refusers = append(refusers, l)
		}
	}
	h := b.header
	b.decides = b.mayDecide && f.isDeciding()
	h.decide = b.decides
	b.after = ""
	if h.after == "" && (b.isRead() || len(h.conditions) > 0) {
		b.after = f.afterWrite()
		h.after = b.after
	}
	at := date{}
	if b.isRead() && len(refusers) > 0 {
		at.at = f.clock.timeBy(refusers)
	} else {
		at = f.clock.date()
	}
	b.signatures++
	b.isSealing = true
	f.outbox.signedAt = time.Now()
	if b.wait == "" && !b.decides {
		// An answer that waits for a condition, or for the members' decision, does not show how busy the daemons are.
		f.outbox.unanswered[b] = true
	}
	var commands [][]byte
	for _, c := range b.calls {
		commands = append(commands, c.commands...)
	}
	return draft{f.cluster, at, h, commands}
}

// signed sends the signed envelope, which is nil if the signature has failed.
func (b *batch) signed(e *envelope) {
	b.isSealing = false
	if e == nil || b.unsettled == 0 || b.fleet.isClosed {
		b.discard()
		return
	}
	e.after = b.after
	message := commandFrame(e, b.wait)
	insist := b.fleet.isInBackoff()
	b.isOffering = true
	for _, index := range b.targets {
		s := &sending{batch: b, index: index, envelope: e, frame: message}
		b.sendings[index] = s
		b.fleet.links[index].offer(s, insist)
	}
	b.isOffering = false
	b.consider()
}

// discard ends a batch that is not sent.
func (b *batch) discard() {
	for index, known := range b.reports {
		if known == nil && b.sendings[index] == nil {
			b.reports[index] = &report{failure: &failure{stageNotAwaited, "never sent", NotApplied}}
		}
	}
	b.end()
}

// abandon fails a batch that cannot be signed, because no daemon can be reached.
func (b *batch) abandon() {
	for index, known := range b.reports {
		if known == nil && b.held[index] == nil {
			end := b.fleet.links[index].silence()
			b.reports[index] = &report{failure: &failure{end.stage, end.detail, NotApplied}}
		}
	}
	b.releaseHeld()
	b.consider()
}

// failed records that a daemon will not answer.
func (b *batch) failed(s *sending, end endReason, effect Effect) {
	if b.sendings[s.index] != s {
		return
	}
	b.reports[s.index] = &report{failure: &failure{end.stage, end.detail, effect}}
	b.fleet.session.failed(s.index, b, s.envelope, time.Now())
	b.consider()
}

// answered handles a daemon's result.
func (b *batch) answered(s *sending, r *result) {
	index, f, now := s.index, b.fleet, time.Now()
	if b.sendings[index] != s {
		return
	}
	if len(r.replies) != b.units {
		detail := "the number of replies is not the number of units"
		b.failed(s, endReason{stageGarbage, detail}, Unknown)
		return
	}
	isBehind := f.session.isCatchingUp(index, b, s.envelope, now)
	f.session.answered(index, b, s.envelope, r.isPlaced(), now)
	if isBehind && b.isRead() {
		missing := &failure{stageRefused, "not-yet: It may be missing this client's writes. Try again later.", NotApplied}
		b.hold(index, missing, b.unsettled > 0 && b.signatures < maxSignatures)
		b.consider()
		return
	}
	members := f.links[index].hello
	b.reports[index] = &report{result: r, isBehind: isBehind, isForAll: members != nil && members.members > 0}
	b.isRefuser[index] = false
	f.outbox.answered(b)
	if !isBehind {
		b.settleHits(r)
	}
	b.consider()
	if b.unsettled == 0 {
		// The batch remains while a daemon hangs, but its replies must not remain in memory.
		b.calls = nil
		for _, each := range b.reports {
			if each != nil && each.result != nil {
				each.result = &result{}
			}
		}
	}
}

// settleHits settles the calls for which a reply that is not nil is the result, whatever the other daemons report. This
// is the usual case.
func (b *batch) settleHits(r *result) {
	for _, c := range b.calls {
		if c.isSettled || c.units != 1 {
			continue
		}
		c.rules.isDecided = b.decides
		reply, flags := r.replies[c.first], r.flags[c.first]
		_, isError := reply.(*Error)
		if !isError && !isMiss(reply) && c.rules.isFirst() && !hasFlag(flags, "catching-up") {
			b.settle(c, []any{reply}, nil)
		}
	}
}

// refused handles a daemon's refusal.
func (b *batch) refused(s *sending, r *refusal) {
	index, f := s.index, b.fleet
	if b.sendings[index] != s {
		return
	}
	// If the envelope was also written to an earlier connection, the daemon may have applied it then. The refusal does not
	// rule this out.
	effect := r.effect
	if s.writes > 1 {
		effect = Unknown
	}
	isForDate := r.code == "skew" || r.code == "too-old"
	isForCluster := r.code == "wrong-cluster" && !f.isConfigured
	b.isRefuser[index] = isForDate
	mayBeSignedAgain := (isForDate || isForCluster) && (b.isRead() || effect == NotApplied) &&
		b.unsettled > 0 && b.signatures < maxSignatures
	b.hold(index, &failure{stageRefused, r.code + ": " + r.sentence, effect}, mayBeSignedAgain)
	f.session.failed(index, b, s.envelope, time.Now())
	if isForCluster {
		f.recheckCluster(f.links[index], s.envelope.cluster)
	}
	if (r.code == "cannot-decide" || r.code == "undecided") && b.unsettled > 0 {
		b.checkSilent(s.writtenAt)
	}
	b.consider()
}

// hold records a failure after which the batch may be signed again, or not.
func (b *batch) hold(index int, found *failure, mayBeSignedAgain bool) {
	if mayBeSignedAgain {
		b.held[index] = found
	} else {
		b.reports[index] = &report{failure: found}
	}
}

// silent returns the sendings that a daemon has not answered.
func (b *batch) silent() []*sending {
	var found []*sending
	for index, s := range b.sendings {
		if s != nil && b.reports[index] == nil && b.held[index] == nil {
			found = append(found, s)
		}
	}
	return found
}

// checkSilent sends a hello to the silent daemons, to find out whether they hang, because one daemon has reached no
// majority of the members. They have decisionTime after the envelope was written, and at least helloTime from now.
func (b *batch) checkSilent(writtenAt time.Time) {
	for _, s := range b.silent() {
		if s.writes > 0 {
			b.fleet.links[s.index].ask()
		}
	}
	now := time.Now()
	until := writtenAt.Add(decisionTime)
	if earliest := now.Add(helloTime); earliest.After(until) {
		until = earliest
	}
	b.giveUps = append(b.giveUps, b.fleet.after(until.Sub(now), func() { b.giveUp(now) }))
}

// giveUp ends the calls if no daemon has answered them, and the silent ones have sent nothing since the given time. The
// effect of the calls is then unknown.
func (b *batch) giveUp(since time.Time) {
	silent := b.silent()
	for index := range b.reports {
		if b.isTaken(index) {
			return
		}
	}
	for _, s := range silent {
		if s.writtenAt.After(since) {
			// Its daemon had no time to answer yet.
			b.checkSilent(s.writtenAt)
			return
		}
		if b.fleet.links[s.index].lastReceived().After(since) {
			return
		}
	}
	for _, s := range silent {
		b.fleet.links[s.index].expire(s)
		b.reports[s.index] = &report{failure: &failure{stageNotAwaited, "", Unknown}}
	}
	b.consider()
}

// consider evaluates new reports: it settles calls, signs the batch again, or continues to wait.
func (b *batch) consider() {
	if b.isOffering {
		return
	}
	if b.unsettled > 0 && !b.isWaiting && !b.isSealing {
		b.reconsiderHeld()
	}
	now := time.Now()
	for _, c := range b.openCalls() {
		b.judge(c, now)
	}
	b.end()
}

// reconsiderHeld signs the batch again, if a refusal permits it. A write is signed again only if no daemon can have
// applied it.
func (b *batch) reconsiderHeld() {
	isHeld, isPending, mayBeApplied := false, false, false
	for index, known := range b.reports {
		switch {
		case b.held[index] != nil:
			isHeld = true
		case known == nil:
			isPending = true
		case known.failure == nil || known.failure.effect != NotApplied:
			mayBeApplied = true
		}
	}
	switch {
	case !isHeld:
	case !time.Now().Before(b.deadline) || !b.isRead() && mayBeApplied:
		b.releaseHeld()
	case !b.isRead() && isPending:
	default:
		if !b.isRead() {
			b.dropSettled()
		}
		b.fleet.outbox.again(b)
		if !b.fleet.maySign(b) {
			b.fleet.greet()
		}
	}
}

// releaseHeld makes the refusals final.
func (b *batch) releaseHeld() {
	for index, refusal := range b.held {
		if refusal != nil {
			b.reports[index], b.held[index] = &report{failure: refusal}, nil
		}
	}
}

// dropSettled removes the calls that have settled, and numbers the units again. No daemon may have applied a part of
// the batch.
func (b *batch) dropSettled() {
	open := b.openCalls()
	b.calls, b.units, b.bytes = open, 0, 0
	for _, c := range open {
		c.first = b.units
		b.units += c.units
		b.bytes += c.bytes
	}
}

// judge settles a call if the reports on it permit this.
func (b *batch) judge(c *call, now time.Time) {
	isOver := !now.Before(c.deadline)
	isFinal := isOver || !c.lingerUntil.IsZero() && !now.Before(c.lingerUntil)
	c.rules.isDecided = b.decides
	refusers := 0
	for _, isRefuser := range b.isRefuser {
		if isRefuser {
			refusers++
		}
	}
	verdicts := make([]verdict, c.units)
	mayChange := !isFinal && b.hasUntried()
	lingers := false
	for unit := range verdicts {
		found := c.rules.judge(b.unitReports(c, unit, isOver), isFinal, refusers)
		if found.kind == verdictWait || mayChange && found.kind == verdictFailed && found.code != CodeReply {
			c.lingerUntil = time.Time{}
			return
		}
		lingers = lingers || found.kind == verdictLinger
		verdicts[unit] = found
	}
	if lingers {
		if c.lingerUntil.IsZero() {
			c.lingerUntil = now.Add(lingerTime)
		}
		b.wakeBy(c.lingerUntil)
		return
	}
	replies := make([]any, c.units)
	for unit, found := range verdicts {
		if found.kind == verdictValue {
			replies[unit] = found.answer.reply
			continue
		}
		failed := b.errorOf(c, unit, found.code, isOver)
		if failed.Code != CodeReply {
			b.settle(c, nil, failed)
			return
		}
		replies[unit] = failed
	}
	b.settle(c, replies, nil)
}

// hasUntried returns whether the envelope was not yet written to a daemon that may still receive it.
func (b *batch) hasUntried() bool {
	for _, s := range b.silent() {
		if s.writes == 0 {
			return true
		}
	}
	return false
}

// unitReports returns the reports of all daemons on a unit of a call. A silent daemon has none, unless the call is
// over.
func (b *batch) unitReports(c *call, unit int, isOver bool) []*unitReport {
	found := make([]*unitReport, len(b.reports))
	for index, known := range b.reports {
		switch {
		case known == nil && isOver:
			found[index] = b.silence(index, stageTimeout)
		case known == nil:
		case known.failure != nil:
			found[index] = known.failure.unitReport()
		default:
			found[index] = known.unitReport(c.first+unit, b.header.isUnit)
		}
	}
	return found
}

// silence returns the report on a daemon that has not answered when a call ends.
func (b *batch) silence(index int, stage string) *unitReport {
	if refusal := b.held[index]; refusal != nil {
		return refusal.unitReport()
	}
	effect := Unknown
	if b.signatures == 0 {
		effect = NotApplied
	}
	// The daemon may have received the call, or receives it later: only the deadline of the batch withdraws it.
	return &unitReport{stage: stage, effect: effect}
}

func (f *failure) unitReport() *unitReport {
	return &unitReport{stage: f.stage, detail: f.detail, effect: f.effect}
}

func (r *report) unitReport(unit int, isMulti bool) *unitReport {
	reply, flags := r.result.replies[unit], r.result.flags[unit]
	if r.isBehind {
		flags = flags + " catching-up"
	}
	if failed, isError := reply.(*Error); isError {
		effect := NotApplied
		// A recorded command that failed may still succeed because of a late write, and a command whose answer is too long
		// was executed.
		if hasFlag(flags, "provisional") || len(failed.text) > 8 && failed.text[:8] == "TOOLONG " {
			effect = Unknown
		}
		return &unitReport{stage: stageReply, detail: failed.text, effect: effect, flags: flags}
	}
	// A lying daemon could add a lock's OK to an outcome on which a majority agrees, or nil to an applied unit.
	if isUnmet := hasFlag(flags, "unmet"); isUnmet && reply != nil || !isUnmet && isMulti && reply == nil {
		return &unitReport{stage: stageGarbage, detail: "its reply contradicts its flags", effect: Unknown, flags: flags}
	}
	isLive := !hasFlag(flags, "catching-up") && !hasFlag(flags, "isolated")
	return &unitReport{isOk: true, reply: reply, flags: flags, isForAll: r.isForAll && isLive}
}

// errorOf returns the error of a unit of a call that ends now.
func (b *batch) errorOf(c *call, unit int, code Code, isOver bool) *Error {
	var cause error
	if isOver && code != CodeReply {
		cause = context.DeadlineExceeded
	}
	stage := stageNotAwaited
	if isOver {
		stage = stageTimeout
	}
	detail := ""
	outcomes := make([]Outcome, len(b.reports))
	closed := 0
	for index, found := range b.unitReports(c, unit, false) {
		if found == nil {
			found = b.silence(index, stage)
		}
		outcomes[index] = b.outcome(index, found)
		if found.isError() && detail == "" && code == CodeReply {
			detail = found.detail
		}
		if found.stage == stageClosed {
			closed++
		}
	}
	if closed == len(outcomes) {
		code = CodeClosed
	}
	return newError(code, detail, outcomes, b.isRead(), cause)
}

func (b *batch) outcome(index int, found *unitReport) Outcome {
	effect := found.effect
	if !found.isOk && b.isRead() {
		effect = NotApplied
	}
	return Outcome{
		Address: b.fleet.links[index].address.String(), OK: found.isOk, Reply: found.reply, Flags: flagList(found.flags),
		Stage: found.stage, Detail: found.detail, Effect: effect,
	}
}

// cancel rejects a call whose context was cancelled. If no daemon has received it, it is not sent, unless other calls
// of the signed envelope need it. Otherwise all daemons receive it.
func (b *batch) cancel(c *call, cause error) {
	isUntouched := true
	for index, known := range b.reports {
		s := b.sendings[index]
		isUntouched = isUntouched && (s == nil || s.writes == 0) &&
			(known == nil || known.failure != nil && known.failure.effect == NotApplied)
	}
	isWithdrawn := isUntouched && (b.signatures == 0 || b.unsettled == 1)
	outcomes := make([]Outcome, len(b.reports))
	for index, found := range b.unitReports(c, 0, false) {
		if found == nil {
			found = b.silence(index, stageNotAwaited)
			if isWithdrawn {
				found.effect = NotApplied
			}
		}
		outcomes[index] = b.outcome(index, found)
	}
	b.settle(c, nil, newError(CodeAborted, "", outcomes, b.isRead(), cause))
	if !isWithdrawn {
		return
	}
	if b.unsettled == 0 {
		for _, s := range b.silent() {
			b.fleet.links[s.index].withdraw(s)
			b.reports[s.index] = &report{failure: &failure{stageNotAwaited, "", NotApplied}}
		}
		if b.isWaiting {
			b.fleet.outbox.take(b)
			b.discard()
		}
		b.end()
		return
	}
	b.fleet.outbox.calls -= len(b.calls)
	b.fleet.outbox.bytes -= b.bytes
	b.dropSettled()
	b.fleet.outbox.calls += len(b.calls)
	b.fleet.outbox.bytes += b.bytes
}

// abort rejects all calls with an error. The sendings continue.
func (b *batch) abort(code Code, detail string, cause error) {
	stage := stageNotAwaited
	if code == CodeClosed {
		stage = stageClosed
	}
	for _, c := range b.openCalls() {
		outcomes := make([]Outcome, len(b.reports))
		for index, found := range b.unitReports(c, 0, false) {
			if found == nil {
				found = b.silence(index, stage)
				if s := b.sendings[index]; s == nil || s.writes == 0 {
					found.effect = NotApplied
				}
			}
			outcomes[index] = b.outcome(index, found)
		}
		if b.signatures == 0 {
			outcomes = nil
		}
		b.settle(c, nil, newError(code, detail, outcomes, b.isRead(), cause))
	}
}

// settle ends a call with its replies or an error.
func (b *batch) settle(c *call, replies []any, failed *Error) {
	c.isSettled, c.replies, c.err = true, replies, failed
	close(c.done)
	if b.unsettled--; b.unsettled == 0 {
		delete(b.fleet.outbox.live, b)
		b.fleet.outbox.answered(b)
	}
}

// end stops the alarms once every daemon has reported.
func (b *batch) end() {
	if b.hasEnded || b.unsettled > 0 || b.isWaiting || b.isSealing {
		return
	}
	for _, known := range b.reports {
		if known == nil {
			return
		}
	}
	b.hasEnded = true
	b.alarm.stop()
	for _, each := range b.giveUps {
		each.stop()
	}
	delete(b.fleet.outbox.unanswered, b)
	b.fleet.open--
	b.fleet.checkDrained()
}

package dbsync

import (
	"reflect"
	"strconv"
	"strings"
)

// Policy selects the answers that determine the result of a call. The zero value is First, and with conditions the
// outcome that more than half of the servers report. If the members of a list decide on the call, it is Majority, and
// with conditions the outcome of the decision.
type Policy string

const (
	// First is the first answer that is not nil. Any later answer takes precedence over a failure, and a later value
	// over nil or over an answer of a daemon that is catching up.
	First Policy = "first"
	// Majority is the answer that more than half of all servers sent; an error of the command counts as an answer.
	Majority Policy = "majority"
	// All is the first answer that is not nil, as soon as all servers have answered.
	All Policy = "all"
	// AllEqual is the answer that every server sent.
	AllEqual Policy = "all-equal"
)

// AtLeast is the first answer that is not nil, as soon as this number of servers have answered.
func AtLeast(servers int) Policy { return Policy(strconv.Itoa(servers)) }

// needed returns the number of answers of a policy with a number; 0: it has none.
func (p Policy) needed(servers int) int {
	if p == All {
		return servers
	}
	number, err := strconv.Atoi(string(p))
	if err != nil {
		return 0
	}
	return number
}

// unitReport is what a daemon reports on one unit: a reply, or the reason for a missing one.
type unitReport struct {
	isOk  bool
	reply any
	flags string
	// isForAll is whether the daemon answers for its peers: it is live, and has all their entries.
	isForAll bool
	stage    string
	detail   string
	effect   Effect
}

// isMiss returns whether the reply is nil or an empty list, so that another daemon's value takes precedence.
func isMiss(reply any) bool {
	list, isList := reply.([]any)
	return reply == nil || isList && len(list) == 0
}

// hasFlag returns whether one of the flags, which are separated by spaces, is the given one.
func hasFlag(flags, flag string) bool {
	return flags != "" && contains(strings.Fields(flags), flag)
}

func (r *unitReport) isLate() bool   { return hasFlag(r.flags, "late") }
func (r *unitReport) isBehind() bool { return hasFlag(r.flags, "catching-up") }
func (r *unitReport) isAnswer() bool { return r.isOk || r.stage == stageReply }
func (r *unitReport) isError() bool  { return !r.isOk && r.stage == stageReply }

type verdictKind int

const (
	// verdictWait: not decided.
	verdictWait verdictKind = iota
	// verdictLinger: decided after a short time without further answers.
	verdictLinger
	verdictValue
	verdictFailed
)

// verdict is the decision about a call. The zero value waits for further reports.
type verdict struct {
	kind   verdictKind
	answer *unitReport
	code   Code
}

func failedWith(code Code) verdict { return verdict{kind: verdictFailed, code: code} }

func verdictOf(report *unitReport) verdict {
	if report.isOk {
		return verdict{kind: verdictValue, answer: report}
	}
	return failedWith(CodeReply)
}

// rules contains what judge needs in addition to the reports.
type rules struct {
	policy        Policy
	hasConditions bool
	// isDecided is whether the members of a list decide on the unit.
	isDecided bool
}

// isFirst returns whether the first answer that is not nil is the result.
func (r rules) isFirst() bool {
	return r.policy == First || r.policy == "" && !r.hasConditions && !r.isDecided
}

// judge decides when and how a call ends. reports has an element for each daemon, which is nil until the daemon has
// reported. If final is true, it decides with the present reports. refusers is the number of daemons that have refused
// the date of the command, and have not answered since. Source: client/shared/policy.ts.
func (r rules) judge(reports []*unitReport, final bool, refusers int) verdict {
	switch {
	case r.policy == "" && r.hasConditions:
		return judgeOutcome(reports, final, r.isDecided)
	case r.policy == Majority || r.policy == "" && r.isDecided:
		return judgeMajority(reports, final)
	case r.isFirst():
		return judgeFirst(reports, final, refusers)
	case r.policy == AllEqual:
		return judgeAllEqual(reports, final)
	}
	return judgeNumber(r.policy.needed(len(reports)), reports, final)
}

func judgeFirst(reports []*unitReport, final bool, refusers int) verdict {
	answers := answersOf(reports)
	var behind *unitReport
	for _, answer := range answers {
		isMiss := isMiss(answer.reply)
		if answer.isForAll || !(isMiss || answer.isBehind()) {
			return verdictOf(answer)
		}
		if behind == nil && !isMiss {
			behind = answer
		}
	}
	isSilent, hasErred := false, false
	for _, report := range reports {
		isSilent = isSilent || report == nil
		hasErred = hasErred || report != nil && report.isError()
	}
	// At least as many daemons have refused the date as have answered nil, and one of them may have a value.
	isDoubted := len(answers) <= refusers
	switch {
	case behind != nil && isSilent && !final:
		return verdict{kind: verdictLinger}
	case behind != nil:
		return verdictOf(behind)
	case isSilent && len(answers) > 0 && isDoubted && !hasErred:
		return verdict{}
	case isSilent && !final && (len(answers) > 0 || hasErred):
		return verdict{kind: verdictLinger}
	case isSilent && !final:
		return verdict{}
	case len(answers) == 0 || isDoubted && hasErred:
		return failureOf(reports)
	case isDoubted:
		return failedWith(CodeClocksDiffer)
	}
	return verdictOf(answers[0])
}

func judgeNumber(needed int, reports []*unitReport, final bool) verdict {
	every := answersOf(reports)
	var first, hit *unitReport
	count := 0
	for _, answer := range every {
		if answer.isLate() {
			continue
		}
		count++
		if first == nil {
			first = answer
		}
		if hit == nil && !isMiss(answer.reply) {
			hit = answer
		}
	}
	switch {
	case count > 0 && count >= needed && hit != nil:
		return verdictOf(hit)
	case count > 0 && count >= needed:
		return verdictOf(first)
	case hasSilent(reports) && !final:
		return verdict{}
	case len(every) == 0:
		return failureOf(reports)
	case len(every) >= needed:
		return failedWith(CodeLateAnswers)
	case needed >= len(reports):
		return failedWith(CodeNotAllAnswered)
	}
	return failedWith(CodeTooFewAnswers)
}

func judgeMajority(reports []*unitReport, final bool) verdict {
	var groups [][]*unitReport
	answered, late := 0, 0
	for _, report := range reports {
		if report == nil || !report.isAnswer() {
			continue
		}
		answered++
		if report.isLate() {
			late++
			continue
		}
		groups = grouped(groups, report, areSame)
	}
	for _, group := range groups {
		if 2*len(group) > len(reports) {
			return verdictOf(group[0])
		}
	}
	switch {
	case hasSilent(reports) && !final:
		return verdict{}
	case answered == 0:
		return failureOf(reports)
	case 2*answered <= len(reports):
		return failedWith(CodeTooFewAnswers)
	}
	return disagreement(late)
}

// judgeOutcome decides about a unit with conditions. It fails as soon as no outcome can reach a majority.
func judgeOutcome(reports []*unitReport, final bool, isDecided bool) verdict {
	var groups [][]*unitReport
	silent, answered, late, behind := 0, 0, 0, 0
	for _, report := range reports {
		switch {
		case report == nil:
			silent++
		case !report.isAnswer():
		case report.isLate():
			answered++
			late++
		case report.isBehind() && !isDecided:
			answered++
			behind++
		default:
			answered++
			groups = grouped(groups, report, haveSameOutcome)
		}
	}
	largest := 0
	for index, group := range groups {
		if 2*len(group) > len(reports) {
			isContradicted := false
			for other, each := range groups {
				for _, report := range each {
					isContradicted = isContradicted || other != index && !report.isBehind()
				}
			}
			return agreed(group, isContradicted, final || silent == 0, len(reports))
		}
		if len(group) > largest {
			largest = len(group)
		}
	}
	switch {
	case !final && 2*(largest+silent) > len(reports):
		return verdict{}
	// A daemon that is silent may still answer. The code must not depend on whether its answer or the failures arrive
	// first.
	case answered == 0 && (final || silent == 0):
		return failureOf(reports)
	case 2*(answered-behind) <= len(reports):
		return failedWith(CodeTooFewAnswers)
	}
	return disagreement(late)
}

// agreed returns the verdict for an outcome on which a majority agrees. Each daemon runs the commands itself, so the
// reply of a daemon that is not catching up takes precedence. One daemon may lie about the reply, so that of a majority
// is used. There may be none, because the daemons had different plain writes. isContradicted is whether a daemon that
// is not catching up reports another outcome.
func agreed(group []*unitReport, isContradicted, final bool, servers int) verdict {
	chosen, isComplete := group[0], false
	for _, report := range group {
		if !report.isBehind() {
			chosen, isComplete = report, true
		}
	}
	if !isComplete && !hasFlag(chosen.flags, "unmet") {
		if !final {
			return verdict{}
		}
		if isContradicted {
			return failedWith(CodeAnswersDiffer)
		}
	}
	for _, report := range group {
		equal := 0
		for _, other := range group {
			if areSame(report, other) {
				equal++
			}
		}
		if 2*equal > servers && !(isComplete && report.isBehind()) {
			return verdictOf(report)
		}
	}
	if !final {
		return verdict{kind: verdictLinger}
	}
	return verdictOf(chosen)
}

func judgeAllEqual(reports []*unitReport, final bool) verdict {
	if hasSilent(reports) && !final {
		return verdict{}
	}
	answers := answersOf(reports)
	if len(answers) == 0 {
		return failureOf(reports)
	}
	isLate := false
	for _, answer := range answers {
		if !areSame(answer, answers[0]) {
			return failedWith(CodeAnswersDiffer)
		}
		isLate = isLate || answer.isLate()
	}
	if len(answers) < len(reports) {
		return failedWith(CodeNotAllAnswered)
	}
	if isLate {
		return failedWith(CodeLateAnswers)
	}
	return verdictOf(answers[0])
}

// failureOf returns the error of a call without any successful answer.
func failureOf(reports []*unitReport) verdict {
	refused := 0
	for _, report := range reports {
		if report != nil && report.isError() {
			return failedWith(CodeReply)
		}
		if report != nil && report.stage == stageRefused {
			refused++
		}
	}
	if refused == len(reports) {
		return failedWith(CodeRefused)
	}
	return failedWith(CodeAllFailed)
}

func disagreement(late int) verdict {
	if late > 0 {
		return failedWith(CodeLateAnswers)
	}
	return failedWith(CodeAnswersDiffer)
}

func answersOf(reports []*unitReport) []*unitReport {
	var answers []*unitReport
	for _, report := range reports {
		if report != nil && report.isOk {
			answers = append(answers, report)
		}
	}
	return answers
}

func hasSilent(reports []*unitReport) bool {
	for _, report := range reports {
		if report == nil {
			return true
		}
	}
	return false
}

// grouped adds a report to the first group whose first report is the same.
func grouped(groups [][]*unitReport, report *unitReport, same func(left, right *unitReport) bool) [][]*unitReport {
	for index, group := range groups {
		if same(group[0], report) {
			groups[index] = append(group, report)
			return groups
		}
	}
	return append(groups, []*unitReport{report})
}

func areSame(left, right *unitReport) bool {
	if left.isOk && right.isOk {
		return reflect.DeepEqual(left.reply, right.reply)
	}
	return left.isOk == right.isOk && left.detail == right.detail
}

// haveSameOutcome returns whether two daemons report the same: applied, not applied, or the same error. The replies may
// differ if the daemons have different data, but not in which of them are nil, 0 or an error: otherwise, one lying
// daemon could change whether a client has a lock.
func haveSameOutcome(left, right *unitReport) bool {
	if !left.isOk || !right.isOk {
		return left.isOk == right.isOk && left.detail == right.detail
	}
	if isUnmet := hasFlag(left.flags, "unmet"); isUnmet || hasFlag(right.flags, "unmet") {
		return isUnmet && hasFlag(right.flags, "unmet")
	}
	one, isList := left.reply.([]any)
	other, isAlsoList := right.reply.([]any)
	if !isList || !isAlsoList {
		return isList == isAlsoList && isNothing(left.reply) == isNothing(right.reply)
	}
	for index := 0; index < len(one) || index < len(other); index++ {
		if isNothingAt(one, index) != isNothingAt(other, index) {
			return false
		}
	}
	return true
}

func isNothingAt(list []any, index int) bool { return index < len(list) && isNothing(list[index]) }

func isNothing(reply any) bool {
	_, isError := reply.(*Error)
	return reply == nil || isError || reply == int64(0)
}

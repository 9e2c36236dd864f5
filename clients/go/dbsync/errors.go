package dbsync

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Code is the kind of an error, for programs.
type Code string

// The codes of errors.
const (
	// CodeBadCommand: an argument cannot be sent; nothing was sent.
	CodeBadCommand Code = "bad-command"
	// CodeBadOption: an option has an invalid value; nothing was sent.
	CodeBadOption Code = "bad-option"
	// CodeBadKey: the key file cannot be used; nothing was sent.
	CodeBadKey Code = "bad-key"
	// CodeReply: the daemon executed the command and returned an error, such as WRONGTYPE.
	CodeReply Code = "reply"
	// CodeRefused: every daemon refused the command.
	CodeRefused Code = "refused"
	// CodeAllFailed: no daemon answered.
	CodeAllFailed Code = "all-failed"
	// CodeAnswersDiffer and the next four: daemons answered, but not as the policy requires.
	CodeAnswersDiffer  Code = "answers-differ"
	CodeClocksDiffer   Code = "clocks-differ"
	CodeNotAllAnswered Code = "not-all-answered"
	CodeTooFewAnswers  Code = "too-few-answers"
	CodeLateAnswers    Code = "late-answers"
	// CodeClustersDiffer: the servers belong to different clusters; nothing was sent.
	CodeClustersDiffer Code = "clusters-differ"
	// CodeBusy: too many commands wait for a signature; nothing was sent.
	CodeBusy Code = "busy"
	// CodeAborted: the context of the call was cancelled.
	CodeAborted Code = "aborted"
	// CodeClosed: the client was closed.
	CodeClosed Code = "closed"
)

// Effect states whether a call may have been applied.
type Effect string

const (
	// NotApplied: no daemon has applied the call, and none ever will.
	NotApplied Effect = "not-applied"
	// Unknown: a daemon may have applied the call, or may still do so.
	Unknown Effect = "unknown"
)

// Outcome is the outcome of a call on one daemon.
type Outcome struct {
	Address string
	// OK is whether the daemon has answered without an error.
	OK    bool
	Reply any
	// Flags contains the flags of the answer: late, unmet, decided, placed, provisional, catching-up,
	// isolated.
	Flags []string
	// Stage is the stage at which the call failed; client/README.md lists all stages.
	Stage  string
	Detail string
	Effect Effect
}

// Error is the reason why a call has not returned a value.
type Error struct {
	Code   Code
	Effect Effect
	// Outcomes contains one outcome per server. It is empty if the error was found before anything was sent.
	Outcomes []Outcome
	text     string
	cause    error
}

// Error states what failed on which daemon, and what to do. The text of a reply is that of the daemon.
func (e *Error) Error() string {
	if e.Code == CodeReply || len(e.Outcomes) == 0 {
		return e.text
	}
	return e.text + ":\n  " + strings.Join(outcomeLines(e.Outcomes), "\n  ")
}

// Unwrap returns context.DeadlineExceeded after the deadline of a call, the error of a cancelled context, or that of
// the key file.
func (e *Error) Unwrap() error { return e.cause }

// ErrNil is the error of Text, Int and List for a reply that is nil.
var ErrNil = errors.New("the reply is nil")

func badCommand(detail string) *Error {
	return &Error{Code: CodeBadCommand, Effect: NotApplied, text: "The command cannot be sent: " + detail}
}

func badOption(option string, value any, allowed string) *Error {
	text := fmt.Sprintf("An option cannot be used: %s is %.80q, allowed: %s", option, fmt.Sprint(value), allowed)
	return &Error{Code: CodeBadOption, Effect: NotApplied, text: text}
}

func badKey(detail string, cause error) *Error {
	return &Error{Code: CodeBadKey, Effect: NotApplied, text: "The signing key cannot be used: " + detail, cause: cause}
}

// newError returns the error of a call with its outcomes.
func newError(code Code, detail string, outcomes []Outcome, isRead bool, cause error) *Error {
	effect := NotApplied
	for _, each := range outcomes {
		if !isRead && (each.OK || each.Effect != NotApplied) {
			effect = Unknown
		}
	}
	text := codeSentences[code]
	if detail != "" && code == CodeReply {
		text = detail
	} else if detail != "" {
		text += ": " + detail
	}
	return &Error{Code: code, Effect: effect, Outcomes: outcomes, text: text, cause: cause}
}

// outcomeLines returns one line for each different outcome, with the addresses of all daemons that have it.
func outcomeLines(outcomes []Outcome) []string {
	var order []string
	addresses := map[string][]string{}
	for _, outcome := range outcomes {
		text := outcome.describe()
		if addresses[text] == nil {
			order = append(order, text)
		}
		addresses[text] = append(addresses[text], outcome.Address)
	}
	for index, text := range order {
		order[index] = strings.Join(addresses[text], ", ") + ": " + text
	}
	return order
}

// describe returns an outcome as text, such as "connect: no connection (connection refused); is dbsyncd running there?
// [not applied there]".
func (o Outcome) describe() string {
	if o.OK && o.Reply == nil {
		return "answered nil"
	}
	if o.OK {
		return fmt.Sprintf("answered %.80q", fmt.Sprint(o.Reply))
	}
	sentence := stageSentences[o.Stage]
	cure := sentence.cure
	if strings.HasPrefix(o.Detail, otherPort) {
		cure = otherPortCure
	} else if (o.Stage == stageRefused || o.Stage == stageLost) && hasCure(o.Detail) {
		cure = ""
	}
	text := o.Stage + ": " + sentence.meaning
	if o.Detail != "" {
		text += " (" + printable(o.Detail) + ")"
	}
	if cure != "" {
		text += "; " + cure
	}
	effect := "not applied there"
	if o.Effect == Unknown && o.Stage == stageReply {
		effect = "recorded there, and may yet succeed"
	} else if o.Effect == Unknown {
		effect = "may have been applied there"
	}
	return text + " [" + effect + "]"
}

// hasCure returns whether a refusal consists of a code, and of the reason and the cure, each as a sentence.
func hasCure(detail string) bool {
	code, text, _ := strings.Cut(detail, ": ")
	return code != "" && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz-") == "" &&
		strings.HasSuffix(text, ".") && strings.Contains(text, ". ")
}

// printable replaces unprintable characters, since texts of daemons are printed on terminals and in logs.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) {
			return char
		}
		return '?'
	}, text)
}

// flagList returns the flags of an answer; nil: it has none.
func flagList(flags string) []string {
	if flags == "" {
		return nil
	}
	return strings.Fields(flags)
}

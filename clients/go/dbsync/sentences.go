package dbsync

// The stages at which a daemon can fail.
const (
	stageDNS          = "dns"
	stageConnect      = "connect"
	stageTLS          = "tls"
	stageTimeout      = "timeout"
	stageNotAwaited   = "not-awaited"
	stageGarbage      = "garbage"
	stageBusy         = "busy"
	stageReply        = "reply"
	stageRefused      = "refused"
	stageLost         = "lost"
	stageVersion      = "version"
	stageWrongCluster = "wrong-cluster"
	stageClosed       = "closed"
)

// stageSentence is the meaning of a stage, and the remedy. A refusal has its text from the daemon.
type stageSentence struct{ meaning, cure string }

var stageSentences = map[string]stageSentence{
	stageDNS:     {"the host name was not resolved", "check its spelling and this machine's DNS"},
	stageConnect: {"no connection", "is dbsyncd running there?"},
	stageTLS: {"no trusted encrypted connection",
		"compare its entry in the list (dbsyncs://, #sha256:…) and the option CA with what the daemon logs when it starts"},
	stageTimeout:    {"no answer in time", "it may be suspended or overloaded: see that daemon's log"},
	stageNotAwaited: {"the call had failed before it answered", "see the reports of the other daemons"},
	stageGarbage:    {"the answer is not a dbsync message", "does dbsyncd listen on this port?"},
	stageBusy:       {"its queue in this client is full", "send fewer commands at a time, or find out why it is slow"},
	stageReply:      {"the command failed there", "the daemon's text says why; correct the command"},
	stageRefused:    {"the daemon refused it", "its text says what to do"},
	stageLost:       {"the connection was lost before the answer", "see that daemon's log"},
	stageVersion: {"it closes the connection on version 2's hello: it speaks only version 1, is at its connection limit, " +
		"or an attacker hides version 2", "is that dbsyncd's port? this Go client speaks only version 2"},
	stageWrongCluster: {"that daemon belongs to another cluster", "correct the list of servers, or the option Cluster"},
	stageClosed:       {"the client was closed first", "close it after the last answer"},
}

// codeSentences contains the sentences about a complete call.
var codeSentences = map[Code]string{
	CodeAllFailed:      "No daemon answered",
	CodeRefused:        "No daemon accepted the command",
	CodeAnswersDiffer:  "The daemons' answers differ",
	CodeClocksDiffer:   "Only daemons whose clocks differ from the remaining ones answered, with nil",
	CodeNotAllAnswered: "Not every daemon answered, as the policy requires",
	CodeTooFewAnswers:  "Fewer daemons answered than the policy requires",
	CodeLateAnswers:    "Too few daemons agree, because the others received the command after later commands on its keys",
	CodeClustersDiffer: "The servers belong to different clusters",
	CodeBusy:           "Too many commands wait for a signature; send fewer at a time",
	CodeAborted:        "The context of the call was cancelled",
	CodeClosed:         "The client was closed",
	CodeBadKey:         "The signing key cannot be used",
}

// The beginning of the refusal that a port of a daemon for another protocol sends, and the remedy.
const (
	otherPort     = "malformed: this port serves "
	otherPortCure = "specify the daemon's --port instead, which is 1111 by default"
)

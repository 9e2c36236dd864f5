package dbsync

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand"
	"sync/atomic"
	"time"
)

const (
	// overdueTime: a connection with pending answers is closed after this time without received bytes, because the
	// machine may be down.
	overdueTime = 10 * time.Second
	// idleTime: a connection that was idle for this time may be broken, so the next call opens another one.
	idleTime = 30 * time.Second
	// askAgainTime is the minimum interval for asking a daemon of another cluster for its cluster again.
	askAgainTime = time.Second
	// firstBackoff is the maximum of the random pause after the first failed attempt to connect. It doubles with each
	// further one, up to maxBackoff.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// maxWrites is the maximum number of connections to which an envelope is written.
	maxWrites = 3
	// maxPending and maxPendingBytes limit the envelopes that one daemon has not answered. Further ones are not sent to
	// it.
	maxPending      = 1000
	maxPendingBytes = 64 << 20
)

type linkState int

const (
	linkClosed linkState = iota
	linkConnecting
	// linkSpeaking: the daemon has answered the hello.
	linkSpeaking
	// linkEnding: the connection is being closed.
	linkEnding
)

// link is the link to one daemon: a connection, the envelopes in flight on it, and the waiting ones. When a connection
// is lost, the link sends its envelopes again with the same bytes, which a daemon applies only once. The lock of the
// fleet guards it. Source: docs/protocol-v2.md "hello", "Retrying".
type link struct {
	address address
	index   int
	tls     *tls.Config
	fleet   *fleet
	state   linkState
	// hello is the last hello of the daemon on this connection, or nil.
	hello *hello
	// failure is the reason why the daemon cannot be reached, or nil.
	failure *endReason
	// waiting contains the envelopes to write, and inFlight those that wait for an answer, in the order of writing.
	waiting, inFlight []*sending
	pendingBytes      int
	connection        *connection
	watch             *alarm
	failures          int
	backoffUntil      time.Time
	// receivedAt is when the daemon last sent something, in nanoseconds since processStart.
	receivedAt         atomic.Int64
	greetedAt, askedAt time.Time
	// isAsking is whether a hello to the daemon is unanswered.
	isAsking bool
	// hasSpoken is whether the daemon has answered a hello on this connection.
	hasSpoken bool
	// complaint is an error of the daemon for the complete connection, and reason why this side closed it.
	complaint, reason string
}

// sending is the delivery of an envelope to one daemon.
type sending struct {
	batch     *batch
	index     int
	envelope  *envelope
	frame     []byte
	writes    int
	writtenAt time.Time
}

// effect returns what is known about a sending without an answer.
func (s *sending) effect() Effect {
	if s.writes > 0 {
		return Unknown
	}
	return NotApplied
}

func (l *link) isIdle() bool { return len(l.waiting) == 0 && len(l.inFlight) == 0 }

func (l *link) lastReceived() time.Time {
	return processStart.Add(time.Duration(l.receivedAt.Load()))
}

// isInBackoff returns whether the link is in a backoff pause.
func (l *link) isInBackoff() bool {
	return l.state == linkClosed && l.failure != nil && time.Now().Before(l.backoffUntil)
}

// silence returns the failure to report for a daemon that has not answered yet.
func (l *link) silence() endReason {
	switch {
	case l.state == linkClosed && l.failure != nil:
		return *l.failure
	case l.state == linkConnecting && l.connection == nil:
		if l.address.isEncrypted {
			return endReason{stageConnect, "no answer to the attempt to connect, or in the handshake"}
		}
		return endReason{stageConnect, "no answer to the attempt to connect"}
	case l.state == linkConnecting:
		return endReason{stageTimeout, "connected, but the hello was not answered"}
	}
	return endReason{stageTimeout, ""}
}

// connect connects, unless the link is already connected or in a backoff pause. If insist is true, it does not wait for
// the end of the pause.
func (l *link) connect(insist bool) {
	if l.state != linkClosed || l.fleet.isClosed || !insist && l.isInBackoff() {
		return
	}
	l.state = linkConnecting
	l.fleet.running.Add(1)
	go l.live()
}

// ask asks the daemon for a new hello.
func (l *link) ask() {
	if l.state == linkSpeaking && !l.isAsking {
		l.sendHello()
	}
}

func (l *link) sendHello() {
	l.isAsking, l.askedAt = true, time.Now()
	cluster := l.fleet.cluster
	if l.fleet.signer == nil {
		cluster = ""
	}
	l.connection.send(helloFrame(cluster, len(l.fleet.links)))
}

// live serves one connection until it ends. It tries a second time if the daemon closes the connection before its
// hello, since it may be restarting.
func (l *link) live() {
	defer l.fleet.running.Done()
	for attempt := 1; ; attempt++ {
		end := l.serveOne()
		l.fleet.mu.Lock()
		isUnanswered := end.stage == stageLost && l.complaint == "" && !l.hasSpoken && !l.fleet.isClosed
		if isUnanswered && attempt == 1 {
			l.drop(linkConnecting)
			l.fleet.mu.Unlock()
			continue
		}
		if isUnanswered {
			end = endReason{stageVersion, ""}
		}
		l.lost(end)
		l.fleet.mu.Unlock()
		return
	}
}

func (l *link) serveOne() endReason {
	l.fleet.mu.Lock()
	l.complaint, l.reason, l.hello, l.hasSpoken = "", "", nil, false
	l.fleet.mu.Unlock()
	connection, failure := l.dial(l.fleet.ctx)
	if failure != nil {
		return *failure
	}
	return l.serve(connection)
}

// offer accepts an envelope. Its batch receives the outcome later, or immediately if the link cannot send it.
func (l *link) offer(s *sending, insist bool) {
	now := time.Now()
	switch {
	case l.fleet.isClosed:
		l.fail(s, endReason{stageClosed, ""})
	case l.isInBackoff() && !insist:
		l.fail(s, *l.failure)
	case !l.isIdle() && !l.hasRoom(s):
		l.fail(s, endReason{stageBusy, ""})
	default:
		if l.isIdle() && l.state == linkSpeaking && now.Sub(l.lastReceived()) > idleTime {
			l.giveUp("")
		}
		l.waiting = append(l.waiting, s)
		l.pendingBytes += len(s.frame)
		l.connect(insist)
		l.pump()
	}
}

func (l *link) hasRoom(s *sending) bool {
	return len(l.waiting)+len(l.inFlight) < maxPending && l.pendingBytes+len(s.frame) <= maxPendingBytes
}

// withdraw removes an envelope from those that wait. It returns whether it was one of them.
func (l *link) withdraw(s *sending) bool {
	if !remove(&l.waiting, s) {
		return false
	}
	l.pendingBytes -= len(s.frame)
	return true
}

// expire ends the wait for the answer to a sending, and returns the failure to report. If the daemon has sent nothing
// since the envelope, the link opens another connection.
func (l *link) expire(s *sending) endReason {
	if l.withdraw(s) {
		return l.silence()
	}
	if l.take(s) && l.state == linkSpeaking && l.lastReceived().Before(s.writtenAt) && !s.batch.mayWait() {
		l.giveUp("silent for too long")
	}
	return endReason{stageTimeout, ""}
}

// take removes an envelope from those in flight. It returns whether it was one of them.
func (l *link) take(s *sending) bool {
	if !remove(&l.inFlight, s) {
		return false
	}
	l.pendingBytes -= len(s.frame)
	return true
}

// receive handles a message of the daemon. It returns why the connection ends, or nil.
func (l *link) receive(message any) *endReason {
	switch message := message.(type) {
	case *hello:
		return l.greeted(message)
	case *result:
		if s := l.find(message.id); s != nil {
			l.fleet.clock.update(l, message.clock, milliseconds(s.writtenAt))
			l.fleet.clock.seen(message.newest)
			s.batch.answered(s, message)
		}
	case *refusal:
		if s := l.find(message.id); s != nil {
			l.fleet.clock.update(l, message.clock, milliseconds(s.writtenAt))
			l.fleet.clock.seen(message.newest)
			s.batch.refused(s, message)
		} else if message.id == "" {
			l.complaint = message.code + ": " + message.sentence
			if !l.hasSpoken {
				return &endReason{stageRefused, l.complaint}
			}
		}
	}
	return nil
}

// find returns the sending in flight with this id, and removes it.
func (l *link) find(id string) *sending {
	for _, s := range l.inFlight {
		if s.envelope.id == id {
			l.take(s)
			return s
		}
	}
	return nil
}

func (l *link) greeted(h *hello) *endReason {
	if end := h.refusesClient(l.fleet.signer != nil); end != nil {
		return end
	}
	if !l.hasSpoken {
		l.connection.SetReadDeadline(time.Time{})
	}
	if l.state == linkConnecting {
		l.state = linkSpeaking
	}
	l.hello, l.hasSpoken, l.failure, l.failures = h, true, nil, 0
	l.isAsking, l.greetedAt = false, time.Now()
	l.fleet.greeted(l, h)
	l.pump()
	return nil
}

// pump writes the envelopes that may be written now.
func (l *link) pump() {
	for len(l.waiting) > 0 && l.state == linkSpeaking {
		s := l.waiting[0]
		if s.envelope.cluster != l.hello.cluster {
			// The daemon may have joined another cluster in the meantime.
			if l.isAsking {
				return
			}
			if time.Since(l.greetedAt) > askAgainTime {
				l.ask()
				return
			}
			l.withdraw(s)
			l.fail(s, endReason{stageWrongCluster, "its cluster is " + hexOf(l.hello.cluster)})
			continue
		}
		l.waiting = l.waiting[1:]
		l.inFlight = append(l.inFlight, s)
		s.writes++
		s.writtenAt = time.Now()
		l.connection.send(s.frame)
	}
	if len(l.inFlight) > 0 && l.watch == nil {
		l.watch = l.fleet.after(overdueTime, l.closeOverdue)
	}
}

// closeOverdue closes a connection whose answers are overdue.
func (l *link) closeOverdue() {
	l.watch = nil
	if l.state != linkSpeaking || len(l.inFlight) == 0 {
		return
	}
	first, mayWait := l.inFlight[0].writtenAt, false
	for _, s := range l.inFlight {
		mayWait = mayWait || s.batch.mayWait()
	}
	if received := l.lastReceived(); received.After(first) {
		first = received
	}
	left := overdueTime - time.Since(first)
	if left <= 0 && !mayWait {
		l.giveUp("silent for too long")
		return
	}
	if left < time.Second {
		left = time.Second
	}
	l.watch = l.fleet.after(left, l.closeOverdue)
}

// lost handles the end of a connection. Envelopes that were written are written again on another connection.
func (l *link) lost(end endReason) {
	l.drop(linkClosed)
	written := l.inFlight
	l.inFlight = nil
	failed := written
	if l.hasSpoken {
		failed = nil
		var again []*sending
		for _, s := range written {
			if end.stage == stageLost && l.complaint == "" && s.writes < maxWrites {
				again = append(again, s)
			} else {
				failed = append(failed, s)
			}
		}
		l.waiting = append(again, l.waiting...)
	} else {
		l.failure = &end
		longest := maxBackoff
		if l.failures < 10 && firstBackoff<<l.failures < maxBackoff {
			longest = firstBackoff << l.failures
		}
		l.failures++
		l.backoffUntil = time.Now().Add(time.Duration(rand.Int63n(int64(longest))))
		failed = append(failed, l.waiting...)
		l.waiting = nil
	}
	for _, s := range failed {
		l.pendingBytes -= len(s.frame)
		l.fail(s, end)
	}
	if len(l.waiting) > 0 {
		l.connect(false)
	}
	l.fleet.changed()
}

// fail reports to a batch that the daemon will not answer.
func (l *link) fail(s *sending, end endReason) {
	s.batch.failed(s, end, s.effect())
}

// giveUp closes the connection. live detects this, and opens another one if envelopes are waiting.
func (l *link) giveUp(reason string) {
	l.state, l.reason = linkEnding, reason
	l.connection.Close()
}

func (l *link) drop(state linkState) {
	l.watch.stop()
	l.watch = nil
	if l.connection != nil {
		l.connection.Close()
		close(l.connection.wake)
		l.connection = nil
	}
	l.isAsking = false
	l.state = state
}

// close closes the link permanently, and fails its envelopes.
func (l *link) close() {
	if l.connection != nil {
		l.state, l.reason = linkEnding, ""
		l.connection.Close()
	}
	pending := append(l.inFlight, l.waiting...)
	l.inFlight, l.waiting, l.pendingBytes = nil, nil, 0
	for _, s := range pending {
		l.fail(s, endReason{stageClosed, ""})
	}
}

// lossReason returns the system's reason for the loss of a connection; "" if the daemon closed it.
func lossReason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ""
	}
	return reasonOf(err)
}

// remove removes a sending from a list. It returns whether the list contained it.
func remove(list *[]*sending, s *sending) bool {
	for index, each := range *list {
		if each == s {
			copy((*list)[1:], (*list)[:index])
			(*list)[0] = nil
			*list = (*list)[1:]
			return true
		}
	}
	return false
}

// milliseconds returns a time as steadyMs does.
func milliseconds(at time.Time) float64 {
	return float64(at.Sub(processStart)) / float64(time.Millisecond)
}

package dbsync

import "time"

// sessionTime is the time for which reads wait for a missed write. If no daemon has the write by then, it is lost, and
// must not block reads permanently.
const sessionTime = 30 * time.Second

// missedWrite is an acknowledged write that a daemon may be missing.
type missedWrite struct {
	date       date
	orderKey   string
	answeredAt time.Time
}

// session implements "read your own writes": it tracks which of a client's acknowledged writes each daemon may be
// missing. Commands reach a daemon in order, so a link needs no proof while its connection lasts and its daemon accepts
// every write. If a link was lost, if its daemon has refused a write that another daemon has answered, or if it has not
// answered one on which the members of a list decide or which they place, the answer to an envelope with after proves
// that the daemon has caught up. Source: client/version-2/consistency-session.ts.
type session struct {
	last *missedWrite
	// missed and undecided contain, for each daemon, the newest write that it may be missing, and the newest one on
	// which members decide and which another daemon has answered but not this one; nil: there is none.
	missed, undecided []*missedWrite
	hasTimeline       []bool
	// turn is the index of the daemon whose missed write was last named in after.
	turn int
}

func newSession(daemons int) session {
	return session{
		missed:      make([]*missedWrite, daemons),
		undecided:   make([]*missedWrite, daemons),
		hasTimeline: make([]bool, daemons),
	}
}

// isOn returns whether there is something to track. A single daemon needs no session.
func (s *session) isOn() bool { return len(s.missed) > 1 }

// after returns the write that the next envelope names in after, or "" if no daemon is missing one.
func (s *session) after(now time.Time) string {
	if s.last == nil || !s.isOn() {
		return ""
	}
	for range s.missed {
		s.turn = (s.turn + 1) % len(s.missed)
		for _, writes := range [][]*missedWrite{s.missed, s.undecided} {
			if write := newestOf(writes, s.turn, now); write != nil {
				return write.orderKey
			}
		}
	}
	return ""
}

// answered records that a daemon has answered a batch with results. isPlaced is whether the members have placed the
// batch, which did not request a decision.
func (s *session) answered(daemon int, b *batch, e *envelope, isPlaced bool, now time.Time) {
	for _, writes := range [][]*missedWrite{s.missed, s.undecided} {
		write := writes[daemon]
		if write != nil && (write.orderKey == e.after || b.kind == kindWrites && write.date == e.date) {
			writes[daemon] = nil
		}
	}
	if b.isRead() {
		return
	}
	if s.last == nil || e.date.isAfter(s.last.date) {
		s.last = &missedWrite{date: e.date, orderKey: e.orderKey(b.units - 1), answeredAt: now}
	}
	if b.kind != kindWrites {
		return
	}
	for index := range b.sendings {
		if b.isMissing(index) {
			s.miss(s.missed, index, b, e, now)
		} else if (b.decides || isPlaced) && index != daemon && !b.isTaken(index) {
			// A daemon that has received a unit on which members decide has it only when it knows the decision.
			s.miss(s.undecided, index, b, e, now)
		}
	}
}

// failed records that a daemon has refused a batch or will not answer it.
func (s *session) failed(daemon int, b *batch, e *envelope, now time.Time) {
	if b.kind != kindWrites {
		return
	}
	for index := range b.sendings {
		if b.isTaken(index) {
			s.miss(s.missed, daemon, b, e, now)
			return
		}
	}
}

// connected records a new connection. The daemon may have restarted or paused since the last one.
func (s *session) connected(daemon int, hasTimeline bool) {
	s.hasTimeline[daemon] = hasTimeline
	if hasTimeline && s.last != nil {
		s.missed[daemon] = s.last
	}
}

// disconnected records that no daemon is connected. Each may restart or pause before the next connection.
func (s *session) disconnected() {
	for daemon, hasTimeline := range s.hasTimeline {
		s.connected(daemon, hasTimeline)
	}
}

// isCatchingUp returns whether a daemon may have answered an envelope without an acknowledged write of this client.
func (s *session) isCatchingUp(daemon int, b *batch, e *envelope, now time.Time) bool {
	if !s.isOn() || b.header.after != "" {
		return false
	}
	missed, undecided := newestOf(s.missed, daemon, now), newestOf(s.undecided, daemon, now)
	return missed != nil && missed.orderKey != e.after ||
		undecided != nil && undecided.orderKey != e.after && undecided.date != e.date
}

func (s *session) miss(writes []*missedWrite, daemon int, b *batch, e *envelope, now time.Time) {
	known := writes[daemon]
	if s.hasTimeline[daemon] && (known == nil || e.date.isAfter(known.date)) {
		writes[daemon] = &missedWrite{date: e.date, orderKey: e.orderKey(b.units - 1), answeredAt: now}
	}
}

// newestOf returns the write that a daemon may be missing, or nil if there is none or it is older than sessionTime.
func newestOf(writes []*missedWrite, daemon int, now time.Time) *missedWrite {
	if write := writes[daemon]; write != nil && now.Sub(write.answeredAt) > sessionTime {
		writes[daemon] = nil
	}
	return writes[daemon]
}

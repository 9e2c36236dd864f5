package dbsync

import (
	"runtime"
	"time"
)

const (
	// maxUnsignedCalls and maxUnsignedBytes limit the calls that may wait to be signed.
	maxUnsignedCalls = 100_000
	maxUnsignedBytes = 64 << 20
	// maxUnanswered: if this number of envelopes has no answer from any daemon yet, the client signs the next one only
	// after an answer or after paceTime. With near daemons, more calls then share each envelope; with distant daemons,
	// the delay stays short.
	maxUnanswered = 2
	paceTime      = 2 * time.Millisecond
	// greetingTime is the time for which the client relies on a report that no members decide.
	greetingTime = 5 * time.Second
)

// outbox contains the batches that wait to be signed, in the order of their calls. Calls that arrive while a signature
// is being made form the next envelope, so the cost of signatures per call falls as the load rises. The lock of the
// fleet guards it.
type outbox struct {
	// waiting contains the unsigned batches. Only the last one may still grow.
	waiting []*batch
	calls   int
	bytes   int
	// batches is the number of batches so far.
	batches uint64
	// unanswered contains the signed batches that no daemon has answered.
	unanswered map[*batch]bool
	// live contains the batches with unsettled calls.
	live     map[*batch]bool
	signedAt time.Time
	pace     *alarm
	// wake has a value if a batch may be signed.
	wake chan struct{}
}

func newOutbox() outbox {
	return outbox{unanswered: map[*batch]bool{}, live: map[*batch]bool{}, wake: make(chan struct{}, 1)}
}

// notify wakes the goroutine that signs.
func (o *outbox) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// add accepts a call. It returns why the call cannot be accepted.
func (f *fleet) add(c *call, kind commandKind, h header, wait string, mayDecide bool) *Error {
	o := &f.outbox
	if f.isClosing {
		return newError(CodeClosed, "", nil, true, nil)
	}
	if o.calls >= maxUnsignedCalls || o.bytes+c.size() > maxUnsignedBytes {
		return newError(CodeBusy, "", nil, true, nil)
	}
	if mayDecide && !f.isDeciding() && !f.greetedAt.IsZero() && time.Since(f.greetedAt) > greetingTime {
		// Members may have founded a list since a daemon reported that they do not decide.
		f.greetedAt = time.Time{}
		f.greet()
	}
	var b *batch
	if last := len(o.waiting) - 1; last >= 0 && o.waiting[last].takes(c, kind, h, wait, mayDecide) {
		b = o.waiting[last]
	} else {
		b = newBatch(f, kind, h, wait, mayDecide)
		o.waiting = append(o.waiting, b)
		o.live[b] = true
	}
	b.add(c)
	o.calls++
	o.bytes += c.size()
	if !f.maySign(b) && !f.isGreeting() {
		f.greet()
	}
	o.notify()
	return nil
}

// isGreeting returns whether a hello is under way.
func (f *fleet) isGreeting() bool {
	for _, l := range f.links {
		if l.state == linkConnecting || l.isAsking {
			return true
		}
	}
	return false
}

// maySign returns whether a batch may be signed: the cluster is known and, if members may have to decide on it, a
// daemon has reported whether they do.
func (f *fleet) maySign(b *batch) bool {
	return f.cluster != "" && (!b.mayDecide || !f.greetedAt.IsZero())
}

// again puts a batch that must be signed again into its original position.
func (o *outbox) again(b *batch) {
	at := len(o.waiting)
	for index, other := range o.waiting {
		if other.number > b.number {
			at = index
			break
		}
	}
	o.waiting = append(o.waiting, nil)
	copy(o.waiting[at+1:], o.waiting[at:])
	o.waiting[at] = b
	o.calls += len(b.calls)
	o.bytes += b.bytes
	delete(o.unanswered, b)
	b.isWaiting = true
	o.notify()
}

// take removes a batch from those that wait.
func (o *outbox) take(b *batch) {
	for index, other := range o.waiting {
		if other == b {
			o.waiting = append(o.waiting[:index], o.waiting[index+1:]...)
			o.calls -= len(b.calls)
			o.bytes -= b.bytes
			b.isWaiting = false
			return
		}
	}
}

// seal signs the waiting batches, in the order of their calls, until the fleet is closed.
func (f *fleet) seal() {
	defer f.running.Done()
	for range f.outbox.wake {
		// Let goroutines that are about to make a call make it: their calls share the envelope.
		runtime.Gosched()
		f.mu.Lock()
		for b := f.nextBatch(); b != nil; b = f.nextBatch() {
			draft := b.draft()
			f.mu.Unlock()
			sealed, err := seal(f.signer, draft.cluster, draft.date, draft.header, draft.commands)
			f.mu.Lock()
			if err != nil {
				b.abort(CodeBadKey, err.Error(), err)
			}
			b.signed(sealed)
		}
		isClosed := f.isClosed
		f.mu.Unlock()
		if isClosed {
			return
		}
	}
}

// nextBatch returns the batch to sign now, or nil.
func (f *fleet) nextBatch() *batch {
	o := &f.outbox
	for len(o.waiting) > 0 && !f.isClosed {
		b := o.waiting[0]
		if b.unsettled == 0 {
			o.take(b)
			b.discard()
			continue
		}
		if !f.maySign(b) {
			return nil
		}
		if left := paceTime - time.Since(o.signedAt); len(o.unanswered) >= maxUnanswered && left > 0 {
			if o.pace == nil {
				o.pace = f.after(left, func() {
					o.pace = nil
					o.notify()
				})
			}
			return nil
		}
		o.take(b)
		return b
	}
	return nil
}

// answered records that a daemon has answered a batch, or that all of its calls have settled.
func (o *outbox) answered(b *batch) {
	if o.unanswered[b] {
		delete(o.unanswered, b)
		if len(o.waiting) > 0 {
			o.notify()
		}
	}
}

// abandon fails the batches that cannot be signed, because no daemon can be reached.
func (o *outbox) abandon(f *fleet) {
	for _, b := range append([]*batch(nil), o.waiting...) {
		if !f.maySign(b) {
			o.take(b)
			b.abandon()
		}
	}
}

// abort rejects the calls of all batches: with clusters-differ those that are not signed, otherwise all.
func (o *outbox) abort(f *fleet, code Code, detail string) {
	batches := append([]*batch(nil), o.waiting...)
	if code != CodeClustersDiffer {
		batches = batches[:0]
		for b := range o.live {
			batches = append(batches, b)
		}
	}
	for _, b := range batches {
		o.take(b)
		b.abort(code, detail, nil)
		b.discard()
	}
}

package dbsync

import (
	"math"
	"sort"
	"time"
)

const (
	// maxAheadMs is the time by which the date of an envelope may be ahead of the daemons' clocks. They accept up to 5 s.
	maxAheadMs = 4000
	maxSeq     = 65535
)

var processStart = time.Now()

// steadyMs returns milliseconds of a monotonic clock.
func steadyMs() float64 { return float64(time.Since(processStart)) / float64(time.Millisecond) }

// clock provides the dates of envelopes: the clock of this process, corrected by the clocks of the daemons. Setting the
// time of this machine has no effect. Source: docs/protocol-v2.md "Clocks".
type clock struct {
	now          func() float64
	newest, used date
	offsets      map[*link]float64
	offset       float64
}

func newClock() clock {
	offset := float64(time.Now().UnixMilli()) - steadyMs()
	return clock{now: steadyMs, offset: offset, offsets: map[*link]float64{}}
}

// update records the clock of a daemon, read between sentAt and now. It changes the known offset only as far as
// necessary.
func (c *clock) update(daemon *link, clock int64, sentAt float64) {
	// Daemons report whole milliseconds.
	least, most := float64(clock)-c.now(), float64(clock)+1-sentAt
	offset := (least + most) / 2
	known, isKnown := c.offsets[daemon]
	if isKnown {
		offset = math.Min(math.Max(known, least), most)
		if offset == known {
			return
		}
	}
	c.offsets[daemon] = offset
	c.offset = c.median(nil)
}

// seen records the newest write that a daemon has applied. The next date is later.
func (c *clock) seen(newest date) {
	if newest.isAfter(c.newest) {
		c.newest = newest
	}
}

// time returns milliseconds since 1970 according to the daemons.
func (c *clock) time() int64 { return int64(math.Max(0, c.now()+c.offset)) }

// timeBy returns the time of the median clock of some daemons. It is only for reads, because earlier dates of this
// client may be later.
func (c *clock) timeBy(daemons []*link) int64 { return int64(math.Max(0, c.now()+c.median(daemons))) }

// median returns the lower median of the offsets of some daemons, or of all that are known.
func (c *clock) median(daemons []*link) float64 {
	var offsets []float64
	for _, daemon := range daemons {
		offset, isKnown := c.offsets[daemon]
		if !isKnown {
			offset = c.offset
		}
		offsets = append(offsets, offset)
	}
	if daemons == nil {
		for _, offset := range c.offsets {
			offsets = append(offsets, offset)
		}
	}
	sort.Float64s(offsets)
	return offsets[(len(offsets)-1)/2]
}

// date returns a new date. It is later than the previous one, unless that one was too far ahead because a clock was
// wrong.
func (c *clock) date() date {
	present := c.time()
	latest := present + maxAheadMs
	used, newest := c.used, c.newest
	if used.at > latest {
		used = date{}
	}
	if newest.at > latest {
		newest = date{latest, -1}
	}
	last := used
	if newest.isAfter(used) {
		last = newest
	}
	switch {
	case present > last.at:
		c.used = date{present, 0}
	case last.seq < maxSeq:
		c.used = date{last.at, last.seq + 1}
	default:
		c.used = date{last.at + 1, 0}
	}
	return c.used
}

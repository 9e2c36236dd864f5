package dbsync

import "testing"

func TestDatesNeverGoBack(t *testing.T) {
	now := 1000.0
	c := clock{now: func() float64 { return now }, offsets: map[*link]float64{}}
	c.update(&link{}, 500_000, 1000)
	last := date{}
	for range [20]int{} {
		last = c.date()
		c.seen(date{last.at + 1000, 7})
		if next := c.date(); !next.isAfter(last) {
			t.Fatal(next, last)
		} else {
			last = next
		}
	}
	if last.at > c.time()+maxAheadMs {
		t.Error(last, c.time())
	}
	// A clock that has proved wrong is discarded.
	c.used = date{1e9, 0}
	if c.date().at >= 1e7 {
		t.Error("the date of the wrong clock was kept")
	}
}

func TestTheNumberWithinAMillisecondIsBounded(t *testing.T) {
	c := clock{now: func() float64 { return 5 }, offsets: map[*link]float64{}}
	c.used = date{5, maxSeq}
	if next := c.date(); next != (date{6, 0}) {
		t.Error(next)
	}
}

func TestTheMedianOfTheClocksCounts(t *testing.T) {
	c := clock{now: func() float64 { return 0 }, offsets: map[*link]float64{}}
	liar := &link{}
	for _, each := range []struct {
		daemon *link
		clock  int64
	}{{&link{}, 1000}, {&link{}, 1002}, {liar, 9_000_000}} {
		c.update(each.daemon, each.clock, 0)
	}
	if found := c.time(); found != 1002 {
		t.Error(found)
	}
	if found := c.timeBy([]*link{liar}); found != 9_000_000 {
		t.Error(found)
	}
}

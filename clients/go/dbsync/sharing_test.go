package dbsync

import (
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// seedOf returns the seed of a randomised test, and prints it if the test fails.
func seedOf(t *testing.T) int64 {
	seed, err := strconv.ParseInt(os.Getenv("DBSYNC_SEED"), 10, 64)
	if err != nil {
		seed = time.Now().UnixNano()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat it: DBSYNC_SEED=%d", seed)
		}
	})
	return seed
}

func TestManyGoroutinesShareEnvelopesAndLoseNothing(t *testing.T) {
	random := rand.New(rand.NewSource(seedOf(t)))
	var mu sync.Mutex
	counter := 0
	answers := map[string][]byte{}
	counting := func(e received) []byte {
		mu.Lock()
		defer mu.Unlock()
		// A daemon repeats its first answer, and applies each envelope once.
		if answers[e.id] == nil {
			payload := appendLength(nil, '*', 5+2*len(e.commands))
			for _, element := range []string{"result", e.id, "", nowText(), nowText() + " 0"} {
				payload = appendBulk(payload, element)
			}
			for range e.commands {
				counter++
				payload = append(payload, ":"+strconv.Itoa(counter)+"\r\n$0\r\n\r\n"...)
			}
			answers[e.id] = framed(payload)
		}
		if random.Intn(20) == 0 && e.number%3 != 0 {
			e.conn.Close()
			return nil
		}
		return answers[e.id]
	}
	daemon := startFake(t, counting)
	client := open(t, Options{}, daemon)
	const goroutines, each = 64, 50
	var found [goroutines][]int
	var running sync.WaitGroup
	for index := range found {
		running.Add(1)
		go func(own *[]int) {
			defer running.Done()
			for len(*own) < each {
				number, err := Int(client.Call(background, "INCR", "k"))
				if err != nil {
					// A connection may be lost three times in a row.
					if failed, _ := err.(*Error); failed == nil || failed.Effect != Unknown || failed.Outcomes[0].Stage != stageLost {
						t.Error(err)
					}
					return
				}
				*own = append(*own, int(number))
			}
		}(&found[index])
	}
	running.Wait()
	var all []int
	for _, own := range found {
		if !sort.IntsAreSorted(own) {
			t.Error("the calls of one goroutine were applied in another order")
		}
		all = append(all, own...)
	}
	sort.Ints(all)
	for index := 1; index < len(all); index++ {
		if all[index] == all[index-1] {
			t.Fatal("two calls have the same answer: ", all[index])
		}
	}
	if envelopes := len(answers); envelopes > counter/2 || counter < len(all) {
		t.Errorf("%d envelopes for %d commands, %d answers", envelopes, counter, len(all))
	}
}

func TestOnlyCallsOfOneKindAndDatabaseShareAnEnvelope(t *testing.T) {
	daemon := startFake(t, replying(":1\r\n"))
	release := daemon.holdsHello()
	client := open(t, Options{}, daemon)
	var running sync.WaitGroup
	start := func(client *Client, words ...any) {
		running.Add(1)
		go func() {
			defer running.Done()
			if _, err := client.Call(background, words...); err != nil {
				t.Error(err)
			}
		}()
		// The next call follows this one.
		until(t, "the call waits", func() bool {
			client.fleet.mu.Lock()
			defer client.fleet.mu.Unlock()
			waiting := client.fleet.outbox.waiting
			if len(waiting) == 0 {
				return false
			}
			last := waiting[len(waiting)-1].calls
			return strings.Contains(string(last[len(last)-1].commands[0]), words[len(words)-1].(string))
		})
	}
	other := client.Using(CallOptions{DB: 1})
	for index, each := range []struct {
		client *Client
		name   string
	}{
		{client, "INCR"}, {client, "DECR"}, {client, "GET"}, {client, "TTL"}, {client, "PUBLISH"}, {client, "KEY"},
		{other, "INCR"}, {other, "DECR"}, {client.Using(CallOptions{Replicated: 1}), "INCR"}, {client, "SETNX"}, {client, "INCR"},
	} {
		start(each.client, each.name, "argument-"+strconv.Itoa(index)+".")
	}
	close(release)
	running.Wait()
	var shapes []string
	for _, e := range daemon.received() {
		var names []string
		for _, command := range e.commands {
			names = append(names, command[0])
		}
		shapes = append(shapes, strings.Join(names, "+"))
	}
	if found := strings.Join(shapes, " "); found != "INCR+DECR GET+TTL PUBLISH KEY INCR+DECR INCR SETNX INCR" {
		t.Error(found)
	}
}

func TestABatchKeepsItsOrder(t *testing.T) {
	daemon := startFake(t, func(e received) []byte {
		return resultOf(e, "$"+strconv.Itoa(len(e.commands[0][1]))+"\r\n"+e.commands[0][1]+"\r\n", "")
	})
	client := open(t, Options{}, daemon)
	replies, err := client.Batch(background, Command{"INCR", "a"}, Command{"SETNX", "b", 1}, Command{"GET", "c"})
	if err != nil || len(replies) != 3 || replies[0] != "a" || replies[1] != "a" && replies[1] != "b" {
		t.Error(replies, err)
	}
}

func TestReadsWaitForTheClientsOwnWrites(t *testing.T) {
	var mu sync.Mutex
	newest := ""
	write := func(e received) bool { return e.commands[0][0] == "SET" }
	complete := startFake(t, func(e received) []byte {
		mu.Lock()
		defer mu.Unlock()
		if write(e) {
			newest = e.id
			return resultOf(e, "+OK\r\n", "")
		}
		return nil
	})
	behind := startFake(t, func(e received) []byte {
		if write(e) {
			return refusedOf(e, "catching-up")
		}
		if after, _ := e.header["after"].(string); after != "" {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(after, newest) {
				return refusedOf(e, "not-yet")
			}
			return resultOf(e, "$3\r\nnew\r\n", "")
		}
		return resultOf(e, "$3\r\nold\r\n", "")
	})
	for _, daemon := range []*fakeDaemon{complete, behind} {
		daemon.greets(func() []byte { return fakeHello(fakeCluster, "signed", "1") })
	}
	client := open(t, Options{}, complete, behind)
	for range [10]int{} {
		if _, err := client.Call(background, "SET", "k", "new"); err != nil {
			t.Fatal(err)
		}
		if found, err := Text(client.Call(background, "GET", "k")); found != "new" || err != nil {
			t.Error(found, err)
		}
	}
	// Another client has written nothing, and may read the earlier value.
	if found, err := Text(open(t, Options{}, complete, behind).Call(background, "GET", "k")); found != "old" || err != nil {
		t.Error(found, err)
	}
}

func TestReadsWaitForPlacedWrites(t *testing.T) {
	isWrite := func(e received) bool { return e.commands[0][0] == "SET" }
	complete := startFake(t, func(e received) []byte {
		if isWrite(e) {
			return resultOf(e, "+OK\r\n", "placed")
		}
		return nil
	})
	// The daemon has received the write, and waits for the decision.
	waiting := startFake(t, func(e received) []byte {
		if isWrite(e) {
			return nil
		}
		if after, _ := e.header["after"].(string); after != "" {
			return resultOf(e, "$3\r\nnew\r\n", "")
		}
		return resultOf(e, "$3\r\nold\r\n", "")
	})
	for _, daemon := range []*fakeDaemon{complete, waiting} {
		daemon.greets(func() []byte { return fakeHello(fakeCluster, "signed", "1") })
	}
	client := open(t, Options{}, complete, waiting)
	if _, err := client.Call(background, "SET", "k", "new"); err != nil {
		t.Fatal(err)
	}
	if found, err := Text(client.Call(background, "GET", "k")); found != "new" || err != nil {
		t.Error(found, err)
	}
}

func TestMembersDecideOnConditionsOnly(t *testing.T) {
	answers := func(e received) []byte {
		flags := ""
		if e.header["decide"] != nil {
			flags = "decided"
		}
		return resultOf(e, "+OK\r\n", flags)
	}
	one, two, three := startFake(t, answers), startFake(t, answers), startFake(t, answers)
	for _, daemon := range []*fakeDaemon{one, two, three} {
		daemon.greets(func() []byte { return fakeHello(fakeCluster, "signed decisions", "2") })
	}
	client := open(t, Options{}, one, two, three)
	for _, each := range []struct {
		options  CallOptions
		words    Command
		isDecide bool
	}{
		{CallOptions{}, Command{"SET", "k", "v"}, false},
		{CallOptions{}, Command{"set", "k", "v", "nx"}, true},
		{CallOptions{}, Command{"SET", "k", "v", "XX", "GET"}, false},
		{CallOptions{Policy: Majority}, Command{"HSETNX", "k", "f", "v"}, true},
		{CallOptions{Policy: First}, Command{"SETNX", "k", "v"}, false},
		{CallOptions{Conditions: []Condition{{Key: "k"}}}, Command{"SET", "k", "v"}, true},
	} {
		before := len(one.received())
		if _, err := client.Using(each.options).Call(background, each.words...); err != nil {
			t.Fatal(err)
		}
		until(t, "the command arrives", func() bool { return len(one.received()) > before })
		sent := one.received()[before]
		if (sent.header["decide"] != nil) != each.isDecide || (sent.header["if"] != nil) != (each.options.Conditions != nil) {
			t.Error(each.words, sent.header)
		}
	}
}

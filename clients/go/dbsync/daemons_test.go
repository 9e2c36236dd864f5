package dbsync

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a daemon that a test may kill or suspend.
type process struct {
	Address string
	PID     int
}

// given is what test/go/daemons.test.ts passes: addresses, key files and processes of real daemons.
type given struct {
	Key, Stranger, Dead string
	// Alone has no timeline. Apart are three of those, which are no peers. Members are three peers with data folders,
	// on whose keys d:* the members decide.
	Alone, Keyless string
	Apart, Members []process
	Victim, Hung   process
	TLS            struct{ Place, Pin, Certificate string }
	Calls          int
}

func readGiven(t *testing.T) (read given) {
	t.Helper()
	text := os.Getenv("DBSYNC_GIVEN")
	if text == "" {
		t.Skip("test/go/daemons.test.ts starts the daemons")
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func addresses(daemons []process) string {
	list := make([]string, len(daemons))
	for index, each := range daemons {
		list[index] = each.Address
	}
	return strings.Join(list, ",")
}

// client returns a client of real daemons.
func (g given) client(t *testing.T, servers string, options CallOptions) *Client {
	t.Helper()
	return open(t, Options{Servers: servers, Key: g.Key, CallOptions: options})
}

func (p process) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.PID, signal); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T) func(reply any, err error) any {
	return func(reply any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
}

func equal(t *testing.T, found, expected any) {
	t.Helper()
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("%#v instead of %#v", found, expected)
	}
}

func TestDaemonsAnswer(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, g.Alone, CallOptions{})
	do := must(t)
	equal(t, do(client.Call(background, "SET", "go", "a\x00\xffb")), Status("OK"))
	equal(t, do(client.Call(background, "GET", "go")), "a\x00\xffb")
	equal(t, do(client.Call(background, "GET", "go:absent")), nil)
	equal(t, do(client.Call(background, "HSET", "go:h", "age", 36, "name", []byte("Ada"))), int64(2))
	equal(t, do(client.Call(background, "HMGET", "go:h", "age", "none")), []any{"36", nil})
	long := strings.Repeat("x", 3<<20)
	equal(t, do(client.Call(background, "SET", "go:long", long)), Status("OK"))
	equal(t, do(client.Call(background, "GET", "go:long")), long)
	equal(t, do(client.Using(CallOptions{DB: 1}).Call(background, "GET", "go")), nil)
	replies, err := client.Multi(background, Command{"SET", "go:n", 1}, Command{"INCR", "go:n"}, Command{"LPUSH", "go:n", 1})
	if err != nil || len(replies) != 3 {
		t.Fatal(replies, err)
	}
	equal(t, replies[:2], []any{Status("OK"), int64(2)})
	if failed, _ := replies[2].(*Error); failed == nil || failed.Code != CodeReply || !strings.HasPrefix(failed.Error(), "WRONGTYPE") {
		t.Error(replies[2])
	}
	replies, err = client.Batch(background, Command{"INCR", "go:n"}, Command{"GETT"}, Command{"GET", "go:n"})
	if err != nil || replies[0] != int64(3) || replies[2] != "3" || !strings.HasPrefix(replies[1].(*Error).Error(), "ERR unknown command") {
		t.Error(replies, err)
	}
	_, err = client.Call(background, "LPUSH", "go:n", 1)
	expect(t, "WRONGTYPE", err, "reply not-applied, reply not-applied")
	_, err = open(t, Options{Servers: g.Alone, Key: g.Stranger}).Call(background, "SET", "k", 1)
	expect(t, "stranger", err, "refused not-applied, refused not-applied")
	if !strings.Contains(err.Error(), "unknown-key: ") {
		t.Error(err)
	}
}

func TestDaemonsWithoutKeysAnswerClientsWithoutKeys(t *testing.T) {
	g := readGiven(t)
	client, err := Open(Options{Servers: g.Keyless + "," + g.Alone})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client = client.Using(CallOptions{Timeout: maxTimeout})
	equal(t, must(t)(client.Call(background, "INCR", "go:unsigned")), int64(1))
	_, err = client.Using(CallOptions{Policy: All}).Call(background, "GET", "go:unsigned")
	expect(t, "all", err, "not-all-answered not-applied, ok, refused not-applied")
}

func TestPoliciesOfRealDaemons(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Apart), CallOptions{})
	do := must(t)
	for index, each := range g.Apart {
		do(g.client(t, each.Address, CallOptions{}).Call(background, "SET", "go:apart", index/2))
		do(g.client(t, each.Address, CallOptions{}).Call(background, "SET", "go:same", "v"))
	}
	do(g.client(t, g.Apart[2].Address, CallOptions{}).Call(background, "SET", "go:one", "v"))
	for _, each := range []struct {
		policy Policy
		key    string
		reply  any
		code   Code
	}{
		{"", "go:one", "v", ""}, {First, "go:one", "v", ""}, {All, "go:one", "v", ""}, {AtLeast(3), "go:one", "v", ""},
		{Majority, "go:apart", "0", ""}, {Majority, "go:one", nil, ""}, {AllEqual, "go:same", "v", ""},
		{AllEqual, "go:apart", nil, CodeAnswersDiffer}, {First, "go:absent", nil, ""},
	} {
		reply, err := client.Using(CallOptions{Policy: each.policy}).Call(background, "GET", each.key)
		equal(t, reply, each.reply)
		if failed, _ := err.(*Error); failed != nil && failed.Code != each.code || failed == nil && each.code != "" {
			t.Error(each, err)
		}
	}
}

func TestADaemonIsKilled(t *testing.T) {
	g := readGiven(t)
	servers := g.Victim.Address + "," + g.Alone
	client := g.client(t, servers, CallOptions{})
	alone := g.client(t, g.Victim.Address, CallOptions{})
	do := must(t)
	do(client.Using(CallOptions{Policy: All}).Call(background, "SET", "go:killed", 0))
	do(alone.Call(background, "PING"))
	g.Victim.signal(t, syscall.SIGKILL)
	for number := int64(1); number <= 20; number++ {
		equal(t, do(client.Call(background, "INCR", "go:killed")), number)
	}
	until(t, "the daemon refuses connections", func() bool {
		_, err := alone.Call(background, "SET", "k", 1)
		return failureText(err) == "all-failed not-applied, connect not-applied"
	})
	_, err := client.Using(CallOptions{Policy: All}).Call(background, "GET", "go:killed")
	if failed, _ := err.(*Error); failed == nil || failed.Code != CodeNotAllAnswered || !strings.Contains(err.Error(), g.Victim.Address) {
		t.Error(err)
	}
	_, err = g.client(t, g.Dead, CallOptions{}).Call(background, "SET", "k", 1)
	expect(t, "none", err, "all-failed not-applied, connect not-applied")
}

func TestADaemonHangs(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, g.Hung.Address+","+g.Alone, CallOptions{})
	alone := g.client(t, g.Hung.Address, CallOptions{})
	do := must(t)
	do(client.Using(CallOptions{Policy: All}).Call(background, "SET", "go:hung", 0))
	do(alone.Call(background, "PING"))
	g.Hung.signal(t, syscall.SIGSTOP)
	defer g.Hung.signal(t, syscall.SIGCONT)
	for number := int64(1); number <= 20; number++ {
		equal(t, do(client.Call(background, "INCR", "go:hung")), number)
	}
	_, err := alone.Using(CallOptions{Timeout: 300 * time.Millisecond}).Call(background, "SET", "k", 1)
	expect(t, "a write", err, "all-failed unknown, timeout unknown")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
	defer cancel()
	_, err = alone.Call(ctx, "GET", "k")
	expect(t, "a read", err, "all-failed not-applied, timeout not-applied")

	// Close does not wait for it: the call has no result by then.
	closing := g.client(t, g.Hung.Address+","+g.Alone, CallOptions{Policy: All})
	ended := make(chan error)
	go func() {
		_, err := closing.Call(background, "INCR", "go:closing")
		ended <- err
	}()
	until(t, "the other daemon has answered", func() bool {
		reply, err := closing.Using(CallOptions{Policy: First}).Call(background, "GET", "go:closing")
		return reply != nil && err == nil
	})
	closing.Close()
	expect(t, "closed", <-ended, "closed unknown, closed not-applied, ok")

	g.Hung.signal(t, syscall.SIGCONT)
	until(t, "the daemon answers again", func() bool {
		_, err := alone.Call(background, "PING")
		return err == nil
	})
}

func TestEncryptedConnections(t *testing.T) {
	g := readGiven(t)
	server := "dbsyncs://" + g.TLS.Place
	other := strings.Repeat("00", 32)
	for _, each := range []struct{ servers, ca, problem string }{
		{server + "#sha256:" + g.TLS.Pin, "", ""},
		{server + "#sha256:" + other + "#sha256:" + g.TLS.Pin, "", ""},
		{server, g.TLS.Certificate, ""},
		{server + "#sha256:" + other, "", "its key is sha256:" + g.TLS.Pin + ", which is not the one in the list"},
		{server, "", "if you know its key, pin it"},
		{g.TLS.Place, "", "write dbsyncs:// before its address"},
		{"dbsyncs://" + g.Alone + "#sha256:" + g.TLS.Pin, "", "connect to it with dbsync://"},
	} {
		client := open(t, Options{Servers: each.servers, Key: g.Key, CA: each.ca})
		_, err := client.Call(background, "SET", "go:tls", "v")
		if each.problem == "" && err == nil {
			continue
		}
		expect(t, each.servers, err, "all-failed not-applied, tls not-applied")
		if !strings.Contains(fmt.Sprint(err), each.problem) {
			t.Error(err)
		}
	}
}

func TestARepeatedEnvelopeIsAppliedOnce(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{})
	must(t)(client.Call(background, "DEL", "go:replayed"))
	key, _, err := loadSigner(g.Key)
	if err != nil {
		t.Fatal(err)
	}
	client.fleet.mu.Lock()
	cluster, at := client.fleet.cluster, client.fleet.clock.date()
	client.fleet.mu.Unlock()
	command, _ := Command{"INCR", "go:replayed"}.encode()
	e, err := seal(key, cluster, at, header{}, [][]byte{command})
	if err != nil {
		t.Fatal(err)
	}
	var answers []any
	for range [3]int{} {
		conn, err := net.Dial("tcp", g.Members[0].Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write(commandFrame(e, ""))
		payload, err := frameReader{bufio.NewReader(conn)}.next()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := readMessage(payload)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer.(*result).replies[0])
	}
	equal(t, answers, []any{int64(1), int64(1), int64(1)})
	// The client has not sent the envelope itself, so it reads from a daemon that may not have it yet.
	equal(t, must(t)(g.client(t, g.Members[0].Address, CallOptions{}).Call(background, "GET", "go:replayed")), "1")
}

func TestOneClientGetsALock(t *testing.T) {
	g := readGiven(t)
	var clients []*Client
	for range [8]int{} {
		clients = append(clients, g.client(t, addresses(g.Members), CallOptions{}))
	}
	for round := 0; round < g.Calls/50; round++ {
		owners := make(chan string, len(clients))
		unknown := make(chan error, len(clients))
		var running sync.WaitGroup
		key := fmt.Sprintf("go:lock:%d", round)
		for index, client := range clients {
			running.Add(1)
			go func(client *Client, name string) {
				defer running.Done()
				switch reply, err := client.Call(background, "SET", key, name, "NX"); {
				case err != nil:
					unknown <- err
				case reply != nil:
					owners <- name
				}
			}(client, fmt.Sprint("client", index))
		}
		running.Wait()
		if len(owners) > 1 || len(owners)+len(unknown) == 0 {
			t.Fatal("owners: ", len(owners))
		}
		if len(owners) == 1 {
			equal(t, must(t)(clients[0].Using(CallOptions{Policy: Majority}).Call(background, "GET", key)), <-owners)
		}
		for len(unknown) > 0 {
			if err := <-unknown; err.(*Error).Effect == "" {
				t.Error(err)
			}
		}
	}
}

func TestConditionsOnTheLastWriter(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{})
	do := must(t)
	do(client.Call(background, "SET", "go:balance", 0))
	var running sync.WaitGroup
	var mu sync.Mutex
	applied, unknown := 0, 0
	for range [8]int{} {
		running.Add(1)
		go func() {
			defer running.Done()
			for range [5]int{} {
				writers, err := client.Writers(background, "go:balance")
				if err != nil {
					t.Error(err)
					return
				}
				conditional := client.Using(CallOptions{Conditions: []Condition{{Key: "go:balance", Writer: writers[0]}}})
				reply, err := conditional.Call(background, "INCR", "go:balance")
				mu.Lock()
				if err != nil && err.(*Error).Effect == Unknown {
					unknown++
				} else if err == nil && reply != nil {
					applied++
				}
				mu.Unlock()
			}
		}()
	}
	running.Wait()
	total, err := Int(client.Using(CallOptions{Policy: Majority}).Call(background, "GET", "go:balance"))
	if err != nil || int(total) < applied || int(total) > applied+unknown || applied == 0 {
		t.Error(total, applied, unknown, err)
	}
	absent := client.Using(CallOptions{Conditions: []Condition{{Key: "go:balance"}}})
	equal(t, do(absent.Call(background, "SET", "go:balance", 7)), nil)
	replies, err := absent.Multi(background, Command{"INCR", "go:balance"})
	if replies != nil || err != nil {
		t.Error(replies, err)
	}
}

func TestDecidedKeys(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{})
	do := must(t)
	equal(t, do(client.Call(background, "DECIDED", "d:counter", "other")), []any{int64(1), int64(0)})
	seen := map[int64]bool{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for range [8]int{} {
		running.Add(1)
		go func() {
			defer running.Done()
			for count := 0; count < g.Calls/20; count++ {
				number, err := Int(client.Call(background, "INCR", "d:counter"))
				if err != nil {
					if failed, _ := err.(*Error); failed == nil {
						t.Error(err)
					}
					continue
				}
				mu.Lock()
				if seen[number] {
					t.Error("two calls have the same answer: ", number)
				}
				seen[number] = true
				mu.Unlock()
			}
		}()
	}
	running.Wait()
	if len(seen) == 0 {
		t.Error("no call was decided")
	}
}

func TestAClientReadsItsOwnWritesWhileADaemonPauses(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{})
	paused := g.Members[1]
	for number := 0; number < 40; number++ {
		switch number % 10 {
		case 3:
			paused.signal(t, syscall.SIGSTOP)
		case 7:
			paused.signal(t, syscall.SIGCONT)
		}
		key := fmt.Sprintf("go:own:%d", number%3)
		must(t)(client.Call(background, "SET", key, number))
		if found := must(t)(client.Call(background, "GET", key)); found != fmt.Sprint(number) {
			t.Errorf("%v instead of %d", found, number)
		}
	}
	// Another client waits for the same writes.
	other := g.client(t, paused.Address, CallOptions{After: client.LastWrite()})
	equal(t, must(t)(other.Call(background, "GET", "go:own:0")), "39")
}

func TestAWriteIsOnSeveralDisks(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{Replicated: 2})
	equal(t, must(t)(client.Call(background, "SET", "go:disks", "v")), Status("OK"))
	_, err := client.Using(CallOptions{Replicated: 50}).Call(background, "SET", "go:disks", "v")
	expect(t, "too many", err, "refused not-applied, refused not-applied, refused not-applied, refused not-applied")
}

func TestManyGoroutinesCountAtRealDaemons(t *testing.T) {
	g := readGiven(t)
	client := g.client(t, addresses(g.Members), CallOptions{})
	must(t)(client.Call(background, "DEL", "go:many"))
	var running sync.WaitGroup
	for range [64]int{} {
		running.Add(1)
		go func() {
			defer running.Done()
			for count := 0; count < g.Calls; count++ {
				if _, err := client.Call(background, "INCR", "go:many"); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	running.Wait()
	until(t, "all daemons have all calls", func() bool {
		total, err := Int(client.Using(CallOptions{Policy: AllEqual}).Call(background, "GET", "go:many"))
		return err == nil && total == int64(64*g.Calls)
	})
}

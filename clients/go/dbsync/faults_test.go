package dbsync

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var background = context.Background()

func TestAHelloOfAnotherLengthOrProtocolIsRefused(t *testing.T) {
	for found, other := range map[string][]byte{
		"with 10 elements instead of 9": frame("hello", "2", "", fakeCluster, nowText(), "live", "daemon", "", "signed", "more"),
		"of protocol 3 instead of 2":    frame("hello", "3", "", fakeCluster, nowText(), "live", "daemon", "", "signed"),
	} {
		other := other
		daemon := startFake(t, silent)
		daemon.greets(func() []byte { return other })
		_, err := open(t, Options{}, daemon).Call(background, "PING")
		expect(t, found, err, "refused not-applied, refused not-applied")
		if !strings.Contains(err.Error(), "other-protocol: The daemon sent a hello "+found+": install the same version") {
			t.Error(err)
		}
		if len(daemon.received()) > 0 {
			t.Error("a command was sent")
		}
	}
}

func TestARefusalOfTheHelloIsReported(t *testing.T) {
	daemon := startFake(t, silent)
	daemon.greets(func() []byte {
		return frame("refused", "", "other-protocol", "The hello is not one that this release reads.", nowText(), "not-applied")
	})
	_, err := open(t, Options{}, daemon).Call(background, "PING")
	if err == nil || !strings.Contains(err.Error(), "other-protocol: The hello is not one that") {
		t.Error(err)
	}
}

func TestAConnectionThatClosesDuringTheHelloIsOpenedOnceMore(t *testing.T) {
	for _, closings := range []int{1, 2} {
		closings := closings
		var greetings atomic.Int32
		daemon := startFake(t, replying("+OK\r\n"))
		daemon.greets(func() []byte {
			if int(greetings.Add(1)) <= closings {
				return nil
			}
			return fakeHello(fakeCluster, "signed", "")
		})
		reply, err := Text(open(t, Options{}, daemon).Call(background, "SET", "k", "v"))
		if closings == 1 && (reply != "OK" || err != nil) {
			t.Error(reply, err)
		}
		if closings == 2 {
			expect(t, "twice", err, "all-failed not-applied, version not-applied")
		}
	}
}

func TestADaemonWithoutKeysReceivesNoSignedCommand(t *testing.T) {
	daemon := startFake(t, silent)
	daemon.greets(func() []byte { return fakeHello("", "unsigned", "") })
	_, err := open(t, Options{}, daemon).Call(background, "SET", "k", "v")
	expect(t, "not-due", err, "refused not-applied, refused not-applied")
	if !strings.Contains(err.Error(), "not-due: It has no keys") {
		t.Error(err)
	}
}

func TestCommandsOnALostConnectionAreSentAgainWithTheSameBytes(t *testing.T) {
	daemon := startFake(t, func(e received) []byte {
		if e.number == 1 {
			e.conn.Close()
			return nil
		}
		return resultOf(e, ":1\r\n", "")
	})
	reply, err := open(t, Options{}, daemon).Call(background, "INCR", "k")
	if reply != int64(1) || err != nil {
		t.Fatal(reply, err)
	}
	sent := daemon.received()
	if len(sent) != 2 || sent[0].frame != sent[1].frame {
		t.Error(len(sent))
	}
}

func TestACommandIsWrittenAtMostThreeTimes(t *testing.T) {
	daemon := startFake(t, func(e received) []byte {
		e.conn.Close()
		return nil
	})
	_, err := open(t, Options{}, daemon).Call(background, "INCR", "k")
	expect(t, "lost", err, "all-failed unknown, lost unknown")
	if sent := len(daemon.received()); sent != maxWrites {
		t.Error(sent)
	}
}

func TestARefusedDateIsSignedAgainAtMostFourTimes(t *testing.T) {
	daemon := startFake(t, func(e received) []byte { return refusedOf(e, "skew") })
	_, err := open(t, Options{}, daemon).Call(background, "INCR", "k")
	expect(t, "skew", err, "refused not-applied, refused not-applied")
	ids := map[string]bool{}
	for _, e := range daemon.received() {
		ids[e.id] = true
	}
	if len(ids) != maxSignatures || !strings.Contains(err.Error(), "skew: Because.") {
		t.Error(len(ids), err)
	}
}

func TestAWriteThatMayBeAppliedIsNotSignedAgain(t *testing.T) {
	daemon := startFake(t, func(e received) []byte {
		if e.number == 1 {
			e.conn.Close()
			return nil
		}
		return refusedOf(e, "too-old")
	})
	_, err := open(t, Options{}, daemon).Call(background, "INCR", "k")
	expect(t, "too-old", err, "refused unknown, refused unknown")
	if sent := daemon.received(); len(sent) != 2 || sent[0].id != sent[1].id {
		t.Error(len(sent))
	}
}

func TestAWriteIsNotSignedAgainWhileAnotherDaemonMayApplyIt(t *testing.T) {
	answered := make(chan struct{})
	refusing := startFake(t, func(e received) []byte { return refusedOf(e, "too-old") })
	slow := startFake(t, func(e received) []byte {
		<-answered
		return resultOf(e, ":1\r\n", "")
	})
	client := open(t, Options{CallOptions: CallOptions{Policy: All}}, refusing, slow)
	go func() {
		for len(refusing.received()) == 0 {
			time.Sleep(time.Millisecond)
		}
		close(answered)
	}()
	_, err := client.Call(background, "INCR", "k")
	expect(t, "all", err, "not-all-answered unknown, refused not-applied, ok")
	if sent := len(refusing.received()); sent != 1 {
		t.Error(sent)
	}
}

func TestANilDoesNotCountAgainstARefusedDate(t *testing.T) {
	refusing := startFake(t, func(e received) []byte { return refusedOf(e, "skew") })
	missing := startFake(t, replying("$-1\r\n"))
	_, err := open(t, Options{}, refusing, missing).Call(background, "GET", "k")
	expect(t, "clocks", err, "clocks-differ not-applied, refused not-applied, ok")
}

func TestInvalidAnswersAreGarbage(t *testing.T) {
	for name, answer := range map[string]answering{
		"a short refusal": func(received) []byte { return frame("refused", "2") },
		"no number":       func(e received) []byte { return frame("result", e.id, "", "x", "0 0", "", "") },
		"no array":        func(received) []byte { return framed([]byte(":1\r\n")) },
		"another number of units": func(e received) []byte {
			e.commands = append(e.commands, nil)
			return resultOf(e, ":1\r\n", "")
		},
		"no frame":          func(received) []byte { return []byte("+OK\r\n") },
		"arrays in arrays":  replying(strings.Repeat("*1\r\n", 100) + ":1\r\n"),
		"a number too long": replying(":" + strings.Repeat("1", 5000) + "\r\n"),
	} {
		_, err := open(t, Options{}, startFake(t, answer)).Call(background, "INCR", "k")
		expect(t, name, err, "all-failed unknown, garbage unknown")
	}
}

func TestADaemonWhoseReplyContradictsItsFlagsCountsForNoOutcome(t *testing.T) {
	answers := func(reply, flags string) answering {
		return func(e received) []byte { return resultOf(e, reply, flags) }
	}
	unmet, applied := answers("*-1\r\n", "decided unmet"), answers("*1\r\n+OK\r\n", "decided")
	owner, nothing := answers("*1\r\n+OK\r\n", "decided unmet"), answers("*-1\r\n", "decided")
	locked := func(daemons ...answering) ([]any, error) {
		fakes := make([]*fakeDaemon, len(daemons))
		for index, daemon := range daemons {
			fakes[index] = startFake(t, daemon)
		}
		client := open(t, Options{CallOptions: CallOptions{Conditions: []Condition{{Key: "k"}}}}, fakes...)
		return client.Multi(background, Command{"SET", "k", 1})
	}
	if replies, err := locked(unmet); replies != nil || err != nil {
		t.Error(replies, err)
	}
	for _, daemons := range [][]answering{{unmet, owner}, {applied, nothing}} {
		var failed *Error
		if _, err := locked(daemons...); !errors.As(err, &failed) || failed.Outcomes[1].Stage != stageGarbage {
			t.Error(err)
		}
	}
	if replies, err := locked(applied, applied, nothing); len(replies) != 1 || err != nil {
		t.Error(replies, err)
	}
}

func TestACallThatFailsReportsSilentDaemonsAsNotAwaited(t *testing.T) {
	one, two := startFake(t, replying("-ERR no\r\n")), startFake(t, replying("-ERR no\r\n"))
	client := open(t, Options{CallOptions: CallOptions{Policy: Majority}}, one, two, startFake(t, silent))
	_, err := client.Call(background, "SET", "k", 1)
	expect(t, "majority", err, "reply unknown, reply not-applied, reply not-applied, not-awaited unknown")
	if err.Error() != "ERR no" {
		t.Error(err)
	}
}

func TestACallDoesNotWaitForHungDaemonsWithoutAMajority(t *testing.T) {
	for _, code := range []string{"undecided", "cannot-decide"} {
		refusing := startFake(t, func(e received) []byte { return refusedOf(e, code) })
		one, two := startFake(t, silent), startFake(t, silent)
		one.set(func() { one.isHung = true })
		two.set(func() { two.isHung = true })
		_, err := open(t, Options{}, refusing, one, two).Call(background, "SET", "k", 1)
		expect(t, code, err, "all-failed unknown, refused not-applied, not-awaited unknown, not-awaited unknown")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the call waited until its deadline")
		}
	}
}

func TestACallWaitsForADaemonThatAnswersHellos(t *testing.T) {
	refusing := startFake(t, func(e received) []byte { return refusedOf(e, "undecided") })
	deciding := startFake(t, func(e received) []byte {
		time.AfterFunc(1500*time.Millisecond, func() { e.conn.Write(resultOf(e, "+OK\r\n", "")) })
		return nil
	})
	if _, err := open(t, Options{}, refusing, deciding).Call(background, "SET", "k", 1); err != nil {
		t.Error(err)
	}
}

func TestPolicies(t *testing.T) {
	nothing, value, other := replying("$-1\r\n"), replying("$1\r\na\r\n"), replying("$1\r\nb\r\n")
	late := func(e received) []byte { return resultOf(e, "$1\r\na\r\n", "late") }
	for _, each := range []struct {
		policy  Policy
		daemons []answering
		reply   string
		failure string
	}{
		{"", []answering{nothing, value, silent}, "a", ""},
		{First, []answering{nothing, silent, silent}, "", ErrNil.Error()},
		{Majority, []answering{other, value, value}, "a", ""},
		{Majority, []answering{other, value, nothing}, "", "answers-differ not-applied, ok, ok, ok"},
		{Majority, []answering{late, value, nothing}, "", "late-answers not-applied, ok, ok, ok"},
		{All, []answering{nothing, value, value}, "a", ""},
		{AllEqual, []answering{value, value, value}, "a", ""},
		{AllEqual, []answering{value, value, other}, "", "answers-differ not-applied, ok, ok, ok"},
		{AtLeast(2), []answering{value, silent, value}, "a", ""},
		{AtLeast(2), []answering{late, late, value}, "", "late-answers not-applied, ok, ok, ok"},
	} {
		var daemons []*fakeDaemon
		for _, answer := range each.daemons {
			daemons = append(daemons, startFake(t, answer))
		}
		reply, err := Text(open(t, Options{CallOptions: CallOptions{Policy: each.policy}}, daemons...).Call(background, "GET", "k"))
		if reply != each.reply {
			t.Errorf("%s: %q", each.policy, reply)
		}
		if each.failure != "" || err != nil {
			expect(t, string(each.policy), err, each.failure)
		}
	}
}

func TestTheDeadlineIsThatOfTheCallOrOfTheContext(t *testing.T) {
	daemon := startFake(t, silent)
	client := open(t, Options{}, daemon)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err := client.Call(ctx, "SET", "k", 1)
	if failed, isError := err.(*Error); !isError || failed.Code != CodeAllFailed || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	until(t, "the command arrives", func() bool {
		_, err = client.Using(CallOptions{Timeout: 50 * time.Millisecond}).Call(background, "SET", "k", 1)
		return len(daemon.received()) > 0
	})
	_, err = client.Using(CallOptions{Timeout: 50 * time.Millisecond}).Call(background, "SET", "k", 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// A read has changed nothing, whatever its outcome.
	_, err = client.Using(CallOptions{Timeout: 50 * time.Millisecond}).Call(background, "GET", "k")
	if failed, _ := err.(*Error); failed == nil || failed.Effect != NotApplied {
		t.Error(err)
	}
	if _, err := client.Call(ctx, "SET", "k", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("a call with a context that has ended was sent")
	}
}

func TestACancelledCallThatNoDaemonHasReceivedIsNeverSent(t *testing.T) {
	daemon := startFake(t, replying(":1\r\n"))
	release := daemon.holdsHello()
	client := open(t, Options{Cluster: hexOf(fakeCluster)}, daemon)
	ctx, cancel := context.WithCancel(background)
	ended := make(chan error)
	go func() {
		_, err := client.Call(ctx, "INCR", "cancelled")
		ended <- err
	}()
	until(t, "the hello arrives", func() bool {
		daemon.mu.Lock()
		defer daemon.mu.Unlock()
		return daemon.hellos > 0
	})
	cancel()
	err := <-ended
	expect(t, "cancelled", err, "aborted not-applied, not-awaited not-applied")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if _, err := client.Call(background, "INCR", "k"); err != nil {
		t.Fatal(err)
	}
	for _, e := range daemon.received() {
		if e.commands[0][1] == "cancelled" {
			t.Error("the cancelled command was sent")
		}
	}
}

func TestACallThatEndsBeforeItIsSignedIsNotSent(t *testing.T) {
	daemon := startFake(t, replying(":1\r\n"))
	release := daemon.holdsHello()
	client := open(t, Options{}, daemon)
	later := make(chan error)
	go func() {
		_, err := client.Call(background, "INCR", "later")
		later <- err
	}()
	until(t, "the first call waits", func() bool {
		client.fleet.mu.Lock()
		defer client.fleet.mu.Unlock()
		return client.fleet.outbox.calls == 1
	})
	cancelled, cancel := context.WithCancel(background)
	time.AfterFunc(time.Millisecond, cancel)
	_, err := client.Call(cancelled, "INCR", "ended")
	expect(t, "cancelled", err, "aborted not-applied, not-awaited not-applied")
	_, err = client.Using(CallOptions{Timeout: 5 * time.Millisecond}).Call(background, "INCR", "ended")
	expect(t, "late", err, "all-failed not-applied, timeout not-applied")
	close(release)
	if err := <-later; err != nil {
		t.Fatal(err)
	}
	for _, e := range daemon.received() {
		if len(e.commands) != 1 || e.commands[0][1] != "later" {
			t.Error(e.commands)
		}
	}
}

func TestTheEffectOfACancelledCallIsUnknownOnceItIsSent(t *testing.T) {
	daemon := startFake(t, silent)
	client := open(t, Options{}, daemon)
	ctx, cancel := context.WithCancel(background)
	go func() {
		for len(daemon.received()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := client.Call(ctx, "INCR", "k")
	expect(t, "cancelled", err, "aborted unknown, not-awaited unknown")
}

func TestCloseFailsTheCallsInFlight(t *testing.T) {
	daemon := startFake(t, silent)
	client := open(t, Options{}, daemon)
	const calls = 20
	ended := make(chan error, calls)
	for range [calls]int{} {
		go func() {
			_, err := client.Call(background, "INCR", "k")
			ended <- err
		}()
	}
	until(t, "all commands arrive", func() bool {
		count := 0
		for _, e := range daemon.received() {
			count += len(e.commands)
		}
		return count == calls
	})
	for range [3]int{} {
		go client.Close()
	}
	for range [calls]int{} {
		expect(t, "closed", <-ended, "closed unknown, closed unknown")
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	_, err := client.Using(CallOptions{DB: 1}).Call(background, "GET", "k")
	expect(t, "afterwards", err, "closed not-applied")
}

func TestCloseWaitsForASlowerDaemon(t *testing.T) {
	arrived := make(chan struct{})
	quick := startFake(t, replying("+OK\r\n"))
	slow := startFake(t, func(e received) []byte {
		close(arrived)
		return resultOf(e, "+OK\r\n", "")
	})
	release := slow.holdsHello()
	client := open(t, Options{}, quick, slow)
	if _, err := client.Call(background, "SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	close(release)
	// The machine may be busy.
	client.fleet.drain = time.Minute
	client.Close()
	select {
	case <-arrived:
	default:
		t.Error("the slower daemon has not received the command")
	}
}

func TestClustersThatDiffer(t *testing.T) {
	one, two := startFake(t, replying("+OK\r\n")), startFake(t, replying("+OK\r\n"))
	two.greets(func() []byte { return fakeHello(strings.Repeat("\x08", 32), "signed", "") })
	for _, daemon := range []*fakeDaemon{one, two} {
		daemon := daemon
		greeting, others := daemon.greeting, map[*fakeDaemon]*fakeDaemon{one: two, two: one}
		daemon.greets(func() []byte {
			// Both answer within the time in which the client waits for the other daemon.
			until(t, "both hellos arrive", func() bool {
				other := others[daemon]
				other.mu.Lock()
				defer other.mu.Unlock()
				return other.hellos > 0
			})
			return greeting()
		})
	}
	_, err := open(t, Options{}, one, two).Call(background, "SET", "k", "v")
	if failed, _ := err.(*Error); failed == nil || failed.Code != CodeClustersDiffer || failed.Effect != NotApplied {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "belong to different clusters: ") || len(one.received())+len(two.received()) > 0 {
		t.Error(err)
	}
	_, err = open(t, Options{Cluster: hexOf(strings.Repeat("\x09", 32))}, one).Call(background, "SET", "k", "v")
	expect(t, "configured", err, "all-failed not-applied, wrong-cluster not-applied")
}

func TestADaemonThatHasJoinedAnotherClusterIsAskedAgain(t *testing.T) {
	other := strings.Repeat("\x08", 32)
	daemon := startFake(t, func(e received) []byte {
		if e.header["cluster"] != other {
			return refusedOf(e, "wrong-cluster")
		}
		return resultOf(e, "+OK\r\n", "")
	})
	client := open(t, Options{}, daemon)
	_, err := client.Using(CallOptions{Timeout: 10 * time.Second}).Call(background, "SET", "k", "v")
	expect(t, "the first cluster", err, "refused not-applied, refused not-applied")
	daemon.greets(func() []byte { return fakeHello(other, "signed", "") })
	if _, err := client.Call(background, "SET", "k", "v"); err != nil {
		t.Error(err)
	}
}

func TestADeadDaemonDelaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := listener.Addr().String()
	listener.Close()
	client := open(t, Options{Servers: dead + ","}, startFake(t, replying("+OK\r\n")))
	for range [5]int{} {
		if _, err := client.Call(background, "SET", "k", "v"); err != nil {
			t.Error(err)
		}
	}
	_, err = client.Using(CallOptions{Policy: All}).Call(background, "SET", "k", "v")
	expect(t, "all", err, "not-all-answered unknown, connect not-applied, ok")
	_, err = open(t, Options{Servers: dead}).Call(background, "SET", "k", "v")
	expect(t, "none", err, "all-failed not-applied, connect not-applied")
	expected := "No daemon answered:\n  " + dead + ": connect: no connection (connection refused); is dbsyncd running there? [not applied there]"
	if err.Error() != expected {
		t.Error(err)
	}
}

// certificate returns a self-signed certificate for 127.0.0.1, and the fingerprint of its key.
func certificate(t *testing.T) (made tls.Certificate, text string, fingerprint string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(public)
	text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text, hex.EncodeToString(digest[:])
}

func TestPinnedKeysAndAuthorities(t *testing.T) {
	made, text, pin := certificate(t)
	secured := startFakeTLS(t, replying("+OK\r\n"), &tls.Config{Certificates: []tls.Certificate{made}})
	plain := startFake(t, replying("+OK\r\n"))
	other := strings.Repeat("00", 32)
	server := "dbsyncs://" + secured.address()
	for _, each := range []struct{ servers, ca, problem string }{
		{server + "#sha256:" + pin, "", ""},
		{server + "#sha256:" + other + "#sha256:" + strings.ToUpper(pin), "", ""},
		{server, text, ""},
		{server + "#sha256:" + other, "", "its key is sha256:" + pin + ", which is not the one in the list"},
		// With a pin, the authority does not count.
		{server + "#sha256:" + other, text, "its key is sha256:" + pin + ", which is not the one in the list"},
		{server, "", "if you know its key, pin it: #sha256:"},
		{"dbsyncs://" + plain.address() + "#sha256:" + pin, "", "connect to it with dbsync://"},
	} {
		_, err := open(t, Options{Servers: each.servers, CA: each.ca}).Call(background, "SET", "k", "v")
		if each.problem == "" && err == nil {
			continue
		}
		expect(t, each.servers, err, "all-failed not-applied, tls not-applied")
		if !strings.Contains(fmt.Sprint(err), each.problem) {
			t.Error(err)
		}
	}
	for _, ca := range []string{"/nowhere.pem", "faults_test.go", "-----BEGIN CERTIFICATE-----"} {
		_, err := Open(Options{Servers: server, CA: ca})
		if failed, _ := err.(*Error); failed == nil || failed.Code != CodeBadOption {
			t.Error(ca, err)
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	client := open(t, Options{}, startFake(t, replying("+OK\r\n")))
	for name, options := range map[string]CallOptions{
		"Timeout":    {Timeout: 21 * time.Second},
		"Policy":     {Policy: "most"},
		"DB":         {DB: -1},
		"After":      {After: "00"},
		"Only":       {Only: "x"},
		"Replicated": {Stable: true, Replicated: 2},
		"Conditions": {Conditions: []Condition{{Key: "k", Writer: "short"}}},
	} {
		_, err := client.Using(options).Call(background, "GET", "k")
		if failed, _ := err.(*Error); failed == nil || failed.Code != CodeBadOption || !strings.Contains(err.Error(), name+" is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Using(CallOptions{Policy: AtLeast(2)}).Call(background, "GET", "k"); err == nil {
		t.Error("more answers than servers")
	}
	if _, err := client.Batch(background); err == nil {
		t.Error("an empty list")
	}
	if _, err := client.Call(background, "SET", "k", nil); err == nil || !strings.Contains(err.Error(), "argument 2") {
		t.Error(err)
	}
}

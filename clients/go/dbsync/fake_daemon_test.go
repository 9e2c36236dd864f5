package dbsync

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

const fakeCluster = "\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07"

// received is an envelope that a fake daemon has received.
type received struct {
	id       string
	number   int
	header   map[string]any
	commands [][]string
	frame    string
	conn     net.Conn
}

// answering answers an envelope; nil: the daemon does not answer.
type answering func(e received) []byte

// fakeDaemon is a daemon of version 2 that checks nothing.
type fakeDaemon struct {
	t        *testing.T
	listener net.Listener
	answer   answering

	mu        sync.Mutex
	greeting  func() []byte
	isHung    bool
	hellos    int
	envelopes []received
	conns     map[net.Conn]bool
}

func startFake(t *testing.T, answer answering) *fakeDaemon { return startFakeTLS(t, answer, nil) }

func startFakeTLS(t *testing.T, answer answering, config *tls.Config) *fakeDaemon {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	daemon := &fakeDaemon{t: t, listener: listener, answer: answer, conns: map[net.Conn]bool{}}
	daemon.greeting = func() []byte { return fakeHello(fakeCluster, "signed", "") }
	go daemon.accept()
	t.Cleanup(func() {
		listener.Close()
		daemon.cut()
	})
	return daemon
}

func (d *fakeDaemon) address() string { return d.listener.Addr().String() }

func (d *fakeDaemon) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns[conn] = true
		d.mu.Unlock()
		go d.serve(conn)
	}
}

// cut closes all connections.
func (d *fakeDaemon) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.conns {
		conn.Close()
	}
}

// set changes the daemon while it runs.
func (d *fakeDaemon) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// greets sets the answer to hellos; nil closes the connection.
func (d *fakeDaemon) greets(greeting func() []byte) { d.set(func() { d.greeting = greeting }) }

// holdsHello lets the daemon answer hellos only once the returned channel is closed.
func (d *fakeDaemon) holdsHello() chan struct{} {
	release := make(chan struct{})
	d.greets(func() []byte {
		<-release
		return fakeHello(fakeCluster, "signed", "")
	})
	return release
}

// received returns the envelopes that the daemon has received.
func (d *fakeDaemon) received() []received {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]received(nil), d.envelopes...)
}

func (d *fakeDaemon) serve(conn net.Conn) {
	defer conn.Close()
	frames := frameReader{bufio.NewReader(conn)}
	for hellos := 0; ; {
		payload, err := frames.next()
		if err != nil {
			return
		}
		elements, err := decodeArray(payload)
		if err != nil {
			return
		}
		d.mu.Lock()
		isHung, greeting := d.isHung, d.greeting
		var answer []byte
		if elements[0] == "hello" {
			hellos++
			d.hellos++
			d.mu.Unlock()
			if answer = greeting(); answer == nil {
				return
			}
			isHung = isHung && hellos > 1
		} else {
			e := readEnvelope(elements[1].(string))
			e.number, e.conn, e.frame = len(d.envelopes)+1, conn, string(payload)
			d.envelopes = append(d.envelopes, e)
			d.mu.Unlock()
			if !isHung {
				answer = d.answer(e)
			}
		}
		if !isHung && answer != nil {
			conn.Write(answer)
		}
	}
}

func readEnvelope(body string) received {
	length := binary.BigEndian.AppendUint64(nil, uint64(len(body)))
	id := sha256.Sum256([]byte(signedPrefix + string(length) + body))
	elements, _ := decodeArray([]byte(body))
	e := received{id: string(id[:]), header: map[string]any{}}
	header := elements[1].([]any)
	for index := 0; index < len(header); index += 2 {
		e.header[header[index].(string)] = header[index+1]
	}
	for _, each := range elements[2:] {
		var command []string
		for _, word := range each.([]any) {
			command = append(command, word.(string))
		}
		e.commands = append(e.commands, command)
	}
	return e
}

func nowText() string { return strconv.FormatInt(time.Now().UnixMilli(), 10) }

func fakeHello(cluster, knows, members string) []byte {
	return frame("hello", "1 2", "dddddddddddddddddddddddddddddddd", cluster, nowText(), "live", "daemon", members, knows)
}

// resultOf returns a result with the same reply, and flags, for each unit.
func resultOf(e received, reply, flags string) []byte {
	units := len(e.commands)
	if e.header["multi"] != nil {
		units = 1
	}
	payload := appendLength(nil, '*', 5+2*units)
	for _, element := range []string{"result", e.id, "dddddddddddddddddddddddddddddddd", nowText(), nowText() + " 0"} {
		payload = appendBulk(payload, element)
	}
	for ; units > 0; units-- {
		payload = appendBulk(append(payload, reply...), flags)
	}
	return framed(payload)
}

func refusedOf(e received, code string) []byte {
	return frame("refused", e.id, code, "Because.", nowText(), "not-applied")
}

func silent(received) []byte { return nil }

func replying(reply string) answering {
	return func(e received) []byte { return resultOf(e, reply, "") }
}

// open returns a client with the Ed25519 key of the vectors.
func open(t *testing.T, options Options, daemons ...*fakeDaemon) *Client {
	t.Helper()
	for index, daemon := range daemons {
		if index > 0 {
			options.Servers += ","
		}
		options.Servers += daemon.address()
	}
	if options.Key == "" {
		options.Key = filepath.Join(vectorFolder, "test-ed25519-private.pem")
	}
	options.Warn = func(string) {}
	if options.Timeout == 0 {
		options.Timeout = maxTimeout
	}
	client, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: ", what)
		}
	}
}

// failureText returns the code, the effect and the stages of an error.
func failureText(err error) string {
	failed, isError := err.(*Error)
	if !isError {
		return fmt.Sprint(err)
	}
	text := string(failed.Code) + " " + string(failed.Effect)
	for _, outcome := range failed.Outcomes {
		if outcome.OK {
			text += ", ok"
		} else {
			text += fmt.Sprintf(", %s %s", outcome.Stage, outcome.Effect)
		}
	}
	return text
}

func expect(t *testing.T, what string, err error, expected string) {
	t.Helper()
	if text := failureText(err); text != expected {
		t.Errorf("%s: %s instead of %s\n%v", what, text, expected, err)
	}
}

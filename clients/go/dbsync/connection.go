package dbsync

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// connectTime is the time for connecting, and then for the answer to the hello. A waiting call has its own deadline.
	connectTime     = 3 * time.Second
	readBufferBytes = 1 << 16
)

// endReason is the reason why a connection can no longer be used.
type endReason struct{ stage, detail string }

// connection is an open connection. Its frames are written by a goroutine of its own, so that a daemon that reads
// nothing delays no other one.
type connection struct {
	net.Conn
	// frames waits to be written. The lock of the fleet guards it.
	frames net.Buffers
	// wake has a value if there are frames, and is closed with the connection.
	wake chan struct{}
	// receivedAt is when bytes last arrived, in nanoseconds since processStart.
	receivedAt *atomic.Int64
}

// Read reads from the connection, and records the time.
func (c *connection) Read(to []byte) (int, error) {
	count, err := c.Conn.Read(to)
	if count > 0 {
		c.receivedAt.Store(int64(time.Since(processStart)))
	}
	return count, err
}

// send queues a frame. The caller holds the lock of the fleet.
func (c *connection) send(frame []byte) {
	c.frames = append(c.frames, frame)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes the frames until the connection is closed.
func (l *link) write(c *connection) {
	defer l.fleet.running.Done()
	for range c.wake {
		l.fleet.mu.Lock()
		frames := c.frames
		c.frames = nil
		l.fleet.mu.Unlock()
		if _, err := frames.WriteTo(c.Conn); err != nil {
			// The goroutine that reads reports it.
			c.Conn.Close()
			return
		}
	}
}

// dial opens a connection and verifies the server.
func (l *link) dial(ctx context.Context) (*connection, *endReason) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", l.address.hostPort())
	if err != nil {
		var unresolved *net.DNSError
		switch {
		case errors.As(err, &unresolved):
			return nil, &endReason{stageDNS, unresolved.Err}
		case errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err):
			return nil, &endReason{stageConnect, "the connection attempt was not answered"}
		}
		return nil, &endReason{stageConnect, reasonOf(err)}
	}
	if l.tls != nil {
		secured := tls.Client(raw, l.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			raw.Close()
			if errors.Is(err, context.DeadlineExceeded) {
				return nil, &endReason{stageConnect, "no answer in the handshake"}
			}
			return nil, &endReason{stageTLS, handshakeTrouble(err)}
		}
		raw = secured
	}
	return &connection{Conn: raw, wake: make(chan struct{}, 1), receivedAt: &l.receivedAt}, nil
}

// serve exchanges hellos, and reads messages until the connection ends.
func (l *link) serve(c *connection) endReason {
	c.SetReadDeadline(time.Now().Add(connectTime))
	l.fleet.mu.Lock()
	if l.fleet.isClosed {
		l.fleet.mu.Unlock()
		c.Close()
		return endReason{stageClosed, ""}
	}
	l.connection = c
	l.fleet.running.Add(1)
	go l.write(c)
	l.sendHello()
	l.fleet.mu.Unlock()

	frames := frameReader{bufio.NewReaderSize(c, readBufferBytes)}
	for {
		payload, err := frames.next()
		var message any
		if err == nil {
			message, err = readMessage(payload)
		}
		l.fleet.mu.Lock()
		if err != nil {
			end := l.endOf(err)
			if isProtocolError(err) && l.tls == nil && isTLSAlert(frames.Reader) {
				end = endReason{stageTLS, "it accepts only TLS: write dbsyncs:// before its address in the list of servers"}
			}
			l.fleet.mu.Unlock()
			return end
		}
		end := l.receive(message)
		l.fleet.mu.Unlock()
		if end != nil {
			return *end
		}
	}
}

// endOf returns why a connection ended. The caller holds the lock of the fleet.
func (l *link) endOf(err error) endReason {
	var other otherProtocol
	switch {
	case errors.As(err, &other):
		return endReason{stageRefused, fmt.Sprintf("other-protocol: The daemon sent %s: install the same version of dbsync on both sides.", other)}
	case isProtocolError(err):
		return endReason{stageGarbage, err.Error()}
	case l.complaint != "":
		return endReason{stageLost, l.complaint}
	case l.reason != "":
		return endReason{stageLost, l.reason}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endReason{stageTimeout, "connected, but the hello was not answered"}
	case errors.Is(err, net.ErrClosed):
		return endReason{stageLost, ""}
	}
	return endReason{stageLost, lossReason(err)}
}

// isTLSAlert returns whether a daemon has answered with an alert of TLS.
func isTLSAlert(received *bufio.Reader) bool {
	// It does not wait for more bytes, because the caller holds the lock.
	head, _ := received.Peek(received.Buffered())
	return strings.HasPrefix(string(head), "\x15\x03")
}

// helloFrame returns the hello of a client with a number of servers. cluster is "" if it signs nothing or does not know
// its cluster.
func helloFrame(cluster string, servers int) []byte {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	return frame("hello", protocolNumber, "", cluster, now, "", "client", strconv.Itoa(servers-1), "")
}

// refusesClient returns why the daemon does not accept the commands of this client, or nil.
func (h *hello) refusesClient(isSigned bool) *endReason {
	if !isSigned && !contains(h.knows, "unsigned") {
		return &endReason{stageRefused, "unsigned: This daemon accepts only signed commands. Specify the private key: Key of Options or DBSYNC_SIGNKEY."}
	}
	if isSigned && !contains(h.knows, "signed") {
		return &endReason{stageRefused, "not-due: It has no keys, and accepts no signed commands. Start it with this key's public half (-s), or do not sign."}
	}
	return nil
}

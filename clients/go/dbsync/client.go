package dbsync

import (
	"context"
	"fmt"
	"time"
)

// Client sends signed commands to all daemons. It is safe for use by many goroutines, which share its connections and
// signatures.
type Client struct {
	fleet   *fleet
	options CallOptions
}

// Open returns a client. It reads the key, and connects with the first call.
func Open(options Options) (*Client, error) {
	f, err := options.newFleet()
	if err != nil {
		return nil, err
	}
	return &Client{f, options.CallOptions}, nil
}

// Using returns a client with other options for its calls that shares the connections:
//
//	client.Using(dbsync.CallOptions{Policy: dbsync.Majority}).Call(ctx, "GET", "k")
//
// An invalid option is the error of each call.
func (c *Client) Using(options CallOptions) *Client {
	return &Client{c.fleet, c.options.merged(options)}
}

// LastWrite returns the newest write that a daemon has answered, for the option After of another client; "": there is
// none.
func (c *Client) LastWrite() string {
	c.fleet.mu.Lock()
	defer c.fleet.mu.Unlock()
	if c.fleet.session.last == nil {
		return ""
	}
	return hexOf(c.fleet.session.last.orderKey)
}

// Close rejects further calls, and closes all connections. Daemons that have not answered yet may do so within half a
// second; the calls that have no result by then fail with the code closed. Close also ends the clients of Using.
func (c *Client) Close() error {
	c.fleet.close()
	return nil
}

// Call sends a command, beginning with its name. It returns the reply: an int64, a string, a Status (such as OK), a
// []any, or nil. Text, Int and List convert it.
func (c *Client) Call(ctx context.Context, words ...any) (any, error) {
	command := Command(words)
	replies, err := c.run(ctx, []Command{command}, false)
	if err != nil {
		return nil, err
	}
	if failed, isError := replies[0].(*Error); isError {
		return nil, failed
	}
	return replies[0], nil
}

// Batch sends commands with one signature. Each daemon executes each of them separately. It returns a reply for each
// command, an *Error for one that failed.
func (c *Client) Batch(ctx context.Context, commands ...Command) ([]any, error) {
	if len(c.options.Conditions) > 0 {
		return nil, badOption("Conditions", len(c.options.Conditions), "only for Call and Multi")
	}
	return c.run(ctx, commands, false)
}

// Multi sends commands as one transaction. It returns a reply for each command, an *Error for one that failed; nil if a
// condition is not met.
func (c *Client) Multi(ctx context.Context, commands ...Command) ([]any, error) {
	replies, err := c.run(ctx, commands, true)
	if err != nil {
		return nil, err
	}
	if failed, isError := replies[0].(*Error); isError {
		return nil, failed
	}
	list, _ := replies[0].([]any)
	return list, nil
}

// Writers returns the last writer of each key, for conditions; "": the key is absent.
func (c *Client) Writers(ctx context.Context, keys ...string) ([]string, error) {
	command := Command{"WRITERS"}
	for _, key := range keys {
		command = append(command, key)
	}
	list, err := List(c.Call(ctx, command...))
	if err != nil {
		return nil, err
	}
	writers := make([]string, len(list))
	for index, writer := range list {
		writers[index], _ = writer.(string)
	}
	return writers, nil
}

// run sends commands, and returns the reply of each unit.
func (c *Client) run(ctx context.Context, commands []Command, isUnit bool) ([]any, error) {
	if err := c.options.check(len(c.fleet.links)); err != nil {
		return nil, err
	}
	maximum := maxUnits
	if isUnit {
		maximum = maxUnitCommands
	}
	if len(commands) == 0 {
		return nil, badCommand("the list is empty")
	}
	if len(commands) > maximum {
		return nil, badCommand(fmt.Sprintf("%d commands are too many for one signature; the maximum is %d", len(commands), maximum))
	}
	encoded := make([][]byte, len(commands))
	for index, command := range commands {
		var err error
		if encoded[index], err = command.encode(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		code := CodeAborted
		if err == context.DeadlineExceeded {
			code = CodeAllFailed
		}
		return nil, newError(code, "", nil, true, err)
	}
	calls, err := c.begin(ctx, commands, encoded, isUnit)
	var replies []any
	for _, each := range calls {
		c.wait(ctx, each)
		if each.err != nil && err == nil {
			err = each.err
		}
		replies = append(replies, each.replies...)
	}
	if err == nil {
		return replies, nil
	}
	for _, each := range calls {
		if each.err == nil || each.err.Effect != NotApplied {
			err.Effect = Unknown
		}
	}
	return nil, err
}

// begin adds commands to the fleet as calls: one, or several for commands on which the members may decide, which are
// alone in their envelopes.
func (c *Client) begin(ctx context.Context, commands []Command, encoded [][]byte, isUnit bool) ([]*call, *Error) {
	f := c.fleet
	deadline := c.options.deadline(ctx, time.Now())
	h := c.options.header()
	h.isUnit = isUnit
	f.mu.Lock()
	defer f.mu.Unlock()
	var calls []*call
	for start, end := 0, 0; start < len(commands); start = end {
		end = c.partEnd(commands, start, isUnit)
		part := commands[start:end]
		started := &call{
			commands: encoded[start:end],
			units:    len(part),
			rules:    rules{policy: c.options.Policy, hasConditions: len(h.conditions) > 0},
			deadline: deadline,
			done:     make(chan struct{}),
		}
		if isUnit {
			started.units = 1
		}
		for _, each := range started.commands {
			started.bytes += len(each)
		}
		kind := kindOfAll(part)
		mayDecide := kind == kindWrites && c.mayDecide(part, isUnit)
		if err := f.add(started, kind, h, c.options.wait(), mayDecide); err != nil {
			return calls, err
		}
		calls = append(calls, started)
	}
	return calls, nil
}

// partEnd returns the end of the commands from start on that share an envelope.
func (c *Client) partEnd(commands []Command, start int, isUnit bool) int {
	if isUnit {
		return len(commands)
	}
	end := start + 1
	for isAlone := c.mayDecide(commands[start:end], isUnit); !isAlone && end < len(commands); end++ {
		if c.mayDecide(commands[end:end+1], isUnit) {
			break
		}
	}
	return end
}

// mayDecide returns whether the members decide on a unit, if they decide at all. A caller that names another policy
// than Majority has chosen what an answer means.
func (c *Client) mayDecide(unit []Command, isUnit bool) bool {
	if c.options.Policy != "" && c.options.Policy != Majority || c.options.Only != "" {
		return false
	}
	return len(c.options.Conditions) > 0 || !isUnit && len(unit) == 1 && unit[0].hasCondition()
}

// kindOfAll returns the kind of commands that share an envelope: they only read, or contain a write.
func kindOfAll(commands []Command) commandKind {
	kind := commands[0].kind()
	for _, command := range commands[1:] {
		if command.kind() != kind {
			return kindWrites
		}
	}
	return kind
}

// wait waits until a call has settled.
func (c *Client) wait(ctx context.Context, started *call) {
	select {
	case <-started.done:
		return
	case <-ctx.Done():
	}
	c.fleet.mu.Lock()
	defer c.fleet.mu.Unlock()
	if started.isSettled {
		return
	}
	if ctx.Err() == context.DeadlineExceeded {
		started.deadline = time.Now()
		started.batch.tick(started.deadline)
		return
	}
	started.batch.cancel(started, ctx.Err())
}

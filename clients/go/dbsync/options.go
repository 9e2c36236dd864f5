package dbsync

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
)

const (
	defaultTimeout = 3 * time.Second
	// maxTimeout is the maximum duration of a call. After this time a daemon would refuse the command as too old.
	maxTimeout = 20 * time.Second
	// stableTimeout is the timeout of stable calls, and its maximum: such a call waits until no daemon accepts earlier
	// dates, and for the daemons' reports.
	stableTimeout = 60 * time.Second
	maxDB         = 0x7fffffff
	maxConditions = 1024
	maxDaemons    = 99
)

// Options contains the options of a client. An empty option has the value of the environment variable, or the default.
type Options struct {
	// Servers is host:port,host:port; dbsyncs://host:port for TLS, dbsyncs://host:port#sha256:… to pin the daemon's
	// key. Otherwise DBSYNC_SERVERS, or 127.0.0.1:1111.
	Servers string
	// Key is the private key, RSA or Ed25519: a file's path, or PEM text. Otherwise DBSYNC_SIGNKEY. Without a key, the
	// client sends unsigned commands, which only daemons without keys accept.
	Key string
	// CA is the authorities that may have signed the servers' certificates: a file's path, or PEM text. Otherwise
	// DBSYNC_CA, or those that this machine trusts.
	CA string
	// Cluster is the cluster that receives the commands, 64 hexadecimal digits. Otherwise DBSYNC_CLUSTER, if Servers is
	// empty; otherwise the client asks the daemons.
	Cluster string
	// Warn receives warnings about settings that work and should be changed. By default they are logged.
	Warn func(warning string)
	// CallOptions contains the defaults of calls.
	CallOptions
}

// CallOptions contains the options of a call. A zero value means that the option is not set.
type CallOptions struct {
	// Timeout is the time after which the call fails, at most 20 s. Without it, the deadline of the context applies, and
	// without that one 3 s.
	Timeout time.Duration
	Policy  Policy
	// DB is the number of the database.
	DB int
	// Conditions: if one is not met, nothing is applied and the reply is nil. Only for Call and Multi.
	Conditions []Condition
	// After is a write that a daemon must have received before it answers: LastWrite of another client. A client waits
	// for its own writes anyway.
	After string
	// Only is the id of the only daemon that may accept the call, 64 hexadecimal digits.
	Only string
	// Stable delays the answer until no write can be inserted before this one any longer; Timeout is then 60 s.
	Stable bool
	// Replicated is the number of daemons that must have the write on disk before the answer arrives.
	Replicated int
}

// check returns an error if an option has an invalid value.
func (o CallOptions) check(servers int) error {
	number, err := strconv.Atoi(string(o.Policy))
	isNumber := err == nil && number >= 1
	switch {
	case o.Timeout < 0:
		return badOption("Timeout", o.Timeout, "a duration above 0")
	case o.Timeout > o.maxTimeout():
		return badOption("Timeout", o.Timeout, fmt.Sprintf("at most %v", o.maxTimeout()))
	case o.Policy != "" && o.Policy != First && o.Policy != Majority && o.Policy != All && o.Policy != AllEqual && !isNumber:
		return badOption("Policy", o.Policy, "first, majority, all, all-equal, or a number of daemons")
	case isNumber && number > servers:
		return badOption("Policy", o.Policy, fmt.Sprintf("at most the number of servers, %d", servers))
	case o.DB < 0 || o.DB > maxDB:
		return badOption("DB", o.DB, "a database's number")
	case len(o.Conditions) > maxConditions:
		return badOption("Conditions", len(o.Conditions), fmt.Sprintf("at most %d", maxConditions))
	case o.After != "" && fromHex(o.After, orderKeyBytes) == "":
		return badOption("After", o.After, "the LastWrite of a client, 92 hexadecimal digits")
	case o.Only != "" && fromHex(o.Only, hashBytes) == "":
		return badOption("Only", o.Only, "a daemon's id, 64 hexadecimal digits")
	case o.Replicated < 0 || o.Replicated > maxDaemons:
		return badOption("Replicated", o.Replicated, fmt.Sprintf("a number of daemons, 1 to %d", maxDaemons))
	case o.Stable && o.Replicated > 0:
		return badOption("Replicated", o.Replicated, "only without Stable, which guarantees more")
	}
	for _, condition := range o.Conditions {
		if condition.Writer != "" && len(condition.Writer) != unitNameBytes {
			return badOption("Conditions", condition.Writer, "a writer as Writers returns it, or an empty one")
		}
	}
	return nil
}

func (o CallOptions) maxTimeout() time.Duration {
	if o.Stable {
		return stableTimeout
	}
	return maxTimeout
}

// deadline returns the deadline of a call that begins now.
func (o CallOptions) deadline(ctx context.Context, now time.Time) time.Time {
	timeout := o.Timeout
	until, hasDeadline := ctx.Deadline()
	if timeout == 0 && hasDeadline {
		timeout = o.maxTimeout()
	} else if timeout == 0 && o.Stable {
		timeout = stableTimeout
	} else if timeout == 0 {
		timeout = defaultTimeout
	}
	deadline := now.Add(timeout)
	if hasDeadline && until.Before(deadline) {
		return until
	}
	return deadline
}

// merged returns the options, with those of more where they are set.
func (o CallOptions) merged(more CallOptions) CallOptions {
	if more.Timeout != 0 {
		o.Timeout = more.Timeout
	}
	if more.Policy != "" {
		o.Policy = more.Policy
	}
	if more.DB != 0 {
		o.DB = more.DB
	}
	if more.Conditions != nil {
		o.Conditions = more.Conditions
	}
	if more.After != "" {
		o.After = more.After
	}
	if more.Only != "" {
		o.Only = more.Only
	}
	if more.Stable {
		o.Stable = true
	}
	if more.Replicated != 0 {
		o.Replicated = more.Replicated
	}
	return o
}

// header returns the options that are signed.
func (o CallOptions) header() header {
	return header{
		db:         o.DB,
		conditions: o.Conditions,
		after:      fromHex(o.After, orderKeyBytes),
		only:       fromHex(o.Only, hashBytes),
	}
}

// wait returns the condition for which the daemon waits before it sends the answer, or "".
func (o CallOptions) wait() string {
	if o.Stable {
		return "stable"
	}
	if o.Replicated > 0 {
		return "replicated " + strconv.Itoa(o.Replicated)
	}
	return ""
}

// fromHex returns the bytes of hexadecimal digits, or "" if they have another length.
func fromHex(digits string, length int) string {
	found, err := hex.DecodeString(digits)
	if err != nil || len(found) != length {
		return ""
	}
	return string(found)
}

// newFleet returns the fleet of the options.
func (o Options) newFleet() (*fleet, error) {
	warn := o.Warn
	if warn == nil {
		warn = func(warning string) { log.Print("dbsync: ", warning) }
	}
	servers, option, cluster := o.Servers, "Servers", o.Cluster
	if servers == "" {
		servers, option = os.Getenv("DBSYNC_SERVERS"), "DBSYNC_SERVERS"
		// The cluster in the environment belongs to the servers in the environment.
		if cluster == "" {
			cluster = os.Getenv("DBSYNC_CLUSTER")
		}
	}
	if servers == "" {
		servers = defaultServers
	}
	addresses, err := parseServers(servers, option)
	if err != nil {
		return nil, err
	}
	if err := o.CallOptions.check(len(addresses)); err != nil {
		return nil, err
	}
	if cluster != "" && fromHex(cluster, hashBytes) == "" {
		return nil, badOption("Cluster", cluster, "64 hexadecimal digits, which each daemon prints at its start")
	}
	authorities, err := readAuthorities(valueOr(o.CA, "DBSYNC_CA"))
	if err != nil {
		return nil, err
	}
	var key *signer
	if path := valueOr(o.Key, "DBSYNC_SIGNKEY"); path != "" {
		var warning string
		if key, warning, err = loadSigner(path); err != nil {
			return nil, err
		}
		if warning != "" {
			warn(warning)
		}
	}
	return newFleet(addresses, authorities, key, fromHex(cluster, hashBytes), warn), nil
}

func valueOr(value, variable string) string {
	if value == "" {
		return os.Getenv(variable)
	}
	return value
}

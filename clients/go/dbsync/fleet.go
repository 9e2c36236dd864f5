package dbsync

import (
	"context"
	"crypto/x509"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	// lingerTime is the time after one daemon's nil, error or cluster in which another daemon may still send its own.
	lingerTime = 50 * time.Millisecond
	drainTime  = 500 * time.Millisecond
	// maxSignatures is the maximum number of times a batch is signed. If a daemon refuses more dates than that, its clock
	// is unusable.
	maxSignatures = 4
)

// fleet contains the daemons of a client: their links, their clock, and the cluster to which they belong. Clients made
// by Using share it.
type fleet struct {
	// mu guards the fields of the fleet, its links and its batches, except those that never change.
	mu     sync.Mutex
	links  []*link
	signer *signer
	// cluster is the cluster that receives the commands, 32 bytes; "": it is not known yet.
	cluster string
	// isConfigured is whether the caller has named the cluster, so that the daemons' votes do not matter.
	isConfigured bool
	warn         func(string)
	clock        clock
	session      session
	outbox       outbox
	// greetedAt is when a daemon last reported its capabilities, or zero if none has since they were requested.
	greetedAt time.Time
	// deciding contains the clusters of which a daemon has ever announced that members decide on conditions.
	deciding map[string]bool
	votes    map[*link]string
	linger   *alarm
	adopted  string
	// open counts the batches that some daemon has not answered, and drained is closed when there are none and the client
	// is being closed.
	open int
	// drain is the time for which Close waits for daemons that have not answered yet.
	drain               time.Duration
	drained             chan struct{}
	isClosing, isClosed bool
	// ctx ends with the fleet, and running counts its goroutines.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newFleet(addresses []address, authorities *x509.CertPool, key *signer, cluster string, warn func(string)) *fleet {
	f := &fleet{
		signer:   key,
		cluster:  cluster,
		warn:     warn,
		clock:    newClock(),
		session:  newSession(len(addresses)),
		outbox:   newOutbox(),
		deciding: map[string]bool{},
		votes:    map[*link]string{},
		drain:    drainTime,
	}
	if key == nil {
		// Unsigned commands are for daemons without keys, which belong to no cluster.
		f.cluster = noCluster
	}
	f.isConfigured = f.cluster != ""
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for index, each := range addresses {
		f.links = append(f.links, &link{address: each, index: index, tls: each.tlsConfig(authorities), fleet: f})
	}
	f.running.Add(1)
	go f.seal()
	return f
}

// alarm calls a function later, with the lock of the fleet, unless it is stopped.
type alarm struct {
	timer     *time.Timer
	isStopped bool
}

func (a *alarm) stop() {
	if a != nil {
		a.isStopped = true
		a.timer.Stop()
	}
}

// after calls a function later, unless the fleet is closed by then. The caller holds the lock.
func (f *fleet) after(delay time.Duration, do func()) *alarm {
	a := &alarm{}
	a.timer = time.AfterFunc(delay, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !a.isStopped && !f.isClosed {
			do()
		}
	})
	return a
}

// isInBackoff returns whether all daemons are in a backoff pause. In this case the next call connects anyway.
func (f *fleet) isInBackoff() bool {
	for _, l := range f.links {
		if !l.isInBackoff() {
			return false
		}
	}
	return true
}

// isUnreachable returns whether there is no connection and no attempt to connect.
func (f *fleet) isUnreachable() bool {
	for _, l := range f.links {
		if l.state != linkClosed {
			return false
		}
	}
	return true
}

// isDeciding returns whether the members of a list decide on conditions. One daemon that has announced it is enough: a
// daemon that cannot decide refuses such a unit, and one daemon alone cannot acknowledge it.
func (f *fleet) isDeciding() bool { return f.deciding[f.cluster] }

// greet requests the cluster and the capabilities of all daemons.
func (f *fleet) greet() {
	insist := f.isInBackoff()
	for _, l := range f.links {
		l.connect(insist)
		l.ask()
	}
}

// greeted handles the hello of a daemon.
func (f *fleet) greeted(l *link, h *hello) {
	f.greetedAt = time.Now()
	f.clock.update(l, h.clock, milliseconds(l.askedAt))
	f.session.connected(l.index, h.members >= 0)
	f.votes[l] = h.cluster
	if contains(h.knows, knowsDecisions) {
		f.deciding[h.cluster] = true
	}
	if f.cluster == "" && f.linger == nil {
		f.linger = f.after(lingerTime, func() {
			f.linger = nil
			f.vote(true)
			f.changed()
		})
	}
	f.changed()
}

// changed continues with the batches that wait, because the state of a daemon has changed.
func (f *fleet) changed() {
	f.vote(false)
	if f.isUnreachable() {
		f.outbox.abandon(f)
	}
	f.outbox.notify()
}

// recheckCluster handles the refusal wrong-cluster: it asks the daemon for its cluster again. The fleet may then choose
// another one.
func (f *fleet) recheckCluster(l *link, cluster string) {
	if f.votes[l] == cluster {
		delete(f.votes, l)
		l.ask()
	}
	supporters := 0
	for _, vote := range f.votes {
		if vote == cluster {
			supporters++
		}
	}
	if !f.isConfigured && f.cluster == cluster && 2*supporters <= len(f.links) {
		f.cluster = ""
		f.vote(false)
	}
}

// vote chooses the cluster that most daemons name, if it is not known. With isFinal it decides with the present votes.
func (f *fleet) vote(isFinal bool) {
	if f.cluster != "" || len(f.votes) == 0 {
		return
	}
	isPending := false
	supporters := map[string]int{}
	for _, l := range f.links {
		vote, hasVoted := f.votes[l]
		if hasVoted {
			supporters[vote]++
		}
		isPending = isPending || l.state == linkConnecting || l.state == linkSpeaking && !hasVoted
	}
	clusters := make([]string, 0, len(supporters))
	for cluster := range supporters {
		clusters = append(clusters, cluster)
	}
	sort.Slice(clusters, func(i, j int) bool { return supporters[clusters[i]] > supporters[clusters[j]] })
	first := clusters[0]
	if 2*supporters[first] <= len(f.links) && isPending && !isFinal {
		return
	}
	if len(clusters) > 1 && supporters[clusters[1]] == supporters[first] {
		f.outbox.abort(f, CodeClustersDiffer, f.describeVotes())
		f.votes = map[*link]string{}
		return
	}
	f.adopt(first)
}

func (f *fleet) describeVotes() string {
	var clusters []string
	addresses := map[string][]string{}
	for _, l := range f.links {
		if vote, hasVoted := f.votes[l]; hasVoted {
			if addresses[vote] == nil {
				clusters = append(clusters, vote)
			}
			addresses[vote] = append(addresses[vote], l.address.String())
		}
	}
	for index, cluster := range clusters {
		clusters[index] = strings.Join(addresses[cluster], ", ") + " to " + hexOf(cluster)
	}
	return strings.Join(clusters, "; ") + ". Correct the list of servers, or select the right cluster with the option Cluster"
}

// adopt uses a cluster that the daemons have named, and warns once if an attacker could have answered.
func (f *fleet) adopt(cluster string) {
	f.cluster = cluster
	if cluster == f.adopted {
		return
	}
	f.adopted = cluster
	for _, l := range f.links {
		if !l.address.isLoopback() && !l.address.isEncrypted {
			warning := fmt.Sprintf("the servers named their cluster over an unprotected connection: an attacker between here and %v "+
				"could have answered; configure it with the option Cluster or DBSYNC_CLUSTER: %s", l.address, hexOf(cluster))
			// The caller's function may call the client.
			go f.warn(warning)
			return
		}
	}
}

// afterWrite returns the write that the next envelope of reads, or with conditions, names in after, or "".
func (f *fleet) afterWrite() string {
	for _, l := range f.links {
		// A connected daemon can answer, so reads need not name a write that only unreachable daemons may be missing.
		if l.state == linkSpeaking {
			return f.session.after(time.Now())
		}
	}
	f.session.disconnected()
	return f.session.after(time.Now())
}

// close rejects further calls, waits for the daemons that have not answered yet, and closes all connections.
func (f *fleet) close() {
	f.mu.Lock()
	isFirst := !f.isClosing
	f.isClosing = true
	if isFirst {
		f.drained = make(chan struct{})
		f.checkDrained()
	}
	drained := f.drained
	f.mu.Unlock()
	if isFirst {
		timer := time.NewTimer(f.drain)
		defer timer.Stop()
		select {
		case <-drained:
		case <-timer.C:
		}
		f.mu.Lock()
		f.isClosed = true
		f.outbox.abort(f, CodeClosed, "")
		for _, l := range f.links {
			l.close()
		}
		f.linger.stop()
		f.outbox.notify()
		f.mu.Unlock()
		f.cancel()
	}
	f.running.Wait()
}

// checkDrained ends the wait of close once no batch is open.
func (f *fleet) checkDrained() {
	if f.isClosing && f.open == 0 && f.drained != nil {
		select {
		case <-f.drained:
		default:
			close(f.drained)
		}
	}
}

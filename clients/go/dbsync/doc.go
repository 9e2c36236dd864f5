// Package dbsync is the Go client of dbsync. It signs a command once, sends it to every daemon, and returns the first
// successful result.
//
// Begin with Open, Client.Call and Client.Using. To read the code, begin with policy.go (chooses the result of a call),
// batch.go (the calls of one envelope), fleet.go (all daemons) and link.go (one daemon).
package dbsync

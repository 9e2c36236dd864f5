package dbsync

import "strings"

// commandKind is the kind of a command. Only commands of one kind share an envelope: daemons do not record reads and
// messages, and accept messages and commands for the key ring only in separate envelopes.
type commandKind int

const (
	kindWrites commandKind = iota
	kindReads
	kindMessages
	kindRing
)

// From the store's table: made by npm run tables.
const reads = "ASKING AUTH BITCOUNT BITFIELD_RO BITPOS COMMAND DBSIZE DECIDED DOC.COUNT DOC.GET DOC.GETALL " +
	"DOC.GETKEYS DOC.LIST DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL FCALL_RO " +
	"FUNCTION GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE " +
	"HEXISTS HGET HGETALL HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS INFO KEYS LASTSAVE LCS LINDEX " +
	"LLEN LOLWUT LPOS LRANGE MDB.AGGREGATE MDB.COUNT MDB.DISTINCT MDB.EXPLAIN MDB.FIND " +
	"MDB.LISTCOLLECTIONS MDB.LISTDATABASES MDB.LISTINDEXES MDB.STATS MEMORY MGET OBJECT PEXPIRETIME " +
	"PFCOUNT PING PSUBSCRIBE PTTL PUBSUB PUNSUBSCRIBE RANDOMKEY READONLY READWRITE ROLE SCAN SCARD " +
	"SCRIPT SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SQL_RO SRANDMEMBER SSCAN " +
	"SSUBSCRIBE STRLEN SUBSCRIBE SUBSTR SUNION SUNSUBSCRIBE TIME TOUCH TTL TYPE UNSUBSCRIBE WAIT WRITERS " +
	"XINFO XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE " +
	"ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE " +
	"ZREVRANK ZSCAN ZSCORE ZUNION"
const messages = "PUBLISH SPUBLISH"
const ring = "CLUSTER KEY"

// The end of what is made by npm run tables.

// commandKinds contains the kinds of all commands that are not writes. A read that is missing here is sent as a write.
var commandKinds = kindsOf(map[commandKind]string{kindReads: reads, kindMessages: messages, kindRing: ring})

func kindsOf(names map[commandKind]string) map[string]commandKind {
	kinds := map[string]commandKind{}
	for kind, list := range names {
		for _, name := range strings.Fields(list) {
			kinds[name] = kind
		}
	}
	return kinds
}

// kind returns the kind of a command.
func (c Command) kind() commandKind { return commandKinds[strings.ToUpper(c.text(0))] }

// text returns an argument of a command that can be sent.
func (c Command) text(index int) string {
	text, _ := argument(c[index])
	return text
}

// hasCondition returns whether a command writes only if a key is absent or present, and answers only whether this
// condition holds. Source: protocol/implicit-condition.ts.
func (c Command) hasCondition() bool {
	switch strings.ToUpper(c.text(0)) {
	case "SETNX", "HSETNX", "MSETNX":
		return true
	case "SET":
	default:
		return false
	}
	found := map[string]bool{}
	for index := 3; index < len(c); index++ {
		found[strings.ToUpper(c.text(index))] = true
	}
	// With both options it is an error, and with GET it also answers the value.
	return !found["GET"] && found["NX"] != found["XX"]
}

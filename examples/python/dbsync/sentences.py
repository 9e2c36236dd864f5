"""The texts of failures: the meaning and the remedy of each stage at which a daemon can fail. A refusal has its text from the daemon."""

STAGES: dict[str, tuple[str, str]] = {
    "dns": ("the host name was not resolved", "check its spelling and this machine's DNS"),
    "connect": ("no connection", "is dbsyncd running there?"),
    "tls": (
        "no trusted encrypted connection",
        "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what the daemon logs when it starts",
    ),
    "timeout": ("no answer in time", "it may be suspended or overloaded: see that daemon's log"),
    "not-awaited": ("the call had failed before it answered", "see the reports of the other daemons"),
    "garbage": (
        "the answer is not a dbsync message",
        "does dbsyncd listen on this port? If it does, it is broken or lies",
    ),
    "busy": ("its queue in this client is full", "send fewer commands at a time, or find out why it is slow"),
    "reply": ("the command failed there", "the daemon's text says why; correct the command"),
    "refused": ("the daemon refused it", "its text says what to do"),
    "lost": ("the connection was lost before the answer", "see that daemon's log"),
    "version": (
        "it closes the connection on version 2's hello: it speaks only version 1, is at its connection limit, "
        "or an attacker hides version 2",
        "is that dbsyncd's port? this Python client speaks only version 2",
    ),
    "wrong-cluster": ("that daemon belongs to another cluster", "correct the list of servers, or the option cluster"),
    "closed": ("the client was closed first", "close it after the last answer"),
}

EFFECTS = {
    "not-applied": "not applied there",
    "unknown": "may have been applied there",
    "recorded": "recorded there, and may yet succeed",
}

CODES = {
    "all-failed": "No daemon answered",
    "refused": "No daemon accepted the command",
    "answers-differ": "The daemons' answers differ",
    "clocks-differ": "Only daemons whose clocks differ from the remaining ones answered, with nil",
    "not-all-answered": "Not every daemon answered, as the policy requires",
    "too-few-answers": "Fewer daemons answered than the policy requires",
    "late-answers": "Too few daemons agree, because the others received the command after later commands on its keys",
    "clusters-differ": "The servers belong to different clusters",
    "closed": "The client was closed",
}
"""The sentences about a complete call."""

# The beginning of the refusal that a port of a daemon for another protocol sends, and the remedy.
OTHER_PORT = "malformed: this port serves "
OTHER_PORT_CURE = "specify the daemon's --port instead, which is 1111 by default"

# From the store's table: made by npm run tables.
NAMES = (
    "ASKING AUTH BITCOUNT BITFIELD_RO BITPOS COMMAND DBSIZE DOC.COUNT DOC.GET DOC.GETALL DOC.GETKEYS "
    "DOC.LIST DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL FCALL_RO FUNCTION "
    "GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET "
    "HGETALL HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS INFO KEYS LASTSAVE LCS LINDEX LLEN LOLWUT "
    "LPOS LRANGE MDB.AGGREGATE MDB.COUNT MDB.DISTINCT MDB.EXPLAIN MDB.FIND MDB.LISTCOLLECTIONS "
    "MDB.LISTDATABASES MDB.LISTINDEXES MDB.STATS MEMORY MGET OBJECT PEXPIRETIME PFCOUNT PING PSUBSCRIBE "
    "PTTL PUBSUB PUNSUBSCRIBE RANDOMKEY READONLY READWRITE ROLE SCAN SCARD SCRIPT SDIFF SINTER "
    "SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SQL_RO SRANDMEMBER SSCAN SSUBSCRIBE STRLEN "
    "SUBSCRIBE SUBSTR SUNION SUNSUBSCRIBE TIME TOUCH TTL TYPE UNSUBSCRIBE WAIT WRITERS XINFO XLEN "
    "XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER "
    "ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN "
    "ZSCORE ZUNION"
)
# The end of what is made by npm run tables.

READ_COMMANDS = frozenset(NAMES.split())
"""The names of commands that change nothing. A read that is missing here is sent like a write."""

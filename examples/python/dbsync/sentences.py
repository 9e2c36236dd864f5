"""The texts of failures: the meaning and the remedy of each stage at which a daemon can fail, and the remedy of each refusal."""

STAGES: dict[str, tuple[str, str]] = {
    "dns": ("the host name was not resolved", "check its spelling and this machine's DNS"),
    "connect": ("no connection", "is dbsyncd running there?"),
    "tls": (
        "no trusted encrypted connection",
        "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what the daemon logs when it starts",
    ),
    "timeout": ("no answer in time", "it may be suspended or overloaded: see that daemon's log"),
    "not-awaited": ("the call had failed before it answered", "see the reports of the other daemons"),
    "garbage": ("the answer is not a dbsync message", "does dbsyncd listen on this port?"),
    "busy": ("its queue in this client is full", "send fewer commands at a time, or find out why it is slow"),
    "reply": ("the command failed there", "the daemon's text says why; correct the command"),
    "refused": ("the daemon refused it", "docs/protocol-v2.md, Refusals, says what to do"),
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

OWN_CURES = {"unsigned": "specify the private key: key=… or DBSYNC_SIGNKEY, for python3 -m dbsync --key"}
"""The remedies of refusals that differ in this package."""

# From the client's table of refusals: made by npm run tables.
REFUSAL_CURES: dict[str, str] = {
    "malformed": (
        "the daemon's log says what is wrong, and where: a command may be longer than it accepts "
        "(--max-request-bytes); otherwise update this client or that daemon"
    ),
    "not-due": "start the daemon with this key's public half (-s), or do not sign",
    "unsigned": "specify the private key (-k, the option key, DBSYNC_SIGNKEY, dbsync.signkey)",
    "unknown-key": (
        "the daemon does not know this key: compare the fingerprint that dbsync doctor shows with dbsync "
        "keys list, or with what the daemon was started with (-s, --root-key; \"key accepted\" in its log)"
    ),
    "key-not-yet-valid": "this key is not valid yet: wait, or set that daemon's clock by NTP",
    "key-expired": "this key has expired: add a new one (dbsync keys add)",
    "revoked": "this key was revoked permanently: generate a new pair (dbsync-keygen), and add it (dbsync keys add)",
    "bad-signature": "the command was changed in transit; look for a middlebox, or use TLS (dbsyncs://)",
    "wrong-cluster": "start all daemons with the same -s, --root-key and --cluster-name, or correct the option cluster",
    "wrong-daemon": "send it to the daemon that the option only names",
    "not-a-daemon": "sign with a daemon's key, or only for yourself",
    "wrong-db": "specify a database that exists (db)",
    "if-not-carried": "leave the option if out, or start the daemon with -d memory",
    "not-alone": "send KEY and CLUSTER commands separately, not in one multi",
    "ring-too-long": "change fewer keys in one step, or define fewer rules for them",
    "skew": "set both clocks by NTP",
    "too-old": "try again; if it fails again, set both clocks by NTP",
    "catching-up": "try again in a few seconds",
    "answer-not-kept": "check the effect of the command",
    "over-rate": (
        "this key exceeds its rate: wait, or generate a new pair, add it with a higher --rate (dbsync keys "
        "add), and revoke this one"
    ),
    "not-yet": "try again later: the daemon does not have the write that `after` refers to",
    "memory-full": "wait, or raise the daemon's --max-remembered",
    "out-of-memory": "delete data that you do not need, or raise the daemon's --maxmemory",
    "too-much": "split the command, or raise the daemon's --max-unit-steps",
    "only-for-reads": "omit the option only: it is for commands that read",
    "daemon-revoked": "use another daemon; start that one with a new data folder, or stop it",
    "not-listed": (
        "use another daemon; add that one to the list (dbsync members add), with a new data folder if it was "
        "removed"
    ),
    "clock-off": "use another daemon, and set that daemon's clock by NTP",
    "semantics-unknown": "use another daemon, and upgrade that one",
    "storage-failed": "see that daemon's log: free space on its disk or repair it, and start the daemon again",
    "order-unavailable": "see that daemon's log, and check its NATS server; or use another daemon",
    "order-too-long": "send smaller commands, or raise max_payload of the daemon's NATS server",
    "events-not-taken": "read its events faster, or subscribe to less",
    "no-longer-permitted": "listen with a key that is permitted to, or change its rules (dbsync keys)",
    "cannot-wait": "leave out stable and replicated, or start the daemon with --data or --peer",
    "too-few-daemons": "wait for fewer daemons (replicated), or start more; dbsync status lists the daemons",
    "not-stable": "check the effect of the command; dbsync status shows which daemon is unreachable",
    "not-replicated": "check the effect of the command; dbsync status shows which daemon is unreachable",
    "database-down": "see that daemon's log, and start its database",
    "database-lost": "check the effect of the command, and see that daemon's log",
    "database-timeout": "check the effect of the command, or raise the daemon's --backend-timeout",
}
# The end of what is made by npm run tables.

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

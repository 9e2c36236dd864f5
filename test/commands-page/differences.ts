/** Differences of commands from Redis's. Names are the command table's. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "ACL|GETUSER": "As ACL LIST.",
  "ACL|LIST": "Rules on commands are in the order in which they were set, each once, as in Redis 7.2.",
  "ACL|SAVE": "Writes --acl-file.",
  PUBLISH:
    "Delivered on all daemons that are connected (consistency.md); the answer counts subscribers of this one. A signed one is in an envelope with other messages alone. In a transaction messages to its own connection come before EXEC's answer, as RESP3 requires, not within.",
  SPUBLISH: "As PUBLISH.",
  "ACL|SETUSER":
    "First arguments (+select|0) are not distinguished; commands of Redis that are not here may be named. A user that is switched off is logged out immediately.",
  BGREWRITEAOF: "With --data it answers that nothing waits to be saved, without it an error.",
  BGSAVE: "With --data it answers that nothing waits to be saved, without it an error.",
  "CLIENT|KILL": "All connections are of type normal.",
  "CLIENT|LIST": "fd is -1, and buffers are reported as bytes that are held.",
  "CLIENT|NO-EVICT":
    "Answers OK and changes nothing: the connection that holds most is closed above --max-buffered-bytes.",

  "CLIENT|SETNAME": "Names have 1024 bytes at most.",
  "CLIENT|TRACKING":
    "A sidecar, which holds no keys itself, refuses ON. Keys beyond tracking-table-max-keys are reported as changed in the order in which they were noted.",
  COMMAND: "Of our own table.",
  "COMMAND|DOCS": "Without arguments and history, in our words.",
  "CONFIG|GET": "Of the settings that there are.",
  "CONFIG|REWRITE": "An error: the configuration file is never written.",
  "CONFIG|SET":
    "Limits of the listener and of memory, and the default user's password, until the daemon stops or reads its configuration again. Settings of how Redis stores values, tidies up, saves (appendonly, save) and replicates are accepted and returned, and change nothing here except what OBJECT ENCODING says and how small collections are scanned. loglevel, notify-keyspace-events, tcp-keepalive, acllog-max-len, latency-tracking and the hard limit of normal clients (client-output-buffer-limit; 0 leaves --max-output-bytes) have their effect. Other settings only to what they are.",
  DEBUG:
    "AOF-FLUSH-SLEEP, CHANGE-REPL-ID, DIGEST, DIGEST-VALUE, ERROR, HELP, LISTPACK, LOADAOF, LOG, OBJECT, PAUSE-CRON, POPULATE, PROTOCOL, QUICKLIST, QUICKLIST-PACKED-THRESHOLD, RELOAD, REPLYBUFFER, SET-ACTIVE-EXPIRE, SET-DISABLE-DENY-SCRIPTS, SET-SKIP-CHECKSUM-VALIDATION, SLEEP, STRINGMATCH-TEST. As in Redis none unless --enable-debug-command permits it. SLEEP delays its own connection only; digests are ours; subcommands on how Redis stores values change nothing.",
  INFO: "Fields whose values are known. Times of latencystats are rounded up to powers of two.",
  "MODULE|LOAD": "There are no modules.",
  PSYNC: "An error: daemons are each other's peers (--peer).",
  REPLCONF: "Only rdb-only is heeded.",
  SYNC: "After REPLCONF rdb-only 1, as redis-cli --rdb sends it: all keys in one answer, of --max-output-bytes at most. An error to a client that would replicate, and where documents, tables or collections are among the keys.",
  LASTSAVE: "With --data now: what is acknowledged is on the disk.",
  EVAL: "A script that takes longer than --lua-time-limit is stopped by an error, and no other client is answered before; what it wrote stays. With --data or --peer it writes to one database, 4096 commands at most, and what it wrote is recorded as one unit (consistency.md). redis.set_repl and redis.debug have no effect.",
  EVALSHA: "As EVAL.",
  FCALL: "As EVAL.",
  "FUNCTION|LIST": "In the order in which they were loaded.",
  "FUNCTION|LOAD":
    "Libraries belong to the daemon that loaded them: neither recorded nor sent to other daemons; stored in its data folder (`--data`), else gone when it stops. What a function keeps in a local of its library may be gone between two calls.",
  "SCRIPT|DEBUG": "There is no debugger: YES and SYNC are errors.",
  "SCRIPT|KILL": "An error: when it is read no script runs any more.",
  "FUNCTION|KILL": "As SCRIPT KILL.",
  EXEC: "With --data or --peer of 4096 commands at most, if one of them writes.",
  "LATENCY|DOCTOR": "In our words.",
  "LATENCY|LATEST": "Events are command and fast-command.",
  LOLWUT: "Another picture.",
  "MEMORY|DOCTOR": "About V8's heap.",
  "MEMORY|MALLOC-STATS": "About V8's heap.",
  "MEMORY|PURGE": "Answers OK: V8 gives memory back by itself.",
  "MEMORY|STATS": "About V8's heap; fields whose values are known.",
  "MEMORY|USAGE": "An estimate of our own bytes.",
  MONITOR:
    "Commands of Redis clients; not those of signed envelopes. Those above 64 KiB are shortened as in SLOWLOG.",
  "OBJECT|ENCODING":
    "What Redis would call it in a new value with these contents, by the limits that CONFIG SET has set here; for Redis clients of a memory alone also in a string that was changed in place.",
  "OBJECT|IDLETIME": "An error without an LRU --maxmemory-policy: when a key was last used is not kept then.",
  PFCOUNT: "Changes nothing; in Redis it keeps its result in the key.",
  REPLICAOF: "NO ONE is answered OK, all else is an error.",
  RESTORE: "Compressed strings of a payload become 512 MiB together at most.",
  ROLE: "Always master: every daemon takes writes.",
  SAVE: "With --data OK, without it an error.",
  SHUTDOWN: "Stops the daemon; what is acknowledged is on the disk already.",
  SLAVEOF: "As REPLICAOF.",
  SORT: "Texts are compared by their bytes, whatever the locale.",
  SORT_RO: "As SORT.",
  WAIT: "Counts the daemons with the connection's last write on their disks; 0 immediately without --peer. DBSYNC REPLY stable waits for what is final.",
  WATCH:
    "With a timeline a key that was absent, and came and went again in one turn or at another daemon, counts as unchanged. A command that changes nothing, such as HSET of the same value, counts as none.",
  XADD: "With a timeline ids have long second numbers, and `~` trims by whole hundreds.",
  XCLAIM: "RETRYCOUNT counts up to 2^53-1.",
  XREADGROUP: "With a timeline two consumers that ask two daemons may be handed one entry (consistency.md).",
  XTRIM: "`~` trims by whole hundreds.",
};

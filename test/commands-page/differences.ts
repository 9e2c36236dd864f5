/** Differences of commands from Redis's. Names are the command table's. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "ACL|GETUSER": "See ACL LIST.",
  "ACL|LIST": "Lists rules on commands in the order in which they were set, each once, as in Redis 7.2.",
  "ACL|SAVE": "Writes --acl-file.",
  PUBLISH:
    "All connected daemons deliver the message (consistency.md); the answer counts the subscribers of this daemon. An envelope with a signed message contains only messages. In a transaction, messages to the own connection arrive before the answer of EXEC, as RESP3 requires, not within it.",
  SPUBLISH: "See PUBLISH.",
  "ACL|SETUSER":
    "Does not distinguish first arguments (+select|0), and accepts names of unsupported Redis commands. Logs a disabled user out immediately.",
  BGREWRITEAOF:
    "With --data, it answers that nothing needs to be saved; without --data, it returns an error.",
  BGSAVE: "With --data, it answers that nothing needs to be saved; without --data, it returns an error.",
  "CLIENT|KILL": "All connections are of type normal.",
  "CLIENT|LIST": "fd is -1, and buffers are the number of buffered bytes.",
  "CLIENT|NO-EVICT":
    "Answers OK and has no effect: above --max-buffered-bytes, the daemon closes the connection that uses most.",

  "CLIENT|SETNAME": "Names have at most 1024 bytes.",
  "CLIENT|TRACKING":
    "A sidecar refuses ON, because it has no keys. Keys beyond tracking-table-max-keys are reported as changed in the order in which they were tracked.",
  COMMAND: "Describes the commands of dbsyncd.",
  "COMMAND|DOCS": "Without arguments and history, with other texts.",
  "CONFIG|GET": "Only settings that dbsyncd has.",
  "CONFIG|REWRITE": "An error: the daemon never writes the configuration file.",
  "CONFIG|SET":
    "Limits of the listener and of memory, and the default user's password, until the daemon stops or reads its configuration again. It accepts and returns settings of how Redis stores, expires, saves (appendonly, save) and replicates values, but they only affect the answers of OBJECT ENCODING and scans of small collections. loglevel, notify-keyspace-events, tcp-keepalive, acllog-max-len, latency-tracking and the hard limit of normal clients (client-output-buffer-limit; 0 leaves --max-output-bytes) have their effect. Other settings can only be set to their current value.",
  DEBUG:
    "AOF-FLUSH-SLEEP, CHANGE-REPL-ID, DIGEST, DIGEST-VALUE, ERROR, HELP, LISTPACK, LOADAOF, LOG, OBJECT, PAUSE-CRON, POPULATE, PROTOCOL, QUICKLIST, QUICKLIST-PACKED-THRESHOLD, RELOAD, REPLYBUFFER, SET-ACTIVE-EXPIRE, SET-DISABLE-DENY-SCRIPTS, SET-SKIP-CHECKSUM-VALIDATION, SLEEP, STRINGMATCH-TEST. As in Redis, only if --enable-debug-command permits it. SLEEP delays only its own connection; digests differ; subcommands on the storage of values have no effect.",
  INFO: "Contains only fields whose values are known. Times of latencystats are rounded up to powers of two.",
  "MODULE|LOAD": "dbsyncd has no modules.",
  PSYNC: "An error: daemons replicate with --peer.",
  REPLCONF: "Only rdb-only has an effect.",
  SYNC: "After REPLCONF rdb-only 1, as redis-cli --rdb sends it: returns all keys in one answer of at most --max-output-bytes. Otherwise, and if there are documents, tables or collections, an error.",
  LASTSAVE: "With --data, the current time: all acknowledged writes are on the disk.",
  EVAL: "The daemon stops a script that takes longer than --lua-time-limit with an error, and answers no other client before; its writes stay. With --data or --peer, a script can write to one database, with at most 4096 commands, and the daemon records its writes as one unit (consistency.md). redis.set_repl and redis.debug have no effect.",
  EVALSHA: "See EVAL.",
  FCALL: "See EVAL.",
  "FUNCTION|LIST": "Lists libraries in the order in which they were loaded.",
  "FUNCTION|LOAD":
    "Libraries belong to the daemon that loaded them. It neither records them nor sends them to other daemons; it stores them in its data folder (`--data`), otherwise they are lost when it stops. Local variables of a library may lose their values between two calls.",
  "SCRIPT|DEBUG": "dbsyncd has no debugger: YES and SYNC are errors.",
  "SCRIPT|KILL": "An error: when the daemon reads this command, no script is running.",
  "FUNCTION|KILL": "See SCRIPT KILL.",
  EXEC: "With --data or --peer, at most 4096 commands if one of them writes.",
  "LATENCY|DOCTOR": "The texts differ.",
  "LATENCY|LATEST": "Events are command and fast-command.",
  LOLWUT: "Another picture.",
  "MEMORY|DOCTOR": "About V8's heap.",
  "MEMORY|MALLOC-STATS": "About V8's heap.",
  "MEMORY|PURGE": "Answers OK: V8 releases memory automatically.",
  "MEMORY|STATS": "About V8's heap; fields whose values are known.",
  "MEMORY|USAGE": "An estimate of the daemon's own memory.",
  MONITOR:
    "Shows commands of Redis clients, not of signed envelopes. Commands above 64 KiB are shortened as in SLOWLOG.",
  "OBJECT|ENCODING":
    "The encoding that Redis would use for a new value with these contents, by the limits of CONFIG SET; for Redis clients of a daemon in memory alone, also for a string that was changed in place.",
  "OBJECT|IDLETIME":
    "An error without an LRU --maxmemory-policy, because the daemon then does not store when a key was last used.",
  PFCOUNT: "Changes nothing; Redis stores the result in the key.",
  REPLICAOF: "Answers NO ONE with OK, and everything else with an error.",
  RESTORE: "The compressed strings of a payload may expand to at most 512 MiB in total.",
  ROLE: "Always master: every daemon accepts writes.",
  SAVE: "OK with --data, an error without it.",
  SHUTDOWN: "Stops the daemon; acknowledged writes are already on the disk.",
  SLAVEOF: "See REPLICAOF.",
  SORT: "Compares texts by their bytes, regardless of the locale.",
  SORT_RO: "See SORT.",
  WAIT: "Counts the daemons with the connection's last write on their disks; 0 immediately without --peer. DBSYNC REPLY stable waits until writes are final.",
  WATCH:
    "With a timeline, an absent key that was created and removed again in one step or on another daemon counts as unchanged. A command that changes nothing, such as HSET with the same value, does not count as a change.",
  XADD: "With a timeline, ids have long second numbers. `~` trims in steps of a hundred entries.",
  XCLAIM: "RETRYCOUNT counts up to 2^53-1.",
  XREADGROUP: "With a timeline, two consumers of two daemons may receive the same entry (consistency.md).",
  XTRIM: "`~` trims in steps of a hundred entries.",
};

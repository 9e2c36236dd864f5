/** The differences from Redis, by the names of the command table. docs/commands.md contains them. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "ACL|GETUSER": "See ACL LIST.",
  "ACL|LIST": "Lists each rule on commands once, in the order in which the rules were set, as in Redis 7.2.",
  "ACL|SAVE": "Writes the file of --acl-file.",
  PUBLISH:
    "Messages are delivered on all connected daemons (consistency.md); the answer counts the subscribers of this daemon. A signed envelope with PUBLISH can contain only messages. In a transaction, messages to the same connection precede EXEC's answer, as RESP3 requires, and are not part of it.",
  SPUBLISH: "See PUBLISH.",
  "ACL|SETUSER":
    "Rules cannot name first arguments (+select|0), but may name commands of Redis that the daemon does not have. A user that is switched off is logged out immediately.",
  BGREWRITEAOF: "With --data, the answer is that no save is pending; without --data, it is an error.",
  BGSAVE: "With --data, the answer is that no save is pending; without --data, it is an error.",
  "CLIENT|KILL": "All connections are of type normal.",
  "CLIENT|LIST": "fd is -1, and buffers are reported in bytes.",
  "CLIENT|NO-EVICT":
    "Returns OK without an effect: above --max-buffered-bytes, the connection with the most bytes is closed.",

  "CLIENT|SETNAME": "Names have at most 1024 bytes.",
  "CLIENT|TRACKING":
    "A sidecar, which stores no keys, refuses ON. Above tracking-table-max-keys, the oldest tracked keys are reported as changed.",
  COMMAND: "Lists the commands of the daemon.",
  "COMMAND|DOCS": "Without arguments and history; descriptions differ.",
  "CONFIG|GET": "Only settings that the daemon has.",
  "CONFIG|REWRITE": "An error: the configuration file is never written.",
  "CONFIG|SET":
    "Sets limits of the listener and of memory, and the default user's password, until the daemon stops or reads its configuration again. Settings for how Redis stores values, cleans up, saves (appendonly, save) and replicates are accepted and returned, but only affect OBJECT ENCODING and how small collections are scanned. loglevel, notify-keyspace-events, tcp-keepalive, acllog-max-len, latency-tracking and the hard limit of normal clients (client-output-buffer-limit; 0: --max-output-bytes applies) have an effect. Other settings can only be set to their present values.",
  DEBUG:
    "AOF-FLUSH-SLEEP, CHANGE-REPL-ID, DIGEST, DIGEST-VALUE, ERROR, HELP, LISTPACK, LOADAOF, LOG, OBJECT, PAUSE-CRON, POPULATE, PROTOCOL, QUICKLIST, QUICKLIST-PACKED-THRESHOLD, RELOAD, REPLYBUFFER, SET-ACTIVE-EXPIRE, SET-DISABLE-DENY-SCRIPTS, SET-SKIP-CHECKSUM-VALIDATION, SLEEP, STRINGMATCH-TEST. As in Redis, all of them need --enable-debug-command. SLEEP delays only its own connection; digests differ; subcommands about how Redis stores values have no effect.",
  INFO: "Only fields whose values are known. Times of latencystats are rounded up to powers of two.",
  "MODULE|LOAD": "There are no modules.",
  PSYNC: "An error: daemons are each other's peers (--peer).",
  REPLCONF: "Only rdb-only has an effect.",
  SYNC: "After REPLCONF rdb-only 1, which redis-cli --rdb sends, returns all keys in one answer of at most --max-output-bytes. An error if the client wants to replicate, or if some keys are documents, tables or collections.",
  LASTSAVE: "With --data, the present time, because acknowledged writes are on the disk.",
  EVAL: "A script that takes longer than --lua-time-limit is stopped with an error. Until then, no other client is answered. Writes that the script has made remain. With --data or --peer, a script can write to one database with at most 4096 commands, and its writes are recorded as one unit (consistency.md). redis.set_repl and redis.debug have no effect.",
  EVALSHA: "See EVAL.",
  FCALL: "See EVAL.",
  "FUNCTION|LIST": "Libraries are listed in the order in which they were loaded.",
  "FUNCTION|LOAD":
    "Libraries belong to the daemon that loaded them. They are neither recorded nor sent to other daemons, and stored only in the data folder (`--data`); otherwise they are lost when the daemon stops. Values in local variables of a library may be lost between two calls.",
  "SCRIPT|DEBUG": "There is no debugger: YES and SYNC are errors.",
  "SCRIPT|KILL": "An error: when the daemon reads the command, no script is running.",
  "FUNCTION|KILL": "See SCRIPT KILL.",
  EXEC: "With --data or --peer, at most 4096 commands if one of them writes.",
  "LATENCY|DOCTOR": "The text differs.",
  "LATENCY|LATEST": "Events are command and fast-command.",
  LOLWUT: "A different picture.",
  "MEMORY|DOCTOR": "About V8's heap.",
  "MEMORY|MALLOC-STATS": "About V8's heap.",
  "MEMORY|PURGE": "Returns OK without an effect: V8 releases memory automatically.",
  "MEMORY|STATS": "About V8's heap; only fields whose values are known.",
  "MEMORY|USAGE": "An estimate of the bytes in the daemon.",
  MONITOR:
    "Shows commands of Redis clients, but not those of signed envelopes. Commands above 64 KiB are shortened as in SLOWLOG.",
  "OBJECT|ENCODING":
    "The encoding that Redis would use for a new value with these contents, by the limits of CONFIG SET. For Redis clients of a database that is only in memory, strings that were changed in place are also reported as in Redis.",
  "OBJECT|IDLETIME":
    "An error without an LRU --maxmemory-policy, because the time of the last use is then not stored.",
  PFCOUNT: "Does not change the key; Redis caches the result in the key.",
  REPLICAOF: "OK for NO ONE, otherwise an error.",
  RESTORE: "The compressed strings of a payload may have a total of 512 MiB when they are decompressed.",
  ROLE: "Always master: every daemon accepts writes.",
  SAVE: "OK with --data, otherwise an error.",
  SHUTDOWN: "Stops the daemon; acknowledged writes are already on the disk.",
  SLAVEOF: "See REPLICAOF.",
  SORT: "Texts are compared by their bytes, regardless of the locale.",
  SORT_RO: "See SORT.",
  WAIT: "Counts the daemons that have the connection's last write on their disks; 0 immediately without --peer. DBSYNC REPLY stable waits until writes are final.",
  WATCH:
    "With a timeline, an absent key that was created and deleted again in one step or on another daemon counts as unchanged. A command without an effect, such as HSET of the same value, does not count as a change.",
  XADD: "With a timeline, the sequence numbers of ids have many digits. `~` trims in multiples of 100.",
  XCLAIM: "RETRYCOUNT counts up to 2^53-1.",
  XREADGROUP:
    "With a timeline, two consumers that read from two daemons may receive the same entry (consistency.md).",
  XTRIM: "`~` trims in multiples of 100.",
};

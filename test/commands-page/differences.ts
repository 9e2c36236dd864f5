/**
 * The differences from Redis, by the names of the command table. docs/commands.md contains them. They are not in the
 * rows because they are the text of that page, and every daemon would load them.
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "ACL|GETUSER": "See ACL LIST.",
  "ACL|LIST": "Lists each rule on commands once, in the order in which the rules were set, as in Redis 7.2.",
  PUBLISH:
    "All connected daemons deliver the message ([consistency.md](consistency.md)), and the answer counts the subscribers that they have reported. A signed envelope with PUBLISH can contain only messages. In a transaction, messages to the same connection precede EXEC's answer, as RESP3 requires, and are not part of it.",
  SPUBLISH: "See PUBLISH.",
  "PUBSUB|CHANNELS":
    "The answer includes the channels of all connected daemons, up to 50,000 of each ([consistency.md](consistency.md#guarantees-of-publish)).",
  "PUBSUB|NUMPAT": "Counts the patterns of all connected daemons, each once. See PUBSUB CHANNELS.",
  "PUBSUB|NUMSUB": "Counts the subscribers of all connected daemons. See PUBSUB CHANNELS.",
  "PUBSUB|SHARDCHANNELS": "See PUBSUB CHANNELS.",
  "PUBSUB|SHARDNUMSUB": "See PUBSUB NUMSUB.",
  "ACL|SETUSER":
    "Rules cannot name first arguments (+select|0), but may name commands of Redis that the daemon does not have. If you switch a user off, the daemon closes the user's session immediately.",
  BGREWRITEAOF: "With --data, the answer says that no save is necessary. Without --data, it is an error.",
  BGSAVE: "See BGREWRITEAOF.",
  "CLIENT|ID": "The number is unique on this daemon only.",
  "CLIENT|KILL": "All connections have the type normal. It closes connections of this daemon only.",
  "CLIENT|LIST":
    "It lists the connections of this daemon only. The field fd is always -1, and the sizes of buffers are in bytes.",
  "CLIENT|NO-EVICT":
    "It has no effect: above --max-buffered-bytes, the daemon closes the connection with the most bytes.",

  "CLIENT|PAUSE": "It pauses the clients of this daemon only.",
  "CLIENT|SETNAME": "A name has at most 1024 bytes.",
  "CLIENT|TRACKING":
    "A sidecar refuses ON, because it stores no keys. Above tracking-table-max-keys, the daemon reports the oldest tracked keys as changed.",
  COMMAND: "The answer lists the commands of the daemon.",
  "COMMAND|DOCS": "The answer contains no arguments and no history, and the descriptions differ.",
  "CONFIG|GET": "Returns only settings that the daemon has.",
  "CONFIG|SET":
    "You can change the limits of the listener and of memory, the default user's password, loglevel, notify-keyspace-events, tcp-keepalive, acllog-max-len, latency-tracking, and the hard limit of normal clients (client-output-buffer-limit; 0: --max-output-bytes applies). The daemon accepts and returns settings for how Redis stores values (except the nodes of streams), cleans up, saves (appendonly, save) and replicates, but they affect only OBJECT ENCODING and how small collections are scanned. It accepts all other settings only with their present values. Changes last until the daemon stops or reads its configuration again.",
  DEBUG:
    "Only these subcommands: AOF-FLUSH-SLEEP, CHANGE-REPL-ID, DIGEST, DIGEST-VALUE, ERROR, HELP, LISTPACK, LOADAOF, LOG, OBJECT, PAUSE-CRON, POPULATE, PROTOCOL, QUICKLIST, QUICKLIST-PACKED-THRESHOLD, RELOAD, REPLYBUFFER, SET-ACTIVE-EXPIRE, SET-DISABLE-DENY-SCRIPTS, SET-SKIP-CHECKSUM-VALIDATION, SLEEP, STRINGMATCH-TEST. As in Redis, they need --enable-debug-command. SLEEP delays only its own connection. Digests differ. Subcommands about how Redis stores values have no effect.",
  INFO: "Contains only fields whose values the daemon knows. They describe this daemon only, also pubsub_channels and connected_clients. The times of latencystats are rounded up to powers of two.",
  REPLCONF: "Only the option rdb-only has an effect.",
  SYNC: "It works only after REPLCONF rdb-only 1, which redis-cli --rdb sends. It then returns all keys in one answer of at most --max-output-bytes. It is an error if the client wants to replicate, or if some keys are documents, tables or collections.",
  LASTSAVE: "With --data, it returns the present time, because acknowledged writes are on the disk.",
  EVAL: "The daemon stops a script that takes longer than --lua-time-limit, with an error. Until then, it answers no other client. A script that reaches a limit is refused as a whole: nothing of it takes effect. The limits are --lua-time-limit, --lua-memory, --max-unit-steps, --max-read-steps, --max-read-bytes, and 100,000 commands that write. Messages that it publishes are sent after its writes. With --data or --peer, a script can write to only one database, and the daemon records its writes as one unit ([consistency.md](consistency.md)). redis.set_repl and redis.debug have no effect. What a script sets in cjson (cjson.encode_max_depth …) applies to later scripts of this daemon only.",
  EVALSHA: "See EVAL.",
  FCALL: "See EVAL.",
  "FUNCTION|LIST": "The libraries appear in the order in which they were loaded.",
  "FUNCTION|LOAD":
    "A library belongs to the daemon that loaded it. The daemon neither records it in the timeline nor sends it to other daemons. With --data, it stores the library in the data folder; otherwise the library is lost when the daemon stops. Values in local variables of a library may be lost between two calls.",
  "SCRIPT|DEBUG": "YES and SYNC are errors; NO is not.",
  "SCRIPT|KILL": "It is always an error, because the daemon reads no command while a script runs.",
  "FUNCTION|KILL": "See SCRIPT KILL.",
  EXEC: "A transaction that reaches a limit (--max-unit-steps, --max-read-steps, --max-read-bytes, 100,000 commands that write) is refused as a whole.",
  "LATENCY|DOCTOR": "The text differs.",
  "LATENCY|LATEST": "The only events are command and fast-command.",
  LOLWUT: "The picture differs.",
  "MEMORY|DOCTOR": "It describes V8's heap.",
  "MEMORY|MALLOC-STATS": "It describes V8's heap.",
  "MEMORY|PURGE": "It has no effect.",
  "MEMORY|STATS": "It describes V8's heap, and contains only fields whose values the daemon knows.",
  "MEMORY|USAGE": "It estimates the bytes that the value takes in the daemon, not in Redis.",
  MONITOR:
    "It shows the commands of this daemon's Redis clients, but not those of signed envelopes. It shortens commands above 64 KiB as SLOWLOG does.",
  "OBJECT|ENCODING":
    "It returns the encoding that Redis would use for a new value with the same contents and the limits of CONFIG SET. If the database is only in memory, Redis clients also receive the encoding of Redis for strings that were changed in place.",
  "OBJECT|IDLETIME":
    "Each daemon counts the commands that it executed itself since it was started. With --data or --peer, writes of all daemons count, and a daemon that builds its state again counts from then.",
  PFCOUNT: "It does not change the key. In Redis, it caches the result in the key.",
  REPLICAOF: "Only NO ONE is permitted.",
  RESTORE: "The compressed strings of a payload may have a total of at most 512 MiB after decompression.",
  ROLE: "Shows a replica without its master while the daemon refuses writes.",
  SAVE: "Without --data, it is an error.",
  SHUTDOWN: "SAVE and NOSAVE have no effect: with --data, acknowledged writes are already on the disk.",
  SLAVEOF: "See REPLICAOF.",
  SORT: "It compares texts by their bytes, whatever the locale is.",
  SORT_RO: "See SORT.",
  WAIT: "Without --peer, it returns 0 immediately. To wait until writes are final, use DBSYNC REPLY stable.",
  WATCH:
    "With a timeline, an absent key that was created and deleted again in one step or on another daemon counts as unchanged. A command without an effect, such as HSET of the same value, does not count as a change.",
  XADD: "With a timeline, the sequence numbers of ids have many digits (63 bits at most). With `~`, it trims whole nodes of 100 entries, counted from the first one.",
  XCLAIM: "The maximum of RETRYCOUNT is 2^53-1.",
  XREAD:
    "With --peer, an entry is held back until the other daemons have closed its date, so that a follower misses nothing ([consistency.md](consistency.md#followers-of-streams)); not in transactions and scripts.",
  XREADGROUP:
    "With a timeline, two consumers that read from two daemons may receive the same entry ([consistency.md](consistency.md)).",
  XTRIM: "With `~`, it trims whole nodes of 100 entries, counted from the first one.",
};

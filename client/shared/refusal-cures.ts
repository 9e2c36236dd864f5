/**
 * What the user of a client can do about a daemon's refusal, by the code at the beginning of its detail.
 * docs/protocol-v2.md has a similar list for authors of clients. A test compares the codes of both lists.
 */
export const REFUSAL_CURES: Readonly<Record<string, string>> = {
  malformed:
    "the daemon's log says what is wrong, and where: a command may be longer than it accepts (--max-request-bytes); " +
    "otherwise update this client or that daemon",
  "not-due": "start the daemon with this key's public half (-s), or do not sign",
  unsigned: "specify the private key (-k, the option key, DBSYNC_SIGNKEY, dbsync.signkey)",
  "unknown-key":
    "the daemon does not know this key: compare the fingerprint that dbsync doctor shows with dbsync keys list, or " +
    'with what the daemon was started with (-s, --root-key; "key accepted" in its log)',
  "key-not-yet-valid": "this key is not valid yet: wait, or set that daemon's clock by NTP",
  "key-expired": "this key has expired: add a new one (dbsync keys add)",
  revoked:
    "this key was revoked permanently: generate a new pair (dbsync-keygen), and add it (dbsync keys add)",
  "bad-signature": "the command was changed in transit; look for a middlebox, or use TLS (dbsyncs://)",
  "wrong-cluster":
    "start all daemons with the same -s, --root-key and --cluster-name, or correct the option cluster",
  "wrong-daemon": "send it to the daemon that the option only names",
  "not-a-daemon": "sign with a daemon's key, or only for yourself",
  "wrong-db": "specify a database that exists (db)",
  "if-not-carried": "leave the option if out, or start the daemon with -d memory",
  "not-alone": "send KEY and CLUSTER commands separately, not in one multi",
  "ring-too-long": "change fewer keys in one step, or define fewer rules for them",
  skew: "set both clocks by NTP",
  "too-old": "try again; if it fails again, set both clocks by NTP",
  "catching-up": "try again in a few seconds",
  "answer-not-kept": "check the effect of the command",
  "over-rate":
    "this key exceeds its rate: wait, or generate a new pair, add it with a higher --rate (dbsync keys add), and " +
    "revoke this one",
  "not-yet": "try again later: the daemon does not have the write that `after` refers to",
  "memory-full": "wait, or raise the daemon's --max-remembered",
  "out-of-memory": "delete data that you do not need, or raise the daemon's --maxmemory",
  "too-much": "split the command, or raise the daemon's --max-unit-steps",
  "only-for-reads": "omit the option only: it is for commands that read",
  "daemon-revoked": "use another daemon; start that one with a new data folder, or stop it",
  "not-listed":
    "use another daemon; add that one to the list (dbsync members add), with a new data folder if it was removed",
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
};

/**
 * What to do about a daemon's refusal, by the code that its detail begins with. For users of clients;
 * docs/protocol-v2.md says what a client's author does about each, and a test compares its codes with these.
 */
export const REFUSAL_CURES: Readonly<Record<string, string>> = {
  malformed:
    "the daemon's log says what is wrong, and where: a command may be longer than it takes (--max-request-bytes); else " +
    "update this client or that daemon",
  "not-due": "start the daemon with this key's public half (-s), or sign with no key",
  unsigned: "name the private key (-k, the option key, DBSYNC_SIGNKEY, dbsync.signkey)",
  "unknown-key":
    "the daemon does not know this key: compare the fingerprint that dbsync doctor shows with dbsync keys list, or " +
    'with what the daemon was started with (-s, --root-key; "key accepted" in its log)',
  "key-not-yet-valid": "this key's time has not begun: wait, or set that daemon's clock by NTP",
  "key-expired": "this key has expired: add a new one (dbsync keys add)",
  revoked: "this key was revoked permanently: make a new pair (dbsync-keygen), and add it (dbsync keys add)",
  "bad-signature": "something changes what is sent on its way; look for a middlebox, or use TLS (dbsyncs://)",
  "wrong-cluster":
    "start all daemons with the same -s, --root-key and --cluster-name, or correct the option cluster",
  "wrong-daemon": "ask the daemon that the option only names",
  "not-a-daemon": "sign with a daemon's key, or for yourself alone",
  "wrong-db": "name a database that is there (db)",
  "if-not-carried": "leave the option if out, or start the daemon with -d memory",
  "not-alone": "send KEY and CLUSTER commands by themselves, not in one multi",
  "ring-too-long": "change fewer keys in one step, or define fewer rules for them",
  skew: "set both clocks by NTP",
  "too-old": "try again; set both clocks by NTP if it stays",
  "catching-up": "try again in some seconds",
  "answer-not-kept": "look at what the command has done",
  "over-rate":
    "this key sends more than it may: wait, or make a new pair, add it with a higher --rate (dbsync keys add), and " +
    "revoke this one",
  "not-yet": "try again later: the daemon does not have the write that the option after names",
  "memory-full": "wait, or raise the daemon's --max-remembered",
  "out-of-memory": "delete what is not needed, or raise the daemon's --maxmemory",
  "too-much": "do it in parts, or raise the daemon's --max-unit-steps",
  "only-for-reads": "leave the option only out: it is for commands that read",
  "daemon-revoked": "use another daemon; start that one with a new data folder, or stop it",
  "not-listed":
    "use another daemon; add that one to the list (dbsync members add), with a new data folder if it was left out",
  "clock-off": "use another daemon, and set that daemon's clock by NTP",
  "semantics-unknown": "use another daemon, and upgrade that one",
  "storage-failed": "see that daemon's log: free or repair its disk, and start it again",
  "order-unavailable": "see that daemon's log, and how its NATS server is; or ask another daemon",
  "order-too-long": "send smaller commands, or raise max_payload of the daemon's NATS server",
  "events-not-taken": "read its events faster, or listen to less",
  "no-longer-permitted": "listen by a key that may, or change its rules (dbsync keys)",
  "cannot-wait": "leave out stable and replicated, or start the daemon with --data or --peer",
  "too-few-daemons":
    "wait for fewer daemons (replicated), or start more; dbsync status shows those that there are",
  "not-stable": "look at what the command has done; dbsync status shows which daemon is away",
  "not-replicated": "look at what the command has done; dbsync status shows which daemon is away",
  "database-down": "see that daemon's log, and start its database",
  "database-lost": "look at what the command has done, and see that daemon's log",
  "database-timeout": "look at what the command has done, or raise the daemon's --backend-timeout",
};

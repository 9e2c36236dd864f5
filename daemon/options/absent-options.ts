/** Suggestions for options that dbsyncd does not have: removed options, and options of other programs. */
const REMOVED: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries({
    "inline-write-us": "the daemon measures how long the disk takes, and chooses",
    "verify-threads": "the number of threads follows from the number of processors",
    "latency-monitor-threshold": "CONFIG SET latency-monitor-threshold still sets it, until a restart",
    "max-event-bytes": "the limit is always 8 MiB for each subscriber",
    "max-bulk-bytes": "CONFIG SET proto-max-bulk-len still sets it, until a restart",
    "ws-compress": "messages of browsers are never compressed",
    "json-replica-kept-writes": "dbsyncd daemons share the writes of JSON clients with --peer",
    "json-replica-kept-bytes": "dbsyncd daemons share the writes of JSON clients with --peer",
  }),
);

/** Suggestions for users that try an option of another program, by the names of these options. */
const EXPECTED: readonly (readonly [names: string, suggestion: string])[] = [
  [
    "redis redis-port redis-url redis-host",
    "For a port for Redis clients, write --resp [HOST:]PORT. To use a Redis as the database, write -d redis:host:port.",
  ],
  [
    "http dashboard metrics prometheus ui web health",
    "For the dashboard and metrics, write --admin [HOST:]PORT.",
  ],
  ["websocket websockets wss", "For browsers, write --ws [HOST:]PORT."],
  [
    "mysql postgres postgresql",
    "dbsyncd does not speak the protocols of MySQL and PostgreSQL. For SQL by lines of text, write --sql [[HOST:]PORT].",
  ],
  [
    "dir data-dir datadir dbpath appendonly persist save",
    "To store the data in a folder, write --data FOLDER.",
  ],
  [
    "replicaof slaveof join replica replicas cluster-enabled",
    "To connect daemons, write --peer HOST:PORT for each other one.",
  ],
  ["host listen address", "For the address to listen on, write --bind ADDRESS."],
  [
    "requirepass password auth user users aclfile",
    "For users with passwords, such as Redis and SQL clients, write --acl-file FILE. Clients of dbsync sign: -s public.pem.",
  ],
  [
    "verbose debug loglevel quiet",
    "For more or less output, write --log-level LEVEL, such as debug or warn.",
  ],
];

/**
 * Returns a sentence about the replacement of a removed option, or null if there was no such option.
 * @param name  without dashes
 */
export function insteadOf(name: string): string | null {
  const instead = REMOVED.get(name);
  return instead === undefined ? null : `This option was removed: ${instead}. Leave it out.`;
}

/**
 * Returns sentences about the options that serve the purpose of another program's option, or null if it is unknown.
 * @param name  without dashes
 */
export function suggestionFor(name: string): string | null {
  return EXPECTED.find(([names]) => names.split(" ").includes(name))?.[1] ?? null;
}

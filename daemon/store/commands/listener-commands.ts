/**
 * Commands that concern connections and the daemon itself, which faces/redis executes. The rows are those of
 * redis-server 7.0, except where `since` is later.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Command, CommandRow, Flag } from "../rows/command-row.js";
import { container, listenerRows } from "../rows/listener-rows.js";

const ANYWAY: readonly Flag[] = ["loading", "stale"];
const PLAIN: readonly Flag[] = ["noscript", ...ANYWAY];
const ADMIN: readonly Flag[] = ["admin", ...PLAIN];
const CLIENTS = "O(N), N: connections";

const VARYING: Partial<CommandRow> = { tips: ["nondeterministic_output"] };
const SUMMED_UP_BY_SHARD: Partial<CommandRow> = {
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
};
const SUMMED_UP_BY_NODE: Partial<CommandRow> = {
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
};
const ON_ALL_NODES: Partial<CommandRow> = {
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
};
const client = listenerRows("connection", {
  "CLIENT|CACHING": [
    3,
    PLAIN,
    "6.0.0",
    "O(1)",
    "Sets whether the client caches the keys of the next command.",
  ],
  "CLIENT|GETNAME": [2, PLAIN, "2.6.9", "O(1)", "Returns the connection's name."],
  "CLIENT|GETREDIR": [
    2,
    PLAIN,
    "6.0.0",
    "O(1)",
    "Returns the client that receives this client's invalidations, or -1 if there is none.",
  ],
  "CLIENT|ID": [2, PLAIN, "5.0.0", "O(1)", "Returns the connection's number."],
  "CLIENT|INFO": [2, PLAIN, "6.2.0", "O(1)", "Describes the connection.", VARYING],
  "CLIENT|KILL": [-3, ADMIN, "2.4.0", CLIENTS, "Closes connections by address, number, user or type."],
  "CLIENT|LIST": [-2, ADMIN, "2.4.0", CLIENTS, "Describes all connections, or some.", VARYING],
  "CLIENT|NO-EVICT": [
    3,
    ADMIN,
    "7.0.0",
    "O(1)",
    "Replies OK and changes nothing: connections are not evicted by age.",
  ],
  "CLIENT|NO-TOUCH": [3, PLAIN, "7.2.0", "O(1)", "Replies OK and changes nothing."],
  "CLIENT|PAUSE": [
    -3,
    ADMIN,
    "2.9.50",
    "O(1)",
    "Pauses commands, or those that write, for a number of milliseconds.",
  ],
  "CLIENT|REPLY": [
    3,
    PLAIN,
    "3.2.0",
    "O(1)",
    "Sets whether the connection receives replies: ON, OFF or SKIP.",
    { connectionUse: "silences" },
  ],
  "CLIENT|SETINFO": [4, PLAIN, "7.2.0", "O(1)", "Records the name or version of the client's library."],
  "CLIENT|SETNAME": [3, PLAIN, "2.6.9", "O(1)", "Names the connection."],
  "CLIENT|TRACKING": [
    -3,
    PLAIN,
    "6.0.0",
    "O(1)",
    "Sets whether the connection caches what it reads, and receives invalidations of changed keys.",
  ],
  "CLIENT|TRACKINGINFO": [2, PLAIN, "6.2.0", "O(1)", "Returns whether and how the connection tracks keys."],
  "CLIENT|UNBLOCK": [-3, ADMIN, "5.0.0", "O(1)", "Ends the wait of another connection."],
  "CLIENT|UNPAUSE": [2, ADMIN, "6.2.0", CLIENTS, "Ends CLIENT PAUSE."],
});

/** The names of settings that are secrets. */
const SECRET_SETTINGS: ReadonlySet<string> = new Set(["requirepass", "masterauth", "tls-key-file-pass"]);

/** Whether an argument of CONFIG SET is the value of such a setting. */
const isValueOfSecret = (argv: readonly ByteString[], index: number): boolean =>
  index > 2 && index % 2 === 1 && SECRET_SETTINGS.has(argv[index - 1]?.toLowerCase() ?? "");

const config = listenerRows("server", {
  "CONFIG|GET": [-3, ADMIN, "2.0.0", "O(N), N: settings", "Returns the settings whose names match patterns."],
  "CONFIG|RESETSTAT": [2, ADMIN, "2.0.0", "O(1)", "Resets the counters of INFO."],
  "CONFIG|REWRITE": [
    2,
    ADMIN,
    "2.8.0",
    "O(1)",
    "An error: the daemon does not write its configuration file.",
  ],
  "CONFIG|SET": [
    -4,
    ADMIN,
    "2.0.0",
    "O(N), N: settings",
    "Changes settings until the daemon stops or reloads its configuration.",
    { tips: ["request_policy:all_nodes", "response_policy:all_succeeded"], isSecret: isValueOfSecret },
  ],
});

const memory = listenerRows("server", {
  "MEMORY|DOCTOR": [2, [], "4.0.0", "O(1)", "Reports whether memory is low.", SUMMED_UP_BY_SHARD],
  "MEMORY|MALLOC-STATS": [2, [], "4.0.0", "O(1)", "Returns statistics of V8's heap.", SUMMED_UP_BY_SHARD],
  "MEMORY|PURGE": [
    2,
    [],
    "4.0.0",
    "O(1)",
    "Replies OK: V8 frees memory automatically.",
    { tips: ["request_policy:all_shards", "response_policy:all_succeeded"] },
  ],
  "MEMORY|STATS": [2, [], "4.0.0", "O(1)", "Returns the use of memory, by purpose.", SUMMED_UP_BY_SHARD],
});

const latency = listenerRows("server", {
  "LATENCY|DOCTOR": [2, ADMIN, "2.8.13", "O(1)", "Explains the samples of slow commands.", SUMMED_UP_BY_NODE],
  "LATENCY|HISTOGRAM": [
    -2,
    ADMIN,
    "7.0.0",
    "O(N), N: commands",
    "Returns a histogram of the times of commands.",
    SUMMED_UP_BY_NODE,
  ],
  "LATENCY|HISTORY": [
    3,
    ADMIN,
    "2.8.13",
    "O(1)",
    "Returns the samples of an event: time and milliseconds.",
    SUMMED_UP_BY_NODE,
  ],
  "LATENCY|LATEST": [
    2,
    ADMIN,
    "2.8.13",
    "O(1)",
    "Returns the latest and the highest sample of each event.",
    SUMMED_UP_BY_NODE,
  ],
  "LATENCY|RESET": [-2, ADMIN, "2.8.13", "O(1)", "Discards the samples of events.", ON_ALL_NODES],
});

const LOG: readonly Flag[] = ["admin", ...ANYWAY];
const slowlog = listenerRows("server", {
  "SLOWLOG|GET": [
    -2,
    LOG,
    "2.2.12",
    "O(N), N: entries returned",
    "Returns the latest slow commands.",
    { tips: ["request_policy:all_nodes", "nondeterministic_output"] },
  ],
  "SLOWLOG|LEN": [
    2,
    LOG,
    "2.2.12",
    "O(1)",
    "Counts the stored slow commands.",
    { tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"] },
  ],
  "SLOWLOG|RESET": [2, LOG, "2.2.12", "O(N), N: entries", "Removes the stored slow commands.", ON_ALL_NODES],
});

const USERS = "O(N), N: users";
const acl = listenerRows("server", {
  "ACL|CAT": [-2, PLAIN, "6.0.0", "O(1)", "Returns the categories, or the commands of a category."],
  "ACL|DELUSER": [-3, ADMIN, "6.0.0", "O(1)", "Removes users and closes their connections."],
  "ACL|DRYRUN": [-4, ADMIN, "7.0.0", "O(1)", "Checks whether a user may run a command."],
  "ACL|GENPASS": [-2, PLAIN, "6.0.0", "O(1)", "Generates a random password."],
  "ACL|GETUSER": [3, ADMIN, "6.0.0", "O(N), N: rules", "Returns a user's rules."],
  "ACL|LIST": [2, ADMIN, "6.0.0", USERS, "Returns all users in the format of an ACL file."],
  "ACL|LOAD": [2, ADMIN, "6.0.0", USERS, "Reads --acl-file again."],
  "ACL|LOG": [
    -2,
    ADMIN,
    "6.0.0",
    "O(N), N: entries returned",
    "Returns the denied commands and logins, with their users.",
  ],
  "ACL|SAVE": [2, ADMIN, "6.0.0", USERS, "Writes the users into --acl-file."],
  "ACL|SETUSER": [
    -3,
    ADMIN,
    "6.0.0",
    "O(N), N: rules",
    "Creates or changes a user.",
    { isSecret: (_, index) => index > 1 },
  ],
  "ACL|USERS": [2, ADMIN, "6.0.0", USERS, "Returns the users' names."],
  "ACL|WHOAMI": [2, PLAIN, "6.0.0", "O(1)", "Returns the name of the connection's user."],
});

const modules = listenerRows("server", {
  "MODULE|LIST": [
    2,
    ["admin", "noscript"],
    "4.0.0",
    "O(1)",
    "Returns an empty list: there are no modules.",
    { tips: ["nondeterministic_output_order"] },
  ],
  "MODULE|LOAD": [-3, ["admin", "noscript"], "4.0.0", "O(1)", "An error: there are no modules."],
  "MODULE|LOADEX": [-3, ["admin", "noscript"], "7.0.0", "O(1)", "An error, as for MODULE LOAD."],
  "MODULE|UNLOAD": [3, ["admin", "noscript"], "4.0.0", "O(1)", "An error, as for MODULE LOAD."],
});

const NO_CLUSTER = "An error, as from a Redis that is not part of a Redis Cluster.";
const slots = listenerRows(
  "connection",
  {
    ASKING: [1, ["fast"], "3.0.0", "O(1)", NO_CLUSTER],
    READONLY: [1, [...ANYWAY, "fast"], "3.0.0", "O(1)", NO_CLUSTER],
    READWRITE: [1, [...ANYWAY, "fast"], "3.0.0", "O(1)", NO_CLUSTER],
  },
  { connectionUse: "changes" },
);

const SYNCING: readonly Flag[] = ["admin", "noscript", "no_multi"];
const replication = listenerRows(
  "server",
  {
    PSYNC: [-3, SYNCING, "2.8.0", "O(1)", "An error: daemons are each other's peers (--peer)."],
    REPLCONF: [-1, ADMIN, "3.0.0", "O(1)", "Prepares SYNC: with rdb-only, it returns a dump."],
    SYNC: [1, SYNCING, "1.0.0", "O(N), N: keys", "Returns all keys as an RDB file, for redis-cli --rdb."],
  },
  { connectionUse: "replicates" },
);

const REPLICA: readonly Flag[] = ["admin", "noscript", "stale"];
const NO_REPLICA = "Replies OK to NO ONE; otherwise an error: daemons are each other's peers (--peer).";
const SAVING: readonly Flag[] = ["admin", "noscript"];
const SAVED = "Returns a status with --data, because every write is already on the disk.";
const alone = [
  ...listenerRows(
    "server",
    {
      BGREWRITEAOF: [1, SAVING, "1.0.0", "O(1)", SAVED],
      BGSAVE: [-1, SAVING, "1.0.0", "O(1)", SAVED],
      SAVE: [
        1,
        [...SAVING, "no_multi"],
        "1.0.0",
        "O(1)",
        "Replies OK with --data: every write is on the disk already.",
      ],
    },
    { sidecarLacks: "storage" },
  ),
  ...listenerRows("server", {
    FAILOVER: [
      -1,
      ["admin", "noscript", "stale"],
      "6.2.0",
      "O(1)",
      "An error: there are no replicas.",
      { connectionUse: "alone" },
    ],
    DEBUG: [
      -2,
      ADMIN,
      "1.0.0",
      "Depends on the subcommand",
      "Subcommands for tests, such as SLEEP and OBJECT.",
      { connectionUse: "alone", sidecarLacks: "internals" },
    ],
    MONITOR: [
      1,
      ADMIN,
      "1.0.0",
      "O(1)",
      "Sends every command to the connection when it runs.",
      { connectionUse: "listens", sidecarLacks: "monitored-commands" },
    ],
    REPLICAOF: [3, REPLICA, "5.0.0", "O(1)", NO_REPLICA],
    SHUTDOWN: [-1, [...ADMIN, "no_multi"], "1.0.0", "O(1)", "Stops the daemon.", { connectionUse: "alone" }],
    SLAVEOF: [3, REPLICA, "1.0.0", "O(1)", NO_REPLICA],
  }),
  ...listenerRows(
    "server",
    {
      INFO: [-1, ANYWAY, "1.0.0", "O(1)", "Describes the daemon, by sections.", SUMMED_UP_BY_SHARD],
    },
    { categories: ["dangerous"] },
  ),
  ...listenerRows(
    "server",
    {
      LASTSAVE: [
        1,
        [...ANYWAY, "fast"],
        "1.0.0",
        "O(1)",
        "Returns when the data were last written, in Unix seconds.",
        { tips: ["nondeterministic_output"], sidecarLacks: "storage" },
      ],
      ROLE: [
        1,
        [...PLAIN, "fast"],
        "2.8.12",
        "O(1)",
        "Replies master, or slave while the daemon refuses writes.",
      ],
    },
    { categories: ["admin", "dangerous"] },
  ),
  ...listenerRows("server", {
    LOLWUT: [
      -1,
      ["readonly", "fast"],
      "5.0.0",
      "O(1)",
      "Draws a small picture, and prints the version.",
      { anyMaster: true },
    ],
  }),
];

export const listener: readonly Command[] = [
  ...container("CLIENT", "2.4.0", client, "5.0.0", "connection", { connectionUse: "changes" }),
  ...container("CONFIG", "2.0.0", config, "5.0.0"),
  // MEMORY itself and MEMORY USAGE are in the store.
  ...memory,
  ...container("LATENCY", "2.8.13", latency, "2.8.13"),
  ...container("SLOWLOG", "2.2.12", slowlog, "6.2.0"),
  ...container("ACL", "6.0.0", acl, "6.0.0"),
  ...container("MODULE", "4.0.0", modules, "5.0.0"),
  ...slots,
  ...replication,
  ...alone,
];

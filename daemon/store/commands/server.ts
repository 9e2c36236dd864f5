/**
 * Commands that concern the server and the connection. Each command runs as if on a separate connection, so commands
 * that concern a connection's state (SELECT, MULTI, WATCH) reply as on a new connection, and do not affect the next
 * command. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, bulks, integer, OK, type Reply, status, ZERO } from "../../../protocol/reply.js";
import { custom, dbIndexOutOfRange, syntaxError, wrongArity } from "../arguments/command-errors.js";
import { int32Argument, parseInteger } from "../arguments/number-arguments.js";
import { noEvents } from "../events/event-rules.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import { family } from "../rows/command-row.js";
import { allDbs, currentDb, inspect, none, type Touch } from "../rows/key-spec.js";
import { waitArguments } from "./wait-rules.js";

const TOGETHER = "commands that belong together form an envelope with multi, client.multi()";
const CONDITIONS = "the header's if, an option of the client, sets the condition of a call";

export const server = family("connection", {
  AUTH: {
    arity: -2,
    flags: ["noscript", "loading", "stale", "fast", "no_auth"],
    keys: none,
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Logs the connection in as a user.",
    isSecret: (_, index) => index > 0,
    connectionUse: "changes",
    run: auth,
  },
  ECHO: {
    arity: 2,
    flags: ["loading", "stale", "fast"],
    keys: none,
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns its argument.",
    anyMaster: true,
    run: (_, argv) => bulk(argv[1]!),
  },
  PING: {
    arity: -1,
    flags: ["fast"],
    keys: none,
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns PONG, or its argument.",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    method: "message?: string",
    anyMaster: true,
    run: ping,
  },
  SELECT: {
    arity: 2,
    flags: ["loading", "stale", "fast"],
    keys: none,
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Selects the connection's database.",
    inEnvelope: "its header names the database (db)",
    connectionUse: "changes",
    run: select,
  },
  WAIT: {
    arity: 3,
    flags: ["noscript"],
    keys: none,
    since: "3.0.0",
    complexity: "O(1)",
    summary:
      "Waits until the given number of other daemons have the connection's last write on their disks; returns their number.",
    tips: ["request_policy:all_shards", "response_policy:agg_min"],
    connectionUse: "alone",
    sidecarLacks: "replicas",
    run: wait,
  },
}).concat(
  family("transaction", {
    DISCARD: {
      arity: 1,
      flags: ["noscript", "loading", "stale", "fast"],
      keys: none,
      since: "2.0.0",
      complexity: "O(1)",
      summary: "Discards the commands since MULTI.",
      inEnvelope: TOGETHER,
      connectionUse: "changes",
      run: () => {
        throw custom("ERR DISCARD without MULTI");
      },
    },
    EXEC: {
      arity: 1,
      flags: ["noscript", "loading", "stale"],
      keys: none,
      since: "1.2.0",
      complexity: "O(1)",
      summary: "Runs the commands since MULTI together; nil if a watched key has changed.",
      inEnvelope: TOGETHER,
      connectionUse: "changes",
      run: () => {
        throw custom("ERR EXEC without MULTI");
      },
    },
    MULTI: {
      arity: 1,
      flags: ["noscript", "loading", "stale", "fast"],
      keys: none,
      since: "1.2.0",
      complexity: "O(1)",
      summary: "Begins a transaction: commands are queued until EXEC.",
      inEnvelope: TOGETHER,
      connectionUse: "changes",
      run: () => OK,
    },
    UNWATCH: {
      arity: 1,
      flags: ["noscript", "loading", "stale", "fast"],
      keys: none,
      since: "2.2.0",
      complexity: "O(1)",
      summary: "Stops watching all keys.",
      inEnvelope: CONDITIONS,
      connectionUse: "changes",
      run: () => OK,
    },
    WATCH: {
      arity: -2,
      flags: ["noscript", "loading", "stale", "fast"],
      keys: [inspect(1, -1)],
      since: "2.2.0",
      complexity: "O(1)",
      summary: "Runs the next EXEC only if the keys have not changed since.",
      inEnvelope: CONDITIONS,
      connectionUse: "changes",
      run: () => OK,
    },
  }),
  family("keyspace", {
    DBSIZE: {
      arity: 1,
      flags: ["readonly", "fast"],
      keys: currentDb("read"),
      since: "1.0.0",
      complexity: "O(1)",
      summary: "Counts the keys of the database.",
      tips: ["request_policy:all_shards", "response_policy:agg_sum"],
      method: ": number",
      run: (data, _argv, { at }) => integer(data.keyspace().size - data.keyspace().countExpired(at)),
    },
    FLUSHALL: {
      arity: -1,
      flags: ["write"],
      keys: allDbs("write"),
      since: "1.0.0",
      complexity: "O(1)",
      categories: ["dangerous"],
      summary: "Empties all databases.",
      cost: "arguments",
      events: noEvents,
      tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
      method: '...options: "OK"',
      run: flushall,
    },
    FLUSHDB: {
      arity: -1,
      flags: ["write"],
      keys: currentDb("write"),
      since: "1.0.0",
      complexity: "O(1)",
      categories: ["dangerous"],
      summary: "Empties the database.",
      cost: "arguments",
      events: noEvents,
      tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
      method: '...options: "OK"',
      run: flushdb,
    },
    SWAPDB: {
      arity: 3,
      flags: ["write", "fast"],
      keys: swapdbKeys,
      since: "4.0.0",
      complexity: "O(1)",
      categories: ["dangerous"],
      summary: "Exchanges two databases.",
      cost: "arguments",
      events: noEvents,
      run: swapdb,
    },
  }),
  family("server", {
    TIME: {
      arity: 1,
      flags: ["loading", "stale", "fast"],
      keys: none,
      since: "2.6.0",
      complexity: "O(1)",
      summary: "Returns the date of the command: Unix seconds, and microseconds.",
      tips: ["nondeterministic_output"],
      anyMaster: true,
      run: (_, __, unit) => bulks([String(Math.floor(unit.at / 1000)), String((unit.at % 1000) * 1000)]),
    },
  }),
);

function auth(_: Data, argv: readonly ByteString[]): Reply {
  if (argv.length > 3) throw syntaxError();
  // The default user has no password, so any password is accepted.
  if (argv.length === 3 && argv[1] === "default") return OK;
  if (argv.length === 3) throw custom("WRONGPASS invalid username-password pair or user is disabled.");
  throw custom(
    "ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?",
  );
}

function ping(_: Data, argv: readonly ByteString[]): Reply {
  if (argv.length > 2) throw wrongArity("ping");
  return argv[1] === undefined ? status("PONG") : bulk(argv[1]);
}

function select(data: Data, argv: readonly ByteString[]): Reply {
  const db = int32Argument(argv[1]!);
  if (db < 0 || db >= data.databases) throw dbIndexOutOfRange();
  return OK;
}

/** Replies like WAIT within MULTI on a Redis without replicas. */
function wait(_: Data, argv: readonly ByteString[]): Reply {
  waitArguments(argv);
  return ZERO;
}

function checkFlushMode(argv: readonly ByteString[]): void {
  if (argv.length === 1) return;
  if (argv.length > 2 || !["SYNC", "ASYNC"].includes(argv[1]!.toUpperCase())) throw syntaxError();
}

function flushdb(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  checkFlushMode(argv);
  if (data.keyspace().size > 0) data.replaceDb(unit.db);
  return OK;
}

function flushall(data: Data, argv: readonly ByteString[]): Reply {
  checkFlushMode(argv);
  for (let db = 0; db < data.databases; db++) if (data.keyspace(db).size > 0) data.replaceDb(db);
  return OK;
}

function swapdbKeys(argv: readonly ByteString[]): Touch[] {
  const touches: Touch[] = [];
  for (const argument of argv.slice(1)) {
    const db = parseInteger(argument);
    if (typeof db === "number" && db >= 0) touches.push({ db, key: null, access: "write" });
  }
  return touches;
}

function swapdb(data: Data, argv: readonly ByteString[]): Reply {
  const [first, second] = ["first", "second"].map((index, i) => {
    const db = parseInteger(argv[i + 1]!);
    if (typeof db !== "number") throw custom(`ERR invalid ${index} DB index`);
    return db;
  }) as [number, number];
  for (const db of [first, second]) if (db < 0 || db >= data.databases) throw dbIndexOutOfRange();
  if (first !== second) data.swapDb(first, second);
  return OK;
}

/**
 * Tests that the limits that options set hold at each entrance: the clients of each listener, transactions, scripts and
 * functions. Each option of docs/limits.md has a row here, or names the file that tests it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BSON } from "mongodb";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { NO_KEY } from "../../protocol/version-2/envelope.js";
import { shown } from "../conformance/resp2-fold.js";
import { skipUnlessFull } from "../support/amount.js";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import type { Served } from "../support/daemon-process.js";
import { EnvelopeClient, frameOf, type KeyPair, type Line, makeKeyPair } from "../support/envelope-client.js";
import { ALL_LIMITS } from "../support/installed-options.js";
import { ask as askJson } from "../support/json-lines.js";
import { RawClient } from "../support/raw-client.js";
import { repositoryRoot } from "../support/repository.js";
import { SqlLineClient } from "../support/sql-line-client.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Sends something whose size or number is given. @returns the answer, or "" if the connection is closed */
type Entrance = (daemon: DaemonHere, number: number) => Promise<string>;

interface Row {
  /** The option, without its hyphens. */
  readonly option: string;
  /** The value with which the daemon is started. */
  readonly value: (number: number) => string;
  /** A permitted number. */
  readonly max: number;
  /** A number that is refused. */
  readonly above: number;
  /** Matches the refusals. */
  readonly refused: RegExp;
  /** Whether the row is tested in full runs only, because each of its entrances takes long. */
  readonly isLong?: boolean;
  readonly entrances: Readonly<Record<string, Entrance>>;
}

const letters = (count: number) => "x".repeat(count);

/** The listeners of clients, in addition to the port for signed commands. */
const LISTENERS = ["resp", "json", "sql", "mongo", "memcached"];

async function opened(daemon: DaemonHere, served?: Served): Promise<RawClient> {
  return await RawClient.open(served === undefined ? daemon.port : await daemon.portOf(served));
}

/** Sends a command of version 1. */
async function askVersion1(daemon: DaemonHere, line: string): Promise<string> {
  using client = await opened(daemon);
  return await client.request(line);
}

/** Sends commands of a Redis client on one connection. @returns the last answer */
async function askRedis(daemon: DaemonHere, ...commands: readonly (readonly string[])[]): Promise<string> {
  using client = await opened(daemon, "Redis clients");
  client.send(commands.map(writeCommand).join(""));
  client.socket.end();
  return (await client.readToClose()).split("\r\n").at(-2) ?? "";
}

const inTransaction = (daemon: DaemonHere, ...commands: readonly (readonly string[])[]) =>
  askRedis(daemon, ["MULTI"], ...commands, ["EXEC"]);

async function askSql(daemon: DaemonHere, ...statements: readonly string[]): Promise<string> {
  using client = await SqlLineClient.open(await daemon.portOf("SQL clients"));
  let answer = "";
  for (const statement of statements) answer = await client.ask(statement);
  return answer;
}

async function askJsonClient(daemon: DaemonHere, request: unknown): Promise<string> {
  using client = await opened(daemon, "JSON clients");
  return await askJson(client, request);
}

async function askMemcached(daemon: DaemonHere, requests: string): Promise<string> {
  using client = await opened(daemon, "memcached clients");
  client.send(requests);
  client.socket.end();
  return await client.readToClose();
}

/** Returns a message of a MongoDB client. */
function mongoMessage(document: BSON.Document): Buffer {
  const body = BSON.serialize(document);
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length);
  head.writeInt32LE(2013, 12);
  return Buffer.concat([head, body]);
}

/** Sends commands of a MongoDB client on one connection. @returns the last answer, as bytes */
async function askMongo(daemon: DaemonHere, ...documents: readonly BSON.Document[]): Promise<string> {
  using client = await opened(daemon, "MongoDB clients");
  let answer = "";
  for (const document of documents) {
    client.send(mongoMessage(document).toString("latin1"));
    const head = await client.read(4);
    if (head === "") return "";
    answer = await client.read(Buffer.from(head, "latin1").readInt32LE() - head.length);
  }
  return answer;
}

/** Returns the frame of an unsigned envelope. */
const unsigned = (client: EnvelopeClient<Line>, commands: readonly (readonly string[])[], multi = false) =>
  frameOf(client.sign(commands, { key: NO_KEY, cluster: NO_KEY, multi }).body, Buffer.alloc(0));

/** Sends a frame of version 2. @returns the last reply, the refusal, or "" */
async function exchanged(client: EnvelopeClient<Line>, frame: string): Promise<string> {
  client.raw.send(frame);
  const message = await client.next();
  if (message === null) return "";
  return message.kind === "result" ? shown(message.replies.at(-1)!) : JSON.stringify(message);
}

/** Sends an unsigned envelope. */
const byEnvelope =
  (
    frameOfNumber: (client: EnvelopeClient<Line>, number: number) => string,
    prepare: (daemon: DaemonHere, number: number) => Promise<unknown> = async () => {},
  ): Entrance =>
  async (daemon, number) => {
    await prepare(daemon, number);
    using client = await EnvelopeClient.open(daemon.port, UNUSED);
    return await exchanged(client, frameOfNumber(client, number));
  };

/** The key of clients that do not sign. */
const UNUSED: KeyPair = makeKeyPair();

/** Returns a frame of version 2 whose payload has a number of bytes. */
function frameOfBytes(client: EnvelopeClient<Line>, bytes: number): string {
  const frameWith = (count: number) => unsigned(client, [["SET", "k", letters(count)]]);
  const tried = frameWith(bytes);
  const payload = tried.slice(tried.indexOf(":", "ds2:".length) + 1);
  return frameWith(bytes - (payload.length - bytes));
}

/** Stores a value of a number of bytes, in pieces that each listener accepts. */
async function storeValue(daemon: DaemonHere, bytes: number): Promise<void> {
  await askRedis(daemon, ["SETRANGE", "big", String(bytes - 1), "x"]);
}

/** Stores a list of a number of elements. */
async function storeList(daemon: DaemonHere, elements: number): Promise<void> {
  await askRedis(daemon, ["DEL", "l"], ["RPUSH", "l", ...Array.from({ length: elements }, String)]);
}

const LUA_CALL = "return redis.call(unpack(ARGV))";
const asFunction = (body: string) =>
  `#!lua name=lib\nredis.register_function('f', function(_, ARGV) ${body} end)`;

/** Returns the ways in which a Redis client runs a command. */
const byRedis = (
  argv: (number: number) => readonly string[],
  prepare: (daemon: DaemonHere, number: number) => Promise<unknown>,
): Readonly<Record<string, Entrance>> =>
  Object.fromEntries(
    Object.entries<(daemon: DaemonHere, argv: readonly string[]) => Promise<string>>({
      "a Redis client": (daemon, words) => askRedis(daemon, words),
      "a transaction": (daemon, words) => inTransaction(daemon, words),
      "a script": (daemon, words) => askRedis(daemon, ["EVAL", LUA_CALL, "0", ...words]),
      "a function": async (daemon, words) => {
        const loaded = await askRedis(daemon, ["FUNCTION", "LOAD", "REPLACE", asFunction(LUA_CALL)]);
        return loaded.startsWith("-") ? loaded : await askRedis(daemon, ["FCALL", "f", "0", ...words]);
      },
    }).map(([name, run]) => [
      name,
      async (daemon: DaemonHere, number: number) => {
        await prepare(daemon, number);
        return await run(daemon, argv(number));
      },
    ]),
  );

/** The maximum number of connections in the tests of it. */
const CONNECTED = 3;

/**
 * Opens a number of connections to a listener that are served, and then one more.
 * @param request  the bytes of a request
 * @returns the beginning of its answer, or all that it receives if there are too many
 */
function connected(served: Served | undefined, request: string): Entrance {
  return async (daemon, number) => {
    const clients: RawClient[] = [];
    try {
      for (let i = 0; i <= number; i++) {
        const client = await opened(daemon, served);
        clients.push(client);
        client.send(request);
        if (i === CONNECTED) return await client.readToClose();
        assert.notEqual(await client.read(1), "");
      }
      return "served";
    } finally {
      for (const client of clients) client[Symbol.dispose]();
    }
  };
}

const ROWS: readonly Row[] = [
  {
    option: "max-request-bytes",
    value: () => "64KiB",
    max: 64 * KIB,
    above: 64 * KIB + 1,
    refused: /^$|"code":"malformed"|longer than|too long|too large/,
    entrances: {
      "version 1": (daemon, bytes) => askVersion1(daemon, `SET k ${letters(bytes - "SET k \0".length)}`),
      "version 2": byEnvelope(frameOfBytes),
      json: (daemon, bytes) => askJsonClient(daemon, `["get","${letters(bytes - '["get",""]'.length)}"]`),
      sql: (daemon, bytes) => askSql(daemon, `select '${letters(bytes - "select '' x".length)}' x`),
      mongo: (daemon, bytes) => {
        const ping = (comment: string) => ({ ping: 1, $db: "admin", comment });
        return askMongo(daemon, ping(letters(bytes - mongoMessage(ping("")).length)));
      },
      memcached: (daemon, bytes) => askMemcached(daemon, `set m 0 0 ${bytes}\r\n${letters(bytes)}\r\n`),
    },
  },
  {
    option: "max-output-bytes",
    value: () => "64KiB",
    max: 60 * KIB,
    above: 70 * KIB,
    refused: /^$|TOOLONG|longer than|too long|out of memory writing/,
    entrances: {
      async "version 1"(daemon, bytes) {
        await storeValue(daemon, bytes);
        return await askVersion1(daemon, "GET big");
      },
      "version 2": byEnvelope((client) => unsigned(client, [["GET", "big"]]), storeValue),
      ...byRedis(() => ["GET", "big"], storeValue),
      async json(daemon, bytes) {
        await askRedis(
          daemon,
          ["DEL", "d"],
          ["DOC.CREATE", "d"],
          ["DOC.INSERT", "d", JSON.stringify({ a: letters(bytes) })],
        );
        return await askJsonClient(daemon, { action: "get", document: "d" });
      },
      async sql(daemon, bytes) {
        await askSql(daemon, "drop database o", "create database o", "use o", "create table t (s text)");
        await askRedis(daemon, ["SQL", "o", "insert into t (s) values (?)", letters(bytes)]);
        return await askSql(daemon, "use o", "select s from t");
      },
      async mongo(daemon, bytes) {
        await askRedis(
          daemon,
          ["DEL", "mongo:o.c"],
          ["MDB.INSERT", "o", "c", "1", JSON.stringify({ _id: 1, a: letters(bytes) })],
        );
        return await askMongo(daemon, { find: "c", $db: "o" });
      },
      async memcached(daemon, bytes) {
        await askRedis(daemon, ["SET", "big", letters(bytes)]);
        return await askMemcached(daemon, "get big\r\n");
      },
    },
  },
  {
    option: "max-unit-steps",
    value: () => "10000",
    max: 40,
    above: 2500,
    refused: /^$|TOOMUCH|too much/,
    entrances: {
      async "version 1"(daemon, elements) {
        await storeList(daemon, elements);
        return await askVersion1(daemon, "LTRIM l 1 1");
      },
      "version 2": byEnvelope((client) => unsigned(client, [["LTRIM", "l", "1", "1"]]), storeList),
      ...byRedis(() => ["LTRIM", "l", "1", "1"], storeList),
      async json(daemon, entries) {
        await askRedis(daemon, ["DEL", "d"], ["DOC.CREATE", "d"]);
        const inserts = Array.from({ length: entries }, (_, a) => ["DOC.INSERT", "d", `{"a":${a}}`]);
        await askRedis(daemon, ...inserts);
        return await askJsonClient(daemon, { action: "update", document: "d", query: {}, data: { b: 2 } });
      },
      async sql(daemon, rows) {
        await askSql(daemon, "drop database s", "create database s", "use s", "create table t (a number)");
        const inserts = Array.from({ length: rows }, (_, a) => ["SQL", "s", `insert into t values (${a})`]);
        await askRedis(daemon, ...inserts);
        return await askSql(daemon, "use s", "update t set a = a + 1");
      },
      async mongo(daemon, documents) {
        await askRedis(daemon, ["DEL", "mongo:s.c"]);
        const inserts = Array.from({ length: documents }, (_, a) => [
          "MDB.INSERT",
          "s",
          "c",
          "1",
          `{"_id":${a}}`,
        ]);
        await askRedis(daemon, ...inserts);
        return await askMongo(daemon, {
          update: "c",
          $db: "s",
          updates: [{ q: {}, u: { $set: { a: 1 } }, multi: true }],
        });
      },
    },
  },
  {
    option: "maxmemory",
    value: (number) => String(number),
    max: 0,
    above: 1,
    refused: /^$|EXECABORT|memory/,
    entrances: {
      "version 1": (daemon) => askVersion1(daemon, "SET k v"),
      "version 2": byEnvelope((client) => unsigned(client, [["SET", "k", "v"]])),
      "version 2, with multi": byEnvelope((client) =>
        unsigned(
          client,
          [
            ["SET", "k", "v"],
            ["SET", "k", "v"],
          ],
          true,
        ),
      ),
      ...byRedis(
        () => ["SET", "k", "v"],
        async () => {},
      ),
      json: (daemon) => askJsonClient(daemon, { action: "create", document: "m" }),
      sql: (daemon) => askSql(daemon, "create database m"),
      mongo: (daemon) => askMongo(daemon, { insert: "c", $db: "m", documents: [{ a: 1 }] }),
      "mongo, an upsert": (daemon) =>
        askMongo(daemon, {
          update: "c",
          $db: "m",
          updates: [{ q: { a: 2 }, u: { $set: { b: 1 } }, upsert: true }],
        }),
      memcached: (daemon) => askMemcached(daemon, "set m 0 0 1\r\nx\r\n"),
      "memcached, a meta command": (daemon) => askMemcached(daemon, "ms m 1\r\nx\r\n"),
    },
  },
  {
    option: "max-connections",
    value: () => String(CONNECTED),
    max: CONNECTED - 1,
    above: CONNECTED,
    refused: /^$|max number of clients|too many/i,
    entrances: {
      "version 1": connected(undefined, "ds:5:PING\0"),
      "a Redis client": connected("Redis clients", "PING\r\n"),
      json: connected("JSON clients", '{"action":"list"}\n'),
      sql: connected("SQL clients", "select 1 x;"),
      mongo: connected("MongoDB clients", mongoMessage({ ping: 1, $db: "admin" }).toString("latin1")),
      memcached: connected("memcached clients", "version\r\n"),
    },
  },
  {
    option: "max-remembered-bytes",
    value: String,
    max: MIB,
    above: 0,
    refused: /answer-not-kept/,
    entrances: {
      "a repeated envelope": async (daemon) => {
        using client = await EnvelopeClient.open(daemon.port, UNUSED);
        const frame = unsigned(client, [["PING"]]);
        assert.match(await exchanged(client, frame), /PONG/);
        return await exchanged(client, frame);
      },
    },
  },
  {
    option: "max-query-bytes",
    value: () => "1MiB",
    max: MIB - KIB,
    above: 4 * MIB,
    refused: /^$|Protocol error: request above/,
    entrances: {
      "a long argument": (daemon, bytes) => askRedis(daemon, ["ECHO", letters(bytes)]),
      "many arguments": (daemon, bytes) =>
        askRedis(daemon, ["DEL", ...Array.from({ length: bytes / KIB }, () => letters(KIB - 9))]),
      "commands after one that waits": async (daemon, bytes) => {
        using waiting = await opened(daemon, "Redis clients");
        waiting.send(writeCommand(["BLPOP", "absent", "0"]));
        waiting.send(writeCommand(["ECHO", letters(400)]).repeat(bytes / KIB));
        if (bytes > MIB) return await waiting.readToClose();
        await askRedis(daemon, ["RPUSH", "absent", "element"]);
        return await waiting.read(1);
      },
    },
  },
  {
    option: "lua-memory",
    isLong: true,
    value: () => "32MiB",
    max: MIB,
    above: 24 * MIB,
    refused: /not enough memory/,
    entrances: Object.fromEntries(
      Object.entries<(script: string) => readonly (readonly string[])[]>({
        EVAL: (script) => [["EVAL", script, "0"]],
        EVAL_RO: (script) => [["EVAL_RO", script, "0"]],
        "EVAL in a transaction": (script) => [["MULTI"], ["EVAL", script, "0"], ["EXEC"]],
        FCALL: (script) => [
          ["FUNCTION", "LOAD", "REPLACE", asFunction(script)],
          ["FCALL", "f", "0"],
        ],
      }).map(([name, commands]) => [
        name,
        (daemon: DaemonHere, bytes: number) =>
          askRedis(daemon, ...commands(`return #string.rep(string.rep('x', 65536), ${bytes / (64 * KIB)})`)),
      ]),
    ),
  },
];

/** The files that test the other options of the page, and words of those that do not name the option. */
const ELSEWHERE: Readonly<Record<string, string | readonly [file: string, words: string]>> = {
  "max-buffered-bytes": "test/daemon/net/connections/connection-registry.test.ts",
  "max-unproven-bytes": "test/daemon/net/connections/connection-registry.test.ts",
  "max-relay-bytes": "test/daemon/cluster/peers/member-channel-messages.test.ts",
  "sentinel-down-after": "test/daemon/cluster/peers/shared/named-daemon.test.ts",
  "idle-timeout": "faces/redis/test/hostile.test.ts",
  "json-replica-timeout": "test/system/json-replica.test.ts",
  "resp-idle-timeout": "faces/redis/test/hostile.test.ts",
  "mongo-cursors": "faces/mongo/test/cursors.test.ts",
  "mongo-cursor-bytes": "faces/mongo/test/cursors.test.ts",
  "mongo-cursor-timeout": "faces/mongo/test/cursors.test.ts",
  "ws-ping": "faces/web/test/listener.test.ts",
  "slowlog-log-slower-than": "test/daemon/program/inspection.test.ts",
  "slowlog-max-len": "test/daemon/program/inspection.test.ts",
  "work-memory": "test/daemon/program/working-memory.test.ts",
  "work-wait": "test/daemon/program/working-memory.test.ts",
  "backend-timeout": "faces/redis-behind/test/redis-backend.test.ts",
  "max-remembered": "test/daemon/engine/pipeline/publish-messages.test.ts",
  "tail-seconds": "test/daemon/program/replicas.test.ts",
  "min-disk-free": "test/daemon/program/nearly-full-disk.test.ts",
  "max-tail-bytes": ["test/daemon/timeline/timeline.test.ts", "fiveMinutes({ tailBytes })"],
  "max-timeline-bytes": "test/system/member-snapshots.test.ts",
  "max-dead-letter-bytes": [
    "test/daemon/cluster/dead-letters/dead-letters.test.ts",
    "new DeadLetterStore(data, maxBytes)",
  ],
  "compare-percent": "test/simulation/settings.ts",
  standstill: "test/daemon/cluster/peers/standstill-detector.test.ts",
  "majority-timeout": ["test/daemon/cluster/peers/decisions/timeouts.test.ts", "--majority-timeout"],
  "snapshot-entries": "test/system/member-snapshots.test.ts",
  "max-read-steps": "faces/redis/test/scripts/whole-units.test.ts",
  "max-read-bytes": "faces/redis/test/scripts/whole-units.test.ts",
  "lua-time-limit": "faces/redis/test/scripts/whole-units.test.ts",
  "max-memcached-item-bytes": "faces/memcached/test/limits.test.ts",
};

test("each option of docs/limits.md has a row here, or names the file that tests it", () => {
  const page = readFileSync(join(repositoryRoot, "docs/limits.md"), "utf8");
  const options = [...page.matchAll(/^\| `--([a-z-]+)` \|/gm)].map(([, option]) => option as string);
  assert.ok(options.length > 30, `${options.length} options`);
  const inTable = ROWS.map(({ option }) => option);
  assert.deepEqual([...inTable, ...Object.keys(ELSEWHERE)].sort(), options.sort());
  const nameOf = (flag: string) =>
    Object.entries(ALL_LIMITS).find(([, limit]) => limit.flag === flag)?.[0] ?? flag;
  const absent = Object.entries(ELSEWHERE).filter(([option, tested]) => {
    const [file, ...words] = typeof tested === "string" ? [tested, `--${option}`, nameOf(option)] : tested;
    const text = readFileSync(join(repositoryRoot, file), "utf8");
    return !words.some((one) => text.includes(one));
  });
  assert.deepEqual(absent, [], "files that do not name the option");
});

for (const { option, value, max, above, refused, isLong, entrances } of ROWS) {
  test(`--${option}: the limit holds at each entrance`, {
    skip: isLong ? skipUnlessFull : false,
  }, async () => {
    for (const isAbove of [false, true]) {
      const number = isAbove ? above : max;
      const listeners = LISTENERS.flatMap((name) => [`--${name}`, "0"]);
      await using daemon = await startDaemonHere([`--${option}`, value(number), ...listeners]);
      for (const [entrance, run] of Object.entries(entrances)) {
        const answer = await run(daemon, number);
        if (isAbove) assert.match(answer, refused, `${entrance}: accepted above the limit`);
        else assert.doesNotMatch(answer, refused, `${entrance}: refused below the limit`);
      }
    }
  });
}

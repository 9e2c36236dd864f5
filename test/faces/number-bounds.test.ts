/**
 * Tests that each number which the daemon itself chooses or counts fits into the types of the original's clients. A
 * number that a client has chosen (a counter's value, the id of a stream's entry) has the bounds of the original.
 *
 * The table runs against two daemons: one that records, and one whose clock shows the year 2099, which has been running
 * for a century, and whose random bytes are all 255.
 */
import "../support/all-families.js";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Double, Int32, Long, MongoClient } from "mongodb";
import { type Environment, realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { Database } from "../../daemon/store/database.js";
import type { Reply } from "../../protocol/reply.js";
import { makeFolder, type RunningReplica, startReplica } from "../daemon/program/replicas.js";
import { LISTENER_CASES } from "../support/all-listener-cases.js";
import { ask as askJson } from "../support/json-lines.js";
import { found, type NumberRow, type NumberSubject } from "../support/listener-cases.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { SqlLineClient } from "../support/sql-line-client.js";

/** An `int` of Java, C and PHP's extensions. */
const INT32 = 2n ** 31n - 1n;
/** The integers of a `long` of Java and of PHP. */
const INT64 = 2n ** 63n - 1n;
/** The integers that JavaScript represents exactly, in which several clients read each number. */
const SAFE = 2n ** 53n - 1n;

/** Redis reports numbers that do not exist as -1, and the size of some lists as -2. */
const MIN = -2n;
const CENTURY_MS = 100 * 365 * 24 * 60 * 60 * 1000;
/** The year in which the ids of documents, whose date has 42 bits, are almost as long as possible. */
const LATE = Date.UTC(2099, 0);
const ITEMS = 64;

interface Subject extends NumberSubject {
  json(request: object): Promise<string>;
  sql(statement: string): Promise<string>;
  mongo(command: object): Promise<object>;
}

interface Row extends Omit<NumberRow, "read"> {
  readonly read: (subject: Subject) => Promise<readonly string[]>;
}

/** Returns the integers in a reply at any depth. */
function integersIn(reply: Reply): string[] {
  if (reply.kind === "integer") return [String(reply.value)];
  return "items" in reply ? reply.items.flatMap(integersIn) : [];
}

function textIn(reply: Reply): string {
  if (reply.kind === "bulk" || reply.kind === "verbatim") return reply.bytes;
  return reply.kind === "status" ? reply.text : "";
}

/** The values after `=` or `:` that begin like a number and are no version, address, percentage or fraction. */
const VALUES = /[:=](-?\d[^,\s]*)(?=[,\s]|$)/g;
const isCount = (value: string) =>
  !/^-?\d+\.\d+%?$|^[\d.]+[BKMGT]$|^\d+(?:\.\d+){2,}|^[\d.]+:\d+$|^0+$|^[0-9a-f]{40}$/.test(value);
const countsIn = (text: string): string[] => found(text, VALUES).filter(isCount);

/** Calls of Redis whose replies contain numbers. */
const REDIS_CALLS: readonly (readonly string[])[] = [
  ["CLIENT", "ID"],
  ["CLIENT", "GETREDIR"],
  ["CLIENT", "TRACKINGINFO"],
  ["HELLO"],
  ["LASTSAVE"],
  ["DBSIZE"],
  ["TTL", "list"],
  ["PTTL", "list"],
  ["EXPIRETIME", "list"],
  ["OBJECT", "IDLETIME", "list"],
  ["OBJECT", "REFCOUNT", "list"],
  ["MEMORY", "USAGE", "list", "SAMPLES", "3"],
  ["MEMORY", "USAGE", "hash", "SAMPLES", "3"],
  ["MEMORY", "STATS"],
  ["SLOWLOG", "GET"],
  ["SLOWLOG", "LEN"],
  ["LATENCY", "LATEST"],
  ["LATENCY", "HISTORY", "command"],
  ["LATENCY", "HISTOGRAM"],
  ["ACL", "LOG"],
  ["ROLE"],
  ["WAIT", "0", "1"],
  ["COMMAND", "COUNT"],
  ["COMMAND", "INFO", "GET"],
  ["PUBSUB", "NUMPAT"],
  ["PUBSUB", "NUMSUB", "c"],
  ["XINFO", "STREAM", "stream", "FULL"],
  ["XINFO", "GROUPS", "stream"],
  ["XINFO", "CONSUMERS", "stream", "g"],
  ["XPENDING", "stream", "g", "-", "+", "9"],
  ["GEOHASH", "geo", "a"],
  ["GEORADIUS", "geo", "0", "0", "9", "km", "WITHHASH"],
  ["TIMELINE", "STATUS"],
];

/** Returns the cursors of a scan with small pages. */
async function cursors({ redis }: Subject, ...scan: string[]): Promise<string[]> {
  const all: string[] = [];
  for (let cursor = "0"; ; ) {
    const reply = await redis(...scan, cursor, "COUNT", "1");
    cursor = textIn((reply as { items: readonly Reply[] }).items[0] as Reply);
    all.push(cursor);
    if (cursor === "0") return all;
  }
}

/**
 * Returns the numbers in a BSON document that are longer than an int32 may be, and the names of those of a wrong type.
 */
function numbersIn(value: unknown): string[] {
  if (value instanceof Long) return [value.toString()];
  if (value instanceof Int32 || value instanceof Double) return [String(value.valueOf())];
  if (value instanceof Date) return [String(value.getTime())];
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return [];
  return Object.values(value).flatMap(numbersIn);
}

/** Returns the number literals of a JSON text, which JSON.parse would round. */
const literalsIn = (json: string): string[] =>
  found(json.replace(/"(?:[^"\\]|\\.)*"/g, '""'), /[[:,](-?\d[-+.\deE]*)/g);

const ROWS: Readonly<Record<string, Row>> = {
  "Redis: cursors": {
    max: SAFE,
    async read(subject) {
      const names = Array.from({ length: 200 }, (_, i) => `n${i}`);
      await subject.redis("SADD", "set", ...names);
      await subject.redis("HSET", "hash", ...names.flatMap((name) => [name, "x".repeat(100)]));
      await subject.redis("ZADD", "zset", ...names.flatMap((name, i) => [String(i), name]));
      await subject.redis("MSET", ...names.flatMap((name) => [name, "v"]));
      const all = [["SCAN"], ["SSCAN", "set"], ["HSCAN", "hash"], ["ZSCAN", "zset"]];
      return (await Promise.all(all.map((scan) => cursors(subject, ...scan)))).flat();
    },
  },
  "Redis: the ids that XADD chooses": {
    max: INT64,
    async read({ redis }) {
      await redis("XGROUP", "CREATE", "stream", "g", "0", "MKSTREAM");
      const ids = await Promise.all(
        Array.from({ length: ITEMS }, () => redis("XADD", "stream", "*", "f", "v")),
      );
      await redis("XREADGROUP", "GROUP", "g", "c", "COUNT", "3", "STREAMS", "stream", ">");
      // The last envelope of a millisecond, and the last unit in it.
      const unit = { at: LATE, seq: 0xffff, db: 0, id: "\xff".repeat(36) };
      const last = new Database().execute(["XADD", "stream", "*", "f", "v"], unit);
      return [...ids, last].flatMap((id) => textIn(id).split("-"));
    },
  },
  "Redis: the numbers of replies": {
    max: SAFE,
    async read({ redis }) {
      await redis("RPUSH", "list", "a", "bb", "ccc", "dddddd");
      await redis("EXPIRE", "list", "1000");
      await redis("GEOADD", "geo", "0", "0", "a");
      await redis("CONFIG", "SET", "slowlog-log-slower-than", "0");
      await redis("CONFIG", "SET", "latency-monitor-threshold", "1");
      const replies = [];
      for (const call of REDIS_CALLS) replies.push(await redis(...call));
      const time = await redis("TIME");
      return [...replies.flatMap(integersIn), ...("items" in time ? time.items.map(textIn) : [])];
    },
  },
  "Redis: the figures of INFO and CLIENT LIST": {
    max: SAFE,
    async read({ redis }) {
      const texts = [
        await redis("INFO", "everything"),
        await redis("CLIENT", "LIST"),
        await redis("CLIENT", "INFO"),
      ];
      return texts.flatMap((reply) => countsIn(textIn(reply)));
    },
  },
  "Redis: the numbers of CONFIG": {
    max: SAFE,
    async read({ redis }) {
      const reply = await redis("CONFIG", "GET", "*");
      return "items" in reply ? reply.items.map(textIn).filter((text) => /^-?\d[\de+]*$/.test(text)) : [];
    },
  },
  "MongoDB: ids, counts, sizes and times": {
    max: SAFE,
    async read({ mongo }) {
      const documents = Array.from({ length: ITEMS }, (_, n) => ({ n: String(n) }));
      const cursor = { find: "items", batchSize: 1, projection: { _id: 0, n: 1 } };
      return numbersIn([
        await mongo({ hello: 1 }),
        await mongo({ isMaster: 1 }),
        await mongo({ insert: "items", documents }),
        await mongo(cursor),
        await mongo({ update: "items", updates: [{ q: {}, u: { $set: { m: "1" } }, multi: true }] }),
        await mongo({ delete: "items", deletes: [{ q: { n: "1" }, limit: 1 }] }),
        await mongo({ count: "items" }),
        await mongo({ findAndModify: "items", query: { n: "2" }, remove: true, fields: { _id: 0 } }),
        await mongo({ createIndexes: "items", indexes: [{ key: { n: 1 }, name: "n_1" }] }),
        await mongo({ listIndexes: "items" }),
        await mongo({ killCursors: "items", cursors: [Long.fromNumber(1)] }),
        await mongo({ serverStatus: 1 }),
        await mongo({ buildInfo: 1 }),
      ]);
    },
  },
  "MongoDB: ids of connections, counts and limits": {
    max: INT32,
    async read({ mongo }) {
      const hello = (await mongo({ hello: 1 })) as Record<string, unknown>;
      const counted = [
        await mongo({ insert: "counted", documents: [{ n: "1" }] }),
        await mongo({ update: "counted", updates: [{ q: {}, u: { $set: { m: "1" } } }] }),
        await mongo({ count: "counted" }),
        await mongo({ delete: "counted", deletes: [{ q: {}, limit: 0 }] }),
      ] as Record<string, unknown>[];
      const values = [
        ...["connectionId", "maxBsonObjectSize", "maxMessageSizeBytes", "maxWriteBatchSize"].map(
          (name) => hello[name],
        ),
        ...["minWireVersion", "maxWireVersion"].map((name) => hello[name]),
        ...counted.flatMap(({ n, nModified = n }) => [n, nModified]),
        ((await mongo({ serverStatus: 1 })) as Record<string, unknown>)["pid"],
      ];
      // Drivers read the type of these numbers, which is that of MongoDB.
      for (const value of values) assert.ok(value instanceof Int32, String(value));
      return values.map(String);
    },
  },
  "JSON: ids, counts and times": {
    max: SAFE,
    async read({ json }) {
      const data = [{ n: "1" }, { n: "2" }];
      const answers = [
        await json({ action: "create", document: "d" }),
        await json({ action: "insert", document: "d", data, ids: true }),
        await json({
          action: "insert",
          document: "d",
          data: { k: { n: "3" } },
          "auto-increment": false,
          ttl: 2 ** 31 - 1,
        }),
        await json({ action: "get", document: "d", details: true }),
        await json({ action: "get", document: "d", sort: "n" }),
        await json({ action: "count", document: "d" }),
      ];
      for (const answer of answers) assert.match(answer, /"status":"success"/);
      return answers.flatMap(literalsIn);
    },
  },
  "JSON: ids of entries that were inserted through a sidecar": {
    max: SAFE,
    needsLog: true,
    async read({ json, redis }) {
      await json({ action: "create", document: "long" });

      const unit = { at: LATE, seq: 0xffff, db: 0, id: "\xff".repeat(36) };
      const database = new Database();
      for (const argv of [
        ["DOC.CREATE", "long"],
        ["DOC.INSERT", "long", '{"n":1}'],
      ])
        database.execute(argv, unit);

      const [id = ""] = found(
        JSON.stringify(database.execute(["DOC.GETKEYS", "long"], unit)),
        /"(\d{17,})"/g,
      );
      assert.ok(BigInt(id) <= INT64, id);
      await redis("DOC.INSERT", "long", "KEYS", id, '{"n":"1"}');

      const answers = [
        await json({ action: "getkeys", document: "long" }),
        await json({ action: "update", document: "long", data: { n: "2" }, id }),
        await json({ action: "get", document: "long", sort: "n" }),
        await json({ action: "count", document: "long" }),
      ];
      for (const answer of answers) assert.match(answer, /"status":"success"/);
      return answers.flatMap(literalsIn);
    },
  },
  "SQL: counts and pages": {
    max: INT32,
    async read({ sql }) {
      const statements = [
        "create database shop",
        "use shop",
        "create table t (n number)",
        "insert into t values (1), (2), (3)",
        "select count(*) from t",
        "update t set n = 4",
        "delete from t",
      ];
      let text = "";
      for (const statement of statements) text += await sql(statement);
      return found(text, /[ :/](\d+)(?=[/,\s])/g);
    },
  },
};

/** The clock and the random bytes of a daemon that chooses long numbers. */
const late: Environment = {
  ...realEnvironment,
  clock: () => LATE + Math.floor(realEnvironment.uptime()),
  uptime: () => CENTURY_MS + realEnvironment.uptime(),
  randomBytes: (count) => "\xff".repeat(count),
};

async function subjectOf(daemon: RunningReplica): Promise<Subject & AsyncDisposable> {
  const portOf = (option: string) => daemon.daemon.addressOf(option)?.port ?? 0;
  const redis = await RedisConnection.open(portOf("resp"));
  const sql = await SqlLineClient.open(portOf("sql"));
  const json = await RawClient.open(portOf("json"));
  const mongo = new MongoClient(`mongodb://127.0.0.1:${portOf("mongo")}/`, { directConnection: true });
  return {
    redis: (...argv) => redis.call(...argv),
    portOf,
    json: (request) => askJson(json, request),
    sql: (statement) => sql.ask(statement),
    mongo: (command) => mongo.db("shop").command(command, { promoteValues: false }),
    async [Symbol.asyncDispose]() {
      for (const client of [redis, sql, json]) client[Symbol.dispose]();
      await mongo.close();
    },
  };
}

/** The listeners with numbers: those of the rows here, and of the rows of faces. */
const CONTRIBUTED = LISTENER_CASES.filter(({ numbers }) => numbers !== undefined);
const LISTENERS = ["resp", "json", "sql", "mongo", ...CONTRIBUTED.map(({ option }) => option)].flatMap(
  (option) => [`--${option}`, "0"],
);
const ALL: Readonly<Record<string, Row>> = Object.assign(
  {},
  ROWS,
  ...CONTRIBUTED.map(({ numbers }) => numbers),
);

for (const [name, environment] of [
  ["that records", realEnvironment],
  ["of the year 2099, in memory", late],
] as const)
  describe(`the numbers of a daemon ${name}`, () => {
    const folder = makeFolder();
    let daemon: RunningReplica;
    let subject: Subject & AsyncDisposable;
    before(async () => {
      const data = environment === late ? [] : ["--data", folder.path];
      daemon = await startReplica({ args: [...LISTENERS, ...data], environment });
      subject = await subjectOf(daemon);
    });
    after(async () => {
      await subject[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    });

    for (const [row, { max, needsLog = false, read }] of Object.entries(ALL))
      test(`${row} are at most ${max}`, { skip: needsLog && environment === late }, async () => {
        const numbers = await read(subject);
        assert.ok(numbers.length > 0, "no number was found");
        for (const number of numbers) {
          assert.match(number, /^-?\d+$/);
          assert.ok(BigInt(number) <= max && BigInt(number) >= MIN, number);
        }
      });
  });

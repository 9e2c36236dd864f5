/**
 * Tests that many connections with the heaviest small request of each family together use no more working memory than
 * the daemon's budget, and that writes and other users go on meanwhile.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { until } from "../../support/until.js";

const MIB = 1024 * 1024;
const BUDGET = 48 * MIB;
/** The maximum memory that a daemon gains: the budget, the data, replies on their way, and V8's garbage. */
const RESIDENT_MIB_MAX = 700;
const WORK = ["--work-memory", String(BUDGET), "--work-wait", "5m"];
const CONNECTIONS = 4;
const ROWS = 200;

const BEGIN_CHARS = 400;
const MARK = "the end of the answer";
const END_OF_ANSWER = `${MARK}\r\n`;

const key = makeKeyPair("rsa");
const root = makeKeyPair();

/** Requests of at most 300 bytes. Some are refused, because one query may hold half of the budget. */
const REQUESTS: Readonly<Record<string, readonly string[]>> = {
  "LCS, length": ["LCS", "a", "b", "LEN"],
  "LCS, text": ["LCS", "a", "b"],
  "LCS, ranges": ["LCS", "a", "b", "IDX"],
  join: ["SQL", "d", "select x.v, y.v from t x, t y"],
  "sorted join": ["SQL", "d", "select x.v, y.v from t x, t y order by x.v + y.v desc"],
  "grouped join": ["SQL", "d", "select x.v + y.v, count(*) from t x, t y group by x.v + y.v, x.n"],
  "distinct join": ["SQL", "d", "select distinct x.v, y.n from t x, t y"],
  "union of joins": ["SQL", "d", "select x.v, y.v from t x, t y union select x.n, y.n from t x, t y"],
  "huge join": ["SQL", "d", "select * from t x, t y, t z where x.n + y.n + z.n > 0"],
  "group of all documents": [
    ...["MDB.AGGREGATE", "d", "c"],
    '{"pipeline":[{"$unwind":"$q"},{"$group":{"_id":"$q","all":{"$push":"$$ROOT"}}},{"$unwind":"$all"}]}',
  ],
  "crossed documents": [
    ...["MDB.AGGREGATE", "d", "c"],
    '{"pipeline":[{"$lookup":{"from":"c","localField":"k","foreignField":"k","as":"o"}},{"$unwind":"$o"},{"$sort":{"o.n":1}}]}',
  ],
  "sorted documents": ["MDB.FIND", "d", "c", '{"sort":{"t":1,"n":-1},"projection":{"t":1,"q":1}}'],
  ZUNION: ["ZUNION", "3", "z", "z", "z", "WITHSCORES"],
  ZINTER: ["ZINTER", "3", "z", "z", "z", "WITHSCORES"],
  SORT: ["SORT", "l", "ALPHA", "GET", "#", "GET", "*", "GET", "#"],
  KEYS: ["KEYS", "*"],
  SCAN: ["SCAN", "0", "COUNT", "100000"],
  "script with LCS": ["EVAL", "return redis.call('LCS', 'a', 'b')", "0"],
  "script with a join": ["EVAL", "return redis.call('SQL', 'd', 'select x.v, y.v from t x, t y')", "0"],
};

const REFUSED = /^-(?:TOOMUCH|TRYAGAIN) /;

/** A Redis client that reads only the beginning of each answer, because the answers are long. */
class HeavyLine implements Disposable {
  readonly #socket: Socket;
  #begin = "";
  #end = "";
  #settle: ((begin: string) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      if (this.#begin.length < BEGIN_CHARS) this.#begin += text.slice(0, BEGIN_CHARS);
      this.#end = (this.#end + text).slice(-END_OF_ANSWER.length);
      if (this.#end === END_OF_ANSWER) this.#settle?.(this.#begin);
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#settle?.("the connection was closed"));
  }

  static async open(port: number): Promise<HeavyLine> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new HeavyLine(socket);
  }

  /** Sends commands, and returns the beginning of their answers once all have arrived. */
  call(...commands: readonly (readonly string[])[]): Promise<string> {
    [this.#begin, this.#end] = ["", ""];
    const bytes = [...commands, ["ECHO", MARK]].map(writeCommand).join("");
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#socket.write(bytes, "latin1");
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

interface Scene extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly resp: number;
  readonly sql: number;
  readonly mongo: number;
}

async function start(): Promise<Scene> {
  const [resp, sql, mongo] = [await freePort(), await freePort(), await freePort()];
  const listeners = ["--resp", String(resp), "--sql", String(sql), "--mongo", String(mongo)];
  const daemon = await startDaemon([...listeners, ...WORK]);
  using line = await RedisConnection.open(resp);
  for (const argv of DATA) {
    const answer = await line.value(...argv);
    assert.ok(!(answer instanceof Error), `${argv.join(" ").slice(0, 80)}: ${answer}`);
  }
  return { daemon, resp, sql, mongo, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

const DATA: readonly (readonly string[])[] = [
  ["MSET", "a", "ab".repeat(5000), "b", "abb".repeat(3300)],
  ["ZADD", "z", ...numbers(20_000).flatMap((i) => [String(i), `member ${i}`])],
  ["RPUSH", "l", ...numbers(20_000).map((i) => `element ${(i * 7919) % 20_000}`)],
  ["MSET", ...numbers(5000).flatMap((i) => [`key ${i}`, "1"])],
  ["SQL", "", "create database d"],
  ["SQL", "d", "create table t (n number, v number, s text)"],
  ["SQL", "d", `insert into t values ${numbers(ROWS).map((i) => `(${i},${i % 90},'${"x".repeat(100)}')`)}`],
  [
    ...["MDB.INSERT", "d", "c", "1"],
    ...numbers(300).map((i) =>
      JSON.stringify({ _id: i, n: i, k: i % 2, t: "t".repeat(100), q: numbers(50) }),
    ),
  ],
];

const residentMib = (daemon: DaemonProcess, field: "VmHWM" | "VmRSS") =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${daemon.pid}/status`, "latin1"))?.[1]) /
  1024;

const figuresIn = (text: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...text.matchAll(/working_memory_(\w+):(\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  );

/** Checks the figures of a daemon that has answered all requests. @param gained  MiB of resident memory */
function isWithin({ peak = 0, ...others }: Readonly<Record<string, number>>, gained: number): void {
  assert.deepEqual(others, { used: 0, limit: BUDGET, waiting: 0 });
  assert.ok(peak > 0 && peak <= BUDGET, `${peak} bytes were held`);
  assert.ok(gained < RESIDENT_MIB_MAX, `the daemon gained ${Math.round(gained)} MiB`);
}

const isServed = (name: string, answer: string): void =>
  assert.ok(/^[*$:]/.test(answer) || REFUSED.test(answer), `${name}: ${answer.slice(0, 200)}`);

test("connections of Redis clients with heavy requests stay within the budget", {
  timeout: 600_000,
}, async () => {
  await using scene = await start();
  const before = residentMib(scene.daemon, "VmRSS");
  const lines = await Promise.all(numbers(CONNECTIONS).map(() => HeavyLine.open(scene.resp)));
  const requests = Object.entries(REQUESTS);
  const served = new Map<string, readonly string[]>();

  for (const [name, argv] of requests) {
    const answers = await Promise.all(lines.map((line) => line.call(argv)));
    for (const answer of answers) isServed(name, answer);
    served.set(name, answers);

    const together = await Promise.all(lines.map((line) => line.call(["MULTI"], argv, ["EXEC"])));
    for (const answer of together) {
      assert.ok(answer.startsWith("+OK\r\n+QUEUED\r\n"), `${name}: ${answer}`);
      // A transaction that reaches a limit is refused as a whole.
      isServed(name, answer.slice("+OK\r\n+QUEUED\r\n".length).replace(/^\*1\r\n/, ""));
    }
  }

  for (const shift of [0, 7]) {
    const called = lines.map((line, i) => line.call(requests[(i * 3 + shift) % requests.length]?.[1] ?? []));
    for (const answer of await Promise.all(called)) isServed("mixed", answer);
  }

  for (const name of ["LCS, length", "LCS, text", "join", "ZUNION", "SORT", "sorted documents"])
    for (const answer of served.get(name) ?? []) assert.match(answer, /^[*$:]/, name);
  for (const answer of served.get("huge join") ?? []) assert.match(answer, /^-TOOMUCH /);

  using line = await RedisConnection.open(scene.resp);
  const figures = figuresIn(String(await line.value("INFO", "memory")));
  isWithin(figures, residentMib(scene.daemon, "VmHWM") - before);
  for (const line of lines) line[Symbol.dispose]();
});

test("clients of the SQL and MongoDB listeners with heavy requests stay within the budget", {
  timeout: 600_000,
}, async () => {
  await using scene = await start();
  const before = residentMib(scene.daemon, "VmRSS");
  const url = `mongodb://127.0.0.1:${scene.mongo}`;
  await using mongo = await new MongoClient(url, { maxPoolSize: CONNECTIONS }).connect();

  const documents = mongo.db("d").collection<{ _id: number }>("c");
  const sorts = numbers(CONNECTIONS).map(() => documents.find({}).sort({ t: 1, n: -1 }).toArray());
  const pipeline = JSON.parse(REQUESTS["crossed documents"]?.at(-1) as string).pipeline as object[];
  const crossed = numbers(CONNECTIONS).map(() =>
    documents
      .aggregate([...pipeline, { $count: "n" }])
      .toArray()
      .catch((problem: Error) => problem.message),
  );

  const clients = await Promise.all(numbers(CONNECTIONS).map(() => RawClient.open(scene.sql)));
  for (const client of clients) client.send("use d;\n");
  for (const client of clients) await client.readTo("\nEND\n");
  for (const client of clients) client.send("select x.v, y.v from t x, t y;\n");

  for (const sorted of await Promise.all(sorts)) assert.equal(sorted.length, 300);
  for (const one of await Promise.all(crossed))
    assert.ok(typeof one === "string" ? /TOOMUCH|--work-memory/.test(one) : one.length === 1, String(one));
  for (const client of clients) {
    assert.match(await client.readTo("\nEND\n"), /^RELATION_JSON_PAGE/);
    client[Symbol.dispose]();
  }

  using line = await RedisConnection.open(scene.resp);
  const figures = figuresIn(String(await line.value("INFO", "memory")));
  isWithin(figures, residentMib(scene.daemon, "VmHWM") - before);
});

/** The requests that a signed client sends alone, so that they run in steps. */
const QUERIES = Object.values(REQUESTS).filter(([name]) => /^(?:LCS|SQL|MDB)/.test(name as string));

async function fill(client: EnvelopeClient): Promise<void> {
  for (const argv of DATA) {
    const [reply] = await client.replies([argv]);
    assert.ok(reply?.kind !== "error", `${argv.slice(0, 2).join(" ")}: ${JSON.stringify(reply)}`);
  }
}

/** Requests the figures as an administrator. */
async function workingMemoryOf({ port }: DaemonProcess): Promise<Readonly<Record<string, number>>> {
  using client = await EnvelopeClient.open(port, root);
  const [reply] = await client.replies([["INFO", "memory"]]);
  assert.ok(reply?.kind === "bulk" || reply?.kind === "verbatim", JSON.stringify(reply));
  return figuresIn(reply.bytes);
}

const isRefusedOrServed = (message: Awaited<ReturnType<EnvelopeClient["next"]>>): void => {
  assert.ok(message !== null && message.kind !== "hello");
  if (message.kind === "refused") assert.match(message.code, /^working-memory(?:-busy)?$/);
};

test("envelopes of one connection with heavy queries stay within the budget", {
  timeout: 600_000,
}, async () => {
  await using daemon = await startDaemon(["-s", key.file, "--root-key", root.file, ...WORK]);
  using client = await EnvelopeClient.open(daemon.port, key);
  await fill(client);
  const before = residentMib(daemon, "VmRSS");
  const envelopes = QUERIES.map((argv) => client.sign([argv]));
  client.raw.send(envelopes.map(({ frame }) => frame).join(""));
  for (const _ of envelopes) isRefusedOrServed(await client.next());
  // The queries of one envelope run one after the other, and see none of its later changes.
  const join = ["SQL", "d", "select x.v, y.v from t x, t y"];
  const several = await client.replies([...QUERIES, ["SET", "a", ""], ["LCS", "a", "b", "LEN"], join]);
  assert.deepEqual(several.at(-2), { kind: "integer", value: 0 });
  assert.notDeepEqual(several[0], { kind: "integer", value: 0 });
  assert.notEqual(several.at(-1)?.kind, "error");
  isWithin(await workingMemoryOf(daemon), residentMib(daemon, "VmHWM") - before);
});

test("replication and small queries of other keys go on while queries fill the budget", {
  timeout: 600_000,
}, async () => {
  const other = makeKeyPair();
  const ports = [await freePort(), await freePort()] as const;
  const args = (own: number, peer: number) => [
    ...[
      "-s",
      key.file,
      "-s",
      other.file,
      "--root-key",
      root.file,
      "-p",
      String(own),
      "--peer",
      `127.0.0.1:${peer}`,
    ],
    ...[...knowsSecret, ...WORK],
  ];

  await using one = await startDaemon(args(...ports));
  await using two = await startDaemon(args(ports[1], ports[0]));
  using writer = await EnvelopeClient.open(one.port, key);
  using reader = await EnvelopeClient.open(two.port, key);
  using small = await EnvelopeClient.open(two.port, other);

  await until(
    "the daemon accepts writes",
    async () => (await writer.ask([["SET", "ready", "1"]])).kind === "result",
  );
  await fill(writer);

  const valueAt = async (name: string) => {
    const [reply] = await small.replies([["GET", name]]);
    return reply?.kind === "bulk" ? reply.bytes : null;
  };

  const hasData = ["MDB.COUNT", "d", "c", "{}"];
  await until("the daemon has all documents", async () => {
    const [reply] = await small.replies([hasData]);
    return reply?.kind === "integer" && reply.value === 300;
  });

  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      const heavy = numbers(10).map(() => reader.sign([["SQL", "d", "select x.v, y.v from t x, t y"]]));
      reader.raw.send(heavy.map(({ frame }) => frame).join(""));
      for (const _ of heavy) isRefusedOrServed(await reader.next());
    }
  })();

  await until("a query waits for memory", async () => ((await workingMemoryOf(two))["waiting"] ?? 0) > 0);
  await writer.replies([["SET", "written", "meanwhile"]]);
  await until("the write arrives", async () => (await valueAt("written")) === "meanwhile");
  const [common] = await small.replies([["LCS", "ready", "written", "LEN"]]);
  assert.deepEqual(common, { kind: "integer", value: 0 });

  isOver = true;
  await load;
  const { used, waiting, peak = 0 } = await workingMemoryOf(two);
  assert.deepEqual({ used, waiting }, { used: 0, waiting: 0 });
  assert.ok(peak <= BUDGET, `${peak} bytes were held`);
});

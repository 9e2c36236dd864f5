/**
 * Tests that no command on decided keys takes a daemon more steps at once than the members permit, whichever client
 * sends it: neither where it arrives, nor while members evaluate it, nor when they apply the decision. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import type { Client } from "../../client/public-api.js";
import { PROPOSAL_STEPS_MAX } from "../../daemon/timeline/fold/outcomes-in-turn.js";
import { Timeline } from "../../daemon/timeline/timeline.js";
import { PATIENT } from "../support/active-cluster.js";
import { isFull, some } from "../support/amount.js";
import { CountedSteps } from "../support/counted-steps.js";
import type { Served } from "../support/daemon-process.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { Trio } from "../support/trio.js";

const PORTS: readonly string[] = ["resp", "mongo", "sql", "json"].flatMap((option) => [`--${option}`, "0"]);
const PATTERNS = ["d:*", "mongo:shop.*", "sql:shop:rows"];

/** The elements of each value that the commands read, and the number of commands that make it. */
const [ELEMENTS, CALLS] = [120_000, 12];
/** The rows of the table, and the documents of the collection. */
const ROWS = 400;
const DOCUMENTS = 10_000;

let trio: Trio;

const portOf = (index: number, served: Served) => trio.daemon(index).portOf(served);
const redisAt = async (index: number) => await RedisConnection.open(await portOf(index, "Redis clients"));

before(async () => {
  trio = await Trio.start([...PORTS, ...EARLY_PATTERNS, ...PATIENT], 3, { keys: "app", areHere: true });
  await decideOn(trio, PATTERNS);
  await makeValues();
});
after(() => trio?.[Symbol.asyncDispose]());

/** Makes the values that the commands read. */
async function makeValues(): Promise<void> {
  using redis = await redisAt(0);
  for (let call = 0; call < CALLS; call++) {
    const elements = Array.from({ length: ELEMENTS / CALLS }, (_, index) => `${call}-${index}`);
    for (const argv of [
      ["SADD", "d:set", ...elements],
      ["RPUSH", "d:list", ...elements],
      ["ZADD", "d:sorted", ...elements.flatMap((element, index) => [String(index), element])],
    ])
      assert.equal((await redis.call(...argv)).kind, "integer", argv[0]);
  }
  await redis.call("SETRANGE", "d:bits", "8000000", "x");
  await redis.call("SET", "d:text", "text".repeat(2_500));
  await redis.call("PFADD", "d:counted", ...Array.from({ length: 1_000 }, (_, index) => `${index}`));
  for (let call = 0; call < CALLS; call++)
    await redis.call(
      "GEOADD",
      "d:places",
      ...Array.from({ length: 1_000 }, (_, index) => ["1", "2", `${call}-${index}`]).flat(),
    );

  using sql = await SqlLineClient.open(await portOf(0, "SQL clients"));
  const rows = Array.from({ length: ROWS }, (_, index) => `(${index})`);
  for (const statement of [
    ...["create database shop", "use shop", "create table rows (number number)"],
    `insert into rows values ${rows.join(", ")}`,
  ])
    await sql.told(statement);

  await withMongo(0, (documents) =>
    documents.insertMany(Array.from({ length: DOCUMENTS }, (_, index) => ({ index, text: "x" }))),
  );

  using documents = await documentsAt(0);
  await ask(documents, { action: "create" });
  const data = Object.fromEntries(
    Array.from({ length: DOCUMENTS }, (_, index) => [`e${index}`, { text: "x" }]),
  );
  await ask(documents, { action: "insert", "auto-increment": false, data });
}

type Documents = ReturnType<ReturnType<MongoClient["db"]>["collection"]>;

async function withMongo<Result>(
  index: number,
  run: (documents: Documents) => Promise<Result>,
): Promise<Result> {
  const url = `mongodb://127.0.0.1:${await portOf(index, "MongoDB clients")}/?directConnection=true`;
  await using client = new MongoClient(url);
  return await run(client.db("shop").collection("documents"));
}

const documentsAt = async (index: number) => await RawClient.open(await portOf(index, "JSON clients"));

async function ask(documents: RawClient, request: object): Promise<string> {
  documents.send(`${JSON.stringify({ document: "d:documents", ...request })}\n`);
  return await documents.readTo("\n\r");
}

const times = (count: number, ...words: readonly string[]): readonly string[] =>
  Array.from({ length: count }, () => words).flat();

/** Redis commands that need more steps than the members permit, of each family that has some. */
const COMMANDS: readonly (readonly string[])[] = [
  ["SUNIONSTORE", "d:new", ...times(300, "d:set")],
  ["SDIFFSTORE", "d:new", ...times(300, "d:set")],
  ["ZUNIONSTORE", "d:new", "300", ...times(300, "d:sorted")],
  ["ZRANGESTORE", "d:new", "d:sorted", "0", "-1"],
  ["ZREMRANGEBYRANK", "d:sorted", "0", "-1"],
  ["SORT", "d:list", "BY", "d:none:*", ...times(100, "GET", "d:none:*"), "STORE", "d:new"],
  ["BITOP", "AND", "d:new", ...times(300, "d:bits")],
  ["SETRANGE", "d:new", "100000000", "x"],
  ["SETBIT", "d:new", "800000000", "1"],
  ["BITFIELD", "d:new", "SET", "u8", "800000000", "1"],
  ["PFMERGE", "d:new", ...times(3_000, "d:counted")],
  ["GEOSEARCHSTORE", "d:new", "d:places", "FROMLONLAT", "1", "2", "BYRADIUS", "20000", "km", "ASC"],
];

/** A unit, or several, that need many steps only because of what they read. */
const READING: readonly (readonly string[])[] = [
  ["SET", "d:new", "x"],
  ["LCS", "d:text", "d:text", "LEN"],
];

/** The number of commands that a connection sends together: in one turn, they would take more than its maximum. */
const SENT_TOGETHER = 24;

/** The ways in which clients send a command; each returns its reply or its error. */
function waysOf(
  redis: RedisConnection,
  signed: Client,
): Readonly<Record<string, (argv: readonly string[]) => Promise<unknown>>> {
  const errorOf = (problem: Error) => problem.message;
  return {
    "a command": (argv) => redis.value(...argv),
    async "a transaction"(argv) {
      for (const line of [["WATCH", "d:new"], ["MULTI"], argv]) await redis.value(...line);
      return await redis.value("EXEC");
    },
    "a signed command": (argv) => signed.call(argv).catch(errorOf),
    "a signed command with a condition": (argv) =>
      signed.call(argv, { if: [{ key: "d:new", writer: null }] }).catch(errorOf),
  };
}

/** The steps that the three daemons may take in one turn of their event loop: each proposes or judges, and applies. */
const TURN_STEPS_MAX = 3 * 2 * PROPOSAL_STEPS_MAX;

/** Asserts that a command was refused, and that no turn has taken too many steps. */
function assertRefused(answer: unknown, { longest }: CountedSteps, name: string): void {
  assert.match(String(answer), /TOOMUCH|too-much|would read or produce more/, name);
  assert.ok(longest <= TURN_STEPS_MAX, `${name}: ${longest} steps in one turn`);
}

/** Sends all commands in all ways to a daemon, and asserts that none has an effect or blocks the daemons. */
async function sendAll(index: number): Promise<void> {
  using counted = new CountedSteps();
  const check = (answer: unknown, name: string) => assertRefused(answer, counted, name);

  using redis = await redisAt(index);
  await using signed = trio.client([index]);
  for (const [way, send] of Object.entries(waysOf(redis, signed)))
    for (const argv of some(COMMANDS, 6)) check(await send(argv), `${way}: ${argv.slice(0, 3).join(" ")}`);

  await redis.value("MULTI");
  for (const argv of READING) await redis.value(...argv);
  check(await redis.value("EXEC"), "a transaction that reads");
  check(await signed.multi(READING).catch(String), "a signed transaction that reads");
  using client = await EnvelopeClient.open(trio.ports[index] as number, trio.app);
  check(JSON.stringify(await client.ask(READING)), "a signed envelope of several commands");

  using sql = await SqlLineClient.open(await portOf(index, "SQL clients"));
  await sql.told("use shop");
  check(await sql.told("insert into rows select a.number from rows a, rows b, rows c"), "SQL");
  using documents = await documentsAt(index);
  const change = { action: "update", where: { text: "x" }, data: { text: "y" } };
  check(await ask(documents, change), "JSON");
  check(
    await withMongo(index, (all) => all.updateMany({}, { $set: { text: "y" } })).catch(String),
    "MongoDB",
  );

  for (const at of trio.ports.keys()) {
    using reader = await redisAt(at);
    assert.equal(await reader.value("EXISTS", "d:new"), 0);
    assert.equal(await reader.value("ZCARD", "d:sorted"), ELEMENTS);
  }
}

test("commands that need too many steps are refused where they arrive", () => sendAll(1));

test("a daemon refuses commands that arrive together in several turns", async () => {
  using redis = await redisAt(1);
  using counted = new CountedSteps();
  for (let count = 0; count < SENT_TOGETHER; count++)
    redis.queue(["ZRANGESTORE", "d:new", "d:sorted", "0", "-1"]);
  for (const reply of await redis.flush()) assertRefused(JSON.stringify(reply), counted, "ZRANGESTORE");
});

test("the members refuse commands that need too many steps, whatever the daemon permits at which they arrive", {
  skip: isFull && "the daemons are processes",
}, async (context) => {
  context.mock.method(Timeline.prototype, "exceedsUndecided", () => false);
  await sendAll(1);
});

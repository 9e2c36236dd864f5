/**
 * Tests queries of JSON clients while late writes of other daemons undo and repeat the writes that the queries have
 * read: what a daemon remembers about entries follows the entries. DBSYNC_SEED replays the writes and queries.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../../test/support/amount.js";
import { CuttablePort } from "../../../test/support/cuttable-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { authorizeDaemons } from "../../../test/support/resp-trio.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { Trio } from "../../../test/support/trio.js";
import { until } from "../../../test/support/until.js";

const seed = seedOfRun();
const ROUNDS = amount(1, 4);
/** The writes of each daemon in a round. The other daemons receive them later. */
const WRITES = amount(10, 30);
/** Enough entries for answers that are built in several steps. */
const ENTRIES = amount(1_500, 3_000);
const VALUES = [0, 1, 2, "a", "é", null];
const DOCUMENT = "d";
/** The daemons that are queried all the time. The third one restarts before each comparison, and remembers nothing. */
const QUERIED = [0, 1];
const FRESH = 2;

type Value = (typeof VALUES)[number];
/** Each write sets all members to one value. */
interface Written {
  readonly first: Value;
  readonly note: string;
  readonly last: Value;
}

const written = (value: Value): Written => ({ first: value, note: `a note of ${value}`, last: value });

function randomWrite(random: SeededRandom): object {
  const [value, id] = [random.oneOf(VALUES), String(random.below(ENTRIES))];
  const document = { document: DOCUMENT, replicate: false };
  return random.oneOf<() => object>([
    () => ({ action: "insert", ...document, data: [written(value), written(value)] }),
    () => ({ action: "update", ...document, data: written(value), id }),
    () => ({
      action: "update",
      ...document,
      data: written(value),
      where: { first: random.oneOf(VALUES) },
      limit: 20,
    }),
    () => ({ action: "delete", ...document, id }),
    () => ({ action: random.oneOf(["createindex", "dropindex"]), ...document, field: "first" }),
  ])();
}

function randomQuery(random: SeededRandom): object {
  const value = random.oneOf(VALUES);
  const selection = random.oneOf<object>([
    {},
    { query: { first: value } },
    { where: { first: value } },
    { where: { first: { $gte: random.below(3) } } },
    { where: { last: { $lte: random.below(3) }, first: { $ne: 1 } } },
    { where: { note: { $regex: `of ${value}$` } } },
  ]);
  const result = random.oneOf<object>([
    { action: "get" },
    { action: "count" },
    { action: "get", fields: ["last", "first"] },
    { action: "get", sort: { last: "desc" }, limit: 50 },
    { action: "get", limit: 100, offset: 500 },
  ]);
  return { document: DOCUMENT, ...selection, ...result };
}

/** Fails if an answer contains an entry that mixes two writes. */
function checkEntries(query: object, answer: string): void {
  const { status, data = {} } = JSON.parse(answer) as { status: string; data?: object };
  assert.equal(status, "success", `${JSON.stringify(query)}: ${answer.slice(0, 200)}`);
  const mixed = Object.entries(data as Record<string, Written>).find(([, { first, last }]) => first !== last);
  assert.equal(mixed, undefined, JSON.stringify(query));
}

test(`queries see no mixture of states while late writes arrive (seed ${seed})`, async () => {
  await using trio = await Trio.make(["--json", "0"]);
  const gates = await Promise.all(trio.ports.map((port) => CuttablePort.open(() => port)));
  await using _gates = {
    [Symbol.asyncDispose]: async () => {
      for (const gate of gates) await gate[Symbol.asyncDispose]();
    },
  };

  trio.linkPort = (_, to) => gates[to]?.port ?? 0;
  await trio.startAll();
  await authorizeDaemons(trio);
  const open = async (index: number) => await RawClient.open(await trio.daemon(index).portOf("JSON clients"));

  using first = await open(0);
  await until("writes succeed", async () =>
    /success/.test(await ask(first, { action: "create", document: DOCUMENT })),
  );

  const random = new SeededRandom(seed);
  const data = Array.from({ length: ENTRIES }, () => written(random.oneOf(VALUES)));
  await ask(first, { action: "insert", document: DOCUMENT, data });

  for (let round = 0; round < ROUNDS; round++) {
    await trio.level(120_000);
    for (const gate of gates) gate.isHeld = true;

    let isRunning = true;
    const queries = QUERIED.map(async (index) => {
      using client = await open(index);
      const own = new SeededRandom(seed, round, index);
      while (isRunning) {
        const query = randomQuery(own);
        checkEntries(query, await ask(client, query));
      }
    });

    const writes = trio.ports.map(async (_, index) => {
      using client = await open(index);
      const own = new SeededRandom(seed, round, 10 + index);
      for (let n = 0; n < WRITES; n++) await ask(client, randomWrite(own));
    });

    await Promise.all(writes);
    for (const gate of gates) gate.release();
    await trio.level(120_000);
    isRunning = false;
    await Promise.all(queries);

    await trio.end(FRESH, "SIGTERM");
    await trio.start(FRESH);
    await trio.level(120_000);

    const clients = await Promise.all([...trio.ports.keys()].map(open));
    for (let n = 0; n < amount(15, 40); n++) {
      const query = randomQuery(random);
      const answers = await Promise.all(clients.map((client) => ask(client, query)));
      checkEntries(query, answers[FRESH] as string);
      for (const index of QUERIED) assert.equal(answers[index], answers[FRESH], JSON.stringify(query));
    }
    for (const client of clients) client[Symbol.dispose]();
  }
});

/**
 * Tests a cache with a real server: after a client has written through the cache, every client of the cache reads the
 * new data, including from views.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startSql } from "../../../../faces/sql/test/scene.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { SqlLineClient } from "../../../support/sql-line-client.js";
import { startCache } from "./scene.js";

/** A lifetime so long that no entry expires. */
const LIFE = { cache: { life: 86_400_000, maxEntries: 1000 } };
const seed = seedOfRun();

test("a write removes the answers that depend on it, including answers from views, and keeps all other answers", async () => {
  await using server = await startSql({ language: "en" });
  await using cache = await startCache(server.port, LIFE);
  using client = await SqlLineClient.open(cache.port);
  const { figures } = cache;

  for (const statement of [
    "create database d",
    "use d",
    "create table a (k number)",
    "create table b (k number)",
    "create view v as select k from a",
  ])
    await client.ask(statement);

  const reads = [
    "select k from a",
    "select k from b",
    "select k from v",
    "select a.k from a join b on a.k = b.k",
  ];

  const isHit = async (statement: string) => {
    const before = figures.hits;
    await client.ask(statement);
    return figures.hits > before;
  };
  const kept = async () => {
    const hits: boolean[] = [];
    for (const read of reads) hits.push(await isHit(read));
    return hits;
  };

  await kept();
  assert.deepEqual(await kept(), [true, true, true, true]);

  await client.ask("insert into b values (1)");
  // A view may depend on any table.
  assert.deepEqual(await kept(), [true, false, false, false]);

  await client.ask("insert into a values (1)");
  assert.deepEqual(await kept(), [false, true, false, false]);
  assert.match(await client.ask("select k from v"), /"rows":\[\[1\.0\]\]/);

  await client.ask("create table c (k number)");
  assert.deepEqual(await kept(), [false, false, false, false]);

  await client.ask("drop view v");
  assert.match(await client.ask("select k from v"), /Hadisoana/);
  await kept();

  await client.ask("what is this");
  assert.deepEqual(await kept(), [false, false, false, false]);
});

test("random statements of many clients receive the same answers with a cache as without one", async () => {
  console.log(`DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);
  await using server = await startSql({ language: "en" });
  await using cache = await startCache(server.port, LIFE);

  const clients: { cached: SqlLineClient; direct: SqlLineClient }[] = [];
  for (let i = 0; i < 4; i++)
    clients.push({
      cached: await SqlLineClient.open(cache.port),
      direct: await SqlLineClient.open(server.port),
    });

  const name = () => ["a", "b", "v", "w"][random.below(4)] as string;
  const statements: (() => string)[] = [
    () => `use d${random.below(2)}`,
    () => `select k from ${name()} order by k`,
    () => `select x.k from ${name()} x join ${name()} y on x.k = y.k`,
    () => `select count(*) from ${name()}`,
    () => "show tables",
    () => "show views",
    () => `describe ${name()}`,
    () => "show databases",
    () => `insert into ${name()} values (${random.below(50)})`,
    () => `update ${name()} set k = k + 1 where k < ${random.below(50)}`,
    () => `delete from ${name()} where k > ${random.below(50)}`,
    () => (random.chance(0.2) ? `create table ${name()} (k number)` : "select 1"),
    () => (random.chance(0.2) ? `create view ${name()} as select k from ${name()}` : "select 2"),
    () => (random.chance(0.1) ? `drop ${random.chance(0.5) ? "table" : "view"} ${name()}` : "select 3"),
    () => (random.chance(0.1) ? `drop database d${random.below(2)}` : "select 4"),
    () => (random.chance(0.3) ? `create database d${random.below(2)}` : "select 5"),
  ];

  const isRead = (statement: string) => /^(select|show|describe)/.test(statement);
  for (let step = 0; step < amount(400, 1500); step++) {
    const { cached, direct } = clients[random.below(clients.length)] as (typeof clients)[number];
    const statement = (statements[random.below(statements.length)] as () => string)();
    const answer = await cached.ask(statement);
    // Both connections execute reads and USE, but a write is executed only once.
    if (!isRead(statement) && !statement.startsWith("use")) continue;
    const due = await direct.ask(statement);
    // If a database was dropped, its tables are missing too, so the cache and the server may report different errors.
    const isRefused = due.includes("Hadisoana") && answer.includes("Hadisoana");
    if (!isRefused) assert.equal(answer, due, `step ${step}: ${statement}`);
  }

  assert.ok(cache.figures.hits > amount(30, 150), `${cache.figures.hits} hits`);
  for (const { cached, direct } of clients) for (const client of [cached, direct]) client[Symbol.dispose]();
});

test("with many readers and writers, no read misses a row that was acknowledged before it", async () => {
  await using server = await startSql({ language: "en" });
  await using cache = await startCache(server.port, LIFE);
  using first = await SqlLineClient.open(cache.port);

  await first.ask("create database d");
  await first.ask("use d");
  await first.ask("create table t (k number)");

  let acknowledged = 0;
  let isOver = false;
  const writer = async () => {
    using client = await SqlLineClient.open(cache.port);
    await client.ask("use d");
    for (let i = 0; i < 150; i++) {
      assert.match(await client.ask(`insert into t values (${i})`), /^RESULT_MESSAGE\n(?!Hadisoana)/);
      acknowledged++;
    }
  };

  const reader = async () => {
    using client = await SqlLineClient.open(cache.port);
    await client.ask("use d");
    let reads = 0;
    for (; !isOver; reads++) {
      const least = acknowledged;
      const [, count] = /"rows":\[\[(\d+)\.0\]\]/.exec(await client.ask("select count(*) from t")) ?? [];
      assert.ok(Number(count) >= least, `${count} of ${least}`);
    }
    return reads;
  };

  const readers = Array.from({ length: 8 }, reader);
  await Promise.all([writer(), writer()]);
  isOver = true;
  const reads = (await Promise.all(readers)).reduce((sum, each) => sum + each, 0);
  assert.ok(cache.figures.hits + cache.figures.joined > 0, `${reads} reads`);
});

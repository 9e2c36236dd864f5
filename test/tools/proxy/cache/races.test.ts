/**
 * Tests that a cache never serves errors, data of another database, or data that were read before an acknowledged
 * write. The test plays the role of the server.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorFrame, messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { SqlLineClient } from "../../../support/sql-line-client.js";
import { until } from "../../../support/until.js";
import { type Asked, FakeSqlServer, HEARTBEAT, pageOf } from "../sql-server.js";
import { startCache } from "./scene.js";

const NO_VIEWS =
  'RELATION_JSON_PAGE 1/1\n{"type":"relation","name":"fanasehoana","page":1,"totalPages":1,"columns":[{"name":"fanasehoana","origin":null}],"rows":[]}\nRELATION_JSON_END\nRESULT_MESSAGE\nOK\nEND\n';
const READ = "alaivo x ao@ t";
const WRITE = "manampia ao@ t (x) sanda (1)";
const USE = /^ampiasao (\S+)$/;

/**
 * The server's answers, which are held back until the test releases them. Equal statements are answered oldest first.
 */
class Held {
  readonly #waiting = new Map<string, ((answer: string) => void)[]>();

  readonly answering = ({ statement }: Asked): string | Promise<string> => {
    if (statement === HEARTBEAT) return pageOf("1");
    if (statement === "asehoy ny jery") return NO_VIEWS;
    if (statement.startsWith("pages")) return messageFrame("done");
    const [, name] = USE.exec(statement) ?? [];
    if (name !== undefined) return messageFrame(`Ny tahiry : ${name} dia miasa ankehitriny`);
    return new Promise((resolve) => {
      const all = this.#waiting.get(statement) ?? [];
      all.push(resolve);
      this.#waiting.set(statement, all);
    });
  };

  count(statement: string): number {
    return this.#waiting.get(statement)?.length ?? 0;
  }

  async answer(statement: string, answer: string): Promise<void> {
    await until(`${statement} arrives`, () => this.count(statement) > 0);
    this.#waiting.get(statement)?.shift()?.(answer);
  }
}

async function inToko(port: number): Promise<SqlLineClient> {
  const client = await SqlLineClient.open(port);
  await client.ask("ampiasao toko");
  return client;
}

test("the answer to a read that began before a write and ended after it is not stored or shared", async () => {
  const held = new Held();
  await using server = await FakeSqlServer.start(held.answering);
  await using cache = await startCache(server.port);
  using reader = await inToko(cache.port);
  using writer = await inToko(cache.port);

  const early = reader.ask(READ);
  await until("the read is in progress", () => held.count(READ) === 1);

  const written = writer.ask(WRITE);
  await held.answer(WRITE, messageFrame("done"));
  await written;

  // The server has not answered the early read yet; that answer must not be used for the writer's own read.
  const late = writer.ask(READ);
  await until("the writer's read is sent separately", () => held.count(READ) === 2);

  await held.answer(READ, pageOf("old"));
  assert.equal(await early, pageOf("old"));
  await held.answer(READ, pageOf("new"));
  assert.equal(await late, pageOf("new"));
  assert.equal(await reader.ask(READ), pageOf("new"));
  assert.equal(cache.figures.hits, 1);
  assert.equal(cache.figures.overtaken, 1);
});

test("answers that were stored during a write are removed when the write is answered", async () => {
  const held = new Held();
  await using server = await FakeSqlServer.start(held.answering);
  await using cache = await startCache(server.port);
  using reader = await inToko(cache.port);
  using writer = await inToko(cache.port);
  const written = writer.ask(WRITE);
  await until("the write is in progress", () => held.count(WRITE) === 1);
  const read = reader.ask(READ);
  await held.answer(READ, pageOf("old"));
  await read;
  await held.answer(WRITE, errorFrame("it is said to have failed"));
  await written;
  const next = reader.ask(READ);
  await held.answer(READ, pageOf("new"));
  assert.equal(await next, pageOf("new"));
});

test("after a write whose answer was lost, the cache stores no dependent answers for a while", async () => {
  const held = new Held();
  await using server = await FakeSqlServer.start((asked) => {
    if (asked.statement !== WRITE) return held.answering(asked);
    asked.socket.destroy();
    return null;
  });

  await using cache = await startCache(server.port, { cache: { life: 1000 } });
  using client = await inToko(cache.port);
  assert.match(
    await client.ask(WRITE),
    /^RESULT_MESSAGE\nHadisoana : .* it is not known whether the statement was executed\nEND\n$/,
  );

  for (const value of ["old", "new"]) {
    const read = client.ask(READ);
    await held.answer(READ, pageOf(value));
    assert.equal(await read, pageOf(value));
  }
  assert.equal(cache.figures.stored, 1, "the cache stores only the views");

  cache.pass(60_000);
  const read = client.ask(READ);
  await held.answer(READ, pageOf("newest"));
  await read;
  assert.equal(await client.ask(READ), pageOf("newest"));
  assert.equal(cache.figures.hits, 1);
});

test("concurrent equal reads wait for one fetch, and share its failure", async () => {
  const held = new Held();
  await using server = await FakeSqlServer.start(held.answering);
  await using cache = await startCache(server.port);
  const clients = await Promise.all(Array.from({ length: 20 }, () => inToko(cache.port)));
  const asked = clients.map((client) => client.ask(READ));
  await until("all reads wait", () => cache.figures.joined === 19 && held.count(READ) > 0);
  assert.equal(held.count(READ), 1);
  await held.answer(READ, errorFrame("not now"));
  for (const answer of await Promise.all(asked)) assert.equal(answer, errorFrame("not now"));
  const again = clients.map((client) => client.ask(READ));
  await held.answer(READ, pageOf("now"));
  for (const answer of await Promise.all(again)) assert.equal(answer, pageOf("now"));
  for (const client of clients) client[Symbol.dispose]();
});

test("answers are not shared between users, databases or page sizes", async () => {
  const whose = new Map<number, string>();
  await using server = await FakeSqlServer.start(({ statement, connection }) => {
    const before = whose.get(connection) ?? "";
    const [, name] = USE.exec(statement) ?? [];
    if (/^(login|pages)/.test(statement) || name !== undefined)
      whose.set(connection, `${before}+${statement}`);
    if (name !== undefined) return messageFrame(`Ny tahiry : ${name} dia miasa ankehitriny`);
    if (/^(login|pages)/.test(statement)) return messageFrame("tafiditra");
    return statement === "asehoy ny jery" ? NO_VIEWS : pageOf(before);
  });

  await using cache = await startCache(server.port);
  const kinds = ["", "ampiasao a", "ampiasao b", "login ada x", "login ada y", "pages 5"];
  const clients = await Promise.all(kinds.map(() => SqlLineClient.open(cache.port)));
  for (const [i, client] of clients.entries()) if (kinds[i] !== "") await client.ask(kinds[i] as string);

  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(clients.map((client) => client.ask(READ)));
    for (const [i, answer] of answers.entries())
      assert.equal(answer, pageOf(kinds[i] === "" ? "" : `+${kinds[i]}`), `${round} ${kinds[i]}`);
  }
  assert.equal(cache.figures.hits, 2 * kinds.length);

  // The USE is refused, so the connection stays in its database.
  server.answering = () => errorFrame("Tsy misy ny tahiry : c");
  await clients[1]?.ask("ampiasao c");
  assert.equal(await clients[1]?.ask(READ), pageOf("+ampiasao a"));
  for (const client of clients) client[Symbol.dispose]();
});

test("errors and messages are never stored", async () => {
  let answer = errorFrame("La table toko.t n'as pas");
  await using server = await FakeSqlServer.start(({ statement }) =>
    statement === HEARTBEAT ? pageOf("1") : answer,
  );
  await using cache = await startCache(server.port);
  using client = await SqlLineClient.open(cache.port);
  for (const next of [messageFrame("Erreur de connexion backend"), messageFrame("done"), pageOf("row")]) {
    assert.equal(await client.ask("alaivo 2"), answer);
    answer = next;
  }
  assert.equal(await client.ask("alaivo 2"), pageOf("row"));
  answer = errorFrame("too late");
  assert.equal(await client.ask("alaivo 2"), pageOf("row"));
});

test("the cache treats a write as unknown if the balancer reports its outcome as unknown", async () => {
  for (const text of [
    "Erreur de connexion backend",
    "Hadisoana : Erreur de connexion backend : m1 : not known",
  ]) {
    const held = new Held();
    await using server = await FakeSqlServer.start(held.answering);
    await using cache = await startCache(server.port);
    using client = await inToko(cache.port);
    const written = client.ask(WRITE);
    await held.answer(WRITE, messageFrame(text));
    await written;
    for (const value of ["old", "new"]) {
      const read = client.ask(READ);
      await held.answer(READ, pageOf(value));
      assert.equal(await read, pageOf(value));
    }
  }
});

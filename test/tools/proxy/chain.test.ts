/**
 * Tests the chain in docs/proxy.md, in five terminals: two daemons, the balancer, the cache, a client. One daemon is
 * killed while ten clients write into one table; reads and writes continue, no acknowledged row is lost, and the daemon
 * has the same data as its peer again after its restart.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { SqlLineClient } from "../../support/sql-line-client.js";
import { until } from "../../support/until.js";
import { RowWriter, rowsAt } from "./row-writer.js";
import { printedLines, Terminal } from "./terminals.js";

const CLIENTS = 10;
/** The number of rows that each client writes before the daemon is killed, and again afterwards. */
const ROWS = amount(10, 60);
/** Maximum number of consecutive refusals that a client receives before the balancer notices the failure. */
const REFUSED_IN_A_ROW = 3;

test("the chain of docs/proxy.md continues when a server is killed, loses nothing, and recovers", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-chain-"));
  const [secret = "", ...lines] = await printedLines("docs/proxy.md", "dbsync-proxy cache");
  assert.equal(lines.length, 5);

  await using makingSecret = new Terminal(secret, folder);
  makingSecret.start();
  assert.equal(await makingSecret.ended(), 0, makingSecret.output);

  const terminals = lines.map((line) => new Terminal(line, folder));
  const [one, two, balancer, cache, client] = terminals as [Terminal, Terminal, Terminal, Terminal, Terminal];
  const portOf = (pattern: RegExp, line = "") => Number(pattern.exec(line)?.[1]);
  const daemons = [
    { terminal: one, port: portOf(/--sql (\d+)/, lines[0]) },
    { terminal: two, port: portOf(/--sql (\d+)/, lines[1]) },
  ] as const;
  const front = portOf(/:(\d+)$/, lines[4]);

  try {
    for (const terminal of [one, two, balancer, cache]) terminal.start();
    const isThere = async (port: number) => {
      using probe = await SqlLineClient.open(port);
      assert.match(await probe.ask("alaivo 1;"), /"rows":\[\[1\.0\]\]/);
    };
    for (const port of [...daemons.map(({ port }) => port), front])
      await untilNoFailure(`port ${port} answers`, () => isThere(port));

    client.start("manamboara tahiry toko; ampiasao toko; manamboara tabilao t (k ISA(null,null));");
    assert.equal(await client.ended(), 0, client.output);

    // One daemon has executed the statements. The other daemon receives them a moment later, and until then refuses to
    // select the database.
    for (const { port } of daemons)
      await untilNoFailure(`the server at port ${port} has the table`, () => rowsAt(port));
    await writeThroughAKill(front, daemons);
  } catch (problem) {
    for (const [i, { output }] of terminals.entries()) console.log(`terminal ${i + 1}:\n${output}`);
    throw problem;
  } finally {
    for (const terminal of terminals) await terminal.kill();
    rmSync(folder, { recursive: true });
  }
});

/** Repeats checks until none throws. @throws Error  after the time limit; its cause is the last failure */
const untilNoFailure = (what: string, check: () => Promise<unknown>) =>
  until(what, () => check().then(() => true), { mayFail: true });

type Daemon = { readonly terminal: Terminal; readonly port: number };

async function writeThroughAKill(front: number, daemons: readonly [Daemon, Daemon]): Promise<void> {
  const writers = Array.from({ length: CLIENTS }, (_, i) => new RowWriter(i * 1_000_000));
  const clients = await Promise.all(writers.map(() => SqlLineClient.open(front)));
  for (const client of clients) assert.match(await client.told("ampiasao toko;"), /miasa ankehitriny/);

  const writeMore = () =>
    Promise.all(
      writers.map(async (writer, i) => {
        const due = writer.acknowledged.size + ROWS;
        while (writer.acknowledged.size < due) {
          await writer.write(clients[i] as SqlLineClient);
          assert.ok(!writer.isCutOff, "the connection was lost");
        }
      }),
    );

  let isReading = true;
  let reads = 0;
  const reading = (async () => {
    using reader = await SqlLineClient.open(front);
    await reader.told("ampiasao toko;");
    // Each statement is different, so that none is in the cache.
    for (; isReading; reads++)
      assert.match(await reader.ask(`alaivo count(k) n${reads} #ao@ t #vondrona (k) #fetra 0 1;`), /"rows":/);
  })();
  // A failure of the reads is reported below, unless something else fails first.
  reading.catch(() => {});
  await writeMore();

  // Any of the daemons may receive the writes.
  const counts = await Promise.all(daemons.map(async ({ port }) => (await rowsAt(port)).length));
  const [first, second] = daemons;
  const victim = (counts[0] ?? 0) >= (counts[1] ?? 0) ? first : second;
  const readsBefore = reads;

  const writing = writeMore();
  await victim.terminal.kill();
  await writing;
  await writeMore();
  victim.terminal.start();
  await writeMore();

  isReading = false;
  await reading;
  assert.ok(reads > readsBefore, "reads continue");

  await untilNoFailure("both daemons have the acknowledged rows", async () => {
    const [mine, other] = await Promise.all(daemons.map(({ port }) => rowsAt(port)));
    assert.deepEqual(mine, other);
    const acknowledged = writers.flatMap((writer) => [...writer.acknowledged]);
    const unknown = new Set(writers.flatMap((writer) => [...writer.unknown]));
    const held = new Set(mine);
    assert.deepEqual(
      acknowledged.filter((row) => !held.has(row)),
      [],
      "lost",
    );
    assert.deepEqual(
      mine?.filter((row) => !unknown.has(row)),
      acknowledged.sort((a, b) => a - b),
    );
    assert.ok(unknown.size <= CLIENTS, "only the statements in flight have unknown outcomes");
  });

  for (const { refusedMost } of writers) assert.ok(refusedMost <= REFUSED_IN_A_ROW, String(refusedMost));
  for (const client of clients) client[Symbol.dispose]();
}

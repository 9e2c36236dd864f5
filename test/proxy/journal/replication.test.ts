/**
 * The balancer before servers that tell each other nothing: two plain daemons. One is killed and started again, then the balancer itself, while
 * ten clients write into one table. Both servers come to hold the same, each acknowledged row once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFolder } from "../../daemon/replicas.js";
import { amount } from "../../support/amount.js";
import { freePort } from "../../support/free-port.js";
import { LineClient } from "../line-client.js";
import { eventually, RowWriter, rowsAt } from "../row-writer.js";
import { Terminal } from "../terminals.js";

const CLIENTS = 10;
/** Of each client, in each part. */
const ROWS = amount(3, 15);
const PROXY_KILLS = amount(1, 3);

class Scene implements AsyncDisposable {
  readonly servers: readonly Terminal[];
  readonly ports: readonly number[];
  readonly proxy: Terminal;
  readonly front: number;

  constructor(folder: string, ports: readonly number[], front: number) {
    this.ports = ports;
    this.front = front;
    this.servers = ports.map(
      (port, i) =>
        new Terminal(`dbsyncd -p 0 --sql ${port} --data ${folder}/s${i} --log-format json`, folder),
    );
    const places = ports.map((port, i) => `s${i}=127.0.0.1:${port}`).join(" ");
    this.proxy = new Terminal(
      `dbsync-proxy ${places} --listen ${front} --journal ${folder}/journal --settle 300 --heartbeat 100 --log-format json`,
      folder,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const terminal of [this.proxy, ...this.servers]) await terminal.kill();
  }
}

async function client(port: number): Promise<LineClient> {
  return await eventually(async () => {
    const opened = await LineClient.open(port);
    assert.match(await opened.told("ampiasao toko;"), /dia miasa/);
    return opened;
  });
}

async function writeMore(scene: Scene, writers: readonly RowWriter[]): Promise<void> {
  await Promise.all(
    writers.map(async (writer) => {
      let its = await client(scene.front);
      const due = writer.acknowledged.size + ROWS;
      while (writer.acknowledged.size < due) {
        await writer.write(its);
        if (!writer.isCutOff) continue;
        its[Symbol.dispose]();
        its = await client(scene.front);
        writer.isCutOff = false;
      }
      its[Symbol.dispose]();
    }),
  );
}

/** Both hold the same, what was acknowledged once, and nothing that nobody sent. */
async function assertEqual({ ports }: Scene, writers: readonly RowWriter[]): Promise<void> {
  await eventually(async () => {
    const [one, two] = (await Promise.all(ports.map(rowsAt))) as [number[], number[]];
    assert.deepEqual(one, two);
    const unknown = new Set(writers.flatMap((writer) => [...writer.unknown]));
    const acknowledged = writers.flatMap((writer) => [...writer.acknowledged]).sort((a, b) => a - b);
    assert.deepEqual(
      one.filter((row) => !unknown.has(row)),
      acknowledged,
    );
    assert.equal(new Set(one).size, one.length, "no row is there twice");
  });
}

test("a journal carries writes to servers that tell each other nothing, whoever is killed", async () => {
  using folder = makeFolder();
  const ports = [await freePort(), await freePort()];
  await using scene = new Scene(folder.path, ports, await freePort());
  for (const terminal of [...scene.servers, scene.proxy]) terminal.start();
  try {
    await eventually(async () => {
      using first = await LineClient.open(scene.front);
      const made = await first.told("manamboara tahiry toko;");
      assert.match(made, /voaforona|efa misy/);
      await first.told("ampiasao toko;");
      assert.match(await first.told("manamboara tabilao t (k ISA(null,null));"), /voaforona|efa misy/);
    });
    const writers = Array.from({ length: CLIENTS }, (_, i) => new RowWriter(i * 1_000_000));
    await writeMore(scene, writers);
    await assertEqual(scene, writers);
    for (const [server, terminal] of scene.servers.entries()) {
      const writing = writeMore(scene, writers);
      await terminal.kill();
      await writing;
      await writeMore(scene, writers);
      terminal.start();
      await writeMore(scene, writers);
      await assertEqual(scene, writers);
      await scene.proxy.printed(
        new RegExp(`"server":"s${server}".*Répliqué: s${server} holds all writes again`),
      );
    }
    for (let kills = 0; kills < PROXY_KILLS; kills++) {
      const writing = writeMore(scene, writers);
      await scene.proxy.kill();
      scene.proxy.start();
      await writing;
    }
    await assertEqual(scene, writers);
    assert.doesNotMatch(scene.proxy.output, /left alone/);
  } catch (problem) {
    for (const { output } of [scene.proxy, ...scene.servers]) console.log(output);
    throw problem;
  }
});

/**
 * Tests that several original servers can be replaced by dbsyncd with the steps of docs/json-clients.md, without losing
 * data.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runDbsync } from "../../../test/client/child.js";
import { type DaemonProcess, startDaemon } from "../../../test/support/daemon-process.js";
import { freePort } from "../../../test/support/free-port.js";
import { answer, ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { ScratchFolder } from "../../../test/support/scratch-folder.js";
import { Trio } from "../../../test/support/trio.js";
import { until } from "../../../test/support/until.js";
import { Original } from "./original.js";

const SIZE = 3;
const WRITERS = 4;
const WRITES = 20;
const document = "moved";

/** Returns the command that the manual prints, adapted to the server with this index and to ports of this machine. */
function printedCommand(ports: readonly number[], index: number): string[] {
  const manual = readFileSync(join(repositoryRoot, "docs/json-clients.md"), "utf8");
  const [, section = ""] = manual.split("## Replace several originals");
  const command = /```console\s+(dbsyncd [^`]*)```/.exec(section)?.[1];
  assert.ok(command !== undefined, "docs/json-clients.md has no command for several originals");
  const words = command.replaceAll("\\\n", " ").trim().split(/\s+/).slice(1);
  // The page prints the command for one of the servers.
  return words.map((word, at) =>
    word.replace(/^10\.0\.0\.(\d):8888$/, (_, server) => {
      const port = words[at - 1] === "--json" ? ports[index] : ports[Number(server) - 1];
      return `127.0.0.1:${port}`;
    }),
  );
}

/** Clients that each write to one server, one entry after the other. */
class Writers {
  /** The entries that were acknowledged. */
  readonly acknowledged: string[] = [];
  #isPaused = false;
  #running: Promise<void>[] = [];
  #next = 0;

  /** Starts a client for each port. @param ports  assigned to the writers in turn */
  start(ports: readonly number[]): void {
    this.#isPaused = false;
    this.#running = Array.from({ length: WRITERS }, (_, by) =>
      this.#write(ports[by % ports.length] as number),
    );
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await Promise.all(this.#running);
  }

  async more(): Promise<void> {
    const from = this.acknowledged.length;
    await until("more entries are written", () => this.acknowledged.length >= from + WRITES);
  }

  async #write(port: number): Promise<void> {
    using client = await RawClient.open(port);
    while (!this.#isPaused) {
      const mark = `mark-${this.#next++}.`;
      // Clients of the original send one request at a time, without a line break.
      client.send(JSON.stringify({ action: "insert", document, data: [{ mark }] }));
      const text = await answer(client);
      if (text === "") return;
      if (text.startsWith('{"status":"success"')) this.acknowledged.push(mark);
    }
  }
}

async function contents(port: number): Promise<string> {
  using client = await RawClient.open(port);
  return await ask(client, { action: "get", document });
}

const lostAt = async (port: number, marks: readonly string[]) => {
  const text = await contents(port);
  return marks.filter((mark) => text.split(`"${mark}"`).length !== 2);
};

async function startOriginals(): Promise<{ ports: number[]; originals: Original[] }> {
  const ports: number[] = [];
  while (ports.length < SIZE) ports.push(await freePort());
  const originals: Original[] = [];
  for (const port of ports) originals.push(await Original.start(port, ports));
  using client = await RawClient.open(ports[0] as number);
  assert.match(await ask(client, { action: "create", document }), /success/);
  return { ports, originals };
}

const dispose = async (all: readonly AsyncDisposable[]) => {
  for (const one of all) await one[Symbol.asyncDispose]();
};

test("the steps of docs/json-clients.md replace several originals by three peers, and nothing is lost", async () => {
  using folder = new ScratchFolder();
  const { ports, originals } = await startOriginals();
  const [first] = ports as [number];
  const daemons: DaemonProcess[] = [];
  const writers = new Writers();
  try {
    // Before the move, clients write to all servers. Because of how the originals work, the order of the entries
    // differs between servers.
    writers.start(ports);
    await writers.more();

    // Pause the writers, until the originals have replicated the last writes.
    await writers.pause();
    for (const port of ports)
      await until(
        "the original has all writes",
        async () => (await lostAt(port, writers.acknowledged)).length === 0,
      );

    // Replace one server.
    await originals[0]?.[Symbol.asyncDispose]();
    daemons.push(await startDaemon(printedCommand(ports, 0)));
    assert.deepEqual(await lostAt(first, writers.acknowledged), []);

    // Move all clients. The originals receive the writes as replicas.
    const from = writers.acknowledged.length;
    writers.start([first]);
    await writers.more();
    await writers.pause();
    for (const port of ports) {
      const written = writers.acknowledged.slice(from);
      await until("the server has all writes", async () => (await lostAt(port, written)).length === 0);
    }

    // Start the remaining daemons, and import the documents.
    await using peers = await Trio.start(["--json", "0"], SIZE, { isInMemory: true, keys: "app" });
    const json = await Promise.all(peers.running.map((daemon) => daemon.portOf("JSON clients")));
    const key = folder.privateKey(peers.app);
    const importing = ["import", `json://127.0.0.1:${first}`, "-s", peers.servers.join(), "-k", key];

    // An import that the daemons carried out in different orders is repeated with --replace.
    let again: string[] = [];
    await until("the documents are imported", async () => {
      const { code, stderr } = await runDbsync([...importing, ...again]);
      if (code !== 0) console.error(stderr);
      again = ["--replace"];
      return code === 0;
    });

    // Clients may use any of the daemons.
    const before = await contents(first);
    for (const port of json)
      await until("the daemon has the documents", async () => (await contents(port)) === before);
    writers.start(json);
    await writers.more();
    await writers.pause();
    for (const port of json)
      await until("no write is missing", async () => (await lostAt(port, writers.acknowledged)).length === 0);

    const [one, ...others] = await Promise.all(json.map(contents));
    for (const other of others) assert.equal(other, one);
    assert.ok(
      Array.isArray((JSON.parse(one as string) as { data: unknown }).data),
      "the ids are not 0, 1, 2, …",
    );
  } finally {
    await writers.pause();
    await dispose([...daemons, ...originals]);
  }
});

test("the imitated original loses the writes that the steps preserve, because it never reopens a lost link", async () => {
  const { ports, originals } = await startOriginals();
  const daemons: DaemonProcess[] = [];
  const writers = new Writers();
  try {
    writers.start(ports);
    await writers.more();
    await writers.pause();
    await originals[0]?.[Symbol.asyncDispose]();
    daemons.push(await startDaemon(printedCommand(ports, 0)));
    const before = writers.acknowledged.length;
    writers.start(ports.slice(1));
    await writers.more();
    await writers.pause();
    const after = writers.acknowledged.slice(before);
    assert.deepEqual(await lostAt(ports[0] as number, after), after);
  } finally {
    await dispose([...daemons, ...originals]);
  }
});

/**
 * Tests that three daemons that receive JSON, Redis and signed commands at the same time reach one state, although one
 * of them is killed in the meantime.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../../client/dbsync-send.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { amount } from "../../support/amount.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { ask } from "../../support/json-lines.js";
import { RawClient } from "../../support/raw-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { until } from "../../support/until.js";

const app = makeKeyPair();
const WRITES = amount(12, 40);
/** The number of writes that are sent to one of the daemons before the test kills it. */
const WRITES_BEFORE_KILL = 10;

async function portOf(daemon: DaemonProcess, clients: "JSON" | "Redis"): Promise<number> {
  return (await daemon.logged(({ msg }) => msg === `serving ${clients} clients`))["port"] as number;
}

async function readAll(daemon: DaemonProcess): Promise<string> {
  using client = await RawClient.open(await portOf(daemon, "JSON"));
  return await ask(client, { action: "getall" });
}

/**
 * Inserts entries by JSON and changes them with Redis and signed commands, all in one document.
 * @param acknowledged  receives the entries whose insertion was acknowledged
 * @throws Error  the daemon was killed
 */
async function write(
  daemon: DaemonProcess,
  writer: string,
  acknowledged: (entry: string) => void,
): Promise<void> {
  using json = await RawClient.open(await portOf(daemon, "JSON"));
  using redis = await RedisConnection.open(await portOf(daemon, "Redis"));
  await using signed = createClient({ servers: `127.0.0.1:${daemon.port}`, key: app.privateKey });
  for (let n = 0; n < WRITES; n++) {
    const entry = `{"by":"${writer}","n":${n}}`;
    const insertion = { action: "insert", document: "d", data: [{ by: writer, n }], replicate: false };
    const [answer] = await Promise.all([
      ask(json, insertion),
      redis.call("DOC.INSERT", "d", "KEYS", "k", entry),
      signed.call(["DOC.UPDATE", "d", `{"n":${n}}`, "ID", "k"]),
    ]);
    if (answer === "") throw new Error("the daemon was killed");
    assert.match(answer, /success/);
    acknowledged(entry);
    await ask(json, { action: "update", document: "d", data: { by: writer }, id: "k", replicate: false });
  }
}

test("documents are equal on three daemons after concurrent writes by all protocols, and after one daemon was killed", async () => {
  using one = makeFolder();
  using two = makeFolder();
  using three = makeFolder();
  const paths = [one, two, three].map(({ path }) => path);
  const ports = [await freePort(), await freePort(), await freePort()];
  const start = (index: number) => {
    const peers = ports.filter((_, at) => at !== index).flatMap((port) => ["--peer", `127.0.0.1:${port}`]);
    const data = ["-p", String(ports[index]), "--data", paths[index] as string, "--fsync", "always"];
    return startDaemon(["-s", app.file, ...data, ...peers, ...knowsSecret, "--json", "0", "--resp", "0"]);
  };
  const daemons = await Promise.all([0, 1, 2].map(start));
  const daemon = (index: number) => daemons[index] as DaemonProcess;
  try {
    const document = { create: { action: "create", document: "d" }, entry: { k: { by: "", n: 0 } } };
    using first = await RawClient.open(await portOf(daemon(0), "JSON"));
    await until("writes succeed", async () => /success/.test(await ask(first, document.create)));
    const insertion = { action: "insert", document: "d", data: document.entry, "auto-increment": false };
    await ask(first, insertion);
    await until("all daemons have the document", async () =>
      (await Promise.all(daemons.map(readAll))).every((all) => /"k":/.test(all)),
    );
    // A daemon that is not live yet refuses signed writes.
    for (const one of daemons) {
      await using client = createClient({ servers: `127.0.0.1:${one.port}`, key: app.privateKey });
      await until("signed writes are accepted", () => client.send("SET ready 1").then(Boolean, () => false));
    }
    const acknowledged: string[] = [];
    const ofKilled: string[] = [];
    const note = (entry: string) => void acknowledged.push(entry);
    const writing = [0, 1].map((index) => write(daemon(index), `w${index}`, note));
    const cut = assert.rejects(
      write(daemon(2), "w2", (entry) => {
        if (ofKilled.push(entry) === WRITES_BEFORE_KILL) daemon(2).kill("SIGKILL");
      }),
    );
    await Promise.all([...writing, cut, daemon(2).ended()]);
    await write(daemon(0), "late", note);
    daemons[2] = await start(2);
    await until("all daemons are equal", async () => {
      const states = await Promise.all(daemons.map(readAll));
      return states.every((state) => state === states[0]);
    });
    const state = await readAll(daemon(2));
    const entries = new Set(Array.from(state.matchAll(/"\d+":(\{[^}]*\})/g), ([, entry]) => entry));
    assert.ok(ofKilled.length < WRITES, `${ofKilled.length} writes of the daemon that was killed`);
    for (const entry of [...acknowledged, ...ofKilled]) assert.ok(entries.has(entry), entry);
  } finally {
    await Promise.all(daemons.map((one) => one[Symbol.asyncDispose]()));
  }
});

/** Three daemons, written to as JSON, as Redis and by signed commands at once, one of them away for a while: one state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../../client/dbsync-send.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { makeFolder, type RunningReplica, startReplica, until } from "../replicas.js";
import { said } from "../resp/scene.js";
import { ask } from "./scene.js";

const app = makeKeyPair();
const WRITES = 40;
const place = ({ daemon }: RunningReplica, name: "json" | "resp") => daemon.userAddress(name)?.port ?? 0;

async function readAll(replica: RunningReplica): Promise<string> {
  using client = await RawClient.open(place(replica, "json"));
  return await ask(client, { action: "getall" });
}

/** Entries by JSON, changes by Redis, both to one document. */
async function write(replica: RunningReplica, writer: string): Promise<void> {
  using json = await RawClient.open(place(replica, "json"));
  await using signed = createClient({ servers: `127.0.0.1:${replica.port}`, key: app.privateKey });
  for (let n = 0; n < WRITES; n++) {
    const entry = `{"by":"${writer}","n":${n}}`;
    const answers = await Promise.all([
      ask(json, { action: "insert", document: "d", data: [{ by: writer, n }], replicate: false }),
      said(
        place(replica, "resp"),
        `*5\r\n$10\r\nDOC.INSERT\r\n$1\r\nd\r\n$4\r\nKEYS\r\n$1\r\nk\r\n$${entry.length}\r\n${entry}\r\n`,
      ),
      signed.call(["DOC.UPDATE", "d", `{"n":${n}}`, "ID", "k"]),
      ask(json, { action: "update", document: "d", data: { by: writer }, id: "k", replicate: false }),
    ]);
    assert.match(answers[0], /success/);
    assert.match(answers[1], /^\*1/);
  }
}

test("documents are equal on three daemons, whoever wrote what where, and after one was away", async () => {
  using one = makeFolder();
  using two = makeFolder();
  using three = makeFolder();
  const paths = [one, two, three].map(({ path }) => path);
  const ports = [await freePort(), await freePort(), await freePort()];
  const start = (index: number) => {
    const peers = ports.filter((_, at) => at !== index).flatMap((port) => ["--peer", `127.0.0.1:${port}`]);
    const data = ["-p", String(ports[index]), "--data", paths[index] as string];
    return startReplica({ args: ["-s", app.file, ...data, ...peers, "--json", "0", "--resp", "0"] });
  };
  const replicas = await Promise.all([0, 1, 2].map(start));
  try {
    const all = (holds: (replica: RunningReplica) => boolean | Promise<boolean>) => async () =>
      (await Promise.all(replicas.map(holds))).every(Boolean);
    await until(
      "all are live",
      all(({ daemon }) => daemon.health.state === "live"),
    );
    using first = await RawClient.open(place(replicas[0] as RunningReplica, "json"));
    await ask(first, { action: "create", document: "d" });
    await ask(first, {
      action: "insert",
      document: "d",
      data: { k: { by: "", n: 0 } },
      "auto-increment": false,
    });
    await until(
      "all have the document",
      all(async (replica) => /"k":/.test(await readAll(replica))),
    );
    await Promise.all(replicas.map((replica, at) => write(replica, `w${at}`)));
    await replicas[2]?.daemon.stop();
    await write(replicas[0] as RunningReplica, "late");
    replicas[2] = await start(2);
    await until("all are equal", async () => {
      const states = await Promise.all(replicas.map(readAll));
      return states.every((state) => state === states[0]);
    });
    const state = await readAll(replicas[2] as RunningReplica);
    assert.equal(state.match(/"\d{19}":/g)?.length, 4 * WRITES);
  } finally {
    await Promise.all(replicas.map(({ daemon }) => daemon.stop()));
  }
});

/**
 * Tests that the daemon later sends a server of --json-replica the documents that the server refused, and that it
 * reports differing contents.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { CuttablePort } from "../../../test/support/cuttable-port.js";
import { double } from "../../../test/support/double.js";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { startAsOriginal } from "./as-original.js";
import { Original } from "./original.js";
import { type JsonScene, startJson } from "./scene.js";

const document = "d";
const OTHERS = "documents of a JSON replica differ from the documents here";

const reports = ({ log }: JsonScene) => log.filter(({ msg }) => msg === OTHERS).length;

test("a server that refused a write later receives the document without another write", async () => {
  let isFull = false;
  const memory = double<MemoryLimit>({
    get isFull() {
      return isFull;
    },
    refuses: (needsMemory: boolean) => needsMemory,
  });

  await using replica = await startAsOriginal({ memory });
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  using reader = await RawClient.open(replica.port);
  await ask(client, { action: "create", document });

  isFull = true;
  const insert = { action: "insert", document, data: [{ n: 1 }] };
  assert.match(await ask(client, insert), /"replicated":false/);
  assert.match(await ask(reader, { action: "count", document }), /"count":0/);

  isFull = false;
  const count = () => ask(reader, { action: "count", document });
  await until("the server has the entry", async () => (await count()) === '{"status":"success","count":1}');
  assert.match(await ask(client, insert), /"replicated":true/);
});

test("an original with other contents stays unchanged, and the difference is reported", async () => {
  await using original = await Original.start(await freePort(), []);
  await using relay = await CuttablePort.open(() => original.port);
  await using ours = await startJson({ replicas: [relay.port] });
  using client = await RawClient.open(ours.port);
  await ask(client, { action: "create", document });
  assert.match(await ask(client, { action: "insert", document, data: [{ n: 1 }] }), /"replicated":true/);
  relay.cut();
  let n = 0;
  const again = () => ask(client, { action: "create", document: `again${n++}` });
  await until("the server is connected again", async () => (await again()).includes('"replicated":true'));
  assert.equal(reports(ours), 0);
  original.documents.get(document)?.push({ n: "its own client's" });
  relay.cut();
  await until("the difference is reported", () => reports(ours) === 1);
  assert.equal(original.documents.get(document)?.length, 2);
});

/** Tests that malformed and hostile messages neither delay nor harm other clients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../../protocol/byte-string.js";
import { amount } from "../../../test/support/amount.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { seed } from "../../../test/support/seed.js";
import { SeededRandom } from "../../../test/support/seeded-random.js";
import { FULL } from "../../../test/support/unbounded-memory.js";
import { until } from "../../../test/support/until.js";
import {
  documentBytes,
  element,
  elements,
  embedded,
  int32,
  int32Bytes,
  text,
} from "../bytes/bson-documents.js";
import { command, message, sequence } from "./bytes/messages.js";
import { clientOf, type MongoScene, startMongo } from "./scene.js";

const CHANGED = amount(300, 3000);
const CONNECTIONS = amount(200, 2000);

const inShop = { $db: text("shop") };
const ping = command(documentBytes(elements({ ping: int32(1), ...inShop })));
const insert = (document: ByteString) =>
  command(
    documentBytes(`${elements({ insert: text("items"), ...inShop })}\x04documents\0${array([document])}`),
  );
const array = (documents: readonly ByteString[]) =>
  documentBytes(documents.map((one, at) => element(String(at), embedded(one))).join(""));

async function stillServes({ port }: MongoScene): Promise<void> {
  await using client = clientOf(port);
  assert.equal((await client.db("shop").command({ ping: 1 }))["ok"], 1);
}

/** Sends bytes. @returns the answer as text */
async function send(client: RawClient, bytes: ByteString): Promise<string> {
  client.send(bytes);
  const head = await client.read(4);
  return head === "" ? "" : client.read(Buffer.from(head, "latin1").readInt32LE(0) - 4);
}

test("bytes that are not a message end the connection, and the log names the reason", async () => {
  await using scene = await startMongo();
  const streams = [
    message("x".repeat(100), 2012),
    message("x".repeat(100), 2001),
    `${int32Bytes(48_000_001)}${"\0".repeat(12)}`,
    `${int32Bytes(-1)}${"\xff".repeat(100)}`,
    message(int32Bytes(0)),
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".padEnd(100, "x"),
  ];
  for (const stream of streams) {
    using client = await RawClient.open(scene.port);
    assert.match(await send(client, ping), /ok/);
    client.send(stream);
    assert.equal(await client.rest(), "");
  }
  assert.ok(scene.log.some(({ reason }) => reason === "malformed"));
  await stillServes(scene);
});

test("documents that are invalid or nested too deeply are refused, and the connection continues", async () => {
  await using scene = await startMongo();
  using client = await RawClient.open(scene.port);

  let well = documentBytes("");
  for (let depth = 0; depth < 5000; depth++) well = documentBytes(element("a", embedded(well)));
  assert.match(await send(client, insert(well)), /writeErrors.*more than 100 levels deep/s);

  let wide = "";
  for (let n = 0; n < 50_000; n++) wide += `\x03a${n}\0${int32Bytes(5)}\0`;
  assert.match(await send(client, insert(documentBytes(wide))), /ok/);

  const lying = [
    documentBytes(`\x02a\0${int32Bytes(0x7fffffff)}x\0`),
    documentBytes(`\x02a\0${int32Bytes(-1)}x\0`),
    documentBytes(`\x05a\0${int32Bytes(100)}\0x`),
    documentBytes("\x10a"),
    documentBytes("\x42a\0"),
    documentBytes(`\x03a\0${int32Bytes(500)}`),
    documentBytes(`\x02a\0${int32Bytes(2)}\xff\0`),
    documentBytes(`\x02_id\0${int32Bytes(0)}`),
  ];
  for (const document of lying)
    assert.match(
      await send(client, insert(document)),
      /\x01ok\0\0\0\0\0\0\0\0\0|writeErrors/,
      JSON.stringify(document),
    );

  const twice = documentBytes(`${elements({ ping: int32(1), ...inShop })}${elements(inShop)}`);
  assert.match(await send(client, command(twice)), /duplicate field/);
  const alongside = `${int32Bytes(0)}\0${documentBytes(elements({ ping: int32(1), ...inShop }))}${sequence("documents", [])}`;
  assert.match(await send(client, message(alongside)), /unknown field/);
  const many = Array.from({ length: 1001 }, (_, n) => element(`a${n}`, int32(n))).join("");
  assert.match(await send(client, command(documentBytes(many))), /more than 1000/);
  assert.match(await send(client, ping), /\x01ok\0\0\0\0\0\0\0\xf0\?/);
});

test("commands with changed bytes are answered, or end their connection", async () => {
  await using scene = await startMongo();
  const random = new SeededRandom(seed());
  const commands = [
    insert(documentBytes(elements({ _id: int32(1), a: text("b") }))),
    command(
      documentBytes(
        elements({
          find: text("items"),
          filter: embedded(documentBytes(elements({ a: text("b") }))),
          limit: int32(3),
          ...inShop,
        }),
      ),
    ),
    command(
      documentBytes(
        `${elements({ aggregate: text("items"), cursor: embedded(documentBytes("")), ...inShop })}\x04pipeline\0${array([documentBytes(elements({ $match: embedded(documentBytes("")) }))])}`,
      ),
    ),
    command(
      documentBytes(
        elements({ saslStart: int32(1), mechanism: text("PLAIN"), payload: text("x"), ...inShop }),
      ),
    ),
  ];

  let client = await RawClient.open(scene.port);
  for (let count = 0; count < CHANGED; count++) {
    const bytes = Buffer.from(commands[random.below(commands.length)] as string, "latin1");
    // Length and opcode stay unchanged, so that parsing gets further.
    for (let change = random.below(3); change >= 0; change--)
      bytes[random.between(21, bytes.length - 1)] = random.below(256);

    await send(client, bytes.toString("latin1"));
    if (!client.ended) continue;
    client[Symbol.dispose]();
    client = await RawClient.open(scene.port);
  }

  client[Symbol.dispose]();
  await stillServes(scene);
});

test("a client that stops in the middle of a message is disconnected after --idle-timeout, and uses no more memory than it sent", async () => {
  await using scene = await startMongo({ limits: { idleTimeout: 200 } });
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawClient.open(scene.port)));
  for (const client of clients)
    client.send(`${int32Bytes(48_000_000)}${int32Bytes(0)}${int32Bytes(0)}${int32Bytes(2013)}`);
  await stillServes(scene);
  assert.ok(scene.listener.bufferedBytes < CONNECTIONS * 1000);
  for (const client of clients) assert.equal(await client.rest(), "");
  assert.ok(scene.log.some(({ reason }) => reason === "frame-unfinished"));
});

test("a client that reads no answers is disconnected, and other clients are served meanwhile", async () => {
  await using scene = await startMongo({ limits: { idleTimeout: 5000, maxOutputBytes: 60_000_000 } });
  await using good = clientOf(scene.port);
  const documents = Array.from({ length: 15 }, () => ({ text: "x".repeat(1_000_000) }));
  await good.db("shop").collection("items").insertMany(documents);
  using slow = await RawClient.open(scene.port);
  slow.socket.pause();
  slow.send(command(documentBytes(elements({ find: text("items"), ...inShop }))).repeat(20));
  await stillServes(scene);
  await until("the connection is closed", () => scene.log.some(({ reason }) => reason === "output-stuck"));
});

test("while memory is full documents can be read but not added", async () => {
  await using scene = await startMongo({ memory: FULL });
  await using client = clientOf(scene.port);
  const items = client.db("shop").collection("items");
  await assert.rejects(items.insertOne({ a: 1 }), { code: 146 });
  assert.deepEqual(await items.find().toArray(), []);
});

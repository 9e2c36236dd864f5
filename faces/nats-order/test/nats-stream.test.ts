/**
 * Tests the stream of a real nats-server: which streams are accepted, which one is created, and the errors for messages
 * that are not permitted.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import { pino } from "pino";
import type { ReplicaContext } from "../../../daemon/cluster/replica/replica-context.js";
import { orderFolder } from "../../../daemon/engine/trust/data-folder.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseOrder } from "../../../daemon/options/addresses/order-address.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { freePort } from "../../../test/support/free-port.js";
import { NatsServer } from "../../../test/support/nats-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { NatsStream } from "../nats-stream.js";
import { OrderFolder } from "../order-folder.js";
import type { StreamReader } from "../order-stream.js";

const skip = skipWithout("nats-server");
const MB = 1024 * 1024;
/** The interval between the queries of NatsStream in milliseconds. These tests replace it with 20 ms. */
const ASK_EVERY_MS = 5000;
const environment = {
  ...realEnvironment,
  random: () => 0.1,
  setTimer: (milliseconds: number, step: () => void) =>
    realEnvironment.setTimer(milliseconds === ASK_EVERY_MS ? 20 : milliseconds, step),
};

type Line = Readonly<Record<string, unknown>>;

/** A reader that ignores everything. */
const reader = (parts: Partial<StreamReader> = {}): StreamReader => ({
  next: 1,
  isNew: true,
  connected: () => null,
  checkRepeated: () => null,
  message() {},
  ...parts,
});

describe("a stream of NATS", { skip }, () => {
  const folder = makeFolder();
  let server: NatsServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  const lines: Line[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });

  const streamOf = (name: string, parts: { reader?: StreamReader; user?: string } = {}) =>
    new NatsStream(
      parts.reader ?? reader(),
      parseOrder(`nats://${parts.user ?? "all"}:pass@127.0.0.1:${server.port}/${name}`),
      null,
      { environment, log },
    );

  before(async () => {
    const file = join(folder.path, "nats.conf");
    const users = `{ user: all, password: pass }
      { user: reads, password: pass, permissions: { publish: { deny: "dbsync.>" } } }`;
    writeFileSync(file, `authorization { users = [ ${users} ] }\n`);
    server = await NatsServer.start(["-c", file]);
    connection = await connect({ servers: `127.0.0.1:${server.port}`, user: "all", pass: "pass" });
    manager = await jetstreamManager(connection);
  });
  after(async () => {
    await connection?.close();
    await server?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("is created if the daemon has never used a stream, and the log names the existing streams", async () => {
    for (const [name, others] of [
      ["first", undefined],
      ["second", ["first"]],
    ] as const) {
      const stream = streamOf(name);
      await stream.start();
      assert.equal(stream.facts?.last, 0);
      await stream.stop();
      const line = lines.find(({ msg }) => msg === `created the stream ${name}, which did not exist`);
      assert.deepEqual(line?.["others"], others);
    }
  });

  test("reports its end again only when the caller asks for it", async () => {
    const ends: number[] = [];
    const connected: StreamReader["connected"] = ({ last }) => {
      ends.push(last);
      return null;
    };
    const stream = streamOf("located", { reader: reader({ connected }) });
    await stream.start();
    await stream.publish(null, Buffer.from("one"));
    // The stream's own query of its end does not notify the reader.
    await until("the newest message is known", () => stream.newest === 1);
    assert.deepEqual(ends, [0]);
    stream.locateEnd();
    await until("the end is reported", () => ends.length === 2);
    assert.deepEqual(ends, [0, 1]);
    await stream.stop();
  });

  test("is not created again if the daemon has used it before", async () => {
    const stream = streamOf("third", { reader: reader({ isNew: false }) });
    await stream.start();
    assert.match(stream.trouble ?? "", /the stream third no longer exists/);
    await stream.stop();
    await assert.rejects(manager.streams.info("third"), /not found/);
  });

  test("a stream that drops messages on its own, or accepts none, is refused with the reason and the remedy", async () => {
    const day = nanos(86_400_000);
    for (const [name, config, sentence] of [
      ["age", { max_age: day }, /the stream age drops messages on its own \(max_age\): set it to 0/],
      ["count", { max_msgs: 100 }, /\(max_msgs with discard old\): set discard to new/],
      ["bytes", { max_bytes: MB }, /\(max_bytes with discard old\)/],
      ["each", { max_msgs_per_subject: 5 }, /\(max_msgs_per_subject\)/],
      ["queue", { retention: "workqueue" }, /\(retention workqueue\): specify another stream/],
      ["interest", { retention: "interest" }, /\(retention interest\)/],
      ["mute", { no_ack: true }, /acknowledges nothing \(no_ack\)/],
      ["subject", { subjects: ["dbsync.else"] }, /does not accept the subject dbsync\.subject: add it/],
      ["copy", { mirror: { name: "first" }, subjects: [] }, /the stream copy is filled from other streams/],
    ] as const) {
      const made = { name, subjects: [`dbsync.${name}`], ...config } as unknown as Parameters<
        JetStreamManager["streams"]["add"]
      >[0];
      await manager.streams.add(made);
      await assert.rejects(streamOf(name).start(), { name: "StartError", message: sentence }, name);
      await manager.streams.delete(name);
    }

    const full = { name: "full", subjects: ["dbsync.full"], discard: "new" as const, max_msgs: 1 };
    await manager.streams.add(full);
    const stream = streamOf("full");
    await stream.start();

    assert.equal((await stream.publish(null, Buffer.from("one"))).kind, "stored");
    const second = await stream.publish(null, Buffer.from("two"));
    assert.ok(second.kind === "not-stored" && !second.isPassing, JSON.stringify(second));
    await stream.stop();
  });

  test("a stream that is reconfigured to drop messages is not read until that is corrected", async () => {
    const stream = streamOf("first");
    await stream.start();
    await manager.streams.update("first", { max_age: nanos(86_400_000) });
    await until("the daemon stops reading the stream", () => /\(max_age\)/.test(stream.trouble ?? ""));
    assert.equal(stream.facts, null);
    await manager.streams.update("first", { max_age: 0 });
    await until("the daemon reads the stream again", () => stream.facts !== null);
    await stream.stop();
  });

  test("a write without publish permission has an unknown outcome, and is logged once", async () => {
    const stream = streamOf("second", { user: "reads" });
    await stream.start();
    for (let i = 0; i < 2; i++)
      assert.deepEqual((await stream.publish(null, Buffer.from("one"))).kind, "unknown");
    const denials = lines.filter(({ msg }) => msg === "NATS denies writing");
    assert.equal(denials.length, 1);
    assert.match(String(denials[0]?.["reason"]), /Permissions Violation.*dbsync\.second/i);
    assert.match(String(denials[0]?.["advice"]), /publish on dbsync\.second/);
    await stream.stop();
  });
});

test("a data folder with a timeline is refused, and nothing in it is changed", () => {
  using data = makeFolder();
  mkdirSync(join(data.path, "timeline"));
  writeFileSync(join(data.path, "timeline", "data.mdb"), "a timeline");
  const context = double<ReplicaContext>({ settings: { data: data.path } });
  assert.throws(
    () => new OrderFolder(context, parseOrder("nats://127.0.0.1:4222/writes")),
    /it contains a timeline, which --order cannot continue: specify a new folder/,
  );
  assert.deepEqual(readdirSync(data.path), ["timeline"]);
});

test("a folder's thread that receives nothing from the stream gives up, and the log reports the failed snapshot", async (t) => {
  const data = makeFolder();
  t.after(() => data[Symbol.dispose]());
  const lines: Line[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });

  const pair = makeKeyPair();
  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const address = (name: string) => parseOrder(`nats://127.0.0.1:${port}/${name}`);
  const port = await freePort();
  const context = double<ReplicaContext>({
    settings: { data: data.path, orderCredentials: null, limits: { snapshotEntries: 10 } },
    signers,
    log,
    startThread: BUILD.startThread,
  });

  // The timeout is longer than a refusal takes, even on a busy machine.
  const folderOf = (name: string) => new OrderFolder(context, address(name), 3000);
  const folder = folderOf("writes");
  assert.equal(folder.load().created, null);

  const order = orderFolder(data.path);
  renameSync(order, `${order}.away`);
  for (let i = 0; i < 2; i++)
    assert.throws(() => folder.connected("today"), /ENOENT/, "no stream is stored yet");
  renameSync(`${order}.away`, order);

  folder.connected("today");
  folder.passed(10, "today");
  await until("the log reports it", () => lines.some(({ msg }) => /^the snapshot failed/.test(String(msg))));
  const reason = String(lines.find(({ msg }) => /^the snapshot failed/.test(String(msg)))?.["reason"]);
  assert.match(reason, /no message of the stream arrived for 3000 ms: .*refused/i);
  await folder.close();

  // The folder contains only the name of its stream, by which the next start recognizes the stream.
  const again = folderOf("writes");
  assert.equal(again.load().created, "today");
  await again.close();
  assert.throws(() => folderOf("wrtes"), /belongs to the stream writes, but --order names wrtes/);
});

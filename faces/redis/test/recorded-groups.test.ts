/**
 * Tests consumer groups on a daemon that records: which reads are recorded, and what a waiting client eventually
 * receives.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../../client/public-api.js";
import type { Reply } from "../../../protocol/reply.js";
import { itemsOf, shown } from "../../../test/conformance/resp2-fold.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";

const CALL_MS = 20_000;

test("a read that delivers nothing is not recorded, and a delivery to a waiting client is recorded once", async () => {
  using folder = makeFolder();
  const app = makeKeyPair();
  const root = makeKeyPair();
  const keys = ["-s", app.file, "--root-key", root.file];
  await using replica = await startReplica({ args: [...keys, "--data", folder.path, "--resp", "0"] });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  await using signer = createClient({
    servers: [`127.0.0.1:${replica.port}`],
    key: root.privateKey,
    timeout: CALL_MS,
  });
  const pem = readFileSync(join(folder.path, "daemon.pem"));
  const spki = createPublicKey(pem).export({ type: "spki", format: "der" });
  await signer.call(["CLUSTER", "ADD", spki.toString("base64")]);
  /** Returns the number of recorded group reads. */
  const recorded = async (): Promise<number> => {
    const log = JSON.stringify(await signer.call(["TIMELINE", "LOG", "FROM", "0"]));
    return log.split("XREADGROUP").length - 1;
  };
  using admin = await RedisConnection.open(port);
  using one = await RedisConnection.open(port);
  using other = await RedisConnection.open(port);
  const read = (consumer: string, ...options: string[]) => [
    ...["XREADGROUP", "GROUP", "g", consumer, ...options, "STREAMS", "s", ">"],
  ];
  assert.match(shown(await one.call(...read("c"))), /NOGROUP No such key 's' or consumer group 'g'/);
  await admin.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
  for (let i = 0; i < 3; i++) assert.equal((await one.call(...read("c"))).kind, "nil-array");
  assert.equal((await one.call(...read("c", "BLOCK", "10"))).kind, "nil-array");
  assert.equal(await recorded(), 0);

  const waiting = [one.call(...read("c", "BLOCK", "0")), other.call(...read("d", "BLOCK", "0"))];
  await until("both wait", async () => /blocked_clients:2/.test(shown(await admin.call("INFO", "clients"))));
  await admin.call("XADD", "s", "1-1", "f", "v");
  assert.equal(shown((await waiting[0]) as Reply), '[["s" [["1-1" ["f" "v"]]]]]');
  assert.equal(await recorded(), 1, "a client that continues to wait causes no record");
  await admin.call("XADD", "s", "1-2", "f", "w");
  assert.equal(shown((await waiting[1]) as Reply), '[["s" [["1-2" ["f" "w"]]]]]');
  assert.equal(await recorded(), 2);
  const pending = itemsOf(await admin.call("XPENDING", "s", "g", "-", "+", "9")).map((entry) =>
    itemsOf(entry).slice(0, 2).map(shown),
  );
  assert.deepEqual(pending, [
    ['"1-1"', '"c"'],
    ['"1-2"', '"d"'],
  ]);

  const lost = one.call(...read("c", "BLOCK", "0"));
  await until("one waits", async () => /blocked_clients:1/.test(shown(await admin.call("INFO", "clients"))));
  await admin.call("XGROUP", "DESTROY", "s", "g");
  assert.match(shown(await lost), /NOGROUP the consumer group this client was blocked on no longer exists/);
  await admin.call("XGROUP", "CREATE", "s", "g", "$");
  const last = one.call(...read("c", "BLOCK", "0"));
  await until("one waits", async () => /blocked_clients:1/.test(shown(await admin.call("INFO", "clients"))));
  await admin.call("DEL", "s");
  assert.match(shown(await last), /UNBLOCKED the stream key no longer exists/);
  assert.equal(await recorded(), 2);
});

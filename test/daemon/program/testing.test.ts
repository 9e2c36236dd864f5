/** Tests dbsyncd/testing, the daemons for users' own tests. */
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createClient } from "../../../client/dbsync-send.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { startDaemon, startDaemons } from "../../../daemon/program/testing.js";
import { fingerprint } from "../../../keys/fingerprint.js";
import { EnvelopeClient } from "../../support/envelope-client.js";
import { RawClient } from "../../support/raw-client.js";
import { nextTurn } from "../../support/until.js";

// Parallel tests use the system's folder for temporary files, so this test has a separate folder.
const scratch = mkdtempSync(join(tmpdir(), "dbsync-tested-"));
process.env["TMPDIR"] = scratch;
after(() => rmSync(scratch, { recursive: true }));

/** Returns the kinds of handles that keep the process alive, except standard streams and those of the test runner. */
function open(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /^(TCP|Timeout|Immediate)/.test(kind))
    .sort();
}

// This is the first test, because later ones leave sockets that are closing.
test("A stopped daemon leaves no timer, socket or file, and can be stopped twice", async () => {
  const before = open();
  const three = await startDaemons(3);
  assert.deepEqual(readdirSync(scratch), []);
  {
    await using client = createClient(three.options);
    await client.send("SET k v PX 100000");
  }
  await three.stop();
  await three.stop();
  // Closed handles disappear in the next turn of the event loop.
  for (let turns = 0; turns < 100 && open().length > before.length; turns++) {
    await nextTurn();
  }
  assert.deepEqual(open(), before);
});

test("A daemon accepts commands signed by its key, from dbsyncSend and createClient", async () => {
  await using daemon = await startDaemon();
  await using client = createClient(daemon.options);
  assert.equal(await client.send("SET k v"), "OK");
  assert.equal(await client.send("GET k"), "v");
});

test("Key and cluster are sufficient to sign an envelope", async () => {
  await using daemon = await startDaemon();
  const privateKey = daemon.key ?? assert.fail();
  const id = Buffer.from(fingerprint(privateKey), "hex").toString("latin1");
  using client = await EnvelopeClient.open(daemon.port, { privateKey, id, file: "", pem: "" });
  const cluster = Buffer.from(daemon.cluster ?? "", "hex").toString("latin1");
  assert.equal(client.cluster, cluster);
  const replies = await client.replies([
    ["SET", "k", "v"],
    ["GET", "k"],
  ]);
  assert.deepEqual(replies.at(-1), { kind: "bulk", bytes: "v" });
});

test("An RSA key can be created or passed, and a foreign key is refused", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await using daemon = await startDaemon({ key: privateKey });
  assert.equal(daemon.key, privateKey);
  await using client = createClient(daemon.options);
  assert.equal(await client.send("SET k v"), "OK");
  await using made = await startDaemon({ key: "rsa" });
  assert.equal(createPublicKey(made.key ?? assert.fail()).asymmetricKeyType, "rsa");
  await using unlisted = createClient({ servers: made.servers, key: privateKey });
  await assert.rejects(unlisted.send("GET k"));
});

test("A daemon without a key accepts unsigned commands", async () => {
  await using daemon = await startDaemon({ key: false });
  assert.equal(daemon.key, null);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.request("PING"), "PONG");
});

test("Several daemons form one cluster, and the remaining daemons answer when one is stopped", async () => {
  await using three = await startDaemons(3);
  assert.equal(three.servers, three.daemons.map(({ servers }) => servers).join());
  await using client = createClient(three.options);
  assert.equal(await client.send("SET k v"), "OK");
  await three.daemons[0]?.stop();
  assert.equal(await client.send("GET k"), "v");
});

test("A daemon accepts command-line options, reports a wrong one, and ignores variables", async () => {
  process.env["DBSYNCD_CLOSE"] = "nonsense";
  try {
    await using daemon = await startDaemon({ key: false, args: ["--max-request-bytes", "1KiB"] });
    using client = await RawClient.open(daemon.port);
    client.sendCommand(`SET k ${"v".repeat(2000)}`);
    assert.equal(await client.readAnswer(), "");
    await assert.rejects(startDaemon({ args: ["--nonsense"] }), StartError);
    await assert.rejects(startDaemon({ key: false, args: ["--port", String(daemon.port)] }), StartError);
    await assert.rejects(startDaemons(0), RangeError);
  } finally {
    delete process.env["DBSYNCD_CLOSE"];
  }
});

test("An unknown option causes an error that explains where options of dbsyncd belong", async () => {
  const wrong = { window: "10s,1s" } as object;
  await assert.rejects(
    startDaemon(wrong),
    /no option window; its options are key, args, log\..*args: \{|args/,
  );
});

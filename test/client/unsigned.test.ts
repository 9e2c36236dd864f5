/** Tests clients without a key: requests to each kind of daemon, and errors if the daemon requires a key. */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openClient } from "../../client/dbsync-send.js";
import { readOptions, type SendOptions } from "../../client/settings/client-settings.js";
import type { DbsyncError } from "../../client/shared/errors.js";
import { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { startDaemon } from "../../daemon/program/testing.js";
import { startInProcess } from "../daemon/program/in-process.js";
import { FakeServer } from "./fake-server.js";
import { ServedDaemon } from "./served-daemon.js";
import { errorOf, PATIENCE_MS, summary } from "./test-client.js";

const WANTS = /unsigned: This daemon accepts only signed commands\. Specify the private key \(-k/;

function keyless(servers: string, options: SendOptions = {}) {
  const settings = readOptions({ servers, key: false, timeout: PATIENCE_MS, ...options }, () =>
    assert.fail("no defaults"),
  );
  return openClient(settings, assert.fail).client;
}

const startMemory = () => startInProcess({ backends: [new MemoryBackend(realEnvironment)] });
const addressOf = ({ port }: { readonly port: number }) => `127.0.0.1:${port}`;

describe("A client without a key, with a daemon without keys", () => {
  test("supports typed replies, spaces, databases, conditions, multi, and readable errors", async () => {
    await using daemon = await startMemory();
    await using client = keyless(addressOf(daemon));
    assert.equal(await client.send(["SET", "a", "hello world"]), "OK");
    assert.equal(await client.send("GET a"), "hello world");
    assert.equal(await client.call("LPUSH l 1 2"), 2);
    assert.deepEqual(await client.call(["LRANGE", "l", "0", "-1"]), ["2", "1"]);
    assert.deepEqual(await client.call(["MGET", "a", "none"]), ["hello world", null]);

    assert.equal(await client.call("SET b 1", { db: 3 }), "OK");
    assert.equal(await client.call("GET b"), null);
    assert.deepEqual(await client.multi(["SET n 1", "INCR n"]), ["OK", 2]);
    assert.equal(await client.call("SET n 9", { if: [{ key: "n", writer: null }] }), null);
    assert.equal(
      await client.call("GET n", { after: client.lastWrite ?? assert.fail("nothing was written") }),
      "2",
    );

    const errorText = async (command: string) => (await errorOf(client.send(command))).message;
    assert.match(await errorText("GETT"), /^The command failed.*: ERR unknown command 'GETT'/);
    assert.match(await errorText("GET l"), /^The command failed.*: WRONGTYPE /);
    assert.match(await errorText("SET a"), /^The command failed.*: ERR wrong number of arguments for 'set'/);
    assert.match(await errorText("KEY LIST"), /^The command failed.*: NOPERM .*without keys/);

    const [outcome] = (await client.sendAll("PING")).outcomes;
    assert.ok(outcome?.status === "ok" && outcome.version === 2);
  });

  test("has only one connection from its first call", async () => {
    await using daemon = await startMemory();
    await using client = keyless(addressOf(daemon));
    await Promise.all(Array.from({ length: 100 }, (_, call) => client.send(`SET k${call} v`)));
    assert.equal(await client.send("DBSIZE"), "100");
  });

  test("receives channel messages and changes of keys", async () => {
    await using daemon = await startDaemon({ key: false });
    await using client = keyless(daemon.servers);
    const channel = client.subscribe("news");
    const key = client.watch("k");
    assert.equal((await channel.next()).value?.type, "open");
    assert.equal((await key.next()).value?.type, "open");
    assert.equal(await client.call("PUBLISH news good"), 1);
    await client.send("SET k v");
    assert.deepEqual((await channel.next()).value, { type: "message", channel: "news", text: "good" });
    assert.deepEqual((await key.next()).value, { type: "changed", db: 0, key: "k" });
  });

  test("is distinguished from a client with a key, which receives an error", async () => {
    await using daemon = await startMemory();
    await using signed = await startDaemon();
    const options = { ...signed.options, servers: addressOf(daemon), versions: "2" } as const;
    const settings = readOptions(options, () => assert.fail("no defaults"));
    await using client = openClient(settings, assert.fail).client;
    assert.match((await errorOf(client.send("PING"))).message, /not-due: This daemon has no keys/);
  });
});

describe("A client without a key, with a daemon with keys", () => {
  test("reports for each call that the daemon requires signed commands and has applied nothing", async () => {
    await using daemon = await startDaemon();
    await using client = keyless(daemon.servers);
    for (let time = 0; time < 3; time++) {
      const error = await errorOf(client.send("SET k v"));
      assert.match(error.message, WANTS);
      assert.deepEqual([error.code, error.effect], ["refused", "not-applied"]);
    }
    const calls: Promise<DbsyncError>[] = [
      errorOf(client.multi(["SET k v"])),
      errorOf(client.call("SET k v", { db: 1 })),
    ];
    for (const error of await Promise.all(calls)) assert.match(error.message, WANTS);
  });

  test("receives the same error if only version 2 is configured, when the hello is sent together with the command", async () => {
    await using daemon = await startDaemon();
    await using client = keyless(daemon.servers, { versions: "2" });
    const error = await errorOf(client.send("SET k v"));
    assert.equal(summary(error.outcomes[0]), "refused not-applied");
    assert.match(error.message, /unsigned: /);
  });

  test("receives the same error from a daemon of a release with only signed envelopes", async () => {
    await using daemon = await ServedDaemon.start();
    await using client = keyless(daemon.address);
    assert.match((await errorOf(client.send("SET k v"))).message, WANTS);
    assert.deepEqual(daemon.envelopes, []);
  });

  test("uses the other daemons", async () => {
    await using without = await startMemory();
    await using daemon = await startDaemon();
    await using client = keyless(`${daemon.servers},${addressOf(without)}`);
    assert.equal(await client.send("SET k v"), "OK");
    assert.deepEqual((await client.sendAll("GET k")).outcomes.map(summary), ["refused not-applied", "ok v"]);
  });
});

describe("A client without a key, with daemons that speak only version 1", () => {
  test("sends version 1 after its hello", async () => {
    await using old = await FakeServer.start();
    await using client = keyless(old.address);
    assert.equal(await client.send("SET k v"), "OK");
    assert.equal(await client.send("SET k w"), "OK");
    assert.deepEqual(old.commands, ["SET k v", "SET k w"]);
    const error = await errorOf(client.call("GET k", { db: 1 }));
    assert.equal(error.code, "bad-command");
  });

  test("sends each daemon the version that it speaks", async () => {
    await using old = await FakeServer.start();
    await using daemon = await startMemory();
    await using client = keyless(`${old.address},${addressOf(daemon)}`);
    const { outcomes } = await client.sendAll("SET k v");
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === "ok" ? outcome.version : outcome)),
      [1, 2],
    );
    assert.deepEqual(old.commands, ["SET k v"]);
  });

  test("sends version 1 without a hello if it is configured, and never if version 2 is configured", async () => {
    await using old = await FakeServer.start();
    await using first = keyless(old.address, { versions: "1" });
    assert.equal(await first.send("PING"), "OK");
    assert.equal(old.accepted, 1);
    await using second = keyless(old.address, { versions: "2" });
    assert.equal(summary((await errorOf(second.send("PING"))).outcomes[0]), "version not-applied");
    assert.deepEqual(old.commands, ["PING"]);
  });
});

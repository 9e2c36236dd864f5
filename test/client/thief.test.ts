/**
 * Tests an attacker between a client and its daemons that tries to obtain a signed version 1 command, which could be
 * replayed forever. However it handles the hellos, it receives none unless `versions` allows version 1.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../client/dbsync-send.js";
import type { SendOptions } from "../../client/settings/client-settings.js";
import { startDaemon } from "../../daemon/program/testing.js";
import { repositoryRoot } from "../support/repository.js";
import { startThief, THEFTS } from "../support/thief.js";
import { until } from "../support/until.js";
import { errorOf, PATIENCE_MS, summary } from "./test-client.js";

const key = join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem");
const ask = (servers: string, options: SendOptions = {}) =>
  createClient({ servers, key, timeout: PATIENCE_MS, versions: undefined, ...options });

for (const theft of THEFTS) {
  test(`an attacker that ${theft} receives no version 1 command, and the error names the setting that would allow it`, async () => {
    await using thief = await startThief(theft);
    await using client = ask(thief.address);
    for (let call = 0; call < 5; call++) {
      const failure = await errorOf(client.send(`SET secret ${call}`));
      assert.equal(summary(failure.outcomes[0]), "version not-applied");
      assert.match(
        failure.message,
        /speaks only version 1, is at its connection limit, or an attacker hides version 2/,
      );
      assert.match(failure.message, /versions: "1" in the options, DBSYNC_VERSIONS=1, dbsync\.versions = 1/);
    }
    assert.ok(thief.connections >= 2, "the client has tried again");
    assert.deepEqual(thief.captured, []);
  });
}

test("a client with a configured cluster sends nothing but envelopes to an attacker next to a daemon", async () => {
  await using daemon = await startDaemon();
  await using thief = await startThief("closes on the hello");
  const { servers, key, cluster } = daemon.options;
  for (const versions of [undefined, "2"] as const) {
    await using client = createClient({ servers: `${servers},${thief.address}`, key, cluster, versions });
    for (let call = 0; call < 5; call++) assert.equal(await client.send(`SET a ${call}`), "OK");
    const { outcomes } = await client.sendAll("SET a 5");
    assert.equal(outcomes[0]?.status, "ok");
    assert.match(summary(outcomes[1]), /^version (not-applied|unknown)$/);
  }
  assert.deepEqual(thief.captured, []);
});

test("a client sends no version 1 command to a daemon at its connection limit, or afterwards", async () => {
  await using daemon = await startDaemon({ args: ["--max-connections", "2"] });
  // These connections are authenticated, because the daemon closes unauthenticated ones first.
  const others = [createClient(daemon.options), createClient(daemon.options)];
  for (const other of others) await other.send("PING");

  await using client = createClient(daemon.options);
  const failure = await errorOf(client.send("INCR n"));
  assert.equal(summary(failure.outcomes[0]), "version not-applied");

  for (const other of others) await other.close();
  let value: string | null = null;
  await until("the daemon accepts the client", async () => {
    value = await client.send("INCR n").catch(() => null);
    return value !== null;
  });
  assert.equal(value, "1");

  const { outcomes } = await client.sendAll("GET n");
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "ok" && outcome.version),
    [2],
  );
});

const SAID: [how: string, prefix: string, options: SendOptions, connections: number][] = [
  ["the option 1", "", { versions: "1" }, 1],
  ["the option 1,2", "", { versions: "1,2" }, 2],
  ["its entry in the list", "dbsync1://", {}, 1],
  ["its entry, independent of the option", "dbsync1://", { versions: "2" }, 1],
];

for (const [how, prefix, options, connections] of SAID) {
  test(`${how} allows version 1 for a daemon that closes on the hello`, async () => {
    await using thief = await startThief("closes on the hello");
    await using client = ask(prefix + thief.address, options);
    const sent = client.send("SET a 1").catch(() => {});
    await until("the command", () => thief.captured.length === 1);
    assert.match(thief.captured[0] ?? "", /^ds:\d+:ds:8:SET a 1\0/);
    assert.equal(thief.connections, connections);
    await client.close();
    await sent;
  });
}

test("an entry with version 2 applies even if the option allows version 1", async () => {
  await using thief = await startThief("closes on the hello");
  await using client = ask(`dbsync2://${thief.address}`, { versions: "1,2" });
  assert.equal(summary((await errorOf(client.send("PING"))).outcomes[0]), "version not-applied");
  assert.deepEqual(thief.captured, []);
});

test("next to a version 2 daemon, a daemon whose entry names version 1 receives each call without a hello", async () => {
  await using daemon = await startDaemon();
  await using thief = await startThief("closes on the hello");
  await using client = createClient({
    ...daemon.options,
    servers: `dbsync1://${thief.address},${daemon.options.servers}`,
  });
  for (let call = 0; call < 3; call++) assert.equal(await client.send("INCR n"), String(call + 1));
  assert.equal(thief.hellos, 0);
});

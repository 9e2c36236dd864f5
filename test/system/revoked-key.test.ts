/**
 * Tests that a daemon accepts no writes after its own key was revoked, since no peer would accept them. This also
 * applies to a daemon that was down at that time.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { identityOf } from "../../daemon/engine/trust/identity.js";
import { lines } from "../../faces/redis/test/redis-comparison.js";
import { exchange } from "../../faces/redis/test/scene.js";
import { loadPrivateKey } from "../../keys/key-file.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { Trio } from "../support/trio.js";

const OPTIONS = ["--admin", "0", "--resp", "0"];

/** Authorizes the third daemon with the administrator's key, which can then revoke it. @returns the id of the daemon */
async function authorizeThird(trio: Trio): Promise<string> {
  const file = join(trio.folder(2), "daemon.pem");
  const { id } = identityOf(loadPrivateKey({ file }, { kinds: ["ed25519"] }).key);
  const spki = createPublicKey(readFileSync(file)).export({ type: "spki", format: "der" });
  await using root = trio.client([0], { key: trio.root.privateKey });
  await root.call(["CLUSTER", "ADD", spki.toString("base64")], { replicated: 3 });
  return hexOf(id);
}

/** Checks that the daemon refuses writes in each protocol, and that each status report states the reason. */
async function assertRefuses(trio: Trio): Promise<void> {
  await using client = trio.client([2]);
  const refuses = async () =>
    await client.send("SET other 2").then(
      () => false,
      (problem) => /daemon-revoked/.test(String(problem)),
    );
  await trio.until("it refuses", refuses);

  const resp = await trio.daemon(2).portOf("Redis clients");
  assert.match(await exchange(resp, lines("SET k 3")), /^-.*own key was revoked/);
  assert.match(await exchange(resp, lines("GET k")), /^\$1\r\n1/, "the daemon serves reads");

  const health = await fetch(
    `http://127.0.0.1:${await trio.daemon(2).portOf("/healthz and /metrics")}/healthz`,
  );
  assert.equal(health.status, 503);
  assert.match(await health.text(), /revoked/);
  assert.notEqual((await trio.status(2)).revoked, null);
}

test("a connected daemon refuses writes immediately when its key is revoked, and still does after a restart", async () => {
  await using trio = await Trio.start(OPTIONS);
  await using client = trio.client();
  await client.send("SET k 1", { replicated: 3 });
  const id = await authorizeThird(trio);
  await using root = trio.client([0], { key: trio.root.privateKey });
  await root.call(["KEY", "REVOKE", id]);
  await assertRefuses(trio);
  await trio.end(2, "SIGTERM");
  await trio.start(2);
  await assertRefuses(trio);
  assert.equal(
    await trio.client([0, 1]).send("SET k 1", { replicated: 2 }),
    "OK",
    "the other daemons accept writes",
  );
});

test("a daemon that was down when its key was revoked learns of it from the members, whichever side connects", async () => {
  await using trio = await Trio.start(OPTIONS);
  await using client = trio.client();
  await client.send("SET k 1", { replicated: 3 });
  const id = await authorizeThird(trio);
  await trio.end(2, "SIGKILL");
  await using root = trio.client([0], { key: trio.root.privateKey });
  await root.call(["KEY", "REVOKE", id], { replicated: 2 });
  await trio.start(2);
  await assertRefuses(trio);
  const line = await trio.daemon(2).logged(({ msg }) => /own key was revoked/.test(msg));
  assert.equal(line.level, "error");
  const status = await trio.status(0);
  assert.equal(status.revoked, null);
});

/**
 * Tests a Redis client of a daemon that may not sign: the error contains the command that authorizes the daemon, and
 * that command is sufficient.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startCluster } from "../../../test/tools/cli/cluster.js";

test("the refusal contains the exact CLUSTER ADD command, which authorizes the daemon", async () => {
  const data = mkdtempSync(join(tmpdir(), "dbsync-authorizing-"));
  const port = await freePort();
  try {
    await using cluster = await startCluster(1, ["--data", data, "--resp", String(port)]);
    const set = async () => {
      using client = await RedisConnection.open(port);
      client.queue(["SET", "k", "1"]);
      return (await client.flush())[0];
    };
    const refused = await set();
    assert.ok(refused?.kind === "error", JSON.stringify(refused));
    const [, command = ""] =
      /^ERR Writes are disabled: .* not authorized\. As administrator run: dbsync (send -k root-private\.pem CLUSTER ADD [A-Za-z0-9+/=]+)$/.exec(
        refused.text,
      ) ?? [];
    assert.notEqual(command, "", refused.text);
    const words = command.replace("root-private.pem", "root.pem").split(" ");
    const { code, stderr } = await cluster.run(words);
    assert.equal(code, 0, stderr);
    assert.equal((await set())?.kind, "status");
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});

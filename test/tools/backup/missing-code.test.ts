/**
 * Tests what a build without a face does with a folder and a backup that need the face: it refuses what depends on the
 * meaning of their commands, and names the face. It still copies them for a complete build.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createClient } from "../../../client/public-api.js";
import { EXIT } from "../../../tools/cli/shared/exit-codes.js";
import { runDbsync } from "../../client/child.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { buildRoot } from "../../support/repository.js";
import { type Ended, run } from "../../support/run-program.js";
import { until } from "../../support/until.js";

const PRELOAD = pathToFileURL(join(buildRoot, "test/support/without-family.js")).href;
const WITHOUT = { DBSYNC_WITHOUT_FAMILY: "redis/geo" };
const DAEMON = { program: join(buildRoot, "daemon/program/main.js") };
const LACKING = { ...DAEMON, execArgv: ["--import", PRELOAD], env: WITHOUT };
const NAMED = /this build does not contain the code of .* \(redis\/geo\)/;

const [app, root] = [makeKeyPair(), makeKeyPair()];
const KEYS = ["--sign-key", app.file, "--root-key", root.file];

/** Runs dbsync of the build without the face. */
const lackingDbsync = (args: readonly string[]): Promise<Ended> =>
  run(process.execPath, ["--import", PRELOAD, join(buildRoot, "tools/cli/main.js"), ...args], {
    env: WITHOUT,
  });

test("a build without a face names it for a folder and a backup, and copies them for a complete build", {
  timeout: 120_000,
}, async () => {
  using folder = makeFolder();
  const [data, backup, restored] = ["data", "backup.dbsync", "restored"].map((name) =>
    join(folder.path, name),
  ) as [string, string, string];
  {
    await using daemon = await startDaemon([...KEYS, "--data", data]);
    await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: app.privateKey });
    await client.call("SET before 1");
    await client.call("GEOADD places 13.361389 38.115556 Palermo");
    await daemon.stop();
  }
  const made = await runDbsync(["backup", "--data", data, backup]);
  assert.equal(made.code, 0, made.stderr);
  const sources = [
    ["--data", data],
    ["--backup", backup],
  ];
  for (const { code, stdout, stderr } of await Promise.all(
    sources.map((source) => lackingDbsync(["log", "verify", ...source, ...KEYS])),
  )) {
    assert.deepEqual([code, stdout], [EXIT.unchecked, ""]);
    assert.match(stderr, NAMED);
  }

  const copied = await lackingDbsync(["restore", backup, "--data", restored]);
  assert.equal(copied.code, 0, copied.stderr);
  const [original, copy] = await Promise.all(
    [data, restored].map(async (folder) => {
      const { stdout } = await runDbsync(["log", "verify", "--data", folder, ...KEYS, "--json"]);
      return JSON.parse(stdout) as { state: string; faultCount: number };
    }),
  );
  assert.equal(copy?.faultCount, 0);
  assert.equal(copy?.state, original?.state);

  await using lacking = await startDaemon([...KEYS, "--data", restored], LACKING);
  await using client = createClient({ servers: `127.0.0.1:${lacking.port}`, key: app.privateKey });
  await until("the daemon is outdated", async () => {
    const answer = await client.call("SET later 1").catch((problem: Error) => problem.message);
    return /semantics-unknown/.test(String(answer));
  });
  await lacking.logged(({ reason }) => NAMED.test(String(reason)));
  await assert.rejects(client.call("GET before"), NAMED);

  const key = join(folder.path, "app.pem");
  writeFileSync(key, app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const server = ["-k", key, "-s", `127.0.0.1:${lacking.port}`];
  const keys = await lackingDbsync(["restore", backup, "--only", "before", ...KEYS, ...server]);
  assert.notEqual(keys.code, 0);
  assert.match(keys.stderr, NAMED);
  assert.match(keys.stderr, /nothing was restored from it/);
});

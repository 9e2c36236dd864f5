/** A backup of a daemon that is catching up exits with 1, unless --incomplete is given. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { programPaths } from "../support/programs.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

test("dbsync backup reports an incomplete backup of a daemon that is catching up", {
  timeout: 300_000,
}, async (context) => {
  using folder = new ScratchFolder();
  await using trio = await Trio.start();
  {
    await using client = trio.client();
    await client.call("SET price 10", { replicated: 3 });
  }

  await trio.endAll();
  await trio.start(0);
  await until("the daemon is catching up", async () => (await trio.status(0)).state === "catching-up", {
    ms: 10_000,
    mayFail: true,
  });

  const backup = async (args: readonly string[]) =>
    await run(process.execPath, [programPaths.dbsync, "backup", "--data", trio.folder(0), ...args]);
  const plain = await backup([join(folder.path, "plain.dbsync")]);
  const incomplete = await backup(["--incomplete", join(folder.path, "incomplete.dbsync")]);

  if ((await trio.status(0)).state !== "catching-up") {
    context.skip("the daemon had caught up too early");
    return;
  }

  assert.equal(plain.code, 1, plain.stdout + plain.stderr);
  assert.equal(incomplete.code, 0, incomplete.stdout + incomplete.stderr);
  assert.ok(existsSync(join(folder.path, "incomplete.dbsync")));
});

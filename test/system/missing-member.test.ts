/**
 * A member of the list that no longer runs stays visible after a rolling restart of the other daemons.
 * dbsync status and dbsync doctor report it and exit with 1.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const GONE = 2;
const STAY = [0, 1];

test("dbsync status reports a missing member of the list after a rolling restart", {
  timeout: 400_000,
}, async () => {
  using folder = new ScratchFolder();
  await using trio = await Trio.start();
  const key = folder.privateKey(trio.root);
  const dbsync = async (args: readonly string[], indices: readonly number[]): Promise<Ended> => {
    const servers = indices.map((index) => trio.servers[index]).join(",");
    const options = ["-s", servers, "-k", key, "--timeout", "20000"];
    return await run(process.execPath, [programPaths.dbsync, ...args, ...options], { cwd: folder.path });
  };
  await until("a member list is signed", async () => {
    return (await dbsync(["members", "add", ...trio.servers], [0, 1, 2])).code === 0;
  });
  await trio.end(GONE, "SIGKILL");
  // The settings of the remaining daemons no longer name the killed member.
  const argsOf = trio.argsOf.bind(trio);
  trio.argsOf = (index) => {
    const args = argsOf(index);
    args.splice(args.indexOf(trio.servers[GONE] as string) - 1, 2);
    return args;
  };
  for (const index of STAY) {
    await trio.end(index, "SIGTERM");
    await trio.start(index, {});
    await trio.until("the daemon serves", async () => (await trio.status(index)).state !== "");
  }
  const areLive = async () => {
    const states = await Promise.all(STAY.map(async (index) => (await trio.status(index)).state));
    return states.every((state) => state === "live");
  };
  await trio.until("both daemons are live", areLive);
  await trio.client(STAY).call("SET probe x", { replicated: 2 });

  let status: Ended | null = null;
  await until(
    "dbsync status reports a failure",
    async () => {
      status = await dbsync(["status"], STAY);
      return status.code === 1 && /^FAIL/m.test(status.stdout);
    },
    { ms: 40_000 },
  ).catch(() => assert.fail(`dbsync status: ${status?.code} ${status?.stdout}`));
  const doctor = await dbsync(["doctor"], STAY);
  assert.equal(doctor.code, 1, doctor.stdout);
  for (const index of STAY) {
    const fields = await trio.report(index, "TIMELINE", "STATUS");
    const members = fields.get("final-members") as readonly unknown[];
    assert.deepEqual(
      [fields.get("final-cause"), fields.get("final-overdue"), members.length],
      ["away", 1, 1],
    );
  }
});

test("the alarm DbsyncNothingFinal fires even if no write has ever become final", () => {
  const alerts = readFileSync(join(repositoryRoot, "examples/production/alerts.yml"), "utf8");
  const rule = /alert: DbsyncNothingFinal[\s\S]*?(?=- alert:|$)/.exec(alerts)?.[0] ?? "";
  assert.doesNotMatch(rule.replace(/annotations:[\s\S]*/, ""), />\s*0\s+and\b/, rule);
});

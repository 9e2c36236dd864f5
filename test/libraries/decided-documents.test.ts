/**
 * Tests mongoose at three daemons whose members decide on its collections: optimistic locking reports as modified what
 * took effect, and a unique index has no duplicates, also while daemons are killed, suspended and disconnected.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { amount } from "../support/amount.js";
import { EARLY_PATTERNS } from "../support/decided-patterns.js";
import { pause } from "../support/pause.js";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";

const npm = join(repositoryRoot, "test", "libraries", "npm");
const skip = existsSync(join(npm, "node_modules")) ? false : "test/libraries/npm is not installed";
const ROUNDS = Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? 10);
/** The runs of the program: every second one with faults. */
const RUNS = amount(2, 8);
const FAULT_MS = amount(200, 1500);
/** The maximum number of faults. On a busy machine, the daemons would otherwise hardly ever be connected. */
const FAULTS_MAX = amount(4, 12);

/** Kills, suspends and disconnects one daemon after the other, at most until the promise is settled. */
async function disturb(cluster: ActiveCluster, running: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  running.then(end, end);

  for (let fault = 0; !isOver && fault < FAULTS_MAX; fault++) {
    const victim = fault % cluster.indices.length;
    await pause(FAULT_MS);
    if (fault % 4 === 0) {
      await cluster.end(victim, "SIGKILL");
      await cluster.restart(victim);
    } else if (fault % 4 === 1) {
      cluster.hang(victim);
      await pause(2 * FAULT_MS);
      cluster.resume(victim);
    } else {
      const separate = fault % 4 === 2 ? cluster.hold : cluster.cutBoth;
      const others = cluster.indices.filter((index) => index !== victim);
      for (const isApart of [true, false]) {
        for (const other of others) separate.call(cluster, victim, other, isApart);
        if (isApart) await pause(FAULT_MS);
      }
    }
  }
}

test("mongoose at three daemons reports what takes effect", { skip }, async (t) => {
  await using cluster = await ActiveCluster.start(3, { hasDocuments: true, args: () => EARLY_PATTERNS });
  await cluster.decideOn(["mongo:shop.*"]);
  const ports = cluster.indices.map((index) => String(cluster.mongoPort(index)));
  const args = [join(npm, "decided-documents.mjs"), String(ROUNDS), ...ports];
  for (let number = 0; number < RUNS; number++) {
    const withFaults = number % 2 === 1;
    const running = run(process.execPath, args, {});
    // The program ends by itself, also if a fault cannot be healed.
    if (withFaults) await disturb(cluster, running).finally(() => running);
    const ended = await running;
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    const figures = JSON.parse(ended.stdout) as Readonly<Record<string, number>>;
    t.diagnostic(`${withFaults ? "with" : "without"} faults: ${ended.stdout.trim()}`);
    const { reportedAsModified = 0, unknown = 0, tookEffect = 0 } = figures;
    assert.ok(tookEffect >= reportedAsModified && tookEffect <= reportedAsModified + unknown);
    assert.equal(figures["duplicates"], 0);
    const { reportedAsInserted = 0, unknownInserts = 0, documents = 0 } = figures;
    assert.ok(documents >= reportedAsInserted && documents <= reportedAsInserted + unknownInserts);
    if (!withFaults) assert.deepEqual([unknown, unknownInserts, documents], [0, 0, ROUNDS]);
  }
});

/**
 * Measures how long writes pause after the server was killed or suspended on which the other ones depend: the keeper of
 * three daemons, for units with conditions, and the leader of three members of etcd, in one run. Then counts how often
 * the keeper changes without a fault while the processors are busy.
 */
import { spawn, spawnSync } from "node:child_process";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { kill, killedAtExit } from "../test/support/child-process.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { isOnPath } from "../test/support/requirements.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import type { Trio } from "../test/support/trio.js";
import { fieldsOf } from "../test/system/status.js";
import { startEtcd } from "./etcd.js";
import { median } from "./measure.js";
import { isSmoke, report, table } from "./report.js";
import { started, startThree } from "./servers.js";

const ROUNDS = isSmoke ? 1 : 3;
const WARM_UP_MS = isSmoke ? 500 : 3_000;
/** Milliseconds between two writes. None waits for the answer of another one. */
const EVERY_MS = 50;
/** Milliseconds for which a suspended server stands still, and for which each measurement then continues. */
const SUSPENDED_MS = 3_000;
const AFTER_MS = isSmoke ? 2_000 : 5_000;
/** The number of processes that keep the processors busy, and the minutes for which they do. */
const BUSY_PROCESSES = 8;
const BUSY_MINUTES = isSmoke ? 0.1 : 10;
/** Milliseconds between two writes while the processors are busy. */
const BUSY_EVERY_MS = 100;

const FAULTS = ["kill -9", `SIGSTOP for ${SUSPENDED_MS / 1000} s`] as const;
type Fault = (typeof FAULTS)[number];

/** A cluster, and the server on which the other ones depend. */
interface Cluster extends AsyncDisposable {
  readonly put: (key: string) => Promise<unknown>;
  readonly signal: (signal: "SIGKILL" | "SIGSTOP" | "SIGCONT") => Promise<void>;
  /** Returns the number of changes of the keeper; null: unknown. */
  readonly changes: () => Promise<number | null>;
}

const folder = scratchFolder("keeper-failover");
let count = 0;

async function startEtcdCluster(): Promise<Cluster> {
  const etcd = await startEtcd(join(folder, `${++count}`));
  const leader = etcd.servers[etcd.leader];
  const client = etcd.open((etcd.leader + 1) % etcd.servers.length);
  return {
    put: (key) => client.put(key, "value"),
    signal: async (signal) => void leader?.kill(signal),
    changes: async () => null,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

/** Starts three daemons of which the first one is the keeper. */
async function startDaemons(): Promise<Cluster & { readonly trio: Trio }> {
  const trio = await startThree("always", makeKeyPair());
  await trio.list();
  await trio.untilNoneIsLate();
  {
    // No other daemon has a unit.
    await using first = trio.client([0]);
    await started(async () => (await first.call(["SET", `${++count}`, "value", "NX"])) === "OK" || undefined);
  }
  const client = trio.client();
  return {
    trio,
    put: (key) => client.call(["SET", key, "value", "NX"], { policy: "majority" }),
    signal: async (signal) => {
      if (signal === "SIGKILL") await trio.end(0, signal);
      else trio.daemon(0).kill(signal);
    },
    changes: () => keeperChanges(trio, 1),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await trio[Symbol.asyncDispose]();
    },
  };
}

async function keeperChanges(trio: Trio, index: number): Promise<number> {
  await using root = trio.client([index], { key: trio.root.privateKey });
  return Number(fieldsOf(await root.call(["TIMELINE", "STATUS"])).get("keeper-changes"));
}

/** Writes for a time. @returns the longest time without an answer, in milliseconds */
async function writeFor(milliseconds: number, everyMs: number, { put }: Cluster): Promise<number> {
  const end = performance.now() + milliseconds;
  let [answeredAt, longest] = [performance.now(), 0];
  const answered = (): void => {
    const now = Math.min(performance.now(), end);
    longest = Math.max(longest, now - answeredAt);
    answeredAt = now;
  };
  while (performance.now() < end) {
    // A call that the stopped server has received may fail.
    put(`key:${++count}`).then(answered, () => {});
    await sleep(everyMs);
  }
  answered();
  return longest;
}

interface Measured {
  readonly pauseMs: number;
  readonly changes: number | null;
}

async function measureFault(start: () => Promise<Cluster>, fault: Fault): Promise<Measured> {
  await using cluster = await start();
  await writeFor(WARM_UP_MS, EVERY_MS, cluster);
  const before = await cluster.changes();
  const isKilled = fault === "kill -9";
  const writing = writeFor(isKilled ? AFTER_MS : SUSPENDED_MS + AFTER_MS, EVERY_MS, cluster);
  await cluster.signal(isKilled ? "SIGKILL" : "SIGSTOP");
  if (!isKilled) {
    await sleep(SUSPENDED_MS);
    await cluster.signal("SIGCONT");
  }
  const pauseMs = await writing;
  const after = await cluster.changes();
  return { pauseMs, changes: after === null || before === null ? null : after - before };
}

/** Counts the changes of the keeper at each daemon while other processes use the processors. */
async function measureBusy(): Promise<{ changes: number[]; pauseMs: number; load: number }> {
  await using cluster = await startDaemons();
  const { trio } = cluster;
  const busy = Array.from({ length: BUSY_PROCESSES }, () =>
    killedAtExit(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" })),
  );
  try {
    await writeFor(WARM_UP_MS, BUSY_EVERY_MS, cluster);
    const changesOf = () => Promise.all([0, 1, 2].map((index) => keeperChanges(trio, index)));
    const before = await changesOf();
    const pauseMs = await writeFor(BUSY_MINUTES * 60_000, BUSY_EVERY_MS, cluster);
    const changes = (await changesOf()).map((after, index) => after - (before[index] ?? 0));
    return { changes, pauseMs, load: loadavg()[0] ?? 0 };
  } finally {
    await Promise.all(busy.map(kill));
  }
}

const SYSTEMS: readonly (readonly [string, () => Promise<Cluster>])[] = [
  ["dbsyncd, units with conditions", startDaemons],
  ...(isOnPath("etcd") ? [["etcd", startEtcdCluster] as const] : []),
];

const rows: (string | number)[][] = [];
for (const fault of FAULTS) {
  const measured = SYSTEMS.map((): Measured[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, [name, start]] of SYSTEMS.entries()) {
      const one = await measureFault(start, fault);
      console.error(`${fault}, ${name}: ${Math.round(one.pauseMs)} ms, ${one.changes} changes`);
      measured[index]?.push(one);
    }
  for (const [index, [name]] of SYSTEMS.entries()) {
    const runs = measured[index] ?? [];
    const pauses = runs.map(({ pauseMs }) => pauseMs);
    const changes = runs.map(({ changes }) => changes ?? "").join(" ");
    rows.push([fault, name, Math.round(median(pauses)), Math.round(Math.max(...pauses)), changes]);
  }
}
const { changes, pauseMs, load } = await measureBusy();
const etcd = isOnPath("etcd")
  ? spawnSync("etcd", ["--version"], { encoding: "utf8" }).stdout.split("\n")[0]
  : "etcd is not installed (Debian package etcd-server): skipped.";

report(
  "keeper-failover",
  "Failover of the keeper, alongside etcd's leader (bench/keeper-failover.ts)",
  `${etcd}. Three daemons with \`--data --fsync always\` and a signed member list, and three members of etcd with its defaults, one after the other. Each round starts them again. A client writes every ${EVERY_MS} ms, without waiting for earlier answers: \`SET key value NX\` with policy \`majority\` to all daemons, and a put to a follower of etcd. Pause: the longest time without an answer from the fault on. Changes: how often a daemon that continued to run has promised decisions to another keeper, in each of ${ROUNDS} rounds.

${table(["fault of the keeper, or leader", "", "pause ms, median", "maximum", "changes"], rows)}

Without a fault, while ${BUSY_PROCESSES} other processes keep the processors busy for ${BUSY_MINUTES} minutes, and a client writes a unit every ${BUSY_EVERY_MS} ms: ${changes.join(", ")} changes of the keeper at the three daemons (goal: 0). The longest time without an answer was ${Math.round(pauseMs)} ms. Load average at the end: ${load.toFixed(1)}.
`,
);

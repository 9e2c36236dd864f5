/**
 * Measures how fast an empty daemon catches up, and how fast a daemon reads its own timeline when it starts. `--smoke`
 * is short and does not change RESULTS.md. `--full` writes a million envelopes of one command instead of 200,000; signing
 * them takes minutes.
 */

import { inEnglish, isSmoke, machine, met, report, table } from "./measure.js";
import { startDaemon } from "./processes.js";
import { type DataPlan, signedEntries, Workspace, writeFolder } from "./timeline-daemons.js";
import { cpuMicros, mainThreadMicros, memoryUse, verifySeconds } from "./usage.js";

const full = process.argv.includes("--full");
const COMMANDS = isSmoke ? 8_000 : 1_000_000;
const SINGLE_COMMANDS = isSmoke ? 2_000 : full ? 1_000_000 : 200_000;
const KEYS = 100_000;
/** The age of the last missed write in milliseconds. It is older than the tail, so no missed write is late. */
const ENDED_MS_AGO = 10 * 60_000;
const LASTED_MS = 30 * 60_000;
const GOALS = {
  catchUp8: 100_000,
  catchUp1: 20_000,
  /** An empty member should receive a million keys in 30 s. */
  join: 33_334,
  replay: 200_000,
};

using workspace = new Workspace();

function planOf(commands: number, size: number, keys: number): DataPlan {
  const envelopes = Math.ceil(commands / size);
  return {
    envelopes,
    size,
    from: Date.now() - ENDED_MS_AGO - LASTED_MS,
    every: LASTED_MS / envelopes,
    command: (number) => ["SET", `key:${number % keys}`, "x".repeat(16)],
  };
}

/** Measures how long a daemon with an empty folder takes to receive all entries of another daemon. */
async function catchUp(plan: DataPlan, goal: number) {
  const commands = plan.envelopes * plan.size;
  const folder = workspace.newFolder();
  await writeFolder(folder, signedEntries(workspace, plan));
  const [sender, receiver] = await workspace.pair(folder, workspace.newFolder());
  await using _sender = sender;
  await using _receiver = receiver;
  const cpu = () => [cpuMicros(sender.pid), cpuMicros(receiver.pid), mainThreadMicros(receiver.pid)];
  const before = cpu();
  const startedAt = performance.now();
  await workspace.until(receiver, ({ entries }) => entries >= plan.envelopes);
  const storedMs = performance.now() - startedAt;
  await workspace.until(receiver, ({ state, waiting }) => state === "live" && waiting === 0);
  const seconds = (performance.now() - startedAt) / 1000;
  const perSecond = commands / seconds;
  const used = cpu().map((after, i) => ((after - (before[i] ?? 0)) / 1e6).toFixed(1));
  const row = [
    `${inEnglish(commands)} commands, ${plan.size} per envelope${goal === GOALS.join ? ", each with its own key" : ""}`,
    ...[Math.round(perSecond), `≥ ${inEnglish(goal)} (${met(perSecond >= goal)})`],
    ...[seconds.toFixed(1), (storedMs / 1000).toFixed(1), ...used],
    (verifySeconds(workspace.key) * plan.envelopes).toFixed(1),
    memoryUse(receiver.pid).resident,
  ];
  return { row, folder };
}

/** Measures how long a daemon takes to start with a folder without a snapshot. @returns the row */
async function ownTimeline(folder: string, what: string) {
  await using daemon = await startDaemon(workspace.args(folder));
  const seconds = daemon.startMs / 1000;
  return [what, seconds.toFixed(2), Math.round(COMMANDS / seconds), memoryUse(daemon.pid).resident];
}

const eight = await catchUp(planOf(COMMANDS, 8, KEYS), GOALS.catchUp8);
const single = await catchUp(planOf(SINGLE_COMMANDS, 1, KEYS), GOALS.catchUp1);
const joined = await catchUp(planOf(COMMANDS, 50, COMMANDS), GOALS.join);
const starts = [
  await ownTimeline(eight.folder, "8 commands per envelope, 100,000 keys"),
  await ownTimeline(joined.folder, `${inEnglish(COMMANDS)} keys, 50 commands per envelope`),
];
const head = [
  ...["", "commands a second", "goal", "caught up after, s", "stored after, s", "CPU of the sender, s"],
  ...["CPU of the receiver, s", "main thread of the receiver, s", "verifying, s", "receiver's memory, MiB"],
];
report(
  "catch-up",
  `## Catching up

${machine("catch-up")} A daemon with an empty folder (--fsync always) receives all entries of another
daemon, which are signed with RSA-2048, on one machine with two cores. "Caught up" means that it has stored and folded all entries. CPU seconds include all
threads of a process. "Verifying" is the time of the same number of signature checks alone.

${table(head, [eight.row, single.row, joined.row])}

Starting with an existing timeline, without a snapshot (goal: ${inEnglish(GOALS.replay)} commands a second):

${table(["", "start to listening, s", "commands a second", "resident memory, MiB"], starts)}`,
);

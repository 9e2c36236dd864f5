/**
 * Measures three things: how fast an empty daemon catches up, how many rounds of messages two almost equal timelines
 * need to become equal, and how fast a daemon reads its own timeline when it starts. `--smoke` is short and does not
 * change RESULTS.md. `--full` writes a million envelopes of one command instead of 200,000; signing them takes minutes.
 */

import { randomBytes } from "node:crypto";
import { bytesOf } from "../protocol/byte-string.js";
import { exchange, Holder } from "../test/daemon/timeline/support/members.js";
import { cpuSeconds, mainThreadSeconds, verifySeconds } from "./daemon-cpu.js";
import { type Server, startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";
import { stopAll, Workspace } from "./timeline-daemons.js";
import { type DataPlan, signedEntries, writeFolders } from "./timeline-data.js";
import { memoryUse } from "./usage.js";

const smoke = process.argv.includes("--smoke");
const full = process.argv.includes("--full");
const COMMANDS = smoke ? 8_000 : 1_000_000;
const SINGLE_COMMANDS = smoke ? 2_000 : full ? 1_000_000 : 200_000;
const KEYS = 100_000;
const COMMON = smoke ? 20_000 : 1_000_000;
const DIFFERENT = 100;
/** The age of the last missed write in milliseconds. It is older than the tail, so no missed write is late. */
const ENDED_MS_AGO = 10 * 60_000;
const LASTED_MS = 30 * 60_000;
const GOALS = {
  catchUp8: 100_000,
  catchUp1: 20_000,
  /** An empty member should receive a million keys in 30 s. */
  join: 33_334,
  replay: 200_000,
  rounds: 4,
  bytes: 250_000,
  stallMs: 20,
};

const workspace = new Workspace();

async function main(): Promise<void> {
  const rows = [];
  const eight = await catchUp(planOf(COMMANDS, 8, KEYS), GOALS.catchUp8);
  rows.push(eight.row);
  rows.push((await catchUp(planOf(SINGLE_COMMANDS, 1, KEYS), GOALS.catchUp1)).row);
  const joined = await catchUp(planOf(COMMANDS, 50, COMMANDS), GOALS.join);
  rows.push(joined.row);
  const own = await ownTimeline(eight.folder, COMMANDS, "8 commands per envelope, 100,000 keys");
  const asMany = `${COMMANDS.toLocaleString("en")} keys, 50 commands per envelope`;
  const keys = await ownTimeline(joined.folder, COMMANDS, asMany);
  report("catch-up", text(rows, [own, keys], reconciled()), smoke);
}

interface Start {
  readonly what: string;
  readonly commands: number;
  readonly startMs: number;
  readonly residentMiB: number;
}

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
  await writeFolders([folder], signedEntries(workspace, plan));
  const { sender, receiver } = await workspace.pair(folder, workspace.newFolder());
  const mainBefore = mainThreadSeconds(receiver.process.pid as number);
  try {
    const startedAt = performance.now();
    const before = cpuOf([sender, receiver]);
    await workspace.until(receiver, ({ entries }) => entries >= plan.envelopes);
    const storedMs = performance.now() - startedAt;
    await workspace.until(receiver, ({ state, waiting }) => state === "live" && waiting === 0);
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = cpuOf([sender, receiver]).map((after, i) => after - (before[i] as number));
    const [sendCpu, receiveCpu] = cpu as [number, number];
    const mainThread = mainThreadSeconds(receiver.process.pid as number) - mainBefore;
    const verifying = verifySeconds(workspace.key) * plan.envelopes;
    const perSecond = commands / seconds;
    const row = [
      `${commands.toLocaleString("en")} commands, ${plan.size} per envelope${goal === GOALS.join ? ", each with its own key" : ""}`,
      ...[Math.round(perSecond), `≥ ${goal.toLocaleString("en")} (${perSecond >= goal ? "met" : "missed"})`],
      ...[seconds.toFixed(1), (storedMs / 1000).toFixed(1)],
      ...[
        sendCpu.toFixed(1),
        receiveCpu.toFixed(1),
        mainThread.toFixed(1),
        verifying.toFixed(1),
        memoryUse(receiver.process.pid as number).resident,
      ],
    ];
    return { row, folder };
  } finally {
    await stopAll([receiver, sender]);
  }
}

const cpuOf = (servers: readonly Server[]) =>
  servers.map(({ process: { pid } }) => cpuSeconds(pid as number));

/** Measures how long a daemon takes to start with a folder without a snapshot. */
async function ownTimeline(folder: string, commands: number, what: string): Promise<Start> {
  await using daemon = await startDaemon(workspace.args(folder));
  return {
    what,
    commands,
    startMs: daemon.startMs,
    residentMiB: memoryUse(daemon.process.pid as number).resident,
  };
}

/** Reconciles two timelines within this process. */
function reconciled() {
  const [one, other] = [new Holder(), new Holder()];
  const from = Date.now() - LASTED_MS;
  for (let i = 0; i < COMMON + DIFFERENT; i++) {
    const at = Math.floor(from + (i * LASTED_MS) / COMMON);
    const orderKey = { at, seq: 0, id: bytesOf(randomBytes(32)) };
    const isDifferent = i % Math.floor((COMMON + DIFFERENT) / DIFFERENT) === 1;
    if (!isDifferent || i % 2 === 0) one.add(orderKey);
    if (!isDifferent || i % 2 === 1) other.add(orderKey);
  }
  // The holders sort entries when they are first read. A disk returns sorted entries, so do not measure the sorting.
  one.all("data");
  other.all("data");
  return exchange(one, other, "data", 1);
}

function text(
  rows: readonly (readonly (string | number)[])[],
  starts: readonly Start[],
  { messages, bytes, given, longestStep }: ReturnType<typeof reconciled>,
): string {
  const rounds = Math.ceil((messages + 1) / 2);
  const startRows = starts.map(({ what, commands, startMs, residentMiB }) => [
    what,
    (startMs / 1000).toFixed(2),
    Math.round(commands / (startMs / 1000)),
    residentMiB,
  ]);
  const met = (holds: boolean) => (holds ? "met" : "missed");
  return `## Catching up

${machine()} \`npm run bench\`. A daemon with an empty folder (--fsync always) receives all entries of another
daemon, which are signed with RSA-2048, on one machine with two cores. "Caught up" means that it has stored and folded all entries. CPU seconds include all
threads of a process. "Verifying" is the time of the same number of signature checks alone.

${table(
  [
    ...["", "commands a second", "goal", "caught up after, s", "stored after, s"],
    ...[
      "CPU of the sender, s",
      "CPU of the receiver, s",
      "main thread of the receiver, s",
      "verifying, s",
      "receiver's memory, MiB",
    ],
  ],
  rows,
)}

Starting with an existing timeline, without a snapshot (goal: ${GOALS.replay.toLocaleString("en")} commands a second):

${table(["", "start to listening, s", "commands a second", "resident memory, MiB"], startRows)}

Two timelines with ${COMMON.toLocaleString("en")} common envelopes and ${given} different ones: ${rounds} rounds (goal: ${GOALS.rounds}, ${met(rounds <= GOALS.rounds)}),
${bytes.toLocaleString("en")} bytes (goal: ${GOALS.bytes.toLocaleString("en")}, ${met(bytes <= GOALS.bytes)}), longest step ${longestStep.toFixed(1)} ms (goal: ${GOALS.stallMs} ms, ${met(longestStep <= GOALS.stallMs)}).`;
}

try {
  await main();
} finally {
  workspace[Symbol.dispose]();
}

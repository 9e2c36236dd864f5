/** Measures how fast an empty daemon catches up, and how fast a daemon reads its own timeline when it starts. */
import { makeKeyPair } from "../test/support/envelope-client.js";
import { Trio } from "../test/support/trio.js";
import { type DataPlan, writeFolder } from "./data-folder.js";
import { inEnglish, isSmoke, met, report, table } from "./report.js";
import { cpuMicros, mainThreadMicros, memoryUse, verifySeconds } from "./usage.js";

const COMMANDS = isSmoke ? 8_000 : 1_000_000;
const SINGLE_COMMANDS = isSmoke ? 2_000 : 200_000;
const KEYS = 100_000;
/** The age of the last missed write in milliseconds. It is older than the tail, so no missed write is late. */
const ENDED_MS_AGO = 10 * 60_000;
const LASTED_MS = 30 * 60_000;
const HOUR_MS = 3_600_000;
const GOALS = {
  catchUp8: 100_000,
  catchUp1: 20_000,
  /** An empty member should receive a million keys in 30 s. */
  join: 33_334,
  replay: 200_000,
};

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

/**
 * Measures how long a daemon with an empty folder takes to receive all entries of another daemon, and how long the
 * latter takes to start with them, without a snapshot.
 * @returns a row for each
 */
async function measurePlan(what: string, plan: DataPlan, goal: number) {
  const commands = plan.envelopes * plan.size;
  // Both need --peer, because a daemon without it admits no member.
  await using trio = await Trio.make(["--fsync", "always"], 2, { app: makeKeyPair("rsa") });
  await writeFolder(trio, 0, plan);
  const beforeStart = performance.now();
  const sender = await trio.start(0);
  const startSeconds = (performance.now() - beforeStart) / 1000;
  const startRow = [what, startSeconds.toFixed(2), Math.round(commands / startSeconds)];
  startRow.push(memoryUse(sender.pid).resident);
  const receiver = await trio.start(1);
  const cpu = () => [cpuMicros(sender.pid), cpuMicros(receiver.pid), mainThreadMicros(receiver.pid)];
  const before = cpu();
  const startedAt = performance.now();
  await trio.until("all is stored", async () => (await trio.status(1)).entries >= plan.envelopes, HOUR_MS);
  const storedMs = performance.now() - startedAt;
  await trio.until("all is folded", async () => (await trio.status(1)).isSettled, HOUR_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  const perSecond = commands / seconds;
  const used = cpu().map((after, i) => ((after - (before[i] ?? 0)) / 1e6).toFixed(1));
  const row = [
    `${inEnglish(commands)} commands, ${what}`,
    ...[Math.round(perSecond), `≥ ${inEnglish(goal)} (${met(perSecond >= goal)})`],
    ...[seconds.toFixed(1), (storedMs / 1000).toFixed(1), ...used],
    (verifySeconds(trio.app.privateKey) * plan.envelopes).toFixed(1),
    memoryUse(receiver.pid).resident,
  ];
  return { row, startRow };
}

const cases = [
  await measurePlan("8 per envelope, 100,000 keys", planOf(COMMANDS, 8, KEYS), GOALS.catchUp8),
  await measurePlan("1 per envelope, 100,000 keys", planOf(SINGLE_COMMANDS, 1, KEYS), GOALS.catchUp1),
  await measurePlan("50 per envelope, each with its own key", planOf(COMMANDS, 50, COMMANDS), GOALS.join),
];
const head = [
  ...["", "commands a second", "goal", "caught up after, s", "stored after, s", "CPU of the sender, s"],
  ...["CPU of the receiver, s", "main thread of the receiver, s", "verifying, s", "receiver's memory, MiB"],
];
report(
  "catch-up",
  "Catching up",
  `A daemon with an empty folder (--fsync always) receives all entries of another
daemon, which are signed with RSA-2048, on one machine with two cores. "Caught up" means that it has stored and folded all entries. CPU seconds include all
threads of a process. "Verifying" is the time of the same number of signature checks alone.

${table(
  head,
  cases.map(({ row }) => row),
)}

Starting with an existing timeline, without a snapshot (goal: ${inEnglish(GOALS.replay)} commands a second):

${table(
  ["", "start to listening, s", "commands a second", "resident memory, MiB"],
  cases.map(({ startRow }) => startRow),
)}`,
);

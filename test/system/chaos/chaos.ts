/**
 * Exposes daemons with a member list to many faults within minutes, while processes write to them. Daemons are killed,
 * frozen, disconnected, removed and added, their folders are lost or damaged, and they are restarted with other
 * settings and another build. In the end the crash test checks all guarantees. `npm run chaos -- --minutes 30` and
 * chaos.test.ts run the crash test.
 */
import assert from "node:assert/strict";
import { loadavg } from "node:os";
import { programPaths } from "../../support/programs.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { readFolder } from "../folder-contents.js";
import { Cluster } from "./cluster.js";
import { Lanes } from "./lanes.js";
import { Operator } from "./operator.js";
import { FOUNDERS, makeRound, ROUNDS_OF_ALL } from "./schedule.js";
import { foldContents, readState, type State } from "./state.js";
import { checkWrites } from "./verdict.js";
import type { ReportedWrite } from "./write.js";
import { WriterProcess } from "./writer-process.js";

/** The maximum number of printed reasons for unacknowledged writes. */
const REASONS_MAX = 8;
/** The timeout in milliseconds until all running daemons are equal. On an idle machine this takes a few seconds. */
const LEVEL_MS = 300_000;
/** The timeout in milliseconds for comparing states after the last write. */
const COMPARED_MS = 180_000;

export interface ChaosOptions {
  readonly seed: number;
  /** The duration of the run. It continues at least until each kind of fault has happened once. */
  readonly seconds: number;
  /** Milliseconds of faults in a round. After these, all daemons must be equal again. */
  readonly roundMs: number;
  /** The number of writing processes. */
  readonly writers: number;
  /** The dbsyncd of an older build with which the daemons start, or null. */
  readonly old: string | null;
  /** Receives a line for each event. */
  readonly say: (line: string) => void;
}

/** Runs the test. @throws Error if a check fails */
export async function runChaos({
  seed,
  seconds,
  roundMs,
  old,
  say,
  ...options
}: ChaosOptions): Promise<void> {
  const startedAt = performance.now();
  const elapsed = () => Math.round((performance.now() - startedAt) / 1000);

  await using cluster = await Cluster.start(FOUNDERS + 1, FOUNDERS, () => ({
    program: old ?? programPaths.dbsyncd,
  }));
  using writers = await startWriters(cluster, seed, options.writers);
  const lanes = new Lanes(cluster);
  const random = new SeededRandom(seed, 2);
  const operator = new Operator({ cluster, random, writer: options.writers, old, say });

  let slowest = 0;
  for (let round = 0; elapsed() < seconds || round < ROUNDS_OF_ALL; round++) {
    const { lanes: faults, acts } = makeRound(new SeededRandom(seed, 1, round), round, roundMs);
    say(`round ${round + 1}, ${elapsed()} s`);
    await both(lanes.run(faults, performance.now() + roundMs), operator.run(acts));

    await writers.pause();
    let took = await cluster.level(LEVEL_MS);
    if (await operator.writeAgain()) took += await cluster.level(LEVEL_MS);
    operator.levelled();
    await checkAlarms(cluster);

    slowest = Math.max(slowest, took);
    say(`  level after ${(took / 1000).toFixed(1)} s; ${writers.writes.length} writes`);
    writers.resume();
  }

  await writers.stop();
  const writes = [...writers.writes, ...operator.writes];
  say(`the final check, ${elapsed()} s`);
  await cluster.level(LEVEL_MS);
  if (seconds > 0) await checkCompared(cluster);
  await checkList(cluster, operator.removed);
  const state = await checkEqual(cluster, writes);
  const tally = checkWrites(writes, state, operator.erased);

  for (const reason of reasonsOf(writes)) say(reason);
  say(
    `${elapsed()} s; faults ${show({ ...lanes.counts, ...operator.counts })}; writes ${show(tally)}; ` +
      `${operator.deadLetters} dead letters, all written again; ${operator.damaged} damaged entries found; ` +
      `${operator.removed.length} daemons removed; equal after ${(slowest / 1000).toFixed(1)} s at most; ` +
      `load ${loadavg()[2]?.toFixed(1)}`,
  );
}

/**
 * Waits for all steps even if one fails. Otherwise the remaining steps would fail because their daemons have been
 * stopped.
 */
async function both(...steps: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function startWriters({ trio }: Cluster, seed: number, count: number) {
  const key = trio.app.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const processes = await Promise.all(
    Array.from({ length: count }, (_, writer) =>
      WriterProcess.start({ servers: trio.servers, key, writer, seed }),
    ),
  );
  const each = (step: (writer: WriterProcess) => unknown) => Promise.all(processes.map(step));
  return {
    get writes(): readonly ReportedWrite[] {
      return processes.flatMap(({ writes }) => writes);
    },
    pause: () => each((writer) => writer.pause()),
    resume: () => each((writer) => writer.resume()),
    stop: () => each((writer) => writer.stop()),
    [Symbol.dispose]: () => {
      for (const writer of processes) writer[Symbol.dispose]();
    },
  };
}

/** Checks that no daemon has reported a state that differs from other daemons. */
async function checkAlarms(cluster: Cluster): Promise<void> {
  for (const { differing } of await cluster.statuses()) assert.equal(differing, 0, "states differ");
}

/** Waits until all states have been compared since the last write. */
async function checkCompared(cluster: Cluster): Promise<void> {
  const lastAt = Math.max(...(await cluster.statuses()).map(({ newest }) => newest));
  const compared = async () => (await cluster.statuses()).every((one) => one.compared >= lastAt);
  await cluster.trio.until("all states have been compared", compared, COMPARED_MS);
  await checkAlarms(cluster);
}

/** Checks that the member list contains all running daemons and no removed daemon. */
async function checkList(cluster: Cluster, removed: readonly string[]): Promise<void> {
  const list = await cluster.list();
  assert.ok(list !== null, "all daemons use the same list");
  const ids = cluster.members.map((index) => cluster.idOf(index));
  assert.deepEqual([...list.members].sort(), ids.sort(), "the list contains all running daemons");
  assert.deepEqual(
    [...list.left].sort(),
    [...removed].sort(),
    "the list contains all removed daemons as removed",
  );
}

/**
 * Checks that all daemons return the same values, and that the values follow from the contents of their folders. Stops
 * the daemons.
 */
async function checkEqual(cluster: Cluster, writes: readonly ReportedWrite[]): Promise<State> {
  const { trio, members } = cluster;
  const states: State[] = [];
  for (const index of members) {
    await using client = trio.client([index]);
    states.push(await readState(client, writes));
  }

  await trio.endAll();
  let folded: State | null = null;
  let places = "";
  for (const [number, index] of members.entries()) {
    const contents = await readFolder(trio.folder(index));
    const damaged = [...contents.values()].filter((entry) => entry === null).length;
    assert.equal(damaged, 0, "no entry is damaged");
    places ||= [...contents.keys()].join();
    assert.ok([...contents.keys()].join() === places, "the folders have the same entries");
    folded ??= foldContents(contents);
    assert.deepEqual(states[number], folded, `state of the daemon at seat ${index}`);
  }
  assert.ok(folded !== null);
  return folded;
}

/** Returns why writes were not acknowledged, the most frequent reasons first. */
function reasonsOf(writes: readonly ReportedWrite[]): string[] {
  const counts = new Map<string, number>();
  for (const { outcome, why } of writes)
    if (why !== "") counts.set(`${outcome}: ${why}`, (counts.get(`${outcome}: ${why}`) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, REASONS_MAX);
  return sorted.map(([why, count]) => `${count} ${why}`);
}

const show = (counts: object) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

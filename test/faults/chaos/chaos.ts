/**
 * Daemons with a list of members under all that may happen in years, in minutes: they are killed, frozen, cut off, left out and let in,
 * lose folders, are given damaged files, are started again with other settings and another build, while processes write to them;
 * and what must be true in the end. `npm run chaos -- --minutes 30`; in the tests: chaos.test.ts.
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
import type { ToldWrite } from "./write.js";
import { WriterProcess } from "./writer-process.js";

/** Of those why writes were not acknowledged, so many are told. */
const REASONS_MOST = 8;
/** All daemons up again: so long they have to hold the same; some seconds where others leave them the processors. */
const LEVEL_MS = 300_000;
/** A comparison of states that are not written to any more. */
const COMPARED_MS = 180_000;

export interface ChaosOptions {
  readonly seed: number;
  /** It goes on for so long, and at least until everything has happened once. */
  readonly seconds: number;
  /** Faults of a round, before all have to be level again. */
  readonly roundMs: number;
  /** Processes that write. */
  readonly writers: number;
  /** dbsyncd of an older build, with which the daemons begin; null: there is none. */
  readonly old: string | null;
  /** Told what happens. */
  readonly say: (line: string) => void;
}

/** @throws Error  something is not as it must be */
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
  await using cluster = await Cluster.start(FOUNDERS + 1, FOUNDERS, { program: old ?? programPaths.dbsyncd });
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
  say(`the last look, ${elapsed()} s`);
  await cluster.level(LEVEL_MS);
  if (seconds > 0) await checkCompared(cluster);
  await checkList(cluster, operator.left);
  const state = await checkEqual(cluster, writes);
  const tally = checkWrites(writes, state, operator.erased);
  for (const reason of reasonsOf(writes)) say(reason);
  say(
    `${elapsed()} s; faults ${show({ ...lanes.counts, ...operator.counts })}; writes ${show(tally)}; ` +
      `${operator.deadLetters} dead letters, all written again; ${operator.damaged} damaged entries found; ` +
      `${operator.left.length} daemons left out; level after ${(slowest / 1000).toFixed(1)} s at most; ` +
      `load ${loadavg()[2]?.toFixed(1)}`,
  );
}

/** Waits for both also where one fails: what it says then would be of daemons that are gone. */
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
    get writes(): readonly ToldWrite[] {
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

/** No daemon has found that its state is another than the others'. */
async function checkAlarms(cluster: Cluster): Promise<void> {
  for (const { differing } of await cluster.statuses()) assert.equal(differing, 0, "states differ");
}

/** All states have been compared since the last write. */
async function checkCompared(cluster: Cluster): Promise<void> {
  const lastAt = Math.max(...(await cluster.statuses()).map(({ newest }) => newest));
  const compared = async () => (await cluster.statuses()).every((one) => one.compared >= lastAt);
  await cluster.trio.until("all states have been compared", compared, COMPARED_MS);
  await checkAlarms(cluster);
}

/** It names the daemons that are there, and none that was left out has come back. */
async function checkList(cluster: Cluster, left: readonly string[]): Promise<void> {
  const list = await cluster.list();
  assert.ok(list !== null, "there is one list");
  const ids = cluster.members.map((index) => cluster.idOf(index));
  assert.deepEqual([...list.members].sort(), ids.sort(), "the list names the daemons that are there");
  assert.deepEqual([...list.left].sort(), [...left].sort(), "the list leaves out those that were left out");
}

/** All daemons answer the same, and what their folders hold makes just that. Ends them. */
async function checkEqual(cluster: Cluster, writes: readonly ToldWrite[]): Promise<State> {
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
    assert.ok([...contents.keys()].join() === places, "the folders hold the same");
    folded ??= foldContents(contents);
    assert.deepEqual(states[number], folded, `state of seat ${index}`);
  }
  assert.ok(folded !== null);
  return folded;
}

/** Why writes were not acknowledged, the most frequent reasons first. */
function reasonsOf(writes: readonly ToldWrite[]): string[] {
  const counts = new Map<string, number>();
  for (const { told, why } of writes)
    if (why !== "") counts.set(`${told}: ${why}`, (counts.get(`${told}: ${why}`) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, REASONS_MOST);
  return sorted.map(([why, count]) => `${count} ${why}`);
}

const show = (counts: object) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

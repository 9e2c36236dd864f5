/**
 * Daemons that are killed, frozen, robbed of their folder and given damaged files while four processes write to them; and
 * what must be true in the end. `npm run chaos -- --minutes 30`; in the tests: crashes.test.ts.
 */
import assert from "node:assert/strict";
import { SeededRandom } from "../support/seeded-random.js";
import { Faults } from "./faults.js";
import { type Contents, readFolder } from "./folder-contents.js";
import { makeRound } from "./schedule.js";
import { foldContents, readState, type State } from "./state.js";
import { Trio } from "./trio.js";
import { checkWrites } from "./verdict.js";
import type { ToldWrite } from "./write.js";
import { WriterProcess } from "./writer-process.js";

const WRITERS = 4;
/** Of those why writes were not acknowledged, so many are told. */
const REASONS_MOST = 8;
/** About so long is a round of faults, with the levelling behind it. */
const ROUND_MS = 30_000;
const FAULTS_SHARE = 0.8;
/** All daemons up again: so long they have to hold the same; some seconds where others leave them the processors. */
const LEVEL_MS = 120_000;

export interface ChaosOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Told what happens. */
  readonly say: (line: string) => void;
}

/** @throws Error  something is not as it must be */
export async function runChaos({ seed, seconds, say }: ChaosOptions): Promise<void> {
  await using trio = await Trio.start();
  using writers = await startWriters(trio, seed);
  const faults = new Faults(trio);
  const startedAt = performance.now();
  const rounds = Math.max(1, Math.round((seconds * 1000) / ROUND_MS));
  const ms = (seconds * 1000 * FAULTS_SHARE) / rounds;
  for (let round = 0; round < rounds; round++) {
    await faults.run(
      makeRound(new SeededRandom(seed, 1, round), trio.ports.length, ms),
      performance.now() + ms,
    );
    await writers.pause();
    const took = await trio.level(LEVEL_MS);
    faults.levelled();
    const written = writers.writes.length;
    say(`round ${round + 1} of ${rounds}: ${written} writes; level again after ${Math.round(took)} ms`);
    if (round + 1 < rounds) writers.resume();
  }
  await writers.stop();
  const { writes } = writers;
  const state = await checkEqual(trio, writes);
  const tally = checkWrites(writes, state, faults.erased);
  assert.equal(faults.found, faults.damaged, "damaged entries were found by their daemons");
  for (const reason of reasonsOf(writes)) say(reason);
  const lasted = Math.round((performance.now() - startedAt) / 1000);
  say(
    `${lasted} s; faults ${show(faults.counts)}, ${faults.found} damaged entries found; writes ${show(tally)}`,
  );
}

async function startWriters(trio: Trio, seed: number) {
  const key = trio.app.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const processes = await Promise.all(
    Array.from({ length: WRITERS }, (_, writer) =>
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

/** All daemons answer the same, and what their folders hold makes just that. Ends them. */
async function checkEqual(trio: Trio, writes: readonly ToldWrite[]): Promise<State> {
  const states: State[] = [];
  for (const index of trio.ports.keys()) {
    await using client = trio.client([index]);
    states.push(await readState(client, writes));
  }
  await trio.endAll();
  const folders: Contents[] = [];
  for (const index of trio.ports.keys()) folders.push(await readFolder(trio.folder(index)));
  const [first] = folders as [Contents];
  for (const contents of folders) {
    assert.ok(
      [...contents.values()].every((entry) => entry !== null),
      "no entry is damaged",
    );
    assert.deepEqual([...contents.keys()], [...first.keys()], "the folders hold the same");
  }
  const folded = foldContents(first);
  for (const [index, state] of states.entries()) assert.deepEqual(state, folded, `state of daemon ${index}`);
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

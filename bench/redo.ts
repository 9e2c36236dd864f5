/**
 * The worst case of lateness: a hot key that one daemon has written to for long, and then another turns up with as many
 * writes in between. What that costs beside folding all of it once, in order, and how long others wait meanwhile.
 * `--smoke`: short, RESULTS.md stays.
 */

import { hashOf } from "../daemon/trust/identity.js";
import { readBody } from "../protocol/version-2/envelope.js";
import { Database } from "../store/database.js";
import type { Entry } from "../timeline/entries/entry.js";
import { readEntry, writeValue } from "../timeline/entries/stored-value.js";
import { Fold } from "../timeline/fold/fold.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { type Figures, figuresOf } from "./measure.js";
import { machine, report, table } from "./report.js";
import { Scene, stopAll } from "./timeline-daemons.js";
import { ringOf, type SignedEntry, signedEntries, writeFolders } from "./timeline-data.js";

const smoke = process.argv.includes("--smoke");
const LATE = smoke ? 2_000 : 100_000;
/** The tail reaches back to the first of them. */
const TAIL = ["--tail-seconds", "1h", "--max-tail-bytes", "1024MiB"];
const ENDED_MS_AGO = 5_000;
const LASTED_MS = 20 * 60_000;
const PING_EVERY_MS = 5;
const GOALS = { redo: 3, pingMs: 20 };

const scene = new Scene();

interface Found {
  readonly entries: readonly SignedEntry[];
  readonly seconds: number;
  /** Of the daemon that takes them. */
  readonly cpu: number;
  readonly redone: number;
  readonly pings: Figures;
}

async function main(): Promise<void> {
  const apart = await joined((number) => ["SET", `key:${number}`, String(number)]);
  const hot = await joined((number) => ["SET", "hot", String(number)]);
  report("redo", text(apart, hot, naiveSeconds(hot.entries)), smoke);
}

/** Every second entry is one daemon's, the others another's, until they meet. */
async function joined(command: (number: number) => readonly string[]): Promise<Found> {
  const [one, other] = [scene.newFolder(), scene.newFolder()];
  const entries: SignedEntry[] = [];
  const every = LASTED_MS / (2 * LATE);
  const from = Date.now() - ENDED_MS_AGO - LASTED_MS;
  for await (const entry of signedEntries(scene, { envelopes: 2 * LATE, size: 1, from, every, command }))
    entries.push(entry);
  await writeFolders([one, other], entries, (_, number) => [number % 2]);
  const { giver, taker } = await scene.pair(other, one, TAIL);
  try {
    await using client = scene.client([taker]);
    const pid = taker.process.pid as number;
    const before = cpuSeconds(pid);
    const startedAt = performance.now();
    const pinging = new Pinging(() => client.send("PING"));
    await scene.until(
      taker,
      (status) => status.entries >= 2 * LATE && status.waiting === 0 && status.state === "live",
    );
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = cpuSeconds(pid) - before;
    const pings = await pinging.end();
    const { redone } = await scene.status(taker);
    return { entries, seconds, cpu, redone, pings };
  } finally {
    await stopAll([taker, giver]);
  }
}

/** Calls at regular times, whether earlier ones have been answered or not; latency from when each is due. */
class Pinging {
  readonly #latencies: number[] = [];
  readonly #pending: Promise<void>[] = [];
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #dueAt = performance.now();

  constructor(call: () => Promise<unknown>) {
    this.#timer = setInterval(() => {
      for (const now = performance.now(); this.#dueAt <= now; this.#dueAt += PING_EVERY_MS) {
        const dueAt = this.#dueAt;
        this.#pending.push(call().then(() => void this.#latencies.push((performance.now() - dueAt) * 1000)));
      }
    }, PING_EVERY_MS);
  }

  async end(): Promise<Figures> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return figuresOf(this.#latencies, (performance.now() - this.#startedAt) / 1000);
  }
}

interface Naive {
  /** CPU seconds of applying all of them in order, once, to an empty database. */
  readonly applying: number;
  /** The same with reading them as they are stored, which folding anew does. */
  readonly reading: number;
}

function naiveSeconds(entries: readonly SignedEntry[]): Naive {
  const values = entries.map(({ body, signature }) => writeValue(body, signature));
  return {
    applying: folded(entries, ({ id, body, signature }) => ({
      id,
      body,
      signature,
      envelope: readBody(body),
    })),
    reading: folded(entries, (entry, i) => readEntry(entry, values[i] as Buffer, hashOf) as Entry),
  };
}

function folded(entries: readonly SignedEntry[], entryOf: (entry: SignedEntry, i: number) => Entry): number {
  const fold = new Fold({ database: new Database(), ring: ringOf(scene), cutAt: -1 });
  const before = process.cpuUsage();
  for (const [i, entry] of entries.entries()) fold.replay(entryOf(entry, i));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function text(apart: Found, hot: Found, { applying, reading }: Naive): string {
  const redo = Math.max(0, hot.cpu - apart.cpu);
  const met = (holds: boolean) => (holds ? "met" : "missed");
  const p999 = hot.pings.p999 / 1000;
  const row = (what: string, { cpu, seconds, redone, pings }: Found) => [
    ...[what, cpu.toFixed(2), seconds.toFixed(1), redone.toLocaleString("en")],
    ...[pings.p50, pings.p99, pings.p999, pings.max].map((micros) => (micros / 1000).toFixed(1)),
  ];
  return `## ${LATE.toLocaleString("en")} late envelopes on one hot key

${machine()} \`npm run bench\`. Two daemons with ${LATE.toLocaleString("en")} SETs each, one an envelope, in turn by date; then one becomes the
other's peer, and is sent a PING every ${PING_EVERY_MS} ms by this process. Level: it has stored and folded all.

${table(
  [
    ...["", "the daemon's CPU s", "level after, s", "units undone and done again"],
    ...["PING p50 ms", "p99 ms", "p99.9 ms", "slowest ms"],
  ],
  [row("a key for each SET: nothing to redo", apart), row("one key", hot)],
)}

A naive fold, which applies all of them once and in order: ${applying.toFixed(2)} s; with reading what is stored, as folding anew
does: ${reading.toFixed(2)} s. Redoing, the difference of the two CPU times: ${redo.toFixed(2)} s, ${(redo / applying).toFixed(1)} × and ${(redo / reading).toFixed(1)} ×
(goal: at most ${GOALS.redo} ×, ${met(redo <= GOALS.redo * applying)}). PING p99.9 on the hot key:
${p999.toFixed(1)} ms (goal: at most ${GOALS.pingMs} ms, ${met(p999 <= GOALS.pingMs)}).`;
}

try {
  await main();
} finally {
  scene[Symbol.dispose]();
}

/**
 * Runs rounds on clusters of 3, 4, 5 and 7 daemons with a member list, each round with a kind of fault, and checks that
 * the decided units of all clients are linearizable. `npm run chaos -- --rounds 32` and rounds.test.ts run it.
 */
import { cpSync, existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { PHP_FILE } from "../../examples/php-script.js";
import { env, PYTHON } from "../../python/running.js";
import { type DaemonOptions, startDaemon } from "../../support/daemon-process.js";
import { pause } from "../../support/pause.js";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { skipWithout } from "../../support/requirements.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { Cluster, OPTIONS } from "../chaos/cluster.js";
import {
  type Answer,
  ProgramContender,
  type Reader,
  RedisContender,
  SignedContender,
} from "../contenders.js";
import { readFolder } from "../folder-contents.js";
import { FAULT_KINDS, type FaultKind, Faults, SmallDisk } from "./faults.js";
import { Round } from "./round.js";

/** The numbers of daemons, one for each cluster in turn. Each cluster runs a round with each kind of fault. */
const SIZES = [3, 4, 5, 7] as const;
/** The share of clusters with the shortest window, in which positions are final early. */
const SHORT_WINDOWS = 0.3;
/** The timeout of a call in milliseconds. */
const CALL_MS = 4_000;
/** Milliseconds by which a wrong clock is ahead or behind. */
const OFF_MS = 20_000;
/** Milliseconds in which clients run before the faults, and after them. */
export const QUIET_MS = 500;
export const LEVEL_MS = 300_000;
/** The kinds of faults that fill a disk. */
export const FILLING: ReadonlySet<FaultKind> = new Set(["full disk", "all"]);

const clockOff = join(buildRoot, "test", "system", "programs", "clock-off.js");

/** Returns how the daemon at a seat starts, so that its clock can be wrong for some time. */
export const withClockOff = (seat: number): DaemonOptions => ({
  program: clockOff,
  env: { CLOCK_OFF_MS: String(seat % 2 === 0 ? OFF_MS : -OFF_MS), CLOCK_IS_RIGHT: "1" },
});

export interface RoundsOptions {
  readonly seed: number;
  /** The number of rounds. */
  readonly rounds: number;
  /** Milliseconds of faults in a round. */
  readonly roundMs: number;
  readonly kinds?: readonly FaultKind[];
  readonly sizes?: readonly number[];
  /** The number of sidecars; default: 2. */
  readonly sidecars?: number;
  /** Receives a line for each round, and the summary. */
  readonly say: (line: string) => void;
}

type Counts = Record<Answer, number> & {
  rounds: number;
  unknownApplied: number;
  readonly happened: Map<string, number>;
};

/** Runs the rounds. @throws Error if a history is not linearizable, or the daemons do not become equal */
export async function runRounds({
  seed,
  rounds,
  roundMs,
  say,
  kinds = FAULT_KINDS,
  sizes = SIZES,
  sidecars = 2,
}: RoundsOptions): Promise<void> {
  const tally = new Map<string, Counts>();
  for (let done = 0; done < rounds; ) {
    const number = Math.floor(done / kinds.length);
    const count = Math.min(kinds.length, rounds - done);
    const size = sizes[number % sizes.length] as number;
    await runCluster({ seed, number, size, kinds: kinds.slice(0, count), roundMs, say, tally, sidecars });
    done += count;
  }
  for (const line of tableOf(tally)) say(line);
  say(
    `load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
}

interface ClusterRun {
  readonly seed: number;
  readonly number: number;
  readonly size: number;
  readonly kinds: readonly FaultKind[];
  readonly roundMs: number;
  readonly say: (line: string) => void;
  readonly tally: Map<string, Counts>;
  readonly sidecars: number;
}

async function runCluster({
  seed,
  number,
  size,
  kinds,
  roundMs,
  say,
  tally,
  sidecars,
}: ClusterRun): Promise<void> {
  const random = new SeededRandom(seed, 60, number);
  const args = random.chance(SHORT_WINDOWS) ? OPTIONS : [];
  await using cluster = await Cluster.start(size + 1, size, withClockOff, args);
  const seat = random.below(size);
  using disk = kinds.some((kind) => FILLING.has(kind)) ? await SmallDisk.of(cluster, seat) : null;
  await using clients = await Clients.open(cluster, size, sidecars);
  say(`cluster ${number}: ${size} daemons${args.length > 0 ? `, ${args.join(" ")}` : ""}`);

  for (const kind of random.shuffled(kinds)) {
    const round = new Round(`${number}:${kind.replaceAll(" ", "-")}`, random);
    const faults = new Faults(cluster, size, disk, random);
    const startedAt = performance.now();
    try {
      const problems = await runRound(cluster, clients, round, () => faults.run(kind, roundMs));
      if (problems.length > 0) throw new Error(problems.join("\n"));
    } catch (problem) {
      const kept = keep(cluster, round);
      const where = `seed ${seed}, cluster ${number} (${size} daemons), ${kind}; copies in ${kept}`;
      throw new Error(`${where}\n${(problem as Error).stack}`, { cause: problem });
    }

    addTo(tally, `${kind}`, round, faults);
    addTo(tally, `${size} daemons`, round, faults);
    const { applied, nil, refused, unknown } = round.counts;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(
      `  ${kind} (${[...faults.counts].map(([what, count]) => `${count} ${what}`).join(", ")}): ${applied} applied, ${nil} nil, ${refused} refused, ${unknown} unknown of which ${round.unknownApplied} seen in the log; ${seconds} s, load ${loadavg()[0]?.toFixed(1)}`,
    );
  }

  for (const [reason, count] of clients.reasons) say(`  ${count} × ${reason}`);
}

/** Runs one round. @returns what contradicts the answers */
async function runRound(
  cluster: Cluster,
  { readers }: Clients,
  round: Round,
  happen: () => Promise<void>,
): Promise<string[]> {
  const startedAt = Date.now();
  const work = readers.map((reader) => round.run(reader));
  try {
    await pause(QUIET_MS);
    await happen();
    await pause(QUIET_MS);
  } finally {
    round.isOver = true;
    await Promise.all(work);
  }
  await cluster.level(LEVEL_MS);
  for (const index of cluster.members) {
    await using client = cluster.trio.client([index]);
    for (const key of round.keys)
      round.observe(String(index), key, await client.call<string | null>(["GET", key]));
  }
  const [first = 0] = cluster.members;
  return round.problems(await readFolder(cluster.trio.folder(first), startedAt - 2 * OFF_MS));
}

/** The clients of a cluster, of several kinds. */
class Clients implements AsyncDisposable {
  readonly readers: Reader[] = [];
  /** Why units were not acknowledged. */
  readonly reasons = new Map<string, number>();
  readonly #closing: (() => unknown)[] = [];

  /** @param founders  the number of seats that clients know */
  static async open(cluster: Cluster, founders: number, sidecars: number): Promise<Clients> {
    const clients = new Clients();
    try {
      await clients.#open(cluster, founders, sidecars);
    } catch (problem) {
      await clients[Symbol.asyncDispose]();
      throw problem;
    }
    return clients;
  }

  async #open(cluster: Cluster, founders: number, sidecars: number): Promise<void> {
    const { trio } = cluster;
    const seats = [...Array(founders).keys()];

    const failed = (message: string) => {
      const text = message.replaceAll(/127\.0\.0\.1:\d+/g, "a daemon").slice(0, 200);
      this.reasons.set(text, (this.reasons.get(text) ?? 0) + 1);
    };

    for (const [name, some] of [
      ["client of all", seats],
      ["client of all in reverse", seats.toReversed()],
      ["client of one", [founders - 1]],
    ] as const) {
      const client = trio.client(some, { timeout: CALL_MS });
      this.#closing.push(() => client.close());
      this.readers.push(new SignedContender(name, client, failed));
    }

    const servers = seats.map((seat) => trio.servers[seat]).join();
    for (let number = 0; number < sidecars; number++) {
      const sidecar = await startDaemon([
        "-d",
        `dbsync:${servers}`,
        "--key",
        cluster.keyFile("app"),
        "--resp",
        "0",
      ]);
      this.#closing.push(() => sidecar[Symbol.asyncDispose]());
      const redis = new Redis({ port: await sidecar.portOf("Redis clients"), maxRetriesPerRequest: null });
      redis.on("error", () => {});
      this.#closing.push(() => redis.disconnect());
      this.readers.push(new RedisContender(`sidecar ${number}`, redis, failed));
    }

    for (const contender of programsOf(cluster, servers, failed)) {
      this.#closing.push(() => contender[Symbol.dispose]());
      this.readers.push(contender);
    }

    // A client requests decisions once a daemon that decides has greeted it.
    for (const reader of this.readers) {
      const isConnected = async () =>
        reader.hasIf
          ? (await reader.read("nothing")) !== undefined
          : (await reader.setAbsent("connected", "yes", CALL_MS)) !== "unknown";
      await trio.until(`${reader.name} is connected`, isConnected);
    }
    this.reasons.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.toReversed()) await close();
  }
}

/** Starts the clients of other languages that are installed. @param servers  the addresses of the daemons */
function programsOf(
  cluster: Cluster,
  servers: string,
  failed: (message: string) => void,
): ProgramContender[] {
  const programs = join(repositoryRoot, "test", "system", "programs");
  const args = [servers, cluster.keyFile("app"), String(CALL_MS / 1000)] as const;
  const contenders: ProgramContender[] = [];
  if (skipWithout(PYTHON) === false) {
    const program = [PYTHON, join(programs, "contender.py"), ...args] as const;
    contenders.push(new ProgramContender("Python", program, failed, { env }));
  }
  if (skipWithout("php") === false) {
    const program = ["php", join(programs, "contender.php"), PHP_FILE, ...args] as const;
    contenders.push(new ProgramContender("PHP", program, failed, { hasIf: false }));
  }
  return contenders;
}

function addTo(
  tally: Map<string, Counts>,
  row: string,
  { counts, unknownApplied }: Round,
  faults: Faults,
): void {
  const sum = tally.get(row) ?? {
    rounds: 0,
    applied: 0,
    nil: 0,
    refused: 0,
    unknown: 0,
    unknownApplied: 0,
    happened: new Map(),
  };
  tally.set(row, sum);
  sum.rounds++;
  sum.unknownApplied += unknownApplied;
  for (const answer of ["applied", "nil", "refused", "unknown"] as const) sum[answer] += counts[answer];
  for (const [what, count] of faults.counts) sum.happened.set(what, (sum.happened.get(what) ?? 0) + count);
}

function* tableOf(tally: ReadonlyMap<string, Counts>): Generator<string> {
  yield "| | rounds | units | applied | nil | refused | unknown | share | took effect | faults |";
  yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";
  for (const [row, { rounds, applied, nil, refused, unknown, unknownApplied, happened }] of tally) {
    const units = applied + nil + refused + unknown;
    const share = ((100 * unknown) / Math.max(1, units)).toFixed(2);
    const faults = [...happened].map(([what, count]) => `${count} ${what}`).join(", ");
    yield `| ${row} | ${rounds} | ${units} | ${applied} | ${nil} | ${refused} | ${unknown} | ${share} % | ${unknownApplied} | ${faults} |`;
  }
}

/** Copies the histories, the logs and the folders of a round that has failed. @returns the folder of the copies */
export function keep({ trio }: Cluster, { histories }: Pick<Round, "histories">): string {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-kept-"));
  writeFileSync(join(folder, "histories.json"), JSON.stringify([...histories], null, 1));
  for (const index of trio.runningIndices) {
    writeFileSync(
      join(folder, `${index}.log`),
      trio
        .daemon(index)
        .log.map((line) => JSON.stringify(line))
        .join("\n"),
    );
    // A folder is missing if a round has ended while its daemon was replaced.
    if (!existsSync(trio.folder(index))) continue;
    cpSync(trio.folder(index), join(folder, String(index)), { recursive: true, dereference: true });
  }
  return folder;
}

/**
 * Runs rounds on clusters of daemons that all take the writes of unmodified clients. The keys match patterns on whose
 * writes the members decide, so the histories of all commands must be linearizable. `npm run chaos -- --rounds 200
 * --decided-keys` and plain-rounds.test.ts run it.
 */
import assert from "node:assert/strict";
import { loadavg } from "node:os";
import { freePort } from "../../../support/free-port.js";
import { pause } from "../../../support/pause.js";
import { RedisConnection, type RedisValue } from "../../../support/redis-connection.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { until } from "../../../support/until.js";
import { Cluster, OPTIONS } from "../../chaos/cluster.js";
import { FAULT_KINDS, type FaultKind, Faults, SmallDisk } from "../faults.js";
import { FILLING, keep, LEVEL_MS, QUIET_MS, type RoundsOptions, withClockOff } from "../rounds.js";
import { COLLECTION, DATABASE, type PlainClient, PlainMemcached, PlainMongo, PlainRedis } from "./clients.js";
import { READS } from "./commands.js";
import { PassingPatterns } from "./passing-patterns.js";
import { PlainRound } from "./plain-round.js";

/** The numbers of daemons, one for each cluster in turn. */
const SIZES = [3, 3, 4, 5] as const;
/** The patterns that remain. */
const PATTERNS = ["d:*", `mongo:${DATABASE}.${COLLECTION}`];
/** The number of daemons that have a client of each kind. */
const SEATS_WITH_CLIENTS = 3;

/** Runs the rounds. @throws Error if a history is not linearizable, or the daemons do not become equal */
export async function runPlainRounds({
  seed,
  rounds,
  roundMs,
  say,
  kinds = FAULT_KINDS,
  sizes = SIZES,
}: RoundsOptions): Promise<void> {
  let answers = 0;
  for (let done = 0; done < rounds; ) {
    const number = Math.floor(done / kinds.length);
    const some = kinds.slice(0, Math.min(kinds.length, rounds - done));
    const size = sizes[number % sizes.length] as number;
    answers += await runCluster({ seed, number, size, kinds: some, roundMs, say });
    done += some.length;
  }
  say(`${rounds} rounds, ${answers} answers, 0 violations`);
}

interface ClusterRun extends Pick<RoundsOptions, "seed" | "roundMs" | "say"> {
  readonly number: number;
  readonly size: number;
  readonly kinds: readonly FaultKind[];
}

/** @returns the number of answers */
async function runCluster({ seed, number, size, kinds, roundMs, say }: ClusterRun): Promise<number> {
  const random = new SeededRandom(seed, 61, number);
  const ports = await Promise.all(Array.from({ length: size + 1 }, () => portsOfSeat()));
  const args = (seat: number) => [
    ...OPTIONS,
    ...Object.entries(ports[seat] as Ports).flatMap(([option, port]) => [`--${option}`, String(port)]),
  ];

  await using cluster = await Cluster.start(size + 1, size, withClockOff, args);
  await using patterns = new PassingPatterns(cluster, new SeededRandom(seed, 62, number));
  patterns.start();
  await patterns.announce(PATTERNS);
  using disk = kinds.some((kind) => FILLING.has(kind))
    ? await SmallDisk.of(cluster, random.below(size))
    : null;

  const clients = random
    .shuffled([...Array(size).keys()])
    .slice(0, SEATS_WITH_CLIENTS)
    .flatMap((seat) => clientsOf(seat, ports[seat] as Ports));
  using _ = { [Symbol.dispose]: () => clients.forEach((client) => void client[Symbol.dispose]()) };

  say(`cluster ${number}: ${size} daemons`);
  const reasons = new Map<string, number>();
  let answers = 0;

  for (const kind of random.shuffled(kinds)) {
    const folderOf = (seat: number) => cluster.completeFolder(seat);
    const parts = { epoch: () => patterns.epoch(), folderOf, reasons };
    const round = new PlainRound(
      `${number}:${kind.replaceAll(" ", "-")}`.replaceAll(":", "-"),
      random,
      parts,
    );

    const faults = new Faults(cluster, size, disk, random);
    const startedAt = performance.now();
    try {
      const problems = await runRound(cluster, clients, round, {
        ports,
        happen: () => faults.run(kind, roundMs),
      });
      if (problems.length > 0) throw new Error(problems.join("\n"));
      if (kind === "none") assertEachAnswered(clients, round);
    } catch (problem) {
      const kept = keep(cluster, round);
      const where = `seed ${seed}, cluster ${number} (${size} daemons), ${kind} (${happened(faults)}); copies in ${kept}`;
      throw new Error(`${where}\n${(problem as Error).stack}`, { cause: problem });
    }

    const { answer, refused, unknown, unsent } = round.counts;
    answers += answer;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(
      `  ${kind} (${happened(faults)}): ${answer} answers (${round.passing} on passing keys), ${refused} refused, ${unknown} unknown, ${unsent} not sent; ${seconds} s, load ${loadavg()[0]?.toFixed(1)}`,
    );
  }

  const { begun, removed } = patterns.counts;
  say(`  ${begun} patterns begun, ${removed} removed`);
  for (const [reason, count] of reasons) say(`  ${count} × ${reason}`);
  return answers;
}

/** Asserts that a round without faults has checked answers to the clients of each kind. */
function assertEachAnswered(clients: readonly PlainClient[], { answered }: PlainRound): void {
  const withoutAnswer = clients.filter(
    (client) =>
      !clients.some((other) => other.constructor === client.constructor && answered.has(other.name)),
  );
  assert.deepEqual(
    withoutAnswer.map(({ name }) => name),
    [],
    "no daemon answers these clients, although there is no fault",
  );
}

const happened = ({ counts }: Faults): string =>
  [...counts].map(([what, count]) => `${count} ${what}`).join(", ");

/** The port of each listener, which remains the same after a restart. */
type Ports = Readonly<Record<"resp" | "memcached" | "mongo", number>>;

const portsOfSeat = async (): Promise<Ports> => ({
  resp: await freePort(),
  memcached: await freePort(),
  mongo: await freePort(),
});

const clientsOf = (seat: number, { resp, memcached, mongo }: Ports): readonly PlainClient[] => [
  new PlainRedis(seat, resp),
  new PlainRedis(seat, resp),
  new PlainMemcached(seat, memcached),
  new PlainMongo(seat, mongo),
];

/** Runs one round. @returns what contradicts the answers */
async function runRound(
  cluster: Cluster,
  clients: readonly PlainClient[],
  round: PlainRound,
  { ports, happen }: { readonly ports: readonly Ports[]; readonly happen: () => Promise<void> },
): Promise<string[]> {
  const work = clients.map((client) => round.run(client));
  try {
    await pause(QUIET_MS);
    await happen();
    await pause(QUIET_MS);
  } finally {
    round.isOver = true;
    await Promise.all(work);
  }

  await cluster.level(LEVEL_MS);
  const problems: string[] = [];
  for (const seat of cluster.members) {
    const observed = async () => {
      problems.push(...(await observe(seat, ports[seat] as Ports, round)));
      return true;
    };
    // A busy machine may stop a daemon for so long that it compares itself with its peers again before it answers.
    await until(`daemon ${seat} returns its values`, observed, { ms: LEVEL_MS, mayFail: true });
  }
  return [...problems, ...round.problems()];
}

/** Records the values that a daemon has after the round. @returns why its streams contradict the answers */
async function observe(seat: number, { resp, mongo }: Ports, round: PlainRound): Promise<string[]> {
  using connection = await RedisConnection.open(resp);
  using documents = new PlainMongo(seat, mongo, LEVEL_MS);

  const call = async (argv: readonly string[]): Promise<RedisValue> => {
    const value = await connection.value(...argv);
    if (value instanceof Error) throw value;
    return value;
  };

  const problems: string[] = [];
  for (const { key, kind } of round.lasting) {
    const read = READS[kind];
    if (kind === "document") round.observe(seat, key, await documents.read(key));
    else if (read !== undefined) round.observe(seat, key, read.valueOf(await call(read.argv(key))));
    else {
      const entries = (await call(["XRANGE", key, "-", "+"])) as [string, string[]][];
      const problem = round.streamProblem(
        seat,
        key,
        entries.map(([id]) => id),
      );
      if (problem !== null) problems.push(problem);
    }
  }
  return problems;
}

/**
 * Tests unmodified libraries for locks and limits whose scripts write decided keys, with a client at each of three
 * daemons that all take writes: each lock has one owner, who alone can release it, and limits are exact. The same tests
 * at one daemon, which runs scripts in order, show that the tests themselves are right.
 * DBSYNC_SCENARIO_RUNS chooses the number of rounds.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PATIENT } from "../support/active-cluster.js";
import { amount, isFull, skipUnlessFull } from "../support/amount.js";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { BUSY_PATTERNS, decideOn } from "../support/decided-patterns.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { LineProgram } from "./line-program.js";
import type { Served } from "./servers.js";

const npm = join(repositoryRoot, "test", "libraries", "npm");
const isInstalled = existsSync(join(npm, "node_modules", "rate-limit-redis"));
const npmSkip = isInstalled ? false : "test/libraries/npm is not installed";

const ROUNDS = Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? amount(3, 20));
const CALLS = Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? amount(30, 200));
const CLIENTS = [0, 1, 2] as const;
/** The libraries' keys: those of Django begin with a prefix and a version, and Symfony tests what a server can. */
const PATTERNS = ["lock:*", ":1:lock:*", "limit:*", "symfony_check_support_time"];

let trio: Trio;

/** Servers for three clients. */
interface Place {
  readonly name: string;
  readonly skip: string | false;
  /** Starts the servers. @returns the server of each client, with its port */
  readonly start: () => Promise<readonly Served[]>;
}

const portOf = (daemon: DaemonHere) => daemon.portOf("Redis clients");
const served = async (daemon: DaemonHere): Promise<Served> => ({
  port: await portOf(daemon),
  [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
});

const PLACES: readonly Place[] = [
  {
    name: "one daemon",
    skip: skipUnlessFull,
    async start() {
      const daemon = await served(await startDaemonHere(["--resp", "0"]));
      return [
        daemon,
        ...CLIENTS.slice(1).map(() => ({ port: daemon.port, async [Symbol.asyncDispose]() {} })),
      ];
    },
  },
  {
    name: "three daemons",
    skip: false,
    // The trio ends its daemons.
    start: () =>
      Promise.all(
        CLIENTS.map(async (index) => ({
          port: await portOf(trio.daemon(index)),
          async [Symbol.asyncDispose]() {},
        })),
      ),
  },
  {
    name: "sidecars of three daemons",
    skip: skipUnlessFull,
    async start() {
      using folder = new ScratchFolder();
      const key = folder.privateKey(trio.app);
      // A busy machine runs no script in time otherwise, which the sidecar then refuses.
      const start = () => startSidecar(key, trio.servers, ["--resp", "0", "--backend-timeout", "20s"]);
      return await Promise.all(CLIENTS.map(async () => served(await start())));
    },
  },
];

before(async () => {
  trio = await Trio.start(["--resp", "0", ...BUSY_PATTERNS, ...PATIENT], CLIENTS.length, {
    keys: "app",
    areHere: true,
  });
  await decideOn(trio, PATTERNS);
});
after(() => trio?.[Symbol.asyncDispose]());

interface Library {
  readonly name: string;
  readonly program: readonly [program: string, file: string, ...args: string[]];
  readonly skip: string | false;
  /** Whether each client uses all ports. Such clients need independent servers, and get no lock of one state. */
  readonly usesAll?: true;
}

const PYTHON = ["/usr/bin/python3", "python/lock_clients.py"] as const;
const PHP = ["php", "php/lock_clients.php"] as const;
const NODE = [process.execPath, "npm/lock-clients.mjs"] as const;
const debianSkip = (...names: readonly string[]) =>
  skipUnlessFull || names.map((name) => skipWithout(name)).find((reason) => reason !== false) || false;
const LARAVEL = debianSkip("php-illuminate-cache", "php-redis", "php-nrk-predis");
const SYMFONY = debianSkip("php-symfony-lock", "php-redis", "php-nrk-predis");

const LIBRARIES: readonly Library[] = [
  { name: "redlock", program: [...NODE, "redlock"], skip: npmSkip },
  {
    name: "redlock with three addresses",
    program: [...NODE, "redlock"],
    skip: npmSkip || skipUnlessFull,
    usesAll: true,
  },
  { name: "redis-py's Lock", program: [...PYTHON, "redis-py"], skip: debianSkip("python3-redis") },
  { name: "django-redis", program: [...PYTHON, "django-redis"], skip: debianSkip("python3-django-redis") },
  { name: "Laravel with phpredis", program: [...PHP, "Laravel", "phpredis"], skip: LARAVEL },
  { name: "Laravel with predis", program: [...PHP, "Laravel", "predis"], skip: LARAVEL },
  { name: "Symfony with phpredis", program: [...PHP, "Symfony", "phpredis"], skip: SYMFONY },
  { name: "Symfony with predis", program: [...PHP, "Symfony", "predis"], skip: SYMFONY },
];

/** A refused call, or one whose effect is unknown because no majority of the members answered in time. */
interface Refusal {
  readonly error: string;
}
type Answer = boolean | Refusal;

const send = async (client: LineProgram, line: string): Promise<Answer> =>
  JSON.parse(await client.call(line)) as Answer;

const isRefusal = (answer: Answer | number | undefined): answer is Refusal => typeof answer === "object";

/**
 * Runs a round: the clients contend for a lock, others try to release it, and its owner releases it.
 * @returns the number of owners, or the first refusal. The lock may then still have an owner
 */
async function contend(clients: readonly LineProgram[], name: string): Promise<number | Refusal> {
  const answers = await Promise.all(clients.map((client) => send(client, `acquire ${name}`)));
  const owners = clients.filter((_, index) => answers[index] === true);
  const [owner] = owners;
  if (owners.length > 1) return owners.length;
  const refusal = answers.find(isRefusal);
  if (refusal !== undefined) return refusal;
  if (owner === undefined) return 0;

  const attempts = await Promise.all(
    clients.filter((client) => client !== owner).map((other) => takeAway(other, name)),
  );
  const unknown = attempts.find((attempt) => attempt !== null);
  if (unknown !== undefined) return unknown;

  const released = await send(owner, `release ${name}`);
  if (isRefusal(released)) return released;
  assert.equal(released, true);
  // The release takes effect at each server before it is answered, or the next round has no owner.
  return 1;
}

/** Tries to release a lock that another client has acquired, and to acquire it. @returns the refusal, or null */
async function takeAway(client: LineProgram, name: string): Promise<Refusal | null> {
  for (const call of ["steal", "acquire"]) {
    const answer = await send(client, `${call} ${name}`);
    if (isRefusal(answer)) return answer;
    assert.equal(answer, false, `another client than the owner could ${call} the lock`);
  }
  return null;
}

/** Waits until no client is refused. @param name  a lock that no round uses */
async function untilAnswered(clients: readonly LineProgram[], name: string): Promise<void> {
  await until("the servers answer each client", async () => {
    const answers = await Promise.all(clients.map((client) => send(client, `acquire ${name}`)));
    return !answers.some(isRefusal);
  });
}

function startClients({ program: [program, file, ...args], usesAll }: Library, ports: readonly number[]) {
  return Promise.all(
    CLIENTS.map((index) => {
      const own = usesAll === true ? ports : [ports[index]];
      return LineProgram.start(program, file, [...args, ...own.map(String)]);
    }),
  );
}

for (const place of PLACES)
  describe(`at ${place.name}`, { skip: place.skip, concurrency: isFull }, () => {
    let servers: readonly Served[] = [];
    let ports: readonly number[];
    before(async () => {
      servers = await place.start();
      ports = servers.map(({ port }) => port);
    });
    after(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

    for (const library of LIBRARIES)
      test(`each lock of ${library.name} has one owner`, { skip: library.skip }, async (t) => {
        const clients = await startClients(library, ports);
        const counts = new Map<number, number>();
        const refusals: string[] = [];

        try {
          for (let round = 0; round < ROUNDS; ) {
            // Two rounds use each lock, so that the second one needs the release; none does after a refusal.
            const name = `lock:${library.name.replaceAll(" ", "-")}:${round >> 1}:${refusals.length}`;
            const owners = await contend(clients, name);

            if (isRefusal(owners)) {
              // A busy machine suspends daemons for longer than a decision may take.
              refusals.push(owners.error);
              assert.ok(refusals.length <= ROUNDS, `too many refusals, the last one: ${owners.error}`);
              await untilAnswered(clients, `${name}:answered`);
              continue;
            }

            round++;
            counts.set(owners, (counts.get(owners) ?? 0) + 1);
          }
        } finally {
          for (const client of clients) await client[Symbol.asyncDispose]();
        }

        t.diagnostic(`refusals: ${refusals.length} ${[...new Set(refusals)].join("; ")}`);
        t.diagnostic(`rounds by the number of owners: ${JSON.stringify([...counts])}`);
        if (library.usesAll === true)
          assert.deepEqual(
            [...counts.keys()].filter((owners) => owners > 1),
            [],
          );
        else assert.deepEqual([...counts], [[1, ROUNDS]]);
      });

    test("limiters count each call, and admit as many as they should", { skip: npmSkip }, async (t) => {
      const args = [join(npm, "limiter-calls.mjs"), String(CALLS), ...ports.map(String)];
      const ended = await run(process.execPath, args, {});
      assert.equal(ended.code, 0, ended.stdout + ended.stderr);
      t.diagnostic(ended.stdout.trim());
      for (const [name, figures] of Object.entries(JSON.parse(ended.stdout) as Record<string, object>)) {
        const limit = Math.ceil(CALLS / 2);
        const expected = { admitted: limit, limit, answered: CALLS, counts: CALLS, errors: [] };
        assert.deepEqual(figures, expected, name);
      }
    });
  });

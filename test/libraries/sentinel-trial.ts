/**
 * Clients of sentinels through faults of their servers: what they were acknowledged and what of it was lost, the
 * slowest call, and the failed calls.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { kill, killedAtExit } from "../support/child-process.js";
import { repositoryRoot } from "../support/repository.js";
import { inTime, until } from "../support/until.js";
import type { SentinelPair } from "./sentinel-pairs.js";

const folder = join(repositoryRoot, "test", "libraries");

/** The programs: they increment fields, and the first one also adds and does jobs. */
export const CLIENTS = {
  "ioredis and BullMQ": { command: [process.execPath, "npm/sentinel-client.mjs"], hasJobs: true },
  "redis-py": { command: ["/usr/bin/python3", "python/sentinel_increments.py"], hasJobs: false },
} as const;
export type ClientName = keyof typeof CLIENTS;

type Kind = "incremented" | "added";

/** A line of the program. */
interface Line {
  readonly incremented?: number;
  readonly added?: number;
  readonly did?: number;
  readonly failed?: Kind;
  readonly error?: string;
  readonly ms?: number;
}

/** What happened during one event. */
export interface EventFigures {
  readonly event: string;
  readonly increments: number;
  readonly jobs: number;
  readonly lostIncrements: number;
  readonly lostJobs: number;
  /** Increments that took effect more often than once, and jobs that were done more often. */
  readonly repeated: number;
  readonly slowestMs: number;
  /** The failed calls, by error. */
  readonly failed: Readonly<Record<string, number>>;
}

/** The last bytes of a program's error output, and its last lines, that an error message contains. */
const STDERR_MAX = 1_000;
const LINES_MAX = 5;

class SentinelClient implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly done: Record<Kind, number> = { incremented: 0, added: 0 };
  /** How often each job was done, by number. */
  readonly did = new Map<number, number>();
  readonly #child: ChildProcess;
  readonly #hasJobs: boolean;
  #stderr = "";

  constructor(name: ClientName, { masterName, sentinelPorts }: SentinelPair) {
    const { command, hasJobs } = CLIENTS[name];
    this.#hasJobs = hasJobs;
    const [program, path] = command;
    const args = [join(folder, path), masterName, ...sentinelPorts.map(String)];
    this.#child = killedAtExit(spawn(program, args, { stdio: "pipe" }));
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-STDERR_MAX);
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      if (line.did !== undefined) this.did.set(line.did, (this.did.get(line.did) ?? 0) + 1);
      else this.lines.push(line);
      if (line.incremented !== undefined) this.done.incremented++;
      if (line.added !== undefined) this.done.added++;
    });
  }

  /** Waits until further calls of each kind have succeeded. @param since  the calls to begin from */
  async goesOn(why: string, calls: number, since = { ...this.done }): Promise<void> {
    await until(
      () => `calls succeed: ${why}; ${this.#state}`,
      () => {
        const { exitCode, signalCode } = this.#child;
        if (exitCode !== null || signalCode !== null)
          throw new Error(`the program has ended: ${why}; ${this.#state}`);
        return (
          this.done.incremented >= since.incremented + calls &&
          (!this.#hasJobs || this.done.added >= since.added + calls)
        );
      },
    );
  }

  /** Makes no further calls until `check` has ended. */
  async whilePaused(check: () => Promise<unknown>): Promise<void> {
    this.#child.stdin?.write("pause\n");
    await check();
    this.#child.stdin?.write("continue\n");
  }

  /** Ends the calls, and waits until the worker has done the jobs. */
  async end(): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await inTime(() => `the program does not end: ${this.#state}`, closed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kill(this.#child);
  }

  /** What the program has done and printed last, for error messages. */
  get #state(): string {
    return JSON.stringify({
      done: this.done,
      last: this.lines.slice(-LINES_MAX),
      stderr: this.#stderr,
    });
  }
}

/** An event of the servers. */
interface TrialEvent {
  readonly name: string;
  /**
   * @param goesOn  waits until further calls of each kind have succeeded
   * @param catchUp  waits until both servers have the same data, without further calls meanwhile
   */
  readonly run: (
    pair: SentinelPair,
    goesOn: () => Promise<void>,
    catchUp: () => Promise<void>,
  ) => Promise<void>;
}

export const EVENTS: readonly TrialEvent[] = [
  {
    name: "`kill -9` of the named server",
    run: async (pair, goesOn) => {
      const index = await pair.named();
      await pair.end(index, "SIGKILL");
      await goesOn();
      await pair.start(index);
    },
  },
  {
    name: "its restart",
    run: async (pair) => {
      const index = await pair.named();
      await pair.end(index, "SIGTERM");
      await pair.start(index);
    },
  },
  {
    name: "`SIGSTOP` of the named server",
    run: async (pair, goesOn) => {
      const index = await pair.named();
      pair.hang(index);
      await goesOn();
      await pair.resume(index);
    },
  },
  {
    name: "a cut between the servers",
    run: async (pair, goesOn, catchUp) => {
      await pair.setApart(true);
      await goesOn();
      await pair.setApart(false);
      await catchUp();
    },
  },
  {
    name: "a rolling upgrade",
    run: async (pair, _goesOn, catchUp) => {
      const first = 1 - (await pair.named());
      for (const index of [first, 1 - first]) {
        await pair.release(index);
        await pair.end(index, "SIGTERM");
        await pair.start(index);
        // The next server follows when this one has everything.
        await catchUp();
      }
    },
  },
  {
    name: "`kill -9` during a cut",
    run: async (pair, goesOn) => {
      const index = await pair.named();
      await pair.setApart(true);
      await goesOn();
      await pair.end(index, "SIGKILL");
      await goesOn();
      await pair.setApart(false);
      await pair.start(index);
    },
  },
];

interface TrialOptions {
  readonly client: ClientName;
  readonly events: readonly TrialEvent[];
  /** The number of successful calls of each kind per event. */
  readonly calls: number;
}

/** Runs a client through events, one after the other. @returns what happened during each one */
export async function runTrial(
  pair: SentinelPair,
  { client: name, events, calls }: TrialOptions,
): Promise<readonly EventFigures[]> {
  await using client = new SentinelClient(name, pair);
  const quarter = Math.ceil(calls / 4);
  await client.goesOn("the start", 1);
  const ends: number[] = [client.lines.length];
  for (const event of events) {
    const since = { ...client.done };
    await client.goesOn(`before ${event.name}`, quarter);
    await event.run(
      pair,
      () => client.goesOn(`during ${event.name}`, quarter),
      () => client.whilePaused(() => pair.fields("none")),
    );
    await client.goesOn(event.name, calls, since);
    ends.push(client.lines.length);
  }

  await client.end();
  const servers = await pair.fields("increments");
  return events.map((event, index) =>
    figuresOf(event.name, client.lines.slice(ends[index], ends[index + 1]), servers, client.did),
  );
}

function figuresOf(
  event: string,
  lines: readonly Line[],
  servers: readonly ReadonlyMap<string, number>[],
  did: ReadonlyMap<number, number>,
): EventFigures {
  const increments = lines.flatMap(({ incremented = [] }) => incremented);
  const jobs = lines.flatMap(({ added = [] }) => added);
  const timesAt = (fields: ReadonlyMap<string, number>, number: number) => fields.get(String(number)) ?? 0;
  const failed: Record<string, number> = {};
  for (const { error } of lines) if (error !== undefined) failed[error] = (failed[error] ?? 0) + 1;
  return {
    event,
    increments: increments.length,
    jobs: jobs.length,
    lostIncrements: increments.filter((number) => servers.some((fields) => timesAt(fields, number) === 0))
      .length,
    lostJobs: jobs.filter((number) => !did.has(number)).length,
    repeated:
      increments.filter((number) => servers.some((fields) => timesAt(fields, number) > 1)).length +
      jobs.filter((number) => (did.get(number) ?? 0) > 1).length,
    slowestMs: Math.max(0, ...lines.map(({ ms = 0 }) => ms)),
    failed,
  };
}

/** Followers of streams at several daemons, and clients that add entries at all of them. */

import { pause } from "../support/pause.js";
import { RedisConnection, type RedisValue } from "../support/redis-connection.js";
import { inTime, nextTurn, until } from "../support/until.js";

/** The stream that the clients follow. */
export const STREAM = "log";
/**
 * Matches the refusal of a daemon whose clock seems to be too far off. The clocks of these tests differ by almost as
 * much as is permitted, and on a busy machine the answers by which daemons compare them come late.
 */
const CLOCK_OFF = /^ERR This daemon's clock differs/;
/** Milliseconds for which a follower waits for data in one command. */
const BLOCK_MS = 300;
/** The number of entries that a client adds in one step. */
const BATCH = 5;

/** A client that reads a stream with XREAD from its end, each time from the last id that it has received. */
export class Follower {
  /** The numbers of the entries that it has received. */
  readonly received = new Set<string>();
  readonly #connection: RedisConnection;
  readonly #done: Promise<void>;
  #last: string;
  #isStopped = false;

  private constructor(connection: RedisConnection, last: string) {
    this.#connection = connection;
    this.#last = last;
    this.#done = this.#follow();
    // `stop` reports a failure. A test that has failed before does not stop its followers.
    this.#done.catch(() => {});
  }

  /** Starts to follow the stream at a daemon. */
  static async start(port: number): Promise<Follower> {
    const connection = await RedisConnection.open(port);
    return new Follower(connection, await newestId(connection));
  }

  /** Reads until the daemon has no later entries, and ends the follower. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await inTime(() => `a follower waits for the entries after ${this.#last}`, this.#done);
  }

  async #follow(): Promise<void> {
    using _ = this.#connection;
    while (!this.#isStopped) await this.#read("BLOCK", BLOCK_MS);
    // Without BLOCK, a read returns nothing only if no entry is held back. With BLOCK, its time may be over before.
    await until("a follower has read all entries", async () => !(await this.#read()), { pause: nextTurn });
  }

  /** Reads the next entries. @returns whether there were any */
  async #read(...block: readonly (string | number)[]): Promise<boolean> {
    const read = ["XREAD", "COUNT", 1000, ...block, "STREAMS", STREAM, this.#last];
    const reply = await this.#connection.value(...read);
    if (reply instanceof Error) throw reply;
    const entries = entriesOf(reply);
    for (const [id, number] of entries) {
      this.received.add(number);
      this.#last = id;
    }
    return entries.length > 0;
  }
}

/** Returns the id of the newest entry, or 0 if there is none. */
export async function newestId(connection: RedisConnection): Promise<string> {
  const [newest] = (await connection.value("XREVRANGE", STREAM, "+", "-", "COUNT", 1)) as [[string]?];
  return newest?.[0] ?? "0";
}

/** Returns ids and numbers of the entries in a reply to XREAD. */
function entriesOf(reply: RedisValue): (readonly [id: string, number: string])[] {
  const [stream] = (reply ?? []) as [[string, [string, string[]][]]?];
  return (stream?.[1] ?? []).map(([id, fields]) => [id, fields[1] as string]);
}

/**
 * Adds entries at a daemon, a few at a time.
 * @param pauseMs  the milliseconds between two steps
 */
export async function addEntries(port: number, numbers: readonly string[], pauseMs: number): Promise<void> {
  using connection = await RedisConnection.open(port);
  const remaining = [...numbers];
  let clockOff = 0;
  const addSome = async () => {
    const some = remaining.splice(0, BATCH);
    for (const number of some) connection.queue(["XADD", STREAM, "*", "n", number]);
    for (const [i, reply] of (await connection.flush()).entries()) {
      if (reply.kind !== "error") continue;
      if (!CLOCK_OFF.test(reply.text)) throw new Error(reply.text);
      clockOff++;
      remaining.push(some[i] as string);
    }
    return remaining.length === 0;
  };
  const failure = () =>
    `a daemon accepts ${numbers.length} entries: ${remaining.length} remain, ${clockOff} refused because of its clock`;
  await until(failure, addSome, { pause: () => pause(pauseMs) });
}

/** Returns the numbers of entries, which begin with a name. */
export function numbersOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}.${i}`);
}

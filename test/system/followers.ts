/** Followers of streams at several daemons, and clients that add entries at all of them. */

import type { ActiveCluster } from "../support/active-cluster.js";
import { pause } from "../support/pause.js";
import { RedisConnection, type RedisValue } from "../support/redis-connection.js";
import { nextTurn, until } from "../support/until.js";

/** The stream that the clients follow. */
export const STREAM = "log";
/**
 * Matches the refusal of a daemon whose clock seems to be too far off. The clocks of these tests differ by almost as
 * much as is permitted, and on a busy machine the answers by which daemons compare them come late.
 */
const CLOCK_OFF = /^ERR This daemon's clock differs/;
/** Milliseconds for which a follower waits for data in one command. */
const BLOCK_MS = 2_000;

/** A client that reads a stream with XREAD, each time from the last id that it has received. */
export class Follower {
  /** The numbers of the entries that it has received, with the time of the arrival in milliseconds. */
  readonly received = new Map<string, number>();
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(port: number, options: { readonly block?: number; readonly from?: string } = {}) {
    this.#done = this.#follow(port, options);
  }

  /** Ends the follower after its next timeout. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #follow(
    port: number,
    { block = BLOCK_MS, from = "0" }: { block?: number; from?: string },
  ): Promise<void> {
    using connection = await RedisConnection.open(port);
    let last = from;
    for (let isOver = false; !isOver; ) {
      const isLast = this.#isStopped;
      const reply = await connection.value("XREAD", "COUNT", 1000, "BLOCK", block, "STREAMS", STREAM, last);
      if (reply instanceof Error) throw reply;
      const entries = entriesOf(reply);
      const now = performance.now();
      for (const [id, number] of entries) {
        this.received.set(number, now);
        last = id;
      }
      isOver = isLast && entries.length === 0;
    }
  }
}

/** Returns ids and numbers of the entries in a reply to XREAD. */
function entriesOf(reply: RedisValue): (readonly [id: string, number: string])[] {
  const [stream] = (reply ?? []) as [[string, [string, string[]][]]?];
  return (stream?.[1] ?? []).map(([id, fields]) => [id, fields[1] as string]);
}

/**
 * Adds entries at a daemon, a few at a time.
 * @param sent  receives the time in milliseconds at which each entry was sent
 */
export async function addEntries(
  port: number,
  numbers: readonly string[],
  {
    sent,
    pauseMs = 0,
    batch = 1,
  }: { readonly sent?: Map<string, number>; readonly pauseMs?: number; readonly batch?: number },
): Promise<void> {
  using connection = await RedisConnection.open(port);
  const remaining = [...numbers];
  const addSome = async () => {
    const some = remaining.splice(0, batch);
    for (const number of some) {
      sent?.set(number, performance.now());
      connection.queue(["XADD", STREAM, "*", "n", number]);
    }
    for (const [i, reply] of (await connection.flush()).entries()) {
      if (reply.kind !== "error") continue;
      if (!CLOCK_OFF.test(reply.text)) throw new Error(reply.text);
      remaining.push(some[i] as string);
    }
    return remaining.length === 0;
  };
  await until("the daemon accepts all entries", addSome, {
    pause: pauseMs > 0 ? () => pause(pauseMs) : nextTurn,
  });
}

/** Returns the numbers of the entries of a round that a follower has not received. */
export async function missedBy(follower: Follower, cluster: ActiveCluster, round: string): Promise<string[]> {
  using connection = await RedisConnection.open(cluster.respPort(0));
  const entries = (await connection.value("XRANGE", STREAM, "-", "+")) as [string, string[]][];
  const numbers = entries.map(([, fields]) => fields[1] as string);
  return numbers.filter((number) => number.startsWith(round) && !follower.received.has(number));
}

/** Returns the numbers of entries, which begin with a name. */
export function numbersOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}.${i}`);
}

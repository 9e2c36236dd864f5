/** Reads all keys of one database of a daemon, each as it is at the moment of its request. */
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { AskBuffers } from "../shared/one-daemon.js";

export interface AskedKey<Told> {
  readonly key: Buffer;
  /** Milliseconds since 1970; null: it stays. */
  readonly expires: number | null;
  readonly told: Told;
}

/** A key that cannot be read; the message is the reason, without a full stop. */
export class Untold extends Error {
  override readonly name = "Untold";
}

const SCAN_COUNT = "512";
/** Keys that are requested together; their values are all in memory. */
const AT_ONCE = 64;

/**
 * @param tell  reads a key; null: it no longer exists; throws `Untold`
 * @param left  is called with keys that cannot be read, and the reason
 */
export async function* dumpedKeys<Told>(
  ask: AskBuffers,
  tell: (ask: AskBuffers, key: Buffer) => Promise<Told | null>,
  left: (key: Buffer, reason: string) => void,
): AsyncGenerator<AskedKey<Told>> {
  const one = async (key: Buffer): Promise<AskedKey<Told> | null> => {
    const [expires, told] = await Promise.all([
      ask(["PEXPIRETIME", key]),
      tell(ask, key).catch((problem: unknown) => {
        const isOfKey =
          problem instanceof Untold || (problem instanceof DbsyncError && problem.code === "reply");
        if (!isOfKey) throw problem;
        left(key, problem.message);
        return null;
      }),
    ]);
    return told === null ? null : { key, expires: Number(expires) < 0 ? null : Number(expires), told };
  };
  let cursor: ReplyValue = "0";
  do {
    const [next, found] = (await ask(["SCAN", String(cursor), "COUNT", SCAN_COUNT])) as [Buffer, Buffer[]];
    cursor = String(next);
    for (let from = 0; from < found.length; from += AT_ONCE)
      for (const asked of await Promise.all(found.slice(from, from + AT_ONCE).map(one)))
        if (asked !== null) yield asked;
  } while (cursor !== "0");
}

/** The note about commands that wait for data: each daemon applies a command once, at its date. */

/** The index of the argument that limits the wait in seconds, by command; a negative one counts from the end. */
const TIMEOUT_AT: ReadonlyMap<string, number> = new Map([
  ["BLPOP", -1],
  ["BRPOP", -1],
  ["BLMOVE", -1],
  ["BRPOPLPUSH", -1],
  ["BZPOPMIN", -1],
  ["BZPOPMAX", -1],
  ["BLMPOP", 1],
  ["BZMPOP", 1],
]);

/** The commands that wait only with BLOCK, which limits the wait in milliseconds. */
const WITH_BLOCK: ReadonlySet<string> = new Set(["XREAD", "XREADGROUP"]);

/** The commands that may wait for data. */
export const WAITING_COMMANDS: readonly string[] = [...TIMEOUT_AT.keys(), ...WITH_BLOCK];

/** Returns for how many milliseconds a command asks to wait for data; 0 means that it does not ask. */
function wait([name = "", ...args]: readonly string[]): number {
  const upper = name.toUpperCase();
  const at = TIMEOUT_AT.get(upper);
  if (at !== undefined) return forever(Number((at < 0 ? args : [name, ...args]).at(at)) * 1000);
  const block = args.findIndex((each) => each.toUpperCase() === "BLOCK");
  return WITH_BLOCK.has(upper) && block >= 0 ? forever(Number(args[block + 1])) : 0;
}

/** In Redis, a timeout of 0 waits without a limit. */
const forever = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms);

/**
 * Returns a note if a command asked to wait for data, but was answered nil earlier, otherwise null.
 * @param milliseconds  the time until the answer
 */
export function waitingNote(words: readonly string[], milliseconds: number): string | null {
  const [name = ""] = words;
  if (!(wait(words) > milliseconds)) return null;
  return (
    `${name} did not wait for data: each daemon applies a command once, at its date, so it answers nil immediately. ` +
    "To wait for data: dbsync watch KEY, client.watch(key), or a Redis client at --resp."
  );
}

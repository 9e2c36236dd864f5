/**
 * The ways in which a reply of the store is compared with redis-server's, other than byte by byte. Which command needs
 * which, and why, stands in incomparable.ts.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { itemsOf, sameReply, shown } from "./resp2-fold.js";

/** A call that has been run on the store, with the answer as RESP2 has it. */
export interface Call {
  readonly argv: readonly ByteString[];
  readonly ours: Reply;
  /** Number of the database. */
  readonly db: number;
  /** Asks the store again, in the same database and at the same time; for commands that only read. */
  run(argv: readonly ByteString[]): Reply;
}

/** What redis-server is asked, and whether its answers agree with the store's. */
export interface Comparison {
  readonly ask: readonly (readonly ByteString[])[];
  /** @param lag  milliseconds, at most, from the time that the store was told to the one that redis-server's clock showed */
  readonly agree: (theirs: readonly Reply[], lag: number) => boolean;
}

export interface Incomparable {
  readonly reason: string;
  /** Whether errors of ours are compared in this way too. */
  readonly errors?: true;
  /** undefined: this call is compared as those of other commands are. */
  readonly compare: (call: Call) => Comparison | undefined;
}

/** An item of a reply as a text, by its place in its group. */
type ShowItem = (item: Reply, place: number) => string;

/** More than any collection of these tests has. */
const WHOLE_SCAN_COUNT = "1000000";
/** Two answers, whatever order their elements (of `size` items each) are in. */
export const unordered = (size = 1): Incomparable => ({
  reason: "the order of a collection without order is each server's own",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs]) => sorted(ours, size) === sorted(theirs, size),
  }),
});

/** A time that may differ by what has passed between the two executions. @param unit  milliseconds that it counts in */
export const nearly = (unit: number): Incomparable => ({
  reason: "redis-server has its own clock",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs], lag) => theirs !== undefined && isNear(ours, theirs, { unit, lag }),
  }),
});

/**
 * Members that a seed chose, of those that `all` lists.
 * @param size  items that the list has for each member: 2 with its value or score behind it
 */
export const chosen = (all: (key: ByteString) => ByteString[], size: number): Incomparable => ({
  reason: "the choice is random there and seeded by the unit here",
  compare: ({ argv, ours }) => ({
    ask: [argv, all(argv[1] as ByteString)],
    agree: ([theirs, everything]) => {
      if (theirs?.kind !== ours.kind) return false;
      const inPairs = argv.length > 3;
      const known = inPairs ? groups(everything, size) : groups(everything, size, 1);
      if (ours.kind !== "array") return ours.kind === "nil" || known.includes(shown(ours));
      const mine = groups(ours, inPairs ? 2 : 1);
      return (
        itemsOf(theirs).length === ours.items.length &&
        mine.every((element) => known.includes(element)) &&
        // Not each once: members "0" and "-0" look alike here, see `withoutNegativeZero`.
        (Number(argv[2]) < 0 || mine.every((element) => timesIn(mine, element) <= timesIn(known, element)))
      );
    },
  }),
});

const timesIn = (texts: readonly string[], one: string) => texts.filter((text) => text === one).length;

/** Follows our cursor from the start to the end; redis-server is asked for everything at once. */
export const scanned = (cursorAt: number, size: number, shownItem: ShowItem = shown): Incomparable => ({
  reason: "cursors and pages are each server's own; what a whole scan finds is not",
  compare: ({ argv, run }) => {
    const found: Reply[] = [];
    const first = argv.map((argument, place) => (place === cursorAt ? "0" : argument));
    let page = [...first];
    do {
      const [next, items] = itemsOf(run(page));
      found.push(...itemsOf(items));
      page = first.with(cursorAt, next?.kind === "bulk" ? next.bytes : "0");
    } while (page[cursorAt] !== "0");
    const ours = sorted({ kind: "array", items: found }, size, shownItem);
    return {
      ask: [[...first, "COUNT", WHOLE_SCAN_COUNT]],
      agree: ([theirs]) =>
        ours === sorted(itemsOf(theirs)[1], size, shownItem) && shown(itemsOf(theirs)[0]!) === '"0"',
    };
  },
});

/** Asked of the store alone: the answer describes the server. */
export const ownAnswer = (reason: string): Incomparable => ({
  reason,
  compare: () => ({ ask: [], agree: () => true }),
});

/** Any answer of a kind will do where we have one, or an error of our own; nil must be nil. */
export const ofKind = (kind: Reply["kind"], reason: string): Incomparable => ({
  reason,
  compare: (call) => ({
    ask: [call.argv],
    agree: ([theirs]) => {
      const isOwn = call.ours.kind === kind || call.ours.kind === "error";
      return isOwn && theirs?.kind === kind ? true : theirs !== undefined && sameReply(call.ours, theirs);
    },
  }),
});

export const endedBy = (ending: string): Incomparable => ({
  reason: "the store has no connections: what one would remember is ended at once",
  compare: ({ argv, ours }) => ({
    ask: [argv, [ending]],
    agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs),
  }),
});

/** A command that would wait; within MULTI it does not. @param waits  which calls would */
export const withinMulti = (waits: (argv: readonly ByteString[]) => boolean = () => true): Incomparable => ({
  reason: "redis-server would wait; within MULTI it does not, nor does the store ever",
  errors: true,
  compare: ({ argv, ours }) => {
    if (!waits(argv)) return undefined;
    return {
      ask: [["MULTI"], argv, ["EXEC"]],
      // A wrong number of arguments is an error at once, and nothing is run.
      agree: ([, queued, executed]) => {
        const theirs = queued?.kind === "error" ? queued : itemsOf(executed)[0];
        return theirs !== undefined && sameReply(ours, theirs);
      },
    };
  },
});

export const popped: Incomparable = {
  reason:
    "the choice is random there and seeded by the unit here; redis-server removes the members that we chose",
  compare: ({ argv, ours }) => {
    const members = ours.kind === "bulk" ? [ours] : itemsOf(ours);
    if (members.length === 0)
      return { ask: [argv], agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs) };
    const key = argv[1] as ByteString;
    const names = members.map((member) => (member.kind === "bulk" ? member.bytes : ""));
    const wanted = Number(argv[2] ?? 1);
    return {
      ask: [
        ["SCARD", key],
        ["SREM", key, ...names],
      ],
      agree: ([size, removed]) =>
        integerOf(removed) === names.length && names.length === Math.min(wanted, integerOf(size)),
    };
  },
};

/** So much less than a score may differ by one in its last digit or two. */
const LAST_DIGITS = 2 ** -51;

/**
 * Distances that a search has stored in a key; redis-server gets ours, so that what is made of them later can be compared.
 * @param targetOf  the key; undefined: it was no distances that were stored
 */
export const storedDistances = (
  targetOf: (argv: readonly ByteString[]) => ByteString | undefined,
): Incomparable => ({
  reason: "C's library does not round sines quite correctly, nor the same way on every machine",
  compare: ({ argv, ours, run }) => {
    const key = targetOf(argv);
    const stored = key === undefined || integerOf(ours) === 0 ? [] : itemsOf(run(allWithScores(key)));
    if (key === undefined || stored.length === 0)
      return { ask: [argv], agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs) };
    const texts = stored.map((item) => (item.kind === "bulk" ? item.bytes : ""));
    const pairs = texts.flatMap((member, i) => (i % 2 === 0 ? [texts[i + 1]!, member] : []));
    return {
      ask: [argv, allWithScores(key), ["ZADD", key, "XX", ...pairs]],
      agree: ([theirs, all]) =>
        theirs !== undefined &&
        sameReply(ours, theirs) &&
        itemsOf(all).every((item, i) => item.kind === "bulk" && isAlmost(item.bytes, texts[i]!, i % 2 === 1)),
    };
  },
});

const allWithScores = (key: ByteString) => ["ZRANGE", key, "0", "-1", "WITHSCORES"];

function isAlmost(one: ByteString, other: ByteString, isScore: boolean): boolean {
  if (one === other) return true;
  return isScore && Math.abs(Number(one) - Number(other)) <= LAST_DIGITS * Math.abs(Number(one));
}

/** An array's items in groups of `size`, the first `shownItems` of each as a text. */
export function groups(
  reply: Reply | undefined,
  size: number,
  shownItems = size,
  shownItem: ShowItem = shown,
): string[] {
  const items = itemsOf(reply);
  const texts: string[] = [];
  for (let i = 0; i < items.length; i += size) {
    texts.push(
      items
        .slice(i, i + shownItems)
        .map((item, place) => shownItem(item, place))
        .join(" "),
    );
  }
  return texts;
}

/** A text that is the same whatever the order of an array's groups is. */
function sorted(reply: Reply | undefined, size: number, shownItem: ShowItem = shown): string {
  if (reply?.kind !== "array") return reply === undefined ? "" : shown(reply);
  return groups(reply, size, size, shownItem).sort().join("\n");
}

export function integerOf(reply: Reply | undefined): number {
  return reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
}

/** Negative numbers say something else than a time; both sides round to the nearest unit. */
function isNear(ours: Reply, theirs: Reply, { unit, lag }: { unit: number; lag: number }): boolean {
  if (integerOf(ours) < 0) return sameReply(ours, theirs);
  return isWithin(integerOf(ours) * unit, integerOf(theirs) * unit, lag + unit - 1);
}

/** Whether two times differ by so many milliseconds at most, but for the last digit of very large numbers. */
export function isWithin(one: number, other: number, most: number): boolean {
  return Math.abs(one - other) <= most + Math.abs(one) * Number.EPSILON;
}

/**
 * Comparisons of a reply with redis-server's that are not byte by byte. incomparable.ts lists the comparison of each
 * such command, with the reason.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { itemsOf, sameReply, shown } from "./resp2-fold.js";

/** A call that the store has executed, with its reply in RESP2. */
export interface Call {
  readonly argv: readonly ByteString[];
  readonly ours: Reply;
  /** Number of the database. */
  readonly db: number;
  /** Runs another command on the store, in the same database and at the same time. Only for commands that read. */
  run(argv: readonly ByteString[]): Reply;
}

/** The queries to redis-server, and the check whether its replies agree with the store's. */
export interface Comparison {
  readonly ask: readonly (readonly ByteString[])[];
  /** @param lag maximum milliseconds between the store's time and redis-server's clock */
  readonly agree: (theirs: readonly Reply[], lag: number) => boolean;
}

export interface Incomparable {
  readonly reason: string;
  /** Whether the errors of the store are also compared in this way. */
  readonly errors?: true;
  /** Returns undefined if this call is compared like other commands. */
  readonly compare: (call: Call) => Comparison | undefined;
}

/** Formats an item of a reply, given its index in its group. */
type ShowItem = (item: Reply, index: number) => string;

/** A COUNT larger than any collection in these tests. */
const WHOLE_SCAN_COUNT = "1000000";
/** Compares replies, ignoring the order of their elements (of `size` items each). */
export const unordered = (size = 1): Incomparable => ({
  reason: "the order of an unordered collection differs between servers",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs]) => sorted(ours, size) === sorted(theirs, size),
  }),
});

/**
 * Compares times, which may differ by the time between the two executions.
 * @param unit length of the unit in milliseconds
 */
export const nearly = (unit: number): Incomparable => ({
  reason: "redis-server has its own clock",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs], lag) => theirs !== undefined && isNear(ours, theirs, { unit, lag }),
  }),
});

/**
 * Checks that randomly chosen members are among those that `all` lists.
 * @param size number of items in the reply for each member: 2 with its value or score
 */
export const chosen = (all: (key: ByteString) => ByteString[], size: number): Incomparable => ({
  reason: "redis-server chooses at random, and the store by a seed from the unit",
  compare: ({ argv, ours }) => ({
    ask: [argv, all(argv[1] as ByteString)],
    agree: ([theirs, everything]) => {
      if (theirs?.kind !== ours.kind) return false;
      const inPairs = argv.length > 3;
      const allMembers = inPairs ? groups(everything, size) : groups(everything, size, 1);
      if (ours.kind !== "array") return ours.kind === "nil" || allMembers.includes(shown(ours));
      const chosenMembers = groups(ours, inPairs ? 2 : 1);
      return (
        itemsOf(theirs).length === ours.items.length &&
        chosenMembers.every((element) => allMembers.includes(element)) &&
        // Duplicates are allowed: members "0" and "-0" look alike here, see `withoutNegativeZero`.
        (Number(argv[2]) < 0 ||
          chosenMembers.every((element) => timesIn(chosenMembers, element) <= timesIn(allMembers, element)))
      );
    },
  }),
});

const timesIn = (texts: readonly string[], one: string) => texts.filter((text) => text === one).length;

/** Follows our cursor to its end and compares the result with one complete scan of redis-server. */
export const scanned = (cursorAt: number, size: number, shownItem: ShowItem = shown): Incomparable => ({
  reason: "cursors and pages differ between servers, but the result of a complete scan does not",
  compare: ({ argv, run }) => {
    const elements: Reply[] = [];
    const first = argv.map((argument, index) => (index === cursorAt ? "0" : argument));
    let page = [...first];
    do {
      const [next, items] = itemsOf(run(page));
      elements.push(...itemsOf(items));
      page = first.with(cursorAt, next?.kind === "bulk" ? next.bytes : "0");
    } while (page[cursorAt] !== "0");
    const ours = sorted({ kind: "array", items: elements }, size, shownItem);
    return {
      ask: [[...first, "COUNT", WHOLE_SCAN_COUNT]],
      agree: ([theirs]) =>
        ours === sorted(itemsOf(theirs)[1], size, shownItem) && shown(itemsOf(theirs)[0]!) === '"0"',
    };
  },
});

/** Compares nothing: the reply describes the server. */
export const ownAnswer = (reason: string): Incomparable => ({
  reason,
  compare: () => ({ ask: [], agree: () => true }),
});

/**
 * Accepts any reply of `kind` from redis-server if our reply is also of that kind or is an error. Replies of other
 * kinds, such as nil, must be equal.
 */
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
  reason: "the store has no connections, so state that a connection would have is ended immediately",
  compare: ({ argv, ours }) => ({
    ask: [argv, [ending]],
    agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs),
  }),
});

/** Runs a blocking command within MULTI, where it does not wait. @param waits returns whether a call would wait */
export const withinMulti = (waits: (argv: readonly ByteString[]) => boolean = () => true): Incomparable => ({
  reason: "redis-server would wait, but not within MULTI; the store never waits",
  errors: true,
  compare: ({ argv, ours }) => {
    if (!waits(argv)) return undefined;
    return {
      ask: [["MULTI"], argv, ["EXEC"]],
      // A wrong number of arguments is an immediate error, and nothing is executed.
      agree: ([, queued, executed]) => {
        const theirs = queued?.kind === "error" ? queued : itemsOf(executed)[0];
        return theirs !== undefined && sameReply(ours, theirs);
      },
    };
  },
});

export const popped: Incomparable = {
  reason:
    "redis-server chooses at random, and the store by a seed from the unit; both remove the store's choice",
  compare: ({ argv, ours }) => {
    const members = ours.kind === "bulk" ? [ours] : itemsOf(ours);
    if (members.length === 0)
      return { ask: [argv], agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs) };
    const key = argv[1] as ByteString;
    const names = members.map((member) => (member.kind === "bulk" ? member.bytes : ""));
    const requested = Number(argv[2] ?? 1);
    return {
      ask: [
        ["SCARD", key],
        ["SREM", key, ...names],
      ],
      agree: ([size, removed]) =>
        integerOf(removed) === names.length && names.length === Math.min(requested, integerOf(size)),
    };
  },
};

/** Maximum relative difference of two equal scores: one or two units in the last place. */
const LAST_DIGITS = 2 ** -51;

/**
 * Compares distances that a search has stored in a key. redis-server then receives ours, so that later results can be
 * compared.
 * @param targetOf returns the key, or undefined if no distances were stored
 */
export const storedDistances = (
  targetOf: (argv: readonly ByteString[]) => ByteString | undefined,
): Incomparable => ({
  reason: "the C library rounds some sines incorrectly, and differently from machine to machine",
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

/** Splits an array into groups of `size` items and formats the first `shownItems` of each. */
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
        .map((item, index) => shownItem(item, index))
        .join(" "),
    );
  }
  return texts;
}

/** Returns the same text for any order of an array's groups. */
function sorted(reply: Reply | undefined, size: number, shownItem: ShowItem = shown): string {
  if (reply?.kind !== "array") return reply === undefined ? "" : shown(reply);
  return groups(reply, size, size, shownItem).sort().join("\n");
}

export function integerOf(reply: Reply | undefined): number {
  return reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
}

/** Whether two times are close to each other. Negative numbers are not times; both sides round to the nearest unit. */
function isNear(ours: Reply, theirs: Reply, { unit, lag }: { unit: number; lag: number }): boolean {
  if (integerOf(ours) < 0) return sameReply(ours, theirs);
  return isWithin(integerOf(ours) * unit, integerOf(theirs) * unit, lag + unit - 1);
}

/** Whether two times differ by at most `most` milliseconds, ignoring rounding errors of very large numbers. */
export function isWithin(one: number, other: number, most: number): boolean {
  return Math.abs(one - other) <= most + Math.abs(one) * Number.EPSILON;
}

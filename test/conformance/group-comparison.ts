/** Compares information about consumer groups, whose times come from each side's own clock. */
import { array, type Reply, ZERO } from "../../protocol/reply.js";
import { type Incomparable, integerOf, isWithin } from "./comparison.js";
import { itemsOf, shown } from "./resp2-fold.js";

/** A reply with its times set to 0, and those times. */
export interface Timeless {
  readonly reply: Reply;
  readonly times: readonly number[];
}

/** Collects the times of a reply, and returns the reply without them. */
type TakeTimes = (reply: Reply, times: number[]) => Reply;

export const timed = (take: TakeTimes): Incomparable => ({
  reason: "times are from redis-server's own clock",
  compare: ({ argv, ours }) => ({
    ask: [argv],
    agree: ([theirs], lag) => theirs !== undefined && areNearly(ours, theirs, take, lag),
  }),
});

/** Whether two replies are equal except for their times, and the times are close to each other. */
export function areNearly(ours: Reply, theirs: Reply, take: TakeTimes, lag: number): boolean {
  const [one, other] = [timeless(ours, take), timeless(theirs, take)];
  return shown(one.reply) === shown(other.reply) && areNear(one.times, other.times, lag);
}

export const areNear = (times: readonly number[], others: readonly number[], lag: number): boolean =>
  times.length === others.length && times.every((time, i) => isWithin(time, others[i] as number, lag));

export function timeless(reply: Reply, take: TakeTimes): Timeless {
  const times: number[] = [];
  return { reply: take(reply, times), times };
}

const inItems =
  (take: TakeTimes): TakeTimes =>
  (reply, times) =>
    reply.kind === "array" ? array(reply.items.map((item) => take(item, times))) : reply;

/** Collects the time at an index of an array. */
const atIndex =
  (index: number, take: TakeTimes = timeItself): TakeTimes =>
  (reply, times) =>
    reply.kind === "array" && reply.items.length > index
      ? array(reply.items.map((item, i) => (i === index ? take(item, times) : item)))
      : reply;

const timeItself: TakeTimes = (reply, times) => {
  times.push(integerOf(reply));
  return ZERO;
};

/** Collects the times that a flat map has under the given names. */
const inFields =
  (takes: Readonly<Record<string, TakeTimes>>): TakeTimes =>
  (reply, times) =>
    array(
      itemsOf(reply).map((item, i, items) => {
        const name = items[i - 1];
        const take = i % 2 === 1 && name?.kind === "bulk" ? takes[name.bytes] : undefined;
        return take === undefined ? item : take(item, times);
      }),
    );

/**
 * Collects the idle times of XPENDING with a range. XPENDING without a range replies with a summary, which has no times
 * and no arrays of four items, and is therefore returned unchanged.
 */
export const idleOfPending = inItems((item, times) =>
  item.kind === "array" && item.items.length === 4 ? atIndex(2)(item, times) : item,
);
export const idleOfConsumers = inItems(inFields({ idle: timeItself }));

/** Collects the times of XINFO STREAM FULL. */
export const timesOfStream = inFields({
  groups: inItems(
    inFields({
      pending: inItems(atIndex(2)),
      consumers: inItems(inFields({ "seen-time": timeItself, pending: inItems(atIndex(1)) })),
    }),
  ),
});

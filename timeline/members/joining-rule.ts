/**
 * When a daemon that a list has added may take something itself: a live member has spoken under that list, all that it held by
 * then is here, and nothing is taken any more at or before what any daemon can have called final.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** What another member has said, last, in one step. */
export interface Heard {
  /** The hash of the list under which it spoke. */
  readonly list: ByteString;
  /** Whether it has joined itself. */
  readonly isLive: boolean;
  /** As published. */
  readonly watermark: number;
  /** Whether all that it held at some time after it first spoke under the list is here, and on disk. */
  readonly isPulled: boolean;
}

/**
 * Where the watermark has to begin: at the lowest of those of live members that have spoken under the list and all of whose past
 * is here. One is enough: what any daemon has called final or will, each member of its list had published a watermark as high
 * before, and had it on disk; and one that speaks under this list reports under no earlier one any more. So no stable point need
 * be asked for, nor need one be heard that is away. Unless that watermark is ahead of the time, as after a clock's jump: then it
 * is not handed on as long as another member has yet to speak.
 * @param list  the hash of the list in force
 * @param others  its other members
 * @param now  by the own clock, milliseconds since 1970
 * @returns null: it may not begin
 */
export function joinedWatermark(
  list: ByteString,
  others: Iterable<ByteString>,
  heard: ReadonlyMap<ByteString, Heard>,
  now: number,
): number | null {
  let lowest = Number.POSITIVE_INFINITY;
  let isAll = true;
  for (const id of others) {
    const member = heard.get(id);
    if (member?.list === list && !member.isLive) continue;
    if (member?.list === list && member.isPulled) lowest = Math.min(lowest, member.watermark);
    else isAll = false;
  }
  if (lowest === Number.POSITIVE_INFINITY) return null;
  return lowest <= now || isAll ? lowest : null;
}

/**
 * The entries that a group has skipped: they were added late, at a position before a delivery, and the daemon that
 * delivered did not have them yet. They are delivered by the next XREADGROUP.
 */
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import { setSkipped } from "../../keyspace/group-mutators.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import type { Stream } from "../../values/streams/stream.js";
import type { StreamEntry } from "../../values/streams/stream-entry.js";
import type { StreamId } from "../../values/streams/stream-id.js";
import type { GroupOfStream } from "./group-arguments.js";

type Range = readonly [from: StreamId, to: StreamId];

/** Whether a stream still has an entry that the group has skipped. */
export function hasSkippedEntries(stream: Stream, group: ConsumerGroup): boolean {
  for (const range of group.skipped) if (hasEntries(stream, range)) return true;
  return false;
}

/** Yields the entries that the group has skipped, in order. The group must not change meanwhile. */
export function* skippedEntries({ stream, group }: GroupOfStream): Generator<StreamEntry> {
  for (const [from, to] of group.skipped) yield* stream.range(from, to);
}

/** Records that a delivery skips the entries of a range, if there are any. */
export function addSkipped(data: Data, { stream, group }: GroupOfStream, from: StreamId, to: StreamId): void {
  if (hasEntries(stream, [from, to])) setSkipped(data, group, [[from, to]]);
}

/** Records that an entry which was skipped is delivered. */
export function takeSkipped(data: Data, { stream, group }: GroupOfStream, id: StreamId): void {
  const range = group.skippedRange(id);
  if (range === undefined) return;
  const [from, to] = range;
  const changes: [StreamId, StreamId | undefined][] = [[from, undefined]];
  const parts: Range[] = [
    [from, id - 1n],
    [id + 1n, to],
  ];
  for (const [first, last] of parts) if (hasEntries(stream, [first, last])) changes.push([first, last]);
  setSkipped(data, group, changes);
}

function hasEntries(stream: Stream, [from, to]: Range): boolean {
  if (from > to) return false;
  for (const _ of stream.range(from, to)) return true;
  return false;
}

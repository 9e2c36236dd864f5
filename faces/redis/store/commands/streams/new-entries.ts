/**
 * Finds the entries that XREADGROUP with `>` delivers: those that no consumer of the group has received, or those that
 * a daemon has recorded as delivered, as far as they are still there and no other consumer has received them. The group
 * may also have skipped entries: they were added late, at a position before a delivery, and the daemon that delivered
 * did not have them yet. The next XREADGROUP delivers them.
 */
import { CommandFailure } from "../../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { ClaimPeek } from "../../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { Choice } from "../../../../../protocol/version-2/envelope.js";
import { setSkipped } from "../../keyspace/stream-mutators.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import { Stream } from "../../values/streams/stream.js";
import {
  STREAM_ID_MAX,
  type StreamEntry,
  type StreamId,
  streamIdText,
} from "../../values/streams/stream-id.js";
import { countHandedOut } from "./group-claims.js";
import { type GroupReadOptions, groupReadOptions } from "./read-options.js";
import { type GroupOfStream, idIfAny } from "./stream-arguments.js";

/** The entries that a call delivers, in order of their ids. */
export interface NewEntries {
  /** Entries up to the group's last id, which it has skipped. */
  readonly skipped: readonly StreamEntry[];
  /** Entries that follow the group's last id and each other. */
  readonly next: readonly StreamEntry[];
  /** Chosen entries before which there are others that were not chosen. */
  readonly apart: readonly StreamEntry[];
}

export const isEmpty = ({ skipped, next, apart }: NewEntries): boolean =>
  skipped.length + next.length + apart.length === 0;

/** Finds all entries that no consumer has received, up to COUNT. */
export function findAll(data: Data, source: GroupOfStream, count: number): NewEntries {
  const { stream, group } = source;
  const [skipped, next]: [StreamEntry[], StreamEntry[]] = [[], []];
  const add = (entry: StreamEntry, to: StreamEntry[]): boolean => {
    countHandedOut(data, entry);
    to.push(entry);
    return skipped.length + next.length === count;
  };
  if (group.skipped.size > 0)
    for (const entry of skippedEntries(source)) if (add(entry, skipped)) return { skipped, next, apart: [] };
  for (const entry of stream.range(group.marks.lastId + 1n, STREAM_ID_MAX)) if (add(entry, next)) break;
  return { skipped, next, apart: [] };
}

/** Maximum number of entries that are found without running the call, which would count their cost. */
const PEEKED_ENTRIES_MAX = 128;

/** Finds the entries that XREADGROUP with `>` takes from a single stream, if its group has skipped none. */
export const groupReadPeek: ClaimPeek = {
  keyAt: -2,
  find: (stream, argv, peeked) => {
    const options = optionsIfValid(argv);
    if (options === null || options.ids.length > 1 || options.ids[0] !== ">") return null;

    const { group: name, count } = options;
    if (count > PEEKED_ENTRIES_MAX) return null;

    const group = stream instanceof Stream ? stream.group(name) : undefined;
    if (!(stream instanceof Stream) || group === undefined) return [];
    if (group.skipped.size > 0) return null;

    let undelivered = peeked.undelivered.get(name);
    if (undelivered === undefined)
      peeked.undelivered.set(name, (undelivered = stream.idsAfter(group.marks.lastId)));

    const taken: ByteString[] = ["0", "0"];
    for (let number = 1; count === 0 || number <= count; number++) {
      const { value: id, done } = undelivered.next();
      if (done === true) break;
      if (number > PEEKED_ENTRIES_MAX) return null;
      taken.push(streamIdText(id));
    }

    const size = taken.length - 2;
    if (size === 0) return [];
    taken[1] = String(size);
    return taken;
  },
};

function optionsIfValid(argv: readonly ByteString[]): GroupReadOptions | null {
  try {
    return groupReadOptions(argv);
  } catch (failure) {
    if (failure instanceof CommandFailure) return null;
    throw failure;
  }
}

/**
 * Returns the next entry of a call's only stream if exactly this entry was recorded, as in most calls; otherwise null.
 * Comparing the id's text takes less time than parsing it.
 */
export function nextIfChosen(
  data: Data,
  { stream, group }: GroupOfStream,
  choice: Choice,
): NewEntries | null {
  if (choice.length !== 3 || choice[0] !== "0" || choice[1] !== "1") return null;
  for (const entry of stream.range(group.marks.lastId + 1n, STREAM_ID_MAX)) {
    if (streamIdText(entry.id) !== choice[2]) return null;
    countHandedOut(data, entry);
    return { skipped: [], next: [entry], apart: [] };
  }

  return null;
}

/** Finds those of the recorded entries that are still there and not received. */
export function findChosen(
  data: Data,
  { stream, group }: GroupOfStream,
  chosen: readonly StreamId[],
): NewEntries {
  const { lastId } = group.marks;
  const [skipped, next, apart]: [StreamEntry[], StreamEntry[], StreamEntry[]] = [[], [], []];
  for (const id of chosen) {
    // The remaining entries up to the last id have been received by other consumers, or acknowledged.
    if (id > lastId || group.skippedRange(id) === undefined) continue;
    const entry = stream.find(id);
    if (entry !== undefined) skipped.push(entry);
  }

  const later = chosen.filter((id) => id > lastId);
  for (const entry of stream.range(lastId + 1n, STREAM_ID_MAX)) {
    if (entry.id !== later[next.length]) break;
    if (next.push(entry) === later.length) break;
  }

  for (const id of later.slice(next.length)) {
    const entry = stream.find(id);
    if (entry !== undefined) apart.push(entry);
  }

  for (const entries of [skipped, next, apart]) for (const entry of entries) countHandedOut(data, entry);
  return { skipped, next, apart };
}

/** Adds the entries that are delivered from one of the command's streams to what the unit has taken. */
export function noteTaken(taken: ByteString[], index: number, { skipped, next }: NewEntries): void {
  taken.push(String(index), String(skipped.length + next.length));
  for (const entries of [skipped, next]) for (const { id } of entries) taken.push(streamIdText(id));
}

/** Reads the ids of a choice, in ascending order, by the index of the stream in the command. */
export function chosenIds(choice: Choice): ReadonlyMap<number, readonly StreamId[]> {
  const byStream = new Map<number, readonly StreamId[]>();
  for (let at = 0; at < choice.length; ) {
    const [stream, count] = [Number(choice[at]), Number(choice[at + 1])];
    const end = at + 2 + Math.max(count, 0);
    const ids = choice.slice(at + 2, end).map((text) => idIfAny(text) ?? 0n);
    // A daemon records them in this order; any other order has the same effect.
    const isAscending = ids.every((id, i) => i === 0 || id > ids[i - 1]!);
    byStream.set(stream, isAscending ? ids : [...new Set(ids)].sort((a, b) => (a < b ? -1 : 1)));
    at = end;
  }

  return byStream;
}

type Range = readonly [from: StreamId, to: StreamId];

/** Whether a stream still has an entry that the group has skipped. */
export function hasSkippedEntries(stream: Stream, group: ConsumerGroup): boolean {
  for (const range of group.skipped) if (hasEntries(stream, range)) return true;
  return false;
}

/** Yields the entries that the group has skipped, in order. The group must not change meanwhile. */
function* skippedEntries({ stream, group }: GroupOfStream): Generator<StreamEntry> {
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

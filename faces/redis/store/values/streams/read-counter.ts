/**
 * Counts how many of all entries ever added a group has read, and how many it has not. A stream knows how many entries
 * were added, but of the deleted entries it knows only the highest id. If that id is after the group's position, the
 * number of unread entries is unknown. Source: redis-server 7.0.
 */
import type { GroupMarks } from "./consumer-group.js";
import type { Stream } from "./stream.js";
import type { StreamId } from "./stream-id.js";

/** Returns a group's counter after it has received an entry. @param read the counter before it received the entry */
export function readUpTo(stream: Stream, id: StreamId, read: bigint | null): bigint | null {
  if (read !== null && !hasGapFrom(stream, id)) return BigInt.asIntN(64, read + 1n);
  return stream.marks.entriesAdded === 0n ? read : countUpTo(stream, id);
}

/** Returns a group's counter after it has received an entry that it had skipped. @param read the counter before */
export function readSkipped({ marks }: Stream, read: bigint | null): bigint | null {
  const isCounted = read !== null && read < BigInt.asIntN(64, marks.entriesAdded);
  return isCounted ? read + 1n : read;
}

/** Returns the number of entries that a group has not read yet, or null if unknown. */
export function lagOf(stream: Stream, { lastId, entriesRead }: GroupMarks): bigint | null {
  const { entriesAdded } = stream.marks;
  if (entriesAdded === 0n) return 0n;
  const isCounted = entriesRead !== null && !hasGapFrom(stream, lastId);
  const read = isCounted ? entriesRead : countUpTo(stream, lastId);
  return read === null ? null : BigInt.asIntN(64, entriesAdded - read);
}

/** Counts the entries ever added up to the given id; returns null if the number is unknown. */
export function countUpTo({ marks, size, firstId }: Stream, id: StreamId): bigint | null {
  const { entriesAdded, lastId, maxDeletedId } = marks;
  if (entriesAdded === 0n) return 0n;
  const added = BigInt.asIntN(64, entriesAdded);
  if (firstId === undefined && id <= lastId) return added;
  if (id >= lastId) return id === lastId ? added : null;
  const first = firstId ?? 0n;
  if (maxDeletedId !== 0n && maxDeletedId >= first) return null;
  if (id > first) return null;
  return added - BigInt(size) + (id === first ? 1n : 0n);
}

/** Whether the highest deleted id is at or after the given id, and not before the first remaining entry. */
function hasGapFrom({ marks: { maxDeletedId }, firstId }: Stream, id: StreamId): boolean {
  return firstId !== undefined && maxDeletedId >= firstId && maxDeletedId >= id;
}

/**
 * Compares two values as a Redis client sees them. The order of elements in sets and hashes, and of consumer groups in
 * streams, does not matter.
 */
import { Hash } from "../../daemon/store/values/hash.js";
import { List } from "../../daemon/store/values/list.js";
import { MemberSet } from "../../daemon/store/values/member-set.js";
import { SortedSet } from "../../daemon/store/values/sorted-set.js";
import type { Value } from "../../daemon/store/values/value.js";
import type { Consumer, ConsumerGroup } from "../redis/store/values/streams/consumer-group.js";
import { Stream } from "../redis/store/values/streams/stream.js";
import { STREAM_ID_MAX } from "../redis/store/values/streams/stream-id.js";

export function isSameValue(one: Value, other: Value): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  if (one instanceof Stream) return other instanceof Stream && isSameStream(one, other);
  if (other instanceof Stream || one.size !== other.size) return false;
  if (one instanceof List) return other instanceof List && isSameList(one, other);
  if (one instanceof MemberSet)
    return other instanceof MemberSet && one.members.every((member) => other.has(member));
  if (one instanceof Hash) return other instanceof Hash && isSameHash(one, other);
  return one instanceof SortedSet && other instanceof SortedSet && isSameSortedSet(one, other);
}

function isSameList(one: List, other: List): boolean {
  const elements = other.slice();
  return one.slice().every((element, index) => element === elements[index]);
}

function isSameHash({ fields, values }: Hash, other: Hash): boolean {
  const theirs = other.values;
  return fields.every((field, index) => {
    const found = other.find(field);
    return found >= 0 && theirs[found] === values[index];
  });
}

function isSameSortedSet(one: SortedSet, other: SortedSet): boolean {
  for (const [member, score] of one.range(0, one.size)) if (other.get(member) !== score) return false;
  return true;
}

function isSameStream(one: Stream, other: Stream): boolean {
  return (
    one.size === other.size && streamText(one) === streamText(other) && groupsText(one) === groupsText(other)
  );
}

function streamText(stream: Stream): string {
  const { lastId, maxDeletedId, entriesAdded } = stream.marks;
  const entries = [...stream.range(0n, STREAM_ID_MAX)].map(({ id, fields }) => [String(id), ...fields]);
  return JSON.stringify([String(lastId), String(maxDeletedId), String(entriesAdded), entries]);
}

const groupsText = (stream: Stream): string => stream.groups.map(groupText).sort().join();

function groupText({ name, marks, pending, consumers }: ConsumerGroup): string {
  const waiting = [...pending].map(([id, one]) => [String(id), one.deliveredAt, one.deliveries]);
  const read = marks.entriesRead === null ? null : String(marks.entriesRead);
  return JSON.stringify([name, String(marks.lastId), read, waiting, [...consumers].map(consumerText).sort()]);
}

function consumerText({ name, seenAt, pending }: Consumer): string {
  return JSON.stringify([name, seenAt, [...pending].map(([id]) => String(id))]);
}

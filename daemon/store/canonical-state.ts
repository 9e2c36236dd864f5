/**
 * The complete state in one canonical form, which must be equal on all daemons. Keys are sorted. The
 * elements of a value keep their order, because it is part of the state.
 */

import { Document } from "../../faces/json/store/values/document.js";
import { Collection } from "../../faces/mongo/store/values/collection.js";
import { indexBytes } from "../../faces/mongo/store/values/collection-index.js";
import type { ConsumerGroup } from "../../faces/redis/store/values/streams/consumer-group.js";
import { STREAM_ID_MAX, streamIdText } from "../../faces/redis/store/values/streams/stream-id.js";
import { domainText } from "../../faces/sql/store/values/domain.js";
import { extrasText, Table } from "../../faces/sql/store/values/table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Database } from "./database.js";
import type { KeyRing } from "./key-ring.js";
import type { KeyRecord } from "./rights/key-record.js";
import { Hash } from "./values/hash.js";
import { List } from "./values/list.js";
import { MemberSet } from "./values/member-set.js";
import { SortedSet } from "./values/sorted-set.js";
import { typeName, type Value } from "./values/value.js";

/** Returns a line for each key: database, key, type, expiry time, last writer, value; in the order of keys. */
export function canonicalState(database: Database): string[] {
  return database.keyspaces.flatMap((keyspace, db) =>
    [...keyspace.entries]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, value, expire, writer }) =>
        JSON.stringify([db, key, typeName(value), expire, writer, contents(value)]),
      ),
  );
}

/** Returns a line for each key of the ring, in the order in which they were added, which is part of the state. */
export function canonicalRing(ring: KeyRing): string[] {
  return [...ring.all()].map(canonicalRecord);
}

/**
 * Returns the same text for equal records. The labels of genesis keys are left out, because they come from each
 * daemon's own file names.
 */
export function canonicalRecord({ id, spki, acl: _, addedBy, label, ...others }: KeyRecord): string {
  const properties = addedBy === null ? others : { ...others, label };
  return JSON.stringify([
    hexOf(id),
    addedBy === null ? null : hexOf(addedBy),
    Object.entries(properties).sort(),
  ]);
}

function contents(value: Value): ByteString | readonly unknown[] {
  if (typeof value === "string") return value;
  if (value instanceof List) return value.slice();
  if (value instanceof Hash) {
    const { fields, values } = value;
    return fields.map((field, index) => [field, values[index]]);
  }
  if (value instanceof MemberSet) return value.members;
  if (value instanceof SortedSet)
    return [...value.range(0, value.size)].map(([member, score]) => [member, String(score)]);
  if (value instanceof Document) {
    const entries = [...value.entries()].map(([key, text]) => {
      const expire = value.expireOf(key);
      return expire === undefined ? [key, text] : [key, text, expire];
    });
    return [value.born, value.next, entries, value.indexed];
  }
  if (value instanceof Table) {
    const columns = value.columns.map((column) => {
      const { name, domain, uniqueness } = column;
      const extras = extrasText(column);
      return [name, domainText(domain), uniqueness, ...(extras === "" ? [] : [extras])];
    });
    return [columns, value.rows];
  }
  if (value instanceof Collection) return [value.specs.map(indexBytes), [...value.documents()]];
  const { lastId, maxDeletedId, entriesAdded } = value.marks;
  const entries = [...value.range(0n, STREAM_ID_MAX)].map(({ id, fields }) => [streamIdText(id), fields]);
  const marks = [streamIdText(lastId), streamIdText(maxDeletedId), String(entriesAdded)];
  return value.groupCount === 0 ? [...marks, entries] : [...marks, entries, value.groups.map(groupContents)];
}

/**
 * Returns the contents of a group. They do not include the consumers' lists of pending entries, which follow from the
 * group's list.
 */
function groupContents({ name, marks, pending, consumers, skipped }: ConsumerGroup): readonly unknown[] {
  return [
    name,
    streamIdText(marks.lastId),
    marks.entriesRead === null ? null : String(marks.entriesRead),
    [...pending].map(([id, { consumer, deliveredAt, deliveries }]) => [
      ...[streamIdText(id), consumer.name, deliveredAt, deliveries],
    ]),
    consumers.map((consumer) => [consumer.name, consumer.seenAt, consumer.pending.size]),
    ...(skipped.size === 0 ? [] : [[...skipped].map((range) => range.map(streamIdText))]),
  ];
}

/**
 * Undo records: the inverses of mutations. They are applied newest first. A record identifies a key by its database and
 * name, and a list, set or other collection by the object itself. The object is not replaced as long as records refer
 * to it.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Hash } from "../values/hash.js";
import type { End, List } from "../values/list.js";
import type { MemberSet } from "../values/member-set.js";
import type { ObjectValue } from "../values/object-value.js";
import type { SortedSet } from "../values/sorted-set.js";
import type { Value } from "../values/value.js";
import { COMPLETE_ID, type KeyEntry, type Keyspace, NO_EXPIRY } from "./keyspace.js";
import { unpatchString } from "./string-parts.js";

interface OfKey {
  readonly db: number;
  readonly key: ByteString;
}

/** The type of the undo record of each mutator, by the mutator's name. */
export interface UndoRecords {
  /**
   * The previous content of the key. The fields are in the record itself, not in a nested object, because each
   * SET and each INCR stores such a record. `old` is null if the key was absent.
   */
  put: OfKey & {
    readonly old: Value | null;
    readonly expire: number;
    /** The last writer: `writerStart` and `writerIndex` of `KeyEntry`. */
    readonly writer: ByteString;
    readonly index: number;
  };
  expire: OfKey & { readonly old: number };
  /**
   * `before` is the preceding record of the unit, usually the one for the change of the value. It is linked from here,
   * because an array of two records would use more memory.
   */
  writer: OfKey & { readonly old: ByteString; readonly index: number; readonly before: UndoRecord | null };
  /**
   * The previous writer of the groups of a stream, in the form of `writer`. The key itself counts as unchanged for
   * subscribers.
   */
  groupsWriter: UndoRecords["writer"];
  patch: OfKey & { readonly offset: number; readonly old: ByteString; readonly length: number };
  listPush: { readonly list: List; readonly end: End };
  listPop: { readonly list: List; readonly end: End; readonly element: ByteString };
  listSplice: {
    readonly list: List;
    readonly index: number;
    readonly removed: readonly ByteString[];
    readonly inserted: number;
  };
  setAdd: { readonly set: MemberSet };
  setRemove: { readonly set: MemberSet; readonly slot: number; readonly member: ByteString };
  hashAdd: { readonly hash: Hash };
  hashPut: { readonly hash: Hash; readonly slot: number; readonly old: ByteString };
  hashRemove: {
    readonly hash: Hash;
    readonly slot: number;
    readonly field: ByteString;
    readonly old: ByteString;
  };
  score: { readonly zset: SortedSet; readonly member: ByteString; readonly old: number | undefined };
  replaceDb: { readonly db: number; readonly old: Keyspace };
  swapDb: { readonly first: number; readonly second: number };
}

type MutatorName = keyof UndoRecords;
type BasicRecord = { [M in MutatorName]: { readonly mutator: M } & UndoRecords[M] }[MutatorName];
export type UndoRecord = BasicRecord | ValueChange;

const inverses: { readonly [M in MutatorName]: (keyspaces: Keyspace[], record: UndoRecords[M]) => void } = {
  put: (keyspaces, { db, key, old, expire, writer, index }) => {
    if (old === null) keyspaces[db]!.delete(key);
    else keyspaces[db]!.set(key, old, expire, writer).writerIndex = index;
  },
  expire: (keyspaces, { db, key, old }) => keyspaces[db]!.setExpire(keyspaces[db]!.find(key)!, old),
  writer: (keyspaces, { db, key, old, index, before }) => {
    const entry = keyspaces[db]!.find(key)!;
    entry.writerStart = old;
    entry.writerIndex = index;
    if (before !== null) undoOne(keyspaces, before);
  },
  groupsWriter: (keyspaces, { db, key, old, index, before }) => {
    const stream = keyspaces[db]!.find(key)!.value as ObjectValue;
    stream.groupsWriterStart = old;
    stream.groupsWriterIndex = index;
    if (before !== null) undoOne(keyspaces, before);
  },
  patch: (keyspaces, { db, key, offset, old, length }) => {
    unpatchString(keyspaces[db]!.find(key)!, offset, old, length);
  },
  listPush: (_, { list, end }) => list.pop(end),
  listPop: (_, { list, end, element }) => list.push(end, element),
  listSplice: (_, { list, index, removed, inserted }) => list.splice(index, inserted, removed),
  setAdd: (_, { set }) => set.pop(),
  setRemove: (_, { set, slot, member }) => set.restoreAt(slot, member),
  hashAdd: (_, { hash }) => hash.pop(),
  hashPut: (_, { hash, slot, old }) => hash.setAt(slot, old),
  hashRemove: (_, { hash, slot, field, old }) => hash.restoreAt(slot, field, old),
  score: (_, { zset, member, old }) => {
    if (old === undefined) zset.delete(member);
    else zset.set(member, old);
  },
  replaceDb: (keyspaces, { db, old }) => {
    keyspaces[db] = old;
  },
  swapDb: (keyspaces, { first, second }) => swapKeyspaces(keyspaces, first, second),
};

/** Undoes changes, newest first. The same records must not be undone twice. */
export function undo(keyspaces: Keyspace[], records: readonly UndoRecord[]): void {
  for (let i = records.length - 1; i >= 0; i--) undoOne(keyspaces, records[i] as UndoRecord);
}

function undoOne(keyspaces: Keyspace[], record: UndoRecord): void {
  if (record.mutator === "value") record.undo();
  else undoBasic(keyspaces, record);
}

function undoBasic<M extends MutatorName>(
  keyspaces: Keyspace[],
  record: { mutator: M } & UndoRecords[M],
): void {
  inverses[record.mutator](keyspaces, record);
}

/**
 * Returns the inverse of `put`, `delete` and `setBytes`. The record refers to the name of the key as the
 * database stores it, so it does not keep the arguments of the command in memory.
 */
export function putRecord(db: number, key: ByteString, entry: KeyEntry | undefined): UndoRecord {
  if (entry === undefined)
    return { mutator: "put", db, key, old: null, expire: NO_EXPIRY, writer: "", index: COMPLETE_ID };
  const { key: storedKey, value: old, expire, writerStart: writer, writerIndex: index } = entry;
  return { mutator: "put", db, key: storedKey, old, expire, writer, index };
}

export function swapKeyspaces(keyspaces: Keyspace[], first: number, second: number): void {
  const swapped = keyspaces[first]!;
  keyspaces[first] = keyspaces[second]!;
  keyspaces[second] = swapped;
}

/** Approximate bytes of an element of a list, of a member of a set, or of a field of a hash. */
export const ELEMENT_BYTES = 64;
export const ARRAY_SLOT_BYTES = 8;

/** How one kind of change is undone. */
export interface Inverse<Changed = unknown, Old = unknown> {
  /** Restores a value, or a part of it, from what its mutator recorded. */
  undo(changed: Changed, old: Old): void;
  /** Returns the approximate bytes that the recorded data keeps in memory. */
  bytes(old: Old): number;
}

/** The `bytes` of an inverse that records no old data. */
export const NO_BYTES = (): number => 0;

/**
 * The undo record of a change to a value of a face. The basic types have records of their own above; a face has only a
 * table of inverses, next to its mutators.
 */
export class ValueChange<Changed = unknown, Old = unknown> {
  readonly mutator = "value";
  readonly inverse: Inverse<Changed, Old>;
  readonly changed: Changed;
  readonly old: Old;

  constructor(inverse: Inverse<Changed, Old>, changed: Changed, old: Old) {
    this.inverse = inverse;
    this.changed = changed;
    this.old = old;
  }

  undo(): void {
    this.inverse.undo(this.changed, this.old);
  }

  get bytes(): number {
    return this.inverse.bytes(this.old);
  }

  /** Whether this is a change of the given kind. */
  isOf<OfChanged, OfOld>(inverse: Inverse<OfChanged, OfOld>): this is ValueChange<OfChanged, OfOld> {
    return (this.inverse as Inverse) === (inverse as Inverse);
  }
}

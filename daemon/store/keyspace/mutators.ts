/**
 * The store's interface for handlers: look-ups, and one small set of mutators through which all changes are made. Each
 * mutator records its exact inverse (undo.ts) if records are requested. The mutators of a face's values are in the
 * face's folder; they use `record` and `touch`. A mutator makes the unit the key's last writer, so a handler calls it
 * only if its command counts as a write of that key. Only setAdd, setRemove, hashPut, hashRemove and score check
 * whether they change anything, and do nothing otherwise.
 */

import { type ByteString, detached } from "../../../protocol/byte-string.js";
import { wrongType } from "../arguments/command-errors.js";
import type { Hash } from "../values/hash.js";
import type { End, List } from "../values/list.js";
import type { MemberSet } from "../values/member-set.js";
import { SortedSet } from "../values/sorted-set.js";
import { copied } from "../values/tables/packed-elements.js";
import type { Value } from "../values/value.js";
import {
  type EffortBudget,
  MEMBER_STEPS,
  REMOVED_ELEMENT_STEPS,
  SORTED_MEMBER_STEPS,
  UNCOUNTED_EFFORT,
  WALKED_KEY_STEPS,
} from "./effort-budget.js";
import { KeyUsage, Lookups, NOT_USED, UNCOUNTED } from "./key-usage.js";
import { isExpired, type KeyEntry, Keyspace, NO_EXPIRY, noteWriter } from "./keyspace.js";
import { holdsString, patchString, type StringForms, stringLength, stringPart } from "./string-parts.js";
import { type Inverse, putRecord, swapKeyspaces, type UndoRecord, ValueChange } from "./undo.js";
import type { Unit } from "./unit.js";

/** An entry whose type has been checked. */
export type Typed<V extends Value> = Omit<KeyEntry, "value"> & { value: V };

/** The class of a collection. */
type ValueClass<V> = new () => V;

const memberSteps = (value: Value): number =>
  value instanceof SortedSet ? SORTED_MEMBER_STEPS : MEMBER_STEPS;

export class Data {
  readonly #keyspaces: Keyspace[];
  /** The encodings of modified strings, or null if they are not tracked. */
  readonly forms: StringForms | null;
  /** The use of keys. */
  readonly usage: KeyUsage;
  readonly lookups = new Lookups();
  /** Counts the elements that the command produces and reads. */
  effort: EffortBudget = UNCOUNTED_EFFORT;
  #counted = UNCOUNTED;
  #unit: Unit = { at: 0, db: 0, id: "" };
  /** The `use` of the keys that the unit uses, or NOT_USED. */
  #use = NOT_USED;
  #records: UndoRecord[] | null = null;
  /** The entry whose previous writer was recorded last. */
  #touched: KeyEntry | null = null;
  /** The string that was patched last. */
  #patched: KeyEntry | null = null;
  /** The id of the unit that patched that string. */
  #patchedBy: ByteString = "";

  constructor(keyspaces: Keyspace[], usage = new KeyUsage(), forms: StringForms | null = null) {
    this.#keyspaces = keyspaces;
    this.usage = usage;
    this.forms = forms;
  }

  /**
   * Begins a unit.
   * @param records receives the inverses; null if none are stored
   * @param command whether its look-ups are counted, and whether it uses its keys
   */
  begin(
    unit: Unit,
    records: UndoRecord[] | null,
    { reads, isUse }: { readonly reads: boolean; readonly isUse: boolean },
    effort = UNCOUNTED_EFFORT,
  ): void {
    this.effort = effort;
    this.#counted = reads ? this.lookups : UNCOUNTED;
    this.#unit = unit;
    this.#use = isUse ? this.usage.now : NOT_USED;
    this.#records = records;
    this.#touched = null;
  }

  /** The unit's date. */
  get at(): number {
    return this.#unit.at;
  }

  get databases(): number {
    return this.#keyspaces.length;
  }

  keyspace(db = this.#unit.db): Keyspace {
    return this.#keyspaces[db] as Keyspace;
  }

  /**
   * Returns all entries of the unit's database, including expired ones, and counts the cost of reading them.
   * @throws BudgetExceeded
   */
  walked(): readonly KeyEntry[] {
    const { entries } = this.keyspace();
    this.effort.work(WALKED_KEY_STEPS * entries.length);
    return entries;
  }

  /** Returns the key's entry, unless it has expired by the unit's date. */
  get(key: ByteString, db = this.#unit.db): KeyEntry | undefined {
    const entry = this.#keyspaces[db]!.find(key);
    if (entry === undefined || isExpired(entry, this.#unit.at)) {
      this.#counted.miss(key);
      return undefined;
    }
    this.#counted.hits++;
    if (this.#use > entry.use) entry.use = this.#use;
    return entry;
  }

  /** @throws CommandFailure WRONGTYPE */
  getString(key: ByteString): Typed<ByteString> | undefined {
    const entry = this.get(key);
    if (entry !== undefined && !holdsString(entry)) throw wrongType();
    return entry as Typed<ByteString> | undefined;
  }

  /** @throws CommandFailure WRONGTYPE */
  getAs<V extends Exclude<Value, ByteString>>(type: ValueClass<V>, key: ByteString): Typed<V> | undefined {
    const entry = this.get(key);
    if (entry !== undefined && !(entry.content instanceof type)) throw wrongType();
    return entry as Typed<V> | undefined;
  }

  /** Returns the entry of a collection, which is created if it is absent. @throws CommandFailure WRONGTYPE */
  getOrPut<V extends Exclude<Value, ByteString>>(type: new () => V, key: ByteString): Typed<V> {
    return this.getAs(type, key) ?? (this.put(key, new type()) as Typed<V>);
  }

  /** Sets a key to a value; replaces any previous value. */
  put(key: ByteString, value: Value, expire = NO_EXPIRY, db = this.#unit.db): KeyEntry {
    if (typeof value !== "string") this.effort.produce(1 + memberSteps(value) * value.size);
    const keyspace = this.#keyspaces[db]!;
    const entry = keyspace.find(key);
    if (this.#records !== null) this.#records.push(putRecord(db, key, entry));
    if (entry !== undefined) {
      keyspace.replace(entry, value, expire);
      if (this.#use > entry.use) entry.use = this.#use;
      this.forms?.forget(entry);
    }

    this.#touched = entry ?? keyspace.add(key, value, this.#expiryOfNew(expire), "");
    noteWriter(this.#touched, this.#unit);
    return this.#touched;
  }

  /** Returns the expiry of a key that the command creates: the recorded one, unless the command sets another. */
  #expiryOfNew(expire: number): number {
    return expire === NO_EXPIRY ? (this.#unit.expiry ?? expire) : expire;
  }

  /** Removes a key. */
  delete(key: ByteString, db = this.#unit.db): void {
    const keyspace = this.#keyspaces[db]!;
    if (this.#records !== null) this.#records.push(putRecord(db, key, keyspace.find(key)));
    keyspace.delete(key);
  }

  /** Sets a key's expiry time or removes it (NO_EXPIRY). */
  expire(entry: KeyEntry, expire: number): void {
    this.#records?.push({ mutator: "expire", db: this.#unit.db, key: entry.key, old: entry.expire });
    this.keyspace().setExpire(entry, expire);
    this.touch(entry);
  }

  /** Replaces a string's bytes; the expiry time stays the same. */
  setBytes(entry: Typed<ByteString>, bytes: ByteString): void {
    // This record includes the previous writer: a second record, and an array for both, would take twice the memory.
    this.#records?.push(putRecord(this.#unit.db, entry.key, entry));
    entry.value = bytes;
    this.#touched = entry;
    noteWriter(entry, this.#unit);
    this.forms?.forget(entry);
  }

  /**
   * Writes bytes into a string, starting at an offset; the expiry time stays the same. Zeros fill a gap after the end
   * of the string. The record contains only the overwritten bytes.
   */
  patch(entry: KeyEntry, offset: number, bytes: ByteString): void {
    this.effort.produce(1, bytes.length + Math.max(0, offset - stringLength(entry)));
    if (this.#records !== null) {
      const length = stringLength(entry);
      const part = stringPart(entry, offset, offset + bytes.length);
      // A slice of a few bytes would keep the complete long string alive.
      const old = 2 * part.length < length ? detached(part) : part;
      this.#records.push({ mutator: "patch", db: this.#unit.db, key: entry.key, offset, old, length });
    }

    // Only the unit's first patch of a string may be concatenated lazily, because a unit that appends several times may
    // read the string in between.
    const isFirst = this.#patched !== entry || this.#patchedBy !== this.#unit.id;
    this.#patched = entry;
    this.#patchedBy = this.#unit.id;
    patchString(entry, offset, bytes, isFirst);
    this.touch(entry);
    this.forms?.note(entry, "raw");
  }

  listPush(entry: Typed<List>, end: End, element: ByteString): void {
    this.effort.produce(1, element.length);
    this.#records?.push({ mutator: "listPush", list: entry.value, end });
    entry.value.push(end, element);
    this.touch(entry);
  }

  /**
   * Removes an element from an end; a list that becomes empty is removed. If records are stored, the result may be
   * stored as well.
   * @param known  the same element as a string that is stored anyway
   */
  listPop(entry: Typed<List>, end: End, known?: ByteString): ByteString {
    this.effort.produce(1);
    let element = entry.value.pop(end);
    if (this.#records !== null) {
      element = known ?? copied(element);
      this.#records.push({ mutator: "listPop", list: entry.value, end, element });
    }
    this.#touchOrDrop(entry);
    return element;
  }

  /** Replaces `count` elements, starting at an index; a list that becomes empty is removed. */
  listSplice(entry: Typed<List>, index: number, count: number, inserted: readonly ByteString[]): void {
    this.effort.produce(1 + count + inserted.length);
    this.effort.work(REMOVED_ELEMENT_STEPS * count);
    const removed = this.#records === null ? [] : entry.value.slice(index, index + count).map(copied);
    this.#records?.push({
      mutator: "listSplice",
      list: entry.value,
      index,
      removed,
      inserted: inserted.length,
    });
    entry.value.splice(index, count, inserted);
    this.#touchOrDrop(entry);
  }

  /** Adds a member. @returns whether it was absent */
  setAdd(entry: Typed<MemberSet>, member: ByteString): boolean {
    this.effort.produce(MEMBER_STEPS);
    if (entry.value.has(member)) return false;
    entry.value.push(member);
    this.#records?.push({ mutator: "setAdd", set: entry.value });
    this.touch(entry);
    return true;
  }

  /** Removes a member; a set that becomes empty is removed. @returns whether it was present */
  setRemove(entry: Typed<MemberSet>, member: ByteString): boolean {
    this.effort.produce(MEMBER_STEPS);
    const slot = entry.value.find(member);
    if (slot < 0) return false;
    this.#records?.push({ mutator: "setRemove", set: entry.value, slot, member });
    entry.value.removeAt(slot);
    this.#touchOrDrop(entry);
    return true;
  }

  /** Sets a field. @returns whether it was absent */
  hashPut(entry: Typed<Hash>, field: ByteString, value: ByteString): boolean {
    this.effort.produce(MEMBER_STEPS);
    const hash = entry.value;
    const slot = hash.find(field);
    if (slot < 0) {
      this.#records?.push({ mutator: "hashAdd", hash });
      hash.push(field, value);
      this.touch(entry);
      return true;
    }

    const old = hash.valueAt(slot);
    if (old === value) return false;
    this.#records?.push({ mutator: "hashPut", hash, slot, old: copied(old) });
    hash.setAt(slot, value);
    this.touch(entry);
    return false;
  }

  /** Removes a field; a hash that becomes empty is removed. @returns whether it was present */
  hashRemove(entry: Typed<Hash>, field: ByteString): boolean {
    this.effort.produce(MEMBER_STEPS);
    const hash = entry.value;
    const slot = hash.find(field);
    if (slot < 0) return false;
    this.#records?.push({ mutator: "hashRemove", hash, slot, field, old: copied(hash.valueAt(slot)) });
    hash.removeAt(slot);
    this.#touchOrDrop(entry);
    return true;
  }

  /** Sets a member's score or removes the member (undefined); a sorted set that becomes empty is removed. */
  score(entry: Typed<SortedSet>, member: ByteString, score: number | undefined): void {
    this.effort.produce(SORTED_MEMBER_STEPS);
    const zset = entry.value;
    const old = zset.get(member);
    if (old === score) return;
    this.#records?.push({ mutator: "score", zset, member, old });
    if (score === undefined) zset.delete(member);
    else zset.set(member, score);
    this.#touchOrDrop(entry);
  }

  /** Empties a database in one step. */
  replaceDb(db: number): void {
    this.#records?.push({ mutator: "replaceDb", db, old: this.keyspace(db) });
    this.#keyspaces[db] = new Keyspace(this.usage);
  }

  swapDb(first: number, second: number): void {
    this.#records?.push({ mutator: "swapDb", first, second });
    swapKeyspaces(this.#keyspaces, first, second);
  }

  /** Records the inverse of a change to a value of a face, if records are stored. */
  record<Changed, Old>(inverse: Inverse<Changed, Old>, changed: Changed, old: Old): void {
    this.#records?.push(new ValueChange(inverse, changed, old));
  }

  /** Makes the unit the last writer of a key whose value it has changed. */
  touch(entry: KeyEntry): void {
    const { db } = this.#unit;
    // Compares entries instead of writers' ids: ids mostly differ only at their ends, so comparing two ids would take
    // longer than some commands.
    if (this.#records !== null && this.#touched !== entry) {
      const { key, writerStart: old, writerIndex: index } = entry;
      const before = this.#records.pop() ?? null;
      this.#records.push({ mutator: "writer", db, key, old, index, before });
      this.#touched = entry;
    }
    noteWriter(entry, this.#unit);
  }

  #touchOrDrop(entry: Typed<Exclude<Value, ByteString>>): void {
    if (entry.value.size === 0) this.delete(entry.key);
    else this.touch(entry);
  }
}

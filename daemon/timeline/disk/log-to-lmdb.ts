/**
 * Moves groups from the log into LMDB in the background, many in one transaction; no answer waits for that. Reads
 * combine LMDB with the groups that are not in LMDB yet.
 */

import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { firstFrom } from "../../store/values/tables/binary-search.js";
import type { OperationGroup } from "../entries/storage.js";
import type { Slice } from "./lmdb-reader.js";
import type { LmdbTree } from "./lmdb-tree.js";

/** Milliseconds between two transactions at low load: each costs two syncs and some milliseconds of CPU. */
const MOVE_EVERY_MS = 1000;
/**
 * The maximum bytes of groups that are not in LMDB yet and are therefore in memory. If there are more, the log waits.
 */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

export interface MoveHandlers {
  /** Called when LMDB has all groups up to the given number. */
  readonly onMoved: (sequence: number) => void;
  /** Called when LMDB accepts no more writes. */
  readonly onFailed: (problem: unknown) => void;
}

export class LogToLmdb {
  readonly #tree: LmdbTree;
  readonly #marker: Buffer;
  readonly #handlers: MoveHandlers;
  readonly #unmoved = new UnmovedOperations();
  /** Groups that are in the log but not in LMDB, the oldest first. */
  #groups: OperationGroup[] = [];
  #bytes = 0;
  #operations = 0;
  /** The numbers of the last group that was added, and of the last group that was moved. */
  #added = 0;
  #moved = 0;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @param marker  the marker of the log's records */
  constructor(tree: LmdbTree, marker: Buffer, handlers: MoveHandlers) {
    this.#tree = tree;
    this.#marker = marker;
    this.#handlers = handlers;
  }

  get hasBacklog(): boolean {
    return this.#bytes > BACKLOG_BYTES_MAX;
  }

  /** Adds a group that the log has written. */
  add(group: OperationGroup): void {
    this.#unmoved.add(group);
    this.#groups.push(group);
    this.#added = group.sequence;
    this.#bytes += group.bytes;
    this.#operations += group.operations.length;
    this.#continue();
  }

  /** Resolves when LMDB has everything that was added so far, or has failed. */
  async settled(): Promise<void> {
    const last = this.#added;
    while (this.#moved < last && !this.#isStopped) await (this.#running ?? this.#start());
  }

  /** Stops before the next transaction; the current one may still succeed or fail. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  get(orderKey: Buffer): Buffer | null {
    const value = this.#unmoved.get(orderKey);
    return value === undefined ? this.#tree.get(orderKey) : value;
  }

  mark(name: string): Buffer | null {
    return this.#unmoved.mark(name) ?? this.#tree.mark(name);
  }

  *orderKeys(from: Buffer | null, to: Buffer | null): Generator<Buffer> {
    for (const slice of this.#tree.orderKeys(from, to)) {
      yield* this.#unmoved.merge(
        slice,
        (orderKey) => orderKey,
        ({ orderKey }) => orderKey,
      );
    }
  }

  *entries(from: Buffer | null, to: Buffer | null): Generator<readonly [orderKey: Buffer, value: Buffer]> {
    for (const slice of this.#tree.entries(from, to)) {
      const entries = this.#unmoved.merge(
        slice,
        ({ key }) => key,
        ({ orderKey, value }) => ({ key: orderKey, value }),
      );
      for (const { key, value } of entries) yield [key, value];
    }
  }

  last(): Buffer | null {
    const unmoved = this.#unmoved.last();
    for (const orderKey of this.#tree.backwards()) {
      if (unmoved !== null && unmoved.compare(orderKey) > 0) return unmoved;
      if (this.#unmoved.get(orderKey) !== null) return orderKey;
    }
    return unmoved;
  }

  #continue(): void {
    if (this.#running !== null || this.#isStopped || this.#groups.length === 0) return;
    if (this.#bytes >= BYTES_MAX || this.#operations >= OPERATIONS_MAX) this.#start();
    else this.#timer ??= setTimeout(this.#start, MOVE_EVERY_MS).unref();
  }

  readonly #start = (): Promise<void> => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#moveSome().finally(() => {
      this.#running = null;
      this.#continue();
    });
    return this.#running;
  };

  async #moveSome(): Promise<void> {
    const groups = takeBatch(this.#groups);
    const { sequence } = groups.at(-1) as OperationGroup;

    try {
      await this.#tree.commit(operationsOf(groups), { sequence, marker: this.#marker });
    } catch (problem) {
      this.#isStopped = true;
      this.#handlers.onFailed(problem);
      return;
    }

    for (const { bytes, operations } of groups) {
      this.#bytes -= bytes;
      this.#operations -= operations.length;
    }

    this.#unmoved.moved(sequence);
    this.#moved = sequence;
    this.#handlers.onMoved(sequence);
  }
}

/**
 * The maximum number of operations in a transaction that moves groups from the log into LMDB. When this many are
 * pending, a transaction starts immediately. Passing them to LMDB occupies the event loop for a few milliseconds.
 */
const OPERATIONS_MAX = 1024;
const BYTES_MAX = 4 * 1024 * 1024;

/** Removes the groups of the next transaction, at least one, from the beginning of a list, and returns them. */
export function takeBatch(groups: OperationGroup[]): OperationGroup[] {
  let [count, bytes, operations] = [0, 0, 0];
  for (const group of groups) {
    bytes += group.bytes;
    operations += group.operations.length;
    if (count > 0 && (bytes > BYTES_MAX || operations > OPERATIONS_MAX)) break;
    count++;
  }
  return groups.splice(0, count);
}

/** Returns the operations of groups in their order. */
export const operationsOf = (groups: readonly OperationGroup[]) =>
  groups.flatMap(({ operations }) => operations);

/** The last change at an order key. */
interface Change {
  readonly orderKey: Buffer;
  /** The new value, or null if the entry was removed. */
  readonly value: Buffer | null;
  /** The group that contains the change. */
  readonly sequence: number;
}

/** An entry that exists. */
type UnmovedEntry = Change & { readonly value: Buffer };

/** The operations that are in the log but not yet in LMDB, sorted by order key. */
export class UnmovedOperations {
  readonly #changes = new Map<ByteString, Change>();
  /** The keys of the changes in ascending order. */
  #order: ByteString[] = [];
  readonly #marks = new Map<string, { readonly value: Buffer; readonly sequence: number }>();

  add({ sequence, operations }: OperationGroup): void {
    for (const operation of operations) {
      if (operation.kind === "mark") this.#marks.set(operation.name, { value: operation.value, sequence });
      else {
        const { orderKey } = operation;
        this.#change({ orderKey, value: operation.kind === "put" ? operation.value : null, sequence });
      }
    }
  }

  /** Drops all groups up to the given number, because LMDB has them. */
  moved(sequence: number): void {
    this.#order = this.#order.filter((key) => {
      const stays = (this.#changes.get(key) as Change).sequence > sequence;
      if (!stays) this.#changes.delete(key);
      return stays;
    });
    for (const [name, mark] of this.#marks) if (mark.sequence <= sequence) this.#marks.delete(name);
  }

  /** Returns the value of an entry, null if it was removed, or undefined if LMDB has its last change. */
  get(orderKey: Buffer): Buffer | null | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(bytesOf(orderKey))?.value;
  }

  mark(name: string): Buffer | null {
    return this.#marks.get(name)?.value ?? null;
  }

  /** Returns the greatest order key of an existing entry, or null if there is none. */
  last(): Buffer | null {
    const key = this.#order.findLast((key) => this.#changes.get(key)?.value !== null);
    return key === undefined ? null : (this.#changes.get(key) as Change).orderKey;
  }

  /**
   * Returns the items in a range of order keys: LMDB's items with all changes that LMDB does not have yet.
   * @param slice  LMDB's items in the range
   * @param itemOf  creates an item like LMDB's for an entry that LMDB does not have
   */
  merge<T>(
    { from, to, items }: Slice<T>,
    orderKeyOf: (item: T) => Buffer,
    itemOf: (entry: UnmovedEntry) => T,
  ): readonly T[] {
    const order = this.#order;
    const end = to === null ? order.length : firstFrom(order, bytesOf(to));
    let next = from === null ? 0 : firstFrom(order, bytesOf(from));
    if (next >= end) return items;

    const merged: T[] = [];
    const add = (key: ByteString): void => {
      const change = this.#changes.get(key) as Change;
      if (exists(change)) merged.push(itemOf(change));
    };

    for (const item of items) {
      const key = bytesOf(orderKeyOf(item));
      while (next < end && (order[next] as ByteString) < key) add(order[next++] as ByteString);
      if (next === end || order[next] !== key) merged.push(item);
    }
    while (next < end) add(order[next++] as ByteString);
    return merged;
  }

  #change(change: Change): void {
    const key = bytesOf(change.orderKey);
    if (!this.#changes.has(key)) this.#order.splice(firstFrom(this.#order, key), 0, key);
    this.#changes.set(key, change);
  }
}

const exists = (change: Change): change is UnmovedEntry => change.value !== null;

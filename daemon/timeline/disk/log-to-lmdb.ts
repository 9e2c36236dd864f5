/**
 * Moves groups from the log into LMDB in the background, many in one transaction; no answer waits for that. Reads
 * combine LMDB with the groups that are not in LMDB yet.
 */

import type { OperationGroup } from "../entries/storage-operation.js";
import { BYTES_MAX, OPERATIONS_MAX, operationsOf, takeBatch } from "./filing-batch.js";
import type { LmdbTree } from "./lmdb-tree.js";
import { UnfiledOperations } from "./unfiled-operations.js";

/** Milliseconds between two transactions at low load: each costs two syncs and some milliseconds of CPU. */
const FILE_EVERY_MS = 1000;
/**
 * The maximum bytes of groups that are not in LMDB yet and are therefore in memory. If there are more, the log waits.
 */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

export interface FilingHandlers {
  /** Called when LMDB has all groups up to the given number. */
  readonly onFiled: (sequence: number) => void;
  /** Called when LMDB accepts no more writes. */
  readonly onFailed: (problem: unknown) => void;
}

export class LogToLmdb {
  readonly #tree: LmdbTree;
  readonly #marker: Buffer;
  readonly #handlers: FilingHandlers;
  readonly #unfiled = new UnfiledOperations();
  /** Groups that are in the log but not in LMDB, the oldest first. */
  #groups: OperationGroup[] = [];
  #bytes = 0;
  #operations = 0;
  /** The numbers of the last group that was added, and of the last group that was filed. */
  #added = 0;
  #filed = 0;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @param marker  the marker of the log's records */
  constructor(tree: LmdbTree, marker: Buffer, handlers: FilingHandlers) {
    this.#tree = tree;
    this.#marker = marker;
    this.#handlers = handlers;
  }

  get hasBacklog(): boolean {
    return this.#bytes > BACKLOG_BYTES_MAX;
  }

  /** Adds a group that the log has written. */
  add(group: OperationGroup): void {
    this.#unfiled.add(group);
    this.#groups.push(group);
    this.#added = group.sequence;
    this.#bytes += group.bytes;
    this.#operations += group.operations.length;
    this.#continue();
  }

  /** Resolves when LMDB has everything that was added so far, or has failed. */
  async settled(): Promise<void> {
    const last = this.#added;
    while (this.#filed < last && !this.#isStopped) await (this.#running ?? this.#start());
  }

  /** Stops before the next transaction; the current one may still succeed or fail. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  get(orderKey: Buffer): Buffer | null {
    const value = this.#unfiled.get(orderKey);
    return value === undefined ? this.#tree.get(orderKey) : value;
  }

  mark(name: string): Buffer | null {
    return this.#unfiled.mark(name) ?? this.#tree.mark(name);
  }

  *orderKeys(from: Buffer | null, to: Buffer | null): Generator<Buffer> {
    for (const slice of this.#tree.orderKeys(from, to)) {
      yield* this.#unfiled.merge(
        slice,
        (orderKey) => orderKey,
        ({ orderKey }) => orderKey,
      );
    }
  }

  *entries(from: Buffer | null, to: Buffer | null): Generator<readonly [orderKey: Buffer, value: Buffer]> {
    for (const slice of this.#tree.entries(from, to)) {
      const entries = this.#unfiled.merge(
        slice,
        ({ key }) => key,
        ({ orderKey, value }) => ({ key: orderKey, value }),
      );
      for (const { key, value } of entries) yield [key, value];
    }
  }

  last(): Buffer | null {
    const unfiled = this.#unfiled.last();
    for (const orderKey of this.#tree.backwards()) {
      if (unfiled !== null && unfiled.compare(orderKey) > 0) return unfiled;
      if (this.#unfiled.get(orderKey) !== null) return orderKey;
    }
    return unfiled;
  }

  #continue(): void {
    if (this.#running !== null || this.#isStopped || this.#groups.length === 0) return;
    if (this.#bytes >= BYTES_MAX || this.#operations >= OPERATIONS_MAX) this.#start();
    else this.#timer ??= setTimeout(this.#start, FILE_EVERY_MS).unref();
  }

  readonly #start = (): Promise<void> => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#fileSome().finally(() => {
      this.#running = null;
      this.#continue();
    });
    return this.#running;
  };

  async #fileSome(): Promise<void> {
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
    this.#unfiled.filed(sequence);
    this.#filed = sequence;
    this.#handlers.onFiled(sequence);
  }
}

/** The limits of one transaction that moves groups from the log into LMDB. */
import type { OperationGroup } from "../entries/storage-operation.js";

/**
 * The maximum number of operations in a transaction. When this many are pending, a transaction starts immediately.
 * Passing them to LMDB occupies the event loop for a few milliseconds.
 */
export const OPERATIONS_MAX = 1024;
export const BYTES_MAX = 4 * 1024 * 1024;

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

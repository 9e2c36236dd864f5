/** One change of the storage. Each put and each remove is a list of such operations, in the log and in LMDB. */

export type StorageOperation =
  | { readonly kind: "put"; readonly orderKey: Buffer; readonly value: Buffer }
  | { readonly kind: "remove"; readonly orderKey: Buffer }
  | { readonly kind: "mark"; readonly name: string; readonly value: Buffer };

/** Operations that were written to the log together: all of them exist, or none. */
export interface OperationGroup {
  /** Groups are numbered consecutively from 1 on, over all restarts. */
  readonly sequence: number;
  readonly operations: readonly StorageOperation[];
  /** Bytes that the operations take in the log. */
  readonly bytes: number;
}

/** The position in the log up to which LMDB has everything. */
export interface LogMark {
  /** The number of the last group that LMDB has. */
  readonly sequence: number;
  /** The marker of the log's records: 16 bytes. */
  readonly marker: Buffer;
}

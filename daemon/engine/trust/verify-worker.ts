/**
 * The entry point of a thread that verifies signatures. Each message to the thread contains the entries of one task,
 * and the thread's answer contains the number of that task.
 */
import { parentPort } from "node:worker_threads";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type PackedEntry, readEntries } from "../../../protocol/members/member-elements.js";
import { signedPieces } from "../../../protocol/version-2/envelope.js";
import { hashOf } from "./identity.js";
import { KnownKeys } from "./known-keys.js";

/** A task of the thread. */
export interface SignatureTask {
  readonly number: number;
  /** The entries, encoded as in a push. */
  readonly entries: Uint8Array;
  /** The keys that the entries name. */
  readonly keys: readonly { readonly id: ByteString; readonly spki: ByteString }[];
  /** The index in `keys` of each entry's key. */
  readonly signers: readonly number[];
}

/** The answer to a task. */
export interface SignatureAnswer {
  readonly number: number;
  /** The id of each entry whose signature is valid; null for the other entries. */
  readonly ids: readonly (ByteString | null)[];
}

const known = new KnownKeys();

function answerTask({ number, entries, keys, signers }: SignatureTask): SignatureAnswer {
  const read = readEntries(Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength)) ?? [];
  const ids = read.map((entry, i) => {
    const key = keys[signers[i] as number];
    return key === undefined ? null : idIfSigned(entry, key);
  });
  return { number, ids };
}

function idIfSigned(entry: PackedEntry, key: SignatureTask["keys"][number]): ByteString | null {
  try {
    const id = hashOf(...signedPieces(entry.body));
    return known.verify(key, entry, id) ? id : null;
  } catch {
    // The key or the body is malformed. The main thread reports which of them when it processes the entry.
    return null;
  }
}

parentPort?.on("message", (task: SignatureTask) => parentPort?.postMessage(answerTask(task)));

/**
 * Entry point of a thread that verifies signatures: each message has the entries of one task, each answer the number of
 * its task.
 */
import { parentPort } from "node:worker_threads";
import type { ByteString } from "../../protocol/byte-string.js";
import { type PackedEntry, readEntries } from "../../protocol/members/member-packing.js";
import { signedPieces } from "../../protocol/version-2/envelope.js";
import { hashOf } from "./identity.js";
import { KnownKeys } from "./known-keys.js";

/** A task of the thread. */
export interface SignatureTask {
  readonly number: number;
  /** Encoded as in a push. */
  readonly entries: Uint8Array;
  /** The keys that the entries name. */
  readonly keys: readonly { readonly id: ByteString; readonly spki: ByteString }[];
  /** For each entry the index of its key in `keys`. */
  readonly signers: readonly number[];
}

/** The answer to a task. */
export interface SignatureAnswer {
  readonly number: number;
  /** For each entry its id if the signature is valid, otherwise null. */
  readonly ids: readonly (ByteString | null)[];
}

const known = new KnownKeys();

function answer({ number, entries, keys, signers }: SignatureTask): SignatureAnswer {
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
    // The bytes are no key, or no body: the main thread reports which, when the entry's turn comes.
    return null;
  }
}

parentPort?.on("message", (task: SignatureTask) => parentPort?.postMessage(answer(task)));

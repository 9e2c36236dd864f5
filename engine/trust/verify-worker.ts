/** A thread that checks signatures for as long as it is let: each message asks for those of some entries, each answer has its number. */
import { parentPort } from "node:worker_threads";
import type { ByteString } from "../../protocol/byte-string.js";
import { type PackedEntry, readEntries } from "../../protocol/members/member-packing.js";
import { signedPieces } from "../../protocol/version-2/envelope.js";
import { hashOf } from "./identity.js";
import { KnownKeys } from "./known-keys.js";

/** What the thread is asked. */
export interface SignatureTask {
  readonly number: number;
  /** As in a push. */
  readonly entries: Uint8Array;
  /** The keys that the entries name. */
  readonly keys: readonly { readonly id: ByteString; readonly spki: ByteString }[];
  /** Of each entry its place in `keys`. */
  readonly signers: readonly number[];
}

/** What it answers. */
export interface SignatureAnswer {
  readonly number: number;
  /** Of each entry whose signature holds, its id; null: it does not hold. */
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
    // Bytes that are no key, or no body: the main thread says which, in the entry's turn.
    return null;
  }
}

parentPort?.on("message", (task: SignatureTask) => parentPort?.postMessage(answer(task)));

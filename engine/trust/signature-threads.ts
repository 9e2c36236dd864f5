/** What threads that check signatures are asked for an entry that a member gives: whether it is signed by the key that it names. */
import { availableParallelism } from "node:os";
import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import type { PackedEntry } from "../../protocol/members/member-packing.js";
import { readHead } from "../../protocol/version-2/envelope-head.js";
import type { KeyRing } from "../../store/key-ring.js";
import { knownKey, type Signers } from "./signers.js";
import { type Signed, VerifyThreads } from "./verify-threads.js";

/** Of an entry whose signature holds: its id, and the SubjectPublicKeyInfo of the key that made it. */
interface ProvedEntry {
  readonly id: ByteString;
  readonly spki: ByteString;
}

export interface SignatureThreads {
  /** What is found of entries, in their order; null: nothing. Never rejects. */
  prove(entries: readonly PackedEntry[]): Promise<readonly (ProvedEntry | null)[]>;
  stop(): void;
}

/** More give nothing: folding, which is the main thread's, is the limit then. */
const THREADS_BY_CORES = 3;

/** @param asked  threads; null: by the machine's processors @returns null: there are none */
export function signatureThreads(
  asked: number | null,
  signers: Signers,
  log: Logger,
): SignatureThreads | null {
  const count = asked ?? Math.min(availableParallelism() - 1, THREADS_BY_CORES);
  if (count === 0) return null;
  const threads = new VerifyThreads(count, ({ message }) =>
    log.warn(
      { reason: message },
      "a thread that checks signatures has ended, or cannot begin; the others and the main thread check",
    ),
  );
  return {
    prove: (entries) => prove(entries, signers.ring, threads),
    stop: () => threads.stop(),
  };
}

async function prove(
  entries: readonly PackedEntry[],
  ring: KeyRing,
  threads: VerifyThreads,
): Promise<readonly (ProvedEntry | null)[]> {
  const signed = entries.map((entry) => signedOf(entry, ring));
  const ids = await threads.check(signed.filter((one) => one !== null));
  let next = 0;
  return signed.map((one) => {
    const id = one === null ? null : ids[next++];
    return id == null || one === null ? null : { id, spki: one.key.spki };
  });
}

/** null: its key is not known here, or it is malformed; the check in its turn says which. */
function signedOf({ body, signature }: PackedEntry, ring: KeyRing): Signed | null {
  try {
    const { key: id } = readHead(body);
    const spki = knownKey(ring, id);
    return spki === undefined ? null : { body, signature, key: { id, spki } };
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

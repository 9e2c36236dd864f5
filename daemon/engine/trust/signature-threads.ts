/**
 * Verifies the signatures of members' entries in threads. Each signature is verified with the key that the entry names.
 */
import { availableParallelism } from "node:os";
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import type { PackedEntry } from "../../../protocol/members/packed-entries.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { KeyRing } from "../../store/key-ring.js";
import { knownKey, type Signers } from "./signers.js";
import { type Signed, VerifyThreads } from "./verify-threads.js";

/** The id of an entry whose signature is valid, and the SubjectPublicKeyInfo of the key that signed it. */
interface ProvedEntry {
  readonly id: ByteString;
  readonly spki: ByteString;
}

export interface SignatureThreads {
  /**
   * Returns the proof of each entry, in order, or null for an entry whose signature is invalid or was not verified.
   * Never rejects.
   */
  prove(entries: readonly PackedEntry[]): Promise<readonly (ProvedEntry | null)[]>;
  stop(): void;
}

/** Maximum number of threads: with more, the fold on the main thread would be the bottleneck. */
const THREADS_MAX = 3;

/**
 * Starts one thread less than the machine's processors, at most `THREADS_MAX`. Returns null if there are none.
 * @param count  the number of threads, which tests choose
 */
export function signatureThreads(
  signers: Signers,
  log: Logger,
  count = Math.min(availableParallelism() - 1, THREADS_MAX),
): SignatureThreads | null {
  if (count === 0) return null;
  const threads = new VerifyThreads(count, ({ message }) =>
    log.warn(
      { reason: message },
      "a thread that verifies signatures has ended, or cannot start; the remaining threads and the main thread verify the signatures",
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

/**
 * Returns the entry with the key that it names. Returns null if the key is unknown or the bytes are malformed, which
 * the check on the main thread reports.
 */
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

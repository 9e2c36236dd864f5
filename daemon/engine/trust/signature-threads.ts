/**
 * Verifies the signatures of members' entries in threads. Each signature is verified with the key that the entry names.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { type PackedEntry, writeEntries } from "../../../protocol/members/member-elements.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { PublicKey } from "./known-keys.js";
import { knownKey, type Signers } from "./signers.js";
import type { SignatureAnswer, SignatureTask } from "./verify-worker.js";

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

/** An entry, and the key that it names. */
interface Signed extends PackedEntry {
  readonly key: PublicKey;
}

/** The ids of entries whose signature is valid; null for a signature that is invalid or was not verified. */
type Ids = readonly (ByteString | null)[];

interface Thread {
  readonly worker: Worker;
  /** The functions that resolve unanswered tasks, by task number. */
  readonly pending: Map<number, (ids: Ids) => void>;
}

/**
 * The threads that verify signatures when many entries arrive together, for example while a daemon catches up. The
 * threads report which signatures are valid. The main thread performs all other checks when it processes the entry
 * (docs/decisions/0040).
 */
export class VerifyThreads {
  readonly #count: number;
  readonly #failed: (problem: Error) => void;
  readonly #makeWorker: () => Worker;
  /** The threads, or null if they start on first use. */
  #threads: Thread[] | null = null;
  #number = 0;

  /**
   * @param failed  called with the error of a thread that has ended or could not start. Its tasks are answered with an
   * empty list, and it receives no further tasks.
   */
  constructor(count: number, failed: (problem: Error) => void, makeWorker = makeVerifyWorker) {
    this.#count = count;
    this.#failed = failed;
    this.#makeWorker = makeWorker;
  }

  /**
   * Verifies entries in a single thread, so a caller with many entries should split them. Returns an empty list if no
   * thread can do the work. Never rejects.
   */
  check(signed: readonly Signed[]): Promise<Ids> {
    this.#threads ??= this.#startAll();
    const number = ++this.#number;
    const thread = this.#threads[number % this.#threads.length];
    if (thread === undefined || signed.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      thread.pending.set(number, resolve);
      thread.worker.postMessage(taskOf(number, signed));
    });
  }

  /** Stops the threads. Running and later tasks are answered with an empty list. */
  stop(): void {
    const threads = this.#threads ?? [];
    this.#threads = [];
    for (const thread of threads) {
      void thread.worker.terminate();
      giveUp(thread);
    }
  }

  #startAll(): Thread[] {
    const threads: Thread[] = [];
    try {
      while (threads.length < this.#count) threads.push(this.#start());
    } catch (problem) {
      // Use only the threads that have started if the system does not permit more, for example because of a container's
      // process limit.
      this.#failed(problem as Error);
    }
    return threads;
  }

  #start(): Thread {
    const worker = this.#makeWorker();
    worker.unref();
    const thread: Thread = { worker, pending: new Map() };

    worker.on("message", ({ number, ids }: SignatureAnswer) => {
      thread.pending.get(number)?.(ids);
      thread.pending.delete(number);
    });

    const ended = (problem: Error) => {
      if (this.#threads?.includes(thread) !== true) return;
      this.#threads = this.#threads.filter((one) => one !== thread);
      giveUp(thread);
      this.#failed(problem);
    };
    worker.on("error", ended);
    worker.on("exit", (code) => ended(new Error(`it ended with ${code}`)));
    return thread;
  }
}

const makeVerifyWorker = () => new Worker(new URL("./verify-worker.js", import.meta.url));

function giveUp({ pending }: Thread): void {
  for (const answer of pending.values()) answer([]);
  pending.clear();
}

function taskOf(number: number, signed: readonly Signed[]): SignatureTask {
  const keys: Signed["key"][] = [];
  const signers = signed.map(({ key }) => {
    const at = keys.findIndex(({ id, spki }) => id === key.id && spki === key.spki);
    return at === -1 ? keys.push(key) - 1 : at;
  });
  return { number, entries: writeEntries(signed), keys, signers };
}

/**
 * Verifies signatures in threads when many entries arrive together, for example while a daemon catches up. The threads report which signatures are valid. The main thread performs all other checks when it
 * processes the entry (docs/decisions/0040).
 */
import { Worker } from "node:worker_threads";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type PackedEntry, writeEntries } from "../../../protocol/members/packed-entries.js";
import type { PublicKey } from "./known-keys.js";
import type { SignatureAnswer, SignatureTask } from "./verify-worker.js";

/** An entry, and the key that it names. */
export interface Signed extends PackedEntry {
  readonly key: PublicKey;
}

/** The ids of entries whose signature is valid; null for a signature that is invalid or was not verified. */
type Ids = readonly (ByteString | null)[];

interface Thread {
  readonly worker: Worker;
  /** The functions that resolve unanswered tasks, by task number. */
  readonly pending: Map<number, (ids: Ids) => void>;
}

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

/**
 * --verify-threads: threads that check signatures where many come at once, as when a daemon catches up. They say what holds; all
 * else about an entry is judged on the main thread, in the entry's turn (docs/decisions/0040).
 */
import { Worker } from "node:worker_threads";
import type { ByteString } from "../../protocol/byte-string.js";
import { type PackedEntry, writeEntries } from "../../protocol/members/member-packing.js";
import type { PublicKey } from "./known-keys.js";
import type { SignatureAnswer, SignatureTask } from "./verify-worker.js";

/** An entry, and the key that it names. */
export interface Signed extends PackedEntry {
  readonly key: PublicKey;
}

/** Ids of those that hold; null: it does not hold, or nothing is known of it. */
type Ids = readonly (ByteString | null)[];

interface Thread {
  readonly worker: Worker;
  /** What it has been asked and has not answered, by number. */
  readonly asked: Map<number, (ids: Ids) => void>;
}

export class VerifyThreads {
  readonly #count: number;
  readonly #failed: (problem: Error) => void;
  readonly #makeWorker: () => Worker;
  /** Started when first needed. */
  #threads: Thread[] | null = null;
  #number = 0;

  /**
   * @param failed  told of a thread that has ended, or that the machine does not let begin: what it was asked is answered with
   *   null, and it is asked no more
   */
  constructor(count: number, failed: (problem: Error) => void, makeWorker = makeVerifyWorker) {
    this.#count = count;
    this.#failed = failed;
    this.#makeWorker = makeWorker;
  }

  /** Never rejects. Given to one thread: a caller that has many gives them in several parts. */
  check(signed: readonly Signed[]): Promise<Ids> {
    this.#threads ??= this.#startAll();
    const number = ++this.#number;
    const thread = this.#threads[number % this.#threads.length];
    if (thread === undefined || signed.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      thread.asked.set(number, resolve);
      thread.worker.postMessage(taskOf(number, signed));
    });
  }

  /** What is under way is answered with nothing, and so is what is asked from now on. */
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
      // More threads than the system permits, as a container's limit of processes: those that have begun are enough.
      this.#failed(problem as Error);
    }
    return threads;
  }

  #start(): Thread {
    const worker = this.#makeWorker();
    worker.unref();
    const thread: Thread = { worker, asked: new Map() };
    worker.on("message", ({ number, ids }: SignatureAnswer) => {
      thread.asked.get(number)?.(ids);
      thread.asked.delete(number);
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

function giveUp({ asked }: Thread): void {
  for (const answer of asked.values()) answer([]);
  asked.clear();
}

function taskOf(number: number, signed: readonly Signed[]): SignatureTask {
  const keys: Signed["key"][] = [];
  const signers = signed.map(({ key }) => {
    const at = keys.findIndex(({ id, spki }) => id === key.id && spki === key.spki);
    return at === -1 ? keys.push(key) - 1 : at;
  });
  return { number, entries: writeEntries(signed), keys, signers };
}

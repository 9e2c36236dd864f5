/**
 * Answers of the fold to entries that members sent: a client whose own copy arrives after a member's receives them,
 * as if its copy had been first. Kept for the window, bounded in number and bytes; the oldest go first.
 */

import type { Result } from "../../engine/answers/request.js";
import { finalResultOf, resultOf, type Standing } from "../../engine/answers/result-writer.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { Waiters } from "../../engine/pipeline/waiters.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { FoldedEntry } from "../../timeline/fold/fold.js";

/** Answers: 10 s of 10,000 envelopes a second; a client's copy mostly arrives some milliseconds later. */
const ANSWERS_MAX = 100_000;
/** Bytes of them. */
const BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of an answer besides its replies. */
const ANSWER_BYTES = 200;

interface StoredAnswer {
  readonly at: number;
  readonly result: Result;
}

export class MemberAnswers {
  readonly #environment: Environment;
  readonly #past: number;
  readonly #storage: Storage | null;
  /** Answers by id, in the order in which they were added. */
  readonly #answers = new Map<ByteString, StoredAnswer>();
  #bytes = 0;
  /** Clients whose envelopes wait to be folded. */
  readonly #waiters: Waiters;

  /**
   * @param past  milliseconds that an envelope's date may be before the clock
   * @param storage  an answer waits until it is as safe as --fsync says; null: a stream keeps the entries, and answers are final
   */
  constructor(environment: Environment, past: number, storage: Storage | null) {
    this.#environment = environment;
    this.#past = past;
    this.#storage = storage;
    this.#waiters = new Waiters(environment);
  }

  get size(): number {
    return this.#answers.size;
  }

  /**
   * Entries of members have become part of the state.
   * @param answered  those of them whose answers are known
   * @param standing  the mark of present answers
   */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[], standing: Standing): void {
    const horizon = this.#environment.clock() - this.#past;
    const write = this.#storage === null ? finalResultOf : resultOf;
    for (const { entry, answers } of answered) {
      const { at } = entry.envelope;
      // A daemon that catches up accepts millions of entries that no client will ask about.
      if (at <= horizon) continue;
      const result = write(entry.id, answers, { room: BYTES_MAX, standing });
      this.#answers.set(entry.id, { at, result });
      this.#bytes += bytesOf(result);
    }
    this.#forget(horizon);
    for (const { id } of entries) this.#waiters.applied(id);
  }

  /** Returns the answer to an envelope, once its entry is on disk; null: not known. */
  async find({ id, room }: Taken): Promise<Result | null> {
    const result = this.#answers.get(id)?.result;
    if (result === undefined || result.replies.length > room) return null;
    await this.#storage?.flushed();
    return result;
  }

  /** Returns the answer to an envelope whose entry is to be folded soon. */
  async wait(taken: Taken): Promise<Result | null> {
    const { id, envelope, message } = taken;
    return (await this.#waiters.wait(id, envelope.key, message.body.length)) ? this.find(taken) : null;
  }

  /** Releases all that wait. */
  stop(): void {
    this.#waiters.stop();
  }

  #forget(horizon: number): void {
    for (const [id, { at, result }] of this.#answers) {
      if (at > horizon && this.#answers.size <= ANSWERS_MAX && this.#bytes <= BYTES_MAX) return;
      this.#answers.delete(id);
      this.#bytes -= bytesOf(result);
    }
  }
}

const bytesOf = ({ replies }: Result) => replies.length + ANSWER_BYTES;

/**
 * The fold's answers to entries that members sent. If a client's own copy of an envelope arrives after the member's
 * entry, the client receives the same answers as if its copy had arrived first. The answers are kept for the window,
 * bounded in number and bytes; the oldest are dropped first.
 */

import type { Result } from "../../engine/answers/request.js";
import { finalResultOf, type ReadStatus, resultOf } from "../../engine/answers/result-writer.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { WaitingEnvelopes } from "../../engine/pipeline/waiting-envelopes.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { FoldedEntry } from "../../timeline/fold/fold.js";

/**
 * The maximum number of answers: 10 s at 10,000 envelopes a second. A client's copy usually arrives a few milliseconds
 * later.
 */
const ANSWERS_MAX = 100_000;
/** The maximum bytes of all answers. */
const BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of an answer in addition to its replies. */
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
  readonly #waiters: WaitingEnvelopes;

  /**
   * @param past  milliseconds by which an envelope's date may be earlier than the clock
   * @param storage  answers wait until their entry is as safe as --fsync requires; null if a stream stores the entries,
   * so that answers are final
   */
  constructor(environment: Environment, past: number, storage: Storage | null) {
    this.#environment = environment;
    this.#past = past;
    this.#storage = storage;
    this.#waiters = new WaitingEnvelopes(environment);
  }

  get size(): number {
    return this.#answers.size;
  }

  /**
   * Stores the answers to entries of members that have become part of the state.
   * @param answered  the entries whose answers are known
   * @param readStatus  the read status of the current answers
   */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[], readStatus: ReadStatus): void {
    const oldest = this.#environment.clock() - this.#past;
    const write = this.#storage === null ? finalResultOf : resultOf;
    for (const { entry, answers } of answered) {
      const { at } = entry.envelope;
      // A daemon that catches up accepts millions of entries whose answers no client will request.
      if (at <= oldest) continue;
      const result = write(entry.id, answers, { room: BYTES_MAX, readStatus });
      this.#answers.set(entry.id, { at, result });
      this.#bytes += bytesOf(result);
    }
    this.#forget(oldest);
    for (const { id } of entries) this.#waiters.applied(id);
  }

  /** Returns the answer to an envelope, once its entry is on disk, or null if it is unknown. */
  async find({ id, room }: Taken): Promise<Result | null> {
    const result = this.#answers.get(id)?.result;
    if (result === undefined || result.replies.length > room) return null;
    await this.#storage?.flushed();
    return result;
  }

  /** Returns the answer to an envelope whose entry will be folded soon. */
  async wait(taken: Taken): Promise<Result | null> {
    const { id, envelope, message } = taken;
    return (await this.#waiters.wait(id, envelope.key, message.body.length)) ? this.find(taken) : null;
  }

  /** Releases all waiting clients. */
  stop(): void {
    this.#waiters.stop();
  }

  #forget(oldest: number): void {
    for (const [id, { at, result }] of this.#answers) {
      if (at > oldest && this.#answers.size <= ANSWERS_MAX && this.#bytes <= BYTES_MAX) return;
      this.#answers.delete(id);
      this.#bytes -= bytesOf(result);
    }
  }
}

const bytesOf = ({ replies }: Result) => replies.length + ANSWER_BYTES;

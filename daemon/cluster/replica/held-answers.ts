/**
 * The answers to reads that wait until every write that they may show is on disk. Execution does not wait: all answers
 * that wait for the same write of the disk are sent together.
 */
import type { ErrorReply, Reply } from "../../../protocol/reply.js";
import { refused, replyOf } from "../../engine/answers/request.js";
import { type FlushingState, whenSafe } from "../../engine/answers/safe-answers.js";
import type { ReplyWaiter } from "../../engine/backends/command-path.js";

export type HeldWaiter = Pick<ReplyWaiter, "answered" | "prepare">;

interface Held {
  readonly waiter: HeldWaiter;
  readonly reply: Reply;
}

export class HeldAnswers {
  readonly #state: FlushingState;
  /** What the newest answers wait for, or null if no answer has been held back. */
  #flushing: Promise<void> | null = null;
  /** The answers that wait for `#flushing`. */
  #held: Held[] = [];

  constructor(state: FlushingState) {
    this.#state = state;
  }

  /** Whether an answer that shows the current state would be held back. */
  get areHeld(): boolean {
    return this.#state.flushing !== null;
  }

  /** Sends the reply to a read of the current state, now or when everything that it may show is on disk. */
  send(reply: Reply, waiter: HeldWaiter): void {
    const { flushing } = this.#state;
    if (flushing === null) {
      waiter.answered(reply);
      return;
    }
    waiter.prepare?.(reply);
    if (flushing !== this.#flushing) this.#begin(flushing);
    this.#held.push({ waiter, reply });
  }

  /** Sends the reply to a read that takes several turns, when everything that it may show is on disk. */
  sendLater(reply: Promise<Reply>, waiter: HeldWaiter): void {
    Promise.resolve(this.whenSafe(reply)).then((settled) => waiter.answered(settled));
  }

  /** Returns the reply to a read that has begun in this turn, or its promise. */
  whenSafe(reply: Reply | Promise<Reply>): Reply | Promise<Reply> {
    return whenSafe(this.#state, reply, lostReply);
  }

  #begin(flushing: Promise<void>): void {
    const held: Held[] = [];
    this.#flushing = flushing;
    this.#held = held;

    const done = () => {
      if (this.#flushing === flushing) this.#flushing = null;
    };

    flushing.then(
      () => {
        done();
        for (const { waiter, reply } of held) waiter.answered(reply);
      },
      (problem: Error) => {
        done();
        const lost = lostReply(problem.message);
        for (const { waiter } of held) waiter.answered(lost);
      },
    );
  }
}

/** Returns the reply to a read of something that the disk may not have. */
const lostReply = (reason: string): ErrorReply =>
  replyOf(refused("storage-failed", `a write that it would show may be lost: ${reason}`)) as ErrorReply;

/** The reply to a command that is on its way to the daemons, and who waits for it. */
import type { Carrying } from "../../client/carrier.js";
import type { Reply } from "../../protocol/reply.js";
import { replyOf } from "./failure-replies.js";

/** Who waits. */
interface AnsweredOnce {
  answered(reply: Reply): void;
}

export class CarriedReply implements Carrying {
  readonly #made: (reply: Reply) => Reply;
  readonly #waiter: AnsweredOnce;

  /** @param made  what is made of a reply that is no error */
  constructor(made: (reply: Reply) => Reply, waiter: AnsweredOnce) {
    this.#made = made;
    this.#waiter = waiter;
  }

  readonly resolve = (reply: Reply): void =>
    this.#waiter.answered(reply.kind === "error" ? reply : this.#made(reply));

  /** What is wrong at once is told later: who waits is still to be told that he does. */
  readonly reject = (problem: Error): void => queueMicrotask(() => this.#waiter.answered(replyOf(problem)));
}

/** The reply to a command that is on its way to the daemons, and who waits for it. */
import type { Carrying } from "../../client/calls/pending-call.js";
import type { Reply } from "../../protocol/reply.js";
import { replyOf } from "./failure-replies.js";

export class CarriedReply implements Carrying {
  readonly #made: (reply: Reply) => Reply;
  readonly #answered: (reply: Reply) => void;

  /** @param made  what is made of a reply that is no error @param answered  called once */
  constructor(made: (reply: Reply) => Reply, answered: (reply: Reply) => void) {
    this.#made = made;
    this.#answered = answered;
  }

  readonly resolve = (reply: Reply): void =>
    this.#answered(reply.kind === "error" ? reply : this.#made(reply));

  /** What is wrong at once is told later: who waits is still to be told that he does. */
  readonly reject = (problem: Error): void => queueMicrotask(() => this.#answered(replyOf(problem)));
}

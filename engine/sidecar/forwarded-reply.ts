/** The pending reply to a command that was sent to the daemons. */
import type { Carrying } from "../../client/forwarding-client.js";
import type { Reply } from "../../protocol/reply.js";
import { replyOf } from "./failure-replies.js";

/** Receives the reply. */
interface AnsweredOnce {
  answered(reply: Reply): void;
}

export class ForwardedReply implements Carrying {
  readonly #made: (reply: Reply) => Reply;
  readonly #waiter: AnsweredOnce;

  /** @param made  converts a reply that is not an error */
  constructor(made: (reply: Reply) => Reply, waiter: AnsweredOnce) {
    this.#made = made;
    this.#waiter = waiter;
  }

  readonly resolve = (reply: Reply): void =>
    this.#waiter.answered(reply.kind === "error" ? reply : this.#made(reply));

  /** Delivers the error in a microtask, because it may occur before the caller has received the waiter. */
  readonly reject = (problem: Error): void => queueMicrotask(() => this.#waiter.answered(replyOf(problem)));
}

/** The pending reply to a command that was sent to the daemons. */
import type { ReplyHandlers } from "../../client/forwarding-client.js";
import type { Reply } from "../../protocol/reply.js";
import { replyOf } from "./failure-replies.js";

/** The object that receives the reply, once. */
interface ReplyReceiver {
  answered(reply: Reply): void;
}

export class ForwardedReply implements ReplyHandlers {
  readonly #convert: (reply: Reply) => Reply;
  readonly #receiver: ReplyReceiver;

  /** @param convert  converts a reply that is not an error */
  constructor(convert: (reply: Reply) => Reply, receiver: ReplyReceiver) {
    this.#convert = convert;
    this.#receiver = receiver;
  }

  readonly resolve = (reply: Reply): void =>
    this.#receiver.answered(reply.kind === "error" ? reply : this.#convert(reply));

  /** Delivers the error in a microtask, because it may occur before `send` has returned the receiver. */
  readonly reject = (problem: Error): void => queueMicrotask(() => this.#receiver.answered(replyOf(problem)));
}

/** A command whose reply is pending. */

import { type Refused, replyOf } from "../../../daemon/engine/answers/request.js";
import type { LastWrite, ReplyWaiter } from "../../../daemon/engine/backends/command-path.js";
import type {
  AnswerReceiver,
  LaterAnswer,
  LongAnswer,
  WireAnswer,
} from "../../../daemon/net/connections/dialect.js";
import type { Reply } from "../../../protocol/reply.js";
import type { CommandCounts } from "./command-counts.js";
import type { Taking } from "./put-back.js";

/** The session of a pending command. */
export interface AwaitingSession {
  readonly isStable: boolean;
  readonly lastWrite: LastWrite;
  /** Bytes of the answers that are written, and wait for the disk. */
  heldBytes: number;
  /** Returns the answer for a reply that arrived later. */
  readonly answerOf: (reply: Reply) => WireAnswer;
}

export class AwaitedCommand implements ReplyWaiter, LaterAnswer {
  answer: string | LongAnswer | null = null;
  bytes = 0;
  hasRun = false;
  receiver: AnswerReceiver | null = null;
  /** Whether the answer is discarded (CLIENT REPLY). */
  isMuted = false;
  /** Not null if the command takes elements that must not be lost. */
  observer: Taking | null = null;
  readonly #session: AwaitingSession;
  readonly #counts: CommandCounts;
  /** The reply that waits for the disk, and its answer, or null if there is none. */
  #prepared: { readonly reply: Reply; readonly answer: WireAnswer } | null = null;

  /** @param counts  the counts of the command */
  constructor(session: AwaitingSession, counts: CommandCounts) {
    this.#session = session;
    this.#counts = counts;
  }

  get kind(): "later" {
    return "later";
  }

  /** Whether replies must be final. The setting changes only while no command is pending. */
  get isStable(): boolean {
    return this.#session.isStable;
  }

  get replicated(): undefined {
    return undefined;
  }

  get lastWrite(): LastWrite {
    return this.#session.lastWrite;
  }

  prepare(reply: Reply): void {
    const answer = this.#session.answerOf(reply);
    this.#prepared = { reply, answer };
    this.hasRun = true;
    this.#session.heldBytes += lengthOf(answer);
  }

  answered(answer: Reply | Refused): void {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared !== null) this.#session.heldBytes -= lengthOf(prepared.answer);
    const reply = replyOf(answer);
    if (reply.kind === "error") this.#counts.addFailure();
    this.observer?.answered(reply);
    if (this.isMuted) this.receiver?.answered(this, "");
    else
      this.receiver?.answered(
        this,
        prepared?.reply === reply ? prepared.answer : this.#session.answerOf(reply),
      );
  }
}

function lengthOf(answer: WireAnswer): number {
  if (typeof answer === "string") return answer.length;
  return answer.kind === "long" ? answer.left : 0;
}

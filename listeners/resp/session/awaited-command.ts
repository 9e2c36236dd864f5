/** A command whose reply is pending. */

import { replyOf } from "../../../engine/answers/refusal-reply.js";
import type { Refused } from "../../../engine/answers/request.js";
import type { LastWrite, ReplyWaiter } from "../../../engine/users/command-path.js";
import type { Answer, AnswerListener, LaterAnswer, LongAnswer } from "../../../net/connections/dialect.js";
import type { Reply } from "../../../protocol/reply.js";
import type { CommandCounts } from "./command-counts.js";

/** The session of a pending command. */
export interface AwaitingSession {
  readonly isStable: boolean;
  readonly lastWrite: LastWrite;
  /** Returns the answer for a reply that arrived later. */
  readonly answerOf: (reply: Reply) => Answer;
}

export class AwaitedCommand implements ReplyWaiter, LaterAnswer {
  answer: string | LongAnswer | null = null;
  bytes = 0;
  listener: AnswerListener | null = null;
  /** Whether the answer is discarded (CLIENT REPLY). */
  isMuted = false;
  readonly #session: AwaitingSession;
  readonly #counts: CommandCounts;

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

  answered(answer: Reply | Refused): void {
    const reply = replyOf(answer);
    if (reply.kind === "error") this.#counts.addFailure();
    this.listener?.answered(this, this.isMuted ? "" : this.#session.answerOf(reply));
  }
}

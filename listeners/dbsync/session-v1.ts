/**
 * The session of version 1: one answer for each request, in order. A request that cannot be answered closes the
 * connection.
 */

import type { Answer } from "../../engine/answers/request.js";
import { type Closing, closing } from "../../net/connections/dialect.js";
import { answerFrame, requestOf } from "./codec-v1.js";
import type { DbsyncServer } from "./dbsync-server.js";
import type { Session, Spoken } from "./dbsync-session.js";
import { isProof } from "./proof.js";

export class SessionV1 implements Session {
  readonly listener = "dbsync-v1";
  readonly closeAfterAnswer: boolean;
  isProven = false;
  readonly #server: DbsyncServer;

  constructor(server: DbsyncServer) {
    this.#server = server;
    this.closeAfterAnswer = server.service.closeAfterAnswer;
  }

  /** A request waits until the one before it is answered: answers carry no id. */
  takes(pending: number): boolean {
    return pending === 0;
  }

  serve(payload: Buffer): Spoken | Promise<Spoken> {
    const { pipeline, takesVersion1 } = this.#server.service;
    const { environment } = this.#server.host;
    if (!takesVersion1) return closing("version-1-off", `a request of ${payload.length} bytes`);
    const request = requestOf(payload, pipeline.signers !== null);
    const startedAt = environment.uptime();
    const answer = "kind" in request ? request : pipeline.handle(request);
    // A request waits for a database only once its signature has been verified.
    this.isProven ||= answer instanceof Promise || isProof(answer);
    return answer instanceof Promise
      ? answer.then((one) => this.#speak(one, startedAt))
      : this.#speak(answer, startedAt);
  }

  malformed(detail: string): Closing {
    return closing("malformed", detail);
  }

  #speak(answer: Answer, startedAt: number): Spoken {
    const { environment, observer, limits } = this.#server.host;
    observer.answered(environment.uptime() - startedAt);
    const frame = answerFrame(answer, limits.maxOutputBytes);
    if (typeof frame !== "string") return closing(frame.code, frame.detail);
    observer.served(this.listener, 1, 0);
    return frame;
  }
}

/**
 * The session of version 1: one answer for each request, in order. A request that cannot be answered closes the
 * connection.
 */

import { MalformedFrame } from "../../protocol/errors.js";
import { readCommandPayload } from "../../protocol/version-1/command-v1.js";
import { replyText, writeResponseFrame } from "../../protocol/version-1/response-v1.js";
import {
  type Answer,
  isProofOfPermission,
  type Refused,
  type Request,
  refused,
} from "../engine/answers/request.js";
import { type LastWrite, newLastWrite } from "../engine/backends/command-path.js";
import type { Version1Client } from "../engine/pipeline/version-1-commands.js";
import { type Closing, closing } from "../net/connections/dialect.js";
import type { DbsyncServer, FrameOrClose, Session } from "./dbsync-server.js";

export class SessionV1 implements Session, Version1Client {
  readonly listener = "dbsync-v1";
  readonly closeAfterAnswer: boolean;
  isProven = false;
  isGone = false;
  readonly lastWrite: LastWrite = newLastWrite();
  readonly #server: DbsyncServer;

  constructor(server: DbsyncServer) {
    this.#server = server;
    this.closeAfterAnswer = server.service.closeAfterAnswer;
  }

  /**
   * Returns whether the next request may be served. A request waits until the previous request has been answered,
   * because answers have no id.
   */
  takes(pending: number): boolean {
    return pending === 0;
  }

  serve(payload: Buffer): FrameOrClose | Promise<FrameOrClose> {
    const { pipeline, takesVersion1 } = this.#server.service;
    const { environment } = this.#server.host;
    if (!takesVersion1) return closing("version-1-off", `a request of ${payload.length} bytes`);
    const request = requestOf(payload, pipeline.signers !== null);
    const startedAt = environment.uptime();
    const answer = "kind" in request ? request : pipeline.handle(request, this);
    // The answer is a promise if the request waits for a database, which requires a verified signature.
    this.isProven ||= answer instanceof Promise || isProofOfPermission(answer);
    return answer instanceof Promise
      ? answer.then((one) => this.#frameOf(one, startedAt))
      : this.#frameOf(answer, startedAt);
  }

  /** Ends the query of the client. */
  disconnected(): void {
    this.isGone = true;
  }

  malformed(detail: string): Closing {
    return closing("malformed", detail);
  }

  #frameOf(answer: Answer, startedAt: number): FrameOrClose {
    const { environment, observer, limits } = this.#server.host;
    observer.answered(environment.uptime() - startedAt);
    const frame = answerFrame(answer, limits.maxOutputBytes);
    if (typeof frame !== "string") return closing(frame.code, frame.detail);
    observer.served(this.listener, 1, 0);
    return frame;
  }
}

/**
 * Returns the request in a frame's payload.
 * @param signed  whether this daemon accepts only signed commands
 */
function requestOf(payload: Buffer, signed: boolean): Request | Refused {
  const hasInnerFrame =
    payload.length > 2 && payload[0] === 0x64 && payload[1] === 0x73 && payload[2] === 0x3a;
  if (signed && !hasInnerFrame) return refused("unsigned", `a payload of ${payload.length} bytes`);
  if (!signed && hasInnerFrame) return refused("not-due", `a payload of ${payload.length} bytes`);
  try {
    return readCommandPayload(payload, signed);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", `${problem.message} of the payload`);
    throw problem;
  }
}

/**
 * Returns the response frame, or the reason why there is none. @param maxChars  maximum length of a frame in characters
 */
function answerFrame(answer: Answer, maxChars: number): string | Refused {
  if (answer.kind === "refused") return answer;
  try {
    const frame = writeResponseFrame(answer.replies.map(replyText));
    return frame.length <= maxChars ? frame : refused("answer-too-long", `${frame.length} bytes`);
  } catch (problem) {
    // V8 limits the length of a string.
    if (problem instanceof RangeError) return refused("answer-too-long", problem.message);
    throw problem;
  }
}

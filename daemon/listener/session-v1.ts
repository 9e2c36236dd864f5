/**
 * The session of version 1: one answer for each request, in order. A request that cannot be answered closes the
 * connection.
 */

import { MalformedFrame } from "../../protocol/errors.js";
import { readCommandPayload } from "../../protocol/version-1/command-v1.js";
import { replyText, writeResponseFrame } from "../../protocol/version-1/response-v1.js";
import {
  type CommandAnswer,
  isProofOfPermission,
  type Refused,
  type Request,
  refused,
} from "../engine/answers/request.js";
import { type CloseAnswer, closing } from "../net/connections/dialect.js";
import type { DbsyncServer, FrameOrClose, Session } from "./dbsync-server.js";

export class SessionV1 implements Session {
  readonly listener = "dbsync-v1";
  readonly closeAfterAnswer: boolean;
  isProven = false;
  isGone = false;
  readonly #server: DbsyncServer;

  constructor(server: DbsyncServer) {
    this.#server = server;
    this.closeAfterAnswer = server.service.closeAfterAnswer;
  }

  /**
   * Returns whether the next request may be served. A request waits until the previous request has been answered,
   * because answers have no id.
   */
  canServe(pending: number): boolean {
    return pending === 0;
  }

  serve(payload: Buffer): FrameOrClose | Promise<FrameOrClose> {
    const { pipeline, acceptsVersion1 } = this.#server.service;
    const { environment } = this.#server.host;
    if (!acceptsVersion1) return closing("version-1-off", `a request of ${payload.length} bytes`);
    const request = requestOf(payload, pipeline.signers !== null);
    const startedAt = environment.uptime();
    const answer = "kind" in request ? request : pipeline.handle(request, this);
    // The answer is a promise if the request waits for a database, which requires a verified signature.
    this.isProven ||= answer instanceof Promise || isProofOfPermission(answer);
    return answer instanceof Promise
      ? answer.then((settled) => this.#frameOf(settled, startedAt))
      : this.#frameOf(answer, startedAt);
  }

  /** Stops the current query of the client, which checks `isGone`. */
  disconnected(): void {
    this.isGone = true;
  }

  malformed(detail: string): CloseAnswer {
    return closing("malformed", detail);
  }

  #frameOf(answer: CommandAnswer, startedAt: number): FrameOrClose {
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
 * @param isSigned  whether this daemon accepts only signed commands, and not only unsigned ones
 */
function requestOf(payload: Buffer, isSigned: boolean): Request | Refused {
  // A signed command is itself a frame, which begins with "ds:".
  const hasInnerFrame =
    payload.length > 2 && payload[0] === 0x64 && payload[1] === 0x73 && payload[2] === 0x3a;
  if (isSigned && !hasInnerFrame) return refused("unsigned", `a payload of ${payload.length} bytes`);
  if (!isSigned && hasInnerFrame) return refused("not-due", `a payload of ${payload.length} bytes`);
  try {
    return readCommandPayload(payload, isSigned);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return refused("malformed", `${problem.message} of the payload`);
    throw problem;
  }
}

/** Returns the response frame, or the reason why there is none. @param charsMax  the maximum length of a frame */
function answerFrame(answer: CommandAnswer, charsMax: number): string | Refused {
  if (answer.kind === "refused") return answer;
  try {
    const frame = writeResponseFrame(answer.replies.map(replyText));
    return frame.length <= charsMax ? frame : refused("answer-too-long", `${frame.length} bytes`);
  } catch (problem) {
    // V8 limits the length of a string.
    if (problem instanceof RangeError) return refused("answer-too-long", problem.message);
    throw problem;
  }
}

/** Converts version 1's bytes to requests, and answers to bytes. */

import { type Answer, type Refused, type Request, refused } from "../../engine/answers/request.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { readCommandPayload } from "../../protocol/version-1/command-v1.js";
import { replyText, writeResponseFrame } from "../../protocol/version-1/response-v1.js";

/**
 * Returns the request in a frame's payload.
 * @param signed  whether this daemon takes signed commands only
 */
export function requestOf(payload: Buffer, signed: boolean): Request | Refused {
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

/** Returns the response frame, or why there is none. @param maxChars  characters of the longest frame */
export function answerFrame(answer: Answer, maxChars: number): string | Refused {
  if (answer.kind === "refused") return answer;
  try {
    const frame = writeResponseFrame(answer.replies.map(replyText));
    return frame.length <= maxChars ? frame : refused("answer-too-long", `${frame.length} bytes`);
  } catch (problem) {
    // The engine limits the length of a string.
    if (problem instanceof RangeError) return refused("answer-too-long", problem.message);
    throw problem;
  }
}

/** Requests that a listener passes to the pipeline, and their answers. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { DAEMON_STATES, type DaemonCondition } from "../../../protocol/daemon-states.js";
import type { Reply } from "../../../protocol/reply.js";
import type { RefusalCode } from "./refusals.js";

/** One command of version 1 as it was received: its signature is not verified, and its arguments are not parsed yet. */
export interface Request {
  /** The command's text, including the final NUL, as covered by `signature`. */
  readonly text: Buffer;
  readonly signature: Buffer | null;
}

export type Answer = Replies | Refused;

/** The replies to a command that was executed. */
export interface Replies {
  readonly kind: "replies";
  /** The reply of each database, in the configured order. */
  readonly replies: readonly Exclude<Reply, { kind: "error" }>[];
}

/** The refusal of a command that was not executed, or whose outcome is unknown. The code states which. */
export interface Refused {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** The cause of this refusal, for the log. */
  readonly detail: string;
}

export const refused = (code: RefusalCode, detail: string): Refused => ({ kind: "refused", code, detail });

/** Returns why a daemon in this condition refuses writes, or null if it does not. */
export function refusedIn({ state, reason }: DaemonCondition): Refused | null {
  const code: RefusalCode | null = DAEMON_STATES[state].refusal;
  return code === null ? null : refused(code, reason);
}

/** The answer to an envelope. */
export type EnvelopeAnswer = Result | RefusedEnvelope;

/** An answer that is known in this turn, or later. */
export type Answered = EnvelopeAnswer | Promise<EnvelopeAnswer>;

/** The result of an envelope that was accepted, now or earlier. */
export interface Result {
  readonly kind: "result";
  readonly id: ByteString;
  readonly units: number;
  /** The number of replies that are errors. */
  readonly errors: number;
  /** The RESP reply of each unit, followed by its flags as a bulk string. */
  readonly replies: ByteString;
  /** Whether no unit of the envelope was permitted. Such an envelope is not recorded. */
  readonly isDenied?: true;
}

export interface RefusedEnvelope extends Refused {
  /** The id of the envelope, or an empty string if the message was not an envelope. */
  readonly id: ByteString;
  /** Whether this daemon certainly has not applied any part of the envelope, and never will (`not-applied`). */
  readonly effect: "not-applied" | "unknown";
}

/** Returns the refusal of an envelope that this daemon has certainly not applied. */
export function notApplied(id: ByteString, { code, detail }: Refused): RefusedEnvelope {
  return { kind: "refused", id, code, detail, effect: "not-applied" };
}

/** Returns the same refusal for an envelope that may have been applied. */
export const unknown = (answer: RefusedEnvelope): RefusedEnvelope => ({ ...answer, effect: "unknown" });

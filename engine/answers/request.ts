/** What a listener hands to the pipeline, and what it gets back. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { RefusalCode } from "./refusals.js";

/** One command of version 1 as it arrived: not yet verified, not yet taken apart. */
export interface Request {
  /** The command's text with its NUL: what `signature` covers. */
  readonly text: Buffer;
  readonly signature: Buffer | null;
}

export type Answer = Replies | Refused;

/** The command was executed. */
export interface Replies {
  readonly kind: "replies";
  /** One of each database, in configured order. */
  readonly replies: readonly Exclude<Reply, { kind: "error" }>[];
}

/** The command was not executed, or its outcome is not known; the code tells which. */
export interface Refused {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** What was wrong in this case; for the log. */
  readonly detail: string;
}

export const refused = (code: RefusalCode, detail: string): Refused => ({ kind: "refused", code, detail });

/** To an envelope. */
export type EnvelopeAnswer = Result | RefusedEnvelope;

/** The envelope was taken, now or before. */
export interface Result {
  readonly kind: "result";
  readonly id: ByteString;
  readonly units: number;
  /** How many of the replies are errors. */
  readonly errors: number;
  /** For each unit its RESP reply and, as a bulk string, its flags. */
  readonly replies: ByteString;
  /** Nothing of it was permitted, so that it is not recorded. */
  readonly isDenied?: true;
}

export interface RefusedEnvelope extends Refused {
  /** Empty: the message was no envelope. */
  readonly id: ByteString;
  /** Whether it is certain that nothing of the envelope was or will be applied here. */
  readonly effect: "not-applied" | "unknown";
}

/** An envelope was refused, and it is certain that this daemon has not applied it. */
export function notApplied(id: ByteString, { code, detail }: Refused): RefusedEnvelope {
  return { kind: "refused", id, code, detail, effect: "not-applied" };
}

/** The same where it may have been applied. */
export const unknown = (answer: RefusedEnvelope): RefusedEnvelope => ({ ...answer, effect: "unknown" });

/** Requests that a listener hands to the pipeline, and their answers. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { RefusalCode } from "./refusals.js";

/** One command of version 1 as it arrived: neither verified nor split. */
export interface Request {
  /** The command's text with its NUL, which `signature` covers. */
  readonly text: Buffer;
  readonly signature: Buffer | null;
}

export type Answer = Replies | Refused;

/** The command was executed. */
export interface Replies {
  readonly kind: "replies";
  /** One reply of each database, in configured order. */
  readonly replies: readonly Exclude<Reply, { kind: "error" }>[];
}

/** The command was not executed, or its outcome is not known; the code says which. */
export interface Refused {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** The cause in this case, for the log. */
  readonly detail: string;
}

export const refused = (code: RefusalCode, detail: string): Refused => ({ kind: "refused", code, detail });

/** The answer to an envelope. */
export type EnvelopeAnswer = Result | RefusedEnvelope;

/** The envelope was accepted, now or before. */
export interface Result {
  readonly kind: "result";
  readonly id: ByteString;
  readonly units: number;
  /** The number of replies that are errors. */
  readonly errors: number;
  /** For each unit its RESP reply and, as a bulk string, its flags. */
  readonly replies: ByteString;
  /** Nothing of it was permitted, so it is not recorded. */
  readonly isDenied?: true;
}

export interface RefusedEnvelope extends Refused {
  /** Empty: the message was no envelope. */
  readonly id: ByteString;
  /** Whether it is certain that nothing of the envelope was or will be applied here. */
  readonly effect: "not-applied" | "unknown";
}

/** Returns the refusal of an envelope that this daemon has certainly not applied. */
export function notApplied(id: ByteString, { code, detail }: Refused): RefusedEnvelope {
  return { kind: "refused", id, code, detail, effect: "not-applied" };
}

/** Returns the same refusal for an envelope that may have been applied. */
export const unknown = (answer: RefusedEnvelope): RefusedEnvelope => ({ ...answer, effect: "unknown" });

/** What a listener hands to the pipeline, and what it gets back. */
import type { Reply } from "../protocol/reply.js";
import type { RefusalCode } from "./refusals.js";

/** One command as it arrived: not yet verified, not yet taken apart. */
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

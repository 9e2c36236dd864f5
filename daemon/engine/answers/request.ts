/** Requests that a listener passes to the pipeline, and their answers. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { DAEMON_STATES, type DaemonCondition } from "../../../protocol/daemon-states.js";
import { error, type Reply } from "../../../protocol/reply.js";
import { REFUSALS, type RefusalCode, refusalText } from "./refusals.js";

/** One command of version 1 as it was received: its signature is not verified, and its arguments are not parsed yet. */
export interface Request {
  /** The command's text, including the final NUL, as covered by `signature`. */
  readonly text: Buffer;
  readonly signature: Buffer | null;
}

export type CommandAnswer = Replies | Refused;

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
  /**
   * Whether the envelope is not recorded, because no unit was permitted, or its condition did not hold at a daemon
   * without members.
   */
  readonly isUnrecorded?: true;
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

/**
 * The errors for refusal codes that need another text: Redis's own errors, if clients know how to react to them, and
 * sentences that do not mention envelopes.
 */
const ERRORS: Partial<Readonly<Record<RefusalCode, string>>> = {
  "too-much": `TOOMUCH ${REFUSALS["too-much"].sentence}`,
  "working-memory": `TOOMUCH ${refusalText("working-memory")}`,
  "working-memory-busy": `TRYAGAIN ${refusalText("working-memory-busy")}`,
  "storage-failed": `MISCONF ${REFUSALS["storage-failed"].sentence}`,
  undecided:
    "MAYBEAPPLIED This daemon does not know whether the members of the list have applied it. Check the effect of the command.",
  "not-stable": "ERR It was applied, but the order up to it did not become final in time.",
};

/** Turns refusals into error replies, for clients of protocols without envelopes. */
export function replyOf(answer: Reply | Refused): Reply {
  if (answer.kind !== "refused") return answer;
  if (answer.code === "catching-up")
    return error(`LOADING This daemon accepts no writes yet: ${answer.detail}.`);
  if (answer.code === "cannot-decide")
    return error(`NOTAPPLIED This daemon cannot take part in a decision of the members: ${answer.detail}.`);
  if (answer.code === "not-let-in") return error(`ERR ${REFUSALS["not-let-in"].sentence} ${answer.detail}`);
  return error(ERRORS[answer.code] ?? `ERR ${REFUSALS[answer.code].sentence}`);
}

const PROVES_NOTHING: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(["malformed", "unsigned", "login-required", "not-due", "empty-command", "too-many-arguments"] as const),
  ...(["unknown-key", "bad-signature", "key-not-yet-valid", "key-expired", "revoked"] as const),
  // An attacker may have captured the envelope, and now replays it, perhaps to another daemon.
  ...(["wrong-cluster", "wrong-daemon", "skew", "too-old", "catching-up"] as const),
]);

/**
 * Checks whether an answer proves that the client may send commands here. A refusal for one of the listed reasons
 * proves nothing.
 */
export function isProofOfPermission(answer: CommandAnswer | EnvelopeAnswer): boolean {
  return answer.kind !== "refused" || !PROVES_NOTHING.has(answer.code);
}

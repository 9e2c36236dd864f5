/**
 * Checks whether an answer proves that the client may send commands here. A refusal for one of the listed reasons
 * proves nothing.
 */
import type { RefusalCode } from "../engine/answers/refusals.js";
import type { Answer, EnvelopeAnswer } from "../engine/answers/request.js";

const PROVES_NOTHING: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(["malformed", "unsigned", "login-required", "not-due", "empty-command", "too-many-arguments"] as const),
  ...(["unknown-key", "bad-signature", "key-not-yet-valid", "key-expired", "revoked"] as const),
  // An attacker may have captured the envelope, and now replays it, perhaps to another daemon.
  ...(["wrong-cluster", "wrong-daemon", "skew", "too-old", "catching-up"] as const),
]);

export function isProofOfPermission(answer: Answer | EnvelopeAnswer): boolean {
  return answer.kind !== "refused" || !PROVES_NOTHING.has(answer.code);
}

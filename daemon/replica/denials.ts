/** Envelopes of which nothing is permitted by the newest ring: they are answered, and not worth recording. */
import type { ErrorReply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { isDenied, refusalOf } from "../../store/judgement.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import type { KeyAudit } from "../trust/key-audit.js";

/** The answers of its units. null: something of it is permitted, and the fold decides. */
export function denialsOf(
  { key, at, as, commands, multi, if: conditions }: Envelope,
  signer: KeyRecord,
  ring: KeyRing,
  audit: Pick<KeyAudit, "denied">,
): ErrorReply[] | null {
  if (signer.acl.isUnlimited) return null;
  const isWhole = multi || conditions !== null;
  const denials: ErrorReply[] = [];
  // Mostly the first is permitted, and no other is looked at.
  for (const argv of isWhole ? commands.slice(0, 1) : commands) {
    const unit = { key, at, commands: isWhole ? commands : [argv], conditions, as };
    const denial = refusalOf(unit, signer, ring);
    if (denial === null || !isDenied(denial)) return null;
    denials.push(denial);
  }
  for (const [place, { text }] of denials.entries())
    audit.denied(isWhole ? commands : [commands[place] ?? []], signer, text);
  return denials;
}

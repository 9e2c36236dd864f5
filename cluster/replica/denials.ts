/**
 * Answers envelopes that are not recorded: unsigned, for one daemon alone, at a bad moment, or of which nothing is
 * permitted, or known, by the newest ring.
 */

import { type EnvelopeAnswer, notApplied, type Refused, refused } from "../../engine/answers/request.js";
import { denialOf, type Standing } from "../../engine/answers/result-writer.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { unknownMeaning } from "../../engine/pipeline/unknown-meaning.js";
import type { KeyAudit } from "../../engine/trust/key-audit.js";
import type { ErrorReply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { isDenied, refusalOf } from "../../store/judgement.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";

/** The recorder, as far as it is used here. */
interface Recording {
  readonly ring: KeyRing;
  /** Returns why no write is accepted from clients now. @param standing  as of now */
  refusal(standing: Standing): Refused | null;
}

/** Returns the answer. null: it is to be recorded. @param standing  the recording's, as of now */
export function answerUnrecorded(
  { id, envelope, signer, room }: Taken,
  standing: Standing,
  recording: Recording,
  audit: KeyAudit,
): EnvelopeAnswer | null {
  // The pipeline lets no unsigned one through where there are keys, and what is recorded has a proven signer.
  if (signer === null) return notApplied(id, refused("unsigned", "it would be recorded"));
  if (envelope.only !== null)
    return notApplied(id, refused("only-for-reads", "it would be applied by one daemon alone"));
  const refusal = recording.refusal(standing);
  if (refusal !== null) return notApplied(id, refusal);
  const { ring } = recording;
  const denials = denialsOf(envelope, signer, ring, audit) ?? unknownMeaning(envelope, ring);
  return denials === null ? null : denialOf(id, denials, { room, standing });
}

/** Returns the answers of its units. null: some of it is permitted, and the fold decides. */
function denialsOf(
  { key, at, as, commands, multi, if: conditions }: Envelope,
  signer: KeyRecord,
  ring: KeyRing,
  audit: KeyAudit,
): ErrorReply[] | null {
  if (signer.acl.isUnlimited) return null;
  const isWhole = multi || conditions !== null;
  const denials: ErrorReply[] = [];
  // Mostly the first is permitted, and no further one is checked.
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

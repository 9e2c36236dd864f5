/**
 * Answers envelopes that must not be recorded. An envelope is not recorded if it is unsigned, is addressed to a single
 * daemon, arrives while writes are refused, names an unknown semantics version, or contains no unit that the newest key
 * ring permits.
 */

import { type ErrorReply, error } from "../../../protocol/reply.js";
import { commandsIn, type Envelope, needsDaemon, unitsIn } from "../../../protocol/version-2/envelope.js";
import { type EnvelopeAnswer, notApplied, type Refused, refused } from "../../engine/answers/request.js";
import { denialOf, type ReadStatus } from "../../engine/answers/result-writer.js";
import type { AcceptedEnvelope } from "../../engine/pipeline/apply-units.js";
import type { KeyAudit } from "../../engine/trust/key-audit.js";
import { semanticsAskedBy } from "../../store/commands/key-ring-commands.js";
import { isKeyCommand, type KeyRecord, type KeyRing } from "../../store/key-ring.js";
import { isDenied, refusalOf } from "../../store/unit-permission.js";

/** The part of the recorder that is used here. */
interface Recording {
  readonly ring: KeyRing;
  /**
   * Returns why clients' writes are refused now, or null if they are accepted.
   * @param readStatus  the current read status
   */
  refusal(readStatus: ReadStatus): Refused | null;
}

/** Returns the answer, or null if the envelope has to be recorded. @param readStatus  the current read status */
export function answerUnrecorded(
  { id, envelope, signer, maxReplyBytes }: AcceptedEnvelope,
  readStatus: ReadStatus,
  recording: Recording,
  audit: KeyAudit,
): EnvelopeAnswer | null {
  // A daemon with keys refuses unsigned envelopes earlier, so every recorded envelope has a verified signer.
  if (signer === null) return notApplied(id, refused("unsigned", "it would be recorded"));
  if (envelope.only !== null)
    return notApplied(id, refused("only-for-reads", "it would be applied by one daemon alone"));
  const refusal = recording.refusal(readStatus);
  if (refusal !== null) return notApplied(id, refusal);
  const { ring } = recording;
  const denials = denialsOf(envelope, signer, ring, audit) ?? unknownSemantics(envelope, ring);
  return denials === null ? null : denialOf(id, denials, { maxReplyBytes, readStatus });
}

/**
 * Returns the refusals of all units, or null if at least one unit is permitted. In that case the envelope is recorded,
 * and the fold decides about each unit.
 */
function denialsOf(
  envelope: Envelope,
  signer: KeyRecord,
  ring: KeyRing,
  audit: KeyAudit,
): ErrorReply[] | null {
  if (signer.acl.isUnlimited) return null;
  const { key, at, if: conditions } = envelope;
  const units = unitsIn(envelope);
  const denials: ErrorReply[] = [];
  // Stop at the first permitted unit, which is usually the first one.
  for (const range of units) {
    const commands = commandsIn(envelope, range);
    const unit = { key, at, commands, conditions, needsDaemon: needsDaemon(envelope) };
    const denial = refusalOf(unit, signer, ring);
    if (denial === null || !isDenied(denial)) return null;
    denials.push(denial);
  }
  for (const [i, range] of units.entries())
    audit.denied(commandsIn(envelope, range), signer, (denials[i] as ErrorReply).text);
  return denials;
}

/**
 * Refuses CLUSTER SEMANTICS with a version that this release does not know, because the daemon would stop applying
 * entries after that command.
 * @returns the error replies to the units, or null if the envelope contains no such command
 */
function unknownSemantics(envelope: Envelope, { known }: KeyRing): ErrorReply[] | null {
  const { commands } = envelope;
  if (!isKeyCommand(commands[0] ?? [""])) return null;
  const { last } = known;
  const required = commands.map(semanticsAskedBy).find((number) => number !== null && number > last);
  if (required == null) return null;
  const refusal = error(
    `ERR this daemon's release knows only semantics version ${Array.from({ length: last }, (_, i) => i + 1).join(" and ")}, not ${required}: ` +
      "upgrade all daemons first",
  );
  return unitsIn(envelope).map(() => refusal);
}

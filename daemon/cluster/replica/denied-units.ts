/** Decides which envelopes contain no unit that the newest key ring permits, so that they are not recorded. */
import type { ErrorReply } from "../../../protocol/reply.js";
import {
  commandsIn,
  conditionsOf,
  type Envelope,
  needsDaemon,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import type { KeyAudit } from "../../engine/trust/key-audit.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { isDenied, refusalOf } from "../../store/unit-permission.js";

/**
 * Returns the refusals of all units, or null if at least one unit is permitted. In that case the envelope is recorded,
 * and the fold decides about each unit.
 */
export function denialsOf(
  envelope: Envelope,
  signer: KeyRecord,
  ring: KeyRing,
  audit: KeyAudit,
): ErrorReply[] | null {
  if (signer.acl.isUnlimited) return null;

  const { key, at } = envelope;
  const units = unitsIn(envelope);
  const denials: ErrorReply[] = [];

  // Stop at the first permitted unit, which is usually the first one.
  for (const range of units) {
    const commands = commandsIn(envelope, range);
    const conditions = conditionsOf(envelope, range.index);
    const unit = { key, at, commands, conditions, needsDaemon: needsDaemon(envelope) };
    const denial = refusalOf(unit, signer, ring);
    if (denial === null || !isDenied(denial)) return null;
    denials.push(denial);
  }

  for (const [i, range] of units.entries())
    audit.denied(commandsIn(envelope, range), signer, (denials[i] as ErrorReply).text);
  return denials;
}

/**
 * Chooses the calls on which members decide that share an envelope: a daemon refuses an envelope as a whole, so that no
 * call may be a reason for it. Source: docs/protocol-v2.md "Decisions".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { SHARING_NAME } from "../../protocol/implicit-condition.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { PendingCall } from "../calls/pending-call.js";
import { isOfUnit } from "../settings/header-options.js";
import { argvOf, commandName } from "../shared/command-bytes.js";
import type { Argument, CommandInput } from "../shared/command-input.js";

/**
 * The maximum number of bytes of a call's conditions with which it shares an envelope: daemons limit the bytes of all
 * units together.
 */
const CONDITIONS_BYTES_MAX = 1024;

/** The maximum number of bytes of a condition in addition to its key. */
const CONDITION_BYTES = 80;

/** Whether a call on which members decide may be one of several units of an envelope. */
export function mayShareDecision({ settings: { envelope }, inputs, bytes }: PendingCall): boolean {
  if (typeof bytes !== "string" || !(envelope === null || isOfUnit(envelope))) return false;
  const conditions = envelope?.if ?? [];
  // A database that a daemon does not have is a reason to refuse the envelope.
  if (conditions.some(({ db }) => db !== (envelope?.db ?? 0))) return false;
  if (sizeOf(conditions) > CONDITIONS_BYTES_MAX) return false;
  const name = argvOf([commandName(inputs as CommandInput) as Argument])[0] as ByteString;
  return SHARING_NAME.test(name);
}

const sizeOf = (conditions: readonly Condition[]): number =>
  conditions.reduce((bytes, { key }) => bytes + key.length + CONDITION_BYTES, 0);

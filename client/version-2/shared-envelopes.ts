/**
 * Chooses the calls on which members decide that share an envelope, and returns their conditions. A daemon refuses an
 * envelope as a whole, so that no call may be a reason for it. Source: docs/member-protocol.md "Decisions".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { SHARING_NAME } from "../../protocol/implicit-condition.js";
import {
  COMMANDS_MAX,
  type Condition,
  DECIDED_UNITS_MAX,
  type HeaderFields,
} from "../../protocol/version-2/envelope.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { SentBatch } from "../calls/sending.js";
import { type EnvelopeOptions, isDatabaseAlone } from "../settings/header-options.js";
import { argvOf, commandName } from "../shared/command-bytes.js";
import type { Argument, CommandInput } from "../shared/command-input.js";

/**
 * The maximum number of bytes of a call's conditions with which it shares an envelope: daemons limit the bytes of all
 * units together.
 */
const CONDITIONS_BYTES_MAX = 1024;

/** The maximum number of bytes of a condition in addition to its key. */
const CONDITION_BYTES = 80;

/** The options of envelopes with several units on which members decide. */
export class SharedOptions {
  #last: EnvelopeOptions & { readonly db: number } = { db: 0, decide: true };

  /**
   * Returns the options for a call on which members decide: the same object for calls that share an envelope, or null
   * if the call has an envelope of its own.
   */
  of({ settings: { envelope }, inputs, bytes }: PendingCall): EnvelopeOptions | null {
    const db = envelope?.db ?? 0;
    const conditions = envelope?.if ?? [];
    if (typeof bytes !== "string" || !isDatabaseAlone({ ...envelope, if: null })) return null;
    // A database that a daemon does not have is a reason to refuse the envelope.
    if (conditions.some((condition) => condition.db !== db)) return null;
    if (sizeOf(conditions) > CONDITIONS_BYTES_MAX) return null;
    const name = argvOf([commandName(inputs as CommandInput) as Argument])[0] as ByteString;
    if (!SHARING_NAME.test(name)) return null;
    if (this.#last.db !== db) this.#last = { db, decide: true };
    return this.#last;
  }
}

/** Returns the maximum number of calls with these options in an envelope. */
export function unitsMax(options: EnvelopeOptions | null): number {
  if (options?.decide) return DECIDED_UNITS_MAX;
  return options === null || isDatabaseAlone(options) ? COMMANDS_MAX : 1;
}

const sizeOf = (conditions: readonly Condition[]): number =>
  conditions.reduce((bytes, { key }) => bytes + key.length + CONDITION_BYTES, 0);

/** Whether a unit of a batch has conditions (`if`). */
export const hasConditions = ({ options, calls }: Pick<SentBatch, "options" | "calls">): boolean =>
  options?.if != null ||
  (options?.decide === true && calls.some(({ settings }) => settings.envelope?.if != null));

/** Whether an envelope of several units must have `decide`, because it would lose their conditions without it. */
export const mustDecide = (batch: Pick<SentBatch, "options" | "calls">): boolean =>
  batch.calls.length > 1 && hasConditions(batch);

/** Returns the header of a batch's envelope with the conditions of its units. */
export function withConditions(
  header: HeaderFields,
  batch: Pick<SentBatch, "options" | "calls">,
): HeaderFields {
  if (batch.options?.if != null || !hasConditions(batch)) return header;
  const ifs = new Map<number, readonly Condition[]>();
  for (const [index, { settings }] of batch.calls.entries())
    if (settings.envelope?.if != null) ifs.set(index, settings.envelope.if);
  return batch.calls.length === 1 ? { ...header, if: ifs.get(0) ?? null } : { ...header, ifs };
}

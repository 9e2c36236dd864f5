/** The figures of decisions, as status, metrics and the page of --admin show them. */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** The maximum number of signing keys whose waiting envelopes are counted separately. */
const KEYS_MAX = 5;

export interface DecisionFigures {
  /** The id of the member that may propose decisions; null: none may. */
  readonly keeper: ByteString | null;
  /** The number of the last decision that is part of the state. */
  readonly slots: number;
  /** The number of decided units that have become part of the state since the start. */
  readonly units: number;
  /** The date of the last decision; 0: there is none. */
  readonly lastAt: number;
  /** The number of envelopes that wait here. */
  readonly waiting: number;
  /** The signing keys with the most waiting envelopes, and their numbers; the first has the most. */
  readonly waitingKeys: readonly (readonly [key: ByteString, envelopes: number])[];
}

/** Returns the keys with the most waiting envelopes, the first with the most. @param counts  of all keys */
export function mostWaiting(
  counts: readonly (readonly [key: ByteString, envelopes: number])[],
): DecisionFigures["waitingKeys"] {
  return counts.toSorted(([, one], [, other]) => other - one).slice(0, KEYS_MAX);
}

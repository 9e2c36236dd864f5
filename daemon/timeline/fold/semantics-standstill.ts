/**
 * A fold stops at the position from which an unknown semantics version applies, and before an entry whose code this
 * build does not contain. These functions report the date up to which its state is valid, and what the operator can do.
 * Source: docs/decisions/0044-the-meaning-of-commands-has-a-version.md.
 */
import { dateText } from "../../../protocol/version-2/envelope.js";
import { missingCode } from "../../store/family-code.js";
import { compareOrderKeys, type Entry, orderKeyOf } from "../entries/entry.js";
import type { Fold, FoldedEntry } from "./fold.js";

/**
 * Whether a fold may apply an entry: this build contains the code of its commands. If not, the fold may apply no later
 * entry either.
 */
export function hasCode(fold: Fold, { envelope }: Entry): boolean {
  fold.missingCode ??= missingCode(envelope.commands);
  return fold.missingCode === null;
}

/** Returns the reason for a fold's standstill and the remedy, or null if there is none. */
export function standstillOf(fold: Fold): string | null {
  const { unknownFrom, missingCode, ring } = fold;
  if (missingCode !== null || unknownFrom === null) return missingCode;
  const { last } = ring.known;
  const known = last === 1 ? "version 1" : `versions 1 to ${last}`;
  return `semantics version ${ring.semantics} applies from ${dateText(unknownFrom.at)}, but this release knows only ${known}: upgrade it`;
}

/** Whether the fold applies entries dated at a time. */
export const appliesAt = ({ unknownFrom }: Fold, at: number): boolean =>
  unknownFrom === null || at < unknownFrom.at;

/**
 * Limits `cutAt` and `finalTo` to the last date before the first unit that is skipped or void. No snapshot may cover
 * void units before they are stored as dead letters, because the fold would not find them after a restart.
 */
export function limitToApplied({ unknownFrom, cutAt, voids }: Fold, finalAt: number) {
  const last = Math.min(
    unknownFrom === null ? Number.POSITIVE_INFINITY : unknownFrom.at - 1,
    voids.firstAt - 1,
  );
  return { cutAt: Math.min(cutAt, last), finalTo: Math.min(finalAt, last) };
}

/** Returns the entries that the fold has applied; only their answers are results of the commands. */
export function appliedOf({ unknownFrom }: Fold, folded: readonly FoldedEntry[]): readonly FoldedEntry[] {
  return unknownFrom === null
    ? folded
    : folded.filter(({ entry }) => compareOrderKeys(orderKeyOf(entry), unknownFrom) < 0);
}

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
  const { end, missingCode, ring } = fold;
  if (missingCode !== null || end === null) return missingCode;
  const { last } = ring.known;
  const known = last === 1 ? "version 1" : `versions 1 to ${last}`;
  return `semantics version ${ring.semantics} applies from ${dateText(end.at)}, but this release knows only ${known}: upgrade it`;
}

/** Whether the fold applies entries dated at a time. */
export const appliesAt = ({ end }: Fold, at: number): boolean => end === null || at < end.at;

/** Limits `cutAt` and `finalTo` to the last date before the fold's end, and to `limit`. */
export function limitToEnd({ end, cutAt }: Fold, finalTo: number, limit: number) {
  const to = end === null ? limit : Math.min(limit, end.at - 1);
  return { cutAt: Math.min(cutAt, to), finalTo: Math.min(finalTo, to) };
}

/** Returns the entries that the fold has applied; only their answers are results of the commands. */
export function appliedOf({ end }: Fold, folded: readonly FoldedEntry[]): readonly FoldedEntry[] {
  return end === null ? folded : folded.filter(({ entry }) => compareOrderKeys(orderKeyOf(entry), end) < 0);
}

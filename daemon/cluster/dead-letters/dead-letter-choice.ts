/** Finds the dead letters that an operator names, and checks whether they may be written again or removed. */
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import type { DeadLetter } from "./dead-letter-folder.js";

const DIGITS_MIN = 4;
const NAMED_MAX = 10;

/** Thrown if the dead letters cannot be chosen. The message is a sentence for the operator. */
export class NotSelected extends Error {
  override readonly name = "NotSelected";
}

/**
 * @param ids  the dead letters' ids in hexadecimal, or their first digits
 * @throws NotSelected  an id matches no dead letter, or several
 */
export function selected(deadLetters: readonly DeadLetter[], ids: readonly string[]): DeadLetter[] {
  const found = new Set<DeadLetter>();
  for (const text of ids) {
    const digits = text.toLowerCase();
    if (!/^[\da-f]+$/.test(digits) || digits.length < DIGITS_MIN)
      throw new NotSelected(
        `${JSON.stringify(text)} is not an id: enter at least its first ${DIGITS_MIN} hexadecimal digits.`,
      );
    const matching = deadLetters.filter(({ orderKey }) => hexOf(orderKey.id).startsWith(digits));
    const [only] = matching;
    if (only === undefined)
      throw new NotSelected(
        `No dead letter's id begins with ${digits}: dbsync dead-letters list shows them.`,
      );
    if (matching.length > 1)
      throw new NotSelected(`${matching.length} dead letters' ids begin with ${digits}: enter more digits.`);
    found.add(only);
  }
  return deadLetters.filter((deadLetter) => found.has(deadLetter));
}

/** Returns why a dead letter may not be written again without confirmation, or null if it may. */
export function reasonNotToWrite({ state, reason, since }: DeadLetter): string | null {
  const when = since === null ? "" : ` at ${dateText(since)}`;
  if (state === "written") return `it was written again${when}`;
  if (state === "begun") return `writing it again was begun${when}, and may have succeeded`;
  return reason === "possible" ? "the state may contain it: check that first" : null;
}

/**
 * Checks that all given dead letters may be written again.
 * @throws NotSelected  at least one dead letter may not be written again
 */
export function checkWritable(deadLetters: readonly DeadLetter[], isAnyway: boolean): void {
  const undecided = deadLetters.filter(({ state }) => state === "undecided");
  if (undecided.length > 0)
    throw new NotSelected(
      `${namesOf(undecided)}: the daemon was stopped while it adopted a snapshot, and may still have it. Start the daemon first.`,
    );
  const doubtful = isAnyway ? [] : deadLetters.filter((deadLetter) => reasonNotToWrite(deadLetter) !== null);
  if (doubtful.length === 0) return;
  const lines = doubtful
    .slice(0, NAMED_MAX)
    .map((deadLetter) => `  ${shortId(deadLetter)}: ${reasonNotToWrite(deadLetter)}`);
  const more = doubtful.length > NAMED_MAX ? [`  and ${doubtful.length - NAMED_MAX} more`] : [];
  throw new NotSelected(
    [
      "Nothing was written, because it could take effect twice:",
      ...lines,
      ...more,
      "--anyway writes them.",
    ].join("\n"),
  );
}

/** Checks that the dead letters may be removed. @throws NotSelected  the entry of one may still be in the timeline */
export function checkRemovable(deadLetters: readonly DeadLetter[]): void {
  const undecided = deadLetters.filter(({ state }) => state === "undecided");
  if (undecided.length > 0)
    throw new NotSelected(
      `${namesOf(undecided)} cannot be removed now: the next start of the daemon decides about it.`,
    );
}

const SHORT_DIGITS = 12;

export const shortId = ({ orderKey }: DeadLetter): string => hexOf(orderKey.id).slice(0, SHORT_DIGITS);

function namesOf(deadLetters: readonly DeadLetter[]): string {
  const more = deadLetters.length > NAMED_MAX ? ` and ${deadLetters.length - NAMED_MAX} more` : "";
  return deadLetters.slice(0, NAMED_MAX).map(shortId).join(", ") + more;
}

/** Finds the name that was probably meant by a misspelt one. */

/** Maximum number of letters that differ: with more it is another word. */
const MOST_MISTAKES = 3;
/** Number of a name's letters that must be right for each wrong one. */
const RIGHT_FOR_EACH = 2;

/** @returns null: none is so near. Case, `-`, `_` and `.` count for nothing. */
export function nearestName(typed: string, names: Iterable<string>): string | null {
  const given = lettersOf(typed);
  let nearest: string | null = null;
  let fewest = MOST_MISTAKES + 1;
  for (const name of names) {
    const letters = lettersOf(name);
    if (Math.abs(letters.length - given.length) >= fewest) continue;
    const mistakes = mistakesBetween(given, letters);
    if (mistakes >= fewest || mistakes * (RIGHT_FOR_EACH + 1) > Math.max(given.length, letters.length))
      continue;
    nearest = name;
    fewest = mistakes;
  }
  return nearest;
}

/** `did you mean …? `, or nothing. */
export function didYouMean(typed: string, names: Iterable<string>): string {
  const name = nearestName(typed, names);
  return name === null ? "" : `did you mean ${name}? `;
}

const lettersOf = (name: string): string => name.toLowerCase().replace(/[-_.]/g, "");

/** Counts letters that are missing, too many, wrong, or swapped with their neighbour (Damerau and Levenshtein, each position once). */
function mistakesBetween(one: string, other: string): number {
  let before: number[] = [];
  let last: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let i = 1; i <= one.length; i++) {
    [before, last, row] = [last, row, [i]];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwapped) least = Math.min(least, at(before, j - 2) + 1);
      row.push(least);
    }
  }
  return at(row, other.length);
}

const at = (row: readonly number[], column: number): number => row[column] as number;

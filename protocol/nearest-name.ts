/** Finds the name that the user probably meant when a name is misspelt. */

/** The maximum number of different letters. A name with more differences is another word. */
const MISTAKES_MAX = 3;
/** The number of correct letters that a name must have for each wrong one. */
const CORRECT_PER_MISTAKE = 2;

/** Returns the nearest name, ignoring case, `-`, `_` and `.`; null if none is near enough. */
export function nearestName(typed: string, names: Iterable<string>): string | null {
  const typedLetters = lettersOf(typed);
  let nearest: string | null = null;
  let fewestMistakes = MISTAKES_MAX + 1;

  for (const name of names) {
    const letters = lettersOf(name);
    if (Math.abs(letters.length - typedLetters.length) >= fewestMistakes) continue;
    const mistakes = mistakesBetween(typedLetters, letters);
    if (
      mistakes >= fewestMistakes ||
      mistakes * (CORRECT_PER_MISTAKE + 1) > Math.max(typedLetters.length, letters.length)
    )
      continue;
    nearest = name;
    fewestMistakes = mistakes;
  }
  return nearest;
}

/** Returns `did you mean …? `, or an empty text. */
export function didYouMean(typed: string, names: Iterable<string>): string {
  const name = nearestName(typed, names);
  return name === null ? "" : `did you mean ${name}? `;
}

const lettersOf = (name: string): string => name.toLowerCase().replace(/[-_.]/g, "");

/**
 * Counts missing, extra, wrong and swapped letters (the distance of Damerau and Levenshtein, with each position used
 * once).
 */
function mistakesBetween(one: string, other: string): number {
  let before: number[] = [];
  let last: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);

  for (let i = 1; i <= one.length; i++) {
    [before, last, row] = [last, row, [i]];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      let min = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwapped) min = Math.min(min, at(before, j - 2) + 1);
      row.push(min);
    }
  }
  return at(row, other.length);
}

const at = (row: readonly number[], column: number): number => row[column] as number;

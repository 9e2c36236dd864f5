/** Returns arguments as users type them in a shell. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w.,:@%+=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

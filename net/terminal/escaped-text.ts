/** Escapes text from a server for a terminal. */

/** Characters that would move a terminal's cursor or end a line. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Returns text on one line, without control characters. */
export function shown(text: string): string {
  return text.replace(CONTROL, escaped);
}

const escaped = (char: string): string =>
  NAMED[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** Returns text like `shown`, line by line. */
export function shownLines(text: string): string {
  return text.split("\n").map(shown).join("\n");
}

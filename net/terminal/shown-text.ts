/** Escapes text of a server's making for a terminal. */

/** Characters that would move a terminal's cursor, or end a line. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** On one line, without what a terminal would obey. */
export function shown(text: string): string {
  return text.replace(CONTROL, escaped);
}

const escaped = (char: string): string =>
  NAMED[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** Like `shown`, line by line. */
export function shownLines(text: string): string {
  return text.split("\n").map(shown).join("\n");
}

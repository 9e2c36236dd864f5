/** Escapes text from a server for a terminal. */
import { CONTROL_CHARACTERS, unicodeEscape } from "../../../protocol/control-characters.js";

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Returns text on one line, without control characters. */
export function shown(text: string): string {
  return text.replace(CONTROL_CHARACTERS, escapedCharacter);
}

/** Returns the escape of a control character: `\n`, `\x1b` or `\u202e`. */
export function escapedCharacter(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0xff) return unicodeEscape(character);
  return NAMED[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
}

/** Returns text like `shown`, line by line. */
export function shownLines(text: string): string {
  return text.split("\n").map(shown).join("\n");
}

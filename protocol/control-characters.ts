/**
 * The characters that a terminal obeys instead of showing them: the control characters of C0 and C1, those that change
 * the direction of text, separators of lines, and characters without width. Without this set, a stored text could move
 * the cursor, hide what follows or change its order. The two joiners of words and emoji (U+200C, U+200D) are text.
 * With the flag `g`, for `replace`; use `hasControlCharacter` to test a text. The ranges are written out, because the
 * recorded command `KEY ADD` refuses these characters: classes such as \p{Cf} change with the version of Unicode.
 */
export const CONTROL_CHARACTERS =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0001}\u{e0020}-\u{e007f}]/gu;

/** Whether a text contains such a character. */
export const hasControlCharacter = (text: string): boolean => text.search(CONTROL_CHARACTERS) >= 0;

/**
 * Returns JSON with the same meaning, in which escapes replace these characters, except for line breaks of its layout.
 */
export function withEscapesOfJson(json: string): string {
  return json.replace(CONTROL_CHARACTERS, (character) =>
    character === "\n" ? character : unicodeEscape(character),
  );
}

/** Returns the escape of a character, in the notation of JSON and JavaScript: one for each UTF-16 unit. */
export function unicodeEscape(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

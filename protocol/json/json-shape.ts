/**
 * The shape of objects that have the same members in the same order, with only strings without escapes, short numbers
 * and literals as values, and no spaces. Their texts can be recognized as well-formed, and as the output of
 * `writeJson`, without parsing.
 */

/** The limits for names. For longer lists a shape saves no time. */
const NAMES_MAX = 64;
const NAMES_CHARS_MAX = 1024;
/**
 * The maximum length of a text. Longer ones are parsed, because the engine's memory for backtracking grows with the
 * length.
 */
const TEXT_CHARS_MAX = 64 * 1024;
/** The maximum number of cached shapes. Creating one takes as long as parsing about a hundred members. */
const SHAPES_MAX = 256;

/** The pattern of a value. Numbers of this length are always in the range of doubles. */
const VALUE = String.raw`(?:"[^"\\\x00-\x1f\ud800-\udfff]*"|-?(?:0|[1-9]\d{0,19})(?:\.\d{1,20})?|true|false|null)`;
const TO_QUOTE = /[\\^$.*+?()[\]{}|/-]/g;

export class JsonShape {
  readonly names: readonly string[];
  readonly #pattern: RegExp;

  constructor(names: readonly string[]) {
    this.names = names;
    const members = names.map((name) => `${JSON.stringify(name).replace(TO_QUOTE, "\\$&")}:${VALUE}`);
    this.#pattern = new RegExp(`\\{${members.join(",")}\\}`, "y");
  }

  /**
   * Returns the index after an object of this shape that begins at `at`; -1 if there is none, or if it must be parsed.
   */
  endIn(text: string, at: number): number {
    const pattern = this.#pattern;
    pattern.lastIndex = at;
    if (!pattern.test(text)) return -1;
    return pattern.lastIndex - at > TEXT_CHARS_MAX ? -1 : pattern.lastIndex;
  }

  /** Whether a text consists of exactly one such object. */
  matches(text: string): boolean {
    return text.length <= TEXT_CHARS_MAX && this.endIn(text, 0) === text.length;
  }
}

const shapes = new Map<string, JsonShape>();

/** Returns the shape for names, which must all be different; null if these names are not supported. */
export function shapeOf(names: readonly string[]): JsonShape | null {
  if (names.length === 0 || names.length > NAMES_MAX) return null;
  const key = JSON.stringify(names);
  if (key.length > NAMES_CHARS_MAX) return null;
  const known = shapes.get(key);
  if (known !== undefined) return known;
  if (shapes.size >= SHAPES_MAX) shapes.clear();
  const shape = new JsonShape([...names]);
  shapes.set(key, shape);
  return shape;
}

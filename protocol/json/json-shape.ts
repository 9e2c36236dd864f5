/**
 * The shape of objects that have the same members in the same order, among them strings without escapes and short numbers, and no spaces:
 * their texts are recognized as well-formed, and as what `writeJson` would write, without being parsed.
 */

/** For longer lists of names a shape does not pay. */
const NAMES_MAX = 64;
const NAMES_CHARS_MAX = 1024;
/** Longer texts are parsed: the engine's memory for backtracking grows with them. */
const TEXT_CHARS_MAX = 64 * 1024;
/** Maximum number of cached shapes: making one takes as long as reading some hundred members. */
const SHAPES_MAX = 256;

/** No number that is this short is beyond all doubles. */
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

  /** Returns the index after an object of this shape that begins at an index; -1: there is none, or it must be parsed. */
  endIn(text: string, at: number): number {
    const pattern = this.#pattern;
    pattern.lastIndex = at;
    if (!pattern.test(text)) return -1;
    return pattern.lastIndex - at > TEXT_CHARS_MAX ? -1 : pattern.lastIndex;
  }

  /** Whether a text consists of such an object alone. */
  matches(text: string): boolean {
    return text.length <= TEXT_CHARS_MAX && this.endIn(text, 0) === text.length;
  }
}

const shapes = new Map<string, JsonShape>();

/** @param names  all different @returns null: members with these names are not found so */
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

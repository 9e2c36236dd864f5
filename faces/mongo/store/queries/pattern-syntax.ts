/**
 * Parses patterns of `$regex`: the subset of regular expressions that can be matched in one pass over a text. Features
 * that need backtracking (back references, lookahead, lookbehind) are rejected. Letters and digits are those of ASCII.
 * Source: docs/json-documents.md "Patterns".
 */
import { type CharTest, isWord, type Step } from "./pattern-program.js";

const ANY_CASE = "(?i)";

/** Thrown if a pattern has a syntax error or is too large. */
export class InvalidPattern extends Error {}

/** A node of the syntax tree. */
export type PatternNode =
  | { readonly kind: "step"; readonly step: Step }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "alternatives"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly part: PatternNode; readonly min: number; readonly max: number };

const isCode =
  (wanted: number): CharTest =>
  (code) =>
    code === wanted;

const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);

/** Caches the result for the last character: if a pattern repeats a long set, many steps test the same character. */
function cachingLast(test: CharTest): CharTest {
  let last = Number.NaN;
  let isMatch = false;
  return (code) => {
    if (code === last) return isMatch;
    last = code;
    isMatch = test(code);
    return isMatch;
  };
}

const isDigit: CharTest = (code) => code >= 0x30 && code <= 0x39;
const isLetter: CharTest = (code) => (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
const isSpace: CharTest = (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d);

const CLASSES: ReadonlyMap<string, CharTest> = new Map([
  ["d", isDigit],
  ["D", not(isDigit)],
  ["w", isWord],
  ["W", not(isWord)],
  ["s", isSpace],
  ["S", not(isSpace)],
]);
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
const QUANTIFIER = /[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/y;
const HEX = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})/y;
const SPECIAL = "^$\\.*+?()[]{}|";

/**
 * The parser of one pattern. The grammar is:
 *
 *     alternatives = sequence { "|" sequence }
 *     sequence     = { atom [ quantifier ] }
 *     atom         = "(" [ "?:" ] alternatives ")" | "[" [ "^" ] { member } "]" | "." | "^" | "$" | escape | character
 */
export class PatternParser {
  readonly #text: string;
  readonly #isAnyCase: boolean;
  readonly #dot: CharTest;
  #at = 0;

  constructor(text: string, dotMatchesLines: boolean) {
    this.#text = text;
    this.#dot = dotMatchesLines ? () => true : not(isCode(0x0a));
    this.#isAnyCase = text.startsWith(ANY_CASE);
    if (this.#isAnyCase) this.#at = ANY_CASE.length;
  }

  parse(): PatternNode {
    const part = this.#parseAlternatives();
    if (this.#at < this.#text.length) throw this.#invalid("an unmatched )");
    return part;
  }

  #invalid(what: string): InvalidPattern {
    return new InvalidPattern(`${what}, at character ${this.#at}`);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  /** Returns the next character. */
  #next(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw this.#invalid("it ends unexpectedly");
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #parseAlternatives(): PatternNode {
    const alternatives: PatternNode[] = [];
    do {
      const parts: PatternNode[] = [];
      while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at] as string))
        parts.push(this.#parseRepeat());
      alternatives.push({ kind: "sequence", parts });
    } while (this.#take("|"));
    return { kind: "alternatives", parts: alternatives };
  }

  #parseRepeat(): PatternNode {
    const part = this.#parseAtom();
    const found = this.#match(QUANTIFIER);
    if (found === null) return part;

    // Greedy and lazy quantifiers do not differ in whether there is a match.
    this.#take("?");
    const [text, min = "", comma, max] = found;
    if (text === "*") return { kind: "repeat", part, min: 0, max: Number.POSITIVE_INFINITY };
    if (text === "+") return { kind: "repeat", part, min: 1, max: Number.POSITIVE_INFINITY };
    if (text === "?") return { kind: "repeat", part, min: 0, max: 1 };

    const last =
      comma === undefined ? Number(min) : max === undefined ? Number.POSITIVE_INFINITY : Number(max);
    if (last < Number(min)) throw this.#invalid("numbers in the wrong order");

    return { kind: "repeat", part, min: Number(min), max: last };
  }

  #parseAtom(): PatternNode {
    const character = this.#next();
    if (character === "(") return this.#parseGroup();
    if (character === "[") return this.#charNode(this.#parseSet());
    if (character === ".") return this.#charNode(this.#dot);
    if (character === "^") return { kind: "step", step: { kind: "start" } };
    if (character === "$") return { kind: "step", step: { kind: "end" } };
    if (character === "\\") return this.#parseEscape();
    if (SPECIAL.includes(character)) throw this.#invalid(`${character} must be written \\${character} here`);
    return this.#charNode(this.#sameCharacter(character.codePointAt(0) as number));
  }

  #charNode(test: CharTest): PatternNode {
    return { kind: "step", step: { kind: "char", accepts: test } };
  }

  #sameCharacter(code: number): CharTest {
    const letter = code | 0x20;
    if (!this.#isAnyCase || !isLetter(code)) return isCode(code);
    return (other) => (other | 0x20) === letter;
  }

  #parseGroup(): PatternNode {
    if (!this.#take("?:") && this.#take("?"))
      throw this.#invalid(
        "of the groups that begin with (? only (?: is supported, and (?i) at the very beginning",
      );
    const part = this.#parseAlternatives();
    if (!this.#take(")")) throw this.#invalid("a ( that is not closed");
    return part;
  }

  #parseEscape(): PatternNode {
    if (this.#take("b")) return { kind: "step", step: { kind: "edge", isEdge: true } };
    if (this.#take("B")) return { kind: "step", step: { kind: "edge", isEdge: false } };
    const test = this.#parseEscapedTest();
    return this.#charNode(typeof test === "number" ? this.#sameCharacter(test) : test);
  }

  /** Returns the meaning of the characters after a backslash. */
  #parseEscapedTest(): CharTest | number {
    const hex = this.#match(HEX);
    if (hex !== null) return Number.parseInt((hex[1] ?? hex[2]) as string, 16);
    const character = this.#next();
    const found = CLASSES.get(character) ?? CONTROLS[character];
    if (found !== undefined) return found;
    const code = character.codePointAt(0) as number;
    if (isWord(code) && character !== "_")
      throw this.#invalid(`there is no \\${character} (back references are not supported)`);
    return code;
  }

  #parseSet(): CharTest {
    const isNegated = this.#take("^");
    const parts: CharTest[] = [];
    while (!this.#take("]")) {
      const first = this.#parseMember();
      if (typeof first !== "number") parts.push(first);
      else if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at++;
        parts.push(this.#rangeTest(first, this.#parseMember()));
      } else parts.push(this.#sameCharacter(first));
    }
    if (parts.length === 0) throw this.#invalid("[] is empty");

    const isMember: CharTest = (code) => parts.some((part) => part(code));
    return cachingLast(isNegated ? not(isMember) : isMember);
  }

  #parseMember(): CharTest | number {
    const character = this.#next();
    if (character === "[") throw this.#invalid("[ must be written \\[ here");
    return character === "\\" ? this.#parseEscapedTest() : (character.codePointAt(0) as number);
  }

  #rangeTest(first: number, last: CharTest | number): CharTest {
    if (typeof last !== "number" || last < first) throw this.#invalid("a range in the wrong order");
    const isBetween: CharTest = (code) => code >= first && code <= last;
    if (!this.#isAnyCase) return isBetween;
    return (code) => isBetween(code) || (isLetter(code) && isBetween(code ^ 0x20));
  }
}

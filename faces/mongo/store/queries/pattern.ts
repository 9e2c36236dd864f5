/**
 * Patterns of `$regex`: the subset of regular expressions that can be matched in one pass over a text. Features that
 * need backtracking (back references, lookahead, lookbehind) are rejected. Letters and digits are those of ASCII.
 * Source: docs/json-documents.md "Patterns".
 */

/** Maximum number of characters of a pattern. */
const PATTERN_CHARS_MAX = 1000;
/** Maximum number of steps of a pattern's program: each is checked at most once for each character of a text. */
export const PATTERN_STEPS_MAX = 100;
const ANY_CASE = "(?i)";

export class PatternFault extends Error {}

type Part =
  | { readonly kind: "one"; readonly step: Step }
  | { readonly kind: "row"; readonly parts: readonly Part[] }
  | { readonly kind: "either"; readonly parts: readonly Part[] }
  | { readonly kind: "times"; readonly part: Part; readonly min: number; readonly max: number };

/**
 * @param dotMatchesLines whether `.` matches a line feed too
 * @throws PatternFault with the position of the error
 */
export function compilePattern(pattern: string, dotMatchesLines = false): PatternProgram {
  if (pattern.length > PATTERN_CHARS_MAX)
    throw new PatternFault(`a pattern has at most ${PATTERN_CHARS_MAX} characters`);
  const steps: Step[] = [];
  emit(new Reader(pattern, dotMatchesLines).readAll(), steps);
  add(steps, { kind: "found" });
  return new PatternProgram(steps);
}

function add(steps: Step[], step: Step): number {
  if (steps.length === PATTERN_STEPS_MAX)
    throw new PatternFault(`it needs more than ${PATTERN_STEPS_MAX} steps: repeat less`);
  return steps.push(step) - 1;
}

function emit(part: Part, steps: Step[]): void {
  if (part.kind === "one") add(steps, part.step);
  else if (part.kind === "row") for (const one of part.parts) emit(one, steps);
  else if (part.kind === "either") emitEither(part.parts, steps);
  else {
    for (let count = 0; count < part.min; count++) {
      const { length } = steps;
      emit(part.part, steps);
      // A part that needs no steps is not repeated: nested empty groups would otherwise be repeated for hours.
      if (steps.length === length) break;
    }
    if (part.max === Number.POSITIVE_INFINITY) emitAnyTimes(part.part, steps);
    else emitMaybe(part.part, part.max - part.min, steps);
  }
}

/** A jump, expressed as a split whose two targets are the same. */
const leap = (to: number): Step => ({ kind: "split", to, or: to });

function emitEither([first, ...others]: readonly Part[], steps: Step[]): void {
  if (first === undefined) return;
  if (others.length === 0) {
    emit(first, steps);
    return;
  }
  const split = add(steps, leap(0));
  emit(first, steps);
  const end = add(steps, leap(0));
  steps[split] = { kind: "split", to: split + 1, or: steps.length };
  emitEither(others, steps);
  steps[end] = leap(steps.length);
}

function emitAnyTimes(part: Part, steps: Step[]): void {
  const split = add(steps, leap(0));
  emit(part, steps);
  add(steps, leap(split));
  steps[split] = { kind: "split", to: split + 1, or: steps.length };
}

function emitMaybe(part: Part, times: number, steps: Step[]): void {
  const splits: number[] = [];
  for (let count = 0; count < times; count++) {
    splits.push(add(steps, leap(0)));
    emit(part, steps);
  }
  for (const split of splits) steps[split] = { kind: "split", to: split + 1, or: steps.length };
}

const is =
  (wanted: number): CharTest =>
  (code) =>
    code === wanted;
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);
/** Caches the result for the last character: if a pattern repeats a long set, many steps test the same character. */
function remembering(test: CharTest): CharTest {
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
const isBlank: CharTest = (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d);

const isWord: CharTest = (code) =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x5f ||
  (code >= 0x61 && code <= 0x7a);
const CLASSES: ReadonlyMap<string, CharTest> = new Map([
  ["d", isDigit],
  ["D", not(isDigit)],
  ["w", isWord],
  ["W", not(isWord)],
  ["s", isBlank],
  ["S", not(isBlank)],
]);
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
const QUANTIFIER = /[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/y;
const HEX = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})/y;
const SPECIAL = "^$\\.*+?()[]{}|";

class Reader {
  readonly #text: string;
  readonly #isAnyCase: boolean;
  readonly #dot: CharTest;
  #at = 0;

  constructor(text: string, dotMatchesLines: boolean) {
    this.#text = text;
    this.#dot = dotMatchesLines ? () => true : not(is(0x0a));
    this.#isAnyCase = text.startsWith(ANY_CASE);
    if (this.#isAnyCase) this.#at = ANY_CASE.length;
  }

  readAll(): Part {
    const part = this.#either();
    if (this.#at < this.#text.length) throw this.#fault("an unmatched )");
    return part;
  }

  #fault(what: string): PatternFault {
    return new PatternFault(`${what}, at character ${this.#at}`);
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
    if (code === undefined) throw this.#fault("it ends unexpectedly");
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #either(): Part {
    const parts: Part[] = [];
    do {
      const row: Part[] = [];
      while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at] as string))
        row.push(this.#times());
      parts.push({ kind: "row", parts: row });
    } while (this.#take("|"));
    return { kind: "either", parts };
  }

  #times(): Part {
    const part = this.#one();
    const found = this.#match(QUANTIFIER);
    if (found === null) return part;
    // Greedy and lazy quantifiers do not differ in whether there is a match.
    this.#take("?");
    const [text, min = "", comma, max] = found;
    if (text === "*") return { kind: "times", part, min: 0, max: Number.POSITIVE_INFINITY };
    if (text === "+") return { kind: "times", part, min: 1, max: Number.POSITIVE_INFINITY };
    if (text === "?") return { kind: "times", part, min: 0, max: 1 };
    const last =
      comma === undefined ? Number(min) : max === undefined ? Number.POSITIVE_INFINITY : Number(max);
    if (last < Number(min)) throw this.#fault("numbers in the wrong order");
    return { kind: "times", part, min: Number(min), max: last };
  }

  #one(): Part {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#charPart(this.#set());
    if (character === ".") return this.#charPart(this.#dot);
    if (character === "^") return { kind: "one", step: { kind: "start" } };
    if (character === "$") return { kind: "one", step: { kind: "end" } };
    if (character === "\\") return this.#escaped();
    if (SPECIAL.includes(character)) throw this.#fault(`${character} must be written \\${character} here`);
    return this.#charPart(this.#same(character.codePointAt(0) as number));
  }

  #charPart(test: CharTest): Part {
    return { kind: "one", step: { kind: "char", is: test } };
  }

  #same(code: number): CharTest {
    const letter = code | 0x20;
    if (!this.#isAnyCase || !isLetter(code)) return is(code);
    return (other) => (other | 0x20) === letter;
  }

  #group(): Part {
    if (!this.#take("?:") && this.#take("?"))
      throw this.#fault(
        "of the groups that begin with (? only (?: is supported, and (?i) at the very beginning",
      );
    const part = this.#either();
    if (!this.#take(")")) throw this.#fault("a ( that is not closed");
    return part;
  }

  #escaped(): Part {
    if (this.#take("b")) return { kind: "one", step: { kind: "edge", isEdge: true } };
    if (this.#take("B")) return { kind: "one", step: { kind: "edge", isEdge: false } };
    const test = this.#escapedTest();
    return this.#charPart(typeof test === "number" ? this.#same(test) : test);
  }

  /** Returns the meaning of the characters after a backslash. */
  #escapedTest(): CharTest | number {
    const hex = this.#match(HEX);
    if (hex !== null) return Number.parseInt((hex[1] ?? hex[2]) as string, 16);
    const character = this.#next();
    const found = CLASSES.get(character) ?? CONTROLS[character];
    if (found !== undefined) return found;
    const code = character.codePointAt(0) as number;
    if (isWord(code) && character !== "_")
      throw this.#fault(`there is no \\${character} (back references are not supported)`);
    return code;
  }

  #set(): CharTest {
    const isOther = this.#take("^");
    const parts: CharTest[] = [];
    while (!this.#take("]")) {
      const first = this.#member();
      if (typeof first !== "number") parts.push(first);
      else if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at++;
        parts.push(this.#span(first, this.#member()));
      } else parts.push(this.#same(first));
    }
    if (parts.length === 0) throw this.#fault("[] is empty");
    const isIn: CharTest = (code) => parts.some((part) => part(code));
    return remembering(isOther ? not(isIn) : isIn);
  }

  #member(): CharTest | number {
    const character = this.#next();
    if (character === "[") throw this.#fault("[ must be written \\[ here");
    return character === "\\" ? this.#escapedTest() : (character.codePointAt(0) as number);
  }

  #span(first: number, last: CharTest | number): CharTest {
    if (typeof last !== "number" || last < first) throw this.#fault("a range in the wrong order");
    const isBetween: CharTest = (code) => code >= first && code <= last;
    if (!this.#isAnyCase) return isBetween;
    return (code) => isBetween(code) || (isLetter(code) && isBetween(code ^ 0x20));
  }
}

/** Whether a code point matches. */
type CharTest = (code: number) => boolean;

type Step =
  | { readonly kind: "char"; readonly is: CharTest }
  | { readonly kind: "split"; readonly to: number; readonly or: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "found" }
  | { readonly kind: "edge"; readonly isEdge: boolean };

/** The code before the first character and after the last one. */
const NONE = -1;

/** Maximum number of facts that a program remembers; the rest of a text is then read without them. */
const REMEMBERED_MAX = 20_000;
/** Number of characters above which a text is read as if it were the program's first. */
const LONG_TEXT = 10_000;
/** Maximum number of characters that are read without remembered facts. */
const UNREMEMBERED_MAX = 100_000;

/** Thrown if a long text matches a pattern in too many different ways. */
export class PatternExceeded extends Error {}

/** A set of steps that the program may have reached. */
interface State {
  readonly reached: readonly number[];
  /** The character before, or one of the same kind. */
  readonly before: number;
  /** The state after a character of each class, or null if a match ends before it. */
  readonly next: (State | null | undefined)[];
}

/** What a program knows from the characters that it has read. */
class Memory {
  readonly #steps: readonly Step[];
  readonly #states = new Map<string, State>();
  /** The class of each character: the same steps accept all characters of a class. */
  readonly #classOf = new Map<number, number>();
  readonly #classes = new Map<string, number>();
  readonly first = this.stateOf([], NONE);
  /** Number of remembered facts. */
  size = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  classOf(code: number): number {
    return this.#classOf.get(code) ?? this.#newClassOf(code);
  }

  #newClassOf(code: number): number {
    let accepted = isWord(code) ? "w" : "";
    if (code === NONE) accepted = "end";
    else
      for (const [i, step] of this.#steps.entries())
        if (step.kind === "char" && step.is(code)) accepted += `,${i}`;
    const known = this.#classes.get(accepted) ?? this.#classes.size;
    this.#classes.set(accepted, known);
    this.#classOf.set(code, known);
    this.size++;
    return known;
  }

  stateOf(reached: readonly number[], before: number): State {
    const key = `${before === NONE ? "start" : isWord(before)}:${reached.join()}`;
    let state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, (state = { reached, before, next: [] }));
    return state;
  }
}

/**
 * A program that checks whether any part of a text matches a pattern. It follows all paths simultaneously, so its
 * time is at most proportional to the length of the text times the number of steps, for any pattern. It never
 * backtracks, and its result does not depend on machine settings. The program remembers which steps follow each set
 * of steps and character, so most characters cost one look-up.
 */
export class PatternProgram {
  readonly #steps: readonly Step[];
  /** The value of `#time` when each step was last reached. */
  readonly #reachedAt: Float64Array;
  /** Number of positions computed so far, in all texts. */
  #time = 0;
  #memory: Memory;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#reachedAt = new Float64Array(steps.length);
    this.#memory = new Memory(steps);
  }

  /**
   * Whether a part of a text matches.
   * @throws PatternExceeded only for long texts, and for the same texts on each machine
   */
  isIn(text: string): boolean {
    // Whether a long text is rejected must not depend on the texts before it.
    if (text.length > LONG_TEXT || this.#memory.size >= REMEMBERED_MAX)
      this.#memory = new Memory(this.#steps);
    const memory = this.#memory;
    let state = memory.first;
    for (let at = 0; ; ) {
      const code = at < text.length ? (text.codePointAt(at) as number) : NONE;
      const kind = memory.classOf(code);
      let next = state.next[kind];
      if (next === undefined) {
        if (memory.size >= REMEMBERED_MAX) return this.#isInRest(text, at, state);
        next = this.#after(state, code);
        state.next[kind] = next;
        memory.size++;
      }
      if (next === null) return true;
      if (code === NONE) return false;
      state = next;
      at += code > 0xffff ? 2 : 1;
    }
  }

  #after({ reached, before }: State, code: number): State | null {
    const next = this.#reachedAfter(reached, before, code);
    return next && this.#memory.stateOf(next.sort(ascending), code);
  }

  /** Returns the steps that are reached after a character, or null if a match ends before it. */
  #reachedAfter(reached: readonly number[], before: number, code: number): number[] | null {
    const waiting: number[] = [];
    this.#time++;
    // A match may begin anywhere.
    if (this.#follow([...reached, 0], waiting, before, code)) return null;
    let count = 0;
    for (const step of waiting)
      if ((this.#steps[step] as Step & { kind: "char" }).is(code)) waiting[count++] = step + 1;
    waiting.length = count;
    return waiting;
  }

  #isInRest(text: string, from: number, state: State): boolean {
    let { reached, before } = state;
    for (let at = from; ; ) {
      if (at - from > UNREMEMBERED_MAX) throw new PatternExceeded();
      const code = at < text.length ? (text.codePointAt(at) as number) : NONE;
      const next = this.#reachedAfter(reached, before, code);
      if (next === null) return true;
      if (code === NONE) return false;
      [reached, before] = [next, code];
      at += code > 0xffff ? 2 : 1;
    }
  }

  /**
   * Follows the steps that consume no character.
   * @param waiting receives the steps that consume a character
   * @returns whether the end of the program is reached
   */
  #follow(open: number[], waiting: number[], before: number, next: number): boolean {
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#reachedAt[at] === this.#time) continue;
      this.#reachedAt[at] = this.#time;
      const step = this.#steps[at] as Step;
      if (step.kind === "found") return true;
      if (step.kind === "char") waiting.push(at);
      else if (step.kind === "split") open.push(step.or, step.to);
      else if (holds(step, before, next)) open.push(at + 1);
    }
    return false;
  }
}

const ascending = (a: number, b: number): number => a - b;

function holds(
  step: Extract<Step, { kind: "start" | "end" | "edge" }>,
  before: number,
  next: number,
): boolean {
  if (step.kind === "start") return before === NONE;
  if (step.kind === "end") return next === NONE;
  return (isWord(before) !== isWord(next)) === step.isEdge;
}

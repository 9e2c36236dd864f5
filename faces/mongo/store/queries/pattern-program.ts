/**
 * A program that checks whether any part of a text matches a pattern. It follows all paths simultaneously, so its
 * time is at most proportional to the length of the text times the number of steps, for any pattern. It never
 * backtracks, and its result does not depend on machine settings. The program remembers which steps follow each set
 * of steps and character, so most characters cost one look-up.
 */

/** Whether a code point matches. */
export type CharTest = (code: number) => boolean;

export type Step =
  | { readonly kind: "char"; readonly is: CharTest }
  | { readonly kind: "split"; readonly to: number; readonly or: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "found" }
  | { readonly kind: "edge"; readonly isEdge: boolean };

/** The code before the first character and after the last one. */
const NONE = -1;

export const isWord: CharTest = (code) =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x5f ||
  (code >= 0x61 && code <= 0x7a);

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

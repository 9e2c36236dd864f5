/** Runs the program of a pattern on a text: a Thompson NFA, run with a lazily built DFA of limited size. */

/** Whether a code point matches. */
export type CharTest = (code: number) => boolean;

/** An instruction of a program. Unless it is a split, the next step follows it. */
export type Step =
  | { readonly kind: "char"; readonly accepts: CharTest }
  | { readonly kind: "split"; readonly to: number; readonly or: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "match" }
  | { readonly kind: "edge"; readonly isEdge: boolean };

export const isWord: CharTest = (code) =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x5f ||
  (code >= 0x61 && code <= 0x7a);

/** The code that is read before the first character and after the last one. */
const NONE = -1;

/** The maximum number of cached classes and transitions; the rest of a text is then matched without the cache. */
const CACHE_MAX = 20_000;
/** Longer texts start with an empty cache, so that whether they are rejected does not depend on earlier texts. */
const LONG_TEXT = 10_000;
/** The maximum number of characters that are matched without the cache. */
const UNCACHED_CHARS_MAX = 100_000;

/** Thrown if a text has more than UNCACHED_CHARS_MAX characters after the cache is full. */
export class PatternTooExpensive extends Error {}

/** A state of the DFA: a set of steps that the program may have reached. */
interface State {
  readonly reached: readonly number[];
  /** The character before, or one of the same kind. */
  readonly before: number;
  /** The state after a character of each class, or null if a match ends before it. */
  readonly next: (State | null | undefined)[];
}

/** The cached classes of characters, and states of the DFA with their transitions. */
class TransitionCache {
  readonly #steps: readonly Step[];
  readonly #states = new Map<string, State>();
  /** The class of each character: the same steps accept all characters of a class. */
  readonly #classOf = new Map<number, number>();
  readonly #classes = new Map<string, number>();
  readonly first = this.stateOf([], NONE);
  /** The number of cached classes and transitions. */
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
        if (step.kind === "char" && step.accepts(code)) accepted += `,${i}`;
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
 * backtracks, and its result does not depend on machine settings. It caches which steps follow each set of steps and
 * character, so most characters cost one look-up.
 */
export class PatternProgram {
  readonly #steps: readonly Step[];
  /** The value of `#generation` when each step was last reached. */
  readonly #reachedAt: Float64Array;
  /** The number of positions computed so far, in all texts. */
  #generation = 0;
  #cache: TransitionCache;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#reachedAt = new Float64Array(steps.length);
    this.#cache = new TransitionCache(steps);
  }

  /**
   * Whether a part of a text matches.
   * @throws PatternTooExpensive only for long texts, and for the same texts on each machine
   */
  matches(text: string): boolean {
    // Whether a long text is rejected must not depend on the texts before it.
    if (text.length > LONG_TEXT || this.#cache.size >= CACHE_MAX)
      this.#cache = new TransitionCache(this.#steps);
    const cache = this.#cache;
    let state = cache.first;
    for (let at = 0; ; ) {
      const code = at < text.length ? (text.codePointAt(at) as number) : NONE;
      const charClass = cache.classOf(code);
      let next = state.next[charClass];
      if (next === undefined) {
        if (cache.size >= CACHE_MAX) return this.#matchesUncached(text, at, state);
        next = this.#after(state, code);
        state.next[charClass] = next;
        cache.size++;
      }

      if (next === null) return true;
      if (code === NONE) return false;

      state = next;
      at += code > 0xffff ? 2 : 1;
    }
  }

  #after({ reached, before }: State, code: number): State | null {
    const next = this.#reachedAfter(reached, before, code);
    return next && this.#cache.stateOf(next.sort(ascending), code);
  }

  /** Returns the steps that are reached after a character, or null if a match ends before it. */
  #reachedAfter(reached: readonly number[], before: number, code: number): number[] | null {
    const waiting: number[] = [];
    this.#generation++;
    // A match may begin anywhere.
    if (this.#follow([...reached, 0], waiting, before, code)) return null;
    let count = 0;
    for (const step of waiting)
      if ((this.#steps[step] as Step & { kind: "char" }).accepts(code)) waiting[count++] = step + 1;
    waiting.length = count;
    return waiting;
  }

  #matchesUncached(text: string, from: number, state: State): boolean {
    let { reached, before } = state;
    for (let at = from; ; ) {
      if (at - from > UNCACHED_CHARS_MAX) throw new PatternTooExpensive();
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
      if (this.#reachedAt[at] === this.#generation) continue;
      this.#reachedAt[at] = this.#generation;
      const step = this.#steps[at] as Step;
      if (step.kind === "match") return true;
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

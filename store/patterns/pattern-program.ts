/**
 * A program that checks whether any part of a text matches a pattern. It follows all paths simultaneously, so its
 * time is at most proportional to the length of the text times the number of steps, for any pattern. It never
 * backtracks, and its result does not depend on machine settings.
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

export class PatternProgram {
  readonly #steps: readonly Step[];
  /** The value of `#time` when each step was last reached. */
  readonly #reachedAt: Float64Array;
  /** Number of positions visited so far, in all texts. */
  #time = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#reachedAt = new Float64Array(steps.length);
  }

  isIn(text: string): boolean {
    let waiting: number[] = [];
    let open: number[] = [];
    let before = NONE;
    for (let at = 0; ; ) {
      const code = at < text.length ? (text.codePointAt(at) as number) : NONE;
      // A match may begin anywhere.
      waiting.push(0);
      [open, waiting] = [waiting, open];
      this.#time++;
      if (this.#follow(open, waiting, before, code)) return true;
      if (code === NONE) return false;
      let count = 0;
      for (const step of waiting)
        if ((this.#steps[step] as Step & { kind: "char" }).is(code)) waiting[count++] = step + 1;
      waiting.length = count;
      before = code;
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

function holds(
  step: Extract<Step, { kind: "start" | "end" | "edge" }>,
  before: number,
  next: number,
): boolean {
  if (step.kind === "start") return before === NONE;
  if (step.kind === "end") return next === NONE;
  return (isWord(before) !== isWord(next)) === step.isEdge;
}

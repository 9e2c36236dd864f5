/**
 * Redis's glob patterns on bytes: `*`, `?`, `[a-c]`, `[^a]`, and `\` as the escape character. Source: redis-server 7.0,
 * test/conformance.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * Maximum number of backtracking steps of all patterns of one command, which take a few milliseconds. docs/limits.md
 * documents this limit.
 */
export const STEPS_BACK_MAX = 1_000_000;
/** Backtracking that repeats at most this many bytes is not counted: most names share some bytes with a pattern. */
const STEPS_BACK_FREE = 16;
/** Maximum length of a class that is not counted; longer classes are counted by their bytes. */
const CLASS_BYTES_FREE = 64;

/** The step counter of a unit. */
export interface StepCounter {
  /** Counts elements that are about to be compared. @throws BudgetExceeded */
  read(elements: number): void;
}

/**
 * The steps that matching may take in addition to one for each byte of a text: back to the last star, and through long
 * classes.
 */
export class GlobSteps {
  #left: number;
  readonly #effort: StepCounter | null;
  readonly #isStrict: boolean;

  /**
   * @param effort receives the steps too, to count them for the unit of the command; null if there is no unit
   * @param isStrict whether short ways back and short classes are counted too
   */
  constructor(effort: StepCounter | null = null, max: number = STEPS_BACK_MAX, isStrict = false) {
    this.#effort = effort;
    this.#left = max;
    this.#isStrict = isStrict;
  }

  /** Counts going back to the last star, after which `bytes` bytes were compared. @throws BudgetExceeded */
  goBack(bytes: number): void {
    if (this.#isStrict) this.take(bytes + 1);
    else if (bytes > STEPS_BACK_FREE) this.take(bytes);
  }

  /** Counts a class of `bytes` bytes. @throws BudgetExceeded */
  readClass(bytes: number): void {
    if (this.#isStrict || bytes > CLASS_BYTES_FREE) this.take(bytes);
  }

  /** @throws BudgetExceeded */
  take(steps: number): void {
    this.#left -= steps;
    this.#effort?.read(steps);
  }

  /** Whether no steps are left, in which case texts may be reported as not matching although they do. */
  get areOver(): boolean {
    return this.#left < 0;
  }
}

/**
 * Whether a pattern matches the complete text. Takes time proportional to pattern × text in the worst case. The empty
 * text matches only the empty pattern, as in Redis, whose commands handle the pattern `*` separately.
 * @param steps the limit; once it is reached, no text matches
 */
export function globMatches(pattern: ByteString, text: ByteString, steps: GlobSteps | null = null): boolean {
  if (text === "") return pattern === "";
  if (steps?.areOver === true) return false;

  let p = 0;
  let t = 0;
  /** Index at which to resume after the last star if the remaining pattern does not match. */
  let starP = -1;
  let starT = 0;
  for (;;) {
    if (p < pattern.length && pattern[p] === "*") {
      starP = ++p;
      starT = t;
      continue;
    }
    if (t === text.length) return p === pattern.length;

    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t), steps) : -1;
    if (next >= 0) {
      p = next;
      t++;
    } else if (starP >= 0) {
      if (steps !== null) {
        steps.goBack(t - starT);
        if (steps.areOver) return false;
      }
      p = starP;
      t = ++starT;
    } else {
      return false;
    }
  }
}

/**
 * Matches one byte at the given index of the pattern. Returns the index after the matching part of the pattern, or -1.
 */
function matchOne(pattern: ByteString, at: number, byte: number, steps: GlobSteps | null): number {
  switch (pattern[at]) {
    case "?":
      return at + 1;
    case "[":
      return matchClass(pattern, at + 1, byte, steps);
    case "\\":
      if (at + 1 < pattern.length) at++;
  }
  return pattern.charCodeAt(at) === byte ? at + 1 : -1;
}

/** Matches a byte against a class. A class without an end continues to the end of the pattern, as in Redis. */
function matchClass(pattern: ByteString, start: number, byte: number, steps: GlobSteps | null): number {
  let at = start;
  const negated = pattern[at] === "^";
  if (negated) at++;

  let isInClass = false;
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      at++;
      if (pattern.charCodeAt(at) === byte) isInClass = true;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const from = pattern.charCodeAt(at);
      const to = pattern.charCodeAt(at + 2);
      if (byte >= Math.min(from, to) && byte <= Math.max(from, to)) isInClass = true;
      at += 2;
    } else if (pattern.charCodeAt(at) === byte) {
      isInClass = true;
    }
  }

  steps?.readClass(at - start);
  if (isInClass === negated || steps?.areOver === true) return -1;

  return Math.min(at + 1, pattern.length);
}

/**
 * Returns a pattern that matches a text in lower case exactly if `pattern` matches it in Redis regardless of upper and
 * lower case. In a class, Redis compares an escaped byte as it is, and the ends of a range after it has sorted them, so
 * that a range such as `Z-a` may be empty.
 */
export function lowerPattern(pattern: ByteString): ByteString {
  let lowered = "";
  let isInClass = false;
  for (let at = 0; at < pattern.length; ) {
    const byte = pattern[at] as ByteString;
    let part = byte.toLowerCase();
    if (byte === "\\") {
      part = pattern.slice(at, at + 2);
      lowered += isInClass ? part : part.toLowerCase();
    } else if (isInClass && byte !== "]" && pattern[at + 1] === "-" && at + 2 < pattern.length) {
      part = pattern.slice(at, at + 3);
      lowered += lowerRange(byte, pattern[at + 2] as ByteString);
    } else {
      if (byte === "[" && !isInClass && pattern[at + 1] === "^") part = "[^";
      isInClass = isInClass ? byte !== "]" : byte === "[";
      lowered += part;
    }
    at += part.length;
  }

  return lowered;
}

/** Returns a range, or an upper-case letter, which no text in lower case contains, if the range is empty. */
function lowerRange(one: ByteString, other: ByteString): ByteString {
  const [from, to] = one < other ? [one, other] : [other, one];
  return from.toLowerCase() > to.toLowerCase() ? "Z" : `${one}-${other}`.toLowerCase();
}

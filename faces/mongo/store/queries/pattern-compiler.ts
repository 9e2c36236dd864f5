/** Compiles the parts of a pattern (pattern-syntax.ts) to a program of steps (pattern-program.ts). */
import { PatternProgram, type Step } from "./pattern-program.js";
import { InvalidPattern, type PatternNode, PatternParser } from "./pattern-syntax.js";

/** The maximum number of characters of a pattern. */
const PATTERN_CHARS_MAX = 1000;
/**
 * The maximum number of steps of a pattern's program. A step is one instruction; each runs at most once for each
 * character of a text.
 */
export const PATTERN_STEPS_MAX = 100;

/**
 * Compiles a pattern.
 * @param dotMatchesLines  whether `.` matches a line feed too
 * @throws InvalidPattern with the position of the error
 */
export function compilePattern(pattern: string, dotMatchesLines = false): PatternProgram {
  if (pattern.length > PATTERN_CHARS_MAX)
    throw new InvalidPattern(`a pattern has at most ${PATTERN_CHARS_MAX} characters`);
  const steps: Step[] = [];
  emit(new PatternParser(pattern, dotMatchesLines).parse(), steps);
  add(steps, { kind: "match" });
  return new PatternProgram(steps);
}

function add(steps: Step[], step: Step): number {
  if (steps.length === PATTERN_STEPS_MAX)
    throw new InvalidPattern(`it needs more than ${PATTERN_STEPS_MAX} steps: use smaller repeat counts`);
  return steps.push(step) - 1;
}

function emit(node: PatternNode, steps: Step[]): void {
  switch (node.kind) {
    case "step":
      add(steps, node.step);
      break;
    case "sequence":
      for (const part of node.parts) emit(part, steps);
      break;
    case "alternatives":
      emitAlternatives(node.parts, steps);
      break;
    case "repeat":
      emitRepeat(node, steps);
  }
}

function emitRepeat(node: Extract<PatternNode, { kind: "repeat" }>, steps: Step[]): void {
  const { part, min, max } = node;
  for (let count = 0; count < min; count++) {
    const { length } = steps;
    emit(part, steps);
    // A part that needs no steps is not repeated: nested empty groups would otherwise be repeated for hours.
    if (steps.length === length) break;
  }

  if (max === Number.POSITIVE_INFINITY) emitAnyTimes(part, steps);
  else emitMaybe(part, max - min, steps);
}

/** A jump, expressed as a split whose two targets are the same. */
const jump = (to: number): Step => ({ kind: "split", to, or: to });

function emitAlternatives([first, ...others]: readonly PatternNode[], steps: Step[]): void {
  if (first === undefined) return;
  if (others.length === 0) {
    emit(first, steps);
    return;
  }

  // The targets of the split and of the jump to the end are known only after the parts are emitted.
  const split = add(steps, jump(0));
  emit(first, steps);
  const end = add(steps, jump(0));
  steps[split] = { kind: "split", to: split + 1, or: steps.length };
  emitAlternatives(others, steps);
  steps[end] = jump(steps.length);
}

function emitAnyTimes(part: PatternNode, steps: Step[]): void {
  const split = add(steps, jump(0));
  emit(part, steps);
  add(steps, jump(split));
  steps[split] = { kind: "split", to: split + 1, or: steps.length };
}

function emitMaybe(part: PatternNode, times: number, steps: Step[]): void {
  const splits: number[] = [];
  for (let count = 0; count < times; count++) {
    splits.push(add(steps, jump(0)));
    emit(part, steps);
  }
  for (const split of splits) steps[split] = { kind: "split", to: split + 1, or: steps.length };
}

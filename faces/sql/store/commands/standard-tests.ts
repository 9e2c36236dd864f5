/** `in`, `between` and `like` of standard statements. They use three truth values: true, false and null (unknown). */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Between, Expression, Like, Membership, Test } from "../grammar/syntax-tree.js";
import { ValueSet } from "../values/value-set.js";
import { type Evaluation, failure } from "./evaluation-context.js";
import { fold } from "./relation.js";
import type { RelationRow } from "./relation-row.js";
import { type Compiled, standardOrder, textFor } from "./standard-values.js";

type Truth = boolean | null;
type Compile = (expression: Expression) => Compiled;

export function compiledTest(test: Test, compile: Compile, evaluation: Evaluation): Compiled {
  const truth = truthOfTest(test, compile, evaluation);
  if (!test.isNegated) return truth;
  return (row) => {
    const result = truth(row);
    return result === null ? null : !result;
  };
}

function truthOfTest(test: Test, compile: Compile, evaluation: Evaluation): (row: RelationRow) => Truth {
  switch (test.kind) {
    case "in":
      return membership(test, compile);
    case "in-set": {
      const value = compile(test.operand);
      const { set } = test;
      return (row) => set.test(value(row));
    }
    case "between":
      return between(test, compile);
    case "like":
      return like(test, compile, evaluation);
  }
}

/** Compiles `in`. For an empty list the result is false, even if the value is null. */
function membership({ operand, list }: Membership, compile: Compile): (row: RelationRow) => Truth {
  const value = compile(operand);
  const written = new ValueSet();
  const calculated: Compiled[] = [];
  for (const each of list) {
    if (each.kind === "literal" || each.kind === "parameter") written.add(compile(each)([]));
    else calculated.push(compile(each));
  }
  if (list.length === 0) return () => false;
  return (row) => {
    const one = value(row);
    if (one === null) return null;
    if (written.has(one)) return true;
    let isUnknown = written.hasNull;
    for (const each of calculated) {
      const order = standardOrder(one, each(row));
      if (order === 0) return true;
      isUnknown ||= order === null;
    }
    return isUnknown ? null : false;
  };
}

function between({ operand, from, to }: Between, compile: Compile): (row: RelationRow) => Truth {
  const [value, low, high] = [compile(operand), compile(from), compile(to)];
  return (row) => {
    const one = value(row);
    const [above, below] = [standardOrder(one, low(row)), standardOrder(one, high(row))];
    if ((above !== null && above < 0) || (below !== null && below > 0)) return false;
    return above === null || below === null ? null : true;
  };
}

const ANY_TEXT = -1;
const ANY_CHARACTER = -2;
const UTF8_LEAD_MIN = 0xc0;
const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

/**
 * Maximum number of bytes that all `like` tests of one statement compare again by backtracking, which takes about 50
 * ms.
 */
const LIKE_STEPS_MAX = 20_000_000;
/** Backtracking to the last `%` is not counted if it repeats at most this many bytes. */
const STEPS_BACK_FREE = 16;

/**
 * A pattern as a list of bytes, with special codes for `%` and `_`. Null matches nothing: the pattern ends with the
 * escape character.
 */
type Pattern = readonly number[] | null;

/**
 * Compiles `like`. The case of the letters A to Z does not matter, and `_` matches one UTF-8 character. If the value or
 * the pattern is null, the result is null.
 */
function like(test: Like, compile: Compile, evaluation: Evaluation): (row: RelationRow) => Truth {
  const [value, pattern] = [compile(test.operand), compile(test.pattern)];
  const escapeValue = test.escape === null ? "" : compile(test.escape)([]);
  if (escapeValue === null) return () => null;
  const sign = textFor(escapeValue);
  if (test.escape !== null && (sign === "" || characterEnd(sign, 0) !== sign.length))
    throw failure(evaluation, "wrongEscape", sign === "" ? "''" : sign);
  let cached: { readonly text: ByteString; readonly pattern: Pattern } | null = null;
  return (row) => {
    const [one, other] = [value(row), pattern(row)];
    if (one === null || other === null) return null;
    const text = textFor(other);
    if (cached?.text !== text) cached = { text, pattern: patternOf(text, sign) };
    return matches(cached.pattern, fold(textFor(one)), evaluation);
  };
}

function patternOf(text: ByteString, sign: ByteString): Pattern {
  const folded = fold(text);
  const pattern: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (sign !== "" && text.startsWith(sign, at)) {
      at += sign.length;
      if (at === text.length) return null;
      pattern.push(folded.charCodeAt(at++));
      continue;
    }
    const char = text[at];
    if (char !== "%" || pattern.at(-1) !== ANY_TEXT)
      pattern.push(char === "%" ? ANY_TEXT : char === "_" ? ANY_CHARACTER : folded.charCodeAt(at));
    at++;
  }
  return pattern;
}

/** Returns the end of the character that begins at `at`. */
function characterEnd(text: ByteString, at: number): number {
  let end = Math.min(text.length, at + 1);
  if (text.charCodeAt(at) >= UTF8_LEAD_MIN) while (isContinuation(text.charCodeAt(end))) end++;
  return end;
}

/** @throws CommandFailure if the statement has taken too many steps */
function matches(pattern: Pattern, text: ByteString, evaluation: Evaluation): boolean {
  if (pattern === null) return false;
  let [p, t] = [0, 0];
  /** Indexes at which to resume after the last `%` if the remaining pattern does not match. */
  let [anyP, anyT] = [-1, 0];
  for (;;) {
    const expected = pattern[p];
    if (expected === ANY_TEXT) {
      anyP = ++p;
      anyT = t;
      if (p === pattern.length) return true;
    } else if (t === text.length) return expected === undefined;
    else if (expected === ANY_CHARACTER) {
      p++;
      t = characterEnd(text, t);
    } else if (expected === text.charCodeAt(t)) {
      p++;
      t++;
    } else if (anyP >= 0) {
      if (t - anyT > STEPS_BACK_FREE) stepBack(t - anyT, evaluation);
      p = anyP;
      anyT = characterEnd(text, anyT);
      t = anyT;
    } else return false;
  }
}

function stepBack(steps: number, evaluation: Evaluation): void {
  const { work, effort } = evaluation;
  work.likeSteps += steps;
  effort.work(steps);
  if (work.likeSteps > LIKE_STEPS_MAX) throw failure(evaluation, "longLike", String(LIKE_STEPS_MAX));
}

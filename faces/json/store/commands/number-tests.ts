/** The part of a condition that columns test. Source: docs/json-documents.md "Indexes". */
import type { NumberRange, NumberTest } from "../values/document-columns.js";
import type { Bound, Span } from "../values/document-index.js";
import { compareMembers, memberPath } from "../values/member-value.js";
import { type IndexCondition, isLists, isWithin, NUMBERS, type Spans } from "./index-conditions.js";

export interface NumberTests {
  readonly tests: readonly NumberTest[];
  /** Whether the entries that pass all tests for certain meet the condition, without a look at their texts. */
  readonly areAll: boolean;
}

/** Maximum number of tests, so that one query does not replace the columns of others. */
const TESTS_MAX = 2;

/** @returns null if columns cannot test the condition */
export function numberTestsOf(condition: IndexCondition): NumberTests | null {
  const parts = condition.kind === "all" ? condition.parts : [condition];
  const tests: NumberTest[] = [];
  let areAll = true;
  for (const part of parts) {
    const isTested = part.kind === "member" && tests.length < TESTS_MAX;
    const test = isTested ? numberTest(part.field, part.spans) : null;
    if (test !== null) tests.push(test);
    areAll &&= test !== null && part.kind === "member" && part.isExactForNumbers;
  }
  return tests.length === 0 ? null : { tests, areAll };
}

/** @param spans  contain all values that meet a condition */
function numberTest(field: string, spans: Spans): NumberTest | null {
  const ranges: NumberRange[] = [];
  let areOthersFailing = true;
  for (const span of spans) {
    if (isLists(span)) continue;
    const range = rangeOf(span);
    if (range === null) return null;
    if (range.low < range.high || !(range.isLowOpen || range.isHighOpen)) ranges.push(range);
    areOthersFailing &&= isWithin(NUMBERS, span);
  }
  return ranges.length === 0 ? null : { name: memberPath(field), ranges, areOthersFailing };
}

/** Returns the numbers in a span; null if a limit is an integer that a double may not represent exactly. */
function rangeOf({ from, to }: Span): NumberRange | null {
  if (typeof from.value === "bigint" || typeof to.value === "bigint") return null;
  const [low, isLowOpen] =
    typeof from.value === "number"
      ? [from.value, from.isAfter]
      : [isBelow(from) ? -Number.MAX_VALUE : Number.POSITIVE_INFINITY, false];
  const [high, isHighOpen] =
    typeof to.value === "number"
      ? [to.value, !to.isAfter]
      : [isBelow(to) ? Number.NEGATIVE_INFINITY : Number.MAX_VALUE, false];
  return { low, isLowOpen, high, isHighOpen };
}

/** Whether a bound is below all numbers, or else above them. */
const isBelow = ({ value }: Bound) => compareMembers(value, 0) < 0;

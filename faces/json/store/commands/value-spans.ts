/**
 * Sets of JSON values as ascending, disjoint spans in the order of all values, by which indexes are searched.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Bound, Span } from "../values/document-index.js";
import {
  compareMembers,
  FIRST_CONTAINER,
  FIRST_OBJECT,
  LAST,
  type MemberValue,
  MISSING,
  NULL,
  TRUE,
} from "../values/member-value.js";

export type Spans = readonly Span[];

export const before = (value: MemberValue): Bound => ({ value, isAfter: false });
export const after = (value: MemberValue): Bound => ({ value, isAfter: true });
export const span = (from: Bound, to: Bound): Span => ({ from, to });
export const equalTo = (value: MemberValue): Span => span(before(value), after(value));

const START = before(MISSING);
const END = before(LAST);
/** Missing members and null, which are equal in conditions. */
export const NOTHING = span(START, after(NULL));
export const EVERYTHING = span(START, END);
export const PRESENT = span(after(MISSING), END);
export const NUMBERS = span(after(TRUE), before(""));
export const STRINGS = span(before(""), before(FIRST_CONTAINER));
export const LISTS = span(before(FIRST_CONTAINER), before(FIRST_OBJECT));
export const OBJECTS = span(before(FIRST_OBJECT), END);

/** Returns the values that are in both sets. */
export function inBoth(first: Spans, second: Spans): Spans {
  const both: Span[] = [];
  for (let one = 0, two = 0; one < first.length && two < second.length; ) {
    const [a, b] = [first[one] as Span, second[two] as Span];
    const from = compareBounds(a.from, b.from) < 0 ? b.from : a.from;
    const isFirst = compareBounds(a.to, b.to) < 0;
    const to = isFirst ? a.to : b.to;
    if (compareBounds(from, to) < 0) both.push(span(from, to));
    if (isFirst) one++;
    else two++;
  }
  return both;
}

const compareBounds = (a: Bound, b: Bound) =>
  compareMembers(a.value, b.value) || Number(a.isAfter) - Number(b.isAfter);

/** Returns the values that are not in the set. */
export function outside(spans: Spans): Spans {
  const others: Span[] = [];
  let from = START;
  for (const one of [...spans, span(END, END)]) {
    if (compareBounds(from, one.from) < 0) others.push(span(from, one.from));
    from = one.to;
  }
  return others;
}

/** Returns the values that are in one of the spans, which may be in any order and overlap. */
export function union(spans: readonly Span[]): Spans {
  const ascending = [...spans].sort((a, b) => compareBounds(a.from, b.from));
  const result: Span[] = [];
  for (const { from, to } of ascending) {
    const last = result.at(-1);
    if (last === undefined || compareBounds(last.to, from) < 0) result.push(span(from, to));
    else if (compareBounds(last.to, to) < 0) result[result.length - 1] = span(last.from, to);
  }
  return result;
}

/** Returns the set of strings that begin with the given text, in UTF-8. */
export function beginningWith(bytes: ByteString): Span {
  if (bytes === "") return STRINGS;
  // The last byte of UTF-8 text is never the highest byte, so it can be incremented.
  const next = bytes.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1);
  return span(before(bytes), before(next));
}

/** Returns the only value of a set, apart from lists, or null if there are several values or none. */
export function singleValue(spans: Spans): MemberValue | null {
  const [first, ...others] = spans;
  if (first === undefined || !others.every(isLists)) return null;
  const { from, to } = first;
  const isOne = from.value === to.value && !from.isAfter && to.isAfter;
  return isOne ? from.value : null;
}

/** Whether a span contains the lists and nothing else. */
export const isLists = ({ from, to }: Span): boolean =>
  compareBounds(from, LISTS.from) === 0 && compareBounds(to, LISTS.to) === 0;

export const isWithin = (outer: Span, { from, to }: Span): boolean =>
  compareBounds(outer.from, from) <= 0 && compareBounds(to, outer.to) <= 0;

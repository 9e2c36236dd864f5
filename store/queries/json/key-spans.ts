/**
 * Sets of JSON values as ascending, disjoint spans in the order of all values. The same sets test entries and search
 * indexes.
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import type { Bound, Span } from "../../values/documents/document-index.js";
import {
  compareMembers,
  FIRST_CONTAINER,
  LAST,
  type MemberValue,
  MISSING,
  TRUE,
} from "../../values/documents/member-value.js";

export type Spans = readonly Span[];

/** Minimum number of spans for a binary search; fewer spans are tested one after the other. */
const SEARCHED_MIN = 8;

export const before = (value: MemberValue): Bound => ({ value, isAfter: false });
export const after = (value: MemberValue): Bound => ({ value, isAfter: true });
export const span = (from: Bound, to: Bound): Span => ({ from, to });
export const equalTo = (value: MemberValue): Span => span(before(value), after(value));

const START = before(MISSING);
const END = before(LAST);
export const EVERYTHING = span(START, END);
export const PRESENT = span(after(MISSING), END);
export const NUMBERS = span(after(TRUE), before(""));
export const STRINGS = span(before(""), before(FIRST_CONTAINER));

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

/** Returns the set of the given values. */
export function amongValues(values: readonly MemberValue[]): Spans {
  const sorted = [...values].sort(compareMembers);
  return sorted
    .filter((value, at) => at === 0 || compareMembers(value, sorted[at - 1] as MemberValue) !== 0)
    .map(equalTo);
}

/** Returns the set of strings that begin with the given text. */
export function beginningWith(text: string): Span {
  const bytes: ByteString = bytesOfText(text);
  if (bytes === "") return STRINGS;
  // The last byte of UTF-8 text is never the highest byte, so it can be incremented.
  const next = bytes.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1);
  return span(before(bytes), before(next));
}

export function isWithin(value: MemberValue, spans: Spans): boolean {
  if (spans.length < SEARCHED_MIN)
    return spans.some(({ from, to }) => isFrom(value, from) && !isFrom(value, to));
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isFrom(value, (spans[middle] as Span).to)) low = middle + 1;
    else high = middle;
  }
  return low < spans.length && isFrom(value, (spans[low] as Span).from);
}

/** Whether a value follows a bound. */
function isFrom(value: MemberValue, { value: bound, isAfter }: Bound): boolean {
  const order = compareMembers(value, bound);
  return order > 0 || (order === 0 && !isAfter);
}

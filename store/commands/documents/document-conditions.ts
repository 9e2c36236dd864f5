/**
 * WHERE: conditions on the members of an entry, as JSON. What is asked of a member is a set of values, spans in the order of all
 * values; so an entry and an index are judged by the same thing. Source: docs/json-documents.md "Conditions".
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import {
  isContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { echoed } from "../../arguments/errors.js";
import { type Alike, markOf } from "../../values/documents/document-columns.js";
import type { Bound, Span } from "../../values/documents/document-index.js";
import {
  compareMembers,
  FIRST_CONTAINER,
  LAST,
  type MemberName,
  type MemberValue,
  MISSING,
  memberIn,
  memberName,
  memberValueOf,
  TRUE,
} from "../../values/documents/member-value.js";
import { checkPath } from "./document-entries.js";
import { type ValueTest, valueTests, whereFault } from "./document-value-tests.js";

export type Condition =
  | { readonly kind: "all" | "any"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  | { readonly kind: "passes"; readonly name: MemberName; readonly passes: ValueTest }
  /** The member's value lies in one of the spans, which rise and do not meet. */
  | {
      readonly kind: "member";
      readonly field: ByteString;
      readonly name: MemberName;
      readonly spans: readonly Span[];
    };

/** Members and operators of one WHERE. */
const CONDITIONS_MAX = 1000;
/** Fewer spans are tried one after the other. */
const SEARCHED_MIN = 8;

const before = (value: MemberValue): Bound => ({ value, isBehind: false });
const behind = (value: MemberValue): Bound => ({ value, isBehind: true });
const span = (from: Bound, to: Bound): Span => ({ from, to });
const START = before(MISSING);
const END = before(LAST);
const NUMBERS = span(behind(TRUE), before(""));
const STRINGS = span(before(""), before(FIRST_CONTAINER));

export const equalTo = (value: MemberValue): Span => span(before(value), behind(value));

const fault = whereFault;

const tooMany = () => fault(`more than ${CONDITIONS_MAX} conditions: ask in several requests`);

/** @throws CommandFailure  says where it is wrong */
export function conditionOf(value: JsonValue): Condition {
  const left = { conditions: CONDITIONS_MAX };
  return wholeCondition(value, left);
}

/** What may still come. */
interface Left {
  conditions: number;
}

function wholeCondition(value: JsonValue, left: Left): Condition {
  // An empty object is an empty list to PHP.
  if (isContainer(value) && memberValues(value).length === 0) {
    if (left.conditions-- === 0) throw tooMany();
    return { kind: "all", parts: [] };
  }
  if (!(value instanceof JsonObject))
    throw fault('an object is asked for, as in {"age":{"$gte":18},"name":"Ann"}');
  const parts = value.names.map((name, at) => namedCondition(name, value.values[at] as JsonValue, left));
  return parts.length === 1 ? (parts[0] as Condition) : { kind: "all", parts };
}

function namedCondition(name: string, value: JsonValue, left: Left): Condition {
  if (left.conditions-- === 0) throw tooMany();
  if (!name.startsWith("$")) return memberCondition(name, value, left);
  if (name === "$not") return { kind: "not", part: wholeCondition(value, left) };
  if (name !== "$and" && name !== "$or")
    throw fault(`there is no ${shown(name)}: beside members' names stand $and, $or, $not`);
  if (!Array.isArray(value)) throw fault(`${name} asks for a list of conditions`);
  const parts = (value as readonly JsonValue[]).map((part) => wholeCondition(part, left));
  return { kind: name === "$and" ? "all" : "any", parts };
}

/** Operators, or a value that is to be the same. */
function memberCondition(name: string, value: JsonValue, left: Left): Condition {
  checkPath(name);
  const field = bytesOfText(name);
  const about = { kind: "member", field, name: memberName(field) } as const;
  if (!(value instanceof JsonObject) || value.names[0]?.startsWith("$") !== true)
    return { ...about, spans: [equalTo(memberValueOf(value))] };
  const parts: Condition[] = [];
  let spans: readonly Span[] = [span(START, END)];
  for (const [at, operator] of value.names.entries()) {
    const operand = value.values[at] as JsonValue;
    if (left.conditions-- === 0) throw tooMany();
    if (operator === "$not") {
      parts.push({ kind: "not", part: memberCondition(name, operand, left) });
      continue;
    }
    const where = `${operator} of ${shown(name)}`;
    const testOfValue = valueTests.get(operator);
    if (testOfValue !== undefined) {
      parts.push({ kind: "passes", name: about.name, passes: testOfValue(operand, where) });
      continue;
    }
    const spansOf = operators.get(operator);
    if (spansOf === undefined)
      throw fault(
        `there is no ${shown(operator)} for ${shown(name)}: there are ${[...operators.keys(), ...valueTests.keys()].join(", ")}, $not`,
      );
    spans = inBoth(spans, spansOf(operand, where));
  }
  const within: Condition = { ...about, spans };
  return parts.length === 0 ? within : { kind: "all", parts: [within, ...parts] };
}

/** Values that lie in spans of both. */
function inBoth(first: readonly Span[], second: readonly Span[]): readonly Span[] {
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
  compareMembers(a.value, b.value) || Number(a.isBehind) - Number(b.isBehind);

/** @param where  for the error */
type Operator = (operand: JsonValue, where: string) => readonly Span[];

const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$eq", (operand) => [equalTo(memberValueOf(operand))]],
  [
    "$ne",
    (operand) => {
      const value = memberValueOf(operand);
      return [span(START, before(value)), span(behind(value), END)];
    },
  ],
  ["$gt", (operand, where) => [span(behind(sortable(operand, where)), kindOf(operand).to)]],
  ["$gte", (operand, where) => [span(before(sortable(operand, where)), kindOf(operand).to)]],
  ["$lt", (operand, where) => [span(kindOf(operand).from, before(sortable(operand, where)))]],
  ["$lte", (operand, where) => [span(kindOf(operand).from, behind(sortable(operand, where)))]],
  ["$in", oneOf],
  ["$nin", (operand, where) => outside(oneOf(operand, where))],
  ["$prefix", beginning],
  [
    "$exists",
    (operand, where) => {
      if (typeof operand !== "boolean") throw fault(`${where} asks for true or false`);
      return [operand ? span(behind(MISSING), END) : equalTo(MISSING)];
    },
  ],
]);

function sortable(operand: JsonValue, where: string): MemberValue {
  if (typeof operand === "string" || operand instanceof JsonNumber) return memberValueOf(operand);
  throw fault(`${where} asks for a number or a string`);
}

/** Numbers are compared with numbers, strings with strings. */
const kindOf = (operand: JsonValue): Span => (typeof operand === "string" ? STRINGS : NUMBERS);

function oneOf(operand: JsonValue, where: string): readonly Span[] {
  if (!isContainer(operand) || operand instanceof JsonObject)
    throw fault(`${where} asks for a list of values`);
  const values = operand.map(memberValueOf).sort(compareMembers);
  return values
    .filter((value, at) => at === 0 || compareMembers(value, values[at - 1] as MemberValue) !== 0)
    .map(equalTo);
}

/** All values but those in spans, which rise. */
function outside(spans: readonly Span[]): readonly Span[] {
  const others: Span[] = [];
  let from = START;
  for (const one of spans) {
    others.push(span(from, one.from));
    from = one.to;
  }
  return [...others, span(from, END)];
}

function beginning(operand: JsonValue, where: string): readonly Span[] {
  if (typeof operand !== "string") throw fault(`${where} asks for a string`);
  const bytes = bytesOfText(operand);
  if (bytes === "") return [STRINGS];
  // The last byte of UTF-8 is never the highest one.
  const next = bytes.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1);
  return [span(before(bytes), before(next))];
}

const shown = (name: string) => `'${echoed(name)}'`;

/** A value that all entries have that meet a condition; undefined: none is known. */
export function alikeOf(condition: Condition): Alike | undefined {
  if (condition.kind === "all") {
    for (const part of condition.parts) {
      const alike = alikeOf(part);
      if (alike !== undefined) return alike;
    }
  }
  if (condition.kind !== "member" || condition.spans.length !== 1) return undefined;
  const { name, spans } = condition;
  const { from, to } = spans[0] as Span;
  const isOne = from.value === to.value && !from.isBehind && to.isBehind && typeof from.value !== "object";
  return isOne ? { name, mark: markOf(from.value) } : undefined;
}

/** A test of entries' texts. */
export function testOf(condition: Condition): (text: ByteString) => boolean {
  if (condition.kind === "not") {
    const test = testOf(condition.part);
    return (text) => !test(text);
  }
  if (condition.kind === "passes") {
    const { name, passes } = condition;
    return (text) => passes(memberIn(text, name));
  }
  if (condition.kind === "member") {
    const { name, spans } = condition;
    return (text) => isWithin(memberIn(text, name), spans);
  }
  const tests = condition.parts.map(testOf);
  return condition.kind === "all"
    ? (text) => tests.every((test) => test(text))
    : (text) => tests.some((test) => test(text));
}

function isWithin(value: MemberValue, spans: readonly Span[]): boolean {
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

/** Whether a value lies behind a bound. */
function isFrom(value: MemberValue, { value: bound, isBehind }: Bound): boolean {
  const order = compareMembers(value, bound);
  return order > 0 || (order === 0 && !isBehind);
}

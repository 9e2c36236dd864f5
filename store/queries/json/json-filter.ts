/**
 * WHERE and $pull of DOC.*: filters of JSON values. The test of a member is a set of values where possible, because an
 * index can find these values. Source: docs/json-documents.md "Conditions".
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import {
  isContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { type CommandFailure, custom, echoed } from "../../arguments/command-errors.js";
import { compilePattern, PatternFault } from "../../patterns/pattern.js";
import type { PatternProgram } from "../../patterns/pattern-program.js";
import { type Alike, markOf } from "../../values/documents/document-columns.js";
import type { Span } from "../../values/documents/document-index.js";
import {
  compareMembers,
  type MemberName,
  type MemberValue,
  memberIn,
  memberName,
  memberValueOf,
  PATH_NAMES_MAX,
} from "../../values/documents/member-value.js";
import { type Condition, type Predicate, predicateOf } from "../condition.js";
import {
  type Comparison,
  type FilterAlgebra,
  FilterCompiler,
  type OperatorCall,
} from "../filter-compiler.js";
import {
  after,
  amongValues,
  before,
  beginningWith,
  EVERYTHING,
  equalTo,
  inBoth,
  isWithin,
  NUMBERS,
  outside,
  PRESENT,
  type Spans,
  STRINGS,
  span,
} from "./key-spans.js";

/** A member of the entries. */
export interface Member {
  readonly field: ByteString;
  readonly name: MemberName;
}

/** A condition on a member's value: that it is in one of the spans, or passes a test. */
export type JsonTest = { readonly spans: Spans } | { readonly passes: Predicate<MemberValue> };
export type JsonCondition = Condition<Member, JsonTest>;
type Call = OperatorCall<JsonValue, Member>;

/** Maximum number of members and operators in one filter. */
const CONDITIONS_MAX = 1000;
const KNOWN = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $prefix, $exists, $contains, $regex, $not";

/** @throws CommandFailure with the position of the error */
export function conditionOf(value: JsonValue): JsonCondition {
  return new FilterCompiler(jsonFilters).filter(value);
}

/** Returns a test for the texts of entries. */
export const testOf = (condition: JsonCondition): Predicate<ByteString> =>
  predicateOf(condition, ({ name }, test) => {
    if ("passes" in test) return (text) => test.passes(memberIn(text, name));
    const { spans } = test;
    return (text) => isWithin(memberIn(text, name), spans);
  });

/**
 * Returns a test for the list elements to remove: those that meet the operators, or equal the value.
 * @throws CommandFailure
 */
export function elementTest(operand: JsonValue): Predicate<JsonValue> {
  const compiler = new FilterCompiler(jsonFilters);
  compiler.count();
  const meets = predicateOf(compiler.member("value", operand), (_, test) => valueTest(test));
  return (element) => meets(memberValueOf(element));
}

function valueTest(test: JsonTest): Predicate<MemberValue> {
  if ("passes" in test) return test.passes;
  const { spans } = test;
  return (value) => isWithin(value, spans);
}

/**
 * Returns a member that has the same value in every entry that meets the condition, as the member's name and the
 * value's mark, or undefined if no such member is known.
 */
export function alikeOf(condition: JsonCondition): Alike | undefined {
  if (condition.kind === "all") {
    for (const part of condition.parts) {
      const alike = alikeOf(part);
      if (alike !== undefined) return alike;
    }
  }
  if (condition.kind !== "member" || !("spans" in condition.test)) return undefined;
  const { spans } = condition.test;
  if (spans.length !== 1) return undefined;
  const { from, to } = spans[0] as Span;
  const isOne = from.value === to.value && !from.isAfter && to.isAfter && typeof from.value !== "object";
  return isOne ? { name: condition.path.name, mark: markOf(from.value) } : undefined;
}

/** @throws CommandFailure if a path contains too many members */
export function checkPath(name: string): void {
  if (name.length > PATH_NAMES_MAX && name.split(".").length > PATH_NAMES_MAX)
    throw custom(`ERR A path has at most ${PATH_NAMES_MAX} names: '${echoed(bytesOfText(name))}'`);
}

const fault = (text: string): CommandFailure => custom(`ERR WHERE: ${bytesOfText(text)}`);
const shown = (name: string) => `'${echoed(name)}'`;
const whereOf = ({ operator, path }: Call) => `${operator} of ${shown(path.name.name)}`;

class JsonFilters implements FilterAlgebra<JsonValue, Member, JsonTest> {
  readonly conditionsMax = CONDITIONS_MAX;
  readonly countsEmpty = true;
  readonly clauses = ["$and", "$or", "$not"];
  readonly isThere: JsonTest = { spans: [PRESENT] };

  tooManyConditions(): Error {
    return fault(`more than ${CONDITIONS_MAX} conditions: split them over several requests`);
  }

  ownClause(name: string): never {
    throw this.unknownClause(name);
  }

  unknownClause(name: string): Error {
    return fault(
      `there is no ${shown(name)}: besides names of members only these are permitted: $and, $or, $not`,
    );
  }

  fieldsOf(filter: JsonValue): readonly (readonly [string, JsonValue])[] {
    if (filter instanceof JsonObject) return fieldsOf(filter);
    // PHP writes an empty object as an empty list.
    if (isContainer(filter) && memberValues(filter).length === 0) return [];
    throw fault('an object is required, as in {"age":{"$gte":18},"name":"Ann"}');
  }

  filtersOf(operand: JsonValue, clause: string): readonly JsonValue[] {
    if (isContainer(operand) && !(operand instanceof JsonObject)) return operand;
    throw fault(`${clause} requires a list of conditions`);
  }

  pathOf(name: string): Member {
    checkPath(name);
    const field = bytesOfText(name);
    return { field, name: memberName(field) };
  }

  hasOperators(operand: JsonValue): boolean {
    return isOperators(operand);
  }

  negatesOperators(operand: JsonValue): boolean {
    return isOperators(operand);
  }

  same(value: JsonValue): JsonTest {
    return { spans: [equalTo(memberValueOf(value))] };
  }

  equals({ operand }: Call): JsonTest {
    return this.same(operand);
  }

  /** Compares numbers with numbers and strings with strings. */
  compares(comparison: Comparison, call: Call): JsonTest {
    const { operand } = call;
    if (typeof operand !== "string" && !(operand instanceof JsonNumber))
      throw fault(`${whereOf(call)} requires a number or a string`);
    const value = memberValueOf(operand);
    const kind = typeof operand === "string" ? STRINGS : NUMBERS;
    const spans: Readonly<Record<Comparison, Span>> = {
      $gt: span(after(value), kind.to),
      $gte: span(before(value), kind.to),
      $lt: span(kind.from, before(value)),
      $lte: span(kind.from, after(value)),
    };
    return { spans: [spans[comparison]] };
  }

  isOneOf(call: Call): JsonTest {
    const { operand } = call;
    if (!isContainer(operand) || operand instanceof JsonObject)
      throw fault(`${whereOf(call)} requires a list of values`);
    return { spans: amongValues(operand.map(memberValueOf)) };
  }

  matches(call: Call): JsonTest {
    if (typeof call.operand !== "string") throw fault(`${whereOf(call)} requires a string`);
    const program = programOf(call.operand, call);
    return { passes: (value) => typeof value === "string" && program.isIn(textOfBytes(value)) };
  }

  asksForMember(call: Call): boolean {
    if (typeof call.operand === "boolean") return call.operand;
    throw fault(`${whereOf(call)} requires true or false`);
  }

  complement(test: JsonTest): JsonTest | null {
    return "spans" in test ? { spans: outside(test.spans) } : null;
  }

  /** Intersects spans: since a member has only one value, several operators form one set, which an index can find. */
  joined(path: Member, parts: readonly JsonCondition[]): JsonCondition {
    let spans: Spans = [EVERYTHING];
    const others: JsonCondition[] = [];
    for (const part of parts) {
      if (part.kind === "member" && "spans" in part.test) spans = inBoth(spans, part.test.spans);
      else others.push(part);
    }
    const within: JsonCondition = { kind: "member", path, test: { spans } };
    return others.length === 0 ? within : { kind: "all", parts: [within, ...others] };
  }

  operator(call: Call): JsonCondition {
    const { operator, operand, path } = call;
    if (operator === "$contains") return { kind: "member", path, test: { passes: containing(operand) } };
    if (operator !== "$prefix")
      throw fault(`there is no ${shown(operator)} for ${shown(path.name.name)}: there are ${KNOWN}`);
    if (typeof operand !== "string") throw fault(`${whereOf(call)} requires a string`);
    return { kind: "member", path, test: { spans: [beginningWith(operand)] } };
  }
}

const jsonFilters = new JsonFilters();

export function fieldsOf({ names, values }: JsonObject): readonly (readonly [string, JsonValue])[] {
  return names.map((name, at) => [name, values[at] as JsonValue] as const);
}

/** Whether an object consists of operators. */
export function isOperators(value: JsonValue): value is JsonObject {
  return value instanceof JsonObject && value.names[0]?.startsWith("$") === true;
}

/** Returns a test for lists that contain the value, or strings that contain the string. */
function containing(operand: JsonValue): Predicate<MemberValue> {
  const contained = memberValueOf(operand);
  const part = typeof operand === "string" ? (contained as ByteString) : null;
  return (value) => {
    if (typeof value === "string") return part !== null && value.includes(part);
    if (typeof value !== "object" || !value.text.startsWith("[")) return false;
    const list = parseJson(textOfBytes(value.text));
    if (!isContainer(list) || list instanceof JsonObject) return false;
    return list.some((one) => compareMembers(memberValueOf(one), contained) === 0);
  };
}

function programOf(pattern: string, call: Call): PatternProgram {
  try {
    return compilePattern(pattern);
  } catch (problem) {
    if (problem instanceof PatternFault) throw fault(`${whereOf(call)}: ${problem.message}`);
    throw problem;
  }
}

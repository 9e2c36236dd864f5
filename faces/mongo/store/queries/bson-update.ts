/**
 * Compiles updates, which modify or replace a document, and their operators, which define the new values of fields.
 * Source: MongoDB's manual, "Update Documents" and "Update Operators".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { finish } from "../../../../protocol/steps.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  BsonFault,
  Int32,
  isArray,
  isDocument,
  Regex,
  Timestamp,
  typeOf,
  WrittenDouble,
} from "../values/bson.js";
import { type BsonNumber, bigOf, isInteger, isNumber, productOf, sumOf } from "../values/bson-numbers.js";
import { compareBson, keyOf } from "../values/bson-order.js";
import { Decimal, decimalOf } from "../values/decimal.js";
import { type FieldPath, isArrayIndex } from "../values/index-keys.js";
import { conditionOf, elementTest } from "./bson-filter.js";
import { integerIn } from "./command-fields.js";
import { pathTo } from "./document-paths.js";
import { sortingOf } from "./document-sorting.js";
import type { Scope } from "./expressions.js";
import type { Condition, FieldTest } from "./filter-compiler.js";
import {
  badValue,
  ELEMENTS_PER_UNIT,
  failedToParse,
  MongoFailure,
  produce,
  spend,
  typeMismatch,
  type Work,
} from "./mongo-failure.js";
import { unknownName } from "./mongodb-names.js";
import { FIRST_ELEMENT, isPositional, type PositionalElements } from "./positional-elements.js";
import { RESHAPINGS } from "./projection.js";
import { type Change, changeAt, putAt, renameAt } from "./update-paths.js";
import { compareCounted } from "./value-size.js";

/** Changes a document that the caller owns, or returns another one. @throws CommandFailure */
export type Update = (document: BsonDocument) => BsonDocument;

/** Maximum number of positions that one update changes. */
const PATHS_MAX = 10_000;

/**
 * Whether an update replaces the document instead of changing parts of it.
 * @throws CommandFailure if it does neither
 */
export function isReplacement(update: Bson | undefined): boolean {
  if (isArray(update)) return false;
  if (!isDocument(update)) throw failedToParse("an update has to be a document");
  const [first] = update.keys();
  return first?.startsWith("$") !== true;
}

/** @throws CommandFailure */
export function updateOf(update: Bson | undefined, context: UpdateContext): Update {
  if (isReplacement(update)) return replacementOf(update as BsonDocument, context);
  if (isArray(update)) return pipelineOf(update, context);
  const apply = operatorsOf(update as BsonDocument, context);
  return (document) => {
    const id = document.get("_id");
    const result = apply(document);
    const after = result.get("_id");
    if (id !== undefined && (after === undefined || !isSame(id, after))) throw changedId();
    return result;
  };
}

/** Maximum number of stages in an update. */
const STAGES_MAX = 1000;

/** Compiles an update by a pipeline, which returns another document. */
function pipelineOf(stages: readonly Bson[], context: UpdateContext): Update {
  if (stages.length > STAGES_MAX) throw badValue(`an update has at most ${STAGES_MAX} stages`);
  const reshapings = stages.map((stage) => {
    const parts = isDocument(stage) && stage.size === 1 ? [...stage][0] : undefined;
    const make = parts && RESHAPINGS.get(parts[0]);
    if (parts === undefined || make === undefined)
      throw new MongoFailure(72, `an update has stages of these kinds: ${[...RESHAPINGS.keys()].join(", ")}`);
    return make(parts[1], context);
  });
  return (document) => {
    spend(context.work, reshapings.length);
    const result = reshapings.reduce((current, reshape) => reshape(current), document);
    const [id, after] = [document.get("_id"), result.get("_id")];
    if (id === undefined) return result;
    // A stage that omits _id does not remove it.
    if (after !== undefined && !isSame(id, after)) throw changedId();
    return withId(result, id);
  };
}

function replacementOf(replacement: BsonDocument, { allowsDollars }: UpdateContext): Update {
  const refused = allowsDollars ? undefined : [...replacement.keys()].find(hasDollar);
  return (document) => {
    if (refused !== undefined) throw dollarField([refused]);
    const [id, newId] = [document.get("_id"), replacement.get("_id")];
    if (id === undefined) return replacement;
    if (newId !== undefined && !isSame(id, newId)) throw changedId();
    const result = new Map<ByteString, Bson>([["_id", id]]);
    for (const [name, value] of replacement) if (name !== "_id") result.set(name, value);
    return result;
  };
}

const isSame = (a: Bson, b: Bson) => typeOf(a) === typeOf(b) && compareBson(a, b) === 0;
const changedId = () =>
  new MongoFailure(66, "the update was found to have altered the immutable field '_id'");

/** Compiles operators, which may change every field, including `_id`. @throws CommandFailure */
export function operatorsOf(update: BsonDocument, context: UpdateContext): Update {
  const { work, elements } = context;
  const changes = changesOf(update, context);
  elements.checkUse();
  if (changes.length > PATHS_MAX) throw tooManyPaths();

  const isFixed = changes.every(({ path }) => !path.some(isPositional));
  if (isFixed) inOrder(changes);
  return (document) => {
    if (isFixed) spend(work, changes.length);
    const resolved = isFixed ? changes : inOrder(resolvedIn(document, changes, { elements, work }));
    for (const { path, change } of resolved) {
      const own = document.get(path[0] as ByteString);
      if ("from" in change) renameAt(document, change.from, path, work);
      else changeAt(document, path, change, work);
      if (!context.allowsDollars && hasDollar(path[0] as ByteString)) checkOwnField(document, path, own);
    }
    return document;
  };
}

/** Returns a copy of each change for each position that its path selects. Counts each position before it is kept. */
function resolvedIn(
  document: BsonDocument,
  changes: readonly ChangeAtPath[],
  { elements, work }: { readonly elements: PositionalElements; readonly work: Work },
): ChangeAtPath[] {
  const resolved: ChangeAtPath[] = [];
  for (const { path, change } of changes)
    for (const position of elements.positions(path, document)) {
      if (resolved.length === PATHS_MAX) throw tooManyPaths();
      spend(work, 1);
      resolved.push({ path: position, change });
    }

  return resolved;
}

const tooManyPaths = () => badValue(`an update changes at most ${PATHS_MAX} positions`);

/** Sorts changes by their paths. @throws CommandFailure if two changes conflict */
function inOrder(changes: ChangeAtPath[]): readonly ChangeAtPath[] {
  changes.sort((a, b) => comparePaths(a.path, b.path));
  checkConflicts(changes);
  return changes;
}

/** Checks for conflicts: in sorted order, a path is directly followed by the paths inside it. */
function checkConflicts(changes: readonly ChangeAtPath[]): void {
  for (const [i, { path }] of changes.entries()) {
    const before = changes[i - 1]?.path;
    if (before?.every((name, at) => name === path[at]) === true)
      throw new MongoFailure(
        40,
        `Updating the path '${path.join(".")}' would create a conflict at '${before.join(".")}'`,
      );
  }
}

/**
 * Returns the document to insert if none matches the filter: the fields that must equal a value, ordered by their
 * paths.
 * @param only the only field to consider, or null for all
 * @throws CommandFailure
 */
export function documentOfQuery(
  query: BsonDocument,
  scope: Scope,
  only: ByteString | null = null,
): BsonDocument {
  const equalities = new Map<ByteString, Equality>();
  collectEqualities(conditionOf(query, scope.work, scope).condition, equalities, only);
  const document: BsonDocument = new Map();
  const inOrder = [...equalities].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { path, value }] of inOrder) {
    for (let length = path.length - 1; length > 0; length--) {
      const above = path.slice(0, length).join(".");
      if (equalities.has(above)) throw matchedTwice(`both paths '${name}' and '${above}' are matched`);
    }
    putAt(document, path, value, scope.work);
  }

  return document;
}

/** A field that must equal a value. */
interface Equality {
  readonly path: FieldPath;
  readonly value: Bson;
}

/** Adds the equalities that every document meets that meets the condition. @throws CommandFailure */
function collectEqualities(
  condition: Condition,
  equalities: Map<ByteString, Equality>,
  only: ByteString | null,
): void {
  if (condition.kind === "not" || (condition.kind === "any" && condition.parts.length > 1)) return;
  if (condition.kind !== "member") {
    for (const part of condition.parts) collectEqualities(part, equalities, only);
    return;
  }

  const { path, test } = condition;
  const value = equalValue(test);
  if (value === undefined || (only !== null && path[0] !== only)) return;

  const name = path.join(".");
  if (only !== null && path.length > 1)
    throw new MongoFailure(
      111,
      `field at '${only}' must be exactly specified, field at sub-path '${name}' found`,
    );
  if (equalities.has(name)) throw matchedTwice(`path '${name}' is matched twice`);
  equalities.set(name, { path, value });
}

const matchedTwice = (what: ByteString): MongoFailure =>
  new MongoFailure(54, `cannot infer query fields to set, ${what}`);

/** Returns the only value that meets a test, or undefined. */
function equalValue({ operator, operand }: FieldTest): Bson | undefined {
  if (operator === "$eq") return operand;
  if (operator !== "$in" || !isArray(operand)) return undefined;
  const [first] = operand;
  if (first === undefined || operand.some((one) => one instanceof Regex)) return undefined;
  return operand.every((one) => compareBson(first, one) === 0) ? first : undefined;
}

/** Returns the document with `_id` as its first field. */
export function withId(document: BsonDocument, id: Bson): BsonDocument {
  const result = new Map<ByteString, Bson>([["_id", id]]);
  for (const [name, value] of document) if (name !== "_id") result.set(name, value);
  return result;
}

export interface UpdateContext extends Scope {
  /** Whether the update inserts the document. */
  readonly isInsert: boolean;
  /** Whether the update may create an own field whose name begins with a dollar, as an insert may. */
  readonly allowsDollars: boolean;
  /** The array elements that the filter matched, and those that `arrayFilters` selects. */
  readonly elements: PositionalElements;
}

/** $rename: the field receives the value of another field, which is removed. */
interface Renaming {
  readonly from: FieldPath;
}

/** A change and the path of the field that it changes. */
interface ChangeAtPath {
  readonly path: FieldPath;
  readonly change: Change | Renaming;
}

/** One use of an operator, for one field. */
interface Call {
  readonly operator: string;
  /** The field's path as the client wrote it. */
  readonly name: string;
  readonly operand: Bson;
}

const UNCHANGED: Change = { makes: false, become: (old) => old };
const REMOVAL: Change = { makes: false, become: () => undefined };
const assignment = (value: Bson): Change => ({ makes: true, become: () => value });

const RENAME = "$rename";
type Operator = (call: Call, context: UpdateContext) => Change;
const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$set", ({ operand }) => assignment(operand)],
  ["$setOnInsert", ({ operand }, { isInsert }) => (isInsert ? assignment(operand) : UNCHANGED)],
  ["$unset", () => REMOVAL],
  ["$inc", (call) => ({ makes: true, become: counted(call, "increment", sumOf, (amount) => amount) })],
  ["$mul", (call) => ({ makes: true, become: counted(call, "multiply", productOf, zeroLike) })],
  ["$min", ({ operand }) => chosen(operand, (order) => order < 0)],
  ["$max", ({ operand }) => chosen(operand, (order) => order > 0)],
  ["$bit", (call) => ({ makes: true, become: bits(call) })],
  ["$currentDate", ({ operand }, { at }) => assignment(dateOf(operand, at))],
  ["$push", (call, { work }) => ofArray(call, pushed(call.operand, work), true)],
  ["$addToSet", (call, { work }) => ofArray(call, addedToSet(call.operand, work), true)],
  ["$pull", (call, { work }) => ofArray(call, pulled(call.operand, work), false)],
  ["$pullAll", (call) => ofArray(call, pulledAll(call.operand), false)],
  ["$pop", (call) => ofArray(call, popped(call.operand), false, typeMismatch)],
]);

/** Compiles the operators of an update, in order. @throws CommandFailure */
function changesOf(update: BsonDocument, context: UpdateContext): ChangeAtPath[] {
  const changes: ChangeAtPath[] = [];
  for (const [operator, operands] of update) {
    const make = OPERATORS.get(operator);
    if (make === undefined && operator !== RENAME) throw unknownOperator(operator);
    if (!isDocument(operands))
      throw failedToParse(`Modifiers operate on fields but we found type ${typeOf(operands).name} instead`);

    for (const [name, operand] of operands) {
      const path = updatePath(name, context.elements);
      if (make !== undefined) {
        const change = make({ operator, name, operand }, context);
        changes.push({
          path,
          change: path.some(isPositional) ? repeated(change, operand, context.work) : change,
        });
      } else for (const change of renaming(path, operand, context)) changes.push(change);
    }
  }

  return changes;
}

/** Returns a change that counts its operand at each position, because it may put the operand there. */
function repeated({ makes, become }: Change, operand: Bson, work: Work): Change {
  // Only changes that create fields put their operands into documents.
  if (!makes) return { makes, become };
  const { values, bytes } = sizeOf(operand);
  return {
    makes,
    become(old) {
      // Texts are converted and then written.
      produce(work, values, 2 * bytes);
      return become(old);
    },
  };
}

/** Returns the number of values in an operand, and the number of bytes in their texts and names. */
function sizeOf(operand: Bson): { readonly values: number; readonly bytes: number } {
  let [values, bytes] = [0, 0];
  const rest: Bson[] = [operand];
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    values++;
    if (typeof value === "string") bytes += value.length;
    else if (value instanceof WrittenDouble) bytes += value.text.length;
    else if (value instanceof Binary) bytes += value.bytes.length;
    else if (value instanceof Regex) bytes += value.pattern.length;
    else if (isArray(value)) for (const one of value) rest.push(one);
    else if (isDocument(value))
      for (const [name, one] of value) {
        bytes += name.length;
        rest.push(one);
      }
  }

  return { values, bytes };
}

function unknownOperator(operator: string): Error {
  const about = operator.startsWith("$")
    ? "does not exist"
    : "is not an operator, and a replacement must not contain operators";
  return unknownName("update", operator, failedToParse(`Unknown modifier: ${operator} ${about}`));
}

function renaming(path: FieldPath, operand: Bson, { elements }: UpdateContext): readonly ChangeAtPath[] {
  if (typeof operand !== "string") throw badValue("The 'to' field for $rename must be a string");
  if (operand.includes("\0"))
    throw badValue("The 'to' field for $rename cannot contain an embedded null byte");

  const target = pathTo(operand);
  for (const part of [...path, ...target])
    if (isPositional(part))
      throw badValue(`The source and target field for $rename must not be dynamic: ${operand}`);

  const name = path.join(".");
  if (operand === name) throw badValue(`The source and target field for $rename must differ: ${name}`);
  if (path.every((part, i) => i >= target.length || part === target[i]))
    throw badValue(
      `The source and target field for $rename must not be on the same path: ${name}: "${operand}"`,
    );

  updatePath(operand, elements);
  return [
    { path: target, change: { from: path } },
    // This entry makes any other change of the source path a conflict.
    { path, change: UNCHANGED },
  ];
}

/** @param combine throws BsonFault if the result of two integers does not fit in 64 bits */
function counted(
  { operator, operand, name }: Call,
  verb: string,
  combine: (a: BsonNumber, b: BsonNumber) => BsonNumber,
  first: (amount: BsonNumber) => BsonNumber,
): (old: Bson | undefined) => Bson {
  if (!isNumber(operand))
    throw typeMismatch(`Cannot ${verb} with non-numeric argument: {${name}: ${typeOf(operand).name}}`);
  return (old) => {
    if (old === undefined) return first(operand);
    if (!isNumber(old))
      throw typeMismatch(
        `Cannot apply ${operator} to a value of non-numeric type: the field '${name}' is of type ${typeOf(old).name}`,
      );

    try {
      return combine(old, operand);
    } catch (fault) {
      if (!(fault instanceof BsonFault)) throw fault;
      throw badValue(
        `Failed to apply ${operator} operations to current value of '${name}': ${fault.message}`,
      );
    }
  };
}

function zeroLike(amount: BsonNumber): BsonNumber {
  if (amount instanceof Int32) return new Int32(0);
  if (amount instanceof Decimal) return decimalOf({ isNegative: false, coefficient: 0n, exponent: 0 });
  return typeof amount === "bigint" ? 0n : 0;
}

const chosen = (operand: Bson, isBetter: (order: number) => boolean): Change => ({
  makes: true,
  become: (old) => (old === undefined || isBetter(compareBson(operand, old)) ? operand : old),
});

const MILLISECONDS = 1000;

function dateOf(operand: Bson, at: number): Bson {
  const type = isDocument(operand) && operand.size === 1 ? operand.get("$type") : null;
  if (typeof operand === "boolean" || type === "date") return new BsonDate(BigInt(at));
  if (type === "timestamp") return new Timestamp((BigInt(Math.floor(at / MILLISECONDS)) << 32n) | 1n);
  throw badValue("$currentDate takes true, {$type: 'date'} or {$type: 'timestamp'}");
}

const ofArray = ({ operator, name }: Call, next: ArrayChange, makes: boolean, wrong = badValue): Change => ({
  makes,
  become(old = []) {
    if (isArray(old)) return next(old);
    throw wrong(`The field '${name}' must be an array but is of type ${typeOf(old).name} (${operator})`);
  },
});

/** $bit: combines the bits of 32-bit or 64-bit integers. */
function bits({ operand, name }: Call): (old: Bson | undefined) => Bson {
  const parts = isDocument(operand) ? [...operand] : [];
  if (parts.length === 0) throw badValue(`$bit takes {and, or, xor: integer} for '${name}'`);

  for (const [operation, value] of parts) {
    if (!["and", "or", "xor"].includes(operation))
      throw badValue(`The $bit modifier only supports 'and', 'or', and 'xor', not '${operation}'`);
    if (!isInteger(value))
      throw badValue(`The $bit modifier field must be an Integer (32/64 bit): '${name}'`);
  }

  return (old = new Int32(0)) => {
    if (!isInteger(old))
      throw badValue(
        `Cannot apply $bit to a value of non-integral type: '${name}' is of type ${typeOf(old).name}`,
      );

    let result = bigOf(old);
    let isNarrow = old instanceof Int32;
    for (const [operation, value] of parts as readonly (readonly [string, bigint | Int32])[]) {
      const other = bigOf(value);
      result = operation === "and" ? result & other : operation === "or" ? result | other : result ^ other;
      isNarrow &&= value instanceof Int32;
    }

    return isNarrow ? new Int32(Number(result)) : result;
  };
}

/** @throws CommandFailure if the name is not valid for a field, or names unknown array elements */
function updatePath(name: ByteString, elements: PositionalElements): FieldPath {
  const path = pathTo(name);
  if (path.includes(""))
    throw new MongoFailure(
      56,
      name === ""
        ? "An empty update path is not valid."
        : `The update path '${name}' contains an empty field name, which is not allowed.`,
    );

  // The filter selects one element of one array.
  if (path.indexOf(FIRST_ELEMENT) !== path.lastIndexOf(FIRST_ELEMENT))
    throw badValue(`Too many positional (i.e. '$') elements found in path '${name}'`);
  if (isPositional(path[0] as ByteString))
    throw badValue(
      `Cannot have array filter identifier or positional element in the first position in path '${name}'`,
    );

  for (const part of path) if (isPositional(part)) elements.use(part, name);
  return path;
}

const hasDollar = (name: ByteString): boolean => name.startsWith("$");

/**
 * Checks that a change of a stored document has neither created nor changed an own field whose name begins with a
 * dollar. Only inserted documents, and results of a pipeline, may have such fields. Source: MongoDB's manual,
 * "Dollar-Prefixed Field Names".
 * @param before the own field on the path before the change
 * @throws CommandFailure
 */
function checkOwnField(document: BsonDocument, path: FieldPath, before: Bson | undefined): void {
  const after = document.get(path[0] as ByteString);
  if (after === undefined) return;
  const isAllowed = before !== undefined && (path.length > 1 || isSame(before, after));
  if (!isAllowed) throw dollarField(path);
}

const dollarField = ([name]: FieldPath): MongoFailure =>
  new MongoFailure(
    52,
    `The dollar ($) prefixed field '${name}' in '${name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
  );

/** Orders the paths of an update: fields by name, array elements by number. */
function comparePaths(a: FieldPath, b: FieldPath): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a[i] as ByteString, b[i] as ByteString];
    if (x === y) continue;
    if (isArrayIndex(x) && isArrayIndex(y) && x.length !== y.length) return x.length - y.length;
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

/** The change of an array by $push, $addToSet, $pull or $pop. Source: MongoDB's manual, "Array Update Operators". */
type ArrayChange = (array: readonly Bson[]) => readonly Bson[];

const MODIFIERS = ["$each", "$position", "$sort", "$slice"];

function eachOf(operand: Bson, known: readonly string[], wrong = badValue): BsonDocument | null {
  if (!isDocument(operand) || !operand.has("$each")) return null;
  for (const name of operand.keys())
    if (!known.includes(name)) throw badValue(`Unrecognized clause: ${name}`);
  if (!isArray(operand.get("$each"))) throw wrong("The argument to $each must be an array");
  return operand;
}

function pushed(operand: Bson, work: Work): ArrayChange {
  const modified = eachOf(operand, MODIFIERS);
  if (modified === null) return (array) => [...array, operand];

  const added = modified.get("$each") as readonly Bson[];
  const [position, order, slice] = ["$position", "$sort", "$slice"].map((name) => modified.get(name));
  const index = position === undefined ? null : integerIn(position, "$position");
  const sort = order === undefined ? null : elementSort(order, work);
  const limit = slice === undefined ? null : integerIn(slice, "$slice");
  return (array) => {
    countExtended(array, added, work);
    const at = index === null ? array.length : indexIn(array.length, index);
    let result: readonly Bson[] = [...array.slice(0, at), ...added, ...array.slice(at)];
    if (sort !== null) {
      spend(work, result.length / SORTED_ELEMENTS_PER_UNIT);
      result = sort(result);
    }
    if (limit === null) return result;
    return limit < 0 ? result.slice(limit) : result.slice(0, limit);
  };
}

/** Counts a new array of all these elements before it is created. @throws CommandFailure @throws BudgetExceeded */
function countExtended(array: readonly Bson[], added: readonly Bson[], work: Work): void {
  const length = array.length + added.length;
  spend(work, length / ELEMENTS_PER_UNIT);
  produce(work, length);
}

/** Number of elements whose sorting costs as much as checking one document. */
const SORTED_ELEMENTS_PER_UNIT = 4;

const indexIn = (length: number, index: number): number =>
  index < 0 ? Math.max(0, length + index) : Math.min(index, length);

function elementSort(order: Bson, work: Work): ArrayChange {
  if (isNumber(order)) {
    const direction = integerIn(order, "$sort");
    if (direction !== 1 && direction !== -1) throw badValue("The $sort element value must be either 1 or -1");
    return (array) => [...array].sort((a, b) => compareCounted(a, b, work) * direction);
  }
  if (!isDocument(order) || order.size === 0) throw badValue("$sort takes 1, -1 or a document of fields");
  const sorting = sortingOf(order, work);
  const none: BsonDocument = new Map();
  return (array) => finish(sorting.sorted(array, (one) => (isDocument(one) ? one : none)));
}

function addedToSet(operand: Bson, work: Work): ArrayChange {
  const modified = eachOf(operand, ["$each"], typeMismatch);
  const added = modified === null ? [operand] : (modified.get("$each") as readonly Bson[]);
  return (array) => {
    countExtended(array, added, work);
    const present = new Set(array.map(keyOf));
    const result = [...array];
    for (const one of added) {
      const key = keyOf(one);
      if (present.has(key)) continue;
      present.add(key);
      result.push(one);
    }
    return result;
  };
}

function pulled(operand: Bson, work: Work): ArrayChange {
  const { isMeant, tests } = elementTest(operand, work);
  return (array) => {
    spend(work, (array.length * (1 + tests)) / ELEMENTS_PER_UNIT);
    return array.filter((one) => !isMeant(one));
  };
}

function pulledAll(operand: Bson): ArrayChange {
  if (!isArray(operand)) throw badValue("$pullAll requires an array argument");
  const keys = new Set(operand.map(keyOf));
  return (array) => array.filter((one) => !keys.has(keyOf(one)));
}

function popped(operand: Bson): ArrayChange {
  const side = isNumber(operand) ? integerIn(operand, "$pop") : 0;
  if (side !== 1 && side !== -1) throw failedToParse("$pop expects 1 or -1");
  return (array) => (side === 1 ? array.slice(0, -1) : array.slice(1));
}

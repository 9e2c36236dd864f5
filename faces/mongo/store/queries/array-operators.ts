/** $push, $addToSet, $pull and $pop. Source: MongoDB's manual, "Array Update Operators". */
import { finish } from "../../../../protocol/steps.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import { keyOf } from "../values/bson-order.js";
import { elementTest } from "./bson-filter.js";
import { integerIn } from "./command-fields.js";
import { sortingOf } from "./document-sorting.js";
import {
  badValue,
  ELEMENTS_PER_UNIT,
  failedToParse,
  produce,
  spend,
  typeMismatch,
  type Work,
} from "./mongo-failure.js";
import { compareCounted } from "./value-size.js";

export type ArrayChange = (array: readonly Bson[]) => readonly Bson[];

const MODIFIERS = ["$each", "$position", "$sort", "$slice"];

function eachOf(operand: Bson, known: readonly string[], wrong = badValue): BsonDocument | null {
  if (!isDocument(operand) || !operand.has("$each")) return null;
  for (const name of operand.keys())
    if (!known.includes(name)) throw badValue(`Unrecognized clause: ${name}`);
  if (!isArray(operand.get("$each"))) throw wrong("The argument to $each must be an array");
  return operand;
}

export function pushed(operand: Bson, work: Work): ArrayChange {
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

export function addedToSet(operand: Bson, work: Work): ArrayChange {
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

export function pulled(operand: Bson, work: Work): ArrayChange {
  const { isMeant, tests } = elementTest(operand, work);
  return (array) => {
    spend(work, (array.length * (1 + tests)) / ELEMENTS_PER_UNIT);
    return array.filter((one) => !isMeant(one));
  };
}

export function pulledAll(operand: Bson): ArrayChange {
  if (!isArray(operand)) throw badValue("$pullAll requires an array argument");
  const keys = new Set(operand.map(keyOf));
  return (array) => array.filter((one) => !keys.has(keyOf(one)));
}

export function popped(operand: Bson): ArrayChange {
  const side = isNumber(operand) ? integerIn(operand, "$pop") : 0;
  if (side !== 1 && side !== -1) throw failedToParse("$pop expects 1 or -1");
  return (array) => (side === 1 ? array.slice(0, -1) : array.slice(1));
}

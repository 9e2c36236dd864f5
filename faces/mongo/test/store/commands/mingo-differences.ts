/**
 * Differences between mingo and MongoDB, and their reasons. The affected operations are not compared, or only in part.
 */
import type { Json, JsonObject, Operation } from "./random-operation.js";

interface Difference {
  readonly why: string;
  readonly is: (operation: Operation, documents: readonly JsonObject[]) => boolean;
}

/** Paths through arrays. */
const THROUGH_LISTS = ["l.0", "d.x", "d.y", "d.0.y"];

const DIFFERENCES: readonly Difference[] = [
  {
    why: "in MongoDB a path through an empty list leads to no value, not to a missing value that equals null",
    is: (operation) => hasNullThroughList(filterOf(operation)),
  },
  {
    why: "mingo adds nothing to a set that already contains a value twice",
    is: (operation, documents) =>
      operation.kind === "update" && "$addToSet" in operation.u && documents.some(({ l }) => hasTwice(l)),
  },
  { why: "mingo unwinds an empty string to nothing although it is not a list", is: unwindsTwice },
  { why: "$count of no documents returns no document, not 0", is: countsBetween },
];

function unwindsTwice(operation: Operation): boolean {
  return (
    operation.kind === "aggregate" && operation.pipeline.filter((stage) => "$unwind" in stage).length > 1
  );
}

const hasTwice = (list: Json | undefined): boolean =>
  Array.isArray(list) && new Set(list.map((one) => JSON.stringify(one))).size < list.length;

/** Whether a $count precedes another stage, which then receives a document that MongoDB does not create. */
function countsBetween(operation: Operation): boolean {
  return operation.kind === "aggregate" && operation.pipeline.slice(0, -1).some((stage) => "$count" in stage);
}

/** Returns all conditions of an operation. */
function filterOf(operation: Operation): Json {
  return JSON.parse(JSON.stringify(operation)) as Json;
}

function hasNullThroughList(value: Json): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((one: Json) => hasNullThroughList(one));
  return Object.entries(value).some(([name, one]) =>
    THROUGH_LISTS.includes(name) ? JSON.stringify(one).includes("null") : hasNullThroughList(one),
  );
}

export function isDifferentInMingo(operation: Operation, documents: readonly JsonObject[]): boolean {
  return DIFFERENCES.some(({ is }) => is(operation, documents));
}

/** Adapts a result: $count of no documents returns nothing, where mingo returns 0. */
export function withoutDifferences(answer: Json, operation: Operation): Json {
  if (operation.kind !== "aggregate" || !Array.isArray(answer)) return answer;
  return answer.filter((one: Json) => JSON.stringify(one) !== '{"c":0}');
}

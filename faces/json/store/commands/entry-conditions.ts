/**
 * WHERE of the DOC.* commands: filters as in the MDB.* commands, for the texts of entries. Only the members that a
 * filter names are parsed. Source: docs/json-documents.md "Conditions".
 */

import { custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { JsonObject, type JsonValue } from "../../../../protocol/json/json-value.js";
import { conditionOf } from "../../../mongo/store/queries/bson-filter.js";
import { isAnyFrom } from "../../../mongo/store/queries/document-paths.js";
import { type FieldTest, type Predicate, predicateOf } from "../../../mongo/store/queries/filter-compiler.js";
import { MongoFailure, type Work } from "../../../mongo/store/queries/mongo-failure.js";
import type { Bson, BsonDocument } from "../../../mongo/store/values/bson.js";
import type { FieldPath } from "../../../mongo/store/values/index-keys.js";
import { type Alike, alikeTo } from "../values/document-columns.js";
import {
  compareMembers,
  isListValue,
  type MemberValue,
  memberIn,
  memberName,
  memberPath,
} from "../values/member-value.js";
import { bsonIn, documentOf } from "./entry-values.js";
import { type IndexCondition, indexConditionOf, singleValue } from "./index-conditions.js";

/** A compiled condition. */
export interface EntryCondition {
  readonly test: Predicate<ByteString>;
  /** The part of the condition that an index can find. */
  readonly condition: IndexCondition;
  /** A value that each matching entry has, or that a list in it contains; undefined if none is known. */
  readonly alike: Alike | undefined;
  /** Number of the condition's members and operators. */
  readonly tests: number;
}

/** Reads a condition. An empty list is an empty condition, because PHP writes it so. @throws CommandFailure */
export function filterIn(value: JsonValue): BsonDocument {
  if (value instanceof JsonObject) return documentOf(value);
  if (Array.isArray(value) && value.length === 0) return new Map();
  throw custom('ERR WHERE: an object is required, as in {"age":{"$gte":18},"name":"Ann"}');
}

/** @param work counts the work of tests, some of which fail above its limit @throws CommandFailure */
export function entryCondition(filter: BsonDocument, work: Work): EntryCondition {
  const { condition: compiled, tests } = withDocumentErrors("WHERE", () => conditionOf(filter, work));
  const readers = new Map<ByteString, MemberReader>();
  const meets = predicateOf(compiled, (path, test) => textTest(path, test, work, readers));
  const condition = indexConditionOf(compiled);
  const [field, value] = requiredValue(condition) ?? [];
  if (field === undefined || value === undefined) return { test: meets, condition, alike: undefined, tests };

  const name = memberPath(field);
  // Columns may skip entries without the value, but not on every daemon. Such entries fail here, before a test counts
  // work, so the counted work is the same on all daemons.
  const test = (text: ByteString) => {
    const member = memberIn(text, name);
    return (isListValue(member) || compareMembers(member, value) === 0) && meets(text);
  };

  return {
    test: tests > 1 ? test : meets,
    condition,
    alike: alikeTo(name, value, true),
    tests,
  };
}

type MemberReader = (text: ByteString) => Bson | undefined;

/** Returns a function that reads a direct member, once for several tests of the same entry. */
function memberReader(name: ByteString): MemberReader {
  const member = memberName(name);
  let last: ByteString | null = null;
  let value: Bson | undefined;
  return (text) => {
    if (text !== last) [last, value] = [text, bsonIn(text, member)];
    return value;
  };
}

/**
 * Returns a test for the texts of entries.
 * @param readers the readers of members, by their names; receives those that are missing
 */
function textTest(
  path: FieldPath,
  { leaf, test }: FieldTest,
  work: Work,
  readers: Map<ByteString, MemberReader>,
): Predicate<ByteString> {
  const [name = ""] = path;
  const read = readers.get(name) ?? memberReader(name);
  readers.set(name, read);
  const search = { path, leaf, test, work };
  const { effort } = work;
  let tested: ByteString | null = null;
  let isMet = false;
  return (text) => {
    // After a pause, the tests of the entry are repeated, but not those that were complete.
    if (text === tested) return isMet;
    if (effort.isSliceOver) throw PAUSE;
    isMet = isAnyFrom(read(text), search, 1);
    tested = text;
    return isMet;
  };
}

/** Thrown by the test of an entry, between two conditions, at the end of a slice. */
const PAUSE = Symbol("pause");

/** Tests an entry within the current slice. @returns null if the slice ends before the result is known */
export function testedInSlice(
  test: Predicate<ByteString>,
  text: ByteString,
  { effort }: Work,
): boolean | null {
  if (effort.isSliceOver) return null;
  try {
    return test(text);
  } catch (problem) {
    if (problem !== PAUSE) throw problem;
    return null;
  }
}

/** Tests an entry, and yields at the end of each slice. The caller has begun slices. */
export function* testedInSlices(
  test: Predicate<ByteString>,
  text: ByteString,
  { effort }: Work,
): Generator<void, boolean> {
  for (;;) {
    if (effort.endsSlice()) yield;
    try {
      return test(text);
    } catch (problem) {
      if (problem !== PAUSE) throw problem;
    }
  }
}

/** Returns a string or a number that entries must have, with the member's name or path, or null if none is known. */
function requiredValue(condition: IndexCondition): readonly [ByteString, MemberValue] | null {
  if (condition.kind === "all") {
    for (const part of condition.parts) {
      const found = requiredValue(part);
      if (found !== null) return found;
    }
  }
  if (condition.kind !== "member") return null;
  const value = singleValue(condition.spans);
  return value === null || typeof value === "object" ? null : [condition.field, value];
}

/** What to use instead of operators that clients may expect. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["$prefix", 'use {"$regex":"^beginning"}'],
  ["$contains", 'use {"$regex":"part"} for strings, and the value itself for lists, as in {"tags":"new"}'],
  ["$not", "use $nor with a list of conditions"],
]);
const UNKNOWN_OPERATOR = /^unknown (?:top level )?operator: (\$\w+)$/;
/** Maximum number of bytes of an error's text, which may repeat a name. */
const SENTENCE_BYTES_MAX = 512;

/** Runs a step, and converts MongoDB's errors to those of the DOC.* commands. @param about begins the errors */
export function withDocumentErrors<Result>(about: "WHERE" | "UPDATE", run: () => Result): Result {
  try {
    return run();
  } catch (failure) {
    if (!(failure instanceof MongoFailure)) throw failure;
    const { sentence } = failure;
    const instead = INSTEAD.get(UNKNOWN_OPERATOR.exec(sentence)?.[1] ?? "");
    const end = instead === undefined ? "" : `: ${instead}`;
    throw custom(`ERR ${about}: ${echoed(sentence, SENTENCE_BYTES_MAX)}${end}`);
  }
}

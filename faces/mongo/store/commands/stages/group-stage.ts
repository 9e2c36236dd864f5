/**
 * $group: returns one document for each value of an expression, in the order of the values' first documents. Source:
 * MongoDB's manual, "$group".
 */

import type { ByteString } from "../../../../../protocol/byte-string.js";
import { ACCUMULATORS, type Accumulator, type Start } from "../../queries/accumulators.js";
import { expressionOf, type Scope } from "../../queries/expressions.js";
import { type Expression, mappedInSlices } from "../../queries/long-evaluation.js";
import { heldCopy, MongoFailure, produce, spend } from "../../queries/mongo-failure.js";
import { unknownName } from "../../queries/mongodb-names.js";
import { keyCounted } from "../../queries/value-size.js";
import { type Bson, type BsonDocument, isDocument } from "../../values/bson.js";

interface Field {
  readonly name: ByteString;
  readonly start: Start;
  readonly operand: Expression;
}

interface Group {
  readonly id: Bson;
  readonly accumulators: readonly Accumulator[];
}

/** Cost in steps of adding a document to its group, in addition to its units of work. */
const GROUPED_STEPS = 20;

/** @throws CommandFailure */
export function grouping(
  spec: BsonDocument,
  scope: Scope,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  const id = spec.get("_id");
  if (id === undefined) throw new MongoFailure(15955, "a group specification must include an _id");
  const idOf = expressionOf(id, scope);
  const fields = [...spec].flatMap(([name, value]) => (name === "_id" ? [] : [fieldOf(name, value, scope)]));
  return function* (documents) {
    const groups = new Map<ByteString, Group>();
    spend(scope.work, documents.length * fields.length);
    scope.work.effort.work(documents.length * GROUPED_STEPS);
    const operands: (Bson | undefined)[] = fields.map(() => undefined);
    yield* mappedInSlices(documents, scope.work, (document) => {
      const value = idOf(document) ?? null;
      // A long operand ends this call, so all operands are evaluated before one is added.
      for (let i = 0; i < fields.length; i++) operands[i] = (fields[i] as Field).operand(document);
      const key = keyCounted(value, scope.work);
      let group = groups.get(key);
      if (group === undefined) {
        produce(scope.work, 1 + fields.length, key.length);
        group = { id: value, accumulators: fields.map(({ start }) => start(scope.work)) };
        groups.set(key, group);
      }
      for (let i = 0; i < fields.length; i++) (group.accumulators[i] as Accumulator).add(operands[i]);
    });
    return yield* mappedInSlices([...groups.values()], scope.work, ({ id: value, accumulators }) => {
      const result = new Map<ByteString, Bson>([["_id", value]]);
      for (const [i, accumulator] of accumulators.entries())
        result.set((fields[i] as Field).name, accumulator.result() ?? null);
      return heldCopy(scope.work, result);
    });
  };
}

function fieldOf(name: ByteString, value: Bson, scope: Scope): Field {
  if (name.includes(".")) throw new MongoFailure(40235, `The field name '${name}' cannot contain '.'`);
  if (name.startsWith("$"))
    throw new MongoFailure(40236, `The field name '${name}' cannot be an operator name`);
  const parts = isDocument(value) && value.size === 1 ? [...value][0] : undefined;
  if (parts === undefined) throw new MongoFailure(40234, `The field '${name}' must be an accumulator object`);
  const [operator, operand] = parts;
  const start = ACCUMULATORS.get(operator);
  if (start === undefined)
    throw unknownName(
      "accumulator",
      operator,
      new MongoFailure(15952, `unknown group operator '${operator}'`),
    );
  return { name, start, operand: expressionOf(operand, scope) };
}

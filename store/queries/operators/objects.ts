/** Documents in expressions. Source: MongoDB's manual, "Object Expression Operators". */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../../values/collections/bson.js";
import { compiled, type Operator, type Scope } from "../expressions.js";
import { MongoFailure } from "../mongo-failure.js";
import {
  arrayIn,
  isNothing,
  kindOf,
  madeArray,
  namedOperands,
  ofOne,
  ofValues,
  passed,
  textIn,
  type Value,
} from "./operator.js";

function documentIn(value: Value, name: ByteString, code: number): BsonDocument {
  if (isDocument(value)) return value;
  throw new MongoFailure(code, `${name} requires an object, found: ${kindOf(value)}`);
}

function merged(values: readonly Value[], { work }: Scope, name: ByteString): Value {
  const [only] = values;
  const result = new Map<ByteString, Bson>();
  for (const value of values.length === 1 && isArray(only) ? only : values) {
    if (isNothing(value)) continue;
    const document = documentIn(value, name, 40400);
    passed(document.size, work);
    for (const [field, one] of document) result.set(field, one);
  }
  return result;
}

/** Returns the name of a field, which may begin with `$` if it is in a `$literal`. */
function fieldName(value: Bson, name: ByteString): ByteString {
  const literal = isDocument(value) && value.size === 1 ? value.get("$literal") : undefined;
  const field = literal ?? value;
  if (typeof field !== "string" || (literal === undefined && field.startsWith("$")))
    throw new MongoFailure(4161107, `${name} requires 'field' to evaluate to a constant string`);
  return field;
}

const getField: Operator = (operand, scope, name) => {
  const isShort = !isDocument(operand) || operand.has("$literal");
  const spec = isShort ? new Map([["field", operand]]) : namedOperands(operand, name, ["field"], ["input"]);
  const field = fieldName(spec.get("field") as Bson, name);
  const input = compiled(spec.get("input") ?? "$$CURRENT", scope);
  return (root) => {
    const document = input(root);
    return isDocument(document) ? document.get(field) : isNothing(document) ? null : undefined;
  };
};

const setting =
  (hasValue: boolean): Operator =>
  (operand, scope, name) => {
    const spec = namedOperands(operand, name, hasValue ? ["field", "input", "value"] : ["field", "input"]);
    const field = fieldName(spec.get("field") as Bson, name);
    const input = compiled(spec.get("input") as Bson, scope);
    const value = hasValue ? compiled(spec.get("value") as Bson, scope) : () => undefined;
    return (root) => {
      const document = input(root);
      if (isNothing(document)) return null;
      const result = new Map(documentIn(document, name, 4161105));
      const one = value(root);
      passed(result.size, scope.work);
      if (one === undefined) result.delete(field);
      else result.set(field, one);
      return result;
    };
  };

function fieldsOf(value: Value, scope: Scope, name: ByteString): Value {
  if (isNothing(value)) return null;
  const pairs = [...documentIn(value, name, 40390)].map(
    ([k, v]) =>
      new Map<ByteString, Bson>([
        ["k", k],
        ["v", v],
      ]),
  );
  return madeArray(pairs, scope);
}

function documentOf(value: Value, scope: Scope, name: ByteString): Value {
  if (isNothing(value)) return null;
  const result = new Map<ByteString, Bson>();
  for (const one of madeArray(arrayIn(value, name, 40386), scope)) {
    const [key, fieldValue] = isDocument(one) ? [one.get("k"), one.get("v")] : isArray(one) ? one : [];
    if (fieldValue === undefined)
      throw new MongoFailure(40398, `${name} requires pairs of a name and a value`);
    result.set(textIn(key, name, 40394), fieldValue);
  }
  return result;
}

export const objects: Readonly<Record<string, Operator>> = {
  arrayToObject: ofOne(documentOf),
  getField,
  mergeObjects: ofValues([0, Number.POSITIVE_INFINITY], merged),
  objectToArray: ofOne(fieldsOf),
  setField: setting(true),
  unsetField: setting(false),
};

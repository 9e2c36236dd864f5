/**
 * Stages that turn each document into another one, for pipelines and updates. Source: MongoDB's manual, "Updates with
 * Aggregation Pipeline".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { typeOf } from "../values/bson-type.js";
import type { FieldPath } from "../values/index-keys.js";
import { pathTo } from "./document-paths.js";
import { expressionOf, type Scope } from "./expressions.js";
import type { Expression } from "./long-evaluation.js";
import { MongoFailure } from "./mongo-failure.js";
import { projectionOf } from "./projection.js";
import { checkCount } from "./value-size.js";

export type Reshaping = (document: BsonDocument) => BsonDocument;

/** @throws CommandFailure */
type Make = (operand: Bson, scope: Scope) => Reshaping;

/** The fields to set: for each name an expression or, if parts of the field are set, the fields inside it. */
interface Fields extends Map<ByteString, Fields | Expression> {}

const addFields: Make = (operand, scope) => {
  if (!isDocument(operand)) throw new MongoFailure(40272, "$addFields specification stage must be an object");
  if (operand.size === 0)
    throw new MongoFailure(40177, "Invalid $addFields :: caused by :: an empty object is not a valid value");
  const tree: Fields = new Map();
  for (const [name, value] of operand) put(tree, pathOf(name), value, scope);
  return (document) => withFields(document, tree, document);
};

function pathOf(name: ByteString): FieldPath {
  const path = pathTo(name);
  for (const part of path) {
    if (part === "") throw new MongoFailure(40353, `FieldPath must not have an empty part: '${name}'`);
    if (part.startsWith("$")) throw new MongoFailure(16410, `Field names may not start with '$': '${name}'`);
  }
  return path;
}

/** Sets a field. A document that is not an expression sets the fields that it names and retains the remaining ones. */
function put(tree: Fields, [name = "", ...innerPath]: FieldPath, value: Bson, scope: Scope): void {
  const existing = tree.get(name);
  const isInside = innerPath.length > 0 || isFields(value);
  if (typeof existing === "function" || (existing !== undefined && !isInside))
    throw new MongoFailure(40176, `specification contains two conflicting paths: '${name}'`);
  if (!isInside) {
    tree.set(name, expressionOf(value, scope));
    return;
  }
  const inner: Fields = existing ?? new Map();
  tree.set(name, inner);
  if (innerPath.length > 0) put(inner, innerPath, value, scope);
  else for (const [field, one] of value as BsonDocument) put(inner, pathOf(field), one, scope);
}

const isFields = (value: Bson): boolean =>
  isDocument(value) && value.size > 0 && [...value.keys()][0]?.startsWith("$") !== true;

function withFields(document: BsonDocument, tree: Fields, root: BsonDocument): BsonDocument {
  const result = new Map(document);
  for (const [name, field] of tree) {
    const value = typeof field === "function" ? field(root) : within(document.get(name), field, root);
    if (value === undefined) result.delete(name);
    else result.set(name, value);
  }
  return result;
}

/** Minimum number of values by which a document with one field is measured. */
const VALUES_OF_DOCUMENT = 3;

function within(value: Bson | undefined, tree: Fields, root: BsonDocument): Bson {
  if (isArray(value)) {
    checkCount(VALUES_OF_DOCUMENT * value.length);
    return value.map((one) => within(one, tree, root));
  }
  return withFields(isDocument(value) ? value : new Map(), tree, root);
}

const unset: Make = (operand, scope) => {
  const names = isArray(operand) ? operand : [operand];
  if (names.length === 0 || names.some((name) => typeof name !== "string"))
    throw new MongoFailure(31002, "$unset specification must be a string or an array of strings");
  return projectionOf(new Map(names.map((name) => [name as ByteString, false])), "$project", scope);
};

const replace = (operand: Bson, scope: Scope): Reshaping => {
  const make = expressionOf(operand, scope);
  return (document) => {
    const replacement = make(document);
    if (isDocument(replacement)) return replacement;
    const kind = replacement === undefined ? "missing" : typeOf(replacement).name;
    throw new MongoFailure(
      40228,
      `'newRoot' expression must evaluate to an object, but resulting value was of type ${kind}`,
    );
  };
};

const replaceRoot: Make = (operand, scope) => {
  const root = isDocument(operand) && operand.size === 1 ? operand.get("newRoot") : undefined;
  if (root === undefined) throw new MongoFailure(40231, "$replaceRoot requires a document as 'newRoot'");
  return replace(root, scope);
};

const project: Make = (operand, scope) => {
  if (!isDocument(operand)) throw new MongoFailure(15959, "the $project specification must be an object");
  if (operand.size === 0)
    throw new MongoFailure(51272, "projection specification must have at least one field");
  return projectionOf(operand, "$project", scope);
};

export const RESHAPINGS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ["$addFields", addFields],
  ["$set", addFields],
  ["$unset", unset],
  ["$project", project],
  ["$replaceRoot", replaceRoot],
  ["$replaceWith", replace],
]);

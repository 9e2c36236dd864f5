/**
 * Projections of documents, and the stages that turn each document into another one, for pipelines and updates.
 * Source: MongoDB's manual, "Projection" and "Updates with Aggregation Pipeline".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument, typeOf } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import type { FieldPath } from "../values/index-keys.js";
import { filterOf } from "./bson-filter.js";
import { integerIn, isTrue } from "./command-fields.js";
import { checkedPath, isRefusedName, pathTo } from "./document-paths.js";
import { expressionOf, type Scope } from "./expressions.js";
import type { Expression } from "./long-evaluation.js";
import { badValue, MongoFailure, notImplemented, type Work } from "./mongo-failure.js";
import { checkCount } from "./value-size.js";

export type Projection = (document: BsonDocument) => BsonDocument;

/** Returns the value to include in the result, or undefined if there is none. */
type Shown = (value: Bson | undefined, root: BsonDocument) => Bson | undefined;

/** The projection of a field: of its subfields, or of the field itself. */
interface Branch {
  readonly fields: Map<ByteString, Branch | Leaf>;
}
type Leaf = "in" | "out" | { readonly computed: Expression } | { readonly shown: Shown };

const isBranch = (node: Branch | Leaf): node is Branch => typeof node === "object" && "fields" in node;

interface Parsed {
  readonly tree: Branch;
  isIncluding: boolean;
  isExcluding: boolean;
  /** Whether there is an $elemMatch, which includes fields unless another part of the projection decides. */
  hasElementMatch: boolean;
  /** Whether there is a $slice, which excludes no fields unless another part of the projection decides. */
  hasSlice: boolean;
}

/** The kind of a projection: only those of a find have $slice and $elemMatch. */
export type ProjectionKind = "find" | "$project";

/** @throws CommandFailure */
export function projectionOf(spec: BsonDocument, kind: ProjectionKind, scope: Scope): Projection {
  const parsed: Parsed = {
    tree: { fields: new Map() },
    isIncluding: false,
    isExcluding: false,
    hasElementMatch: false,
    hasSlice: false,
  };
  let id: boolean | null = null;
  for (const [name, value] of spec) {
    if (name === "_id" && isPlainChoice(value)) id = isTrue(value);
    else read(parsed, name.split("."), value, kind, scope);
  }

  const isIncludingAlone = id === true || (parsed.hasElementMatch && !parsed.hasSlice);
  const isIncluding = parsed.isIncluding || (!parsed.isExcluding && isIncludingAlone);
  const { fields } = parsed.tree;
  if (id !== null && fields.has("_id")) throw collision(["_id"]);

  // A projection that computes _id, or names parts of it, contains it already.
  if (!fields.has("_id") && isIncluding === (id !== false)) fields.set("_id", isIncluding ? "in" : "out");
  return (document) =>
    isIncluding ? included(document, parsed.tree, document) : excluded(document, parsed.tree, document);
}

const isPlainChoice = (value: Bson): boolean => isNumber(value) || typeof value === "boolean";

function read(
  parsed: Parsed,
  path: readonly ByteString[],
  value: Bson,
  kind: ProjectionKind,
  scope: Scope,
): void {
  const name = checkedPath(path).join(".");
  if (path.includes("")) throw badValue(`a projection's field '${name}' has no name`);
  if (path.some(isRefusedName))
    throw notImplemented(
      `a projection of '${name}' is not supported: use $elemMatch or $slice in the projection`,
    );

  if (isPlainChoice(value)) {
    setLeaf(parsed.tree, path, isTrue(value) ? "in" : "out");
    if (isTrue(value)) include(parsed, 31253, `Cannot do inclusion on field ${name} in exclusion projection`);
    else exclude(parsed, name);
    return;
  }

  if (!isDocument(value)) {
    setLeaf(parsed.tree, path, { computed: expressionOf(value, scope) });
    include(parsed, 31310, `Cannot use an expression for ${name} in an exclusion projection`);
    return;
  }
  if (value.size === 0) throw new MongoFailure(51270, "An empty sub-projection is not a valid value");

  const [operator = ""] = value.keys();
  if (!operator.startsWith("$")) {
    for (const [inner, one] of value) read(parsed, [...path, ...inner.split(".")], one, kind, scope);
    return;
  }
  if (kind === "find" && value.size === 1) {
    const operand = value.get(operator) as Bson;
    if (operator === "$slice") {
      parsed.hasSlice = true;
      setLeaf(parsed.tree, path, { shown: sliced(operand) });
      return;
    }

    if (operator === "$elemMatch") {
      if (path.length > 1) throw badValue("Cannot use $elemMatch projection on a nested field");
      parsed.hasElementMatch = true;
      setLeaf(parsed.tree, path, { shown: firstElement(operand, name, scope.work) });
      return;
    }
  }

  include(parsed, 31252, "Cannot use expression other than $meta in exclusion projection");
  setLeaf(parsed.tree, path, { computed: expressionOf(value, scope) });
}

/** Marks a projection as one that includes fields. @throws CommandFailure if it excludes fields */
function include(parsed: Parsed, code: number, sentence: ByteString): void {
  if (parsed.isExcluding) throw new MongoFailure(code, sentence);
  parsed.isIncluding = true;
}

function exclude(parsed: Parsed, name: ByteString): void {
  if (parsed.isIncluding)
    throw new MongoFailure(31254, `Cannot do exclusion on field ${name} in inclusion projection`);
  parsed.isExcluding = true;
}

/** @throws CommandFailure if the field has another projection */
function setLeaf(tree: Branch, path: readonly ByteString[], leaf: Leaf): void {
  let branch = tree;
  for (const [i, part] of path.slice(0, -1).entries()) {
    let next = branch.fields.get(part);
    if (next === undefined) branch.fields.set(part, (next = { fields: new Map() }));
    if (!isBranch(next)) {
      const rest = path.slice(i + 1).join(".");
      throw new MongoFailure(31249, `Path collision at ${path.join(".")} remaining portion ${rest}`);
    }
    branch = next;
  }

  const last = path.at(-1) as ByteString;
  if (branch.fields.has(last)) throw collision(path);
  branch.fields.set(last, leaf);
}

const collision = (path: readonly ByteString[]) =>
  new MongoFailure(31250, `Path collision at ${path.join(".")}`);

function included(document: BsonDocument, { fields }: Branch, root: BsonDocument): BsonDocument {
  const result = new Map<ByteString, Bson>();
  for (const [name, value] of document) {
    const node = fields.get(name);
    if (node === undefined || (typeof node === "object" && "computed" in node)) continue;
    const projected = isBranch(node) ? includedIn(value, node, root) : includedLeaf(node, value, root);
    if (projected !== undefined) result.set(name, projected);
  }
  addComputed(result, fields, root);
  return result;
}

function includedLeaf(leaf: Leaf, value: Bson, root: BsonDocument): Bson | undefined {
  if (leaf === "in") return value;
  return typeof leaf === "object" && "shown" in leaf ? leaf.shown(value, root) : undefined;
}

function includedIn(value: Bson, branch: Branch, root: BsonDocument): Bson | undefined {
  if (isDocument(value)) return included(value, branch, root);
  if (isArray(value))
    return value.flatMap((one) => {
      const projected = includedIn(one, branch, root);
      return projected === undefined ? [] : [projected];
    });
  return hasComputed(branch) ? included(new Map(), branch, root) : undefined;
}

const hasComputed = ({ fields }: Branch): boolean =>
  [...fields.values()].some((node) =>
    isBranch(node) ? hasComputed(node) : typeof node === "object" && "computed" in node,
  );

/** Adds computed fields after the existing ones. */
function addComputed(result: Map<ByteString, Bson>, fields: Branch["fields"], root: BsonDocument): void {
  for (const [name, node] of fields) {
    if (isBranch(node)) {
      if (!result.has(name) && hasComputed(node)) result.set(name, included(new Map(), node, root));
    } else if (typeof node === "object" && "computed" in node) {
      const value = node.computed(root);
      if (value !== undefined) result.set(name, value);
    }
  }
}

function excluded(document: BsonDocument, { fields }: Branch, root: BsonDocument): BsonDocument {
  const result = new Map<ByteString, Bson>();
  for (const [name, value] of document) {
    const node = fields.get(name);
    if (node === "out") continue;
    const projected =
      node === undefined
        ? value
        : isBranch(node)
          ? excludedIn(value, node, root)
          : notExcludedLeaf(node, value, root);
    if (projected !== undefined) result.set(name, projected);
  }

  return result;
}

function notExcludedLeaf(leaf: Leaf, value: Bson, root: BsonDocument): Bson | undefined {
  return typeof leaf === "object" && "shown" in leaf ? leaf.shown(value, root) : value;
}

function excludedIn(value: Bson, branch: Branch, root: BsonDocument): Bson {
  if (isDocument(value)) return excluded(value, branch, root);
  return isArray(value) ? value.map((one) => excludedIn(one, branch, root)) : value;
}

/**
 * @param operand the number of elements (counted from the end if it is negative), or the number to skip and the number
 * to return
 */
function sliced(operand: Bson): Shown {
  const [first, second] = isArray(operand) ? operand : [operand];
  const from = integerIn(first ?? null, "$slice");
  if (!isArray(operand))
    return (value) => (isArray(value) ? (from < 0 ? value.slice(from) : value.slice(0, from)) : value);

  const count = operand.length === 2 ? integerIn(second as Bson, "$slice") : 0;
  if (count <= 0) throw badValue("$slice takes a count, or two numbers, the second of them positive");

  return (value) => {
    if (!isArray(value)) return value;
    const start = from < 0 ? Math.max(0, value.length + from) : from;
    return value.slice(start, start + count);
  };
}

function firstElement(operand: Bson, name: ByteString, work: Work): Shown {
  if (!isDocument(operand)) throw badValue("$elemMatch needs an Object");
  const { isMet } = filterOf(new Map([["e", new Map([["$elemMatch", operand]])]]), work);
  const path = pathTo(name);
  return (value) => {
    if (!isArray(value) || path.length !== 1) return undefined;
    const element = value.find((one) => isMet(new Map([["e", [one]]])));
    return element === undefined ? undefined : [element];
  };
}

type Reshaping = (document: BsonDocument) => BsonDocument;

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
    if (isRefusedName(part)) throw new MongoFailure(16410, `Field names may not start with '$': '${name}'`);
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

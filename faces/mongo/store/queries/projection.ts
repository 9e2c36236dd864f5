/** Projections of documents. Source: MongoDB's manual, "Projection". */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import { filterOf } from "./bson-filter.js";
import { integerIn, isTrue } from "./command-fields.js";
import { checkedPath, pathTo } from "./document-paths.js";
import { expressionOf, type Scope } from "./expressions.js";
import type { Expression } from "./long-evaluation.js";
import { badValue, MongoFailure, notImplemented, type Work } from "./mongo-failure.js";

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
  if (isIncluding ? id !== false : id === true) setLeaf(parsed.tree, ["_id"], isIncluding ? "in" : null);
  if (!isIncluding && id === false) setLeaf(parsed.tree, ["_id"], "out");
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
  if (path.some((part) => part.startsWith("$")))
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

/** @param leaf null to set nothing, and only check that the field has no other projection */
function setLeaf(tree: Branch, path: readonly ByteString[], leaf: Leaf | null): void {
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
  if (leaf !== null) branch.fields.set(last, leaf);
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

/** Expressions of $project and $group: ways to fields, and values as they stand. Source: MongoDB's manual, "Aggregation Expressions". */

import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type Bson,
  BsonDate,
  type BsonDocument,
  isArray,
  isDocument,
} from "../../values/collections/bson.js";
import { MongoFailure, type Work } from "./mongo-failure.js";
import { unknownName } from "./names-elsewhere.js";
import { checkedWay } from "./ways.js";

/** The value for a document; undefined: there is none. */
export type Expression = (root: BsonDocument) => Bson | undefined;

export interface Scope {
  /** Of the unit; milliseconds since 1970. */
  readonly at: number;
  readonly work: Work;
}

/** @throws CommandFailure  an operator or a variable that is not there */
export function expressionOf(value: Bson, scope: Scope): Expression {
  if (typeof value === "string" && value.startsWith("$")) return wayOf(value, scope);
  if (isArray(value)) {
    const items = value.map((one) => expressionOf(one, scope));
    return (root) => items.map((item) => item(root) ?? null);
  }
  if (!isDocument(value)) return () => value;
  const [first = ""] = value.keys();
  if (first.startsWith("$")) {
    if (first === "$literal" && value.size === 1) return () => value.get(first);
    throw unknownName("expression", first, new MongoFailure(168, `Unrecognized expression '${first}'`));
  }
  const fields = [...value].map(([name, one]) => {
    if (name.includes(".") || name.startsWith("$"))
      throw new MongoFailure(16412, `a field of an expression cannot be named '${name}'`);
    return [name, expressionOf(one, scope)] as const;
  });
  return (root) => {
    const made = new Map<ByteString, Bson>();
    for (const [name, field] of fields) {
      const one = field(root);
      if (one !== undefined) made.set(name, one);
    }
    return made;
  };
}

function wayOf(text: ByteString, { at }: Scope): Expression {
  const parts = text.slice(1).split(".");
  if (!text.startsWith("$$")) return along(checked(parts, text));
  const [variable, ...rest] = parts;
  if (variable === "$ROOT" || variable === "$CURRENT") return along(checked(rest, text));
  if (variable === "$NOW" && rest.length === 0) return () => new BsonDate(BigInt(at));
  throw new MongoFailure(17276, `Use of undefined variable: ${(variable ?? "").slice(1)}`);
}

function checked(parts: readonly ByteString[], text: ByteString): readonly ByteString[] {
  for (const part of checkedWay(parts)) {
    if (part === "") throw new MongoFailure(15998, `'${text}' is no way to a field: a name is empty`);
    if (part.startsWith("$")) throw new MongoFailure(16410, `'${text}': a name may not start with $`);
  }
  return parts;
}

/** An array stands for what its documents have; its elements have no numbers here. */
function along(parts: readonly ByteString[]): Expression {
  const step = (value: Bson | undefined, at: number): Bson | undefined => {
    if (at === parts.length) return value;
    if (isDocument(value)) return step(value.get(parts[at] as ByteString), at + 1);
    if (!isArray(value)) return undefined;
    return value.flatMap((one) => {
      // An array in an array has documents that are not gone into, but by the rest of the way.
      const found = isDocument(one) || isArray(one) ? step(one, at) : undefined;
      return found === undefined ? [] : [found];
    });
  };
  return (root) => step(root, 0);
}

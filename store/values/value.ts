/** The values of keys. A string value is its bytes; the other types are objects. */
import type { ByteString } from "../../protocol/byte-string.js";
import { Collection } from "./collections/collection.js";
import { Document } from "./documents/document.js";
import { Hash } from "./hash.js";
import { List } from "./list.js";
import { MemberSet } from "./member-set.js";
import { Table } from "./relations/table.js";
import { SortedSet } from "./sorted-set.js";
import type { Stream } from "./streams/stream.js";

/** Redis's `proto-max-bulk-len`, less the 24 bytes that V8's longest string falls short of it. */
export const STRING_BYTES_MAX = 512 * 1024 * 1024 - 24;

export type Value = ByteString | List | Hash | MemberSet | SortedSet | Stream | Document | Table | Collection;

export type TypeName =
  | "string"
  | "list"
  | "hash"
  | "set"
  | "zset"
  | "stream"
  | "document"
  | "table"
  | "collection";

/** The type's name as `TYPE` says it. */
export function typeName(value: Value): TypeName {
  if (typeof value === "string") return "string";
  if (value instanceof List) return "list";
  if (value instanceof Hash) return "hash";
  if (value instanceof MemberSet) return "set";
  if (value instanceof Document) return "document";
  if (value instanceof Table) return "table";
  if (value instanceof Collection) return "collection";
  return value instanceof SortedSet ? "zset" : "stream";
}

/** A value that shares nothing with the one given. */
export function cloneValue(value: Value): Value {
  return typeof value === "string" ? value : value.clone();
}

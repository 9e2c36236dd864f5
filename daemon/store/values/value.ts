/** The values of keys. A string value is its bytes; values of all other types are objects. */

import { Document } from "../../../faces/json/store/values/document.js";
import { Collection } from "../../../faces/mongo/store/values/collection.js";
import type { Stream } from "../../../faces/redis/store/values/streams/stream.js";
import { Table } from "../../../faces/sql/store/values/table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { Hash } from "./hash.js";
import { List } from "./list.js";
import { MemberSet } from "./member-set.js";
import { SortedSet } from "./sorted-set.js";

/** Redis's `proto-max-bulk-len`, minus 24 bytes, because V8's longest string is that much shorter. */
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

/** Returns the type's name in the reply of `TYPE`. */
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

/** Returns a copy that shares nothing mutable with the original. */
export function cloneValue(value: Value): Value {
  return typeof value === "string" ? value : value.clone();
}

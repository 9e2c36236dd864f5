/**
 * The values of keys. A string value is its bytes; values of all other types are objects, whose classes have all that the
 * core needs of a type: those of the basic types in this folder, and those of a face in the face's own folder.
 */

import type { Document } from "../../../faces/json/store/values/document.js";
import type { Collection } from "../../../faces/mongo/store/values/collection.js";
import type { Stream } from "../../../faces/redis/store/values/streams/stream.js";
import type { Table } from "../../../faces/sql/store/values/table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Hash } from "./hash.js";
import type { List } from "./list.js";
import type { MemberSet } from "./member-set.js";
import type { TypeName } from "./object-value.js";
import type { SortedSet } from "./sorted-set.js";

/** Redis's `proto-max-bulk-len`, minus 24 bytes, because V8's longest string is that much shorter. */
export const STRING_BYTES_MAX = 512 * 1024 * 1024 - 24;

export type Value = ByteString | List | Hash | MemberSet | SortedSet | Stream | Document | Table | Collection;

/** Returns the type's name in the reply of `TYPE`. */
export function typeName(value: Value): TypeName {
  return typeof value === "string" ? "string" : value.type;
}

/** Returns a copy that shares nothing mutable with the original. */
export function cloneValue(value: Value): Value {
  return typeof value === "string" ? value : value.clone();
}

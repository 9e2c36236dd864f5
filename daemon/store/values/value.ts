/**
 * The values of keys. A string value is its bytes; values of all other types are objects, whose classes have all that
 * the core needs of a type: those of the basic types in this folder, and those of a face in the face's own folder.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { ObjectValue, TypeName } from "./object-value.js";

/** Redis's `proto-max-bulk-len`, minus 24 bytes, because V8's longest string is that much shorter. */
export const STRING_BYTES_MAX = 512 * 1024 * 1024 - 24;

export type Value = ByteString | ObjectValue;

/** Returns the type's name in the reply of `TYPE`. */
export function typeName(value: Value): TypeName {
  return typeof value === "string" ? "string" : value.type;
}

/** Returns a copy that shares nothing mutable with the original. */
export function cloneValue(value: Value): Value {
  return typeof value === "string" ? value : value.clone();
}

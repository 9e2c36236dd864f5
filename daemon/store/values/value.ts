/**
 * The values of keys. A string value is a byte string; a value of any other type is an object that implements
 * `ObjectValue`. The classes of the basic types are in this folder, and those of a face in the face's folder.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { ObjectValue, TypeName } from "./object-value.js";

/** The length of V8's longest string, which is 24 bytes below the default of Redis's `proto-max-bulk-len`. */
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

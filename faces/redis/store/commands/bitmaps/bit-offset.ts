/**
 * Parses the index of a bit in an argument. Behaviour and error texts are those of Redis 7; test/conformance checks
 * them.
 */

import { custom, stringTooLong } from "../../../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import { STRING_BYTES_MAX } from "../../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";

/**
 * Number of bits in Redis's longest string (`proto-max-bulk-len`). Commands may read up to this limit, although strings
 * here are slightly shorter.
 */
const BITS_MAX = 8 * 512 * 1024 * 1024;

/**
 * Parses the index of a bit that a Redis string can have.
 * @param width the width of a field in bits: an index after `#` counts fields of this width; if undefined, `#` is not
 * permitted
 * @throws CommandFailure
 */
export function bitOffset(bytes: ByteString, width?: number): number {
  const isFieldNumber = width !== undefined && bytes.startsWith("#");
  const number = parseInteger(isFieldNumber ? bytes.slice(1) : bytes);
  // If a product exceeds 64 bits, Redis uses its lower 64 bits.
  const index =
    isFieldNumber && number !== undefined ? BigInt.asIntN(64, BigInt(number) * BigInt(width)) : number;
  if (index === undefined || index < 0 || index >= BITS_MAX)
    throw custom("ERR bit offset is not an integer or out of range");
  return Number(index);
}

/**
 * Returns the number of bytes that a string needs to contain the bit with the given index.
 * @throws CommandFailure if no string can be that long
 */
export function bytesUpTo(index: number): number {
  const length = Math.floor(index / 8) + 1;
  if (length > STRING_BYTES_MAX) throw stringTooLong();
  return length;
}

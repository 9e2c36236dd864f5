/**
 * The payload of DUMP and RESTORE: a value, two bytes of version, eight bytes of checksum. FUNCTION DUMP's payload ends
 * in the same way. Source: redis-server 7.0.
 */

import { custom, stringTooLong } from "../../../../daemon/store/arguments/command-errors.js";
import { STRING_BYTES_MAX, type Value } from "../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { crc64 } from "./crc64.js";
import { MalformedRdb } from "./malformed-rdb.js";
import { type Expand, RdbReader } from "./rdb-reader.js";
import { type CountBytes, RdbWriter } from "./rdb-writer.js";
import { readValue } from "./value-reader.js";
import { writeValue } from "./value-writer.js";

/** The version of Redis 7.0; later versions may contain forms that this reader does not know. */
const RDB_VERSION = 10;
const CHECKSUM_BYTES = 8;
const FOOTER_BYTES = 2 + CHECKSUM_BYTES;

/**
 * Returns a value's payload.
 * @throws CommandFailure if the payload exceeds the maximum length of a string
 * @throws the error of `count`
 */
export function dumpPayload(value: Value, count: CountBytes | null = null): ByteString {
  const writer = new RdbWriter(count);
  writeValue(writer, value);
  if (writer.written.length + FOOTER_BYTES > STRING_BYTES_MAX) throw stringTooLong();
  return sealed(writer);
}

/** Returns the written bytes, followed by the version and the checksum. */
export function sealed(writer: RdbWriter): ByteString {
  writer.uint16(RDB_VERSION);
  writer.raw(crc64(writer.written));
  return writer.toBytes();
}

/**
 * Returns the bytes before the version and the checksum.
 * @throws CommandFailure if the payload is damaged or its version too new
 */
export function unsealed(payload: ByteString): Buffer {
  const bytes = Buffer.from(payload, "latin1");
  const end = bytes.length - FOOTER_BYTES;
  const checksumAt = bytes.length - CHECKSUM_BYTES;
  const isGood =
    end >= 0 &&
    bytes.readUInt16LE(end) <= RDB_VERSION &&
    crc64(bytes, 0, checksumAt).equals(bytes.subarray(checksumAt));
  if (!isGood) throw custom("ERR DUMP payload version or checksum are wrong");
  return bytes.subarray(0, end);
}

/** @throws CommandFailure if the payload is damaged, too new or not a value @throws the error of `expand` */
export function valueOfPayload(payload: ByteString, expand: Expand): Value {
  const bytes = unsealed(payload);
  try {
    return readValue(new RdbReader(bytes, expand));
  } catch (reason) {
    if (reason instanceof MalformedRdb) throw custom("ERR Bad data format");
    throw reason;
  }
}

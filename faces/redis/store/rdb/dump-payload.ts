/**
 * The payload of DUMP and RESTORE: a value, two bytes of version, eight bytes of checksum. FUNCTION DUMP's payload ends
 * in the same way. Source: redis-server 7.0.
 */

import { custom, stringTooLong } from "../../../../daemon/store/arguments/command-errors.js";
import type { Hash } from "../../../../daemon/store/values/hash.js";
import type { List } from "../../../../daemon/store/values/list.js";
import type { MemberSet } from "../../../../daemon/store/values/member-set.js";
import type { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import { STRING_BYTES_MAX, typeName, type Value } from "../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { crc64 } from "./crc64.js";
import { type Expand, MalformedRdb, RdbReader } from "./rdb-reader.js";
import { type CountBytes, RdbWriter } from "./rdb-writer.js";
import { writeStream } from "./streams-in-rdb.js";
import { readValue } from "./value-reader.js";

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

interface ValueWriter {
  /** Redis's number for the form. */
  readonly number: number;
  write(writer: RdbWriter, value: Value): void;
}

const refuseDocument = (): never => {
  throw custom("ERR a document has no form in Redis: use DOC.GET");
};
const refuseCollection = (): never => {
  throw custom("ERR a collection has no form in Redis: use MDB.FIND");
};
const refuseTable = (): never => {
  throw custom("ERR a table has no form in Redis: use SQL");
};

/** Writers by the name of the type; each uses the simplest form, which Redis reads and converts to its own encoding. */
const WRITERS: Readonly<Record<ReturnType<typeof typeName>, ValueWriter>> = {
  string: writerOf<ByteString>(0, (writer, bytes) => writer.string(bytes)),
  list: writerOf<List>(1, (writer, list) => {
    writer.length(list.size);
    for (const element of list.slice()) writer.string(element);
  }),
  set: writerOf<MemberSet>(2, (writer, set) => {
    writer.length(set.size);
    for (const member of set.members) writer.string(member);
  }),
  hash: writerOf<Hash>(4, (writer, { size, fields, values }) => {
    writer.length(size);
    for (let index = 0; index < size; index++) {
      writer.string(fields[index] as ByteString);
      writer.string(values[index] as ByteString);
    }
  }),
  zset: writerOf<SortedSet>(5, (writer, zset) => {
    writer.length(zset.size);
    // Highest score first, as in Redis: the reader then inserts each member at the front of a skip list.
    for (const [member, score] of zset.reverseRange(0, zset.size)) {
      writer.string(member);
      writer.double(score);
    }
  }),
  stream: writerOf(19, writeStream),
  document: { number: 0, write: refuseDocument },
  table: { number: 0, write: refuseTable },
  collection: { number: 0, write: refuseCollection },
};

/**
 * Writes a value, preceded by its type.
 * @throws CommandFailure for a document, a table or a collection, which Redis does not know
 */
function writeValue(writer: RdbWriter, value: Value): void {
  const form = WRITERS[typeName(value)];
  writer.byte(form.number);
  form.write(writer, value);
}

/** @param number Redis's number for the form */
function writerOf<V extends Value>(
  number: number,
  write: (writer: RdbWriter, value: V) => void,
): ValueWriter {
  return { number, write: (writer, value) => write(writer, value as V) };
}

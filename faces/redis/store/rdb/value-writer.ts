/** Writes values as RDB, each in its simplest form, which Redis reads and converts to its own encoding. */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import type { Hash } from "../../../../daemon/store/values/hash.js";
import type { List } from "../../../../daemon/store/values/list.js";
import type { MemberSet } from "../../../../daemon/store/values/member-set.js";
import type { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import { typeName, type Value } from "../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { RdbWriter } from "./rdb-writer.js";
import { writeStream } from "./streams-in-rdb.js";

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

/** Writers by the name of the type. */
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
export function writeValue(writer: RdbWriter, value: Value): void {
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

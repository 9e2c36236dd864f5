/**
 * DOC.INDEX: defines which members of a document's entries are indexed. An index is built when a read first uses it.
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulks, ONE, type Reply, ZERO } from "../../../../protocol/reply.js";
import { setIndexed } from "../keyspace/document-mutators.js";
import { documentOf } from "./document-entries.js";
import { fieldArgument } from "./document-options.js";

/** Maximum number of indexes of one document: every write maintains each of them. */
const INDEXES_MAX = 16;

/** `DOC.INDEX CREATE document name`. @returns whether the index is new */
export function createIndex(data: Data, argv: readonly ByteString[]): Reply {
  const field = fieldArgument(argv[3]!);
  const entry = documentOf(data, argv[2]!);
  const { indexed } = entry.value;
  if (indexed.includes(field)) return ZERO;
  if (indexed.length >= INDEXES_MAX)
    throw custom(
      `ERR A document has at most ${INDEXES_MAX} indexes: drop one that is not needed (DOC.INDEX LIST)`,
    );
  setIndexed(data, entry, [...indexed, field]);
  return ONE;
}

/** `DOC.INDEX DROP document name`. @returns whether the index existed */
export function dropIndex(data: Data, argv: readonly ByteString[]): Reply {
  const entry = documentOf(data, argv[2]!);
  const { indexed } = entry.value;
  if (!indexed.includes(argv[3]!)) return ZERO;
  setIndexed(
    data,
    entry,
    indexed.filter((field) => field !== argv[3]),
  );
  return ONE;
}

/** `DOC.INDEX LIST document` */
export function listIndexes(data: Data, argv: readonly ByteString[]): Reply {
  return bulks(documentOf(data, argv[2]!).value.indexed);
}

/** Writes answers with many documents: the first documents immediately, and a cursor for the remaining ones. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { document, elements, embedded, int64, list, text } from "../bytes/bson-documents.js";
import { DOCUMENT_BYTES_MAX } from "../bytes/mongo-message.js";
import { failure } from "../messages/failure-codes.js";
import type { Cursor } from "./cursors.js";
import type { MongoServer } from "./mongo-server.js";
import type { MongoSession } from "./mongo-session.js";

/** The number of documents in a first answer, as in MongoDB. */
const FIRST_DOCUMENTS = 101;
/** The maximum bytes of a document in an answer in addition to its own: its type, and its index as text. */
const INDEX_BYTES = 12;
/** The maximum bytes of an answer in addition to its documents; the names of a collection have 255. */
const HEAD_BYTES = 512;

export interface BatchOptions {
  /** The number of documents in the batch, or null for the default. */
  readonly size: number | null;
  /** Whether the answer is a single batch, without a cursor. */
  readonly isSingle: boolean;
  /** Whether the cursor is closed if it is unused for a long time; true by default. */
  readonly expires?: boolean;
}

/** Returns the documents of a reply. */
export const documentsOf = (reply: Reply): readonly ByteString[] =>
  reply.kind === "array" ? reply.items.map((item) => (item.kind === "bulk" ? item.bytes : "")) : [];

/** A query, and the collection on which it was run. */
export interface BatchQuery {
  /** The database and collection. */
  readonly namespace: ByteString;
  readonly argv: readonly ByteString[];
}

/** Returns the elements of a first answer. @throws MongoFailure */
export function firstBatch(
  { server, login }: MongoSession,
  { namespace, argv }: BatchQuery,
  documents: readonly ByteString[],
  { size, isSingle, expires = true }: BatchOptions,
): ByteString {
  const at = batchEnd(documents, 0, { size: size ?? FIRST_DOCUMENTS, server });
  const isComplete = at === documents.length || isSingle;
  const cursor = isComplete
    ? null
    : server.cursors.open({ namespace, user: login.name, argv, expires, documents, at });
  if (cursor === null && !isComplete)
    throw failure(
      146,
      "the result is larger than the server stores for one client (--mongo-cursor-bytes, --mongo-cursors): narrow the filter, or set a limit",
    );

  return cursorMembers(cursor?.id ?? 0n, namespace, "firstBatch", documents.slice(0, at));
}

/** Returns the elements of a later answer. @param size  maximum documents, or null for as many as fit */
export function nextBatch({ server }: MongoSession, cursor: Cursor, size: number | null): ByteString {
  const { documents, at, namespace } = cursor;
  cursor.at = batchEnd(documents, at, { size: size ?? documents.length, server });
  const isOver = cursor.at === documents.length;
  if (isOver) server.cursors.close(cursor);
  else server.cursors.used(cursor);
  return cursorMembers(isOver ? 0n : cursor.id, namespace, "nextBatch", documents.slice(at, cursor.at));
}

function cursorMembers(
  id: bigint,
  namespace: ByteString,
  batch: "firstBatch" | "nextBatch",
  documents: readonly ByteString[],
): ByteString {
  const cursor = { [batch]: list(documents.map(embedded)), id: int64(id), ns: text(namespace) };
  return elements({ cursor: document(cursor) });
}

/**
 * Returns the index at which a batch ends: after the given number of documents, or when the answer reaches its maximum
 * size. The batch contains at least one document, unless `size` is 0.
 */
function batchEnd(
  documents: readonly ByteString[],
  from: number,
  { size, server }: { readonly size: number; readonly server: MongoServer },
): number {
  const end = Math.min(documents.length, from + size);
  const maxBytes = Math.min(DOCUMENT_BYTES_MAX, server.host.limits.maxOutputBytes - HEAD_BYTES);
  let bytes = 0;
  for (let at = from; at < end; at++) {
    bytes += (documents[at] as ByteString).length + INDEX_BYTES;
    if (bytes > maxBytes && at > from) return at;
  }

  return end;
}

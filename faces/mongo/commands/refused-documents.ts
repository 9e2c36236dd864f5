/**
 * Refuses documents of a write before the write is recorded. The store cannot refuse them, because the effect of
 * recorded commands must never change. The answer reports the refused documents together with the store's failures.
 * All documents are identified by their indexes in the client's command.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import {
  BSON,
  document,
  element,
  elements,
  int32,
  int32Bytes,
  list,
  MalformedBson,
  membersOf,
  text,
} from "../bytes/bson-documents.js";
import { failure, type MongoFailure } from "../messages/failure-codes.js";

const ID = "_id";
const INDEX = "index";
const ERRORS = "writeErrors";
const LENGTH_BYTES = 4;

/**
 * Returns why a document's id is refused, or null if it is accepted. Also returns null if the bytes are not a document,
 * because the store itself refuses them.
 */
export function refusedId(bytes: Buffer): MongoFailure | null {
  return refusedField(() => dollarFieldOf(bytes, ID));
}

/**
 * Returns why the id that an upsert's update or query specifies for a new document is refused. Returns null if the id
 * is accepted or the statement adds no document.
 */
export function refusedUpsertId(bytes: Buffer, query: string, update: string): MongoFailure | null {
  return refusedField(() => {
    const upsert = memberOf(bytes, "upsert");
    if (upsert === null || upsert.every((byte) => byte === 0)) return null;
    const change = documentOf(bytes, update);
    for (const named of [change, documentOf(change, "$set"), documentOf(change, "$setOnInsert")]) {
      const field = named && dollarFieldOf(named, ID);
      if (field !== null) return field;
    }
    return dollarFieldOfQuery(documentOf(bytes, query));
  });
}

function refusedField(find: () => ByteString | null): MongoFailure | null {
  try {
    const field = find();
    return field === null
      ? null
      : failure(52, `_id fields may not contain '$'-prefixed fields: ${field} is not valid for storage.`);
  } catch (problem) {
    if (problem instanceof MalformedBson) return null;
    throw problem;
  }
}

/**
 * Returns the first field name that begins with a dollar in the id that a query, or a part of its `$and`, requires.
 * @throws MalformedBson
 */
function dollarFieldOfQuery(query: Buffer | null): ByteString | null {
  const all = memberOf(query, "$and", BSON.array);
  const parts = all === null ? [] : [...membersOf(all)].filter(({ type }) => type === BSON.document);
  for (const part of [query, ...parts.map(({ from, end }) => (all as Buffer).subarray(from, end))]) {
    const id = documentOf(part, ID);
    const field = id && dollarFieldOf(id, "$eq");
    if (field !== null) return field;
  }
  return null;
}

/** Returns the first field name that begins with a dollar in a member that is a document. @throws MalformedBson */
function dollarFieldOf(bytes: Buffer, name: string): ByteString | null {
  const value = documentOf(bytes, name);
  if (value === null) return null;
  for (const { name: field } of membersOf(value)) if (field.startsWith("$")) return field;
  return null;
}

/** Returns a member if it is a document. @throws MalformedBson */
const documentOf = (bytes: Buffer | null, name: string): Buffer | null =>
  memberOf(bytes, name, BSON.document);

/** Returns the value of a member, or null if it is absent or has another type. @throws MalformedBson */
function memberOf(bytes: Buffer | null, wanted: string, typed?: number): Buffer | null {
  if (bytes === null) return null;
  for (const { name, type, from, end } of membersOf(bytes))
    if (name === wanted && (typed === undefined || type === typed)) return bytes.subarray(from, end);
  return null;
}

/** Returns the members of the document in a reply. */
export function membersOfReply(reply: Reply): ByteString {
  return reply.kind === "bulk" ? reply.bytes.slice(LENGTH_BYTES, -1) : "";
}

interface WriteError {
  readonly index: number;
  /** The error as a document. */
  readonly bytes: ByteString;
}

export class Refusals {
  /** The documents that are passed to the store. */
  readonly accepted: readonly Buffer[];
  readonly #isOrdered: boolean;
  readonly #indexes: readonly number[];
  readonly #refused: readonly WriteError[];

  /** @param isOrdered  whether documents after a refused one are skipped */
  constructor(
    documents: readonly Buffer[],
    refusal: (document: Buffer) => MongoFailure | null,
    isOrdered: boolean,
  ) {
    const indexes: number[] = [];
    const refused: WriteError[] = [];
    for (const [index, one] of documents.entries()) {
      const why = refusal(one);
      if (why === null) indexes.push(index);
      else refused.push(writeError(index, why));
      if (why !== null && isOrdered) break;
    }

    this.#isOrdered = isOrdered;
    this.#indexes = indexes;
    this.#refused = refused;
    this.accepted =
      indexes.length === documents.length ? documents : indexes.map((at) => documents[at] as Buffer);
  }

  get isEmpty(): boolean {
    return this.#refused.length === 0;
  }

  /** The members of the answer if no document was passed to the store. */
  get withoutReply(): ByteString {
    return `${elements({ n: int32(0) })}${errorsOf(this.#refused)}`;
  }

  /** Returns the members of the store's answer, with the refused documents added to the reported failures. */
  mergedWith(reply: Reply): ByteString {
    if (reply.kind !== "bulk") return "";
    const bytes = Buffer.from(reply.bytes, "latin1");
    let otherMembers = "";
    let errors: readonly WriteError[] = [];
    for (const { name, start, from, end } of membersOf(bytes))
      if (name === ERRORS) errors = this.#shifted(bytes.subarray(from, end));
      else otherMembers += bytesOf(bytes, start, end);
    // If the store reports an error in an ordered batch, it stopped before the refused document.
    const all = this.#isOrdered && errors.length > 0 ? errors : [...errors, ...this.#refused];
    return otherMembers + errorsOf([...all].sort((a, b) => a.index - b.index));
  }

  /** Returns the store's failures, with indexes into the client's command instead of `accepted`. */
  #shifted(array: Buffer): readonly WriteError[] {
    return [...membersOf(array)].map(({ from, end }) => {
      const one = array.subarray(from, end);
      const at = [...membersOf(one)].find(({ name }) => name === INDEX)?.from ?? -1;
      if (at < 0) return { index: 0, bytes: bytesOf(one) };
      const index = this.#indexes[one.readInt32LE(at)] ?? 0;
      const bytes = bytesOf(one, 0, at) + int32Bytes(index) + bytesOf(one, at + LENGTH_BYTES, one.length);
      return { index, bytes };
    });
  }
}

function writeError(index: number, { code, sentence }: MongoFailure): WriteError {
  const members = { index: int32(index), code: int32(code), errmsg: text(sentence) };
  return { index, bytes: document(members).bytes };
}

const errorsOf = (errors: readonly WriteError[]): ByteString =>
  element(ERRORS, list(errors.map(({ bytes }) => ({ type: BSON.document, bytes }))));

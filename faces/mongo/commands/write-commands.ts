/** The commands that change documents. Each command is one unit, regardless of the number of its documents. */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { type BsonValue, documentBytes, element, MalformedBson, membersOf } from "../bytes/bson-documents.js";
import { BATCH_DOCUMENTS_MAX, DOCUMENT_BYTES_MAX } from "../bytes/mongo-message.js";
import { CommandDocument, checkMembers, type Fields } from "../messages/command-document.js";
import { failure, type MongoFailure } from "../messages/failure-codes.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { collectionArguments } from "./arguments.js";
import { membersOfReply, Refusals, refusedId, refusedUpsertId } from "./refused-documents.js";

const ID = "_id";
const UPSERT_ID = "upsertId";
const LENGTH_BYTES = 4;

const WRITE_OPTIONS: Fields = {
  ordered: "used",
  writeConcern: "used",
  bypassDocumentValidation: "ignored",
  let: "used",
  maxTimeMS: "ignored",
};
const UPDATE_FIELDS: Fields = {
  q: "used",
  u: "used",
  multi: "used",
  upsert: "used",
  collation: "unsupported",
  arrayFilters: "used",
  c: "unsupported",
  sort: "unsupported",
  hint: "ignored",
};
const DELETION_FIELDS: Fields = { q: "used", limit: "used", collation: "unsupported", hint: "ignored" };
const FIND_AND_MODIFY_FIELDS: Fields = {
  query: "used",
  sort: "used",
  remove: "used",
  update: "used",
  new: "used",
  fields: "used",
  upsert: "used",
  writeConcern: "used",
  bypassDocumentValidation: "ignored",
  collation: "unsupported",
  arrayFilters: "used",
  let: "used",
  hint: "ignored",
};

export const writeCommands: readonly MongoCommand[] = [
  {
    names: ["insert"],
    group: "documents",
    summary: "adds documents; those without `_id` receive an ObjectId",
    fields: { ...WRITE_OPTIONS, documents: "used" },
    run: (session, command) =>
      batch(session, command, {
        verb: "MDB.INSERT",
        field: "documents",
        argument: (bytes) => withId(bytes, session),
        refusal: (bytes) => refusedSize(bytes) ?? refusedId(bytes),
      }),
  },
  {
    names: ["update"],
    group: "documents",
    summary: "changes or replaces one matching document, or (`multi`) all; `upsert` adds one if none matches",
    fields: { ...WRITE_OPTIONS, updates: "used" },
    run: (session, command) =>
      batch(session, command, {
        verb: "MDB.UPDATE",
        field: "updates",
        argument: (bytes) => {
          const update = statement(bytes, UPDATE_FIELDS, "update.updates");
          return documentBytes(upsertable(update, UPDATE_NAMES, session) + command.element("let"));
        },
        refusal: (bytes) => refusedUpsertId(bytes, "q", "u"),
      }),
  },
  {
    names: ["delete"],
    group: "documents",
    summary: "removes one matching document, or all",
    fields: { ...WRITE_OPTIONS, deletes: "used" },
    run: (session, command) =>
      batch(session, command, {
        verb: "MDB.DELETE",
        field: "deletes",
        argument: (bytes) => {
          const deletion = statement(bytes, DELETION_FIELDS, "delete.deletes");
          return documentBytes(deletion.elements(["q", "limit"]) + command.element("let"));
        },
      }),
  },
  {
    names: ["findAndModify", "findandmodify"],
    group: "documents",
    summary:
      "changes, replaces or removes one document, and returns its state before or (`new`) after the change",
    fields: FIND_AND_MODIFY_FIELDS,
    run: findAndModify,
  },
];

/** The way in which a command's documents become arguments of the store's command. */
interface Batch {
  readonly verb: string;
  readonly field: string;
  readonly argument: (document: Buffer) => ByteString;
  /** Returns why a document is refused before it reaches the store, or null if it is accepted. */
  readonly refusal?: (document: Buffer) => MongoFailure | null;
}

function batch(
  session: MongoSession,
  command: CommandDocument,
  { verb, field, argument, refusal = () => null }: Batch,
): ByteString | Promise<ByteString> {
  const documents = command.documents(field, BATCH_DOCUMENTS_MAX) ?? [];
  if (documents.length === 0)
    throw failure(16, `Write batch sizes must be between 1 and ${BATCH_DOCUMENTS_MAX}`);
  const ordered = command.has("ordered") && !command.flag("ordered") ? "0" : "1";
  const refused = new Refusals(documents, refusal, ordered === "1");
  const { accepted } = refused;
  if (accepted.length === 0) return refused.withoutReply;

  return session.write(
    command,
    [verb, ...collectionArguments(command), ordered, ...accepted.map(argument)],
    (reply) => (refused.isEmpty ? membersOfReply(reply) : refused.mergedWith(reply)),
  );
}

function findAndModify(session: MongoSession, command: CommandDocument): ByteString | Promise<ByteString> {
  const names = ["query", "sort", "remove", "update", "new", "fields", "upsert", "arrayFilters", "let"];
  const refusal = command.flag("upsert")
    ? refusedUpsertId(Buffer.from(command.only(names), "latin1"), "query", "update")
    : null;
  if (refusal !== null) throw refusal;
  const spec = documentBytes(upsertable(command, names, session));
  return session.write(command, ["MDB.FINDANDMODIFY", ...collectionArguments(command), spec], membersOfReply);
}

const UPDATE_NAMES = ["q", "u", "multi", "upsert", "arrayFilters"];

function statement(bytes: Buffer, fields: Fields, where: ByteString): CommandDocument {
  const document = new CommandDocument(bytes);
  checkMembers(document, fields, where);
  return document;
}

/** Returns the named members, and an id for the document that an upsert may insert. */
function upsertable(document: CommandDocument, names: readonly string[], session: MongoSession): ByteString {
  const id = document.flag("upsert") ? element(UPSERT_ID, session.server.objectIds.next()) : "";
  return document.elements(names) + id;
}

/** The size of the element with an id that the server generates: its type, its name and an ObjectId. */
const ID_BYTES = 1 + ID.length + 1 + 12;

/** Returns why a document is too large, with the id that is added if missing, or null. @throws MongoFailure */
function refusedSize(bytes: Buffer): MongoFailure | null {
  const length = bytes.length + (hasId(bytes) ? 0 : ID_BYTES);
  return length > DOCUMENT_BYTES_MAX
    ? failure(10334, `object to insert too large. size in bytes: ${length}, max size: ${DOCUMENT_BYTES_MAX}`)
    : null;
}

/** Returns a document with an id, which is added if missing. @throws MongoFailure */
function withId(bytes: Buffer, { server }: MongoSession): ByteString {
  return hasId(bytes) ? bytesOf(bytes) : preceded(bytes, server.objectIds.next());
}

function hasId(bytes: Buffer): boolean {
  try {
    for (const { name } of membersOf(bytes)) if (name === ID) return true;
    return false;
  } catch (problem) {
    if (problem instanceof MalformedBson) throw failure(22, problem.message);
    throw problem;
  }
}

const preceded = (bytes: Buffer, id: BsonValue): ByteString =>
  documentBytes(`${element(ID, id)}${bytesOf(bytes, LENGTH_BYTES, bytes.length - 1)}`);

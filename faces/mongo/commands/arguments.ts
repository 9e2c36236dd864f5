/** Parses arguments that many commands have: the database, the collection, and numbers of documents. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandDocument } from "../messages/command-document.js";
import { mongoError } from "../messages/failure-codes.js";

/** Returns the database of a command. @throws MongoAnswerError */
export function databaseOf(command: CommandDocument): ByteString {
  const database = command.text("$db");
  if (database === null || database === "")
    throw mongoError(40414, "BSON field '$db' is missing but required");
  return database;
}

/** Returns the collection named by the field with the command's name, or by another field. @throws MongoAnswerError */
export function collectionOf(command: CommandDocument, field = command.name): ByteString {
  if (!command.isText(field)) throw mongoError(73, `collection name of ${command.name} must be a string`);
  const collection = command.text(field) ?? "";
  if (collection === "" || collection.includes("\0"))
    throw mongoError(73, `Invalid namespace specified '${databaseOf(command)}.'`);
  return collection;
}

/** Returns the database and collection, joined by a dot. @throws MongoAnswerError */
export function namespaceOf(command: CommandDocument, field = command.name): ByteString {
  return `${databaseOf(command)}.${collectionOf(command, field)}`;
}

/** Returns the database and collection as arguments of the store's commands. */
export function collectionArguments(command: CommandDocument): readonly [ByteString, ByteString] {
  return [databaseOf(command), collectionOf(command)];
}

/** Returns a number of documents, or null if the field is absent. @throws MongoAnswerError */
export function countOf(command: CommandDocument, field: string): number | null {
  const count = command.number(field);
  if (count === null) return null;
  if (!(count >= 0)) throw mongoError(2, `BSON field '${field}' value must be >= 0, actual value '${count}'`);
  return Math.floor(count);
}

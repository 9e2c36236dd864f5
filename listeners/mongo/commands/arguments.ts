/** What many commands are told: which database and collection, and how many. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure.js";

/** @throws MongoFailure */
export function databaseOf(command: CommandDocument): ByteString {
  const database = command.text("$db");
  if (database === null || database === "") throw failure(40414, "BSON field '$db' is missing but required");
  return database;
}

/** The collection that a command names behind its own name, or in another field. @throws MongoFailure */
export function collectionOf(command: CommandDocument, field = command.name): ByteString {
  if (!command.isText(field)) throw failure(73, `collection name of ${command.name} has to be a string`);
  const collection = command.text(field) ?? "";
  if (collection === "" || collection.includes("\0"))
    throw failure(73, `Invalid namespace specified '${databaseOf(command)}.'`);
  return collection;
}

/** @throws MongoFailure */
export function namespaceOf(command: CommandDocument, field = command.name): ByteString {
  return `${databaseOf(command)}.${collectionOf(command, field)}`;
}

/** Database and collection, as the store's commands have them. */
export function placeOf(command: CommandDocument): readonly [ByteString, ByteString] {
  return [databaseOf(command), collectionOf(command)];
}

/** A number of documents; null: nothing is said. @throws MongoFailure */
export function countOf(command: CommandDocument, field: string): number | null {
  const count = command.number(field);
  if (count === null) return null;
  if (!(count >= 0)) throw failure(2, `BSON field '${field}' value must be >= 0, actual value '${count}'`);
  return Math.floor(count);
}

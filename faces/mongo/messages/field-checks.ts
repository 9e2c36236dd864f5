/** Checks the fields of commands, so that an unsupported request is refused with the name of the field. */

import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { BSON } from "../bytes/bson-types.js";
import { alternativeTo } from "../store/queries/mongodb-names.js";
import type { CommandDocument } from "./command-document.js";
import { failure } from "./failure-codes.js";

/**
 * The use of a field. `used`: the command reads it. `ignored`: it may have any value, because no answer depends on it.
 * `unsupported`: it may only have a value that requests nothing, such as false or an empty document.
 */
export type FieldUse = "used" | "ignored" | "unsupported";

export type Fields = Readonly<Record<string, FieldUse>>;

/** The fields of all commands, including those of sessions, for which nothing is stored. */
const COMMON_FIELDS: Fields = {
  $db: "used",
  $readPreference: "ignored",
  $clusterTime: "ignored",
  lsid: "ignored",
  comment: "ignored",
  maxTimeMS: "ignored",
  apiVersion: "used",
  apiStrict: "used",
  apiDeprecationErrors: "ignored",
  readConcern: "used",
  txnNumber: "used",
  autocommit: "used",
  startTransaction: "used",
};

/** The fields of a command in a transaction. */
const TRANSACTION = ["startTransaction", "autocommit"];
const READ_CONCERN: Fields = {
  level: "used",
  provenance: "ignored",
  afterClusterTime: "unsupported",
  atClusterTime: "unsupported",
  afterOpTime: "unsupported",
};
const LOCAL_LEVELS: readonly (string | null)[] = [null, "local", "available"];

/** Checks a command's fields. @throws MongoFailure  one is unknown, or requests something unsupported */
export function checkFields(command: CommandDocument, fields: Fields): void {
  const { name: own } = command;
  for (const { name } of command.members)
    if (name !== own) checkMember(command, name, useOf(fields, name) ?? useOf(COMMON_FIELDS, name), own);
  for (const name of command.sequenceNames) if (useOf(fields, name) !== "used") throw unknown(own, name);
  checkCommon(command);
}

/**
 * Checks the fields of a document within a command.
 * @param where  the name of the command or field that contains the document
 * @throws MongoFailure  a field is unknown, or requests something that the daemon does not support
 */
export function checkMembers(document: CommandDocument, fields: Fields, where: ByteString): void {
  for (const { name } of document.members) checkMember(document, name, useOf(fields, name), where);
}

function checkMember(
  document: CommandDocument,
  name: ByteString,
  use: FieldUse | undefined,
  where: ByteString,
): void {
  if (use === undefined) throw unknown(where, name);
  if (use === "unsupported" && !requestsNothing(document, name))
    throw failure(
      238,
      `'${textOfBytes(name)}' of ${textOfBytes(where)} is not supported by this server${alternativeTo(name)}`,
    );
}

/** The failure of a transaction. Drivers replace the message of error 20 by one about retryable writes. */
export const noTransactions = () =>
  failure(238, `transactions are not supported by this server${alternativeTo("transactions")}`);

const unknown = (where: ByteString, name: ByteString) =>
  failure(40415, `BSON field '${textOfBytes(where)}.${textOfBytes(name)}' is an unknown field.`);

const useOf = (fields: Fields, name: string): FieldUse | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

/** The commands of the Stable API, version 1. Source: MongoDB's manual, "Stable API". */
const STABLE_COMMANDS: ReadonlySet<string> = new Set(
  (
    "abortTransaction aggregate commitTransaction count create createIndexes delete drop dropDatabase dropIndexes endSessions explain find " +
    "findAndModify getMore hello insert killCursors listCollections listDatabases listIndexes ping refreshSessions saslContinue saslStart update"
  ).split(" "),
);

function checkCommon(command: CommandDocument): void {
  if (TRANSACTION.some((name) => command.has(name))) throw noTransactions();
  // Drivers that retry writes send this field. For error 20 they report the option that disables retries.
  if (command.has("txnNumber"))
    throw failure(20, "Transaction numbers are only allowed on a replica set member or mongos");
  const version = command.words("apiVersion");
  if (version !== null && version !== "1")
    throw failure(322, `Provided apiVersion:${version} is not implemented; 1 is`);
  if (command.flag("apiStrict")) {
    if (version === null) throw failure(72, "Provided apiStrict without passing apiVersion");
    if (!STABLE_COMMANDS.has(command.name))
      throw failure(
        323,
        `Provided apiStrict:true, but the command ${textOfBytes(command.name)} is not in API Version 1`,
      );
  }
  const concern = command.within("readConcern");
  if (concern !== null) checkMembers(concern, READ_CONCERN, "readConcern");
  const level = concern?.words("level") ?? null;
  if (LOCAL_LEVELS.includes(level)) return;
  if (level === "majority")
    throw failure(
      148,
      "readConcern level majority is not supported; reads are local, and their results provisional",
    );
  throw failure(123, `readConcern level ${level} needs a replica set; local and available are supported`);
}

/** Returns whether a value requests nothing: it is absent, off, empty, or the collation that compares bytes. */
function requestsNothing(command: CommandDocument, name: string): boolean {
  const { type } = command.member(name) ?? { type: BSON.nil };
  switch (type) {
    case BSON.nil:
      return true;
    case BSON.document:
    case BSON.array: {
      const inner = command.within(name);
      return inner === null || inner.members.length === 0 || inner.words("locale") === "simple";
    }
    case BSON.boolean:
    case BSON.int32:
    case BSON.int64:
    case BSON.double:
      return !command.flag(name);
    default:
      return false;
  }
}

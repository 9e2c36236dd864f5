/**
 * The document of a command, with access to its members, and the document sequences of the same message. A member is
 * decoded only when it is requested. The fields are checked, so that an unsupported request is refused with the name of
 * the field.
 */
import { type ByteString, bytesOf, textOfBytes } from "../../../protocol/byte-string.js";
import { BSON, documentBytes, MalformedBson, type Member, membersOf } from "../bytes/bson-documents.js";
import type { DocumentSequence } from "../bytes/mongo-message.js";
import { alternativeTo } from "../store/queries/mongodb-names.js";
import { failure } from "./failure-codes.js";

/** Maximum number of members in a command. */
const MEMBERS_MAX = 1000;
const NUMBERS: ReadonlySet<number> = new Set([BSON.int32, BSON.int64, BSON.double]);

export class CommandDocument {
  readonly members: readonly Member[];
  readonly #bytes: Buffer;
  readonly #byName = new Map<string, Member>();
  readonly #sequences: ReadonlyMap<string, readonly Buffer[]>;

  /** @throws MongoFailure */
  constructor(bytes: Buffer, sequences: readonly DocumentSequence[] = []) {
    this.#bytes = bytes;
    this.members = listed(bytes, MEMBERS_MAX);
    for (const member of this.members) {
      if (this.#byName.has(member.name))
        throw failure(40413, `BSON field '${textOfBytes(member.name)}' is a duplicate field`);
      this.#byName.set(member.name, member);
    }

    this.#sequences = new Map(sequences.map(({ name, documents }) => [name, documents]));
    const doubled = sequences.find(({ name }) => this.#byName.has(name));
    if (doubled !== undefined || this.#sequences.size < sequences.length)
      throw failure(40413, `BSON field '${doubled?.name ?? sequences[0]?.name}' is a duplicate field`);
  }

  /** The first member's name in UTF-8; for a command it is the command's name. */
  get name(): ByteString {
    return this.members[0]?.name ?? "";
  }

  /** The names of the document sequences in the same message. */
  get sequenceNames(): Iterable<string> {
    return this.#sequences.keys();
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  member(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  /** Returns the bytes of a member with its type and name, or no bytes if it is absent. */
  element(name: string): ByteString {
    const member = this.#byName.get(name);
    return member === undefined ? "" : bytesOf(this.#bytes, member.start, member.end);
  }

  /** Returns the bytes of the named members, unchanged. */
  elements(names: readonly string[]): ByteString {
    return names.map((name) => this.element(name)).join("");
  }

  /** Returns a document that contains the named members, unchanged. */
  only(names: readonly string[]): ByteString {
    return documentBytes(this.elements(names));
  }

  /** Returns the bytes of a string, or null if it is absent. @throws MongoFailure  it has another type */
  text(name: string): ByteString | null {
    const member = this.#typed(name, (type) => type === BSON.text, "string");
    if (member === null) return null;
    const { from, end } = member;
    if (this.#bytes[end - 1] !== 0) throw failure(22, `the string '${name}' is not terminated`);
    return bytesOf(this.#bytes, from + 4, end - 1);
  }

  isText(name: string): boolean {
    return this.#byName.get(name)?.type === BSON.text;
  }

  /** Returns a string as text, or null if it is absent. */
  words(name: string): string | null {
    const bytes = this.text(name);
    return bytes === null ? null : textOfBytes(bytes);
  }

  /** Returns a number of any BSON type, or null if it is absent. */
  number(name: string): number | null {
    const member = this.#typed(name, (type) => NUMBERS.has(type), "number");
    return member === null ? null : Number(this.#numberAt(member));
  }

  int64(name: string): bigint | null {
    const member = this.#typed(name, (type) => NUMBERS.has(type), "long");
    return member === null ? null : BigInt(this.#exact(member));
  }

  /** Returns a boolean, or a number as a boolean, or false if the member is absent. */
  flag(name: string): boolean {
    const member = this.#typed(name, (type) => type === BSON.boolean || NUMBERS.has(type), "bool");
    if (member === null) return false;
    return member.type === BSON.boolean
      ? this.#bytes[member.from] !== 0
      : Number(this.#numberAt(member)) !== 0;
  }

  /** Returns the bytes of a binary value, or null if it is absent. */
  payload(name: string): ByteString | null {
    const member = this.#typed(name, (type) => type === BSON.binary, "binData");
    // The bytes follow the length and the subtype.
    return member === null ? null : bytesOf(this.#bytes, member.from + 5, member.end);
  }

  /** Returns an embedded document or array, or null if it is absent. */
  within(name: string): CommandDocument | null {
    const isDocument = (type: number) => type === BSON.document || type === BSON.array;
    const member = this.#typed(name, isDocument, "object");
    return member === null ? null : new CommandDocument(this.#bytes.subarray(member.from, member.end));
  }

  /**
   * Returns the documents of an array, or of the document sequence with that name, or null if both are absent.
   * @param max  maximum number of documents; more are a failure
   */
  documents(name: string, max: number): readonly Buffer[] | null {
    const sequence = this.#sequences.get(name);
    if (sequence !== undefined) return bounded(sequence, max);
    const member = this.#typed(name, (type) => type === BSON.array, "array");
    if (member === null) return null;
    const array = this.#bytes.subarray(member.from, member.end);
    return listed(array, max).map(({ type, from, end }) => {
      if (type !== BSON.document) throw failure(14, `an element of '${name}' is not a document`);
      return array.subarray(from, end);
    });
  }

  /** Returns the members of an array as documents with one member each, whose name is empty. */
  values(name: string, max: number): readonly CommandDocument[] | null {
    const member = this.#typed(name, (type) => type === BSON.array, "array");
    if (member === null) return null;
    const array = this.#bytes.subarray(member.from, member.end);
    return listed(array, max).map(({ type, from, end }) => {
      const written = `${String.fromCharCode(type)}\0${bytesOf(array, from, end)}`;
      return new CommandDocument(Buffer.from(documentBytes(written), "latin1"));
    });
  }

  #numberAt({ type, from }: Member): number | bigint {
    if (type === BSON.double) return this.#bytes.readDoubleLE(from);
    return type === BSON.int32 ? this.#bytes.readInt32LE(from) : this.#bytes.readBigInt64LE(from);
  }

  #exact(member: Member): number | bigint {
    const number = this.#numberAt(member);
    if (typeof number === "bigint") return number;
    if (!Number.isFinite(number)) throw failure(2, `'${member.name}' is not a whole number`);
    return Math.trunc(number);
  }

  /** Returns a member with the right type, or null if it is absent or null. @throws MongoFailure */
  #typed(name: string, isRight: (type: number) => boolean, expected: string): Member | null {
    const member = this.#byName.get(name);
    if (member === undefined || member.type === BSON.nil) return null;
    if (!isRight(member.type))
      throw failure(14, `BSON field '${this.name}.${name}' is the wrong type, expected type '${expected}'`);
    return member;
  }
}

/** Returns the members of a document. @throws MongoFailure */
function listed(bytes: Buffer, max: number): readonly Member[] {
  const members: Member[] = [];
  try {
    for (const member of membersOf(bytes)) {
      if (members.length === max) throw tooMany(max);
      members.push(member);
    }
  } catch (problem) {
    if (problem instanceof MalformedBson) throw failure(22, problem.message);
    throw problem;
  }

  return members;
}

function bounded(documents: readonly Buffer[], max: number): readonly Buffer[] {
  if (documents.length > max) throw tooMany(max);
  return documents;
}

const tooMany = (max: number) => failure(16, `more than ${max} elements in one command`);

/**
 * The use of a field. `used`: the command reads it. `ignored`: it may have any value, because no answer depends on it.
 * `unsupported`: it may only have a value that requests nothing, such as false or an empty document.
 */
type FieldUse = "used" | "ignored" | "unsupported";

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
      `'${textOfBytes(name)}' of ${textOfBytes(where)} is not supported by this server${alternativeTo(name, where)}`,
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

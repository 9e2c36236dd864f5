/**
 * The document of a command, with access to its members, and the document sequences of the same message. A member is
 * decoded only when it is requested.
 */
import { type ByteString, bytesOf, textOfBytes } from "../../../protocol/byte-string.js";
import { documentBytes } from "../bytes/bson-document-writer.js";
import { MalformedBson, type Member, membersOf } from "../bytes/bson-members.js";
import { BSON } from "../bytes/bson-types.js";
import type { DocumentSequence } from "../bytes/mongo-message.js";
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

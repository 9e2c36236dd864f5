/**
 * Parses the supported messages of the MongoDB wire protocol, and writes answers. Documents remain bytes; only the
 * length at their beginning is checked.
 * Source: the specification of OP_MSG (mongodb/specifications, message/OP_MSG.md), and of the opcodes before it.
 */
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";

export const HEAD_BYTES = 16;
/** The maximum sizes of a message and of a document in it, which the server reports to drivers. */
export const MESSAGE_BYTES_MAX = 48_000_000;
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** The maximum size of a command: a client's document, and the command around it. */
export const COMMAND_BYTES_MAX = DOCUMENT_BYTES_MAX + 16 * 1024;

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_COMPRESSED = 2012;
const OP_MSG = 2013;

const CHECKSUM_PRESENT = 1;
const MORE_TO_COME = 2;
/** The flags that a reader must reject if it does not know them. */
const REQUIRED_BITS = 0xffff;
const CHECKSUM_BYTES = 4;
/** The size of the shortest document: its length and its terminator. */
const EMPTY_DOCUMENT_BYTES = 5;
/** The maximum number of sequences in a message. Drivers send one or two. */
const SEQUENCES_MAX = 16;
/**
 * The maximum number of documents in one command, which the server reports to drivers. Each document needs more memory
 * than its bytes.
 */
export const BATCH_DOCUMENTS_MAX = 100_000;

export interface DocumentSequence {
  /** The name of the command's member that contains these documents. */
  readonly name: string;
  readonly documents: readonly Buffer[];
}

export interface MongoMessage {
  readonly id: number;
  /** The kind. `query` is the old kind, with which drivers greet unknown servers; the answer has the same kind. */
  readonly kind: "message" | "query";
  /** Whether the client expects no answer. */
  readonly isSilent: boolean;
  /** The database and collection of a `query`; otherwise empty. */
  readonly collection: string;
  /** The command. */
  readonly body: Buffer;
  readonly sequences: readonly DocumentSequence[];
}

/** Thrown if the bytes violate the protocol; the connection can no longer be used. */
export class MalformedMessage extends Error {}

/** Checks the header of a message, and returns the message's length. @throws MalformedMessage */
export function lengthOf(head: Buffer, max: number): number {
  const length = head.readInt32LE(0);
  if (length <= HEAD_BYTES || length > max)
    throw new MalformedMessage(`a message of ${length} bytes; the maximum is ${max}`);

  const opcode = head.readInt32LE(12);
  if (opcode === OP_COMPRESSED)
    throw new MalformedMessage("OP_COMPRESSED, although no compression was offered");
  if (opcode !== OP_MSG && opcode !== OP_QUERY)
    throw new MalformedMessage(
      `opcode ${opcode}; only OP_MSG is supported, and OP_QUERY for the first message`,
    );

  return length;
}

/** Parses a message. @param bytes  the complete message; the result contains views of it. @throws MalformedMessage */
export function readMessage(bytes: Buffer): MongoMessage {
  const id = bytes.readInt32LE(4);
  return bytes.readInt32LE(12) === OP_QUERY ? readQuery(bytes, id) : readMsg(bytes, id);
}

function readMsg(bytes: Buffer, id: number): MongoMessage {
  const { flags, end } = checkedFlags(bytes);
  let body: Buffer | null = null;
  const sequences: DocumentSequence[] = [];
  let at = HEAD_BYTES + 4;
  while (at < end) {
    const kind = bytes[at++];
    if (kind === 0) {
      if (body !== null) throw new MalformedMessage("two bodies in a message");
      body = documentAt(bytes, at, end);
      at += body.length;
    } else if (kind === 1) {
      if (sequences.length === SEQUENCES_MAX) throw new MalformedMessage("too many sequences in a message");
      const size = lengthAt(bytes, at, end);
      sequences.push(readSequence(bytes, at + 4, at + size));
      at += size;
    } else throw new MalformedMessage(`a section of kind ${kind}`);
  }
  if (body === null) throw new MalformedMessage("a message without a body");

  return { id, kind: "message", isSilent: (flags & MORE_TO_COME) !== 0, collection: "", body, sequences };
}

function checkedFlags(bytes: Buffer): { flags: number; end: number } {
  if (bytes.length < HEAD_BYTES + 4) throw new MalformedMessage("a truncated message");
  const flags = bytes.readUInt32LE(HEAD_BYTES);
  const unknown = flags & REQUIRED_BITS & ~(CHECKSUM_PRESENT | MORE_TO_COME);
  if (unknown !== 0) throw new MalformedMessage(`unknown flags ${unknown}`);
  if ((flags & CHECKSUM_PRESENT) === 0) return { flags, end: bytes.length };
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEAD_BYTES + 4 || bytes.readUInt32LE(end) !== crc32c(bytes.subarray(0, end)))
    throw new MalformedMessage("a wrong checksum");
  return { flags, end };
}

function readSequence(bytes: Buffer, from: number, end: number): DocumentSequence {
  const nameEnd = bytes.indexOf(0, from);
  if (nameEnd < 0 || nameEnd >= end) throw new MalformedMessage("a sequence without a name");

  const documents: Buffer[] = [];
  for (let at = nameEnd + 1; at < end; ) {
    if (documents.length === BATCH_DOCUMENTS_MAX)
      throw new MalformedMessage("too many documents in a sequence");
    const document = documentAt(bytes, at, end);
    documents.push(document);
    at += document.length;
  }

  return { name: bytes.toString("latin1", from, nameEnd), documents };
}

function readQuery(bytes: Buffer, id: number): MongoMessage {
  const nameEnd = bytes.indexOf(0, HEAD_BYTES + 4);
  if (nameEnd < 0) throw new MalformedMessage("a query without a collection");
  const collection = bytes.toString("latin1", HEAD_BYTES + 4, nameEnd);
  // Two numbers precede the document: the number of documents to skip, and the number to return.
  const body = documentAt(bytes, nameEnd + 1 + 8, bytes.length);
  return { id, kind: "query", isSilent: false, collection, body, sequences: [] };
}

function documentAt(bytes: Buffer, at: number, end: number): Buffer {
  const length = lengthAt(bytes, at, end);
  if (length < EMPTY_DOCUMENT_BYTES || length > COMMAND_BYTES_MAX)
    throw new MalformedMessage(`a document of ${length} bytes`);
  if (bytes[at + length - 1] !== 0) throw new MalformedMessage("a document without a terminator");
  return bytes.subarray(at, at + length);
}

/** Reads the length of a part. @throws MalformedMessage  the part ends after `end` */
function lengthAt(bytes: Buffer, at: number, end: number): number {
  const length = at + 4 > end ? -1 : bytes.readInt32LE(at);
  if (length < 4 || at + length > end) throw new MalformedMessage("a truncated part");
  return length;
}

/** The flag AwaitCapable of OP_REPLY: getMore may wait. Servers have set it since 2.2. */
const AWAIT_CAPABLE = 8;
/** The flag QueryFailure of OP_REPLY: its document is an error. */
const QUERY_FAILURE = 2;

/**
 * Returns the answer to a message, in the message's kind, without the document at its end.
 * @param length  the length of that document
 * @param isError  whether the document is an error
 */
export function answerHead(id: number, kind: MongoMessage["kind"], length: number, isError = false): Buffer {
  const isQuery = kind === "query";
  const head = Buffer.alloc(HEAD_BYTES + (isQuery ? 20 : 5));
  head.writeInt32LE(head.length + length, 0);
  head.writeInt32LE(id, 8);
  head.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12);

  // OP_REPLY contains flags, and the number of documents, which is 1.
  if (isQuery) {
    head.writeInt32LE(isError ? AWAIT_CAPABLE | QUERY_FAILURE : AWAIT_CAPABLE, HEAD_BYTES);
    head.writeInt32LE(1, HEAD_BYTES + 16);
  }

  return head;
}

const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

/**
 * Returns the CRC-32C (Castagnoli) of bytes, as an unsigned number: the optional checksum at the end of a message.
 * Source: RFC 3720, appendix B.4.
 */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 0xff] as number);
  return (sum ^ 0xffffffff) >>> 0;
}

/**
 * The parser that splits a byte stream into messages of the MongoDB wire protocol, according to the length in each
 * message's header.
 */
export class MongoMessageParser {
  /** The maximum length of a message. It may be changed between two messages. */
  maxBytes: number;
  /** The error in the stream, after which nothing more is parsed, or null if there is none. */
  fault: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** The length of the message that has begun; undefined until its header has arrived. */
  #expected: number | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#input.heldBytes;
  }

  get isMidRequest(): boolean {
    return this.#input.length > 0;
  }

  /**
   * Adds received bytes, which must not be changed before `copyUnread`. An announced message needs no memory until it
   * arrives.
   */
  push(chunk: Buffer): void {
    if (this.fault === null) this.#input.push(chunk, this.#expected);
  }

  /** Copies the unused part of the last chunk, which may then be changed. */
  copyUnread(): void {
    this.#input.copyUnread();
  }

  /**
   * Returns the next complete message with its own copy of the bytes; null if it has not arrived or the stream has a
   * fault.
   */
  next(): MongoMessage | null {
    if (this.fault !== null || this.#input.length < HEAD_BYTES) return null;
    try {
      const { bytes, at, end } = this.#input;
      const length = lengthOf(bytes.subarray(at, end), this.maxBytes);
      this.#expected = length;
      if (end - at < length) return null;
      this.#expected = undefined;
      return readMessage(this.#input.take(length));
    } catch (problem) {
      if (!(problem instanceof MalformedMessage)) throw problem;
      this.fault = problem.message;
      return null;
    }
  }
}

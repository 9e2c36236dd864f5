/**
 * Reads DER (X.690), as far as public keys need it. It is strict: each value has exactly one encoding, so every daemon
 * reaches the same verdict on the same bytes.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Thrown for bytes that are not DER, or not what the caller expects. */
export class MalformedDer extends Error {
  override readonly name = "MalformedDer";
}

export const INTEGER = 0x02;
const BIT_STRING = 0x03;
export const NULL = 0x05;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;

const NAMES: Readonly<Record<number, string>> = {
  [INTEGER]: "an INTEGER",
  [BIT_STRING]: "a BIT STRING",
  [NULL]: "a NULL",
  [OBJECT_IDENTIFIER]: "an OBJECT IDENTIFIER",
  [SEQUENCE]: "a SEQUENCE",
};

/**
 * Maximum number of bytes after the first byte of a length. Two bytes suffice for 65,535, far more than any key has.
 */
const LENGTH_BYTES_MAX = 2;

export class DerReader {
  readonly #bytes: ByteString;
  #at = 0;

  constructor(bytes: ByteString) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws MalformedDer if bytes remain */
  expectEnd(): void {
    if (!this.isAtEnd) throw new MalformedDer("bytes follow where it should end");
  }

  /** Reads the contents of the next element, which must have this tag. @throws MalformedDer */
  read(tag: number): ByteString {
    if (this.#bytes.charCodeAt(this.#at) !== tag) throw new MalformedDer(`${NAMES[tag]} is missing`);
    this.#at++;
    const length = this.#readLength();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new MalformedDer(`${NAMES[tag]} is cut short`);
    const contents = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return contents;
  }

  /** Reads a positive INTEGER, big-endian, without the leading zero that marks it as positive. @throws MalformedDer */
  readPositive(): ByteString {
    const contents = this.read(INTEGER);
    const first = contents.charCodeAt(0);
    if (contents === "" || first >= 0x80 || contents === "\0")
      throw new MalformedDer("a number is not positive");
    if (first !== 0) return contents;
    if (contents.charCodeAt(1) < 0x80) throw new MalformedDer("a number begins with a superfluous zero");
    return contents.slice(1);
  }

  /** Reads a BIT STRING of complete bytes. @throws MalformedDer */
  readBits(): ByteString {
    const contents = this.read(BIT_STRING);
    if (contents.charCodeAt(0) !== 0)
      throw new MalformedDer("a BIT STRING does not consist of complete bytes");
    return contents.slice(1);
  }

  /** Reads a length, which must be in the shortest form. */
  #readLength(): number {
    const first = this.#next();
    if (first < 0x80) return first;
    const count = first - 0x80;
    if (count === 0 || count > LENGTH_BYTES_MAX)
      throw new MalformedDer("a length is indefinite or far too large");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#next();
    if (length < 0x80 || length < 256 ** (count - 1))
      throw new MalformedDer("a length is longer than necessary");
    return length;
  }

  #next(): number {
    const byte = this.#bytes.charCodeAt(this.#at++);
    if (Number.isNaN(byte)) throw new MalformedDer("a length is cut short");
    return byte;
  }
}

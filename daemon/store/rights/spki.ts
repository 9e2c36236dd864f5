/**
 * A public key as it is added to the ring: a SubjectPublicKeyInfo (RFC 5280, 4.1; RFC 8017, A.1; RFC 8410). It is
 * checked from its bytes alone, so every daemon reaches the same verdict, regardless of its version of OpenSSL.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { isSmallOrderKey } from "../../../protocol/small-order-keys.js";
import { CommandFailure } from "../arguments/command-errors.js";

export type Algorithm = "rsa" | "ed25519";

export interface PublicKeyFacts {
  readonly algorithm: Algorithm;
  /** Number of bits of the modulus; 256 for Ed25519. */
  readonly bits: number;
}

const RSA_BITS_MIN = 2048;
/** Maximum length of a key whose signatures OpenSSL verifies. */
const RSA_BITS_MAX = 16_384;
/** The public exponent 65537. */
const RSA_EXPONENT = "\x01\x00\x01";
/** Length of an Ed25519 key. */
const ED25519_BYTES = 32;
/** Maximum size of the structure around a key of RSA_BITS_MAX. */
const SPKI_BYTES_MAX = 2200;
/** Size of the longest key as PEM, with two-byte line ends and a margin. */
const TEXT_BYTES_MAX = 4096;

/** The object identifier of RSA, 1.2.840.113549.1.1.1. */
const RSA_OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/** The object identifier of Ed25519, 1.3.101.112. */
const ED25519_OID = "\x2b\x65\x70";

const unusable = (problem: string) => new CommandFailure(`ERR not a usable public key: ${problem}`);

/**
 * Returns the kind and the size of a key.
 * @param der the bytes of a SubjectPublicKeyInfo
 * @throws CommandFailure that describes the error
 */
export function readSpki(der: ByteString): PublicKeyFacts {
  if (der.length > SPKI_BYTES_MAX) throw unusable(`${der.length} bytes, above ${SPKI_BYTES_MAX}`);
  try {
    return readInfo(der);
  } catch (reason) {
    if (reason instanceof MalformedDer)
      throw unusable(`not a SubjectPublicKeyInfo in DER: ${reason.message}`);
    throw reason;
  }
}

function readInfo(der: ByteString): PublicKeyFacts {
  const outer = new DerReader(der);
  const info = new DerReader(outer.read(SEQUENCE));
  outer.expectEnd();
  const algorithm = new DerReader(info.read(SEQUENCE));
  const oid = algorithm.read(OBJECT_IDENTIFIER);
  if (oid === RSA_OID && algorithm.read(NULL) !== "") throw new MalformedDer("its NULL is not empty");
  if (oid !== RSA_OID && oid !== ED25519_OID) throw unusable("neither RSA nor Ed25519, which are supported");

  algorithm.expectEnd();
  const bits = info.readBits();
  info.expectEnd();
  if (oid === RSA_OID) return readRsa(bits);
  if (bits.length !== ED25519_BYTES)
    throw unusable(`an Ed25519 key of ${bits.length} bytes instead of ${ED25519_BYTES}`);
  if (isSmallOrderKey(bits)) throw unusable("an Ed25519 point for which anyone can forge signatures");

  return { algorithm: "ed25519", bits: 8 * ED25519_BYTES };
}

function readRsa(bytes: ByteString): PublicKeyFacts {
  const outer = new DerReader(bytes);
  const numbers = new DerReader(outer.read(SEQUENCE));
  outer.expectEnd();
  const modulus = numbers.readPositive();
  const exponent = numbers.readPositive();
  numbers.expectEnd();
  const bits = 8 * (modulus.length - 1) + (32 - Math.clz32(modulus.charCodeAt(0)));
  if (bits < RSA_BITS_MIN) throw unusable(`RSA of ${bits} bits; at least ${RSA_BITS_MIN} are required`);
  if (bits > RSA_BITS_MAX) throw unusable(`RSA of ${bits} bits, above ${RSA_BITS_MAX}`);
  if (exponent !== RSA_EXPONENT) throw unusable("RSA whose public exponent is not 65537");
  if (modulus.charCodeAt(modulus.length - 1) % 2 === 0) throw unusable("RSA whose modulus is even");

  return { algorithm: "rsa", bits };
}

const PEM = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([\s\S]*)-----END ([A-Z0-9 ]{1,40})-----$/;

/** Labels of other PEM files that users paste by mistake, and what to do instead. */
const OTHER_LABELS: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries({
    "PRIVATE KEY": "a private key, which has now left its machine: make a new pair and add its public half",
    CERTIFICATE: "a certificate; `openssl x509 -pubkey -noout` extracts the key",
    "RSA PUBLIC KEY": "a bare RSA key; `openssl rsa -RSAPublicKey_in -pubout` creates the required file",
  }),
);

/**
 * Returns the bytes of a SubjectPublicKeyInfo.
 * @param text PEM with the label PUBLIC KEY, or base64 without line breaks
 * @throws CommandFailure that describes what the text is instead; the decoded bytes are not checked
 */
export function spkiOfText(text: ByteString): ByteString {
  if (text.length > TEXT_BYTES_MAX) throw unusable(`a text of ${text.length} bytes, above ${TEXT_BYTES_MAX}`);
  const trimmed = text.trim();
  if (!trimmed.startsWith("-----")) return decodeBase64(trimmed);

  const [, label, body, endLabel] = PEM.exec(trimmed) ?? [];
  if (label === undefined || body === undefined || label !== endLabel) {
    throw unusable("its PEM text does not end with the -----END line of its first line");
  }
  if (label !== "PUBLIC KEY") {
    const known = label.endsWith("PRIVATE KEY") ? "PRIVATE KEY" : label;
    throw unusable(OTHER_LABELS.get(known) ?? `a "${label}" instead of a "PUBLIC KEY"`);
  }

  return decodeBase64(body.replace(/\r?\n/g, ""));
}

function decodeBase64(text: string): ByteString {
  const bytes = Buffer.from(text, "base64");
  // The decoder accepts much that is not base64. Only its own output is accepted.
  if (text === "" || bytes.toString("base64") !== text) throw unusable("neither PEM nor base64");
  return bytesOf(bytes);
}

/** Returns the PEM text of a SubjectPublicKeyInfo. */
export function pemOfSpki(der: ByteString): string {
  const lines =
    Buffer.from(der, "latin1")
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}

/** Thrown for bytes that are not DER, or not what the caller expects. */
class MalformedDer extends Error {
  override readonly name = "MalformedDer";
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const NULL = 0x05;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;

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

/**
 * The reader of DER (X.690), as far as public keys need it. It is strict: each value has exactly one encoding, so every
 * daemon reaches the same verdict on the same bytes.
 */
class DerReader {
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

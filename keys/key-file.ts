/**
 * Loads a key in every PEM format that openssl writes for an RSA key (PKCS#1 and PKCS#8, encrypted or not; SPKI),
 * and reports any other content in a plain sentence. It runs once at startup, so it reads synchronously and
 * checks more than a signature requires.
 */
import { createPrivateKey, createPublicKey, KeyObject } from "node:crypto";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { isSmallOrderKey } from "../protocol/small-order-keys.js";
import { fingerprint } from "./fingerprint.js";
import { KeyFileError, type KeyOrigin } from "./key-file-errors.js";
import { type KeySource, MAX_PASSPHRASE_BYTES, originOf, readKeyFile } from "./key-source.js";
import {
  contentOf,
  contentWithoutPem,
  damageOf,
  hasEscapedLines,
  isEncrypted,
  isOneLine,
  type PemBlock,
  pemBlocks,
} from "./pem.js";
import { signCommand, verifyCommand } from "./signatures.js";

/** The types of keys that callers may allow, under node:crypto's names. */
export type KeyKind = "rsa" | "ed25519";

export interface LoadKeyOptions {
  /** The allowed types; default: only RSA, because version 1 supports no other. */
  readonly kinds?: readonly KeyKind[] | undefined;
}

export interface LoadPrivateKeyOptions extends LoadKeyOptions {
  /** The passphrase of an encrypted key; ignored for other keys. */
  readonly passphrase?: string | Buffer | undefined;
}

export interface LoadedKey {
  readonly key: KeyObject;
  /** The pair's fingerprint; see fingerprint.ts. */
  readonly fingerprint: string;
  /** Sentences for the operator about a key that is usable but unsafe. */
  readonly warnings: readonly string[];
}

const ED25519_POINT_BYTES = 32;
const MIN_RSA_BITS = 2048;
const RSA_EXPONENT = 65537n;

/** OpenSSL 3's error for ciphers of its legacy provider. */
const CIPHER_UNSUPPORTED = "ERR_OSSL_EVP_UNSUPPORTED";

const isUnsupported = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === CIPHER_UNSUPPORTED;

/**
 * Whether a complete, encrypted block can be decrypted only with OpenSSL's legacy provider, whatever its passphrase is:
 * it uses RC4, RC2 or DES.
 */
export function needsLegacyProvider({ text }: PemBlock): boolean {
  try {
    createPrivateKey({ key: text ?? "", passphrase: "unknown" });
    return false;
  } catch (error) {
    return isUnsupported(error);
  }
}

/**
 * Loads a private key that can sign.
 * @throws KeyFileError  the codes are in key-file-errors.ts
 */
export function loadPrivateKey(source: KeySource, options: LoadPrivateKeyOptions = {}): LoadedKey {
  const origin = originOf(source, "private");
  if (source instanceof KeyObject) return accept(source, origin, options, []);
  const { block, warnings } = readBlock(source, origin);
  return accept(openPrivateKey(block, origin, options.passphrase), origin, options, warnings);
}

/**
 * Loads a public key that can verify signatures. Rejects a private key, although it contains the public half:
 * private keys do not belong on servers.
 * @throws KeyFileError  the codes are in key-file-errors.ts
 */
export function loadPublicKey(source: KeySource, options: LoadKeyOptions = {}): LoadedKey {
  const origin = originOf(source, "public");
  if (source instanceof KeyObject) return accept(source, origin, options, []);
  const { block, warnings } = readBlock(source, origin);
  try {
    return accept(createPublicKey(block.text ?? ""), origin, options, warnings);
  } catch (error) {
    throw error instanceof KeyFileError ? error : damaged(block, origin, error);
  }
}

/** Returns the only PEM block of a file or text, which must be the expected half. */
function readBlock(
  source: Exclude<KeySource, KeyObject>,
  origin: KeyOrigin,
): { block: PemBlock; warnings: readonly string[] } {
  const { bytes, warnings } =
    "file" in source
      ? readKeyFile(source.file, origin.due)
      : { bytes: typeof source.pem === "string" ? Buffer.from(source.pem) : source.pem, warnings: [] };

  if (bytes.length === 0) throw new KeyFileError("empty", origin);
  if (hasEscapedLines(bytes)) throw new KeyFileError("escaped-lines", origin);

  const blocks = pemBlocks(bytes);
  const block = blocks[0];
  if (block === undefined) throw new KeyFileError(contentWithoutPem(bytes), origin);
  if (blocks.length > 1) {
    throw new KeyFileError("several", origin, { detail: blocks.map(({ label }) => label).join(", ") });
  }

  const content = contentOf(block.label);
  if (content === origin.due && isOneLine(block)) throw new KeyFileError("one-line", origin);
  if (content === origin.due) return { block, warnings };
  if (content === "private") throw new KeyFileError("private-for-public", origin);
  if (content === "public") throw new KeyFileError("public-for-private", origin);
  throw new KeyFileError(content, origin, { detail: block.label });
}

function openPrivateKey(
  block: PemBlock,
  origin: KeyOrigin,
  passphrase: string | Buffer | undefined,
): KeyObject {
  const encrypted = isEncrypted(block);
  if (encrypted && block.text !== null) {
    if (passphrase === undefined)
      throw new KeyFileError(needsLegacyProvider(block) ? "old-encryption" : "passphrase-missing", origin);
    if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE_BYTES) {
      throw new KeyFileError("passphrase-too-long", origin, { detail: `${MAX_PASSPHRASE_BYTES} bytes` });
    }
  }
  try {
    return createPrivateKey({ key: block.text ?? "", ...(encrypted ? { passphrase } : {}) });
  } catch (error) {
    if (!encrypted || damageOf(block) !== null) throw damaged(block, origin, error);
    throw new KeyFileError(isUnsupported(error) ? "old-encryption" : "passphrase-wrong", origin, {
      cause: error,
    });
  }
}

function damaged(block: PemBlock, origin: KeyOrigin, cause: unknown): KeyFileError {
  const detail = damageOf(block) ?? `its contents are not the "${block.label}" that its label states`;
  return new KeyFileError("damaged", origin, { detail, cause });
}

/**
 * Checks that a key is the expected half, has an allowed type, size and exponent, and works.
 */
function accept(
  key: KeyObject,
  origin: KeyOrigin,
  options: LoadKeyOptions,
  warnings: readonly string[],
): LoadedKey {
  if (key.type === "secret") throw new KeyFileError("kind", origin, { detail: "secret, which cannot sign" });
  if (key.type !== origin.due) {
    throw new KeyFileError(origin.due === "public" ? "private-for-public" : "public-for-private", origin);
  }
  requireKind(key, origin, options.kinds ?? ["rsa"]);
  if (key.asymmetricKeyType === "rsa") requireRsaParameters(key, origin);
  if (key.asymmetricKeyType === "rsa" && key.type === "private") requireSignature(key, origin);
  if (key.asymmetricKeyType === "ed25519" && isSmallOrderKey(pointOf(key)))
    throw new KeyFileError("weak-point", origin);
  return { key, fingerprint: fingerprint(key), warnings };
}

/** Returns the 32 bytes of an Ed25519 public key, or of the public half of a private key. */
function pointOf(key: KeyObject): ByteString {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return bytesOf(publicKey.export({ type: "spki", format: "der" }).subarray(-ED25519_POINT_BYTES));
}

function requireKind(key: KeyObject, origin: KeyOrigin, kinds: readonly KeyKind[]): void {
  const kind = key.asymmetricKeyType ?? "unknown";
  if (kinds.some((allowed) => allowed === kind)) return;
  const rule = kinds.includes("ed25519")
    ? `expected ${kinds.join(" or ")}`
    : "version 1 supports only RSA keys";
  throw new KeyFileError("kind", origin, { detail: `${kind}; ${rule}` });
}

function requireRsaParameters(key: KeyObject, origin: KeyOrigin): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS) {
    const detail = `${modulusLength} bits, and ${MIN_RSA_BITS} is the minimum that is safe`;
    throw new KeyFileError("too-few-bits", origin, { detail });
  }
  if (publicExponent !== RSA_EXPONENT) {
    throw new KeyFileError("exponent", origin, { detail: String(publicExponent) });
  }
}

/**
 * Signs and verifies a test message, because OpenSSL also loads a key with a damaged modulus, whose signatures every
 * daemon would refuse.
 */
function requireSignature(key: KeyObject, origin: KeyOrigin): void {
  const text = Buffer.from("PING\0");
  let works = false;
  let cause: unknown;
  try {
    works = verifyCommand(text, signCommand(text, key), [createPublicKey(key)]) !== null;
  } catch (error) {
    cause = error;
  }
  if (!works) {
    throw new KeyFileError("damaged", origin, { detail: "its numbers do not match each other", cause });
  }
}

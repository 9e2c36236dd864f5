/** Makes envelopes of bytes: their signature, id and nonce. */
import type { ByteString } from "../../protocol/byte-string.js";

export interface Seal {
  readonly signature: Buffer;
  /** SHA-256 of the bytes, 32 bytes. */
  readonly id: ByteString;
}

export interface Sealer {
  /** SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes; NO_KEY: it signs nothing. */
  readonly keyId: ByteString;
  /** Bytes that come once. */
  nonce(): ByteString;
  /** Seals immediately, while the caller waits; null: it cannot. */
  readonly seal: ((bytes: Buffer) => Seal) | null;
  /** Seals in parallel with the caller; the bytes must not be changed meanwhile. */
  sealAside(bytes: Buffer): Promise<Seal>;
}

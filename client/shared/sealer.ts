/** Who makes envelopes of bytes: their signature and id, and what nobody else has. */
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
  /** At once, while the caller waits; null: it cannot. */
  readonly seal: ((bytes: Buffer) => Seal) | null;
  /** Beside the caller; the bytes are not to be changed meanwhile. */
  sealAside(bytes: Buffer): Promise<Seal>;
}

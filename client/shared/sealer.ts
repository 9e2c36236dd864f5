/** The interface for signing envelopes: signature, id and nonce. */
import type { ByteString } from "../../protocol/byte-string.js";

export interface Seal {
  readonly signature: Buffer;
  /** The SHA-256 of the bytes, 32 bytes. */
  readonly id: ByteString;
}

export interface Sealer {
  /** The SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes; NO_KEY: envelopes are unsigned. */
  readonly keyId: ByteString;
  /** Returns unique bytes. */
  nonce(): ByteString;
  /** Seals synchronously. It is null if the sealer supports only `sealAsync`. */
  readonly seal: ((bytes: Buffer) => Seal) | null;
  /** Seals asynchronously. The caller must not change the bytes before the promise settles. */
  sealAsync(bytes: Buffer): Promise<Seal>;
}

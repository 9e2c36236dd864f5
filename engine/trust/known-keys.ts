/** Public keys in the form that checks signatures: made when first needed, and kept. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { verifyDigest, verifyEnvelope } from "../../keys/verify.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { signedBytes } from "../../protocol/version-2/envelope.js";
import type { CommandMessage } from "../../protocol/version-2/messages-v2.js";
import type { KeyRecord } from "../../store/key-ring.js";

export class KnownKeys {
  /** By key id. */
  readonly #keys = new Map<ByteString, KeyObject>();

  /** Whether a key signed an envelope. @param id  SHA-256 of what is signed */
  verify(
    signer: Pick<KeyRecord, "id" | "spki">,
    { body, signature }: Pick<CommandMessage, "body" | "signature">,
    id: ByteString,
  ): boolean {
    const key = this.#keys.get(signer.id) ?? this.#load(signer);
    if (key.asymmetricKeyType === "rsa") return verifyDigest(id, signature, key);
    return verifyEnvelope(signedBytes(body), signature, key);
  }

  #load({ id, spki }: Pick<KeyRecord, "id" | "spki">): KeyObject {
    const key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
    this.#keys.set(id, key);
    return key;
  }
}

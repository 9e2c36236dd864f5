import type { ByteString } from "../../protocol/byte-string.js";
import { NONCE_BYTES } from "../../protocol/version-2/envelope.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { WebKey } from "./web-key.js";

/** The signer of envelopes with WebCrypto, which is asynchronous. */
export class WebSealer implements Sealer {
  readonly keyId: ByteString;
  readonly seal = null;
  readonly #key: WebKey["privateKey"];

  private constructor(keyId: ByteString, { privateKey }: WebKey) {
    this.keyId = keyId;
    this.#key = privateKey;
  }

  static async of(key: WebKey): Promise<WebSealer> {
    return new WebSealer(await sha256(key.spki), key);
  }

  nonce(): ByteString {
    return Buffer.from(crypto.getRandomValues(new Uint8Array(NONCE_BYTES))).toString("latin1");
  }

  async sealAsync(bytes: Buffer): Promise<Seal> {
    const data = bytes as Uint8Array<ArrayBuffer>;
    const [signature, id] = await Promise.all([
      crypto.subtle.sign(this.#key.algorithm.name, this.#key, data),
      sha256(data),
    ]);
    return { signature: Buffer.from(signature), id };
  }
}

async function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<ByteString> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("latin1");
}

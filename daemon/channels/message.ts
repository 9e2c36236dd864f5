/** A message on its way to the subscribers of a channel or pattern: written once for all that speak the same. */
import type { ByteString } from "../../protocol/byte-string.js";
import { writePush } from "../../protocol/resp/push.js";

export class Message {
  readonly #parts: readonly ByteString[];
  /** By the version of RESP. */
  readonly #written = new Map<2 | 3, ByteString>();

  /** @param parts  the word for its kind, the pattern if there is one, the channel, the text */
  constructor(parts: readonly ByteString[]) {
    this.#parts = parts;
  }

  written(protocol: 2 | 3): ByteString {
    let bytes = this.#written.get(protocol);
    if (bytes === undefined) {
      bytes = writePush(this.#parts, protocol);
      this.#written.set(protocol, bytes);
    }
    return bytes;
  }
}

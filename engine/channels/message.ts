/** A message on its way to the subscribers of a channel or pattern: written once for all that speak the same. */
import type { ByteString } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import { writePush } from "../../protocol/resp/push.js";
import { writeEvent } from "../../protocol/version-2/messages-v2.js";

export class Message {
  readonly parts: readonly ByteString[];
  /** By the version of RESP; null: nobody has asked for it yet. */
  #written2: ByteString | null = null;
  #written3: ByteString | null = null;
  #event: ByteString | null = null;

  /** @param parts  the word for its kind, the pattern if there is one, the channel, the text */
  constructor(parts: readonly ByteString[]) {
    this.parts = parts;
  }

  written(protocol: 2 | 3): ByteString {
    if (protocol === 3) {
      this.#written3 ??= writePush(this.parts, 3);
      return this.#written3;
    }
    this.#written2 ??= writePush(this.parts, 2);
    return this.#written2;
  }

  /** As a frame of version 2. */
  get event(): ByteString {
    this.#event ??= writeFrame(writeEvent(this.parts), 2);
    return this.#event;
  }
}

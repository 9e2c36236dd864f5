/**
 * A message to the subscribers of a channel or pattern, encoded only once for all subscribers that use the same
 * protocol.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeFrame } from "../../../protocol/frame.js";
import { writePush } from "../../../protocol/resp/push-messages.js";
import { writeEvent } from "../../../protocol/version-2/messages-v2.js";

export class Message {
  readonly parts: readonly ByteString[];
  /** The encodings for RESP2 and RESP3, or null if not needed yet. */
  #written2: ByteString | null = null;
  #written3: ByteString | null = null;
  #event: ByteString | null = null;

  /** @param parts  the kind, the pattern if there is one, the channel, the text */
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

  /** The message as a frame of version 2. */
  get event(): ByteString {
    this.#event ??= writeFrame(writeEvent(this.parts), 2);
    return this.#event;
  }
}

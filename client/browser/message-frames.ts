/**
 * Replaces protocol/frame.ts in the bundle. Pages speak only version 2, and each WebSocket message of a daemon consists
 * of complete frames, so no unfinished frame is stored.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";

const HEADER = /^ds2:([1-9]\d{0,9}):/;
const HEADER_CHARS_MAX = 15;

export const frameHead = (length: number): ByteString => `ds2:${length}:`;

export const writeFrame = (payload: ByteString): ByteString => frameHead(payload.length) + payload;

export class FrameParser {
  /** The error, once a message does not consist of complete frames. */
  malformed: MalformedFrame | null = null;

  /** Returns the payloads of the frames in a message. */
  split(message: Buffer): Buffer[] {
    const payloads: Buffer[] = [];
    for (let at = 0; at < message.length; ) {
      const beginning = message.toString("latin1", at, at + HEADER_CHARS_MAX);
      const [header = "", length] = HEADER.exec(beginning) ?? [];
      const start = at + header.length;
      const end = start + Number(length);
      if (!(end <= message.length)) {
        this.malformed = new MalformedFrame("expected complete frames", at);
        return payloads;
      }

      payloads.push(message.subarray(start, end));
      at = end;
    }
    return payloads;
  }
}

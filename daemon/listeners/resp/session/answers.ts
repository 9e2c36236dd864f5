/** The answers of a connection: their bytes, and those that are still to come, behind which later ones wait. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../../protocol/reply.js";
import { writeReply } from "../../../../protocol/resp-writer.js";
import { writeReply3 } from "../../../../protocol/resp3-writer.js";

/** Characters of answers that are collected for one write. */
export const WRITE_CHARS = 64 * 1024;

/** @returns null: it is longer than any may be */
export function answerBytes(reply: Reply, protocol: 2 | 3, most: number): ByteString | null {
  if (reply === OK) return "+OK\r\n";
  try {
    const bytes = protocol === 3 ? writeReply3(reply) : writeReply(reply);
    return bytes.length <= most ? bytes : null;
  } catch (problem) {
    // What the engine says of a string longer than any can be.
    if (problem instanceof RangeError) return null;
    throw problem;
  }
}

/** Of a command that waits for its answer. */
export function argumentBytes(argv: readonly ByteString[]): number {
  let bytes = 0;
  for (const argument of argv) bytes += argument.length;
  return bytes;
}

/** An answer in its place; null: it is still to come. */
export interface Slot {
  bytes: ByteString | null;
}

export class AnswerQueue {
  /** From the first answer that is still to come on. */
  #slots: Slot[] = [];

  get length(): number {
    return this.#slots.length;
  }

  add(bytes: ByteString | null): Slot {
    const slot = { bytes };
    this.#slots.push(slot);
    return slot;
  }

  isFirst(slot: Slot): boolean {
    return this.#slots[0] === slot;
  }

  /** The answers that have come, up to the first that has not; about so many together, as no string holds them all. */
  take(about: number): ByteString {
    let ready = 0;
    let bytes = "";
    for (const slot of this.#slots) {
      if (slot.bytes === null || bytes.length >= about) break;
      bytes += slot.bytes;
      ready++;
    }
    this.#slots = ready === this.#slots.length ? [] : this.#slots.slice(ready);
    return bytes;
  }

  clear(): void {
    this.#slots = [];
  }
}

/**
 * The bytes of a long string as words of 32 bits, a block at a time: for what has to look at every byte. Asking a string
 * for its bytes one by one costs ten times as much.
 */
import type { ByteString } from "../../protocol/byte-string.js";

export const WORD_BYTES = 4;
/** Bytes of a block: whole words, and as much as the processor's first cache holds beside what is made of them. */
export const BLOCK_BYTES = 16 * 1024;

const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const words = new Int32Array(block.buffer);

/**
 * The words from a byte on, in the machine's own order of bytes; zeros where the string ends before.
 * @param bytes  so many of them, a block's at most
 * @returns the same array each time, in which only those words count
 */
export function wordsFrom(string: ByteString, start: number, bytes: number): Int32Array {
  const end = Math.min(string.length, start + bytes);
  const given = end > start ? block.write(string.substring(start, end), "latin1") : 0;
  block.fill(0, given, wordsIn(bytes) * WORD_BYTES);
  return words;
}

/** How many words so many bytes fill, or begin to. */
export const wordsIn = (bytes: number): number => Math.ceil(bytes / WORD_BYTES);

/** A new buffer for a string, and its words: zeros. @param bytes  of the string; the buffer may have some more */
export function newWords(bytes: number): { readonly buffer: Buffer; readonly words: Int32Array } {
  const memory = new ArrayBuffer(wordsIn(bytes) * WORD_BYTES);
  return { buffer: Buffer.from(memory), words: new Int32Array(memory) };
}

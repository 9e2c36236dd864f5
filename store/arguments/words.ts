/**
 * Reads the bytes of a long string as words of 32 bits, a block at a time, for code that must look at every byte. Reading
 * the bytes of a string one by one takes ten times as long.
 */
import type { ByteString } from "../../protocol/byte-string.js";

export const WORD_BYTES = 4;
/** Bytes of a block: complete words, and as many as the processor's first-level cache holds together with the result. */
export const BLOCK_BYTES = 16 * 1024;

const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const words = new Int32Array(block.buffer);

/**
 * Returns the words from a byte on, in the machine's own byte order; zeros after the end of the string.
 * @param bytes  the number of bytes, at most a block
 * @returns the same array each time, in which only those words count
 */
export function wordsFrom(string: ByteString, start: number, bytes: number): Int32Array {
  const end = Math.min(string.length, start + bytes);
  const given = end > start ? block.write(string.substring(start, end), "latin1") : 0;
  block.fill(0, given, wordsIn(bytes) * WORD_BYTES);
  return words;
}

/** Returns the number of words that the given number of bytes fills, the last one perhaps partially. */
export const wordsIn = (bytes: number): number => Math.ceil(bytes / WORD_BYTES);

/** A new buffer for a string, and its words: zeros. @param bytes  of the string; the buffer may have some more */
export function newWords(bytes: number): { readonly buffer: Buffer; readonly words: Int32Array } {
  const memory = new ArrayBuffer(wordsIn(bytes) * WORD_BYTES);
  return { buffer: Buffer.from(memory), words: new Int32Array(memory) };
}

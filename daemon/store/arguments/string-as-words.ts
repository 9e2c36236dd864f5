/**
 * Reads the bytes of a long string as 32-bit words, one block at a time, for code that must check every byte. Reading a
 * string byte by byte takes ten times as long.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

export const WORD_BYTES = 4;
/**
 * Number of bytes of a block: a multiple of the word size, small enough that the block and the result fit into the
 * processor's first-level cache.
 */
export const BLOCK_BYTES = 16 * 1024;

const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const words = new Int32Array(block.buffer);

/**
 * Returns the words that begin at the given byte, in the machine's byte order; the words after the end of the string
 * are 0.
 * @param bytes the number of bytes, at most a block
 * @returns the same array on every call; only the requested words of it are valid
 */
export function wordsFrom(string: ByteString, start: number, bytes: number): Int32Array {
  const end = Math.min(string.length, start + bytes);
  const written = end > start ? block.write(string.substring(start, end), "latin1") : 0;
  block.fill(0, written, wordsIn(bytes) * WORD_BYTES);
  return words;
}

/** Returns the number of words for the given number of bytes; the last word may be incomplete. */
export const wordsIn = (bytes: number): number => Math.ceil(bytes / WORD_BYTES);

/**
 * Returns a new buffer for a string, and the same memory as words, filled with zeros.
 * @param bytes the string's length; the buffer may be slightly longer
 */
export function newWords(bytes: number): { readonly buffer: Buffer; readonly words: Int32Array } {
  const memory = new ArrayBuffer(wordsIn(bytes) * WORD_BYTES);
  return { buffer: Buffer.from(memory), words: new Int32Array(memory) };
}

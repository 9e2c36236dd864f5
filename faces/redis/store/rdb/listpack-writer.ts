/** Writes listpacks, the form in which redis-server reads streams. Source: redis-server 7.0's dumps. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { RdbWriter } from "./rdb-writer.js";

const HEAD_BYTES = 6;
/** The highest count in the header, which means that the count is unknown. */
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
const INTEGER_64 = 0xf4;
const STRING_6_MAX = 0x3f;
const STRING_12_MAX = 0xfff;
const INTEGER_7_MAX = 0x7fn;
/** Entry lengths at which the length field after the entry becomes one byte longer. */
const BACKWARD_LENGTHS: readonly number[] = [128, 16383, 2097151, 268435455];

export class ListpackWriter {
  readonly #writer = new RdbWriter();
  #count = 0;

  /** @param value a signed 64-bit integer */
  integer(value: bigint): void {
    if (value >= 0n && value <= INTEGER_7_MAX) {
      this.#writer.byte(Number(value));
      this.#end(1);
    } else {
      this.#writer.byte(INTEGER_64);
      this.#writer.int64(value);
      this.#end(9);
    }
  }

  string(bytes: ByteString): void {
    const { length } = bytes;
    const writer = this.#writer;
    const head = length <= STRING_6_MAX ? 1 : length <= STRING_12_MAX ? 2 : 5;
    if (head === 1) writer.byte(0x80 | length);
    else if (head === 2) {
      writer.byte(0xe0 | (length >> 8));
      writer.byte(length & 0xff);
    } else {
      writer.byte(0xf0);
      writer.uint32(length);
    }
    writer.bytes(bytes);
    this.#end(head + length);
  }

  /** Returns the complete listpack. */
  toBytes(): ByteString {
    const entries = this.#writer.toBytes();
    const listpack = new RdbWriter();
    listpack.uint32(HEAD_BYTES + entries.length + 1);
    listpack.uint16(Math.min(this.#count, COUNT_UNKNOWN));
    listpack.bytes(entries);
    listpack.byte(END);
    return listpack.toBytes();
  }

  /**
   * Ends an entry with its length, seven bits in each byte, the highest first; all bytes but the first have the highest
   * bit set.
   */
  #end(bytes: number): void {
    const size = BACKWARD_LENGTHS.filter((min) => bytes >= min).length;
    for (let index = size; index >= 0; index--) {
      const bits = Math.floor(bytes / 2 ** (7 * index)) & 0x7f;
      this.#writer.byte(index === size ? bits : 0x80 | bits);
    }
    this.#count++;
  }
}

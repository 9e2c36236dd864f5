/** Writes listpacks, from which redis-server reads streams. Source: redis-server 7.0's dumps. */
import type { ByteString } from "../../protocol/byte-string.js";
import { RdbWriter } from "./rdb-writer.js";

const HEAD_BYTES = 6;
/** The highest count that the header can hold, which means that the count is not known. */
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
const INTEGER_64 = 0xf4;
const STRING_6_MAX = 0x3f;
const STRING_12_MAX = 0xfff;
const INTEGER_7_MAX = 0x7fn;
/** Lengths of entries from which on the length after the entry takes a byte more. */
const BACKWARD_LENGTHS: readonly number[] = [128, 16383, 2097151, 268435455];

export class ListpackWriter {
  readonly #writer = new RdbWriter();
  #count = 0;

  /** @param value  of 64 bits, signed */
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
    const whole = new RdbWriter();
    whole.uint32(HEAD_BYTES + entries.length + 1);
    whole.uint16(Math.min(this.#count, COUNT_UNKNOWN));
    whole.bytes(entries);
    whole.byte(END);
    return whole.toBytes();
  }

  /** Ends an entry by its length, seven bits a byte, the highest first; all but the first are marked. */
  #end(bytes: number): void {
    const size = BACKWARD_LENGTHS.filter((least) => bytes >= least).length;
    for (let index = size; index >= 0; index--) {
      const bits = Math.floor(bytes / 2 ** (7 * index)) & 0x7f;
      this.#writer.byte(index === size ? bits : 0x80 | bits);
    }
    this.#count++;
  }
}

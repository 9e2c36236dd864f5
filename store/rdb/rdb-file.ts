/** Writes all keys to one Redis file, from the DUMP payload of each. Source: redis-server 7.0, rdb.c. */
import type { ByteString } from "../../protocol/byte-string.js";
import { crc64 } from "./crc64.js";
import { RdbWriter } from "./rdb-writer.js";

const MAGIC = "REDIS0010";
const SELECT_DATABASE = 0xfe;
const EXPIRES_AT = 0xfc;
const END = 0xff;
/** Version and checksum, with which a payload ends. */
const FOOTER_BYTES = 10;

export class RdbFile {
  readonly #writer = new RdbWriter();

  constructor() {
    this.#writer.bytes(MAGIC);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#writer.written.length;
  }

  /** Begins the keys of a database. */
  select(db: number): void {
    this.#writer.byte(SELECT_DATABASE);
    this.#writer.length(db);
  }

  /** @param expire  milliseconds since 1970; negative: it stays */
  add(key: ByteString, payload: ByteString, expire: number): void {
    const writer = this.#writer;
    if (expire >= 0) {
      writer.byte(EXPIRES_AT);
      writer.int64(BigInt(expire));
    }
    // The kind of the value is before the key, the value after it.
    writer.byte(payload.charCodeAt(0));
    writer.string(key);
    writer.bytes(payload.slice(1, -FOOTER_BYTES));
  }

  /** Ends the file: nothing may be added any longer. */
  end(): ByteString {
    this.#writer.byte(END);
    this.#writer.raw(crc64(this.#writer.written));
    return this.#writer.toBytes();
  }
}

/** Writes all keys to one RDB file, from the DUMP payload of each. Source: redis-server 7.0, rdb.c. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { crc64 } from "./crc64.js";
import { RdbWriter } from "./rdb-writer.js";

const MAGIC = "REDIS0010";
const SELECT_DATABASE = 0xfe;
const EXPIRES_AT = 0xfc;
const END = 0xff;
/** Length of the version and the checksum at the end of a payload. */
const FOOTER_BYTES = 10;

export class RdbFile {
  readonly #writer = new RdbWriter();

  constructor() {
    this.#writer.bytes(MAGIC);
  }

  /** Number of bytes written so far. */
  get size(): number {
    return this.#writer.written.length;
  }

  /** Begins the keys of a database. */
  select(db: number): void {
    this.#writer.byte(SELECT_DATABASE);
    this.#writer.length(db);
  }

  /** @param expire milliseconds since 1970; negative if the key does not expire */
  add(key: ByteString, payload: ByteString, expire: number): void {
    const writer = this.#writer;
    if (expire >= 0) {
      writer.byte(EXPIRES_AT);
      writer.int64(BigInt(expire));
    }
    // In a file the type of the value precedes the key, and the value follows it.
    writer.byte(payload.charCodeAt(0));
    writer.string(key);
    writer.bytes(payload.slice(1, -FOOTER_BYTES));
  }

  /** Ends the file; nothing may be added afterwards. */
  end(): ByteString {
    this.#writer.byte(END);
    this.#writer.raw(crc64(this.#writer.written));
    return this.#writer.toBytes();
  }
}

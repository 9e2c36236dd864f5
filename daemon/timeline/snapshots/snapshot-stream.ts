/**
 * The bytes of a snapshot: a head (magic, format), then frames of length (4, big-endian) ‖ items ‖ seal (32). A seal is
 * the hash of the previous seal and of the items, so each frame is verified to be complete and at its position before
 * it is read. An item is a number (base 128, lowest bits first) or bytes with their length, and never spans frames.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";

/** SHA-256, 32 bytes. */
export type SnapshotHash = (bytes: Buffer) => ByteString;

/** The error for a snapshot that cannot be used, because it is damaged, cut off, or of another format. */
export class DamagedSnapshot extends Error {
  override readonly name = "DamagedSnapshot";
}

/** The error for a snapshot of another format or with other settings, which is not damaged. */
export class ForeignSnapshot extends Error {
  override readonly name = "ForeignSnapshot";
}

const MAGIC = "dbsync snapshot\0";
/** The format's number. CONTRIBUTING.md "Versions" lists all formats. */
const FORMAT = 2;
/** The bytes of a seal. The last frame's seal depends on everything before it. */
export const SEAL_BYTES = 32;
/** The size at which a frame is closed. */
const FRAME_BYTES = 65_536;
/** The bytes of 2^63, the last possible expiry time. */
const NUMBER_BYTES_MAX = 10;

const HEAD = Buffer.concat([Buffer.from(MAGIC, "latin1"), Buffer.of(0, 0, 0, FORMAT)]);

export class SnapshotWriter {
  readonly #hash: SnapshotHash;
  #seal: ByteString;
  #bytes = Buffer.allocUnsafe(FRAME_BYTES * 2);
  /** The previous seal precedes the items, because it is hashed with them. */
  #length = SEAL_BYTES;

  constructor(hash: SnapshotHash) {
    this.#hash = hash;
    this.#seal = hash(HEAD);
  }

  /** The first bytes of a snapshot. */
  get head(): Buffer {
    return HEAD;
  }

  /** Whether enough bytes were written for a frame. */
  get isFull(): boolean {
    return this.#length >= FRAME_BYTES;
  }

  /** Writes an integer ≥ 0. */
  number(value: number): void {
    this.#reserve(NUMBER_BYTES_MAX);
    for (; value > 0x7f; value = Math.floor(value / 0x80))
      this.#bytes[this.#length++] = (value & 0x7f) | 0x80;
    this.#bytes[this.#length++] = value;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
  }

  bytes(value: ByteString): void {
    this.number(value.length);
    this.#reserve(value.length);
    this.#length += this.#bytes.write(value, this.#length, "latin1");
  }

  /** Returns the bytes written since the last frame, as a frame. */
  takeFrame(): Buffer {
    const items = this.#length - SEAL_BYTES;
    this.#bytes.write(this.#seal, 0, "latin1");
    this.#seal = this.#hash(this.#bytes.subarray(0, this.#length));

    const frame = Buffer.allocUnsafe(4 + items + SEAL_BYTES);
    frame.writeUInt32BE(items, 0);
    frame.set(this.#bytes.subarray(SEAL_BYTES, this.#length), 4);
    frame.write(this.#seal, 4 + items, "latin1");

    this.#length = SEAL_BYTES;
    if (this.#bytes.length > FRAME_BYTES * 2) this.#bytes = Buffer.allocUnsafe(FRAME_BYTES * 2);
    return frame;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

export class SnapshotReader {
  readonly #hash: SnapshotHash;
  readonly #chunks: Iterator<Buffer>;
  /** Bytes that have arrived and are not part of a frame yet. */
  #unread: Buffer = Buffer.alloc(0);
  #seal: ByteString;
  #items: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(chunks: Iterable<Buffer>, hash: SnapshotHash) {
    this.#hash = hash;
    this.#chunks = chunks[Symbol.iterator]();
    this.#seal = hash(HEAD);
  }

  /** Reads the first bytes. @throws DamagedSnapshot  like the methods below */
  head(): void {
    const head = this.#take(HEAD.length);
    if (!head.subarray(0, MAGIC.length).equals(HEAD.subarray(0, MAGIC.length)))
      throw new DamagedSnapshot("this is not a snapshot");
    const format = head.readUInt32BE(MAGIC.length);
    if (format !== FORMAT)
      throw new ForeignSnapshot(
        `a snapshot of format ${format}, and this daemon reads only ${FORMAT}: use the dbsyncd that made it`,
      );
  }

  number(): number {
    this.#expect();
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#items[this.#offset++];
      if (byte === undefined) throw new DamagedSnapshot("a number ends early");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  double(): number {
    this.#expect();
    this.#offset += 8;
    return this.#items.readDoubleBE(this.#offset - 8);
  }

  bytes(): ByteString {
    const length = this.number();
    const end = this.#offset + length;
    if (end > this.#items.length) throw new DamagedSnapshot("bytes end early");
    const value = bytesOf(this.#items, this.#offset, end);
    this.#offset = end;
    return value;
  }

  /** Checks that no bytes follow. */
  end(): void {
    if (this.#offset < this.#items.length || this.#unread.length > 0 || this.#chunks.next().done !== true)
      throw new DamagedSnapshot("bytes after the end");
  }

  /** Closes the source. */
  close(): void {
    this.#chunks.return?.();
  }

  #expect(): void {
    while (this.#offset >= this.#items.length) this.#nextFrame();
  }

  #nextFrame(): void {
    const length = this.#take(4).readUInt32BE(0);
    const items = this.#take(length);
    this.#seal = this.#hash(Buffer.concat([Buffer.from(this.#seal, "latin1"), items]));
    if (bytesOf(this.#take(SEAL_BYTES)) !== this.#seal) throw new DamagedSnapshot("a frame is damaged");
    this.#items = items;
    this.#offset = 0;
  }

  #take(length: number): Buffer {
    if (this.#unread.length < length) {
      const parts = [this.#unread];
      for (let available = this.#unread.length; available < length; ) {
        const { done, value } = this.#chunks.next();
        if (done === true) throw new DamagedSnapshot("the snapshot is cut off");
        parts.push(value);
        available += value.length;
      }
      this.#unread = Buffer.concat(parts);
    }

    const taken = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length);
    return taken;
  }
}

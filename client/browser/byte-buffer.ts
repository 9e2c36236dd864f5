/**
 * The part of Node's Buffer that version 2 of the protocol needs, because browsers have no Buffer. The bundle uses it
 * (test/support/make-browser-module.ts), and a test compares it with Node's.
 */

export type Encoding = "latin1" | "utf8" | "hex";

/** A number of arguments that every JavaScript engine accepts in one call. */
const CODES_PER_CALL = 8192;

class ByteBuffer extends Uint8Array {
  override toString(encoding: Encoding = "utf8", start = 0, end = this.length): string {
    const bytes = this.subarray(start, end);
    if (encoding === "utf8") return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    if (encoding === "hex") return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    // The remaining encoding is latin1.
    let text = "";
    for (let at = 0; at < bytes.length; at += CODES_PER_CALL)
      text += String.fromCharCode(...bytes.subarray(at, at + CODES_PER_CALL));
    return text;
  }

  /** Writes latin1, the only encoding that the client writes. */
  write(text: string, startOrEncoding: number | "latin1" = 0, _encoding: "latin1" = "latin1"): number {
    // Number("latin1") is NaN.
    const start = Number(startOrEncoding) || 0;
    const length = Math.min(text.length, this.length - start);
    for (let i = 0; i < length; i++) this[start + i] = text.charCodeAt(i);
    return length;
  }

  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, at) => byte === other[at]);
  }

  writeUInt16BE(value: number, start = 0): number {
    this.#view.setUint16(start, value);
    return start + 2;
  }

  writeUInt32BE(value: number, start = 0): number {
    this.#view.setUint32(start, value);
    return start + 4;
  }

  writeBigUInt64BE(value: bigint, start = 0): number {
    this.#view.setBigUint64(start, value);
    return start + 8;
  }

  get #view(): DataView {
    return new DataView(this.buffer, this.byteOffset, this.byteLength);
  }
}

function from(
  source: string | ArrayLike<number> | ArrayBuffer,
  encodingOrStart: Encoding | number = "utf8",
  length?: number,
): ByteBuffer {
  if (source instanceof ArrayBuffer) return new ByteBuffer(source, Number(encodingOrStart) || 0, length);
  if (typeof source !== "string") return new ByteBuffer(source);
  if (encodingOrStart === "utf8") return new ByteBuffer(new TextEncoder().encode(source));
  if (encodingOrStart === "hex")
    return new ByteBuffer(Array.from(source.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)));
  // The remaining encoding is latin1.
  const bytes = new ByteBuffer(source.length);
  bytes.write(source);
  return bytes;
}

function alloc(length: number): ByteBuffer {
  return new ByteBuffer(length);
}

function concat(pieces: readonly Uint8Array[]): ByteBuffer {
  const joined = new ByteBuffer(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

export const Buffer = {
  from,
  alloc,
  // Browsers always fill new memory with zeros.
  allocUnsafe: alloc,
  allocUnsafeSlow: alloc,
  concat,
  byteLength: (text: string): number => new TextEncoder().encode(text).length,
  isBuffer: (value: unknown): boolean => value instanceof Uint8Array,
} as const;

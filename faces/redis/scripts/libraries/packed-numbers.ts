/** Converts numbers to bytes and back, for the libraries that pack values. */
import type { ByteString } from "../../../../protocol/byte-string.js";

const scratch = new DataView(new ArrayBuffer(8));

/** Converts an integer to the given number of bytes, in the given byte order. Higher bits are dropped. */
export function integerBytes(value: bigint, size: number, isLittle: boolean): ByteString {
  let bytes = "";
  let remaining = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    const byte = String.fromCharCode(Number(remaining & 0xffn));
    bytes = isLittle ? bytes + byte : byte + bytes;
    remaining >>= 8n;
  }
  return bytes;
}

export function integerAt(bytes: ByteString, at: number, size: number, isLittle: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < size; i++) {
    const byte = bytes.charCodeAt(isLittle ? at + size - 1 - i : at + i);
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

export function floatBytes(value: number, size: 4 | 8, isLittle: boolean): ByteString {
  if (size === 4) scratch.setFloat32(0, value, isLittle);
  else scratch.setFloat64(0, value, isLittle);
  let bytes = "";
  for (let i = 0; i < size; i++) bytes += String.fromCharCode(scratch.getUint8(i));
  return bytes;
}

export function floatAt(bytes: ByteString, at: number, size: 4 | 8, isLittle: boolean): number {
  for (let i = 0; i < size; i++) scratch.setUint8(i, bytes.charCodeAt(at + i));
  return size === 4 ? scratch.getFloat32(0, isLittle) : scratch.getFloat64(0, isLittle);
}

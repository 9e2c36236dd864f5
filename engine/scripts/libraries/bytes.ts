/** Converts numbers to bytes and back, for libraries that pack. */
import type { ByteString } from "../../../protocol/byte-string.js";

const room = new DataView(new ArrayBuffer(8));

/** Converts an integer to bytes, in the given number and order; higher bits are cut off. */
export function integerBytes(value: bigint, size: number, isLittle: boolean): ByteString {
  let bytes = "";
  let rest = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    const byte = String.fromCharCode(Number(rest & 0xffn));
    bytes = isLittle ? bytes + byte : byte + bytes;
    rest >>= 8n;
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
  if (size === 4) room.setFloat32(0, value, isLittle);
  else room.setFloat64(0, value, isLittle);
  let bytes = "";
  for (let i = 0; i < size; i++) bytes += String.fromCharCode(room.getUint8(i));
  return bytes;
}

export function floatAt(bytes: ByteString, at: number, size: 4 | 8, isLittle: boolean): number {
  for (let i = 0; i < size; i++) room.setUint8(i, bytes.charCodeAt(at + i));
  return size === 4 ? room.getFloat32(0, isLittle) : room.getFloat64(0, isLittle);
}

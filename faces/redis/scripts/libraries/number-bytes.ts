/** Conversion of integers and floating-point numbers to bytes and back, for the libraries `struct` and `cmsgpack`. */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** The memory in which floating-point numbers are converted. */
const scratch = new DataView(new ArrayBuffer(8));

/** Converts an integer to `size` bytes. Higher bits are dropped. */
export function integerBytes(value: bigint, size: number, isLittleEndian: boolean): ByteString {
  let bytes = "";
  let remaining = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    const byte = String.fromCharCode(Number(remaining & 0xffn));
    bytes = isLittleEndian ? bytes + byte : byte + bytes;
    remaining >>= 8n;
  }
  return bytes;
}

/** Returns the unsigned integer in `size` bytes at an index. */
export function integerAt(bytes: ByteString, at: number, size: number, isLittleEndian: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < size; i++) {
    const byte = bytes.charCodeAt(isLittleEndian ? at + size - 1 - i : at + i);
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

export function floatBytes(value: number, size: 4 | 8, isLittleEndian: boolean): ByteString {
  if (size === 4) scratch.setFloat32(0, value, isLittleEndian);
  else scratch.setFloat64(0, value, isLittleEndian);
  let bytes = "";
  for (let i = 0; i < size; i++) bytes += String.fromCharCode(scratch.getUint8(i));
  return bytes;
}

export function floatAt(bytes: ByteString, at: number, size: 4 | 8, isLittleEndian: boolean): number {
  for (let i = 0; i < size; i++) scratch.setUint8(i, bytes.charCodeAt(at + i));
  return size === 4 ? scratch.getFloat32(0, isLittleEndian) : scratch.getFloat64(0, isLittleEndian);
}

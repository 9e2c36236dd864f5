/**
 * Reads and writes the elements of messages between members. Each value has exactly one encoding. Each reader throws
 * MalformedFrame.
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";

export function readNumber(reader: RespReader): number {
  const bytes = reader.readBulkView();
  const text = bytes.length <= 16 ? bytesOf(bytes) : "";
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw reader.malformed("expected a canonical decimal below 2^53");
  }
  return Number(text);
}

export function readFlag(reader: RespReader): boolean {
  const flag = readShort(reader, 1);
  if (flag !== "0" && flag !== "1") throw reader.malformed('expected "0" or "1"');
  return flag === "1";
}

export function readFixed(reader: RespReader, length: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length !== length) throw reader.malformed(`expected ${length} bytes`);
  return bytesOf(bytes);
}

export function readShort(reader: RespReader, max: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length > max) throw reader.malformed(`expected at most ${max} bytes`);
  return bytesOf(bytes);
}

/** Reads the DUMP payloads in test/vectors/redis-dumps, and makes payloads from other values. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc64 } from "../../faces/redis/store/rdb/rdb-writer.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { repositoryRoot } from "./repository.js";

export interface RedisDump {
  readonly name: string;
  readonly payload: ByteString;
  /** The commands that create the same value at the key `k`. */
  readonly commands: readonly (readonly ByteString[])[];
}

export const redisDumps: readonly RedisDump[] = readDumps();

/** The length of the version and checksum that follow a payload's value. */
const FOOTER_BYTES = 10;

/** Returns the payload of a serialized value: the value, the version and the checksum. */
export function payloadOf(value: ByteString, version = 10): ByteString {
  const bytes = Buffer.from(`${value}${String.fromCharCode(version & 0xff, version >> 8)}`, "latin1");
  return bytesOf(Buffer.concat([bytes, crc64(bytes)]));
}

/** Returns the serialized value in a payload, without version and checksum. */
export function valueBytesOf(payload: ByteString): ByteString {
  return payload.slice(0, -FOOTER_BYTES);
}

function readDumps(): RedisDump[] {
  const text = readFileSync(join(repositoryRoot, "test/vectors/redis-dumps/vectors.json"), "utf8");
  const vectors = JSON.parse(text) as RedisDump[];
  return vectors.map(({ payload, ...rest }) => ({
    ...rest,
    payload: bytesOf(Buffer.from(payload, "base64")),
  }));
}

/** Reads the DUMP payloads in test/vectors/redis-dumps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { repositoryRoot } from "./repository.js";

export interface RedisDump {
  readonly name: string;
  readonly payload: ByteString;
  /** The commands that create the same value at the key `k`. */
  readonly commands: readonly (readonly ByteString[])[];
}

export const redisDumps: readonly RedisDump[] = readDumps();

function readDumps(): RedisDump[] {
  const text = readFileSync(join(repositoryRoot, "test/vectors/redis-dumps/vectors.json"), "utf8");
  const vectors = JSON.parse(text) as RedisDump[];
  return vectors.map(({ payload, ...rest }) => ({
    ...rest,
    payload: bytesOf(Buffer.from(payload, "base64")),
  }));
}

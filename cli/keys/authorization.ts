/** The command that authorizes a daemon's own key, which signs for clients without keys (Redis, SQL, JSON, MongoDB, version 1). */
import { hash } from "node:crypto";
import { hexOf } from "../../protocol/version-2/envelope.js";

/**
 * Returns the command for the first of the keys whose hash is the daemon's id; null: none is. A daemon reports both the command and
 * its key, so neither is taken from it unchecked.
 * @param id    hexadecimal
 * @param keys  in base64
 */
export function authorizationOf(id: string, keys: readonly string[]): readonly string[] | null {
  const key = keys
    .map((text) => Buffer.from(text, "base64"))
    .find((spki) => hexOf(hash("sha256", spki, "binary")) === id);
  return key === undefined ? null : ["CLUSTER", "ADD", key.toString("base64")];
}

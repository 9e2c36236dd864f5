/**
 * The command that authorizes a daemon's key to sign for clients without keys (Redis, SQL, JSON, MongoDB, version 1).
 */
import { hash } from "node:crypto";
import { hexOf } from "../../../protocol/version-2/envelope.js";

/**
 * Returns the command for the first key whose hash is the daemon's id, or null if there is none. The keys come from
 * reports of daemons, which may be false; only the hash proves that a key is the daemon's.
 * @param id    the daemon's id, hexadecimal
 * @param keys  in base64
 */
export function authorizationOf(id: string, keys: readonly string[]): readonly string[] | null {
  const key = keys
    .map((text) => Buffer.from(text, "base64"))
    .find((spki) => hexOf(hash("sha256", spki, "binary")) === id);
  return key === undefined ? null : ["CLUSTER", "ADD", key.toString("base64")];
}

/** Keys and entries for the tests of members. */
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type SimulatedKey, sha256, sign } from "../../../simulation/signatures.js";

export const EPOCH = 1_790_000_000_000;
export const CLUSTER = "c".repeat(32);

export const keyOf = (name: string): SimulatedKey => ({ id: sha256(`key ${name}`), spki: `key ${name}` });

export const client = keyOf("client");

let nonces = 0;

/** Returns an envelope by a client's key. @param at  milliseconds after the start of the test */
export function entryOf(at: number, argv: readonly ByteString[] = ["SET", "k", "v"], key = client): Entry {
  const nonce = String(++nonces).padStart(16, "0");
  return sign(key, { cluster: CLUSTER, at: EPOCH + at, seq: 0, nonce }, [argv]);
}

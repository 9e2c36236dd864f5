/**
 * Keys and entries for the tests of members. A signature is a real SHA-256 hash instead of one of an elliptic curve.
 */
import { hash } from "node:crypto";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { readBody, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../../protocol/version-2/envelope-body.js";

export const EPOCH = 1_790_000_000_000;
export const CLUSTER = "c".repeat(32);

export const sha256 = (bytes: Buffer | string): ByteString =>
  hash("sha256", typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, "binary");

export const signWith = (spki: ByteString, bytes: Buffer): Buffer =>
  Buffer.from(sha256(Buffer.concat([Buffer.from(spki, "latin1"), bytes])), "latin1");

export const isSignedBy = (spki: ByteString, bytes: Buffer, signature: Buffer): boolean =>
  signWith(spki, bytes).equals(signature);

export interface TestKey {
  readonly id: ByteString;
  readonly spki: ByteString;
}

export const keyOf = (name: string): TestKey => ({ id: sha256(`key ${name}`), spki: `key ${name}` });

export const client = keyOf("client");

let nonces = 0;

/** Returns an envelope by a client's key. @param at  milliseconds after the start of the test */
export function entryOf(at: number, argv: readonly ByteString[] = ["SET", "k", "v"], key = client): Entry {
  const header = { key: key.id, cluster: CLUSTER, at: EPOCH + at, seq: 0 };
  const nonce = String(++nonces).padStart(16, "0");
  const body = Buffer.from(writeBody({ ...header, nonce }, [writeCommand(argv)]), "latin1");
  const signed = signedBytes(body);
  return { id: sha256(signed), body, signature: signWith(key.spki, signed), envelope: readBody(body) };
}

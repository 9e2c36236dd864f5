/** A member list as a daemon reports it, and the envelope that proves it: the daemon's claim alone proves nothing. */
import { hash, type KeyObject } from "node:crypto";
import { verifyEnvelope } from "../../keys/verify.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { listHash, parseMemberList } from "../../protocol/members/member-list.js";
import { readListAlone } from "../../protocol/members/signed-list.js";
import type { KnownList } from "../../protocol/members/succession.js";
import { type EnvelopeHead, signedBytes } from "../../protocol/version-2/envelope.js";
import { readHead } from "../../protocol/version-2/envelope-head.js";

/** A list with its signer, as far as known here. `doubt` null: an administrator signed it, with a key whose public half we have. */
export interface ReportedList extends KnownList {
  /** Milliseconds since 1970; null: no envelope with this list was shown. */
  readonly signedAt: number | null;
  /** Id of the key. */
  readonly signer: ByteString;
  readonly doubt: "no-proof" | "unknown-key" | "bad-signature" | null;
}

export const sha256 = (bytes: Buffer): ByteString => hash("sha256", bytes, "binary");

/** Whether a key has signed the bytes; null: it is not the key of an administrator that is known here. */
export type VerifiesList = (signer: ByteString, signed: Buffer, signature: Buffer) => boolean | null;

/** @param keys  public keys of administrators */
export function verifierBy(keys: readonly KeyObject[]): VerifiesList {
  const byId = new Map(keys.map((key) => [sha256(key.export({ type: "spki", format: "der" })), key]));
  return (signer, signed, signature) => {
    const key = byId.get(signer);
    return key === undefined ? null : verifyEnvelope(signed, signature, key);
  };
}

/** @param proof  body and signature, in base64 @returns null: it is not a list */
export function reportedList(
  text: string,
  [body = "", signature = ""]: readonly string[],
  verifies: VerifiesList,
): ReportedList | null {
  const list = parseMemberList(text);
  if (typeof list === "string") return null;
  const known = { list, hash: listHash(text, sha256) };
  const bytes = Buffer.from(body, "base64");
  const head = headOf(bytes, known);
  if (head === null) return { ...known, signedAt: null, signer: "", doubt: "no-proof" };
  const facts = { ...known, signedAt: head.at, signer: head.key };
  const holds = verifies(head.key, signedBytes(bytes), Buffer.from(signature, "base64"));
  return { ...facts, doubt: holds ? null : holds === null ? "unknown-key" : "bad-signature" };
}

/** Returns the head of an envelope that holds this list alone, for its cluster; null: it holds something else. */
function headOf(body: Buffer, { list, hash }: KnownList): EnvelopeHead | null {
  try {
    const found = readListAlone(body, Buffer.alloc(0), list.cluster, sha256);
    return "refused" in found || found.hash !== hash ? null : readHead(body);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

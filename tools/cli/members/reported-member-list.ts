/** A member list as a daemon reports it, with the envelope that proves it. The report alone proves nothing. */
import { hash, type KeyObject } from "node:crypto";
import { verifyEnvelope } from "../../../keys/verify.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import type { KnownList } from "../../../protocol/members/list-succession.js";
import { listHash, parseMemberList } from "../../../protocol/members/member-list.js";
import { readListAlone } from "../../../protocol/members/signed-list.js";
import { type EnvelopeHead, signedBytes } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";

/**
 * A reported list with its signer. `signatureProblem` is null if the signer is an administrator whose public key is
 * known, and the signature is correct.
 */
export interface ReportedList extends KnownList {
  /** The signature's date in milliseconds since 1970, or null if the daemon reported no envelope for this list. */
  readonly signedAt: number | null;
  /** Id of the key that signed the list. */
  readonly signer: ByteString;
  readonly signatureProblem: "no-proof" | "unknown-key" | "bad-signature" | null;
}

export const sha256 = (bytes: Buffer): ByteString => hash("sha256", bytes, "binary");

/** Returns whether the key signed the bytes, or null if the key is not that of a known administrator. */
export type VerifiesList = (signer: ByteString, signed: Buffer, signature: Buffer) => boolean | null;

/** Returns a function that verifies signatures. @param keys  public keys of administrators */
export function listVerifier(keys: readonly KeyObject[]): VerifiesList {
  const byId = new Map(keys.map((key) => [sha256(key.export({ type: "spki", format: "der" })), key]));
  return (signer, signed, signature) => {
    const key = byId.get(signer);
    return key === undefined ? null : verifyEnvelope(signed, signature, key);
  };
}

/** Parses a list and checks its proof (body and signature in base64). @returns null if the text is not a list */
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
  if (head === null) return { ...known, signedAt: null, signer: "", signatureProblem: "no-proof" };
  const facts = { ...known, signedAt: head.at, signer: head.key };
  const isCorrect = verifies(head.key, signedBytes(bytes), Buffer.from(signature, "base64"));
  return {
    ...facts,
    signatureProblem: isCorrect ? null : isCorrect === null ? "unknown-key" : "bad-signature",
  };
}

/**
 * Returns the head of an envelope that contains only this list, for the list's cluster, or null if it contains
 * anything else.
 */
function headOf(body: Buffer, { list, hash }: KnownList): EnvelopeHead | null {
  try {
    const found = readListAlone(body, Buffer.alloc(0), list.cluster, sha256);
    return "refused" in found || found.hash !== hash ? null : readHead(body);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

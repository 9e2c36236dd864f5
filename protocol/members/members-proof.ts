/**
 * The proof of a member list by the signatures of its members, in place of an administrator's envelope. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import type { ByteString } from "../byte-string.js";
import type { KnownList } from "./member-list.js";
import { type MemberSignature, readMemberSignatures, writeMemberSignature } from "./member-signature.js";

const DOMAIN = Buffer.from("dbsync2\0members\0", "latin1");

/** Returns the bytes that a member signs. @param text  the text of the list */
export const listSignedBytes = (text: Buffer): Buffer => Buffer.concat([DOMAIN, text]);

/** Packs signatures in the order of the members' ids. @param signatures  by the members' ids */
export const writeListProof = (signatures: ReadonlyMap<ByteString, MemberSignature>): Buffer =>
  Buffer.concat(
    [...signatures]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, signed]) => writeMemberSignature(signed)),
  );

/** The functions with which a proof is checked. */
export interface ProofChecks {
  /** SHA-256, 32 bytes. */
  readonly hash: (bytes: Buffer) => ByteString;
  readonly verify: (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;
}

/**
 * Returns the valid signatures, by the ids of the daemons; null if one of them is not valid, is not that of a member or
 * of a daemon that left with the list or before, or occurs twice.
 * @param body  the text of the list
 * @param only  the member whose signature is checked and returned, if it is there; null: all are
 */
export function readListProof(
  { list }: Pick<KnownList, "list">,
  body: Buffer,
  proof: Buffer,
  { hash, verify }: ProofChecks,
  only: ByteString | null = null,
): ReadonlyMap<ByteString, MemberSignature> | null {
  const found = new Map<ByteString, MemberSignature>();
  const bytes = listSignedBytes(body);
  for (const signed of readMemberSignatures(proof) ?? [NO_SIGNATURE]) {
    const id = hash(Buffer.from(signed.spki, "latin1"));
    if (found.has(id) || !(list.members.includes(id) || list.removed.includes(id))) return null;
    if (only !== null && only !== id) continue;
    if (!verify(signed.spki, bytes, Buffer.from(signed.signature, "latin1"))) return null;
    found.set(id, signed);
  }
  return found;
}

const NO_SIGNATURE: MemberSignature = { spki: "", signature: "" };

type Signed = { has(id: ByteString): boolean };

/** Whether all members have signed a list. */
export const isSignedByAll = ({ list }: Pick<KnownList, "list">, signatures: Signed): boolean =>
  list.members.every((id) => signatures.has(id));

/**
 * Whether more than half of the members of the list in force have signed one that directly follows it. If a later one
 * counted, too, two lists of which neither follows the other could have enough signatures (docs/model).
 */
export function isSignedByMajority(
  { list }: Pick<KnownList, "list">,
  signatures: Signed,
  { list: { number, members }, hash }: KnownList,
): boolean {
  const isNext = list.number === number + 1 && list.parents.length === 1 && list.parents[0] === hash;
  return isNext && 2 * members.filter((id) => signatures.has(id)).length > members.length;
}

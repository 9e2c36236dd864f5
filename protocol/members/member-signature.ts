/** The binary form of the signatures of members, for votes, certificates and proofs of member lists. */
import { type ByteString, bytesOf } from "../byte-string.js";

/** A member's key, as SubjectPublicKeyInfo in DER, and its signature. */
export interface MemberSignature {
  readonly spki: ByteString;
  readonly signature: ByteString;
}

/**
 * Writes a signature as length (1 byte) ‖ SubjectPublicKeyInfo ‖ length (1 byte) ‖ signature. Each part has at most 255
 * bytes.
 */
export function writeMemberSignature({ spki, signature }: MemberSignature): Buffer {
  const lengths = [spki, signature].map((part) => String.fromCharCode(part.length));
  return Buffer.from(`${lengths[0]}${spki}${lengths[1]}${signature}`, "latin1");
}

/** Reads a signature. @returns the signature and the offset of its end, or null if the bytes are too short */
export function readMemberSignature(
  bytes: Buffer,
  offset = 0,
): { readonly signed: MemberSignature; readonly end: number } | null {
  let end = offset;
  const part = (): ByteString => {
    const start = end + 1;
    end = start + (bytes[end] ?? bytes.length);
    return bytesOf(bytes, start, end);
  };
  const signed = { spki: part(), signature: part() };
  return end > bytes.length ? null : { signed, end };
}

/** Reads signatures that follow each other up to the end of the bytes. @returns null if the last one is incomplete */
export function readMemberSignatures(bytes: Buffer, offset = 0): MemberSignature[] | null {
  const signatures: MemberSignature[] = [];
  for (let at = offset; at < bytes.length; ) {
    const found = readMemberSignature(bytes, at);
    if (found === null) return null;
    signatures.push(found.signed);
    at = found.end;
  }
  return signatures;
}

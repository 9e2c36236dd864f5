/**
 * Checks member lists that arrive. A list is proved by the administrator's envelope that contains it, or by the
 * signatures of its members, regardless of which daemon sent it. Source: docs/member-protocol.md "Members by list".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  isListText,
  type KnownList,
  type RefusedList,
  readCheckedList,
  readListAlone,
  refusalOfLength,
  type SignedList,
} from "../../../protocol/members/member-list.js";
import {
  isSignedByAll,
  isSignedByMajority,
  type ProofChecks,
  readListProof,
} from "../../../protocol/members/members-proof.js";
import type { ErrorReply } from "../../../protocol/reply.js";
import { needsDaemon, readBody, signedPieces } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { KeyRecord } from "../../store/rights/key-record.js";
import { refusalOf } from "../../store/unit-permission.js";

/**
 * A valid list; `unknown-signer` if the signer's key may still arrive, or if its members have signed it without this
 * daemon; `incomplete` if too few members have signed it; or the reason why the list is refused.
 */
export type CheckedList = SignedList | "unknown-signer" | "incomplete" | RefusedList;

/** The daemon that checks a list. */
interface Checker {
  readonly signers: Signers;
  /** Its own id. */
  readonly own: ByteString;
  /** The list in force, or null if there is none. */
  readonly inForce: KnownList | null;
}

/** Checks a list. It keeps the buffers: the caller must not overwrite their bytes. */
export function checkList(body: Buffer, signature: Buffer, checker: Checker): CheckedList {
  return reading(() =>
    isListText(body) ? checkOfMembers(body, signature, checker) : check(body, signature, checker.signers),
  );
}

/**
 * Checks a list that its members have signed. Only the own signature, or those of the known members, prove to a daemon
 * that the set is right: any program could sign for members of its own making.
 */
function checkOfMembers(body: Buffer, proof: Buffer, { signers, own, inForce }: Checker): CheckedList {
  if (signers.genesis.roots.length > 0) return { refused: "administrators sign the lists of this cluster" };
  const list = readListAlone(body, proof, signers.cluster, hashOf);
  if ("refused" in list) return list;
  const signatures = readListProof(list, body, proof, proofChecks(signers));
  if (signatures === null) return { refused: "a signature of it is not a member's, or not valid" };
  const byMajority = inForce !== null && isSignedByMajority(list, signatures, inForce);
  const byAll = isSignedByAll(list, signatures);
  if (byMajority || (byAll && signatures.has(own))) return list;
  return byAll ? "unknown-signer" : "incomplete";
}

const proofChecks = (signers: Signers): ProofChecks => ({
  hash: hashOf,
  verify: (spki, bytes, signature) => signers.verifyBy(spki, bytes, signature),
});

function reading(read: () => CheckedList): CheckedList {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return { refused: `malformed: ${problem.message}` };
    throw problem;
  }
}

/** Reads a list that peers use, without checking its signature. It keeps the buffers, like `checkList`. */
export function readVouched(body: Buffer, signature: Buffer, cluster: ByteString): CheckedList {
  return reading(() => readListAlone(body, signature, cluster, hashOf));
}

function check(body: Buffer, signature: Buffer, signers: Signers): CheckedList {
  const { ring, cluster } = signers;
  const tooLong = refusalOfLength(body);
  if (tooLong !== null) return tooLong;

  const { key } = readHead(body);
  const signer = ring.find(key);
  if (signer === undefined) return "unknown-signer";
  if (!signers.verify(signer, { body, signature }, hashOf(...signedPieces(body))))
    return { refused: "its signature is not valid" };

  const list = readListAlone(body, signature, cluster, hashOf);
  if ("refused" in list) return list;
  const denial = denialOf(list, signer, ring);
  return denial === null ? list : { refused: denial.text };
}

/** Returns the refusal of a list that its signer may not sign; null if it may. */
function denialOf({ body }: SignedList, signer: KeyRecord, ring: KeyRing): ErrorReply | null {
  const envelope = readBody(body);
  const { key, at, commands, if: conditions } = envelope;
  return refusalOf({ key, at, commands, conditions, needsDaemon: needsDaemon(envelope) }, signer, ring);
}

/** Whether a list is valid, and signed by a known administrator with a date before the key was revoked. */
export function isProvedBySigner(list: SignedList, signers: Signers): boolean {
  const { body } = list;
  if (isListText(body)) return false;
  const { key, at } = readHead(body);
  const signer = signers.ring.find(key);
  if (signer === undefined || at >= (signer.revokedAt ?? Number.POSITIVE_INFINITY)) return false;
  return (
    signers.verify(signer, list, hashOf(...signedPieces(body))) &&
    denialOf(list, { ...signer, revokedAt: null }, signers.ring) === null
  );
}

/** Reads the list in an envelope that has already been checked. */
export function listOf(body: Buffer, signature: Buffer): SignedList | RefusedList {
  return readCheckedList(body, signature, hashOf);
}

/**
 * Checks what members send, regardless of which member sent it: entries, the entries of the key ring in a snapshot, and
 * envelopes that members are to decide. The signer must be known, the signature must be valid, and the entry must be
 * meant for this cluster. An entry with a decision instead has the votes of a majority of a member list. The fold
 * decides later whether the signer's key was valid, and which commands it permits.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { type Certificate, readCertificate, voteBytes } from "../../../protocol/members/decision-messages.js";
import type { PackedEntry } from "../../../protocol/members/member-elements.js";
import type { MemberList, SignedList } from "../../../protocol/members/member-list.js";
import {
  type Decision,
  isDecision,
  readDecision,
  readEntryBody,
} from "../../../protocol/version-2/decision-body.js";
import { type Envelope, NO_KEY, readBody, signedPieces } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import { rootFrom } from "../../../protocol/version-2/hash-tree.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import { messageOf } from "../../engine/channels/channels.js";
import { checkEnvelope } from "../../engine/pipeline/envelope-checks.js";
import { hashOf } from "../../engine/trust/identity.js";
import { knownKey, type Signers } from "../../engine/trust/signers.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { KeyRecord, Role } from "../../store/rights/key-record.js";
import type { RefuseRingEntry } from "../../timeline/snapshots/ring-entries.js";
import type { ListHistory } from "../members/list-history.js";
import type {
  CheckEntry,
  CheckedEntry,
  Holder,
  IsVerified,
  PeeringContext,
  ProvedEntry,
} from "../peers/shared/cluster-state.js";

/**
 * The maximum bytes of the body of an envelope in which a daemon authorizes its own key. Such a body usually has about
 * 300 bytes.
 */
const INTRODUCTION_BYTES_MAX = 4096;

/**
 * @param lists  the member lists by which decisions are checked, or null if no decision is accepted
 * @returns  a check that keeps the buffers with the entry
 */
export function entryCheck(
  signers: Signers,
  lists: ListHistory | null,
  isVerified: IsVerified = notVerified,
): CheckEntry {
  return (body, signature, timeline, proved) => {
    try {
      if (isDecision(body)) return checkDecision(signers, lists, { body, signature }, timeline);
      return check(signers, isVerified, { body, signature, proved: proved ?? null }, timeline);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return { refused: `malformed: ${problem.message}` };
      throw problem;
    }
  };
}

/**
 * Returns a function that returns why an entry of the key ring in another daemon's snapshot is refused, or null if it
 * is accepted. The checks are the same as for an entry that a member sends.
 */
export function ringEntryCheck(signers: Signers): RefuseRingEntry {
  return ({ id, body, signature, envelope }, ring) => {
    const spki = ring.spkiOf(envelope);
    if (spki === undefined) return "unknown-signer";
    // The votes for a decision are those of a list that this daemon may not know; the snapshot is that of a majority.
    const unit = isDecision(body) ? readDecision(body).unit : { body, signature };
    const unitId = isDecision(body) && unit !== null ? hashOf(...signedPieces(unit.body)) : id;
    if (unit === null || !signers.verify({ id: envelope.key, spki }, unit, unitId)) return "bad-signature";
    return wrongIn(envelope, body.length, "daemon", signers)?.code ?? null;
  };
}

/**
 * Returns why an entry with a valid signature does not belong to this cluster, or null if it does.
 * @param role  the role of its signer
 */
function wrongIn(envelope: Envelope, length: number, role: Role, { cluster }: Signers): Refused | null {
  if (envelope.only !== null) return refused("wrong-daemon", "it is addressed to one daemon only");
  if (envelope.commands.every((argv) => messageOf(argv) !== null)) return refused("malformed", ONLY_MESSAGES);
  const here = { cluster, daemon: "", databases: DATABASES_DEFAULT, takesConditions: true, decides: true };
  return checkEnvelope(envelope, length, role, here);
}

/**
 * Returns the role for the checks of an entry: only a genesis key has the role of its record, which never changes. For
 * any other key, the fold checks the role at the entry's position. A check here would depend on the entries received so
 * far, but an entry that one member has accepted must be acceptable to all.
 */
const roleOf = (signer: KeyRecord | undefined): Role => (signer?.addedBy === null ? signer.role : "daemon");

function check(
  signers: Signers,
  isVerified: IsVerified,
  { body, signature, proved }: PackedEntry & { readonly proved: ProvedEntry | null },
  timeline: Holder,
): CheckedEntry {
  const { ring } = signers;
  // Read only the signer and the date before verifying the signature: they are sufficient to skip most entries that
  // this daemon already has.
  const { key, at, seq } = readHead(body);
  const id = proved?.id ?? hashOf(...signedPieces(body));
  const orderKey = { at, seq, id };

  if (key === NO_KEY) return { refused: UNSIGNED };
  if (timeline.holds(orderKey)) return { stored: orderKey };
  if (!timeline.hasRoom(orderKey, body.length + signature.length)) return "no-room";
  const spki = knownKey(ring, key) ?? introducedBy(ring, body);
  if (spki === undefined) return "unknown-signer";
  const isKnown = proved?.spki === spki || isVerified(id, signature);
  if (!isKnown && !signers.verify({ id: key, spki }, { body, signature }, id))
    return { refused: "bad-signature" };

  const envelope = readBody(body);
  if (envelope.decide) return { refused: UNDECIDED };
  const wrong = wrongIn(envelope, body.length, roleOf(ring.find(key)), signers);
  if (wrong !== null) return { refused: `${wrong.code}: ${wrong.detail}` };
  return { id, body, signature, envelope };
}

/** Checks a decision: the envelope that its client has signed, and the votes of a majority. */
function checkDecision(
  signers: Signers,
  lists: ListHistory | null,
  { body, signature }: PackedEntry,
  timeline: Holder,
): CheckedEntry {
  if (lists === null) return { refused: "a decision, which no member of this cluster makes" };
  const id = hashOf(...signedPieces(body));
  const decision = readDecision(body);
  const { at, seq, unit } = decision;
  const orderKey = { at, seq, id };

  if (timeline.holds(orderKey)) return { stored: orderKey };
  if (!timeline.hasRoom(orderKey, body.length + signature.length)) return "no-room";

  const certificate = readCertificate(signature);
  if (certificate === null) return { refused: "a decision without votes" };
  const found = lists.find(certificate.ballot.listHash);
  if (found === null) {
    lists.miss(certificate.ballot.listHash);
    return "unknown-list";
  }
  // Members that use the list, or a later one, accept it: it is not refused, since this daemon may receive such a list.
  if (!lists.isProved(found.hash) && at >= revocationOf(found, signers)) return "unknown-list";

  const verify = signers.verifyBy.bind(signers);
  const problem = certificateProblem(certificate, { ...decision, id }, found.list, verify);
  if (problem !== null) return { refused: problem };

  const checked = unit === null ? null : checkUnit(signers, unit, notVerified);
  if (checked === "unknown-signer") return checked;
  if (checked !== null && "refused" in checked) return checked;
  return { id, body, signature, envelope: readEntryBody(body) };
}

/** Returns the date at which the key that signed a list was revoked, or infinity. */
const revocationOf = ({ body }: SignedList, { ring }: Signers): number =>
  ring.find(readHead(body).key)?.revokedAt ?? Number.POSITIVE_INFINITY;

/** Returns a function that checks an envelope that members are to decide; null: it is not valid. */
export const unitCheck =
  (signers: Signers): PeeringContext["checkUnit"] =>
  (unit, isVerified) => {
    try {
      const checked = checkUnit(signers, unit, isVerified);
      return checked === "unknown-signer" || "refused" in checked ? null : checked;
    } catch (problem) {
      if (problem instanceof MalformedFrame) return null;
      throw problem;
    }
  };

/** Checks an envelope that members are to decide, or have decided. */
function checkUnit(
  signers: Signers,
  { body, signature }: PackedEntry,
  isVerified: IsVerified,
):
  | { readonly id: ByteString; readonly envelope: Envelope }
  | "unknown-signer"
  | { readonly refused: string } {
  const { ring } = signers;
  const id = hashOf(...signedPieces(body));
  const envelope = readBody(body);
  const spki = knownKey(ring, envelope.key);
  if (spki === undefined) return "unknown-signer";
  const isKnown = isVerified(id, signature);
  if (!isKnown && !signers.verify({ id: envelope.key, spki }, { body, signature }, id))
    return { refused: "bad-signature" };
  const wrong = wrongIn(envelope, body.length, roleOf(ring.find(envelope.key)), signers);
  return wrong === null ? { id, envelope } : { refused: `${wrong.code}: ${wrong.detail}` };
}

/**
 * Returns the key of a daemon whose entry authorizes the daemon itself. The key is in the command, so the body is
 * parsed if it is short enough.
 */
function introducedBy(ring: KeyRing, body: Buffer): ByteString | undefined {
  return body.length > INTRODUCTION_BYTES_MAX ? undefined : ring.spkiOf(readBody(body));
}

/** A daemon that records accepts only signed envelopes, so an unsigned entry cannot come from a client. */
export const UNSIGNED = "unsigned: a daemon that records accepts no such entry";

const notVerified: IsVerified = () => false;

/** No daemon records an envelope whose signer has requested a decision in another way. */
const UNDECIDED = "malformed: its signer has requested a decision";

/**
 * No daemon records an envelope that contains only messages. A member that sends such an entry violates the protocol.
 */
const ONLY_MESSAGES = "it contains only messages, which are not recorded";

type Verify = (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;

/**
 * Returns what is wrong with the certificate of a decision, the votes of a majority of a member list, or null if it is
 * valid.
 * @param decision  its slot, its place in its proposal, and its id
 * @param list  the list that the certificate names
 */
export function certificateProblem(
  { ballot, path, votes }: Certificate,
  { slot, index, count, id }: Pick<Decision, "slot" | "index" | "count"> & { readonly id: ByteString },
  { members, cluster, number }: MemberList,
  verify: Verify,
): string | null {
  if (number !== ballot.list) return "its votes name another number of the member list";

  const root = rootFrom(id, { index, count }, path, hashOf);
  if (root === null) return "its path does not lead to what the members have voted for";
  const bytes = voteBytes(cluster, { ballot, slot: slot - index, count, root });
  if (votes.length > members.length) return "it has more votes than the list has members";

  const voters = new Set<ByteString>();
  for (const { spki, signature } of votes) {
    const voter = hashOf(Buffer.from(spki, "latin1"));
    if (!members.includes(voter)) return "a vote is not that of a member";
    if (voters.has(voter)) return "a member has two votes, and they are not those of a majority";
    if (!verify(spki, bytes, Buffer.from(signature, "latin1"))) return "the signature of a vote is not valid";
    voters.add(voter);
  }

  return 2 * voters.size > members.length ? null : "its votes are not those of a majority";
}

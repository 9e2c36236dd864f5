/**
 * All member lists that this daemon has ever accepted. A list that was replaced is needed to check the decisions that
 * its members have made. The lists in use prove the lists that they follow, by their hashes. A list is proved by the
 * administrator's envelope that contains it, or by the signatures of its members, regardless of which daemon sent it.
 * Source: docs/protocol-v2.md "Members by list".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { readEntries, writeEntries } from "../../../protocol/members/member-elements.js";
import type { SignedList } from "../../../protocol/members/member-list.js";
import {
  isListText,
  type KnownList,
  type MemberList,
  type RefusedList,
  readCheckedList,
  readListAlone,
  refusalOfLength,
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
import type { Storage } from "../../timeline/entries/storage.js";

/** The maximum number of lists that only unchecked decisions name, and that are requested from members. */
const NAMED_MAX = 16;

/** The lists that a list follows, directly or not. */
export interface EarlierLists {
  readonly lists: readonly SignedList[];
  /**
   * The ids of the daemons that may be members of the lists among them that are not known; empty: all are known. What
   * these daemons have not stored is lost, for example because only removed daemons had the list.
   */
  readonly unknown: ReadonlySet<ByteString>;
}

export class ListHistory {
  readonly #storage: Storage;
  readonly #lists: Map<ByteString, SignedList>;
  /** Missing lists that decisions name, the oldest first. Their votes are not checked yet: they may be invented. */
  readonly #named = new Set<ByteString>();
  #heads: readonly SignedList[] = [];
  /** The hashes of the lists in use and of all lists that these follow, known or not. */
  #proved: ReadonlySet<ByteString> = new Set();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#lists = readListHistory(storage.mark("lists"));
  }

  /** The number of known lists. */
  get size(): number {
    return this.#lists.size;
  }

  find(hash: ByteString): SignedList | null {
    return this.#lists.get(hash) ?? null;
  }

  /** The hashes of lists that decisions or later lists name, and that no member has sent yet. */
  get missing(): ReadonlySet<ByteString> {
    const missing = [...this.#proved, ...this.#named].filter((hash) => !this.#lists.has(hash));
    return new Set(missing);
  }

  /** Whether a list is in use, or a list in use follows it, directly or not. */
  isProved(hash: ByteString): boolean {
    return this.#proved.has(hash);
  }

  /** Whether some known lists are neither in use nor followed by one in use, for example those of a restored backup. */
  get hasUnproved(): boolean {
    return [...this.#lists.keys()].some((hash) => !this.#proved.has(hash));
  }

  /** Whether that is known of a list whose hash begins with the given bytes. */
  isPrefixProved(prefix: ByteString): boolean {
    return [...this.#proved].some((hash) => hash.startsWith(prefix));
  }

  /** Whether the members of one of these lists have signed it without half of those of the list before it, or more. */
  get isForced(): boolean {
    return [...this.#lists.values()].some(({ list, body }) => {
      const parents = isListText(body) ? list.parents.flatMap((hash) => this.#lists.get(hash) ?? []) : [];
      return parents.some((parent) => 2 * remaining(list, parent.list) <= parent.list.members.length);
    });
  }

  /** Replaces the lists in use. */
  use(heads: readonly SignedList[]): void {
    this.#heads = heads;
    for (const list of heads) this.add(list);
    this.#prove();
  }

  /** Records that a decision names a list that is not known. */
  miss(hash: ByteString): void {
    if (this.#lists.has(hash) || this.#named.has(hash)) return;
    for (const oldest of this.#named) if (this.#named.size >= NAMED_MAX) this.#named.delete(oldest);
    this.#named.add(hash);
  }

  /**
   * Returns the lists that a list follows, directly or not, with at least the given number. Lists that are not known
   * are requested from members.
   */
  before(list: SignedList, number: number): EarlierLists {
    const found = new Map<ByteString, SignedList>();
    const open = [list];
    const unknown = new Set<ByteString>();

    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      // A parent's number is lower.
      if (one.list.number <= number) continue;
      for (const hash of one.list.parents) {
        const parent = this.#lists.get(hash);
        if (parent === undefined) {
          // An id that was left out never returns, so each member of an earlier list that is still one is in this list.
          for (const id of one.list.members) unknown.add(id);
        } else if (parent.list.number >= number && !found.has(hash)) {
          found.set(hash, parent);
          open.push(parent);
        }
      }
    }

    return { lists: [...found.values()], unknown };
  }

  add(list: SignedList): void {
    this.#named.delete(list.hash);
    if (this.#lists.has(list.hash)) return;
    this.#lists.set(list.hash, list);
    this.#prove();
    this.#storage.put([], [["lists", writeEntries([...this.#lists.values()])]]);
  }

  #prove(): void {
    const proved = new Set(this.#heads.map(({ hash }) => hash));
    for (const hash of proved)
      for (const parent of this.#lists.get(hash)?.list.parents ?? []) proved.add(parent);
    this.#proved = proved;
  }
}

const remaining = (list: MemberList, before: MemberList): number =>
  before.members.filter((id) => list.members.includes(id)).length;

/** Parses stored lists, which were checked when they arrived. @param bytes  the mark, or null if there is none */
export function readListHistory(bytes: Buffer | null): Map<ByteString, SignedList> {
  const lists = new Map<ByteString, SignedList>();
  for (const { body, signature } of bytes === null ? [] : (readEntries(Buffer.from(bytes)) ?? [])) {
    const list = listOf(body, signature);
    if (!("refused" in list)) lists.set(list.hash, list);
  }
  return lists;
}

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

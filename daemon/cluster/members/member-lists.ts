/**
 * The member lists that this daemon knows, stored on its disk with their proofs. They are outside the fold, which must
 * not depend on when a list was received. Source: docs/protocol-v2.md "Members by list". The order of lists is
 * defined in protocol/members/member-list.ts.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { UNLISTED_CAUSES, type UnlistedCause } from "../../../protocol/figures/unlisted-causes.js";
import { NO_PROMISES, writeStoredPromises } from "../../../protocol/members/decision-messages.js";
import { readEntries, writeEntries } from "../../../protocol/members/member-elements.js";
import {
  isListText,
  type KnownList,
  type MembershipState,
  membershipStateOf,
  type SignedList,
  takeList,
} from "../../../protocol/members/member-list.js";
import { readMemberSignatures } from "../../../protocol/members/member-signature.js";
import { writeListProof } from "../../../protocol/members/members-proof.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import { StartError } from "../../net/process/service.js";
import type { PeerAddress } from "../../options/peer-address.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Mark, Storage } from "../../timeline/entries/storage.js";
import { writePromisesMark } from "../../timeline/entries/stored-promises.js";
import { listRefusal, mayAcceptFrom, mayReport } from "../../timeline/members/rules.js";
import {
  type CheckedList,
  checkList,
  isProvedBySigner,
  ListHistory,
  listOf,
  readVouched,
} from "./list-history.js";

/** The outcome of an envelope that should contain a list. */
export type ListOutcome =
  /** saved: resolves when the list is on disk, with everything that was accepted before it. */
  { readonly saved: Promise<void> } | "old" | "unknown-signer" | "incomplete" | { readonly refused: string };

/** The lists that are on disk. Only these may be sent to other members. */
interface DurableLists {
  /** The hash of the list or of all head lists together, or an empty string if there is no list. */
  readonly hash: ByteString;
  readonly lists: readonly SignedList[];
}

/** What an operator has ordered on this machine: see docs/decisions/0080-members-found-their-list.md. */
export type ListOrder =
  /** Found a list, again if an earlier text was signed. */
  | { readonly kind: "found" }
  /**
   * Continue without the members that are not connected, although these are half of the members or more. Only those in
   * `mayLeave` may be left out; null: any.
   */
  | { readonly kind: "force"; readonly mayLeave: ReadonlySet<ByteString> | null }
  /** Remove a member, or replace it by another daemon. */
  | { readonly kind: "change"; readonly leave: ByteString; readonly add: ByteString | null };

const NO_LIST: ByteString = "";

export class MemberLists {
  /**
   * The membership according to all known lists, on disk or not: entries of a daemon that the lists leave out are no
   * longer accepted.
   */
  membership: MembershipState;
  durable: DurableLists;
  /** Called when a list has arrived, and again when it is on disk. */
  changed: () => void = () => {};
  /** The lists in force and all earlier ones. */
  readonly history: ListHistory;
  /** The order to agree on a list with other daemons; null: there is none, or it is done. Not kept after a restart. */
  order: ListOrder | null = null;
  /** What an agreement on a list waits for; null: there is none, or it is done. */
  agreementWaitsFor: string | null = null;
  /** The last text of a list that this daemon has signed, with its signature. Other members may not have signed it. */
  #signedText: SignedList | null;
  /** The text that is being written to the disk; null: none. */
  #signing: SignedList | null = null;
  readonly #storage: Storage;
  readonly #signers: Signers;
  readonly #own: ByteString;
  readonly #hasServed: () => boolean;
  #lists: readonly SignedList[];
  /** The members, and the same without this daemon: each tick reads them several times. */
  #others: { readonly members: ReadonlySet<ByteString>; readonly others: ReadonlySet<ByteString> } | null =
    null;
  #hasJoined: boolean;
  /** Whether what this daemon promises in decisions is stored, or was. */
  #hasPromises: boolean;

  /**
   * @param own  the daemon's own id
   * @param hasServed  whether the daemon may have accepted writes from clients, because it is or was live, even if it
   * has not set a watermark yet
   * @throws StartError  the lists on the disk cannot be read
   */
  constructor(storage: Storage, signers: Signers, own: ByteString, hasServed: () => boolean) {
    this.#storage = storage;
    this.history = new ListHistory(storage);
    this.#signers = signers;
    this.#own = own;
    this.#hasServed = hasServed;
    const stored = storage.mark("members");
    this.#hasJoined = stored === null || stored[0] === 1;
    this.#lists = stored === null ? [] : readStoredLists(stored.subarray(1));
    this.history.use(this.#lists);
    this.membership = membershipStateOf(this.#lists);
    const signedText = storage.mark("signed-list");
    this.#signedText = signedText === null ? null : (readStoredLists(signedText)[0] ?? null);
    const hadPromises = storage.mark("decisions") !== null || storage.mayHaveForgotten;
    this.#hasPromises = hadPromises || this.membership.members.has(own);

    this.durable = { hash: hashOfAll(this.#lists), lists: this.#lists };
  }

  get isDurable(): boolean {
    return this.#storage.isDurable;
  }

  /** Whether there is at least one list. */
  get hasLists(): boolean {
    return this.#lists.length > 0;
  }

  /** Lists without a successor, on disk or not. */
  get heads(): readonly SignedList[] {
    return this.#lists;
  }

  /** Whether all known lists are on disk. */
  get isSettled(): boolean {
    return this.durable.lists === this.#lists;
  }

  /** The other members, or null if there is no list. */
  get others(): ReadonlySet<ByteString> | null {
    if (!this.hasLists) return null;
    const { members } = this.membership;
    if (this.#others?.members !== members) {
      const others = new Set(members);
      others.delete(this.#own);
      this.#others = { members, others };
    }
    return this.#others.others;
  }

  /** Daemons that any of the lists leaves out. A daemon that was left out once can never return. */
  get removed(): ReadonlySet<ByteString> {
    return this.membership.removed;
  }

  /** Whether there is a list, and it does not name this daemon. */
  get isOutside(): boolean {
    return this.hasLists && !this.membership.members.has(this.#own);
  }

  /** Whether this daemon is a member. Without a data folder it would restart empty, so it is not. */
  get isMember(): boolean {
    return this.isDurable && this.membership.members.has(this.#own);
  }

  /** Whether this daemon is a member that has not yet received the state of a live member. */
  get isJoining(): boolean {
    return this.isMember && !this.#hasJoined;
  }

  /** Whether the other members may rely on this daemon's reports. */
  get isReporting(): boolean {
    // Once the list is on disk, everything that was accepted before it is also on disk.
    const { membership, isSettled: isListOnDisk } = this;
    const ready = { isListOnDisk, isPastOnDisk: isListOnDisk, isLive: this.#hasJoined };
    return this.isMember && mayReport({ membership, own: this.#own, ...ready });
  }

  /**
   * Whether this daemon leaves the members: its operator has ordered it, or it has signed a list without itself, which
   * the members may complete at any time. It accepts nothing more from clients, because they might not receive it.
   */
  get isLeaving(): boolean {
    const hasSigned = [this.#signedText, this.#signing].some(
      (text) => text?.list.removed.includes(this.#own) === true && !this.isFollowed(text),
    );
    return hasSigned || (this.order?.kind === "change" && this.order.leave === this.#own);
  }

  /** Whether the list in use leaves this daemon out after it has handed over everything, and signed that list. */
  get hasLeft(): boolean {
    return this.heads.some(({ hash }) => hash === this.#signedText?.hash) && this.removed.has(this.#own);
  }

  /** Why no write is accepted from clients, or null if writes may be accepted. */
  get refusalCause(): UnlistedCause | null {
    const { membership, isDurable: hasData } = this;
    const own = this.#own;
    const reason = listRefusal({ membership, own, hasData });
    if (reason === null) return this.isLeaving ? "leaving" : null;
    if (reason === "no-data") return "no-data";
    if (this.hasLeft) return "left";
    return membership.removed.has(own) ? "left-out" : "not-listed";
  }

  /** The sentence for `refusalCause`, with the numbers of the lists, or null if writes may be accepted. */
  get refusal(): string | null {
    const cause = this.refusalCause;
    // Each write checks this, and is almost never refused.
    if (cause === null) return null;
    const list = `the list of members, number ${this.#lists.map(named).join(" and number ")}`;
    return UNLISTED_CAUSES[cause].says.replace("…", () => list);
  }

  mayAcceptFrom(id: ByteString): boolean {
    return mayAcceptFrom(this.membership, this.#own, id);
  }

  /** @param body  kept, like the signature: the caller must not overwrite the bytes of either later */
  take(body: Buffer, signature: Buffer): ListOutcome {
    const known = this.#lists.find((list) => list.body.equals(body));
    if (known !== undefined) return "old";
    const { inForce } = this.membership;
    return this.#takeChecked(
      checkList(body, this.#withOwnSignature(body, signature), {
        signers: this.#signers,
        own: this.#own,
        inForce,
      }),
    );
  }

  /**
   * Adds this daemon's signature to a proof of the text that it has signed. Members of a list that it leaves may have
   * enough signatures without it.
   */
  #withOwnSignature(body: Buffer, proof: Buffer): Buffer {
    const signed = this.#signedText;
    if (signed === null || !signed.body.equals(body) || proof.includes(signed.signature)) return proof;
    const all = readMemberSignatures(Buffer.concat([proof, signed.signature])) ?? [];
    return writeListProof(new Map(all.map((one) => [hashOf(Buffer.from(one.spki, "latin1")), one])));
  }

  /**
   * Records a list that was requested to check decisions, and that may have been replaced. It is never used as one of
   * the current lists.
   */
  takeEarlier(body: Buffer, signature: Buffer): void {
    const { cluster } = this.#signers;
    const list = readVouched(body, signature, cluster);
    if (typeof list === "string" || "refused" in list || !this.history.missing.has(list.hash)) return;
    if (this.history.isProved(list.hash) || isProvedBySigner(list, this.#signers)) this.history.add(list);
  }

  /**
   * Accepts a list whose signer's key is not known here, because most of the configured peers use that list. If this
   * daemon may already have accepted writes, at least two peers must use the list.
   */
  takeVouched(body: Buffer, signature: Buffer, peers: number): ListOutcome {
    const mayHaveWrites = this.hasLists ? this.isMember : this.#hasServed();
    if (mayHaveWrites && peers < 2) return "unknown-signer";
    return this.#takeChecked(readVouched(body, signature, this.#signers.cluster));
  }

  /**
   * Whether a list is in use, or can no longer be. Of two lists that enough members have signed, one has been signed
   * later by the same member, with a higher number.
   */
  isFollowed({ list }: KnownList): boolean {
    return this.#lists.some((head) => head.list.number >= list.number);
  }

  /** Whether daemons found a list without an order, because the cluster has no administrator that could sign one. */
  get isFoundedByMembers(): boolean {
    return this.#signers.genesis.roots.length === 0;
  }

  /** Begins an agreement on a list. */
  begin(order: ListOrder): void {
    this.order = order;
    this.changed();
  }

  get signedText(): SignedList | null {
    return this.#signedText;
  }

  /**
   * Stores a text of a list that this daemon signs. It must not send the signature before this has resolved.
   * @param signed  with this daemon's signature only
   * @throws Error  the list leaves out a member that the order does not name, or the disk has failed
   */
  async sign(signed: SignedList): Promise<void> {
    const kept = this.#keptByOrder(signed.list);
    if (kept.length > 0) {
      this.agreementWaitsFor = `not connected, and not left out by the order: ${kept.map(shown).join(", ")}`;
      throw new Error(this.agreementWaitsFor);
    }
    const { body, signature } = signed;
    this.#signing = signed;
    this.#storage.put([], [["signed-list", writeEntries([{ body, signature }])]]);
    await this.#storage.synced();
    this.#signedText = signed;
  }

  /**
   * Returns the members that a list leaves out although the order does not name them. A member that disconnects while
   * the order waits for other machines is not lost.
   */
  #keptByOrder({ members }: KnownList["list"]): readonly ByteString[] {
    const mayLeave = this.order?.kind === "force" ? this.order.mayLeave : null;
    if (mayLeave === null) return [];
    return [...this.membership.members].filter((id) => !members.includes(id) && !mayLeave.has(id));
  }

  /**
   * Returns the mark of a daemon that has promised nothing, if a list names this daemon for the first time. A member
   * without this mark has lost it, with all that it has promised.
   */
  #firstPromises(): readonly Mark[] {
    if (this.#hasPromises || !this.membership.members.has(this.#own)) return [];
    this.#hasPromises = true;
    return [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]];
  }

  #takeChecked(checked: CheckedList): ListOutcome {
    if (typeof checked === "string" || "refused" in checked) return checked;

    const result = takeList(this.#lists, checked, this.#signers.cluster);
    if (result === "old") {
      this.history.add(checked);
      return result;
    }
    if ("problem" in result) return { refused: result.problem };

    // An order concerns the lists that its operator saw. If it remained, a member that is away for a moment would be
    // left out later.
    this.order = this.agreementWaitsFor = null;
    this.#hasJoined = this.#isJoinedUnder(checked, membershipStateOf(result.heads));

    const saved = this.#store(result.heads);
    // The member that sent the list does not wait for the disk. A disk failure is reported elsewhere.
    saved.catch(() => {});
    return { saved };
  }

  /** Records that this daemon has received a live member's state under this list. */
  joined(): void {
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    void this.#store([...this.#lists]).catch(() => {});
  }

  /**
   * Whether this daemon may keep its state under a new list. A member of the cluster's first list that has already
   * served keeps its state. A daemon that a later list adds has to receive the state of a live member first.
   */
  #isJoinedUnder({ list }: SignedList, after: MembershipState): boolean {
    const own = this.#own;
    if (this.membership.members.has(own)) return this.#hasJoined;
    if (!after.members.has(own)) return false;
    return !this.hasLists && list.parents.length === 0 && this.#hasServed();
  }

  async #store(lists: readonly SignedList[]): Promise<void> {
    this.#lists = lists;
    this.history.use(lists);
    this.membership = membershipStateOf(lists);
    this.changed();
    const storage = this.#storage;
    const members = Buffer.concat([Buffer.of(this.#hasJoined ? 1 : 0), writeEntries(lists)]);
    storage.put([], [["members", members], ...this.#firstPromises()]);
    await storage.synced();
    if (this.#lists !== lists) return;
    this.durable = { hash: hashOfAll(lists), lists };
    this.changed();
  }
}

/** The number of digits of an id that messages show. */
const ID_DIGITS = 12;
export const shown = (id: ByteString): string => hexOf(id).slice(0, ID_DIGITS);

function named({ list: { number }, body }: SignedList): string {
  if (isListText(body)) return `${number}, signed by its members`;
  const { key, at } = readHead(body);
  return `${number}, signed ${dateText(at)} by the key ${shown(key)}`;
}

function hashOfAll(lists: readonly SignedList[]): ByteString {
  const [first] = lists;
  if (first === undefined) return NO_LIST;
  if (lists.length === 1) return first.hash;
  const hashes = lists.map(({ hash }) => hash).sort();
  return hashOf(Buffer.from(hashes.join(""), "latin1"));
}

function readStoredLists(bytes: Buffer): readonly SignedList[] {
  const lists = (readEntries(Buffer.from(bytes)) ?? []).map(({ body, signature }) => listOf(body, signature));
  const readable = lists.filter((list): list is SignedList => !("refused" in list));
  if (readable.length === lists.length && readable.length > 0) return readable;
  throw new StartError(
    "The data folder's list of members is damaged. Start with a new folder, and replace this daemon with the new one: dbsync members replace.",
    1,
  );
}

/** The reasons for rejecting a daemon; each is a code of protocol/figures/close-reasons.ts. */
type NonMemberReason = "no-peers" | "not-a-member" | "revoked" | "left-out" | "not-listed";

/**
 * Returns why a daemon is not a member, or null if it is one. If there is a member list, the members are the daemons in
 * the list. Otherwise they are the daemons that have proved a pinned key, a key that an administrator has authorized,
 * or knowledge of the cluster's secret. The address of a connection is not a proof. A daemon with a revoked key can
 * never be a member, whatever it proves. Source: docs/protocol-v2.md "Members".
 * @param knowsSecret  whether the daemon has proved that it knows the cluster's secret
 * @param ring         the current key ring
 * @param membership   the state of the known member lists; if there is a list, only its daemons are members
 */
export function refusalOfMember(
  id: ByteString,
  knowsSecret: boolean,
  {
    ring,
    peers,
    membership,
  }: { readonly ring: KeyRing; readonly peers: readonly PeerAddress[]; readonly membership: MembershipState },
): NonMemberReason | null {
  if (peers.length === 0) return "no-peers";
  const record = ring.find(id);
  if (record !== undefined && record.role !== "daemon") return "not-a-member";
  if (record !== undefined && record.revokedAt !== null) return "revoked";
  if (membership.removed.has(id)) return "left-out";
  if (membership.members.has(id)) return null;
  // A key that its own daemon has added does not count as authorized. Without administrators, daemons add their own
  // keys so that they can sign.
  const isAuthorized = record !== undefined && record.addedBy !== null && record.addedBy !== id;
  // Check this before the list, because a daemon without any proof must not learn anything about the list.
  if (!knowsSecret && !isAuthorized && !peers.some(({ pin }) => pin === id)) return "not-a-member";
  return membership.heads.length > 0 ? "not-listed" : null;
}

/** The node. Its `peering` is created after the lists. Therefore that property is read only when it is needed. */
interface Bound {
  readonly storage: Storage;
  readonly signers: Signers;
  readonly identity: { readonly id: ByteString };
  /** `published` is the low watermark that was reported last, or 0 if there is none yet. */
  readonly timeline: { readonly published: number };
  readonly peering: { readonly state: DaemonState; listsChanged(): void };
}

/** Creates the member lists of a daemon with a timeline, and connects them with its peering. */
export function boundLists(node: Bound): MemberLists {
  const { storage, signers, identity } = node;
  const hasServed = () => node.timeline.published > 0 || node.peering.state !== "catching-up";
  const lists = new MemberLists(storage, signers, identity.id, hasServed);
  lists.changed = () => node.peering.listsChanged();
  return lists;
}

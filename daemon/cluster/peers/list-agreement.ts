/**
 * Agrees with other daemons on a member list that its members sign. Each daemon computes the text of the list from what
 * it sees itself, announces it, and signs it once enough members have announced the same text: all of them to found a
 * list, or to end one whose majority is lost, and more than half of those of the list in force to change it. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  accountsFor,
  type KnownList,
  type ListMessage,
  listAfter,
  readListAlone,
  type SignedList,
  successionProblem,
  writeMemberList,
} from "../../../protocol/members/member-list.js";
import type { MemberSignature } from "../../../protocol/members/member-signature.js";
import {
  isSignedByAll,
  isSignedByMajority,
  listSignedBytes,
  readListProof,
  writeListProof,
} from "../../../protocol/members/members-proof.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { type ListOrder, type MemberLists, shown } from "../members/member-lists.js";
import type { Member } from "./member.js";
import type { ClusterState } from "./shared/cluster-state.js";

/** A text of a list, as the members of the list announce it. */
interface Draft extends KnownList {
  readonly text: Buffer;
}

type Change = ListOrder & { readonly kind: "change" };

interface Announcement {
  /** The last text that the member has announced and that names this daemon; null: none. */
  readonly announced: Draft | null;
  /** The last text that the member has signed; null: none. */
  readonly signed: Draft | null;
}

export class ListAgreement {
  readonly #cluster: ClusterState<Member>;
  readonly #send: (member: Member, proof: Pick<ListMessage, "body" | "signature">) => void;
  readonly #stablePoint: () => number;
  /** The date up to which everything must be final before this daemon signs that it leaves; null: it does not leave. */
  #handsOverTo: number | null = null;
  /** What connected members have announced, by their ids. */
  readonly #announcements = new Map<ByteString, Announcement>();
  /** The signatures of this daemon's signed text, by the members' ids. */
  readonly #signatures = new Map<ByteString, MemberSignature>();
  /** What was sent to members since the last tick, by their ids. */
  readonly #sent = new Map<ByteString, string>();
  #isSigning = false;

  /**
   * @param send  sends a text and its signatures to a member
   * @param stablePoint  returns the date before which everything is final
   */
  constructor(
    cluster: ClusterState<Member>,
    send: (member: Member, proof: Pick<ListMessage, "body" | "signature">) => void,
    stablePoint: () => number,
  ) {
    this.#cluster = cluster;
    this.#send = send;
    this.#stablePoint = stablePoint;
    const signed = cluster.lists?.signedText;
    if (signed != null) this.#addSignatures(signed);
  }

  /** Called when a member has disconnected. */
  disconnected(member: Member): void {
    this.#announcements.delete(member.id);
    this.#sent.delete(member.id);
  }

  /**
   * Called when a member has sent a text that not all its members have signed.
   * @param body  a view of received bytes, like the signatures
   */
  receive(member: Member, body: Buffer, signatures: Buffer): void {
    const { lists, cluster, hash, identity, verifySignature: verify } = this.#cluster;
    if (lists === null) return;
    const text = Buffer.from(body);
    const found = readListAlone(text, NO_BYTES, cluster, hash);
    if ("refused" in found) return;
    const { members, removed } = found.list;
    // A member that leaves signs the list without itself.
    if (!members.includes(member.id) && !removed.includes(member.id)) return;
    const isOwnText = lists.signedText?.body.equals(text) === true;
    // Only the sender's signature of another text matters. A text that a member invents may be long.
    const proof = readListProof(found, text, signatures, { hash, verify }, isOwnText ? null : member.id);
    if (proof === null) return;

    const before = this.#announcements.get(member.id);
    // A list with this member has to account for its signed text, even if that text does not name this daemon.
    const draft = { list: found.list, hash: found.hash, text };
    const signed = proof.has(member.id) ? draft : (before?.signed ?? null);
    const announced = members.includes(identity.id) ? draft : (before?.announced ?? null);
    this.#announcements.set(member.id, { announced, signed });
    if (isOwnText) for (const [id, one] of proof) this.#signatures.set(id, one);
    this.advance();
  }

  /** Goes on with the agreement, and sends again what members may have missed. */
  tick(): void {
    this.#sent.clear();
    this.advance();
  }

  /** Signs the text if enough members have announced it, uses it if enough have signed it, and sends changes. */
  advance(): void {
    const { lists } = this.#cluster;
    if (lists === null || this.#isSigning) return;
    this.#complete(lists);
    if (!lists.isLeaving) this.#handsOverTo = null;

    const found = this.#draft(lists);
    lists.agreementWaitsFor = this.#obstacleTo(found, lists);
    const own = found === null || typeof found === "string" ? null : found;
    const draft = own === null || !this.#isAnnounced(own, lists) ? null : own;
    this.#announce(draft, own, lists);
    if (draft === null || !maySign(draft, lists)) return;
    if (this.#areReady(draft, lists)) void this.#sign(draft, lists);
  }

  /**
   * Returns the text to which this daemon agrees, or the reason why there is none. Null: the list in force needs no
   * change, this daemon has no peers, or administrators sign the lists.
   */
  #draft(lists: MemberLists): Draft | string | null {
    if (!lists.isFoundedByMembers) return null;
    const members = this.#wantedMembers(lists);
    const isSet = members !== null && typeof members !== "string";
    const own = isSet ? this.#draftOf(members, lists) : members;
    const { inForce } = lists.membership;
    if (inForce === null || lists.order?.kind === "force" || !lists.isMember || lists.isJoining) return own;

    // A member signs one change of each list, so that two majorities cannot sign two changes.
    const open = openTextOf(lists);
    if (open !== null) return { list: open.list, hash: open.hash, text: open.body };
    const adopted = this.#acceptable(inForce);
    const drafts = own === null || typeof own === "string" ? [...adopted] : [own, ...adopted];
    return drafts.sort((one, other) => precedence(one, other, inForce.list))[0] ?? own;
  }

  #draftOf(members: ReadonlySet<ByteString>, lists: MemberLists): Draft | string {
    const { hash, cluster } = this.#cluster;
    const signed = this.#openTexts(members, lists);

    const leaving = signed.flatMap(({ list }) => list.removed.filter((id) => members.has(id)));
    if (leaving.length > 0) return `${leaving.map(shown).join(", ")} ${IS_LEAVING}`;
    const wasteful = [...members].filter((id) =>
      signed.some((one) => one === this.#announcements.get(id)?.signed && isWasteful(one, lists.heads)),
    );
    if (wasteful.length > 0) return `${wasteful.map(shown).join(", ")} ${WASTES}`;
    const last = signed.find((one) =>
      signed.every((other) => other === one || accountsFor(one.list, other.list)),
    );
    const list =
      last !== undefined && hasMembers(last, members)
        ? last.list
        : listAfter(lists.heads, signed, members, cluster);
    if (typeof list === "string") return list;

    const text = Buffer.from(writeMemberList(list), "latin1");
    return { list, text, hash: hash(text) };
  }

  /**
   * Returns the signed texts that may be complete somewhere, for which a list that all its members sign has to account.
   * More than half of the members change a list, and what one of them has signed does not prevent that.
   */
  #openTexts(members: ReadonlySet<ByteString>, lists: MemberLists): readonly KnownList[] {
    if (lists.membership.inForce !== null && lists.order?.kind !== "force") return [];
    const found = new Map<ByteString, KnownList>();
    for (const signed of [
      openTextOf(lists),
      ...[...members].map((id) => this.#announcements.get(id)?.signed),
    ])
      if (signed != null && !lists.isFollowed(signed)) found.set(signed.hash, signed);
    return [...found.values()];
  }

  /** Returns the texts of other members with changes to which this daemon agrees, too. */
  #acceptable(inForce: KnownList): readonly Draft[] {
    const { cluster } = this.#cluster;
    return [...this.#announcements.values()].flatMap(({ announced }) => {
      if (announced === null) return [];
      const { list } = announced;
      const isNext =
        list.parents[0] === inForce.hash && successionProblem(list, [inForce.list], cluster) === null;
      return isNext && this.#agreesTo(announced, inForce) ? [announced] : [];
    });
  }

  /**
   * Whether this daemon sees the same change: new members are at its addresses, and those that leave have signed it
   * themselves, or are neither connected nor at its addresses. If none leaves, all members have to be connected: see
   * `#extended`.
   */
  #agreesTo({ list, hash }: KnownList, { list: before }: KnownList): boolean {
    const { addresses } = this.#cluster;
    const added = missingIn(before, list);
    const left = missingIn(list, before);
    // After a restart, the member may be at an address that has not answered yet.
    const mayBeAt = (id: ByteString) =>
      addresses.some((address) => !address.isSelf && (address.id === null || address.id === id));
    const isGone = (id: ByteString) =>
      this.#announcements.get(id)?.signed?.hash === hash || (!this.#isPresent(id) && !mayBeAt(id));

    if (left.length === 0 && !before.members.every((id) => this.#isPresent(id))) return false;
    return added.length + left.length > 0 && added.every((id) => this.#isNewcomer(id)) && left.every(isGone);
  }

  /** Whether a daemon at an address of --peer has proved that it would be a member if the list named it. */
  #isNewcomer(id: ByteString): boolean {
    return this.#cluster.addresses.some((address) => address.isUnlisted && address.id === id);
  }

  #isPresent(id: ByteString): boolean {
    return id === this.#cluster.identity.id || this.#cluster.members.has(id);
  }

  #wantedMembers(lists: MemberLists): ReadonlySet<ByteString> | string | null {
    const { order } = lists;
    if (order?.kind === "force") return this.#remaining(lists);
    if (order?.kind === "change") return this.#changed(lists, order);
    if (lists.hasLists) return this.#extended(lists);
    const founders = this.#founders();
    if (founders === null) return order === null ? null : "this daemon has no peers (--peer)";
    return lists.isDurable ? founders : NO_DATA;
  }

  /** Returns the members after an ordered change, or the reason why it is not possible. */
  #changed(
    { membership: { members, inForce, removed }, isMember, isJoining }: MemberLists,
    { leave, add }: Change,
  ): ReadonlySet<ByteString> | string {
    if (inForce === null) return "there is no list in force";
    if (!isMember || isJoining) return "this daemon does not have the members' data yet";
    if (!members.has(leave)) return `${shown(leave)} is not a member`;
    if (leave === this.#cluster.identity.id) return this.#remainingAfterLeaving(members, add);
    if (this.#isPresent(leave)) return `${shown(leave)} ${IS_CONNECTED}`;
    const connected = [...members].filter((id) => this.#isPresent(id)).length;
    if (2 * connected <= members.size)
      return `more than half of the members have to agree, and only ${connected} of ${members.size} are connected; ${IF_LOST}`;

    const changed = new Set(members);
    changed.delete(leave);
    if (add === null) return changed;
    if (removed.has(add)) return `${shown(add)} was a member before: start it with an empty folder`;
    if (!this.#isNewcomer(add))
      return `no daemon with the id ${shown(add)} was found at an address of --peer`;
    return changed.add(add);
  }

  /** Returns the members without this daemon, or the reason why it cannot leave them. @param add  its replacement */
  #remainingAfterLeaving(
    members: ReadonlySet<ByteString>,
    add: ByteString | null,
  ): ReadonlySet<ByteString> | string {
    if (add !== null)
      return "a daemon that runs cannot be replaced: remove it first, and then add the other one";
    const missing = [...members].filter((id) => !this.#isPresent(id));
    if (missing.length > 0)
      return `this daemon can leave only while ${missing.map(shown).join(", ")} is connected`;
    const others = new Set(members);
    others.delete(this.#cluster.identity.id);
    return others.size === 0 ? "this daemon is the only member" : others;
  }

  /**
   * Whether all members have everything that this daemon has accepted from clients. It accepts no more from the moment
   * at which it begins to leave, so that nothing that it has acknowledged has a later date than `#handsOverTo`.
   */
  #hasHandedOver(): boolean {
    const { timeline, clock, limits } = this.#cluster;
    this.#handsOverTo ??= Math.max(timeline.newest.at, clock() + limits.future);
    return this.#stablePoint() > this.#handsOverTo;
  }

  /**
   * Returns the members of the list and the daemons that are to be added: those at addresses of --peer. While a member
   * is not connected, such a daemon may be the same one with an empty folder.
   */
  #extended(lists: MemberLists): ReadonlySet<ByteString> | string | null {
    const { addresses } = this.#cluster;
    const { membership, isMember, isJoining } = lists;
    if (membership.inForce === null || !isMember || isJoining) return null;

    const added = addresses.flatMap(({ id, isUnlisted }) => (id !== null && isUnlisted ? [id] : []));
    const fresh = added.filter((id) => !membership.members.has(id) && !membership.removed.has(id));
    if (fresh.length === 0) return this.#otherGroup() ?? this.#unnamed(membership.members);

    const missing = [...membership.members].filter((id) => !this.#isPresent(id));
    if (missing.length > 0) {
      const mayChange = 2 * missing.length < membership.members.size;
      return `${fresh.map(shown).join(", ")} can be added only while ${missing.map(shown).join(", ")} is connected; ${mayChange ? IF_REPLACED : IF_LOST}`;
    }

    return new Set([...membership.members, ...fresh]);
  }

  /** Returns a sentence about a daemon at an address of --peer that has a list of its own, or null if there is none. */
  #otherGroup(): string | null {
    const other = this.#cluster.addresses.find(({ hasOtherList }) => hasOtherList);
    return other === undefined ? null : `the daemon at ${other.name} ${HAS_OTHER_LIST}`;
  }

  /** Returns a sentence about members that are down and that --peer no longer names, or null if there are none. */
  #unnamed(members: ReadonlySet<ByteString>): string | null {
    const { addresses } = this.#cluster;
    if (addresses.some(({ id, isSelf }) => id === null && !isSelf)) return null;
    const unnamed = [...members].filter(
      (id) => !this.#isPresent(id) && !addresses.some((address) => address.id === id),
    );
    if (unnamed.length === 0) return null;
    return `${unnamed.map(shown).join(", ")} is a member, but not at an address of --peer: dbsync members remove removes it`;
  }

  /** Returns this daemon and the daemons at its addresses, or the reason why they cannot found a list; null: alone. */
  #founders(): ReadonlySet<ByteString> | string | null {
    const { addresses, members, identity } = this.#cluster;
    const found = new Set([identity.id]);
    for (const { id, isSelf, name } of addresses) {
      if (isSelf) continue;
      if (id === null || !members.has(id)) return `the daemon at ${name} is not connected`;
      found.add(id);
    }

    // It would be left out by a list of the remaining ones, and would no longer accept writes.
    const [unnamed] = [...members.keys()].filter((id) => !found.has(id));
    if (unnamed !== undefined) return `${shown(unnamed)} is connected, but not at an address of --peer`;
    return found.size === 1 ? null : found;
  }

  /** Returns the connected members of the list, or the reason why they cannot force a list. */
  #remaining(lists: MemberLists): ReadonlySet<ByteString> | string {
    if (!lists.isMember) return "this daemon is not a member of the list";
    if (lists.isJoining) return "this daemon does not have the members' data yet";
    const remaining = [...lists.membership.members].filter((id) => this.#isPresent(id));
    // Of two lists of which neither follows the other, the members of both continue, even if none is lost.
    return lists.heads.length === 1 && remaining.length === lists.membership.members.size
      ? "all members of the list are connected, so none is lost"
      : new Set(remaining);
  }

  /**
   * Whether this daemon announces its text. After it has signed another one that is not complete, an operator has to
   * order that, or another daemon has to announce the same.
   */
  #isAnnounced({ hash }: Draft, lists: MemberLists): boolean {
    const open = openTextOf(lists);
    if (lists.order !== null || open === null || open.hash === hash) return true;
    return [...this.#announcements.keys()].some((id) => this.#hasAnnounced(id, hash));
  }

  #hasAnnounced(id: ByteString, hash: ByteString): boolean {
    return this.#announcements.get(id)?.announced?.hash === hash;
  }

  /** Whether enough members have announced the same text. */
  #areReady(draft: Draft, { membership: { inForce }, order }: MemberLists): boolean {
    const { identity } = this.#cluster;
    // The members agree to a list without this daemon only after it has signed it.
    if (!draft.list.members.includes(identity.id)) return this.#hasHandedOver();
    const announced = {
      has: (id: ByteString) => id === identity.id || this.#hasAnnounced(id, draft.hash),
    };
    if (inForce === null || order?.kind === "force") return isSignedByAll(draft, announced);
    return isSignedByMajority(draft, announced, inForce);
  }

  async #sign(draft: Draft, lists: MemberLists): Promise<void> {
    const { identity } = this.#cluster;
    const signature = identity.sign(listSignedBytes(draft.text)).toString("latin1");
    const proof = writeListProof(new Map([[identity.id, { spki: identity.spki, signature }]]));

    this.#isSigning = true;
    // If the disk fails, the signature is never sent.
    const isStored = await lists.sign({ ...draft, body: draft.text, signature: proof }).then(
      () => true,
      () => false,
    );
    this.#isSigning = false;

    if (!isStored || lists.signedText === null) return;
    this.#signatures.clear();
    this.#addSignatures(lists.signedText);
    this.advance();
  }

  #addSignatures(signed: SignedList): void {
    const { hash, verifySignature: verify } = this.#cluster;
    const proof = readListProof(signed, signed.body, signed.signature, { hash, verify });
    for (const [id, one] of proof ?? []) this.#signatures.set(id, one);
  }

  /** Uses the signed text once enough members have signed it. */
  #complete(lists: MemberLists): void {
    const open = openTextOf(lists);
    if (open === null) return;
    const outcome = lists.take(open.body, writeListProof(this.#signatures));
    if (outcome === "incomplete") return;

    const { log } = this.#cluster;
    if (typeof outcome === "object" && "refused" in outcome)
      log.error({ reason: outcome.refused }, "the list that its members have signed is not valid");
    else
      log.info(
        { number: open.list.number, members: open.list.members.map(hexOf) },
        "the members have signed a list of members",
      );
  }

  /**
   * Sends members the text to which this daemon agrees, and the one that it has signed.
   * @param draft  null: none
   * @param own  the text that it would announce after an order. Its members need the signed text, too: see `receive`
   */
  #announce(draft: Draft | null, own: Draft | null, lists: MemberLists): void {
    const open = openTextOf(lists);
    const key = `${draft?.hash} ${own?.hash} ${open?.hash} ${this.#signatures.size}`;
    for (const member of this.#cluster.members.values()) {
      if (member.status === null || this.#sent.get(member.id) === key) continue;
      this.#sent.set(member.id, key);
      if (open !== null && [open, own].some((text) => text?.list.members.includes(member.id)))
        this.#send(member, { body: open.body, signature: writeListProof(this.#signatures) });
      if (draft?.list.members.includes(member.id) && draft.hash !== open?.hash)
        this.#send(member, { body: draft.text, signature: NO_BYTES });
    }
  }

  #obstacleTo(draft: Draft | string | null, lists: MemberLists): string | null {
    if (draft === null) return null;
    if (typeof draft === "string") return draft;

    const { identity } = this.#cluster;
    const others = draft.list.members.filter((id) => id !== identity.id);
    if (lists.signedText?.hash === draft.hash) {
      const missing = others.filter((id) => !this.#signatures.has(id));
      return missing.length === 0 ? null : `not signed yet by ${missing.map(shown).join(", ")}`;
    }

    if (!draft.list.members.includes(identity.id)) return HANDS_OVER;
    const differing = others.filter((id) => !this.#hasAnnounced(id, draft.hash));
    return differing.length === 0 ? null : `not announced yet by ${differing.map(shown).join(", ")}`;
  }
}

/** Returns the text that this daemon has signed, if it is not known that enough members have; null: there is none. */
const openTextOf = (lists: MemberLists): SignedList | null => {
  const { signedText } = lists;
  return signedText === null || lists.isFollowed(signedText) ? null : signedText;
};

/** Whether a text follows the last one that this daemon has signed, if that one may still be complete. */
function maySign({ list, hash }: Draft, lists: MemberLists): boolean {
  const open = openTextOf(lists);
  return open === null || (open.hash !== hash && accountsFor(list, open.list));
}

/** Returns the members of `other` that are no members of `list`. */
const missingIn = (list: KnownList["list"], other: KnownList["list"]): readonly ByteString[] =>
  other.members.filter((id) => !list.members.includes(id));

/** Orders texts of changes: the smallest change first, to which more members agree. */
function precedence(one: Draft, other: Draft, before: KnownList["list"]): number {
  const size = ({ list }: Draft) => missingIn(before, list).length + missingIn(list, before).length;
  return size(one) - size(other) || (one.hash < other.hash ? -1 : 1);
}

/**
 * Whether a text uses up so many numbers, or left-out ids, that lists that account for it might reach the maximum. Only
 * a member that lies signs such a text.
 */
function isWasteful({ list: { number, removed } }: KnownList, heads: readonly KnownList[]): boolean {
  const most = (count: (list: KnownList["list"]) => number) =>
    heads.reduce((found, { list }) => Math.max(found, count(list)), 0);
  return (
    number > NUMBERS_MAX + most((list) => list.number) ||
    removed.length > LEFT_MAX + most((list) => list.removed.length)
  );
}

const NUMBERS_MAX = 1_000_000;
const LEFT_MAX = 256;
const WASTES =
  "has signed a list whose number is too high, or that leaves out too many daemons: stop it, and remove it from --peer";

const hasMembers = ({ list }: KnownList, members: ReadonlySet<ByteString>): boolean =>
  list.members.length === members.size && list.members.every((id) => members.has(id));

const IS_LEAVING =
  "is left out by a list that it or another member has signed, and cannot be a member of a later one: stop it";
const IS_CONNECTED =
  "is connected: run dbsync members remove on its machine, so that it hands over its writes, or stop it first";
const HAS_OTHER_LIST =
  "has a list of members of its own: choose the group whose writes are kept, and run dbsync members join on each machine of the other one";
const HANDS_OVER = "what this daemon has accepted is not final yet on all members";
const IF_REPLACED = "if it replaces that daemon, use dbsync members replace";
const IF_LOST = "if the remaining ones are lost, use dbsync members force";
const NO_DATA = "this daemon has no data folder (--data), so it would restart empty";
const NO_BYTES = Buffer.alloc(0);

/**
 * Exchanges member lists. Each member reports which list it uses, and sends its list to members that use a different
 * list. A member's reports count only while it uses the same list as this daemon. Source: docs/protocol-v2.md "Members
 * by list".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { UNLISTED_CAUSES } from "../../../protocol/figures/unlisted-causes.js";
import { HEADS_MAX, isListText, type ListMessage } from "../../../protocol/members/member-list.js";
import { type JoinReport, joinedWatermark } from "../../timeline/members/rules.js";
import type { MemberLists } from "../members/member-lists.js";
import { boundOf } from "./finality/common-date.js";
import { ListAgreement } from "./list-agreement.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import { type ClusterState, factsOf } from "./shared/cluster-state.js";
import { type Electorate, majorityOf } from "./shared/electorate.js";

/**
 * The maximum number of lists from one member that are checked between two statuses. An honest member has one list, or
 * two concurrent lists.
 */
const CHECKS_MAX = 16;
/** The bytes of a text that count as one more check: an invented text may be long, with signatures by many keys. */
const CHECK_BYTES = 65_536;

/** The list that a member uses, and the member's other reports under that list. */
interface MemberReport extends Omit<JoinReport, "isLive" | "watermark" | "isPulled"> {
  readonly isReporting: boolean;
  /** Whether no date becomes final by its reports: see `ListMessage`. */
  readonly hasEarlyVote: boolean;
  /**
   * The member's last status at the time when it first reported this list. The watermark in that status is older than
   * the report.
   */
  readonly statusThen: Member["status"];
  /** The number of the member's lists that were checked since its last status. */
  checks: number;
  /** Whether the lists that are known here have been sent to the member since its last status. */
  isSent: boolean;
}

const NO_REPORT: MemberReport = {
  list: "",
  isReporting: false,
  hasEarlyVote: false,
  statusThen: null,
  checks: 0,
  isSent: false,
};

export class MemberListExchange {
  readonly #cluster: ClusterState<Member>;
  readonly #roster: Roster;
  readonly #reports = new Map<Member, MemberReport>();
  readonly #vouched = new VouchedLists();
  /** The agreement on a list that its members sign. */
  readonly #agreement: ListAgreement;
  /** The number of lists that members have sent while closing their connections, since the last tick. */
  #checks = 0;
  #nextAt = 0;
  #wasOutside: boolean;

  /** @param stablePoint  returns the date before which everything is final */
  constructor(cluster: ClusterState<Member>, roster: Roster, stablePoint: () => number) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.#agreement = new ListAgreement(
      cluster,
      (member, { body, signature }) => member.connection.send(this.#message(body, signature)),
      stablePoint,
    );

    this.#wasOutside = cluster.lists?.isOutside ?? false;
    if (this.#wasOutside) this.#logOutside();
  }

  /** Called when a member has disconnected. */
  disconnected(member: Member): void {
    this.#reports.delete(member);
    this.#agreement.disconnected(member);
  }

  tick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#cluster.limits.statusEveryMs;
    this.#checks = 0;
    for (const member of this.#cluster.members.values()) this.announce(member);
    this.#requestMissing();
    this.#agreement.tick();
    this.#join();
  }

  /**
   * Called when the lists known here have changed.
   * @returns whether this daemon ignored its members' messages until now because no list named it
   */
  changed(): boolean {
    const { isOutside = false, isSettled = false, isJoining = false } = this.#cluster.lists ?? {};
    const wasOutside = this.#wasOutside;
    this.#wasOutside = isOutside;
    if (isOutside && !wasOutside) this.#logOutside();
    this.#agreement.advance();
    if (isSettled) this.#announceAll(isJoining);
    return wasOutside && !isOutside;
  }

  #logOutside(): void {
    const { lists, log } = this.#cluster;
    const cause = lists?.refusalCause ?? "not-listed";
    const reason = lists?.refusal ?? "no list names this daemon";
    log[cause === "left" ? "info" : "error"](
      {},
      `no writes are accepted: ${reason}; ${UNLISTED_CAUSES[cause].fix}`,
    );
  }

  #announceAll(isJoining: boolean): void {
    for (const member of this.#cluster.members.values()) {
      if (isJoining) member.compareAgain();
      this.announce(member);
      this.#sendLists(member);
    }
  }

  /** Sends the hash of the list that this daemon uses. */
  announce(member: Member): void {
    const { lists } = this.#cluster;
    if (lists === null || member.status === null) return;
    const report = this.#of(member);
    report.checks = 0;
    report.isSent = false;
    member.connection.send(this.#message(NO_BYTES, NO_BYTES));
  }

  receiveList(member: Member, message: ListMessage): void {
    const { hash, isReporting, hasEarlyVote, body, signature } = message;
    const { lists } = this.#cluster;
    if (lists === null) return;
    const report = this.#of(member);
    const isNew = report.list !== hash;
    const statusThen = isNew || isReporting !== report.isReporting ? member.status : report.statusThen;
    this.#reports.set(member, { ...report, list: hash, isReporting, hasEarlyVote, statusThen });

    if (isNew && lists.isJoining) member.compareAgain();
    if (body.length > 0) this.#take(member, body, signature);
    if (hash !== lists.durable.hash) this.#sendLists(member);
  }

  /**
   * Accepts a list that a member sends while closing the connection, to prove that the list leaves this daemon out.
   * @param id  the member's id
   */
  leftOut(id: ByteString, { body, signature }: ListMessage): void {
    if (body.length === 0 || ++this.#checks > CHECKS_MAX) return;
    this.#takeFrom(id, body, signature);
  }

  /** Sends a list, old or new, that a member needs to check a decision. */
  receiveRequest(member: Member, hash: ByteString): void {
    const list = this.#cluster.lists?.history.find(hash);
    if (list == null) return;
    const { body, signature } = list;
    member.connection.send({ kind: "earlier-list", body, signature });
  }

  /** @param message  its buffers are views of received bytes */
  receiveEarlier(member: Member, { body, signature }: Pick<ListMessage, "body" | "signature">): void {
    if (++this.#of(member).checks > CHECKS_MAX) return;
    this.#cluster.lists?.takeEarlier(Buffer.from(body), Buffer.from(signature));
  }

  /** Requests the lists that decisions name, and that are not known here. */
  #requestMissing(): void {
    const { lists, members } = this.#cluster;
    for (const hash of lists?.history.missing ?? [])
      for (const { status, connection } of members.values())
        if (status !== null) connection.send({ kind: "list-request", hash });
  }

  /** The hash of the list under which this daemon reports; empty: there is no list; null: it reports under none. */
  get own(): ByteString | null {
    const { lists } = this.#cluster;
    if (lists === null || lists.others === null) return "";
    return lists.isReporting ? lists.durable.hash : null;
  }

  /** Returns the hash of the list under which a member's reports count for finality, as in `own`. */
  listOf(member: Member): ByteString | null {
    if (this.own === "") return "";
    const { list, isReporting, hasEarlyVote } = this.#reports.get(member) ?? NO_REPORT;
    return isReporting && !hasEarlyVote ? list : null;
  }

  /** Returns the members whose reports count. @param all  all other members, or null if one is not connected */
  reporters(all: readonly Member[] | null): readonly Member[] | null {
    const { own } = this;
    if (own === null || all === null) return null;
    return all.every((member) => this.listOf(member) === own) ? all : null;
  }

  #of(member: Member): MemberReport {
    const report = this.#reports.get(member) ?? { ...NO_REPORT };
    this.#reports.set(member, report);
    return report;
  }

  /** Sends all lists that are known here, at most once between two statuses. */
  #sendLists(member: Member): void {
    const { lists } = this.#cluster;
    const report = this.#of(member);
    if (lists === null || report.isSent || member.status === null) return;
    report.isSent = true;
    for (const { body, signature } of lists.durable.lists)
      member.connection.send(this.#message(body, signature));
  }

  #message(body: Buffer, signature: Buffer): ListMessage {
    const { lists, timeline } = this.#cluster;
    const { hash = "" } = lists?.durable ?? {};
    const isReporting = lists?.isReporting ?? false;

    return {
      kind: "list",
      hash,
      isReporting,
      // The decision of its open vote may be dated before its published watermark. The other members must not count
      // this watermark, because the member that had voted first may not be on this list.
      hasEarlyVote: isReporting && boundOf(timeline) < timeline.published,
      body,
      signature,
    };
  }

  #take(member: Member, body: Buffer, signature: Buffer): void {
    const report = this.#of(member);
    report.checks += isListText(body) ? 1 + Math.floor(body.length / CHECK_BYTES) : 1;
    if (report.checks > CHECKS_MAX) return;

    const isInUse = isListText(body) && this.#cluster.hash(body) === report.list;
    const outcome = this.#takeFrom(member.id, body, signature, isInUse);
    if (outcome === "incomplete") this.#agreement.receive(member, body, signature);
    else if (outcome === "unknown-signer") member.unknown();
    else if (typeof outcome === "object" && "refused" in outcome)
      // Only log the refusal: an honest member may use a refused list if the signer's key was revoked in the meantime.
      this.#cluster.notices.warn(
        `list of ${member.id}`,
        { ...factsOf(member), reason: outcome.refused },
        LIST_REFUSED,
      );
  }

  /**
   * Accepts a list that has a valid signature of a known key, or that most of the configured peers use.
   * @param body  a view of received bytes, like the signature
   * @param isInUse  whether the member uses the list, and does not only agree to it
   */
  #takeFrom(
    id: ByteString,
    body: Buffer,
    signature: Buffer,
    isInUse = true,
  ): ReturnType<MemberLists["take"]> {
    const { lists, hash, log } = this.#cluster;
    if (lists === null) return "old";
    const [copy, signatureCopy] = [Buffer.from(body), Buffer.from(signature)];
    const outcome = lists.take(copy, signatureCopy);
    // A member that uses a list may have known the list before it, whose members have signed this one.
    if (outcome !== "unknown-signer" && !(outcome === "incomplete" && isInUse)) return outcome;

    const peers = this.#vouched.vouch(
      id,
      // Members may have different signatures of one list that they have signed themselves.
      hash(isListText(copy) ? copy : Buffer.concat([copy, signatureCopy])),
      this.#roster.configured,
    );
    if (peers === null) return outcome;
    const taken = lists.takeVouched(copy, signatureCopy, peers);
    if (typeof taken === "object" && !("refused" in taken)) log.info({ peers }, VOUCHED);
    return taken;
  }

  /**
   * Completes joining. A daemon that a list has added accepts no entry until it has learnt from the members from which
   * date it may accept entries.
   */
  #join(): void {
    const { lists, timeline, log, clock } = this.#cluster;
    if (lists === null || lists.others === null || !lists.isJoining || !lists.isSettled) return;

    const reports = new Map<ByteString, JoinReport>();
    for (const [id, member] of this.#cluster.members) {
      const { list, isReporting, statusThen } = this.#reports.get(member) ?? NO_REPORT;
      const watermark = member.status?.watermark ?? 0;
      const isPulled = member.compared !== null && member.status !== statusThen;
      reports.set(id, { list, watermark, isLive: isReporting, isPulled });
    }

    const from = joinedWatermark({
      list: lists.durable.hash,
      isFirst: lists.durable.lists.length === 1 && lists.durable.lists[0]?.list.parents.length === 0,
      others: lists.others,
      reports,
      own: timeline.published,
      now: clock(),
    });
    if (from === null) return;

    timeline.raise(from);
    lists.joined();
    log.info({}, "this daemon has joined the members on the list");
  }
}

const VOUCHED =
  "a member list was accepted although its signer's key is not in this daemon's key ring: most of its configured peers use it";
const LIST_REFUSED =
  "this daemon refuses the member list that a member uses: nothing becomes final before both use the same list";
const NO_BYTES = Buffer.alloc(0);

/**
 * The numbers of configured peers that use a member list whose signer's key is not known here. A daemon with an empty
 * folder knows only the keys that it was started with, and members send it their key ring only after a list names it.
 * Therefore it accepts a list signed by an administrator that was added later, if most of the configured peers use that
 * list. Source: docs/decisions/0051.
 */
class VouchedLists {
  /** The hashes of the lists that each peer has sent, the newest last, by the peer's id. */
  readonly #sent = new Map<ByteString, readonly ByteString[]>();

  /**
   * Records that a peer uses a list. A peer that is not configured is not counted.
   * @param peer  the id that the peer has proved
   * @param list  the hash of the list's envelope and signature, or of the text that its members have signed
   * @param configured  the peers of --peer
   * @returns the number of configured peers that use the list, or null if it is not a majority of them
   */
  vouch(peer: ByteString, list: ByteString, configured: Electorate): number | null {
    for (const id of this.#sent.keys()) if (!configured.ids.has(id)) this.#sent.delete(id);
    if (!configured.ids.has(peer)) return null;
    const before = (this.#sent.get(peer) ?? []).filter((other) => other !== list);
    this.#sent.set(peer, [...before.slice(1 - HEADS_MAX), list]);
    let count = 0;
    for (const lists of this.#sent.values()) if (lists.includes(list)) count++;
    return count >= majorityOf(configured) ? count : null;
  }
}

/**
 * Manages the members, and the one connection to each member: opens and accepts connections, retries, keeps the better
 * of two connections to the same member, and logs problems. Source: docs/protocol-v2.md "Members".
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type AdmissionCode, isAdmissionCode } from "../../../protocol/figures/admission-refusals.js";
import { CLOSE_REASONS, type CloseCode, isMembershipCode } from "../../../protocol/figures/close-reasons.js";
import type { ListMessage } from "../../../protocol/members/member-list.js";
import type { ExchangeMessage } from "../../../protocol/members/member-messages.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Hello } from "../../../protocol/version-2/messages-v2.js";
import type { LogThrottle } from "../../net/process/log-throttle.js";
import type { PeerAddress } from "../../options/peer-address.js";
import { Dialers, NOT_CONNECTED } from "./connections/dialer.js";
import { type ConnectionHandlers, MemberConnection } from "./connections/member-connection.js";
import { Handshakes } from "./connections/unauthenticated-connections.js";
import type { Member } from "./member.js";
import { MemberAbsences, NOT_AWAY } from "./member-absences.js";
import { type Closing, type ClusterState, type MemberStatus, NO_CLOSING } from "./shared/cluster-state.js";
import {
  allMembersIfConnected,
  type Electorate,
  electorateIn,
  electorateOf,
  nonVotersMax,
} from "./shared/electorate.js";
import type { MemberSocket, MemberSocketHandlers } from "./shared/member-socket.js";
import { MEMBERS_MAX } from "./shared/peering-limits.js";

/** The handlers of the events of members. */
export interface RosterEvents {
  /**
   * Called when a connection is authenticated on both sides.
   * @param bit  belongs to the member until `onForgotten` is called with this bit
   */
  onJoined(connection: MemberConnection, bit: number): Member;
  onMessage(member: Member, message: ExchangeMessage): void;
  onDisconnected(member: Member): void;
  /** Called when a member sends a list while closing the connection. @param id  the member's id */
  onRemoved(id: ByteString, message: ListMessage): void;
  /** Called when a bit is assigned to another member. */
  onForgotten(bit: number): void;
}

/** The system's code if no process listens on a port. */
const PORT_CLOSED = "ECONNREFUSED";

export class Roster implements ConnectionHandlers {
  readonly ownRemoval: OwnRemoval;
  readonly #cluster: ClusterState<Member>;
  readonly #events: RosterEvents;
  readonly #dialers = new Dialers();
  /** Authenticated connections over which only lists have been received so far. */
  readonly #unconfirmed = new WeakSet<MemberConnection>();
  readonly #handshakes: Handshakes;
  readonly #slots: MemberSlots;
  readonly #absences = new MemberAbsences();
  readonly #bans = new Bans((id) => this.#slots.hasVote(id));
  #isRunning = false;

  constructor(cluster: ClusterState<Member>, events: RosterEvents) {
    this.#cluster = cluster;
    this.#events = events;
    const bits = new MemberBits(cluster, this.#absences.lastSeen, (bit) => events.onForgotten(bit));
    this.#slots = new MemberSlots(cluster, bits);
    this.ownRemoval = new OwnRemoval(cluster.notices);
    this.#handshakes = new Handshakes(cluster.limits);
    this.setPeers(cluster.peers);
  }

  /** Authenticated connections, by id. */
  get members(): ReadonlyMap<ByteString, Member> {
    return this.#cluster.members;
  }

  start(): void {
    this.#isRunning = true;
  }

  stop(): void {
    this.#isRunning = false;
    for (const { connection, outbox } of this.#cluster.members.values()) {
      outbox.pushNow();
      connection.close("stopping");
    }
    for (const { connection } of this.#dialers) connection?.close("stopping");
    for (const connection of [...this.#handshakes]) this.#close(connection, "stopping");
    this.#cluster.members.clear();
  }

  /** Opens connections that have waited long enough, and closes silent ones. */
  tick(now: number): void {
    this.#absences.tick(this.#listed, now);
    for (const dialer of this.#dialers) {
      const isCovered = this.#dialers.isCovered(dialer, this.members);
      const isCheck = isCovered && dialer.isCheckDue(now, this.#dialers.isAmbiguous(dialer));
      if (isCheck || dialer.isDue(now, isCovered)) {
        dialer.isCheck = isCheck;
        dialer.connection = MemberConnection.open(this.#cluster, this, dialer.address);
      }
      dialer.connection?.checkTime(now);
    }

    for (const connection of [...this.#handshakes]) connection.checkTime(now);
    for (const { connection } of [...this.#cluster.members.values()]) connection.checkTime(now);
  }

  /** Replaces the addresses. Closes connections that were opened to addresses that are no longer listed. */
  setPeers(addresses: ClusterState["peers"]): void {
    for (const connection of this.#dialers.set(addresses, this.#cluster)) this.#close(connection, "stopping");
    this.#cluster.addresses = this.#dialers.all;
    this.recheck();
  }

  /** Closes every connection. Each new connection then begins with a comparison of all entries. */
  reconnectAll(): void {
    for (const { connection } of [...this.#cluster.members.values()]) this.#close(connection, "duplicate");
  }

  /** Drops connections to daemons that are no longer members. */
  recheck(): void {
    for (const member of [...this.#cluster.members.values()]) {
      const { refusal } = member.connection;
      if (refusal !== null) member.connection.drop(refusal, CLOSE_REASONS[refusal]);
    }
  }

  accept(socket: MemberSocket, hello: Hello): MemberSocketHandlers {
    const connection = MemberConnection.answer(this.#cluster, this, socket);
    if (this.#isRunning) connection.greet(hello);
    else connection.close("stopping");
    // `greet` may have closed the connection, because the hello alone can show that the other side is not a member.
    const oldest = connection.isClosed ? null : this.#handshakes.add(connection);
    oldest?.close("too-many-handshakes");
    if (oldest !== null) this.lost(oldest, "too-many-handshakes", CLOSE_REASONS["too-many-handshakes"]);
    return connection;
  }

  /** Whether there are addresses other than this daemon's own. */
  get hasOthers(): boolean {
    return this.#dialers.hasOthers;
  }

  /**
   * The reason of each peer that refuses this daemon, by its address in --peer, or null unless every peer that has
   * answered refuses it for such a reason. A peer that has not answered does not count.
   */
  get refusals(): ReadonlyMap<string, AdmissionCode> | null {
    if (this.members.size > 0) return null;
    const { answers } = this.#dialers;
    if (answers.length === 0) return null;

    const refusals = new Map<string, AdmissionCode>();
    for (const [address, answer] of answers) {
      if (!isAdmissionCode(answer)) return null;
      refusals.set(address, answer);
    }
    return refusals;
  }

  /** Called when this daemon's secret has changed: the peers may admit it now. */
  secretChanged(): void {
    for (const dialer of this.#dialers) dialer.startAgain();
  }

  /** Whether the member is configured or connected. */
  has(id: ByteString): boolean {
    return this.#cluster.members.has(id) || this.#dialers.has(id);
  }

  /**
   * The peers of --peer, without the peers that a list leaves out permanently. A peer that the current list simply does
   * not name still counts: otherwise a malicious peer could replay an earlier list that names few members, and form a
   * majority.
   */
  get configured(): Electorate {
    const removed = this.#cluster.lists?.removed;
    return electorateOf(this.#dialers.all.filter(({ id }) => id === null || removed?.has(id) !== true));
  }

  get #listed(): ReadonlySet<ByteString> | null {
    return this.#cluster.lists?.others ?? null;
  }

  /** Voting members that are connected. */
  get voters(): readonly Member[] {
    return this.#slots.voters;
  }

  /**
   * All members of the list or, without a list, all that are configured or connected; null if one of them is not
   * connected.
   */
  get all(): readonly Member[] | null {
    return allMembersIfConnected(this.#dialers.all, this.#listed, this.members);
  }

  /** The number of daemons that vote, including this one. */
  get size(): number {
    return electorateIn(this.#cluster).others + 1;
  }

  /**
   * Returns when so many of the other daemons that vote had sent something that they and this daemon are a majority.
   * @param now  `uptime` milliseconds, like the result
   * @returns minus infinity: too few have sent something since the start
   */
  majorityHeardAt(now: number): number {
    const { ids, others } = electorateIn(this.#cluster);
    const times = Array.from(ids, (id) => this.#lastSeenAt(id)).sort((a, b) => b - a);
    const majority = Math.floor((others + 1) / 2) + 1;
    return [now, ...times][majority - 1] ?? Number.NEGATIVE_INFINITY;
  }

  /** Returns when a daemon has last sent something; minus infinity: not since the start. */
  #lastSeenAt(id: ByteString): number {
    const connection = this.#cluster.members.get(id)?.connection;
    return connection?.lastSeenAt ?? this.#absences.lastSeen.get(id) ?? Number.NEGATIVE_INFINITY;
  }

  /** Statuses of the addresses of --peer first, then of other members that are connected, or that the list names. */
  get statuses(): readonly MemberStatus[] {
    return statusesOf(this.#dialers, this.members, this.#listed, this.#absences, this.#cluster.uptime());
  }

  /** Returns the SubjectPublicKeyInfo of a daemon's key, or null if no daemon has proved that it has that id. */
  spkiOf(id: ByteString): ByteString | null {
    return this.#cluster.members.get(id)?.connection.spki ?? this.#dialers.spkiOf(id);
  }

  /** Drops a member, and refuses its connections for a while. */
  ban({ id }: MemberConnection, detail: string): void {
    const { uptime, limits } = this.#cluster;
    this.#banUntil(uptime() + limits.banMs, id, "too-many-refused", detail);
  }

  /** Bans a member permanently, because it has signed contradictory votes. */
  banPermanently(id: ByteString): void {
    this.#banUntil(Number.POSITIVE_INFINITY, id, "contradicted", CLOSE_REASONS.contradicted);
  }

  #banUntil(until: number, id: ByteString, code: CloseCode, detail: string): void {
    this.#bans.add(id, until, this.#cluster.uptime());
    const member = this.#cluster.members.get(id);
    if (member === undefined) return;
    const dialer = this.#dialers.of(member.connection);
    member.connection.drop(code, detail);
    dialer?.rest(until);
  }

  /**
   * Returns why a hello alone is sufficient to refuse a daemon, or null if it is not. No proof has been made or
   * verified yet.
   */
  helloRefusal(connection: MemberConnection, id: ByteString): CloseCode | null {
    const { refusal, secret, uptime, identity } = this.#cluster;
    // If the hello contains this daemon's own id, only the proof can show whether the connection really leads to this
    // daemon.
    if (id === identity.id) return null;

    const reason = refusal(id, secret !== null);
    if (reason !== null && !isMembershipCode(reason)) return reason;
    if (this.#bans.has(id, uptime())) return "too-many-refused";
    if (!this.#slots.hasOneFor(id, this.#dialers.of(connection) !== undefined)) return "too-many-members";

    const other = this.#cluster.members.get(id)?.connection;
    const dialer = this.#dialers.of(connection);
    // Report a duplicate only for an id that was proved at this address before. Any other hello may be forged, and must
    // not keep this daemon from connecting to the address.
    if (other === undefined || dialer?.id !== id) return null;
    return !dialer.isCheck && isBetter(connection, other, this.#cluster.identity.id) ? null : "duplicate";
  }

  proven(connection: MemberConnection): void {
    this.#handshakes.delete(connection);
    const { id } = connection;
    const dialer = this.#dialers.of(connection);
    dialer?.proved(connection);
    if (dialer !== undefined) {
      dialer.answer = "admitted";
      dialer.isUnlisted = dialer.hasOtherList = false;
    }

    const other = this.#cluster.members.get(id);
    const isSpare = other !== undefined && !isBetter(connection, other.connection, this.#cluster.identity.id);
    if (isSpare || !this.#slots.hasOneFor(id, dialer !== undefined)) {
      this.#close(connection, isSpare ? "duplicate" : "too-many-members");
      return;
    }

    const displaced = this.#slots.nonVoterToDropFor(id);
    displaced?.connection.drop("too-many-members", CLOSE_REASONS["too-many-members"]);
    const bit = this.#slots.take(id);
    if (other !== undefined) this.#close(other.connection, "duplicate");

    const member = this.#events.onJoined(connection, bit);
    this.#cluster.members.set(id, member);
    this.#absences.connected(id);
    if (dialer !== undefined) dialer.closing = NO_CLOSING;

    const address = dialer?.name ?? connection.name;
    this.#unconfirmed.add(connection);
    if (other === undefined) {
      this.#cluster.log.info({ address, member: hexOf(id) }, "member connected");
    }

    member.start();
  }

  message(connection: MemberConnection, message: ExchangeMessage): void {
    const member = this.#cluster.members.get(connection.id);
    if (member?.connection !== connection) return;
    this.ownRemoval.accepted();

    // Even a daemon that no list names receives lists when it connects. Therefore a list does not show that the member
    // accepts this daemon, and does not clear the logged problem.
    if (message.kind !== "list" && this.#unconfirmed.delete(connection))
      this.#cluster.notices.clear(
        subjectOf(connection, this.#dialers.of(connection)?.name ?? connection.name),
      );
    if (isAccepted(connection, message, this.#cluster.lists)) this.#events.onMessage(member, message);
  }

  /** Called when a member closes its connection with the list that leaves this daemon out. */
  leftOut(connection: MemberConnection, message: ListMessage): void {
    this.#dialers.of(connection)?.proved(connection);
    this.#events.onRemoved(connection.id, message);
  }

  /** Closes a connection without logging it. */
  #close(connection: MemberConnection, code: CloseCode): void {
    connection.close(code);
    this.#forget(connection, code, CLOSE_REASONS[code]);
  }

  lost(connection: MemberConnection, code: CloseCode | null, detail: string): void {
    const dialer = this.#dialers.of(connection);
    if (dialer !== undefined) {
      // This daemon has refused it because of the list, after its proof. A daemon that uses another list is not added.
      const { list, spki, bye } = connection;
      const isOfThisList =
        list === "" || (list !== null && this.#cluster.lists?.history.isPrefixProved(list) === true);
      const isUnlisted = code === "not-listed" && spki !== "" && bye === null;
      dialer.isUnlisted = isUnlisted && isOfThisList;
      dialer.hasOtherList = isUnlisted && !isOfThisList;
      if (dialer.isUnlisted) dialer.proved(connection);
    }

    const id = dialer?.id ?? null;
    const isKnownSelf = code === "self" && dialer?.isSelf === true;
    const address = this.#forget(connection, code, detail);
    if (detail === PORT_CLOSED && id !== null) this.#cluster.named?.refused(id);

    // If a daemon connects to itself, the side that opened the connection logs it.
    const isQuiet =
      code === "duplicate" || isKnownSelf || (code === "self" && connection.side === "answerer");
    if (!this.#isRunning || isQuiet) return;

    const member = connection.id === "" ? {} : { member: hexOf(connection.id) };
    const text = code === null ? "a member cannot be reached" : CLOSE_REASONS[code];
    const facts = { address, ...member, ...(detail === text ? {} : { detail }) };
    // All daemons of a cluster may have the same list of peers. Without a proof, any peer could say so.
    if (dialer?.isSelf) this.#cluster.log.info(facts, text);
    else this.#cluster.notices.warn(subjectOf(connection, address), facts, text);
  }

  /** @returns the connection's name in the log */
  #forget(connection: MemberConnection, code: CloseCode | null, detail: string): string {
    const now = this.#cluster.uptime();
    this.#handshakes.delete(connection);

    const member = this.#cluster.members.get(connection.id);
    let openFor = 0;
    if (member?.connection === connection) {
      openFor = Math.max(1, now - member.since);
      this.#cluster.members.delete(connection.id);
      this.#absences.disconnected(connection.id, connection.lastSeenAt, this.#dialers.has(connection.id));
      this.#slots.disconnected(connection.id);
      this.#events.onDisconnected(member);
    }

    const dialer = this.#dialers.of(connection);
    // If the proof arrived together with the closing message, `proven` was not called: record the proved id here.
    if (connection.spki !== "") dialer?.proved(connection);
    this.ownRemoval.disconnected(connection, this.#cluster.members.size);

    const isSelf = connection.id === this.#cluster.identity.id;
    const isCertain = connection.isProven && (code !== "self" || isSelf);
    // A duplicate does not explain why the member cannot be reached once its other connection is lost as well.
    const closing = code === "duplicate" ? NO_CLOSING : closingOf(connection, code, detail);
    dialer?.lost(isCertain ? code : null, closing, openFor, now);
    if (dialer?.isCheck === true && code === "duplicate") {
      dialer.isCheck = false;
      const checked = this.#cluster.members.get(dialer.id ?? "");
      if (checked !== undefined) this.#dialers.reassign(checked.connection, dialer);
    }
    return dialer?.name ?? connection.name;
  }
}

/**
 * Returns the subject by which repeated log lines about a connection are recognized. For an incoming connection it is
 * the address without the port.
 */
const subjectOf = ({ address }: { readonly address: PeerAddress | null }, name: string): string =>
  address === null ? name.replace(/:\d+$/, "") : name;

function closingOf({ bye }: MemberConnection, code: CloseCode | null, trouble: string): Closing {
  const closedBy = bye !== null ? "member" : code === null ? null : "daemon";
  return { trouble, closeCode: code, closedBy };
}

/**
 * Whether to keep the newer of two connections to a member. The connection that the daemon with the lower id has opened
 * is preferred. If the same side has opened both, the newer connection is preferred: that side opens a second one only
 * if it has lost the first, or did not know that two addresses belong to one daemon.
 * @param connection  the newer connection
 * @param ownId  this daemon's id
 */
function isBetter(connection: MemberConnection, other: MemberConnection, ownId: ByteString): boolean {
  if (connection.side === other.side) return true;
  return ownId < connection.id === (connection.side === "opener");
}

/** Why a listed member is not connected, if no address for it is known. */
const NO_ADDRESS = {
  trouble: CLOSE_REASONS["no-address"],
  closeCode: "no-address",
  closedBy: "daemon",
} as const satisfies Closing;

/**
 * Returns the status of the addresses of --peer first, then of members that connected from other addresses, then of
 * listed members without a known address. The latter must be shown: a missing member prevents writes from becoming
 * final, even after it was removed from --peer.
 * @param named  the other members of the list, or null if there is no list
 */
function statusesOf(
  dialers: Dialers,
  members: ReadonlyMap<ByteString, Member>,
  named: ReadonlySet<ByteString> | null,
  absences: MemberAbsences,
  now: number,
): MemberStatus[] {
  // A listed member without a known address may be at an address of --peer where no daemon has replied yet.
  const unanswered = dialers.all.filter(({ id, isSelf }) => id === null && !isSelf).length;
  const unseen = [...(named ?? [])].filter((id) => !members.has(id) && !dialers.has(id));
  const isUnplacedHere = unseen.length < unanswered && [...members.keys()].some((id) => !dialers.has(id));

  const listed = new Set<ByteString>();
  const statuses = dialers.all.map((dialer) => {
    const member = dialer.id === null ? undefined : members.get(dialer.id);
    if (member === undefined && !dialer.isSelf)
      return dialer.describe(absences.ofAddress(dialer, isUnplacedHere, now));
    if (member === undefined || listed.has(member.id)) return dialer.describe(NOT_AWAY);
    listed.add(member.id);
    return member.describe(dialer.name);
  });

  for (const member of members.values()) {
    if (!listed.has(member.id)) statuses.push(member.describe(member.connection.remote));
  }

  if (unseen.length > unanswered)
    for (const id of unseen)
      statuses.push({ ...NOT_CONNECTED, ...NO_ADDRESS, id, ...absences.ofMember(id, now) });

  return statuses;
}

/** Whether a message is accepted: a list may have removed its sender a moment ago, or may not name this daemon yet. */
function isAccepted(
  { id, refusal }: MemberConnection,
  { kind }: ExchangeMessage,
  lists: ClusterState["lists"],
): boolean {
  if (lists === null || kind === "list" || kind === "status") return true;
  return refusal === null && lists.mayAcceptFrom(id);
}

/**
 * The evidence that this daemon was removed from the members while it was disconnected. No member sends it the entry
 * that removes it. Therefore it believes an authenticated member that reports the removal, but only if no other member
 * is connected.
 */
export class OwnRemoval {
  /**
   * The reason for the removal, and the member that reported it. Null if no member has reported a removal, or if a
   * member has accepted this daemon since then.
   */
  report: { readonly code: CloseCode; readonly by: string } | null = null;
  readonly #notices: LogThrottle;

  constructor(notices: LogThrottle) {
    this.#notices = notices;
  }

  /** Called when a member treats this daemon as a member. */
  accepted(): void {
    this.report = null;
  }

  /** Called when a connection has closed. @param others  the number of members that are still connected */
  disconnected({ isProven, bye, name, id }: MemberConnection, others: number): void {
    const code = bye?.code ?? null;
    if (!isProven || code === null || !isMembershipCode(code) || this.report !== null || others > 0) return;
    this.report = { code, by: name };
    // Log repeated reports only once: a member that keeps connecting to this daemon reports the same reason each time.
    this.#notices.error("own membership", { address: name, member: hexOf(id) }, SENTENCES[code] ?? code);
  }
}

const SENTENCES: Partial<Record<CloseCode, string>> = {
  revoked:
    "a member reports that this daemon's own key was revoked, and no other member is connected: no writes are accepted, because they would reach no other daemon. " +
    "Start it with a new --data folder, or stop it",
  "left-out":
    "a member reports that the member list leaves this daemon out permanently, and no other member is connected: no writes are accepted. " +
    "Start it with a new --data folder, and add it with dbsync members add; or stop it",
  "not-listed":
    "a member reports that the member list does not name this daemon, and no other member is connected: no writes are accepted before " +
    "dbsync members add",
};

/**
 * The maximum number of banned ids. An attacker cannot exceed it cheaply: for each further ban it needs a new key, and
 * must send the invalid entries or contradictory votes that lead to a ban.
 */
export const BANS_MAX = 1000;

/**
 * The members whose connections are refused, each with the time at which its ban ends. The number of bans is limited,
 * because an attacker that knows the cluster's secret can use many ids.
 */
export class Bans {
  readonly #ends = new Map<ByteString, number>();
  readonly #isRetained: (id: ByteString) => boolean;

  /**
   * @param isRetained  whether the ban of an id must not be dropped before it ends; true for fewer than `BANS_MAX` ids
   */
  constructor(isRetained: (id: ByteString) => boolean) {
    this.#isRetained = isRetained;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(id: ByteString, now: number): boolean {
    return (this.#ends.get(id) ?? Number.NEGATIVE_INFINITY) > now;
  }

  /**
   * Adds a ban. If there are too many bans, the one that ends first is dropped.
   * @param until  by the same clock as `now`
   */
  add(id: ByteString, until: number, now: number): void {
    for (const [other, end] of this.#ends) if (end <= now) this.#ends.delete(other);
    this.#ends.set(id, Math.max(until, this.#ends.get(id) ?? until));
    if (this.#ends.size > BANS_MAX) this.#dropOneExcept(id);
  }

  #dropOneExcept(id: ByteString): void {
    const others = [...this.#ends].filter(([other]) => other !== id && !this.#isRetained(other));
    const [soonest] = others.sort(([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0));
    if (soonest !== undefined) this.#ends.delete(soonest[0]);
  }
}

/**
 * The slots of members, with their bits. Many ids may know the cluster's secret, so members without a vote have a
 * bounded number of slots, and are dropped in favor of voting members. Source: docs/protocol-v2.md "Members", rule 6.
 */
class MemberSlots {
  readonly #cluster: ClusterState<Member>;
  readonly #bits: MemberBits;

  constructor(cluster: ClusterState<Member>, bits: MemberBits) {
    this.#cluster = cluster;
    this.#bits = bits;
  }

  hasVote(id: ByteString): boolean {
    return electorateIn(this.#cluster).ids.has(id);
  }

  /**
   * Whether a member can receive a slot, because a slot is free or a member without a vote can be dropped.
   * @param isDialed  whether the member is at an address of --peer, and therefore votes once it is authenticated
   */
  hasOneFor(id: ByteString, isDialed: boolean): boolean {
    const { members } = this.#cluster;
    if (members.has(id)) return true;
    const nonVoters = this.#nonVoters.length;
    if (isDialed || this.hasVote(id)) return members.size - nonVoters < MEMBERS_MAX;
    return nonVoters < nonVotersMax(electorateIn(this.#cluster)) && members.size < MEMBERS_MAX;
  }

  /**
   * Returns the newest member without a vote if it has to be dropped so that the member with this id can take a slot;
   * otherwise null.
   */
  nonVoterToDropFor(id: ByteString): Member | null {
    const { members } = this.#cluster;
    return members.has(id) || members.size < MEMBERS_MAX ? null : (this.#nonVoters.at(-1) ?? null);
  }

  /**
   * @returns the member's bit
   * @throws RangeError  no slot is free, because the caller has not dropped another member
   */
  take(id: ByteString): number {
    return this.#bits.of(id);
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#bits.disconnected(id);
  }

  /** Connected members with a vote. */
  get voters(): readonly Member[] {
    return [...this.#cluster.members.values()].filter(this.#isVoter());
  }

  /** Members without a vote, the newest last. */
  get #nonVoters(): readonly Member[] {
    const isVoter = this.#isVoter();
    return [...this.#cluster.members.values()].filter((member) => !isVoter(member));
  }

  #isVoter(): (member: Member) => boolean {
    const { ids } = electorateIn(this.#cluster);
    return ({ id }) => ids.has(id);
  }
}

/**
 * The bits of the members, one for each, so that a set of members can be stored as a number. If there are more members
 * than bits, the members that were connected most recently keep their bits.
 */
export class MemberBits {
  /** Bits by member. Disconnected members are ordered by the time at which they disconnected, the earliest first. */
  readonly #bits = new Map<ByteString, number>();
  readonly #cluster: ClusterState;
  /** Data about members by id, which is deleted when a member loses its bit. */
  readonly #notes: Map<ByteString, unknown>;
  readonly #onForgotten: (bit: number) => void;

  /** @param onForgotten  called with a bit that is assigned to another member */
  constructor(cluster: ClusterState, notes: Map<ByteString, unknown>, onForgotten: (bit: number) => void) {
    this.#cluster = cluster;
    this.#notes = notes;
    this.#onForgotten = onForgotten;
  }

  /** @throws RangeError  all bits are used by connected members */
  of(id: ByteString): number {
    const bit = this.#bits.get(id) ?? this.#free();
    this.#bits.set(id, bit);
    return bit;
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    const bit = this.#bits.get(id);
    if (bit === undefined) return;
    this.#bits.delete(id);
    this.#bits.set(id, bit);
  }

  #free(): number {
    if (this.#bits.size < MEMBERS_MAX) return 1 << this.#bits.size;
    const idle = [...this.#bits].filter(([id]) => !this.#cluster.members.has(id));
    // Bits of voting members are reused last.
    const { ids } = electorateIn(this.#cluster);
    const reused = idle.find(([id]) => !ids.has(id)) ?? idle[0];
    if (reused === undefined) throw new RangeError("all bits are used by connected members");
    const [id, bit] = reused;
    this.#bits.delete(id);
    this.#notes.delete(id);
    this.#onForgotten(bit);
    return bit;
  }
}

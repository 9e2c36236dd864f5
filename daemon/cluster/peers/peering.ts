/**
 * Manages the connections to the members, and the messages that are exchanged with them. Peering has no sockets, timers
 * or files of its own. It acts only on calls of its owner, on events of sockets, and on `tick`, which is called every
 * 25 ms. Begin with roster.ts (connections), exchange/entry-spreading.ts (one entry) and exchange/reconciling.ts
 * (missed entries). Two further classes in this file handle entries that are missing here: PrunedEntries, those that
 * members have pruned; SettlingDamage, those that are damaged on this daemon's disk. Source: docs/architecture.md "How
 * daemons agree".
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { noMessages } from "../../../protocol/figures/message-figures.js";
import type { ListMessage } from "../../../protocol/members/member-list.js";
import type { ExchangeMessage, StatusMessage } from "../../../protocol/members/member-messages.js";
import type { DaemonState, Hello } from "../../../protocol/version-2/messages-v2.js";
import { BackgroundWork } from "../../net/process/background-work.js";
import { LogThrottle } from "../../net/process/log-throttle.js";
import type { PeerAddress } from "../../options/peer-address.js";
import type { AddedEntry, Entry, OrderKey } from "../../timeline/entries/entry.js";
import { Admission } from "./admission.js";
import { CatchingUp, Joining } from "./catching-up-state.js";
import type { MemberConnection } from "./connections/member-connection.js";
import { DecisionMaking } from "./decisions/decision-making.js";
import { DateClosing } from "./exchange/date-closing.js";
import { EntryIntake, type QuarantineFigures } from "./exchange/entry-intake.js";
import { EntrySpreading } from "./exchange/entry-spreading.js";
import { oldestSpread } from "./exchange/replication-states.js";
import { CommonDate } from "./finality/common-date.js";
import { CutVoting } from "./finality/cut-voting.js";
import { type Delay, FinalityDelay } from "./finality/finality-delay.js";
import { MissingEntries } from "./finality/missing-entries.js";
import { latestTaken, ReportTable } from "./finality/report-table.js";
import { SnapshotChoice, SnapshotTaking } from "./finality/snapshot-taking.js";
import { StablePoint } from "./finality/stable-point.js";
import { Member } from "./member.js";
import { ChannelMessages } from "./member-channel-messages.js";
import { OwnClock } from "./member-clocks.js";
import { MemberListExchange } from "./member-list-exchange.js";
import { SubscriberCounts } from "./member-subscribers.js";
import type { Members } from "./members-interface.js";
import { type OwnRemoval, Roster, type RosterEvents } from "./roster.js";
import type {
  ClusterState,
  MemberSecret,
  MemberStatus,
  Missing,
  PeeringContext,
} from "./shared/cluster-state.js";
import { electorateIn, majorityOf } from "./shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "./shared/entry-totals.js";
import type { MemberSocket, MemberSocketHandlers } from "./shared/member-socket.js";
import { StandstillDetector } from "./standstill-detector.js";
import { StateComparing } from "./state/state-comparing.js";

/** Milliseconds between two updates that are not urgent: of the membership, the quarantine, and this daemon's clock. */
const UPDATE_EVERY_MS = 1000;

/** Milliseconds after which the same line about a member is logged again. */
const NOTICE_MS = 600_000;

export class Peering implements Members, RosterEvents {
  readonly #cluster: ClusterState<Member>;
  readonly #roster: Roster;
  readonly #spreading: EntrySpreading;
  readonly #intake: EntryIntake;
  readonly #clock: OwnClock;
  readonly #reports: ReportTable;
  readonly #stable: StablePoint;
  readonly #finalityDelay: FinalityDelay;
  readonly #pruned: PrunedEntries;
  readonly #joining: Joining;
  readonly #catchingUp: CatchingUp;
  readonly admission: Admission;
  readonly states: StateComparing;
  readonly #memberLists: MemberListExchange;
  readonly decisions: DecisionMaking;
  readonly channelMessages: ChannelMessages;
  /** The subscribers of channels. */
  readonly subscribers: SubscriberCounts;
  readonly closing: DateClosing;
  readonly standstill: StandstillDetector;
  #isRunning = false;
  #nextUpdateAt = 0;
  #ringChanged = false;

  /** @param state  this daemon's state until now: it may be live, because it had no members before */
  constructor(context: PeeringContext, state: DaemonState = "catching-up") {
    const cluster = createClusterState(context, state);
    this.#cluster = cluster;
    const roster = new Roster(cluster, this);
    this.#roster = roster;

    this.channelMessages = new ChannelMessages(cluster);
    this.subscribers = new SubscriberCounts(cluster);
    this.#spreading = new EntrySpreading(cluster);
    this.#intake = new EntryIntake(cluster, this.#spreading.states);
    this.#clock = new OwnClock(cluster);
    this.closing = new DateClosing(cluster, () => this.decisions.completeTo);
    this.#reports = new ReportTable(cluster);
    this.#stable = new StablePoint(cluster, this.#reports);
    this.#joining = new Joining(cluster);
    this.#pruned = new PrunedEntries(cluster, this.#reports, roster, this.#onSnapshotTaken);

    this.admission = new Admission(cluster, roster);
    this.#catchingUp = new CatchingUp(cluster, roster, {
      admission: this.admission,
      missing: this.#pruned.missing,
      joining: this.#joining,
      clock: this.#clock,
    });

    this.states = new StateComparing(cluster, this.#stable);
    this.#memberLists = new MemberListExchange(cluster, roster, () => this.stablePoint);
    this.#finalityDelay = new FinalityDelay(cluster, {
      stable: this.#stable,
      ownList: () => this.#memberLists.own,
      listOf: (id) => this.#listOf(id),
      snapshots: this.snapshots,
      isEqual: (id) => this.#reports.isEqual(id),
    });

    this.decisions = new DecisionMaking(cluster, {
      areLevel: (ids, upTo) => this.#reports.areLevel(ids, upTo),
      commonClock: (isLater) => this.#clock.common(isLater),
      stablePoint: () => this.stablePoint,
      epoch: () => `${this.#reports.serialAtLoss} ${this.#memberLists.own}`,
      serial: () => this.#reports.lastSerial,
      latestTaken: (since) => this.#latestTaken(since),
      majorityHeardAt: () => roster.majorityHeardAt(cluster.uptime()),
    });

    this.standstill = new StandstillDetector(cluster, roster);
  }

  /** Called when a connection is authenticated on both sides. */
  onJoined(connection: MemberConnection, bit: number): Member {
    this.#pruned.joined();
    const shared = {
      cluster: this.#cluster,
      spreading: this.#spreading,
      intake: this.#intake,
      clock: this.#clock,
      missing: this.#pruned.missing,
      reports: this.#reports,
      closing: this.closing,
    };
    return new Member(shared, connection, bit);
  }

  /** Passes a message to the component that handles it. */
  onMessage(member: Member, message: ExchangeMessage): void {
    switch (message.kind) {
      case "cuts":
        this.#pruned.voting.receiveVotes(member.id, message.votes);
        break;
      case "list":
        this.#memberLists.receiveList(member, message);
        break;
      case "list-request":
        this.#memberLists.receiveRequest(member, message.hash);
        break;
      case "earlier-list":
        this.#memberLists.receiveEarlier(member, message);
        break;
      case "decision":
        this.#receiveDecision(member, message.message);
        break;
      case "report":
        this.#reports.receive(member.id, message, this.#memberLists.listOf(member));
        this.#pruned.reported(member.id, message.at);
        break;
      case "snapshot-part":
        if (!this.#pruned.snapshots.part(member, message))
          member.malformed("a part of a snapshot that was not requested");
        break;
      case "subscribers":
        this.subscribers.receive(member, message);
        break;
      case "state-sums":
      case "state-keys":
        this.states.receive(member, message);
        break;
      case "status":
        this.#receiveStatus(member, message);
        break;
      default:
        member.receive(message);
    }
  }

  #receiveDecision(member: Member, message: Buffer): void {
    try {
      this.decisions.receive(member.id, message);
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem;
      member.malformed(problem.message);
    }
  }

  #receiveStatus(member: Member, message: StatusMessage): void {
    const isFirst = member.status === null;
    this.#reports.receiveStatus(member.id, message, this.#memberLists.listOf(member));
    member.receive(message);
    if (!isFirst) return;
    this.#joining.receiveFirstStatus(member.id, message);
    this.#memberLists.announce(member);
    this.#pruned.voting.joined(member);
  }

  onDisconnected(member: Member): void {
    this.#reports.disconnected(member.id);
    this.#pruned.disconnected(member.id);
    this.states.disconnected(member.id);
    this.#cluster.named?.disconnected(member.id);
    this.subscribers.disconnected();
    this.#cluster.messages?.missed();
    member.stop();
    this.#memberLists.disconnected(member);
    this.closing.disconnected(member);
    this.#spreading.disconnected(member);
  }

  onRemoved(id: ByteString, message: ListMessage): void {
    this.#memberLists.leftOut(id, message);
  }

  onForgotten(bit: number): void {
    this.#spreading.forget(bit);
  }

  start(): void {
    this.#isRunning = true;
    this.#catchingUp.start();
    this.#joining.start(this.#catchingUp.isUnderWay);
    this.#pruned.start();
    this.#roster.start();
    this.tick();
  }

  stop(): void {
    this.#isRunning = false;
    this.#cluster.slices.clear();
    this.#cluster.signatureThreads?.stop();
    this.#pruned.stop();
    this.#roster.stop();
  }

  get isAlone(): boolean {
    return this.#cluster.members.size === 0 && !this.#roster.hasOthers;
  }

  tick(): void {
    if (!this.#isRunning) return;
    const now = this.#cluster.uptime();

    this.standstill.tick(now);
    this.#roster.tick(now);
    this.#spreading.tick(now);
    this.#cluster.named?.update();
    for (const member of [...this.#cluster.members.values()]) member.tick(now);

    this.subscribers.tick(now);
    this.closing.tick(now);
    this.admission.tick();
    this.#catchingUp.tick(now);
    this.decisions.tick();
    this.#pruned.tick(now);

    this.watchClock();
    this.#memberLists.tick(now);
    this.#stable.tick(now, () => this.#memberLists.reporters(this.#roster.all), this.#memberLists.own);
    this.#finalityDelay.tick(now);
    this.states.tick(now);

    if (this.#ringChanged || now >= this.#nextUpdateAt) this.#update(now);
  }

  watchClock(): void {
    this.#cluster.timeline.isSkewed = this.#clock.watch() || this.#catchingUp.isUnderWay;
  }

  /** Replaces the addresses. Closes connections that were opened to addresses that are no longer listed. */
  setPeers(addresses: readonly PeerAddress[]): void {
    this.#roster.setPeers(addresses);
    this.#nextUpdateAt = 0;
  }

  /**
   * Orders the adoption of a member's snapshot, regardless of other members' reports.
   * @param id  the member's id, or null if no adoption is ordered
   */
  setOrder(id: ByteString | null): void {
    this.#cluster.order = id;
  }

  /**
   * Replaces the cluster's secret. The next update drops members that are members only because they knew the old
   * secret.
   */
  setSecret(secret: MemberSecret | null): void {
    if (secret !== this.#cluster.secret) this.#roster.secretChanged();
    this.#cluster.secret = secret;
  }

  listsChanged(): void {
    this.#catchingUp.listsChanged();
    // The list may permit this daemon to report, and so to vote again. Its open vote must be known before it announces
    // that.
    if (this.#isRunning) this.decisions.listsChanged();
    if (this.#memberLists.changed()) this.#roster.reconnectAll();
    this.#nextUpdateAt = 0;
  }

  /**
   * Accepts an incoming connection.
   * @param hello  the connection's first frame, with the role `daemon`. The caller must not have received anything
   * after it
   */
  accept(socket: MemberSocket, hello: Hello): MemberSocketHandlers {
    return this.#roster.accept(socket, hello);
  }

  flushed(entries: readonly AddedEntry[], from: ByteString | null): void {
    const sender = from === null ? null : (this.#cluster.members.get(from) ?? null);
    // A daemon that is alone offers none of its clients' entries, because a daemon that connects later compares all
    // entries.
    const ownFrom = this.isAlone ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    this.#spreading.flushed(entries, sender, from === null ? ownFrom : oldestSpread(this.#cluster));
    if (from !== null) this.#intake.flushed(entries);
    if (this.#intake.quarantine.size > 0 && entries.some(({ ring }) => ring !== null))
      this.#ringChanged = true;
  }

  pushOwn(entry: Entry): void {
    if (!this.isAlone) this.#spreading.pushOwn(entry);
  }

  replicated(orderKey: OrderKey, count: number): Promise<void> {
    return this.#spreading.replicated(orderKey, count);
  }

  /**
   * Returns the number of other daemons that are known to have the entry on disk. All of them have an entry that is
   * final.
   */
  copies(orderKey: OrderKey): number {
    return orderKey.at < this.stablePoint ? this.#cluster.members.size : this.#spreading.copies(orderKey);
  }

  stable(at: number): Promise<void> {
    return this.#stable.wait(at, this.#cluster.uptime());
  }

  get state(): DaemonState {
    return this.#cluster.state;
  }

  get reason(): string {
    return this.#catchingUp.reason;
  }

  get isJoining(): boolean {
    return this.#joining.isUnderWay;
  }

  get removalReport(): OwnRemoval["report"] {
    return this.#roster.ownRemoval.report;
  }

  get snapshots(): SnapshotTaking {
    return this.#pruned.snapshots;
  }

  get order(): string | null {
    return this.#pruned.order;
  }

  get stablePoint(): number {
    return this.#stable.value;
  }

  get finalityDelay(): Delay | null {
    return this.#finalityDelay.current;
  }

  get isSkewed(): boolean {
    return this.#clock.isSkewed;
  }

  quarantined(missing: Missing): QuarantineFigures {
    return this.#intake.quarantine.figuresOf(missing);
  }

  get members(): readonly MemberStatus[] {
    return this.#roster.statuses;
  }

  spkiOf(id: ByteString): ByteString | null {
    return this.#roster.spkiOf(id);
  }

  /** Returns the latest date with which a daemon of the list may have accepted an entry, as in `Finality`. */
  #latestTaken(since: number): number | null {
    const members = this.#memberLists.reporters(this.#roster.all);
    const ids = members?.map(({ id }) => id) ?? null;
    const latest = ids === null ? null : this.#reports.latestTaken(ids, since);
    return latest === null ? null : Math.max(latest, latestTaken(this.#cluster));
  }

  #listOf(id: ByteString): ByteString | null {
    const member = this.#cluster.members.get(id);
    return member === undefined ? null : this.#memberLists.listOf(member);
  }

  /** Called when a snapshot has replaced this daemon's entries. */
  readonly #onSnapshotTaken = (): void => {
    this.#reports.replaced();
    this.#catchingUp.restart();
    for (const member of this.#cluster.members.values()) member.compareAgain();
  };

  #update(now: number): void {
    this.#nextUpdateAt = now + UPDATE_EVERY_MS;
    this.#roster.recheck();

    // Forget members that are neither configured nor connected: a member that has lost its folder returns with a new
    // id.
    this.#pruned.missing.retain((id) => this.#roster.has(id));
    this.closing.retain((id) => this.#roster.has(id));

    this.#ringChanged = false;
    const entries = this.#intake.takePostponed();
    if (entries > 0) this.#cluster.notices.warn("dated ahead", { entries }, TOO_FAR_AHEAD);
    if (this.#intake.quarantine.size > 0) {
      this.#intake.retry((id) => this.#cluster.members.get(id) ?? null);
    }

    const watermark = this.#clock.watermarkIfSkewed(this.#roster.voters);
    if (watermark !== null) this.#cluster.timeline.raise(watermark);
  }
}

/** Creates the shared record with its values before the first tick. */
function createClusterState(context: PeeringContext, state: DaemonState): ClusterState<Member> {
  const { log, uptime, soon, limits, peers } = context;
  return {
    ...context,
    notices: new LogThrottle({ log, uptime, periodMs: NOTICE_MS }),
    slices: new BackgroundWork({ uptime, defer: soon, milliseconds: limits.sliceMs }),
    members: new Map(),
    addresses: [],
    state,
    electorate: { ids: new Set(), others: peers.length },
    beganEmpty: false,
    settledAt: 0,
    progressAt: 0,
    messageFigures: noMessages(),
  };
}

const TOO_FAR_AHEAD =
  "members send more entries with future dates than can wait here: the rest are accepted when their dates are reached";

/**
 * The entries that some members have pruned and that are missing on other members. missing-entries.ts detects such
 * entries. common-date.ts determines the date up to which all members have the same entries, and cut-voting.ts
 * determines the states that members have signed. Then snapshot-taking.ts selects the snapshot that may replace the
 * missing entries, and loads it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
class PrunedEntries {
  readonly missing: MissingEntries;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #cluster: ClusterState<Member>;
  readonly #common: CommonDate;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  /** @param onTaken  called when a snapshot has replaced this daemon's entries */
  constructor(cluster: ClusterState<Member>, reports: ReportTable, roster: Roster, onTaken: () => void) {
    this.#cluster = cluster;
    this.#common = new CommonDate(cluster, reports);
    this.#damage = new SettlingDamage(cluster, reports);
    this.voting = new CutVoting(cluster, this.#common, (id) => roster.banPermanently(id));
    const missing = new MissingEntries(cluster, this.voting, reports);
    this.missing = missing;
    this.snapshots = new SnapshotTaking(cluster, () => {
      onTaken();
      missing.changed();
    });
    this.#choice = new SnapshotChoice(cluster, { missing, voting: this.voting, taking: this.snapshots });
  }

  start(): void {
    this.voting.start();
  }

  stop(): void {
    this.snapshots.stop();
  }

  tick(now: number): void {
    const members = [...this.#cluster.members.values()];
    this.snapshots.tick(now, this.#choice.choices(now, members));
    this.#common.tick(now, members);
    this.voting.tick(now);
    this.#damage.tick(now);
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#common.joined();
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#common.disconnected(id);
    this.missing.disconnected(id);
    this.snapshots.disconnected(id);
  }

  /** Called when a member's report on a date has arrived. */
  reported(id: ByteString, at: number): void {
    this.missing.reported(id, at);
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get order(): string | null {
    return this.#choice.order;
  }
}

/**
 * The handling of damaged entries in this daemon's timeline. This daemon first requests such an entry from the other
 * members. If no member sends it, and most members report the same entries up to its date as are readable here, then
 * the members' states do not contain the entry, and this daemon drops it too. The comparison ends at the entry's date,
 * because the most recent entries always differ between members. A daemon without members drops the entry without
 * comparing.
 */
class SettlingDamage {
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  /** The date up to which reports were last requested; milliseconds since 1970. */
  #at = 0;
  /**
   * When reports were last requested, as `uptime` milliseconds, or null if nothing is damaged, or the damage was just
   * found.
   */
  #requestedAt: number | null = null;
  /** The serial number of the last report that had arrived then. */
  #serialAtRequest = 0;
  /** When most members began to agree with this daemon, as `uptime` milliseconds, or null if they do not. */
  #since: number | null = null;

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
  }

  tick(now: number): void {
    const { timeline, limits, clock } = this.#cluster;
    if (this.#requestedAt !== null && now < this.#requestedAt + limits.reportEveryMs) return;
    const { lastAt } = timeline.damagedEntries;
    if (lastAt === null) {
      this.#since = this.#requestedAt = null;
      return;
    }
    if (this.#requestedAt === null || !this.#isAgreed()) this.#since = null;
    else if (now - (this.#since ??= this.#requestedAt) > limits.catchUpStuckMs) {
      this.#since = null;
      timeline.damagedEntries.drop();
    }
    this.#requestedAt = now;
    this.#serialAtRequest = this.#reports.lastSerial;
    this.#at = endOfPruned(lastAt, clock());
    this.#reports.request(this.#at);
  }

  /** Earlier reports than those that were last requested do not count. */
  #isAgreed(): boolean {
    const { ids, others } = electorateIn(this.#cluster);
    const own = totalsUpTo(this.#cluster.timeline.index, this.#at);
    const reports = [...this.#reports.reportsOn(this.#at)].filter(
      ([id, { serial }]) => ids.has(id) && serial > this.#serialAtRequest,
    );
    const alike = reports.filter(([, report]) => isSameTotals(report, own)).length;
    // A member that has the entry only in a snapshot cannot send it, so most other members have to agree with this
    // daemon. Once all members have replied, this daemon counts itself too, and half of the other members can be
    // enough.
    const haveAllReplied = reports.length === others;
    return alike >= majorityOf({ ids, others }) || (haveAllReplied && 2 * (1 + alike) > others + 1);
  }
}

/** A connected and authenticated member. It passes the member's messages to the components that handle them. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { stackOf } from "../../../protocol/errors.js";
import type {
  ExchangeMessage,
  MemberAbout,
  PushMessage,
  StatusMessage,
} from "../../../protocol/members/member-messages.js";
import type { Work } from "../../net/process/background-work.js";
import type { Entry, OrderKey } from "../../timeline/entries/entry.js";
import type { MemberConnection } from "./connections/member-connection.js";
import { ClosingAnswers } from "./exchange/closing-answers.js";
import type { DateClosing } from "./exchange/date-closing.js";
import { DISCONNECTED, type EntryIntake, type IncomingBatch, type Sender } from "./exchange/entry-intake.js";
import { type EntrySpreading, type OfferPace, parts, type Receiver } from "./exchange/entry-spreading.js";
import { MemberOutbox } from "./exchange/member-outbox.js";
import { type Reconciled, Reconciling } from "./exchange/reconciling.js";
import type { MissingEntries } from "./finality/missing-entries.js";
import { latestTaken, ReportAnswers, type ReportTable } from "./finality/report-table.js";
import { SnapshotSending } from "./finality/snapshot-sending.js";
import { MemberChannelMessages } from "./member-channel-messages.js";
import type { OwnClock } from "./member-clocks.js";
import { SubscriberReports } from "./member-subscribers.js";
import {
  type ClusterState,
  type ConnectedMember,
  factsOf,
  type MemberStatus,
  NO_CLOSING,
} from "./shared/cluster-state.js";
import { totalsOf } from "./shared/entry-totals.js";
import { SERVICE_EVERY_MS } from "./shared/named-daemon.js";

/** The objects that all members share. */
export interface MemberShared {
  readonly cluster: ClusterState;
  readonly spreading: EntrySpreading;
  readonly intake: EntryIntake;
  readonly clock: OwnClock;
  readonly missing: MissingEntries;
  readonly reports: ReportTable;
  readonly closing: DateClosing;
}

/** A message from a member that concerns the complete cluster. */
export type SharedMessage = ExchangeMessage & {
  kind:
    | "cuts"
    | "list"
    | "list-request"
    | "earlier-list"
    | "decision"
    | "report"
    | "snapshot-part"
    | "subscribers"
    | "state-sums"
    | "state-keys";
};

/** A message from a member about its exchange with this daemon. */
export type OwnExchangeMessage = Exclude<ExchangeMessage, SharedMessage>;

type DatesClosedMessage = ExchangeMessage & { readonly kind: "dates-closed" };

/** A received push, or a step of an exchange that runs once all earlier pushes are processed. */
interface Received extends IncomingBatch {
  readonly number: number;
  readonly bytes: number;
  message: PushMessage | null;
  readonly then: (() => void) | null;
}

export class Member implements Sender, Receiver, Reconciled, ConnectedMember {
  readonly connection: MemberConnection;
  readonly id: ByteString;
  /** Its bit in sets of members. */
  readonly bit: number;
  readonly outbox: MemberOutbox;
  readonly offerPace: OfferPace;
  readonly channelMessages: MemberChannelMessages;
  readonly subscribers: SubscriberReports;
  /** Order keys of entries on this daemon's disk that still have to be reported to the member. */
  pendingAcks: OrderKey[] = [];
  /** Its last status, or null if there is none yet. */
  status: StatusMessage | null = null;
  /** The state in its first status, before this daemon sent it anything, or null if there is none yet. */
  stateAtConnect: StatusMessage["state"] | null = null;
  /** Its last report about itself, or null if there is none yet. */
  about: MemberAbout | null = null;
  #aboutAt = 0;
  refusals = 0;
  /** The number of new entries that it has sent. */
  entriesReceived = 0;
  /** The latest date of the valid entries that it has sent, or 0 if there are none. */
  newestPushed = 0;
  /** How often entries that it has sent had to wait for a member list. */
  timesHeldBack = 0;
  /** How often entries that it has sent may be missing here. */
  timesMissed = 0;
  /** The value of `timesMissed` at the beginning of the last complete comparison. */
  #comparedMissed = 0;
  /**
   * The member's state when the comparison with it was completed, or null if no comparison is complete yet. After the
   * comparison this daemon has all entries that the member had at that time.
   */
  compared: "live" | "other" | null = null;
  /** When it connected, by this daemon's clock. */
  readonly connectedSince: number;
  /** When it connected, as `uptime` milliseconds. */
  readonly since: number;
  readonly #shared: MemberShared;
  readonly #reconciling: Reconciling;
  readonly #trips: RoundTrips;
  readonly #reports: ReportAnswers;
  readonly #closingAnswers: ClosingAnswers;
  readonly #snapshotSending: SnapshotSending;
  #nextStatusAt = 0;
  #nextAboutAt = 0;
  #nextServiceAt = 0;
  /** The version of the choice that was last sent. */
  #sentService = -1;
  #freshFromEcho = 0;
  #received: Received[] = [];
  #receivedBytes = 0;
  #number = 0;
  /** The number of answers to `close-dates` that wait until earlier pushes are processed. */
  #closedWaiting = 0;
  #acked = 0;
  #sentAcked = 0;
  #isReading = false;

  constructor(shared: MemberShared, connection: MemberConnection, bit: number) {
    const { cluster, spreading } = shared;
    this.#shared = shared;
    this.connection = connection;
    this.id = connection.id;
    this.bit = bit;
    this.connectedSince = cluster.clock();
    this.since = cluster.uptime();

    this.#trips = new RoundTrips(cluster.uptime);
    this.#reports = new ReportAnswers(cluster);
    this.#snapshotSending = new SnapshotSending(cluster, connection);

    this.channelMessages = new MemberChannelMessages(this, cluster);
    this.subscribers = new SubscriberReports(this, cluster);

    this.offerPace = spreading.newPace();
    this.outbox = new MemberOutbox(cluster, this, spreading.states, spreading.packer);
    this.#closingAnswers = new ClosingAnswers(cluster, this);
    this.#reconciling = new Reconciling(cluster, this);
  }

  /** Sends the first status, which allows the other side to send more than statuses. */
  start(): void {
    this.#sendStatus(this.#shared.cluster.uptime());
  }

  /** Handles a message that concerns only this member. Peering handles all other messages. */
  receive(message: OwnExchangeMessage): void {
    const { spreading, cluster } = this.#shared;
    if ("orderKeys" in message && message.orderKeys.length > cluster.limits.maxOrderKeys) {
      this.malformed(`${message.orderKeys.length} order keys in one message`);
      return;
    }

    switch (message.kind) {
      case "status":
        this.#receiveStatus(message);
        break;
      case "about":
        this.about = message;
        this.#aboutAt = cluster.uptime();
        break;
      case "service":
        if (cluster.named?.receive(this.id, message, this.connection.remote) === false)
          cluster.notices.warn(`service of ${this.id}`, factsOf(this), UNREACHABLE);
        break;
      case "offer":
        spreading.offered(message.orderKeys, this);
        break;
      case "want":
        this.offerPace.wanted();
        this.outbox.pushWanted(message.orderKeys);
        break;
      case "push":
        this.#reconciling.moved();
        this.#push(message);
        break;
      case "have":
        this.#reconciling.moved();
        if (!this.outbox.acked(message.number)) this.malformed(`push ${message.number} was never sent`);
        spreading.acknowledgedBy(message.orderKeys, this);
        break;
      case "reconcile":
        this.#reconciling.step(message.session, message.step);
        break;
      case "given":
        this.#reconciling.onAllPushed(message.session);
        break;
      case "report-request":
        this.#reports.sendReport(message.at, this);
        break;
      case "close-dates":
        this.#closingAnswers.request(message.at);
        break;
      case "dates-closed":
        this.#datesClosed(message);
        break;
      case "speak":
        this.channelMessages.receive(message);
        break;
      case "snapshot-pull":
        this.#snapshotSending.pull(message.at, message.number);
        break;
    }
  }

  /** Called when the member has disconnected. */
  stop(): void {
    this.#reconciling.stop();
    this.#snapshotSending.stop();
  }

  /** Compares all entries again. The member's totals count only after it has received the status that is sent now. */
  compareAgain(): void {
    this.compared = null;
    this.#sendStatus(this.#shared.cluster.uptime());
    this.#freshFromEcho = this.#trips.serial;
    this.#reconciling.restart();
  }

  tick(now: number): void {
    const { unsentBytes } = this.connection;
    if (unsentBytes > this.#shared.cluster.limits.closeAboveUnsentBytes + this.outbox.unackedBytes) {
      this.connection.drop("not-reading", `${unsentBytes} bytes wait for it`);
      return;
    }

    if (now >= this.#nextStatusAt) this.#sendStatus(now);
    if (now >= this.#nextAboutAt && this.status !== null) this.#sendAbout(now);
    if (this.status !== null) this.#sendService(now);

    this.outbox.tick();
    this.channelMessages.tick(this.status !== null);
    this.#snapshotSending.tick(now, this.status?.state === "live");
    this.#reconciling.tick(now, this.status);
  }

  /** Reports which pushes are processed, and which entries are on disk. */
  sendAcks(): void {
    if (this.pendingAcks.length === 0 && this.#acked === this.#sentAcked) return;
    const orderKeys = this.pendingAcks;
    this.pendingAcks = [];
    this.#sentAcked = this.#acked;

    const { maxOrderKeys } = this.#shared.cluster.limits;
    if (orderKeys.length === 0) this.connection.send({ kind: "have", number: this.#acked, orderKeys });
    for (const part of parts(orderKeys, maxOrderKeys)) {
      this.connection.send({ kind: "have", number: this.#acked, orderKeys: part });
    }
  }

  get isCatchingUp(): boolean {
    return this.status?.state === "catching-up";
  }

  get roundTrip(): number | null {
    return this.#trips.last;
  }

  get snapshotPart(): number | null {
    return this.#snapshotSending.part;
  }

  describe(address: string): MemberStatus {
    const { cluster, clock, spreading, missing, reports, closing } = this.#shared;
    const { id, status, connection } = this;
    const now = cluster.uptime();

    return {
      address,
      id,
      connection: "connected",
      ...NO_CLOSING,
      state: status?.state ?? null,
      skewed: status?.skewed ?? false,
      connectedSince: this.connectedSince,
      roundTrip: this.roundTrip,
      skew: clock.clocks.skewOf(id, cluster.clock(), now, cluster.electorate),
      watermark: status?.watermark ?? null,
      prunedTo: status?.pruned ?? null,
      isMissingEntries: missing.areMissing(id),
      isLeftOut: closing.isLeftOut(id),
      entries: status === null ? null : status.ring.count + status.data.count,
      isEqual: status === null ? null : reports.isEqual(id),
      lag: spreading.requests.countOf(this.bit),
      behind: this.outbox.pending,
      lastHeard: now - connection.lastSeenAt,
      awayFor: null,
      refusals: this.refusals,
      about: this.about,
      aboutAge: this.about === null ? null : now - this.#aboutAt,
    };
  }

  onCaughtUp(timesMissed: number): void {
    this.#comparedMissed = Math.max(this.#comparedMissed, timesMissed);
    this.compared = this.status?.state === "live" ? "live" : "other";
    this.#shared.closing.joined(this);
  }

  onExchanged(): void {
    this.#sendStatus(this.#shared.cluster.uptime());
  }

  afterReceived(step: () => void): void {
    this.#queue(null, step);
  }

  onEntries(entries: readonly Entry[], fresh: number): void {
    this.entriesReceived += fresh;
    for (const { envelope } of entries) this.newestPushed = Math.max(this.newestPushed, envelope.at);
    const { cluster } = this.#shared;
    if (fresh > 0) cluster.progressAt = cluster.uptime();
  }

  acknowledge(orderKey: OrderKey): void {
    this.#shared.spreading.acknowledge(orderKey, this);
  }

  refused(reason: string): void {
    this.refusals++;
    const { notices, limits } = this.#shared.cluster;
    const facts = { ...factsOf(this), reason };
    notices.warn(`entry of ${this.id}`, facts, "an entry from a member was refused");
    if (this.refusals < limits.maxRefusals || this.connection.isClosed) return;
    this.connection.ban(`${this.refusals} entries were refused, the last: ${reason}`);
  }

  onRefusedMessage(reason: string, isLie: boolean): void {
    const { notices } = this.#shared.cluster;
    if (isLie) this.refused(reason);
    else notices.warn(`message of ${this.id}`, { ...factsOf(this), reason }, NOT_DELIVERED);
  }

  unknown(): void {
    this.#reconciling.compareRing();
  }

  heldBack(): void {
    this.timesHeldBack++;
  }

  missed(): void {
    this.timesMissed++;
  }

  /** Whether entries that it has sent may be missing here, until the next comparison. */
  get hasMissed(): boolean {
    return this.timesMissed > this.#comparedMissed;
  }

  malformed(detail: string): void {
    this.connection.drop("malformed", detail);
  }

  otherProtocol(found: string): void {
    this.connection.dropOtherProtocol(found);
  }

  /** Closes the connection after an exception that the member's bytes caused. */
  failed(problem: unknown): void {
    this.connection.drop("internal-error", stackOf(problem));
  }

  #push(message: PushMessage): void {
    const { windowBytes, maxEnvelopeBytes, batchBytes } = this.#shared.cluster.limits;
    if (message.number !== this.#number + 1) {
      this.malformed(`push ${message.number} after ${this.#number}`);
      return;
    }

    this.#number = message.number;
    this.#receivedBytes += message.bytes;

    // An honest member may exceed the window by one batch, or by one entry that is longer than a batch.
    if (this.#receivedBytes > windowBytes + batchBytes + maxEnvelopeBytes) {
      this.malformed("it pushes more than the window allows");
      return;
    }

    this.#queue(message, null);
  }

  #datesClosed(message: DatesClosedMessage): void {
    const { cluster, closing } = this.#shared;
    if (this.#closedWaiting >= cluster.limits.closeRequests) {
      this.malformed("more answers to close-dates than requests");
      return;
    }

    this.#closedWaiting++;
    this.afterReceived(() => {
      this.#closedWaiting--;
      closing.closed(this, message);
    });
  }

  #queue(message: PushMessage | null, then: (() => void) | null): void {
    this.#received.push({
      number: message?.number ?? 0,
      bytes: message?.bytes ?? 0,
      message,
      then,
      pending: 0,
      isRead: message === null,
      changed: this.#advance,
    });

    if (message === null) this.#advance();
    else if (!this.#isReading) {
      this.#isReading = true;
      this.#shared.cluster.slices.add(this.#read());
    }
  }

  /** Reads the received pushes, one after the other. */
  *#read(): Work {
    for (;;) {
      const received = this.#mayRead ? this.#received.find(({ message }) => message !== null) : undefined;
      if (received === undefined) break;
      const message = received.message as PushMessage;
      received.message = null;
      const sender = this.connection.isClosed ? { ...DISCONNECTED, id: this.id } : this;
      yield* this.#shared.intake.push(message, sender, received);
    }

    this.#isReading = false;
  }

  /**
   * Whether received pushes are still read. After the member has ended the connection, they are: a daemon that stops
   * sends its last entries, and its clients continue here. A new connection compares all entries, so the pushes of at
   * most one connection of a member wait.
   */
  get #mayRead(): boolean {
    const { isClosed, isEndedByMember } = this.connection;
    return !isClosed || (isEndedByMember && !this.#shared.cluster.members.has(this.id));
  }

  /** Completes the first pushes that are fully processed. */
  readonly #advance = (): void => {
    for (let [first] = this.#received; first !== undefined; [first] = this.#received) {
      if (!first.isRead || first.pending > 0) return;
      this.#received.shift();
      this.#receivedBytes -= first.bytes;
      first.then?.();
      if (first.number > 0) {
        this.#acked = first.number;
        this.#shared.spreading.sendAcksSoon();
      }
    }
  };

  #receiveStatus(status: StatusMessage): void {
    const { cluster, clock, missing } = this.#shared;
    const now = cluster.uptime();
    const before = this.status;
    this.status = status;
    if (status.state !== "live" && this.compared !== null) this.compared = "other";

    this.#trips.receive(status);
    const sample = { sent: status.clock, trip: this.#trips.last };
    const own = { clock: cluster.clock(), uptime: now };
    clock.clocks.note(this.id, sample, own, cluster.electorate);
    missing.receiveStatus(this, status, before === null);
    if (status.echo >= this.#freshFromEcho) this.#reconciling.receiveTotals(status);

    // The first status after connecting starts the first comparison immediately.
    if (before !== null) return;
    this.stateAtConnect = status.state;
    this.#reconciling.tick(now, status);
  }

  #sendAbout(now: number): void {
    const { about, limits } = this.#shared.cluster;
    this.#nextAboutAt = now + limits.aboutEveryMs;
    if (about !== null) this.connection.send({ kind: "about", ...about() });
  }

  /** States which daemon sentinels name: immediately after a change, and otherwise at intervals. */
  #sendService(now: number): void {
    const { named } = this.#shared.cluster;
    if (named === null || (now < this.#nextServiceAt && named.version === this.#sentService)) return;
    this.#nextServiceAt = now + SERVICE_EVERY_MS;
    this.#sentService = named.version;
    const statement = named.statement();
    if (statement !== null) this.connection.send(statement);
  }

  #sendStatus(now: number): void {
    const { cluster, clock } = this.#shared;
    this.#nextStatusAt = now + cluster.limits.statusEveryMs;

    this.connection.send({
      kind: "status",
      ...this.#trips.next(),
      clock: cluster.clock(),
      watermark: cluster.timeline.published,
      pruned: Math.max(0, cluster.timeline.prunedTo),
      latest: latestTaken(cluster),
      state: cluster.state,
      skewed: clock.isSkewed,
      ...totalsOf(cluster.timeline.index),
    });
  }
}

const UNREACHABLE =
  "a member serves Redis clients only on its own machine, so sentinels here do not name it: set --resp there to an address that clients can reach, or --announce";

const NOT_DELIVERED =
  "messages from a member were not delivered: they are too old, or their key is unknown or not authorized";

/** The number of statuses whose echo is still expected. */
const PENDING_MAX = 16;

/**
 * The round trip times of a message to a member. For this purpose each status contains the number of the last status
 * that was received from the other side, and how long ago it was received.
 */
class RoundTrips {
  /** The last round trip in milliseconds, or null if unknown. */
  last: number | null = null;
  readonly #uptime: () => number;
  /** The number of the status that was sent last. */
  serial = 0;
  readonly #sent = new Map<number, number>();
  #received = 0;
  #lastSeenAt = 0;

  /** @param uptime  milliseconds; never jumps */
  constructor(uptime: () => number) {
    this.#uptime = uptime;
  }

  /** Returns the numbers for the next status. */
  next(): { readonly serial: number; readonly echo: number; readonly echoAge: number } {
    const now = this.#uptime();
    const serial = ++this.serial;
    this.#sent.set(serial, now);
    this.#sent.delete(serial - PENDING_MAX);
    const echoAge = this.#received === 0 ? 0 : Math.max(0, Math.round(now - this.#lastSeenAt));
    return { serial, echo: this.#received, echoAge };
  }

  receive({ serial, echo, echoAge }: { serial: number; echo: number; echoAge: number }): void {
    const now = this.#uptime();
    this.#received = serial;
    this.#lastSeenAt = now;
    const sentAt = this.#sent.get(echo);
    if (sentAt !== undefined) this.last = Math.max(0, now - sentAt - echoAge);
  }
}

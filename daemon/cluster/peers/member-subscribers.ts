/**
 * The numbers of subscribers that members report to each other, so that every daemon can answer for all of them. A
 * daemon sends what has changed, at most once in a while, and a bounded number of names. It counts what a member has
 * reported on its present connection. Source: docs/decisions/0077-members-report-their-subscribers.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { SubscribersMessage } from "../../../protocol/members/member-messages.js";
import {
  CHANNEL_KINDS,
  type ChannelKind,
  COUNTS_MAX,
  countBytes,
  REPORTED_NAME_BYTES_MAX,
  readSubscriberCounts,
  type SubscriberCount,
  writeSubscriberCounts,
} from "../../../protocol/members/subscriber-counts.js";
import type { ChannelMessage, MemberSubscribers } from "../../engine/channels/channels.js";
import { GlobSteps, globMatches } from "../../store/patterns/glob.js";
import type { MemberConnection } from "./connections/member-connection.js";
import {
  type ClusterState,
  type ConnectedMember,
  membersWithStatus,
  type OwnSubscribers,
} from "./shared/cluster-state.js";

/** What a daemon reports, which is limited. */
class CountTable {
  readonly #limits: ClusterState["limits"];
  readonly #counts: Readonly<Record<ChannelKind, Map<ByteString, number>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };
  /** The number of names, and their bytes. */
  #names = 0;
  #bytes = 0;

  constructor(limits: ClusterState["limits"]) {
    this.#limits = limits;
  }

  get(kind: ChannelKind, name: ByteString): number {
    return this.#counts[kind].get(name) ?? 0;
  }

  /** @param count  0 removes the name */
  set({ kind, name, count }: SubscriberCount): void {
    const counts = this.#counts[kind];
    const change = Number(count > 0) - Number(counts.has(name));
    this.#names += change;
    this.#bytes += change * name.length;
    if (count === 0) counts.delete(name);
    else counts.set(name, count);
  }

  /** Whether another name can be added. */
  hasRoomFor(name: ByteString): boolean {
    const { maxReportedNames, maxReportedBytes } = this.#limits;
    return this.#names < maxReportedNames && this.#bytes + name.length <= maxReportedBytes;
  }

  get isEmpty(): boolean {
    return this.#names === 0;
  }

  get isTooLarge(): boolean {
    const { maxReportedNames, maxReportedBytes } = this.#limits;
    return this.#names > maxReportedNames || this.#bytes > maxReportedBytes;
  }

  of(kind: ChannelKind): ReadonlyMap<ByteString, number> {
    return this.#counts[kind];
  }

  /** Yields all counts. The iteration includes changes that are made meanwhile. */
  *all(): Generator<SubscriberCount> {
    for (const kind of CHANNEL_KINDS)
      for (const [name, count] of this.#counts[kind]) yield { kind, name, count };
  }
}

/** The counts of one message, as many as one message may have. */
class Batch {
  readonly #maxBytes: number;
  readonly #counts: SubscriberCount[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(count: SubscriberCount): void {
    this.#counts.push(count);
    this.#bytes += countBytes(count);
  }

  get isEmpty(): boolean {
    return this.#counts.length === 0;
  }

  get isFull(): boolean {
    return this.#counts.length >= COUNTS_MAX || this.#bytes >= this.#maxBytes;
  }

  get packed(): Buffer {
    return writeSubscriberCounts(this.#counts);
  }
}

/** A member that reports, and receives reports. */
interface ReportingMember extends ConnectedMember {
  readonly subscribers: SubscriberReports;
}

/** The names that are checked in one report. Checking them takes less than a millisecond. */
const CHECKS_MAX = COUNTS_MAX;
/**
 * The steps for which PUBLISH compares a channel with patterns of members, and the steps that each pattern takes at
 * least, in addition to its backtracking and its classes. They take less than a millisecond.
 */
const PATTERN_STEPS_MAX = 60_000;
const PATTERN_STEPS = 30;

/**
 * The numbers of subscribers of all connected members, to which this daemon's own are reported. Without a connected
 * member, it records nothing.
 */
export class SubscriberCounts implements MemberSubscribers {
  readonly #cluster: ClusterState<ReportingMember>;
  readonly #own: OwnSubscribers | null;
  /** What this daemon reports, or null if no member is connected. */
  #reported: CountTable | null = null;
  /** Names whose count differs from the reported one, or has differed a moment ago. */
  readonly #changed: Readonly<Record<ChannelKind, Set<ByteString>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
  };
  /** The number of reports so far. Each begins with another kind, so that no kind waits for the changes of another. */
  #reports = 0;
  /** The names that are searched for those that are not reported yet, or null if none are. */
  #search: Iterator<Omit<SubscriberCount, "count">> | null = null;
  /** Whether names are not reported because there are too many. */
  #isTruncated = false;
  /** Whether a name was removed from the reported ones since the last search began. */
  #hasNewRoom = false;
  #nextAt = 0;
  /** What the connected members have reported, without those that have reported nothing. */
  #received: readonly CountTable[] = [];

  constructor(cluster: ClusterState<ReportingMember>) {
    this.#cluster = cluster;
    this.#own = cluster.messages?.subscribers ?? null;
  }

  changed(kind: ChannelKind, name: ByteString, count: number): void {
    if (this.#reported === null) return;
    // Forget names that were used for a moment only, because a client may use any number of them.
    if (count === this.#reported.get(kind, name)) this.#changed[kind].delete(name);
    else this.#changed[kind].add(name);
  }

  subscribersOf(kind: ChannelKind, name: ByteString): number {
    let count = 0;
    for (const received of this.#received) count += received.get(kind, name);
    return count;
  }

  *names(kind: ChannelKind): Generator<ByteString> {
    for (const received of this.#received) yield* received.of(kind).keys();
  }

  countReceivers({ kind, channel }: ChannelMessage): number {
    let receivers = 0;
    let hasPatterns = false;
    for (const received of this.#received) {
      receivers += received.get(kind, channel);
      hasPatterns ||= received.of("pattern").size > 0;
    }
    return hasPatterns && kind === "channel" ? receivers + this.#countMatching(channel) : receivers;
  }

  /** A member may report many patterns, so only the first ones are compared. */
  #countMatching(channel: ByteString): number {
    let count = 0;
    const steps = new GlobSteps(null, PATTERN_STEPS_MAX, true);
    for (const received of this.#received)
      for (const [pattern, receivers] of received.of("pattern")) {
        steps.take(Math.max(PATTERN_STEPS, pattern.length));
        if (steps.areOver) return count;
        if (globMatches(pattern, channel, steps)) count += receivers;
      }
    return count;
  }

  receive({ subscribers }: ReportingMember, message: SubscribersMessage): void {
    subscribers.receive(message);
    this.#update();
  }

  /** Called when a member has disconnected. */
  disconnected(): void {
    this.#update();
  }

  #update(): void {
    const members = [...this.#cluster.members.values()];
    this.#received = members.map(({ subscribers }) => subscribers.received).filter(({ isEmpty }) => !isEmpty);
  }

  tick(now: number): void {
    if (this.#own === null) return;
    const members = [...membersWithStatus(this.#cluster)];
    if (members.length === 0) this.#end();
    else this.#report(this.#own, members, now);
  }

  #report(own: OwnSubscribers, members: readonly ReportingMember[], now: number): void {
    this.#reported ??= this.#begin(own);
    for (const { subscribers } of members) subscribers.sendNext(this.#reported);
    const hasChanges = CHANNEL_KINDS.some((kind) => this.#changed[kind].size > 0);
    if (now < this.#nextAt || !(hasChanges || this.#isSearching(own))) return;

    const { subscribersEveryMs, batchBytes } = this.#cluster.limits;
    this.#nextAt = now + subscribersEveryMs;
    const batch = new Batch(batchBytes);
    this.#takeChanges(own, this.#reported, batch);
    if (batch.isEmpty) return;

    const { packed } = batch;
    for (const { subscribers } of members) subscribers.sendChanges(packed);
  }

  #begin(own: OwnSubscribers): CountTable {
    this.#search = namesOf(own);
    return new CountTable(this.#cluster.limits);
  }

  #end(): void {
    this.#reported = null;
    this.#search = null;
    this.#isTruncated = this.#hasNewRoom = false;
    for (const kind of CHANNEL_KINDS) this.#changed[kind].clear();
  }

  /** Whether names are searched. A search begins if there is room again for names that are not reported. */
  #isSearching(own: OwnSubscribers): boolean {
    if (this.#search === null && this.#isTruncated && this.#hasNewRoom) {
      this.#search = namesOf(own);
      this.#isTruncated = this.#hasNewRoom = false;
    }
    return this.#search !== null;
  }

  #takeChanges(own: OwnSubscribers, reported: CountTable, batch: Batch): void {
    let checks = 0;
    this.#reports++;
    for (let index = 0; index < CHANNEL_KINDS.length; index++) {
      const kind = CHANNEL_KINDS[(this.#reports + index) % CHANNEL_KINDS.length] as ChannelKind;
      for (const name of this.#changed[kind]) {
        if (batch.isFull || ++checks > CHECKS_MAX) return;
        this.#changed[kind].delete(name);
        this.#take({ kind, name, count: own.subscribersOf(kind, name) }, reported, batch);
      }
    }

    while (this.#isSearching(own) && !batch.isFull && ++checks <= CHECKS_MAX) {
      const next = this.#search?.next();
      if (next === undefined || next.done === true) this.#search = null;
      else
        this.#take(
          { ...next.value, count: own.subscribersOf(next.value.kind, next.value.name) },
          reported,
          batch,
        );
    }
  }

  /** Adds a count to the batch if it differs from the reported one, and can be reported. */
  #take(count: SubscriberCount, reported: CountTable, batch: Batch): void {
    const before = reported.get(count.kind, count.name);
    if (count.count === before || count.name.length > REPORTED_NAME_BYTES_MAX) return;
    if (before === 0 && !reported.hasRoomFor(count.name)) {
      this.#search = null;
      this.#isTruncated = true;
      this.#cluster.notices.warn("subscribers", {}, TRUNCATED);
      return;
    }

    this.#hasNewRoom ||= count.count === 0;
    reported.set(count);
    batch.add(count);
  }
}

function* namesOf(own: OwnSubscribers): Generator<Omit<SubscriberCount, "count">> {
  for (const kind of CHANNEL_KINDS) for (const name of own.names(kind)) yield { kind, name };
}

const TRUNCATED =
  "this daemon's clients subscribe to more channels than it reports to its members, which do not count the subscribers of the remaining ones (PUBSUB, PUBLISH)";

/** The member at the other end of a connection. */
interface ReportReceiver {
  readonly connection: MemberConnection;
  malformed(detail: string): void;
}

/** The reports to one member, and those that it has sent. */
export class SubscriberReports {
  readonly #member: ReportReceiver;
  readonly #limits: ClusterState["limits"];
  readonly #isAccepting: boolean;
  #received: CountTable;
  /** The number of the next message from the member. */
  #expected = 0;
  /** The number of the next message to the member. The message 0 replaces everything that was sent before. */
  #next = 0;
  /** Whether the member has received anything. */
  #hasSent = false;
  /** The counts that are still to be sent after the message 0; null: none, or all if the next message is 0. */
  #rest: Iterator<SubscriberCount> | null = null;
  /** Whether the member has received all counts, or will receive them from `#rest`. */
  #isFollowing = false;

  constructor(member: ReportReceiver, { limits, messages }: ClusterState) {
    this.#member = member;
    this.#limits = limits;
    this.#received = new CountTable(limits);
    this.#isAccepting = messages !== null;
  }

  /** What the member has reported. */
  get received(): CountTable {
    return this.#received;
  }

  receive({ number, counts: packed }: SubscribersMessage): void {
    const counts = this.#isAccepting ? readSubscriberCounts(packed) : null;
    if (counts === null || (number !== 0 && number !== this.#expected)) {
      this.#member.malformed(
        `numbers of subscribers, message ${number} where ${this.#expected} was expected`,
      );
      return;
    }

    if (number === 0) this.#received = new CountTable(this.#limits);
    this.#expected = number + 1;
    for (const count of counts) this.#received.set(count);
    if (this.#received.isTooLarge) this.#member.malformed("subscribers of more channels than it may report");
  }

  /** Sends the next part of all counts, if the member is not up to date. */
  sendNext(reported: CountTable): void {
    if ((this.#isFollowing && this.#rest === null) || !this.#isFree) return;
    this.#isFollowing = true;
    this.#rest ??= reported.all();

    const batch = new Batch(this.#limits.batchBytes);
    while (this.#rest !== null && !batch.isFull) {
      const { value, done } = this.#rest.next();
      if (done === true) this.#rest = null;
      else batch.add(value);
    }
    if (!batch.isEmpty || (this.#hasSent && this.#next === 0)) this.#send(batch.packed);
  }

  /**
   * Sends counts that have changed. If the member does not read what was sent before, it receives all counts later
   * instead.
   */
  sendChanges(packed: Buffer): void {
    if (!this.#isFollowing) return;
    if (this.#isFree) this.#send(packed);
    else {
      this.#isFollowing = false;
      this.#rest = null;
      this.#next = 0;
    }
  }

  /** Whether the connection accepts reports: entries and messages use the same connection, and have priority. */
  get #isFree(): boolean {
    return this.#member.connection.unsentBytes < this.#limits.channelMessageUnsentBytes;
  }

  #send(counts: Buffer): void {
    this.#member.connection.send({ kind: "subscribers", number: this.#next, counts });
    this.#next++;
    this.#hasSent = true;
  }
}

/**
 * Checks whether members that have applied the same commands have the same state. Each member computes sums over its
 * keys as of common dates, in short slices of time. Where the sums of two members differ, they compare the individual
 * keys as of one moment. Only this second step can prove that a key differs. Source:
 * docs/decisions/0043-members-compare-their-states.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { OwnMessage } from "../../../../protocol/members/member-messages.js";
import {
  KEY_BYTES_MAX,
  KEYS_MAX,
  type StateSumsMessage,
} from "../../../../protocol/members/state-messages.js";
import { runTurn, type Steps } from "../../../../protocol/steps.js";
import { mapKeyOf, type NamedKey } from "../../../store/keyspace/named-key.js";
import {
  type KeyDigest,
  type StateSums,
  type SumSelection,
  UNCOMPARED,
} from "../../../timeline/state-digests.js";
import type { Timeline } from "../../../timeline/timeline.js";
import { type ClusterState, type ConnectedMember, membersWithStatus } from "../shared/cluster-state.js";
import { electorateIn } from "../shared/electorate.js";
import { isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import { ComparisonSchedule } from "./comparison-schedule.js";
import { StateDifferences } from "./state-differences.js";

const SECOND = 1000;
/**
 * The number of dates whose sums are stored for each member and for this daemon. A slow member's sums can then still be
 * compared with earlier sums.
 */
const SUMS_STORED = 4;
/** The maximum number of buckets that are searched for differing keys at a time. */
const BUCKETS_SEARCHED = 16;
/**
 * How many times the digests of the same keys are requested, and the milliseconds between two requests. Members may be
 * unable to answer the first request.
 */
const REQUESTS = 3;
const REQUEST_EVERY_MS = 2_000;
/**
 * The maximum number of messages that are processed per second from one member. An honest member sends a handful in 15
 * s.
 */
const MESSAGES_MAX = 16;
/**
 * The maximum milliseconds between two ticks that count for the share of working time, so that missed ticks are not
 * made up for.
 */
const TICK_MS_MAX = 100;

type StateKeysMessage = OwnMessage & { kind: "state-keys" };

/** A member that has reported something about its state. */
export interface ComparedMember extends ConnectedMember {
  malformed(detail: string): void;
}

/** The source of the stable point. */
interface StablePointSource {
  /** The date before which everything is final. */
  readonly value: number;
}

interface OwnSums extends SumSelection, StateSums {}

interface KeyRequest {
  readonly salt: number;
  readonly keys: readonly NamedKey[];
  left: number;
  at: number;
}

export class StateComparing {
  readonly differences: StateDifferences;
  /** The last date at which this daemon has compared its state with a member's, or 0 if it never has. */
  comparedAt = 0;
  readonly #cluster: ClusterState;
  readonly #stable: StablePointSource;
  readonly #digests: Timeline["digests"];
  readonly #schedule: ComparisonSchedule;
  #work: Steps<void> | null = null;
  #own: OwnSums[] = [];
  readonly #theirs = new Map<ByteString, StateSumsMessage[]>();
  #lastAt = 0;
  #nextAt = 0;
  #tickedAt = 0;
  /** The next search for differing keys, which starts when no other work is running, or null if there is none. */
  #wanted: Parameters<Timeline["digests"]["keysIn"]>[0] | null = null;
  #requests: KeyRequest[] = [];
  /** The messages that each member has sent in this second, and the milliseconds that they took. */
  readonly #received = new Map<ByteString, { count: number; spent: number }>();

  constructor(cluster: ClusterState, stable: StablePointSource) {
    this.#cluster = cluster;
    this.#stable = stable;
    this.#digests = cluster.timeline.digests;
    this.#schedule = new ComparisonSchedule(cluster.limits.compareEveryMs, cluster.limits.compareIdleMs);
    this.differences = new StateDifferences(cluster);
  }

  tick(now: number): void {
    const { limits, uptime } = this.#cluster;
    const share = (Math.min(now - this.#tickedAt, TICK_MS_MAX) * limits.comparePercent) / 100;
    this.#tickedAt = now;
    if (limits.comparePercent === 0) return;

    if (now >= this.#nextAt) this.#update(now);
    if (this.#work === null && this.#wanted !== null) {
      this.#work = this.#search(this.#wanted);
      this.#wanted = null;
    }
    if (this.#work !== null && runTurn(this.#work, uptime, share) !== null) this.#work = null;
  }

  disconnected(id: ByteString): void {
    this.#theirs.delete(id);
    this.differences.disconnected(id);
  }

  /** Handles a member's report about its state. */
  receive(member: ComparedMember, message: StateSumsMessage | StateKeysMessage): void {
    const { at } = message;
    if (at % SECOND !== 0) {
      member.malformed(`a state as of ${at}, which is not a whole second`);
      return;
    }

    const { limits, uptime } = this.#cluster;
    const received = this.#received.get(member.id) ?? { count: 0, spent: 0 };
    this.#received.set(member.id, received);
    if (++received.count > MESSAGES_MAX || received.spent >= (SECOND * limits.comparePercent) / 100) return;

    const from = uptime();
    if (message.kind === "state-keys") this.#receiveKeys(member, message);
    else if (electorateIn(this.#cluster).ids.has(member.id)) {
      const latest = [...(this.#theirs.get(member.id) ?? []), message].slice(-SUMS_STORED);
      this.#theirs.set(member.id, latest);
      for (const own of this.#own) this.#compare(member.id, own, message);
    }
    received.spent += uptime() - from;
  }

  #update(now: number): void {
    this.#nextAt = now + SECOND;
    this.#received.clear();
    this.differences.tick(now);

    for (const request of this.#requests) if (now >= request.at) this.#request(request, now);
    this.#requests = this.#requests.filter(({ left }) => left > 0);

    const at = this.#schedule.lastDate(this.#settled);
    if (this.#work !== null || at <= this.#lastAt || this.#comparable.length === 0) return;

    const { index, newest } = this.#cluster.timeline;
    const entriesDigest = `${index.total("ring").sum}${index.total("data").sum}`;
    const isRequested = [...this.#theirs.values()].some((latest) => latest.some((one) => one.at === at));
    this.#schedule.noteEntries(entriesDigest);
    if (!this.#schedule.shouldCompareAt(at, isRequested) || !this.#digests.isExact(at)) return;

    this.#lastAt = at;
    // The sums of other members are ignored, so they are not waited for.
    const { ids } = electorateIn(this.#cluster);
    const voters = this.#comparable.flatMap(({ id }) => (ids.has(id) ? [id] : []));
    this.#schedule.begin(at, entriesDigest, newest.at, voters);
    this.#work = this.#sumUp({ at, salt: at / SECOND });
  }

  /** The date before which neither this daemon nor any member can accept entries any longer. */
  get #settled(): number {
    return Math.min(this.#stable.value, this.#cluster.timeline.published);
  }

  get #comparable(): ConnectedMember[] {
    const { limits } = this.#cluster;
    return [...membersWithStatus(this.#cluster)].filter(
      ({ connection: { unsentBytes }, status }) =>
        status?.state === "live" && unsentBytes < limits.maxUnsentBytes,
    );
  }

  *#sumUp(selection: SumSelection): Steps<void> {
    const own = { ...selection, ...(yield* this.#digests.sums(selection)) };
    const { at, shares, sums } = own;
    this.#own = [...this.#own, own].slice(-SUMS_STORED);
    for (const { connection } of this.#comparable) connection.send({ kind: "state-sums", at, shares, sums });
    for (const [id, messages] of this.#theirs)
      for (const message of messages) this.#compare(id, own, message);
    for (const [salt, keys] of this.differences.keysToRequest) this.#requestKeys(salt, keys);
  }

  #compare(id: ByteString, own: OwnSums, theirs: StateSumsMessage): void {
    if (own.at !== theirs.at || own.shares !== theirs.shares) return;
    this.comparedAt = Math.max(this.comparedAt, own.at);

    const buckets = Math.min(own.sums.length, theirs.sums.length);
    const here = inBuckets(own.sums, buckets);
    const there = inBuckets(theirs.sums, buckets);
    const differing: number[] = [];
    for (const [bucket, sum] of here.entries())
      if (sum !== there[bucket] && sum !== UNCOMPARED && there[bucket] !== UNCOMPARED) differing.push(bucket);

    this.#schedule.recordResult(own.at, own.shares, id, differing.length === 0);
    if (differing.length === 0 || this.#wanted !== null) return;

    // Begin with a random bucket, because some buckets may contain only keys that cannot be requested.
    const first = Math.floor(this.#cluster.random() * differing.length);
    const wanted = new Set([...differing.slice(first), ...differing].slice(0, BUCKETS_SEARCHED));
    const { salt, shares } = own;
    this.#wanted = { wanted, shares, buckets, salt, max: KEYS_MAX };
  }

  *#search(wanted: Parameters<Timeline["digests"]["keysIn"]>[0]): Steps<void> {
    const keys = yield* this.#digests.keysIn(wanted);
    this.#requestKeys(
      wanted.salt,
      keys.filter(({ key }) => key.length <= KEY_BYTES_MAX),
    );
  }

  #requestKeys(salt: number, keys: readonly NamedKey[]): void {
    if (keys.length > 0) this.#requests.push({ salt, keys, left: REQUESTS, at: 0 });
  }

  /**
   * Sends the digests of keys to all members and not only to the member that differs, so that the verdict can name the
   * daemon whose state is wrong.
   */
  #request(request: KeyRequest, now: number): void {
    request.left--;
    request.at = now + REQUEST_EVERY_MS;

    const { salt, keys } = request;
    const at = Math.floor(this.#settled / SECOND) * SECOND;
    const digests = this.#digests.digests({ at, salt }, keys);
    if (digests === null || digests.length === 0) return;

    const totals = totalsUpTo(this.#cluster.timeline.index, at);
    for (const { connection } of this.#comparable)
      connection.send({ kind: "state-keys", at, salt, isAnswer: false, ...totals, keys: digests });
  }

  #receiveKeys({ id, connection }: ComparedMember, message: StateKeysMessage): void {
    const { at, salt, keys, isAnswer } = message;
    const totals = totalsUpTo(this.#cluster.timeline.index, at);
    if (!isSameTotals(totals, message)) return;

    const own = this.#digests.digests({ at, salt }, keys);
    if (own === null) return;

    const byName = new Map(own.map((one) => [mapKeyOf(one), one]));
    if (electorateIn(this.#cluster).ids.has(id))
      for (const theirs of keys) {
        const here = byName.get(mapKeyOf(theirs));
        if (here !== undefined) this.differences.judged(id, here, salt, isSame(here, theirs));
      }

    if (!isAnswer) connection.send({ kind: "state-keys", at, salt, isAnswer: true, ...totals, keys: own });
  }
}

function isSame({ digest: one }: KeyDigest, { digest: other }: KeyDigest): boolean {
  if (one === null || other === null) return one === other;
  return one.high === other.high && one.low === other.low;
}

/** Combines sums into fewer buckets. The sum of each new bucket is the total of several neighboring buckets. */
function inBuckets(sums: Uint32Array, buckets: number): Uint32Array {
  if (sums.length === buckets) return sums;

  const fewer = new Uint32Array(buckets);
  const each = sums.length / buckets;
  for (const [bucket, sum] of sums.entries()) {
    const into = Math.floor(bucket / each);
    const before = fewer[into] as number;
    fewer[into] = sum === UNCOMPARED || before === UNCOMPARED ? UNCOMPARED : before + sum;
  }
  return fewer;
}

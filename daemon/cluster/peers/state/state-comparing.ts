/**
 * Checks whether members that have applied the same commands have the same state. Each member computes sums over its
 * keys as of common dates, in short slices of time. Where the sums of two members differ, they compare the individual
 * keys as of one moment. Only this second step can prove that a key differs. Source:
 * docs/decisions/0043-members-compare-their-states.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  KEY_BYTES_MAX,
  KEYS_MAX,
  type OwnMessage,
  type StateSumsMessage,
} from "../../../../protocol/members/member-messages.js";
import { runTurn, type Steps } from "../../../../protocol/steps.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import {
  type KeyDigest,
  type NamedKey,
  nameOf,
  type StateSums,
  type SumSelection,
  UNCOMPARED,
} from "../../../timeline/state-digests.js";
import type { Timeline } from "../../../timeline/timeline.js";
import {
  type ClusterState,
  type ConnectedMember,
  membersWithStatus,
  type PeeringLog,
} from "../shared/cluster-state.js";
import { electorateIn } from "../shared/electorate.js";
import { isSameTotals, totalsUpTo } from "../shared/entry-totals.js";

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
    const entries = `${index.total("ring").sum}${index.total("data").sum}`;
    const isRequested = [...this.#theirs.values()].some((latest) => latest.some((one) => one.at === at));
    if (!this.#schedule.isDue(at, entries, isRequested) || !this.#digests.isExact(at)) return;
    this.#lastAt = at;
    // The sums of other members are ignored, so they are not waited for.
    const { ids } = electorateIn(this.#cluster);
    const voters = this.#comparable.flatMap(({ id }) => (ids.has(id) ? [id] : []));
    this.#schedule.begin(at, entries, newest.at, voters);
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
    const [here, there] = [inBuckets(own.sums, buckets), inBuckets(theirs.sums, buckets)];
    const differing: number[] = [];
    for (const [bucket, sum] of here.entries())
      if (sum !== there[bucket] && sum !== UNCOMPARED && there[bucket] !== UNCOMPARED) differing.push(bucket);
    this.#schedule.compared(own.at, own.shares, id, differing.length === 0);
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
    const byName = new Map(own.map((one) => [nameOf(one), one]));
    if (electorateIn(this.#cluster).ids.has(id))
      for (const theirs of keys) {
        const here = byName.get(nameOf(theirs));
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

/**
 * The factor by which the interval grows. It is odd, so that the dates still select each share of a large keyspace: the
 * number of shares is a power of two.
 */
const GROWTH = 3;

/** The outcome of the comparison at one date. */
interface Round {
  readonly at: number;
  /** The number of parts into which the keyspace is divided; each date compares one of them. */
  readonly shares: number;
  /** The members whose sums were equal. */
  readonly equal: Set<string>;
  isDifferent: boolean;
}

/**
 * The dates at which the states of members are compared. While nothing is written, comparisons that find no difference
 * become rarer, because they cost time for each key. A write, a difference or a missing answer makes them as frequent
 * as at first.
 */
class ComparisonSchedule {
  readonly #everyMs: number;
  readonly #idleMs: number;
  #interval: number;
  #round: Round | null = null;
  /** The number of consecutive dates with equal sums, since the interval last changed. */
  #equalRounds = 0;
  /** A digest of the entries at the last date. */
  #entries = "";

  /**
   * @param everyMs  the shortest interval between two dates
   * @param idleMs   the upper limit for the interval while nothing is written
   */
  constructor(everyMs: number, idleMs: number) {
    this.#everyMs = everyMs;
    this.#idleMs = idleMs;
    this.#interval = everyMs;
  }

  /** Returns the last date, at or before the given one, at which states may be compared. */
  lastDate(settled: number): number {
    return Math.floor(settled / this.#everyMs) * this.#everyMs;
  }

  /**
   * Whether to compare the states as of a date, which `lastDate` has returned.
   * @param entries      a digest of all entries that this daemon has
   * @param isRequested  whether a member has compared this date
   */
  isDue(at: number, entries: string, isRequested: boolean): boolean {
    if (entries !== this.#entries) this.#restart();
    return isRequested || at % this.#interval === 0;
  }

  /**
   * Begins a comparison.
   * @param newest   the date of the newest entry
   * @param members  the members with which the previous state was to be compared
   */
  begin(at: number, entries: string, newest: number, members: readonly string[]): void {
    this.#judge(newest, members);
    this.#entries = entries;
    this.#round = { at, shares: 1, equal: new Set(), isDifferent: false };
  }

  /** Records the result of a comparison with one member. */
  compared(at: number, shares: number, member: string, isEqual: boolean): void {
    if (this.#round?.at !== at) return;
    this.#round = { ...this.#round, shares };
    if (isEqual) this.#round.equal.add(member);
    else this.#round.isDifferent = true;
  }

  /** Changes the interval according to the result of the last comparison. */
  #judge(newest: number, members: readonly string[]): void {
    if (this.#round === null) return;
    const { at, shares, equal, isDifferent } = this.#round;
    if (isDifferent || newest >= at || !members.every((id) => equal.has(id))) {
      this.#restart();
      return;
    }
    this.#equalRounds++;
    if (this.#equalRounds < shares || this.#interval * GROWTH > this.#idleMs) return;
    this.#interval *= GROWTH;
    this.#equalRounds = 0;
  }

  #restart(): void {
    this.#interval = this.#everyMs;
    this.#equalRounds = 0;
  }
}

/** The maximum number of recorded keys: a few examples are enough for an administrator to know what to do. */
const STORED_KEYS_MAX = 128;
/** The time after which a difference is reported. All members can answer a request about the key within this time. */
const SETTLING_MS = 3_000;
/** The maximum number of characters of a key's name that are shown. */
const SHOWN_MAX = 128;

/** Whose state is wrong, according to the majority: this daemon's (`own`), a member's, or unclear. */
type Verdict = "own" | "member" | "unclear";

/** A key with a different value on some member. */
export interface StateDifference extends NamedKey {
  /** The ids of the members with a different value. */
  readonly members: readonly ByteString[];
  readonly verdict: Verdict;
}

interface Differing extends NamedKey {
  readonly salt: number;
  readonly since: number;
  /** Whether each member has the same value as this daemon, by id. */
  readonly answers: Map<ByteString, boolean>;
  reported: Verdict | null;
}

/**
 * The keys whose values on a member and on this daemon differed at the same moment. These keys are reported, and
 * compared again until their values are equal.
 */
class StateDifferences {
  readonly #parts: { readonly log: PeeringLog; readonly uptime: () => number };
  readonly #keys = new Map<string, Differing>();

  constructor(parts: { readonly log: PeeringLog; readonly uptime: () => number }) {
    this.#parts = parts;
  }

  /** Reported differences, for `dbsync status` and metrics. */
  get all(): readonly StateDifference[] {
    return [...this.#keys.values()].flatMap(({ db, key, answers, reported }) =>
      reported === null ? [] : [{ db, key, members: differingIn(answers), verdict: reported }],
    );
  }

  /** The keys to request again, by the salt with which they were found. */
  get keysToRequest(): ReadonlyMap<number, readonly NamedKey[]> {
    const requests = new Map<number, NamedKey[]>();
    for (const { db, key, salt } of this.#keys.values()) {
      const keys = requests.get(salt) ?? [];
      keys.push({ db, key });
      requests.set(salt, keys);
    }
    return requests;
  }

  /** Records whether a member's value of a key is the same as this daemon's, as of the same moment. */
  judged(id: ByteString, named: NamedKey, salt: number, isSame: boolean): void {
    const name = nameOf(named);
    const known = this.#keys.get(name);
    if (known !== undefined) known.answers.set(id, isSame);
    else if (!isSame && this.#keys.size < STORED_KEYS_MAX)
      this.#keys.set(name, {
        db: named.db,
        key: named.key,
        salt,
        since: this.#parts.uptime(),
        answers: new Map([[id, false]]),
        reported: null,
      });
  }

  /** Called when a member has disconnected. Its answers are discarded, because it may return with another state. */
  disconnected(id: ByteString): void {
    for (const { answers } of this.#keys.values()) answers.delete(id);
  }

  tick(now: number): void {
    for (const [name, differing] of this.#keys) {
      if (differingIn(differing.answers).length === 0) this.#same(name, differing);
      else if (now - differing.since > SETTLING_MS) this.#logDifference(differing);
    }
  }

  #same(name: string, { db, key, reported }: Differing): void {
    this.#keys.delete(name);
    if (reported !== null)
      this.#parts.log.info(
        { db, key: shownKey(key) },
        "no connected member has a different value of this key any longer",
      );
  }

  #logDifference(differing: Differing): void {
    const { db, key, answers, reported } = differing;
    const verdict = verdictOn([...answers.values()]);
    differing.reported = verdict;
    if (verdict === reported) return;
    const members = differingIn(answers).map(hexOf);
    this.#parts.log.error({ db, key: shownKey(key), members }, SENTENCES[verdict]);
  }
}

const differingIn = (answers: ReadonlyMap<ByteString, boolean>): ByteString[] =>
  [...answers].flatMap(([id, isSame]) => (isSame ? [] : [id]));

/** @param answers  for each member, whether it has the same value as this daemon */
function verdictOn(answers: readonly boolean[]): Verdict {
  const same = 1 + answers.filter((isSame) => isSame).length;
  const others = 1 + answers.length - same;
  return others > same ? "own" : others < same ? "member" : "unclear";
}

const SENTENCES: Readonly<Record<Verdict, string>> = {
  own: "this daemon's state differs from that of most members, although they have the same commands: restart this daemon, so that it rebuilds its state",
  member:
    "a member's state differs from that of this daemon and most other members, although they have the same commands: restart that member",
  unclear:
    "this daemon's state and a member's differ, although they have the same commands: restart both, one after the other",
};

/** Formats a key's name on one line, and truncates a long name. */
function shownKey(key: ByteString): string {
  const text = key.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, (char) => `\\x${hexOf(char)}`);
  return key.length > SHOWN_MAX ? `${text}…` : text;
}

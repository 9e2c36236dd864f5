/**
 * What the next final date waits for, and for how long without progress. A member that joins or returns delays it
 * normally; a member that makes no progress, or is not connected, is a problem. All reports of it follow from here.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { FINALITY_CAUSES, type FinalityCauseName } from "../../../../protocol/figures/finality-causes.js";
import { stableCandidate } from "../../../timeline/members/rules.js";
import type { ClusterState, ConnectedMember } from "../shared/cluster-state.js";
import { totalsOf } from "../shared/entry-totals.js";
import { boundOf } from "./common-date.js";
import type { SnapshotTaking } from "./snapshot-taking.js";
import type { StablePoint } from "./stable-point.js";

/** Milliseconds between two checks. */
const CHECK_EVERY_MS = 250;

interface Obstacle {
  readonly cause: FinalityCauseName;
  /** The ids of the members that it concerns, as far as they are known. */
  readonly members: readonly ByteString[];
}

export interface Delay extends Obstacle {
  /** Milliseconds since it last made progress. */
  readonly milliseconds: number;
  /** Whether that is longer than is normal. */
  readonly isOverdue: boolean;
}

interface Progress {
  /** What changes with any progress, apart from entries that are exchanged. */
  readonly seen: string;
  /** The smallest difference in the number of entries since then. It grows and shrinks while clients write. */
  readonly leastGap: number;
  /** `uptime` milliseconds. */
  readonly at: number;
}

/** What the delay follows from. */
export interface DelaySources {
  readonly stable: Pick<StablePoint, "value">;
  /** The hash of the list under which this daemon reports, or null; empty: there is no list. */
  readonly ownList: () => ByteString | null;
  /** The hash of the list under which a connected member reports, as in `ownList`. */
  readonly listOf: (id: ByteString) => ByteString | null;
  readonly snapshots: Pick<SnapshotTaking, "progress">;
  /** Whether a member has reported the same entries as this daemon has now. */
  readonly isEqual: (id: ByteString) => boolean;
}

export class FinalityDelay {
  readonly #cluster: ClusterState;
  readonly #sources: DelaySources;
  #obstacle: Obstacle | null = null;
  /** The progress of each of its members; of this daemon, if it names none. */
  #progress: ReadonlyMap<ByteString, Progress> = new Map();
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(cluster: ClusterState, sources: DelaySources) {
    this.#cluster = cluster;
    this.#sources = sources;
  }

  tick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + CHECK_EVERY_MS;
    this.#obstacle = this.#find();
    const { cause = null, members = [] } = this.#obstacle ?? {};

    const progress = new Map<ByteString, Progress>();
    if (cause !== null)
      for (const id of members.length === 0 ? [OWN] : members)
        progress.set(id, this.#progressOf(cause, id, now));
    this.#progress = progress;
  }

  /** What the next final date waits for, as of the last check; null: nothing. */
  get current(): Delay | null {
    if (this.#obstacle === null) return null;
    const { cause, members } = this.#obstacle;
    const { normalMs } = FINALITY_CAUSES[cause];

    const now = this.#cluster.uptime();
    const isLate = (id: ByteString) => now - (this.#progress.get(id)?.at ?? now) > normalMs;
    const isOverdue = normalMs === 0 || [...this.#progress.keys()].some(isLate);
    const oldest = [...this.#progress.values()].reduce((least, { at }) => Math.min(least, at), now);
    // A member that makes progress is not to blame for another one.
    const named = isOverdue && normalMs > 0 ? members.filter(isLate) : members;
    return { cause, members: named, milliseconds: now - oldest, isOverdue };
  }

  #find(): Obstacle | null {
    const { ownList, listOf } = this.#sources;
    const list = ownList();

    if (this.#cluster.state === "catching-up") return { cause: "own-state", members: [] };
    if (list === null) return { cause: "own-list", members: [] };

    const ids = this.#others;
    const connected = new Map([...this.#cluster.members].filter(([id]) => ids.has(id)));
    const away = [...ids].filter((id) => id === null || !connected.has(id));
    if (away.length > 0) return { cause: "away", members: away.filter((id) => id !== null) };

    const members = [...connected.values()];
    if (members.length === 0) return null;

    const unlisted = members.filter(({ id }) => listOf(id) !== list);
    if (unlisted.length > 0) return concerning("list", unlisted);

    const incomplete = members.filter(({ status, isCatchingUp }) => status === null || isCatchingUp);
    return incomplete.length > 0 ? concerning("catching-up", incomplete) : this.#dated(members);
  }

  /** The ids of the other members that have to agree; null: an address at which no daemon has proved its id yet. */
  get #others(): ReadonlySet<ByteString | null> {
    const { lists, addresses, members } = this.#cluster;
    const listed = lists?.others ?? null;
    if (listed !== null) return listed;
    return new Set([...addresses.filter(({ isSelf }) => !isSelf).map(({ id }) => id), ...members.keys()]);
  }

  /** @param members  connected members that report under this daemon's list */
  #dated(members: readonly ConnectedMember[]): Obstacle {
    const { stable, isEqual } = this.#sources;
    const { timeline } = this.#cluster;
    const own = boundOf(timeline);
    const dateOf = ({ status }: ConnectedMember) => status?.watermark ?? 0;
    const lowest = members.reduce((least, member) => Math.min(least, dateOf(member)), own);

    if (stableCandidate([lowest]) > stable.value) {
      const differing = members.filter(({ id }) => !isEqual(id));
      return concerning("entries", differing.length > 0 ? differing : members);
    }

    if (own > lowest)
      return concerning(
        "date",
        members.filter((one) => dateOf(one) === lowest),
      );
    return { cause: own < timeline.published ? "open-vote" : "own-date", members: [] };
  }

  /** @param id  a member, or `OWN` */
  #progressOf(cause: FinalityCauseName, id: ByteString, now: number): Progress {
    const { stable, snapshots } = this.#sources;
    const { progressAt, timeline, members } = this.#cluster;
    const received = snapshots.progress?.received ?? 0;
    const own = cause === "own-state" ? [progressAt, timeline.waiting.size, received] : [];
    const member = members.get(id);
    // While a member compares its entries, its date rises although nothing else does.
    const date = cause === "date" ? member?.status?.watermark : 0;
    const seen = [cause, stable.value, ...own, date, member?.snapshotPart].join(" ");

    const gap = this.#gapTo(member);
    const before = this.#progress.get(id);
    if (before === undefined || before.seen !== seen) return { seen, leastGap: gap, at: now };
    return gap < before.leastGap ? { seen, leastGap: gap, at: now } : before;
  }

  /** Returns by how many entries a member differs in number from this daemon. New writes arrive at both. */
  #gapTo(member: ConnectedMember | undefined): number {
    const status = member?.status ?? null;
    // The first status is progress, and so are the entries that it then receives.
    if (status === null) return Number.POSITIVE_INFINITY;
    const own = totalsOf(this.#cluster.timeline.index);
    return Math.abs(own.ring.count + own.data.count - status.ring.count - status.data.count);
  }
}

/** The place of this daemon among the members. */
const OWN = "";

const concerning = (cause: FinalityCauseName, members: readonly ConnectedMember[]): Obstacle => ({
  cause,
  members: members.map(({ id }) => id),
});

/**
 * Entries that lack here and that a member has pruned, so that it can never give them. Found by a report of the member on
 * everything dated before the end of what it has pruned; gone when the same is held here, as somebody else gave it.
 * Remembered while the member is away. Source: docs/protocol-v2.md "Members", rule 8.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { dateText, hexOf } from "../../protocol/envelope.js";
import type { StatusMessage, Totals } from "../../protocol/member-messages.js";
import { isSameDigest, LEVEL_SECONDS } from "../../timeline/digest-index.js";
import type { MemberConnection } from "./member-connection.js";
import type { PeeringParts } from "./peering-parts.js";
import type { Report } from "./stable-point.js";

const SECOND = 1000;
/** The coarsest sums are kept for all time. */
const COARSEST = (LEVEL_SECONDS.at(-1) as number) * SECOND;
/** Milliseconds after which the same is said again. */
const AGAIN_MS = 600_000;

/** A member, as far as it matters here. */
interface Pruner {
  readonly id: ByteString;
  readonly connection: Pick<MemberConnection, "send" | "remote">;
}

/** What a member has pruned, compared with what is here. Times are `uptime` milliseconds where not said otherwise. */
interface Gap {
  readonly member: ByteString;
  address: string;
  /** Nothing dated at or before it is kept there; milliseconds since 1970. */
  pruned: number;
  /** Whether the member itself says that it lacks nothing. */
  isWhole: boolean;
  /** Up to where it was asked; milliseconds since 1970. */
  at: number;
  /** Its last on that; null: none yet. */
  report: Report | null;
  /** One that it does not matter any more; null: none. */
  forgiven: Report | null;
  /** Whether it has been compared. */
  isKnown: boolean;
  /** Whether something lacks here. */
  isOpen: boolean;
  /** Not found the same since it connected: what lacks is not just on its way. */
  isNew: boolean;
  /** Since when it is open. */
  since: number;
  /** The fewest entries that lacked since then, and when that was found. */
  fewest: number;
  shrunkAt: number;
  saidAt: number;
}

export class Gaps {
  readonly #parts: Pick<PeeringParts, "timeline" | "clock" | "uptime" | "log" | "limits">;
  readonly #gaps = new Map<ByteString, Gap>();
  #nextAt = 0;

  constructor(parts: Pick<PeeringParts, "timeline" | "clock" | "uptime" | "log" | "limits">) {
    this.#parts = parts;
  }

  /**
   * A member has said what it has pruned.
   * @param isFirst  of its connection
   */
  heard({ id, connection }: Pruner, status: StatusMessage, isFirst: boolean): void {
    if (status.pruned === 0) {
      this.#gaps.delete(id);
      return;
    }
    const gap = this.#gaps.get(id) ?? noGap(id);
    this.#gaps.set(id, gap);
    gap.address = connection.remote;
    gap.pruned = status.pruned;
    gap.isWhole = status.state !== "catching-up";
    if (isFirst) gap.isNew = true;
    const { index } = this.#parts.timeline;
    if (isSameDigest(index.total("ring"), status.ring) && isSameDigest(index.total("data"), status.data)) {
      close(gap);
      return;
    }
    gap.at = this.#endOf(status.pruned);
    connection.send({ kind: "report-request", at: gap.at });
  }

  reported(id: ByteString, report: Report): void {
    const gap = this.#gaps.get(id);
    if (gap === undefined || gap.at !== report.at) return;
    gap.report = report;
    this.#compare(gap, report);
  }

  /** A member is no longer connected. */
  left(id: ByteString): void {
    if (this.#gaps.get(id)?.isKnown === false) this.#gaps.delete(id);
  }

  /** Members that are left out of the cluster do not matter any more. */
  keep(isMember: (id: ByteString) => boolean): void {
    for (const id of this.#gaps.keys()) if (!isMember(id)) this.#gaps.delete(id);
  }

  /** Whether something lacks here that this member has pruned. */
  isOpen(id: ByteString): boolean {
    return this.#gaps.get(id)?.isOpen ?? false;
  }

  /** Whether it is so, and nothing of it has come from anybody for a while: entry by entry it cannot be healed. */
  isStuck(id: ByteString, now: number): boolean {
    const gap = this.#gaps.get(id);
    const isStuck = () => gap?.isOpen === true && now - gap.shrunkAt >= this.#parts.limits.snapshotAfterMs;
    // It may have come since the last look.
    if (gap !== undefined && gap.report !== null && isStuck()) this.#compare(gap, gap.report);
    return isStuck();
  }

  /** Whether something lacks, and none of it has come for long. */
  areOldAndStuck(now: number): boolean {
    const open = [...this.#gaps.values()].filter(({ isOpen }) => isOpen);
    return open.length > 0 && open.every(({ shrunkAt }) => now - shrunkAt >= this.#parts.limits.catchUpMs);
  }

  /** What lacks is not waited for any more, until its members hold something else. */
  forgive(): void {
    for (const gap of this.#gaps.values()) {
      if (!gap.isOpen) continue;
      gap.forgiven = gap.report;
      close(gap);
    }
  }

  /** What is here is another set than before: what lacks is found anew. */
  changed(): void {
    const now = this.#parts.uptime();
    this.#nextAt = now;
    for (const gap of this.#gaps.values()) gap.shrunkAt = now;
  }

  /** Compares anew what members have reported that may be away by now, and says what stays. */
  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { reportEveryMs, catchUpMs } = this.#parts.limits;
    this.#nextAt = now + reportEveryMs;
    for (const gap of this.#gaps.values()) {
      if (gap.isOpen && gap.report !== null) this.#compare(gap, gap.report);
      if (!gap.isOpen || now - gap.shrunkAt < catchUpMs || now - gap.saidAt < AGAIN_MS) continue;
      gap.saidAt = now;
      const keepsFrom = dateText(gap.pruned + 1);
      this.#parts.log.error({ member: hexOf(gap.member), address: gap.address, keepsFrom }, LACKING);
    }
  }

  /** Whether too much lacks to be live. @param isCatchingUp  as of the last tick: who has not been live has to be sure */
  isLacking(now: number, isCatchingUp: boolean): boolean {
    const { catchUpMs } = this.#parts.limits;
    return [...this.#gaps.values()].some(({ isKnown, isOpen, isNew, since }) =>
      isKnown ? isOpen && (isCatchingUp || isNew || now - since >= catchUpMs) : isCatchingUp,
    );
  }

  /**
   * Where sums are sure to be there, although the entries are not: in whole seconds lately, coarser long ago.
   * @returns above `pruned`
   */
  #endOf(pruned: number): number {
    const unit = this.#parts.clock() - pruned > 2 * COARSEST ? COARSEST : SECOND;
    return (Math.floor(pruned / unit) + 1) * unit;
  }

  #compare(gap: Gap, report: Report): void {
    const { timeline, uptime } = this.#parts;
    const { at, ring, data } = report;
    const own = { ring: timeline.index.digestUpTo(at, "ring"), data: timeline.index.digestUpTo(at, "data") };
    const isLess = holdsLess(own, report);
    // Of two that differ and both have pruned, or of which the other lacks something, the one that holds less is not live.
    const isOlder = !gap.isOpen && timeline.prunedTo >= gap.pruned;
    const isSame = isSameDigest(own.ring, ring) && isSameDigest(own.data, data);
    if (isSame || isSameReport(report, gap.forgiven) || (!isLess && (isOlder || !gap.isWhole))) {
      close(gap);
      return;
    }
    const now = uptime();
    const lacking = ring.count + data.count - own.ring.count - own.data.count;
    if (!gap.isOpen) gap.since = now;
    if (!gap.isOpen || lacking < gap.fewest) {
      gap.fewest = lacking;
      gap.shrunkAt = now;
    }
    gap.isKnown = gap.isOpen = true;
  }
}

const isSameReport = (report: Report, other: Report | null): boolean =>
  report.at === other?.at && isSameDigest(report.ring, other.ring) && isSameDigest(report.data, other.data);

/**
 * Whether one of two that differ is to take what the other holds: all daemons must see it alike, so of two that hold as
 * many entries the sums decide. Keys come first: a revocation that is lost is worse than a write.
 */
export function holdsLess(one: Totals, other: Totals): boolean {
  if (one.ring.count !== other.ring.count) return one.ring.count < other.ring.count;
  if (one.data.count !== other.data.count) return one.data.count < other.data.count;
  return one.ring.sum === other.ring.sum ? one.data.sum < other.data.sum : one.ring.sum < other.ring.sum;
}

function close(gap: Gap): void {
  gap.isKnown = true;
  gap.isOpen = gap.isNew = false;
}

const noGap = (member: ByteString): Gap => ({
  ...{ member, address: "", pruned: 0, isWhole: false, at: 0, report: null, forgiven: null },
  ...{ isKnown: false, isOpen: false, isNew: true, since: 0, fewest: 0, shrunkAt: 0 },
  saidAt: Number.NEGATIVE_INFINITY,
});

const LACKING =
  "this daemon lacks entries that a member does not keep any more, so it is not live. It takes a snapshot from a member that " +
  "is live, if there is one; else connect it to a member that keeps all, or begin it with a copy of another daemon's data " +
  "folder, made while that one is stopped, without daemon.pem";

/**
 * `dbsync log --follow`: shows commands as they are recorded. It queries the log only when a daemon has new entries.
 */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { fieldsOf } from "../cli/shared/output.js";
import type { HistoryQuery } from "./history-queries.js";
import { type HistoryReport, type RecordedUnit, readHistory } from "./recorded-units.js";

/** Minimum time between two updates, in milliseconds. */
const UPDATE_EVERY_MS = 1000;
/**
 * Minimum time between two updates, as a multiple of the time that a request takes. It limits the load, because the
 * daemon folds its newest entries for each answer.
 */
const PAUSE_FACTOR = 10;
/**
 * The maximum time by which a late unit may be older than the newest shown unit, in milliseconds. Peers usually send a
 * unit within this time.
 */
const MAX_LATE_MS = 60_000;
/** Maximum number of units in one answer, which is also TIMELINE LOG's limit. */
const UNITS_MAX = 10_000;
/** Maximum number of answers that are requested in one update; older units are only counted. */
const PAGES_MAX = 50;

export interface FollowParts {
  readonly query: HistoryQuery;
  /** Arguments of TIMELINE LOG, except the dates and the limit. */
  readonly filters: readonly string[];
  /** The units that were already shown. */
  readonly first: HistoryReport;
  readonly show: (history: HistoryReport, address: string) => void;
  /** Called when no daemon answers. */
  readonly trouble: (error: Error) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Whether to continue. */
  readonly isRunning: () => boolean;
}

/** Shows new units until `isRunning` returns false. If no daemon answers, the function tries again. */
export async function followLog(parts: FollowParts): Promise<void> {
  const { query, first, show, trouble, now, wait, isRunning } = parts;
  const seen = new SeenUnits();
  seen.take(first);
  let previousSums = "";
  while (isRunning()) {
    const startedAt = now();
    try {
      const status = await query(["TIMELINE", "STATUS"]);
      const sums = `${status.address} ${sumsOf(status.reply)}`;
      if (sums !== previousSums) {
        const pages = await newPages(parts, seen);
        previousSums = sums;
        for (const { page, address } of pages) {
          const history = seen.take(page);
          if (history.units.length > 0) show(history, address);
        }
      }
    } catch (error) {
      trouble(error as Error);
    }
    await wait(Math.max(UPDATE_EVERY_MS, PAUSE_FACTOR * (now() - startedAt)));
  }
}

/** An answer to TIMELINE LOG, and the daemon that sent it. */
interface PageOfLog {
  readonly page: HistoryReport;
  readonly address: string;
}

/**
 * Fetches the units that have not been shown yet, and returns them oldest first. An answer has only the newest units,
 * so the function requests earlier ones until an answer reaches the units that were already shown.
 */
async function newPages({ query, filters }: FollowParts, seen: SeenUnits): Promise<readonly PageOfLog[]> {
  const pages: PageOfLog[] = [];
  for (let to: readonly string[] = []; ; ) {
    const dates = ["FROM", String(seen.from), ...to, "LIMIT", String(UNITS_MAX)];
    const { address, reply } = await query(["TIMELINE", "LOG", ...dates, ...filters]);
    const page = readHistory(reply);
    const oldest = page.units[0]?.at ?? 0;
    const isMissing = page.omitted > 0 && oldest > seen.newest;
    const goesBack = to.length === 0 || oldest < Number(to[1]);
    const readsEarlierPage = isMissing && goesBack && pages.length < PAGES_MAX - 1;
    pages.unshift({ page: readsEarlierPage || !isMissing ? { ...page, omitted: 0 } : page, address });
    if (!readsEarlierPage) return pages;
    to = ["TO", String(oldest)];
  }
}

/** Returns sums that change whenever the daemon's entries change. */
function sumsOf(reply: ReplyValue): string {
  const fields = fieldsOf(reply);
  return `${String(fields["data-sum"])} ${String(fields["ring-sum"])}`;
}

/** The units that were already shown and are recent enough that they may be reported again. */
class SeenUnits {
  /** Dates of units, by id and index. */
  readonly #units = new Map<string, number>();
  /** The date of the newest unit shown. */
  newest = 0;
  #begin = 0;

  /** The date from which units are requested, in milliseconds since 1970. */
  get from(): number {
    return Math.max(this.#begin, this.newest - MAX_LATE_MS);
  }

  /** Adds units. @returns the units that were not shown before */
  take(history: HistoryReport): HistoryReport {
    const units = history.units.filter((unit) => !this.#units.has(nameOf(unit)));
    // Units that --limit omitted are older than the shown ones.
    if (this.#begin === 0) this.#begin = history.omitted > 0 ? (units[0]?.at ?? history.from) : history.from;
    for (const unit of units) {
      this.#units.set(nameOf(unit), unit.at);
      this.newest = Math.max(this.newest, unit.at);
    }
    for (const [name, at] of this.#units) if (at < this.from) this.#units.delete(name);
    return { ...history, units };
  }
}

const nameOf = ({ id, index }: RecordedUnit): string => `${id} ${index}`;

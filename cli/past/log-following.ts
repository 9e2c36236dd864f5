/** `dbsync log --follow`: shows commands as they are recorded. A daemon is queried only when it has something new. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { fieldsOf } from "../shared/output.js";
import { type Past, type PastUnit, readPast } from "./past-report.js";
import type { AskPast } from "./past-settings.js";

/** Milliseconds between two updates. A daemon folds for each answer what is newer than its last snapshot: that is not to be all it does. */
const LOOK_EVERY_MS = 1000;
const REST_TIMES = 10;
/** Milliseconds before the newest unit shown. A unit that arrives late from another daemon is usually dated no earlier. */
const LATE_MOST_MS = 60_000;
/** Units of one answer; TIMELINE LOG's own limit. */
const UNITS_MAX = 10_000;
/** Answers that are requested in one update; older units are only counted. */
const PAGES_MAX = 50;

export interface FollowParts {
  readonly ask: AskPast;
  /** Arguments of TIMELINE LOG, without dates and number. */
  readonly filters: readonly string[];
  /** The units that were shown before; further units follow them. */
  readonly first: Past;
  readonly show: (past: Past, address: string) => void;
  /** Handles an error of all daemons: none answers at the moment. */
  readonly trouble: (error: Error) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Whether to continue. */
  readonly goesOn: () => boolean;
}

/** Shows further units until it is stopped. Daemons that do not answer are queried again. */
export async function followLog(parts: FollowParts): Promise<void> {
  const { ask, first, show, trouble, now, wait, goesOn } = parts;
  const seen = new SeenUnits();
  seen.take(first);
  let held = "";
  while (goesOn()) {
    const startedAt = now();
    try {
      const status = await ask(["TIMELINE", "STATUS"]);
      const holds = `${status.address} ${sumsOf(status.reply)}`;
      if (holds !== held) {
        const pages = await newPages(parts, seen);
        held = holds;
        for (const { page, address } of pages) {
          const past = seen.take(page);
          if (past.units.length > 0) show(past, address);
        }
      }
    } catch (error) {
      trouble(error as Error);
    }
    await wait(Math.max(LOOK_EVERY_MS, REST_TIMES * (now() - startedAt)));
  }
}

/** An answer of TIMELINE LOG, and the daemon that gave it. */
interface PageOfLog {
  readonly page: Past;
  readonly address: string;
}

/**
 * Requests the units that were not shown, and returns them oldest first. An answer contains the newest units, so earlier ones are requested
 * until they meet the units already shown.
 */
async function newPages({ ask, filters }: FollowParts, seen: SeenUnits): Promise<readonly PageOfLog[]> {
  const pages: PageOfLog[] = [];
  for (let to: readonly string[] = []; ; ) {
    const dates = ["FROM", String(seen.from), ...to, "LIMIT", String(UNITS_MAX)];
    const { address, reply } = await ask(["TIMELINE", "LOG", ...dates, ...filters]);
    const page = readPast(reply);
    const oldest = page.units[0]?.at ?? 0;
    const isMissing = page.left > 0 && oldest > seen.newest;
    const goesBack = to.length === 0 || oldest < Number(to[1]);
    const asksOn = isMissing && goesBack && pages.length < PAGES_MAX - 1;
    pages.unshift({ page: asksOn || !isMissing ? { ...page, left: 0 } : page, address });
    if (!asksOn) return pages;
    to = ["TO", String(oldest)];
  }
}

/** Changes whenever a daemon's entries change. */
function sumsOf(reply: ReplyValue): string {
  const fields = fieldsOf(reply);
  return `${String(fields["data-sum"])} ${String(fields["ring-sum"])}`;
}

/** The units that were shown, back to the date from which on another one may still arrive. */
class SeenUnits {
  /** Dates of units, by id and index. */
  readonly #units = new Map<string, number>();
  /** The date of the newest unit shown. */
  newest = 0;
  #begin = 0;

  /** Milliseconds since 1970: the date from which on units are requested. */
  get from(): number {
    return Math.max(this.#begin, this.newest - LATE_MOST_MS);
  }

  /** @returns the units that were not shown before */
  take(past: Past): Past {
    const units = past.units.filter((unit) => !this.#units.has(nameOf(unit)));
    // Units that --limit left out are older than those shown.
    if (this.#begin === 0) this.#begin = past.left > 0 ? (units[0]?.at ?? past.from) : past.from;
    for (const unit of units) {
      this.#units.set(nameOf(unit), unit.at);
      this.newest = Math.max(this.newest, unit.at);
    }
    for (const [name, at] of this.#units) if (at < this.from) this.#units.delete(name);
    return { ...past, units };
  }
}

const nameOf = ({ id, index }: PastUnit): string => `${id} ${index}`;

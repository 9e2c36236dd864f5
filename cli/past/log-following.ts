/** `dbsync log --follow`: shows writes as they are recorded. Queries a daemon only when it has new ones. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { fieldsOf } from "../shared/output.js";
import { type Past, type PastUnit, readPast } from "./past-report.js";
import type { AskPast } from "./past-settings.js";

/** Milliseconds between two looks. A daemon folds for each answer what is newer than its last snapshot: that is not to be all it does. */
const LOOK_EVERY_MS = 1000;
const REST_TIMES = 10;
/** How far before the newest shown date to look, in milliseconds: late entries from other daemons are rarely dated further back. */
const LATE_MOST_MS = 60_000;
/** Units of one answer; TIMELINE LOG's own limit. */
const UNITS_MAX = 10_000;
/** Answers that are asked for at one look; what is older is counted. */
const PAGES_MAX = 50;

export interface FollowParts {
  readonly ask: AskPast;
  /** Arguments of TIMELINE LOG, without dates and number. */
  readonly filters: readonly string[];
  /** The past that was shown before; further units follow it. */
  readonly first: Past;
  readonly show: (past: Past, address: string) => void;
  /** Handles an error of all daemons: none answers at the moment. */
  readonly trouble: (error: Error) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Whether to go on. */
  readonly goesOn: () => boolean;
}

/** Shows further units until stopped. Retries daemons that do not answer. */
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

/** Asks for what was not shown, the oldest first: an answer has the newest units, so older answers are asked for until they meet what was shown. */
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

/** Changes with what a daemon holds. */
function sumsOf(reply: ReplyValue): string {
  const fields = fieldsOf(reply);
  return `${String(fields["data-sum"])} ${String(fields["ring-sum"])}`;
}

/** The units that were shown, as far back as another one may still arrive. */
class SeenUnits {
  /** Dates of units, by id and index. */
  readonly #units = new Map<string, number>();
  /** The date of the newest that was shown. */
  newest = 0;
  #begin = 0;

  /** Milliseconds since 1970: what is asked for. */
  get from(): number {
    return Math.max(this.#begin, this.newest - LATE_MOST_MS);
  }

  /** @returns the units that were not there before */
  take(past: Past): Past {
    const units = past.units.filter((unit) => !this.#units.has(nameOf(unit)));
    // What --limit has left out is older than what was shown.
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

/** `dbsync log --follow`: what is recorded is shown as it comes. A daemon is asked for it only when it holds something new. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { fieldsOf } from "../shared/output.js";
import { type Past, type PastUnit, readPast } from "./past-report.js";
import type { AskPast } from "./past-settings.js";

/** Milliseconds between two looks. A daemon folds for each answer what is newer than its last snapshot: that is not to be all it does. */
const LOOK_EVERY_MS = 1000;
const REST_TIMES = 10;
/** Milliseconds before the newest that was shown: what came late from another daemon is dated so far back at most, as a rule. */
const LATE_MOST_MS = 60_000;
/** What one answer may have; TIMELINE LOG's own limit. */
const UNITS_MOST = 10_000;

export interface FollowParts {
  readonly ask: AskPast;
  /** Of TIMELINE LOG, without dates and number. */
  readonly filters: readonly string[];
  /** What comes is shown behind this, which was. */
  readonly first: Past;
  readonly show: (past: Past, address: string) => void;
  /** Nobody answers for now. */
  readonly trouble: (error: Error) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Whether to go on. */
  readonly goesOn: () => boolean;
}

/** Until it is not to go on. Daemons that do not answer are asked again. */
export async function followLog(parts: FollowParts): Promise<void> {
  const { ask, filters, first, show, trouble, now, wait, goesOn } = parts;
  const seen = new SeenUnits();
  seen.take(first);
  let held = "";
  while (goesOn()) {
    const startedAt = now();
    try {
      const status = await ask(["TIMELINE", "STATUS"]);
      const holds = `${status.address} ${sumsOf(status.reply)}`;
      if (holds !== held) {
        const from = ["FROM", String(seen.from), "LIMIT", String(UNITS_MOST)];
        const { address, reply } = await ask(["TIMELINE", "LOG", ...from, ...filters]);
        const past = seen.take(readPast(reply));
        held = holds;
        if (past.units.length > 0) show(past, address);
      }
    } catch (error) {
      trouble(error as Error);
    }
    await wait(Math.max(LOOK_EVERY_MS, REST_TIMES * (now() - startedAt)));
  }
}

/** Changes with what a daemon holds. */
function sumsOf(reply: ReplyValue): string {
  const fields = fieldsOf(reply);
  return `${String(fields["data-sum"])} ${String(fields["ring-sum"])}`;
}

/** What was shown, as far back as something may still come. */
class SeenUnits {
  /** By id and index: their dates. */
  readonly #units = new Map<string, number>();
  #newest = 0;
  #begin = 0;

  /** Milliseconds since 1970: what is asked for. */
  get from(): number {
    return Math.max(this.#begin, this.#newest - LATE_MOST_MS);
  }

  /** @returns the units that were not there before */
  take(past: Past): Past {
    const units = past.units.filter((unit) => !this.#units.has(nameOf(unit)));
    // What --limit has left out is older than what was shown.
    if (this.#begin === 0) this.#begin = past.left > 0 ? (units[0]?.at ?? past.from) : past.from;
    for (const unit of units) {
      this.#units.set(nameOf(unit), unit.at);
      this.#newest = Math.max(this.#newest, unit.at);
    }
    for (const [name, at] of this.#units) if (at < this.from) this.#units.delete(name);
    return { ...past, left: 0, units };
  }
}

const nameOf = ({ id, index }: PastUnit): string => `${id} ${index}`;

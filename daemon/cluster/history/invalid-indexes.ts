/**
 * Finds and logs invalid indexes: a daemon acknowledged their creation, and writes on another daemon, which arrived
 * later, do not permit them. Source: docs/decisions/0072.
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { CONTROL_CHARACTERS, unicodeEscape } from "../../../protocol/control-characters.js";
import type { InvalidIndexReport } from "../../../protocol/figures/timeline-figures.js";
import { invalidIndexProblem } from "../../../protocol/figures/timeline-problems.js";
import type { Database } from "../../store/database.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";

/** The maximum number of invalid indexes in a daemon's report. */
const REPORTED_MAX = 100;

/** Returns the first invalid indexes. @param now  milliseconds since 1970 */
export function invalidIndexesOf({ keyspaces }: Database, now: number): readonly InvalidIndexReport[] {
  const found: InvalidIndexReport[] = [];
  for (const [db, keyspace] of keyspaces.entries())
    for (const [key, index] of keyspace.invalidIndexes(now)) {
      found.push({ db, key, index });
      if (found.length === REPORTED_MAX) return found;
    }
  return found;
}

/** Formats a name on one line. */
const line = (name: ByteString): string => textOfBytes(name).replace(CONTROL_CHARACTERS, unicodeEscape);

/** The log lines that report which indexes are invalid, whenever this changes. */
export class InvalidIndexLog {
  readonly #log: TimelineLogger;
  #logged: string | null = null;

  constructor(log: TimelineLogger) {
    this.#log = log;
  }

  check(invalidIndexes: readonly InvalidIndexReport[]): void {
    const shown = invalidIndexes.map(({ db, key, index }) => ({ db, key: line(key), index: line(index) }));
    const problem = invalidIndexProblem({ invalidIndexes: shown });
    const text = problem?.text ?? null;
    if (text === this.#logged) return;
    this.#logged = text;
    if (problem === null) this.#log.info({}, "all indexes are valid again");
    else this.#log.warn({ remedy: problem.fix }, problem.text);
  }
}

/** TIMELINE LOG: returns the entries of a span of time, with the outcome of each unit. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, integer, map, NIL, namesAndValues, type Reply } from "../../../protocol/reply.js";
import { type Envelope, hexOf } from "../../../protocol/version-2/envelope.js";
import type { KeyRing } from "../../store/key-ring.js";
import {
  type Recalled,
  type RecalledUnit,
  type Recalls,
  recalledUnits,
} from "../../timeline/history-fold.js";
import { type LogQuery, readLogQuery } from "./timeline-options.js";
import { type DatabaseKey, unitTouchesKey } from "./touched-keys.js";
import { reporting } from "./unit-report.js";

export interface LogContext {
  readonly recalls: Recalls;
  /** The latest date at which an entry may be folded. */
  readonly last: number;
  /** The envelope's database. */
  readonly db: number;
}

/**
 * Answers TIMELINE LOG. The promise rejects with RecallFailure if the history cannot be read.
 * @throws CommandFailure  the arguments are not valid
 */
export function log(argv: readonly ByteString[], { recalls, last, db }: LogContext): Promise<Reply> {
  const query = readLogQuery(argv, last, recalls.earliest);
  const databaseKey = query.key === null ? null : { db, key: query.key };
  const found = new NewestItems<() => Reply>(query.limit);
  let ringNow: (() => KeyRing) | null = null;

  const recalled = recalls.run({
    from: query.from,
    until: query.to,
    begun: (fold) => {
      ringNow = () => fold.ring;
    },
    found: (entry, answers) => {
      if (ringNow === null || !isSelected(entry.envelope, query)) return;
      for (const unit of recalledUnits(entry, answers))
        if (isOf(unit, databaseKey)) found.push(reporting(unit, ringNow().find(entry.envelope.key)));
    },
  });

  return recalled.then((end) =>
    map(
      namesAndValues({
        from: integer(query.from),
        to: integer(query.to),
        ...factsOf(end),
        left: integer(found.left),
        units: array(found.items.map((report) => report())),
      }),
    ),
  );
}

/**
 * Returns the fields of an answer that describe how the history was read: the snapshot at which reading began, and the
 * number of damaged entries.
 */
export function factsOf({ snapshot, damaged }: Recalled): Record<string, Reply> {
  return { snapshot: snapshot === null ? NIL : integer(snapshot), damaged: integer(damaged) };
}

/** Whether an envelope has the date and the signer that a query selects. */
function isSelected(envelope: Envelope, { from, signer }: LogQuery): boolean {
  return envelope.at >= from && isBySigner(envelope, signer);
}

/** Whether a key whose id begins with the given digits has signed an envelope. */
export const isBySigner = ({ key, as }: Pick<Envelope, "key" | "as">, signer: string): boolean =>
  hexOf(key).startsWith(signer) || (isKeyId(as) && as.startsWith(signer));

/**
 * Whether the user name in an entry is the id of a key. Such an entry contains a command of version 1 that was signed
 * with that key, and that the daemon recorded with its own signature.
 */
function isKeyId(as: ByteString | null): as is ByteString {
  return as !== null && /^[\da-f]{64}$/.test(as);
}

/** Whether a unit touches a key; null: any key. */
function isOf(unit: RecalledUnit, databaseKey: DatabaseKey | null): boolean {
  return databaseKey === null || unitTouchesKey(unit, databaseKey);
}

/** The newest of many items. The older ones are dropped, so that memory is bounded regardless of their number. */
export class NewestItems<T> {
  readonly #maxItems: number;
  readonly #ring: T[] = [];
  /** The number of items that were added so far. */
  seen = 0;

  constructor(maxItems: number) {
    this.#maxItems = maxItems;
  }

  push(item: T): void {
    this.#ring[this.seen++ % this.#maxItems] = item;
  }

  /** The number of dropped items. */
  get left(): number {
    return this.seen - this.#ring.length;
  }

  /** The items in the order in which they were added. */
  get items(): T[] {
    const start = this.left === 0 ? 0 : this.seen % this.#maxItems;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
  }
}

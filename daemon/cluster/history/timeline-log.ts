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
import { NewestItems } from "./newest-items.js";
import { type LogQuery, readLogQuery } from "./timeline-arguments.js";
import { reporting } from "./unit-report.js";
import { type DatabaseKey, unitTouchesKey } from "./unit-touches-key.js";

export interface LogContext {
  readonly recalls: Recalls;
  /** The latest date at which an entry may be folded. */
  readonly last: number;
  /** The envelope's database. */
  readonly db: number;
}

/** @throws CommandFailure  @returns a promise that rejects with RecallFailure if the history cannot be read */
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
      if (ringNow === null || !isWanted(entry.envelope, query)) return;
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

function isWanted({ at, key, as }: Envelope, { from, signer }: LogQuery): boolean {
  return at >= from && (hexOf(key).startsWith(signer) || (isKeyId(as) && as.startsWith(signer)));
}

/**
 * Whether the user name in an entry is the id of a key. Such an entry contains a command of version 1 that was signed
 * with that key, and that the daemon recorded with its own signature.
 */
function isKeyId(as: ByteString | null): as is ByteString {
  return as !== null && /^[\da-f]{64}$/.test(as);
}

function isOf(unit: RecalledUnit, databaseKey: DatabaseKey | null): boolean {
  return databaseKey === null || unitTouchesKey(unit, databaseKey);
}

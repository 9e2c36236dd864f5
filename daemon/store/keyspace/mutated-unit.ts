/** The unit that changes data, as the mutators of all types of values see it. */
import type { Entry } from "./keyspace.js";
import type { UndoRecord } from "./undo.js";

export interface MutatedUnit {
  /** Returns the unit's date. */
  at(): number;
  /** Counts elements and bytes that the unit is about to produce. @throws BudgetExceeded */
  produce(elements: number, bytes: number): void;
  /** Stores the inverse of a change, unless no inverses are recorded for the unit. */
  record(record: UndoRecord): void;
  /** Records the unit as the last writer of a key. */
  touch(entry: Entry): void;
}

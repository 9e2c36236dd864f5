/** The unit that changes data, as the mutators of each type of value use it. */
import type { Entry } from "./keyspace.js";
import type { UndoRecord } from "./undo.js";

export interface MutatedUnit {
  /** Its date. */
  at(): number;
  /** Counts what is about to be produced. @throws TooMuch */
  produce(elements: number, bytes: number): void;
  /** Stores the inverse of a change, unless the unit stores none. */
  record(record: UndoRecord): void;
  /** Notes the unit as the last that changed a key. */
  touch(entry: Entry): void;
}

/**
 * Makes units for commands that are applied where they arrive, without a date and an id of their own: those of version
 * 1 and RESP.
 */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Envelope, unitId } from "../../protocol/version-2/envelope.js";
import type { EncodingLimits } from "../../store/keyspace/encoding-name.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Newest } from "./newest.js";

const INSTANCE_BYTES = 32;
const COUNTER_MAX = 0xffffffff;
/** Maximum units that share an id: a higher number would no longer be a small integer to V8. */
const STEP_MAX = 2 ** 30;

/** The sender of a unit; the state of a connection may serve as one. */
export interface UnitSender {
  /** The number of the selected database. */
  readonly db: number;
  /** Milliseconds since 1970 at the beginning of the turn that serves the command: read once for all of a pipeline. */
  readonly now: number;
  /** Whether the sender may read all keys. */
  readonly readsAll: boolean;
  /** The limits by which encodings are named; missing: Redis's own. */
  readonly encoding?: EncodingLimits | undefined;
  /** Whether a long answer of a statement may be computed in later turns of the event loop; missing: no. */
  readonly takesSteps?: boolean | undefined;
  /** Identifies the sender to observers of changes; missing: nothing does. */
  readonly lastWrite?: object | undefined;
}

/** The sender of a unit that was not lent yet. */
const NOBODY: UnitSender = { db: 0, now: 0, readsAll: false };

/**
 * A unit that is filled again for each command: it is lent, and valid until the command ends. Do not copy it by its
 * properties.
 */
export class LocalUnit implements Unit {
  at = 0;
  db = 0;
  id: ByteString = "";
  step = 0;
  sender = NOBODY;

  get readsAll(): boolean {
    return this.sender.readsAll;
  }

  get encoding(): EncodingLimits | undefined {
    return this.sender.encoding;
  }

  get takesSteps(): boolean | undefined {
    return this.sender.takesSteps;
  }

  get by(): object | undefined {
    return this.sender.lastWrite;
  }
}

export class LocalUnits {
  readonly #environment: Environment;
  readonly #newest: Newest;
  /** Distinguishes this process's units from those of other processes; a counter numbers them. */
  #instance: ByteString;
  #counter = 0;
  /** The id that units share; null: the next one begins a new id. */
  #shared: ByteString | null = null;
  #step = 0;
  readonly #lent = new LocalUnit();

  /** @param newest  raised to each unit's date */
  constructor(environment: Environment, newest: Newest) {
    this.#environment = environment;
    this.#newest = newest;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /**
   * Returns a unit with an id of its own, dated now, but never before a unit that was applied.
   * @param now  milliseconds since 1970
   */
  next(db: number, now = this.#environment.clock()): Unit {
    this.#shared = null;
    this.#newest.raise(now, 0);
    return { at: this.#newest.at, db, id: this.#newId() };
  }

  /**
   * Returns a unit with the previous unit's id, unless `part` was called since. Each key stores the id of the unit that
   * changed it last, so separate ids would take 56 bytes a key, while no client has requested them.
   * @returns the same object each time
   */
  joined(sender: UnitSender): LocalUnit {
    if (this.#shared === null || this.#step === STEP_MAX) {
      this.#shared = this.#newId();
      this.#step = 0;
    }
    this.#newest.raise(sender.now, 0);
    const unit = this.#lent;
    unit.at = this.#newest.at;
    unit.db = sender.db;
    unit.id = this.#shared;
    unit.step = ++this.#step;
    unit.sender = sender;
    return unit;
  }

  /** Gives later units another id: a client may have learnt which unit changed a key, and must notice later changes. */
  part(): void {
    this.#shared = null;
  }

  /** Notes an envelope that is applied here: it has an order key, and may request which units changed keys. */
  note(envelope: Envelope): void {
    this.#newest.note(envelope);
    this.#shared = null;
  }

  #newId(): ByteString {
    if (this.#counter === COUNTER_MAX) {
      this.#instance = this.#environment.randomBytes(INSTANCE_BYTES);
      this.#counter = 0;
    }
    return unitId(this.#instance, ++this.#counter);
  }
}

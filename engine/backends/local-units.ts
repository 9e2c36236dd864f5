/**
 * Creates units for commands that are applied where they arrive, without their own date and id: the commands of version
 * 1 and of RESP clients.
 */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Envelope, unitId } from "../../protocol/version-2/envelope.js";
import type { EncodingLimits } from "../../store/keyspace/encoding-name.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { NewestDate } from "./newest-date.js";

const INSTANCE_BYTES = 32;
const COUNTER_MAX = 0xffffffff;
/** Maximum units that share an id: V8 would not store a higher number as a small integer. */
const STEP_MAX = 2 ** 30;

/** The sender of a unit; the state of a connection may serve as one. */
export interface UnitSender {
  /** The number of the selected database. */
  readonly db: number;
  /**
   * Milliseconds since 1970 at the start of the turn that serves the command, read once for all commands of a pipeline.
   */
  readonly now: number;
  /** Whether the sender may read all keys. */
  readonly readsAll: boolean;
  /** The limits that determine the names of encodings. Redis's defaults apply if they are missing. */
  readonly encoding?: EncodingLimits | undefined;
  /** Whether a long answer of a statement may be computed in later turns of the event loop. Defaults to false. */
  readonly takesSteps?: boolean | undefined;
  /** Identifies the sender to observers of changes, if present. */
  readonly lastWrite?: object | undefined;
}

/** The placeholder for the sender of a unit that has not been used yet. */
const NO_SENDER: UnitSender = { db: 0, now: 0, readsAll: false };

/**
 * A unit that is reused for each command. It is valid until the command ends, so callers must not keep it. They must
 * not copy its properties either: some are computed by getters.
 */
export class LocalUnit implements Unit {
  at = 0;
  db = 0;
  id: ByteString = "";
  step = 0;
  sender = NO_SENDER;

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
  readonly #newest: NewestDate;
  /** Distinguishes this process's units from those of other processes; a counter numbers them. */
  #instance: ByteString;
  #counter = 0;
  /** The id that units share, or null if the next unit starts a new id. */
  #shared: ByteString | null = null;
  #step = 0;
  readonly #lent = new LocalUnit();

  /** @param newest  raised to the date of each unit */
  constructor(environment: Environment, newest: NewestDate) {
    this.#environment = environment;
    this.#newest = newest;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /**
   * Returns a unit with its own id, dated now, but never earlier than a unit that was applied.
   * @param now  milliseconds since 1970
   */
  next(db: number, now = this.#environment.clock()): Unit {
    this.#shared = null;
    this.#newest.raise(now, 0);
    return { at: this.#newest.at, db, id: this.#newId() };
  }

  /**
   * Returns a unit with the previous unit's id, unless `part` was called since then. Each key stores the id of the unit
   * that changed it last, so separate ids would cost 56 bytes per key although no client has requested them.
   * @returns the same object every time
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

  /**
   * Starts a new id for later units. A client may have learnt which unit changed a key, and must notice later changes.
   */
  part(): void {
    this.#shared = null;
  }

  /**
   * Records the date of an envelope that is applied here, and starts a new id. The envelope has its own order key, and
   * may query which units changed keys.
   */
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

/** Units for commands that are applied where they arrive and carry neither date nor id: of version 1 and RESP. */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Envelope, unitId } from "../../protocol/version-2/envelope.js";
import type { EncodingLimits } from "../../store/keyspace/encoding-name.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Newest } from "./newest.js";

const INSTANCE_BYTES = 32;
const COUNTER_MOST = 0xffffffff;
/** Units that share an id, at most: beyond it their number would no longer be a small one to V8. */
const STEP_MOST = 2 ** 30;

/** For whom a unit is made; a connection's own state will do. */
export interface UnitSender {
  /** Number of the database that is chosen. */
  readonly db: number;
  /** Milliseconds since 1970 when the turn began in which the command is served: asked once for all of a pipeline. */
  readonly now: number;
  /** Whether all keys may be read. */
  readonly readsAll: boolean;
  /** By what limits encodings are named for him; absent: by Redis's own. */
  readonly encoding?: EncodingLimits | undefined;
  /** Whether a long answer of a statement may be found in later turns of the event loop; absent: it may not. */
  readonly takesSteps?: boolean | undefined;
  /** By which whoever hears of changes knows him; absent: by nothing. */
  readonly lastWrite?: object | undefined;
}

/** Who asks, for the few commands that are answered differently for different ones. */
type Asker = Pick<UnitSender, "readsAll" | "encoding" | "lastWrite" | "takesSteps">;

const NOBODY: Asker = { readsAll: false };

/** A unit that is filled anew for each command: it is only lent, and ends with the command. Not to be copied by its properties. */
export class LocalUnit implements Unit {
  at = 0;
  db = 0;
  id: ByteString = "";
  step = 0;
  asker = NOBODY;

  get readsAll(): boolean {
    return this.asker.readsAll;
  }

  get encoding(): EncodingLimits | undefined {
    return this.asker.encoding;
  }

  get takesSteps(): boolean | undefined {
    return this.asker.takesSteps;
  }

  get by(): object | undefined {
    return this.asker.lastWrite;
  }
}

export class LocalUnits {
  readonly #environment: Environment;
  readonly #newest: Newest;
  /** Tells this process's units from those of all others; a counter tells them from each other. */
  #instance: ByteString;
  #counter = 0;
  /** null: the next one begins a new id. */
  #shared: ByteString | null = null;
  #step = 0;
  readonly #lent = new LocalUnit();

  /** @param newest  raised to each unit's date */
  constructor(environment: Environment, newest: Newest) {
    this.#environment = environment;
    this.#newest = newest;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /** With an id of its own; dated now, but never before anything that was applied. @param now  milliseconds since 1970 */
  next(db: number, now = this.#environment.clock()): Unit {
    this.#shared = null;
    this.#newest.raise(now, 0);
    return { at: this.#newest.at, db, id: this.#newId() };
  }

  /**
   * As `next`, with the id of the one before unless `part` was called since. Each key keeps the id of the unit that
   * changed it last, so ids of their own would cost 56 bytes a key, and nobody has asked for them.
   * @returns the same object each time
   */
  joined(sender: UnitSender): LocalUnit {
    if (this.#shared === null || this.#step === STEP_MOST) {
      this.#shared = this.#newId();
      this.#step = 0;
    }
    this.#newest.raise(sender.now, 0);
    const unit = this.#lent;
    unit.at = this.#newest.at;
    unit.db = sender.db;
    unit.id = this.#shared;
    unit.step = ++this.#step;
    unit.asker = sender;
    return unit;
  }

  /** Somebody may have learnt which unit changed a key: units to come have another id, so that he sees if they change it. */
  part(): void {
    this.#shared = null;
  }

  /** An envelope is being applied here: it has its place in the order, and may ask which units changed keys. */
  note(envelope: Envelope): void {
    this.#newest.note(envelope);
    this.#shared = null;
  }

  #newId(): ByteString {
    if (this.#counter === COUNTER_MOST) {
      this.#instance = this.#environment.randomBytes(INSTANCE_BYTES);
      this.#counter = 0;
    }
    return unitId(this.#instance, ++this.#counter);
  }
}

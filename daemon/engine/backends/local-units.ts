/**
 * Creates units for commands that arrive without a date and an id and are applied on this daemon: the commands of
 * version 1 and of RESP clients.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { commandTable, findCommand } from "../../store/command-table.js";
import type { EncodingLimits } from "../../store/keyspace/encoding-name.js";
import type { Unit } from "../../store/keyspace/unit.js";

const INSTANCE_BYTES = 32;
const COUNTER_MAX = 0xffffffff;
/** The maximum number of units that share an id. V8 would not store a higher step number as a small integer. */
const STEP_MAX = 2 ** 30;

/** The sender of a unit. The object that represents a connection may implement this interface. */
export interface UnitSender {
  /** The number of the selected database. */
  readonly db: number;
  /**
   * The time at the start of the turn in which the command is served, in milliseconds since 1970. It is read once for
   * all commands of a pipeline.
   */
  readonly now: number;
  /** Whether the sender may read the history of all keys. */
  readonly readsAll: boolean;
  /** The limits that determine the encoding that OBJECT ENCODING reports. Defaults to Redis's limits. */
  readonly encoding?: EncodingLimits | undefined;
  /** Whether the answer to a long statement may be computed in later turns of the event loop. Defaults to false. */
  readonly takesSteps?: boolean | undefined;
  /** The sender's name, or null if unknown. */
  readonly as?: ByteString | null;
  /**
   * Receives a function that releases the working memory of a query, if the sender needs its reply for longer than one
   * turn.
   */
  readonly keepMemory?: ((release: () => void) => void) | undefined;
  /** Whether the sender has disconnected, so that no reply is needed. Defaults to false. */
  readonly isGone?: boolean | undefined;
  /** Identifies the sender to observers of changes. */
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
  /** Absent, because the unit is not folded. Every read checks it, so it is a property of the object itself. */
  readonly seq = undefined;
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

  get caller(): ByteString | null {
    return this.sender.as ?? null;
  }

  get by(): object | undefined {
    return this.sender.lastWrite;
  }
}

export class LocalUnits {
  readonly #environment: Environment;
  readonly #newest: NewestDate;
  /** The random part of ids, which distinguishes this process's units from the units of other processes. */
  #instance: ByteString;
  #counter = 0;
  /** The id that successive units share, or null if the next unit receives a new id. */
  #shared: ByteString | null = null;
  #step = 0;
  readonly #reusedUnit = new LocalUnit();

  /** @param newest  raised to the date of each unit */
  constructor(environment: Environment, newest: NewestDate) {
    this.#environment = environment;
    this.#newest = newest;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /**
   * Returns a unit with its own id. Its date is the current time, but not earlier than the date of any applied unit.
   * @param now  milliseconds since 1970
   */
  next(db: number, now = this.#environment.clock()): Unit {
    this.#shared = null;
    this.#newest.raise(now, 0);
    return { at: this.#newest.at, db, id: this.#newId() };
  }

  /**
   * Returns a unit that shares the previous unit's id, unless `part` was called since then. Each key stores the id of
   * the unit that changed it last. With separate ids this would cost 56 bytes per key, even if no client queries these
   * ids.
   * @returns the same object every time
   */
  joined(sender: UnitSender): LocalUnit {
    if (this.#shared === null || this.#step === STEP_MAX) {
      this.#shared = this.#newId();
      this.#step = 0;
    }
    this.#newest.raise(sender.now, 0);

    const unit = this.#reusedUnit;
    unit.at = this.#newest.at;
    unit.db = sender.db;
    unit.id = this.#shared;
    unit.step = ++this.#step;
    unit.sender = sender;
    return unit;
  }

  /**
   * Gives later units a new id. Called when a client has queried which unit changed a key, because the client must
   * notice later changes by the id.
   */
  part(): void {
    this.#shared = null;
  }

  /**
   * Records the date of an envelope that is applied here, and gives later units a new id, because the envelope may have
   * queried which units changed keys.
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

/**
 * The highest date among the writes that this daemon has applied. Each result contains that date, and clients date
 * their next envelope after it. Source: docs/protocol-v2.md "Clocks".
 */
export class NewestDate implements EnvelopeDate {
  /** Milliseconds since 1970, or 0 if no write was applied yet. */
  at = 0;
  seq = 0;

  /** Raises the date and its number to the given ones, unless they are already higher. */
  raise(at: number, seq: number): void {
    if (at < this.at || (at === this.at && seq <= this.seq)) return;
    this.at = at;
    this.seq = seq;
  }

  /**
   * Records the date of an envelope that is being applied. Does nothing for an envelope that only reads, because later
   * envelopes need not be dated after a read.
   */
  note({ at, seq, commands }: Envelope): void {
    if (at < this.at || (at === this.at && seq <= this.seq)) return;
    if (!commands.some(writes)) return;
    this.at = at;
    this.seq = seq;
  }
}

/**
 * Returns whether a command may write. A command that is not in the table may write to a Redis, or to the key ring
 * (KEY).
 */
function writes(argv: readonly ByteString[]): boolean {
  return commandTable.mayWrite(argv) === true || findCommand(argv[0] ?? "") === undefined;
}

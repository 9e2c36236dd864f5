/**
 * The inputs of a command besides its arguments: everything that would otherwise come from the clock, randomness or the
 * session.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { unitId } from "../../protocol/version-2/envelope.js";
import type { EncodingLimits } from "./encoding-name.js";

export interface Unit {
  /** Milliseconds since 1970, from the envelope; never the local clock. */
  readonly at: number;
  /**
   * Number of its envelope among those of its date. Given by the fold alone, where `id` is the envelope's id followed by
   * the unit's index (4 bytes, big-endian): with it the ids of a stream's entries follow from the unit.
   */
  readonly seq?: number | undefined;
  /** Number of the database that the command runs in. */
  readonly db: number;
  /** Identifies this unit; seeds its random choices and names it as a key's last writer. */
  readonly id: ByteString;
  /** Place of the command in a unit of several, from 0; default 0. Only its random choices depend on it. */
  readonly step?: number;
  /** Whether the user may read all keys; default: false. Only commands that report earlier commands use it. */
  readonly readsAll?: boolean | undefined;
  /**
   * The limits by which the user's client expects encodings to be named, and whether the history of strings counts, which daemons need not
   * know alike; default: Redis's own limits, and contents alone.
   */
  readonly encoding?: EncodingLimits | undefined;
  /** Whether the answer to a statement may be a StepReply whose steps may fail; default: it may not. */
  readonly takesSteps?: boolean | undefined;
  /** The sender, as listeners of changes know it; undefined: not known here. No command uses it. */
  readonly by?: object | undefined;
  /** The two parts of `id`, where it has not been put together. */
  readonly parts?: UnitName;
}

/** The two parts of a unit's id. */
export interface UnitName {
  readonly envelope: ByteString;
  readonly index: number;
}

/**
 * The unit of an envelope that is applied where it came: named by two parts as in the fold, whose units have a number besides. Not to be
 * copied by its properties.
 */
export class EnvelopeUnit implements Unit, UnitName {
  readonly at: number;
  readonly db: number;
  readonly readsAll: boolean;
  readonly envelope: ByteString;
  readonly index: number;

  /** @param id  of the envelope */
  constructor(id: ByteString, { at, db }: { at: number; db: number }, index: number, readsAll: boolean) {
    this.at = at;
    this.db = db;
    this.readsAll = readsAll;
    this.envelope = id;
    this.index = index;
  }

  get id(): ByteString {
    return unitId(this.envelope, this.index);
  }

  get parts(): UnitName {
    return this;
  }
}

/**
 * The unit of an envelope in the fold. Each SET makes its id the key's last writer, and few ids are ever read: storing the complete id
 * would take one more object for each key and each undo record. Not to be copied by its properties.
 */
export class FoldedUnit implements Unit, UnitName {
  readonly at: number;
  readonly seq: number;
  readonly db: number;
  readonly envelope: ByteString;
  /** May be set to that of the next unit, once a unit has been applied. */
  index: number;

  /** @param id  of the envelope */
  constructor(id: ByteString, { at, seq, db }: { at: number; seq: number; db: number }, index: number) {
    this.at = at;
    this.seq = seq;
    this.db = db;
    this.envelope = id;
    this.index = index;
  }

  get id(): ByteString {
    return unitId(this.envelope, this.index);
  }

  get parts(): UnitName {
    return this;
  }
}

/**
 * The inputs of a command other than its arguments: everything that would otherwise come from the clock, a random
 * generator or the session.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Choice, Envelope } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import type { MemoryGrant } from "./effort-budget.js";
import type { EncodingLimits } from "./encoding-name.js";

export interface Unit {
  /** Milliseconds since 1970, from the envelope; never the local clock. */
  readonly at: number;
  /**
   * The number of the unit's envelope among the envelopes with the same date. Only the fold sets it; there, `id` is the
   * envelope's id followed by the unit's index (4 bytes, big-endian). The ids of new stream entries follow from it.
   */
  readonly seq?: number | undefined;
  /** The number of the database in which the command runs. */
  readonly db: number;
  /** Identifies this unit; seeds its random choices and names it as a key's last writer. */
  readonly id: ByteString;
  /**
   * The index of the command in a unit of several commands, from 0; default 0. Random choices and the ids of new
   * entries depend on it.
   */
  readonly step?: number;
  /** Whether the user may read the history of all keys; default: false. Only commands that show history use it. */
  readonly readsAll?: boolean | undefined;
  /**
   * The limits that determine the reported names of encodings. If they are set, the history of a string also affects
   * the name of its encoding, although the history may differ between daemons. By default Redis's own limits apply, and
   * the name depends only on the contents.
   */
  readonly encoding?: EncodingLimits | undefined;
  /**
   * Whether a query may take several turns. In the database, this means that its reply may be a SteppedReply, whose
   * steps may fail, and the default is false. A backend runs the steps, unless the value is false.
   */
  readonly takesSteps?: boolean | undefined;
  /** The working memory of a query with `takesSteps`; default: unlimited. */
  readonly memory?: MemoryGrant | undefined;
  /** The user or key that sent the command, between which long queries are fair; default: unknown. */
  readonly caller?: ByteString | null;
  /** The sender, as known to change listeners; undefined if unknown. No command uses it. */
  readonly by?: object | undefined;
  /** The client that waits for the answer; default: unknown. No command uses it. */
  readonly client?: UnitClient | undefined;
  /** The first part of `id`, the envelope's id, if the parts have not been joined. */
  readonly envelope?: ByteString | undefined;
  /** The second part of `id`, the index of the unit's first command in the envelope. Absent without `envelope`. */
  readonly index?: number | undefined;
  /**
   * What the command takes, if a daemon has recorded it: exactly this, as far as it is still there, and nothing else.
   * Default: the command chooses.
   */
  readonly choice?: Choice | undefined;
  /** Receives what the command takes, before its choice is recorded; default: nobody needs it. */
  readonly taken?: ByteString[] | undefined;
  /**
   * Whether only `taken` is needed: the changes of the command will be undone before another command sees them, so it
   * may omit them. Default: no.
   */
  readonly omitsChanges?: boolean | undefined;
  /**
   * The expiry of the command's key before the command, where a daemon answered it, in milliseconds since 1970. A key
   * that the command creates gets it, if the command itself sets none. Default: none.
   */
  readonly expiry?: number | undefined;
}

/** A unit of several commands, with the choices and expiries of the commands of its envelope by their indexes. */
export interface SeveralCommands extends Unit {
  readonly choices?: Envelope["choices"];
  readonly expiries?: Envelope["expiries"];
}

/** The client that waits for the answer to a unit. */
export interface UnitClient {
  /** Whether it has disconnected, so that no reply is needed. */
  readonly isGone: boolean;
  /** Whether it has stated that it sends its commands to this daemon only; undefined: it has not. */
  readonly isOnlyHere?: boolean;
}

/**
 * The unit of an envelope that is applied in the order of arrival. Its id has two parts, as in the fold, where a unit
 * also has a number. A copy of the properties is not a valid unit, because `id` is a getter.
 */
export class EnvelopeUnit implements Unit {
  readonly at: number;
  readonly db: number;
  readonly readsAll: boolean;
  readonly envelope: ByteString;
  readonly index: number;
  readonly caller: ByteString;
  /** False if the unit has conditions, which hold only in this turn. */
  readonly takesSteps: boolean;
  readonly client: UnitClient | undefined;

  /** @param id id of the envelope */
  constructor(
    id: ByteString,
    { at, db, key, as, if: conditions }: Pick<Envelope, "at" | "db" | "key" | "as" | "if">,
    index: number,
    readsAll: boolean,
    client?: UnitClient,
  ) {
    this.client = client;
    this.at = at;
    this.db = db;
    this.caller = as ?? key;
    this.takesSteps = conditions === null;
    this.readsAll = readsAll;
    this.envelope = id;
    this.index = index;
  }

  get id(): ByteString {
    return unitId(this.envelope, this.index);
  }
}

/**
 * The unit of an envelope in the fold. Each SET stores the id of its unit as the key's last writer, and few of these
 * ids are ever read. The two parts of an id are therefore stored separately: the complete id would take one more object
 * for each key and each undo record. A copy of the properties is not a valid unit, because `id` is a getter.
 */
export class FoldedUnit implements Unit {
  readonly at: number;
  readonly seq: number;
  readonly db: number;
  readonly envelope: ByteString;
  readonly #header: Pick<Envelope, "at" | "seq" | "db" | "choices" | "expiries">;
  /**
   * The unit's index in the envelope. Once the unit has been applied, the caller may reuse the object for the next unit
   * of the envelope.
   */
  index: number;

  /** @param id id of the envelope */
  constructor(
    id: ByteString,
    header: Pick<Envelope, "at" | "seq" | "db" | "choices" | "expiries">,
    index: number,
  ) {
    this.at = header.at;
    this.seq = header.seq;
    this.db = header.db;
    this.envelope = id;
    this.#header = header;
    this.index = index;
  }

  get choice(): Choice | undefined {
    return this.#header.choices?.get(this.index);
  }

  get expiry(): number | undefined {
    return this.#header.expiries?.get(this.index);
  }

  get id(): ByteString {
    return unitId(this.envelope, this.index);
  }
}

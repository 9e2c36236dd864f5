/**
 * What the pipeline asks of whatever keeps its writes: a timeline, or nothing. The pipeline does not know which; replica/ has the
 * one with a timeline, Unrecorded here is its twin.
 */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { DaemonState, EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { EnvelopeAnswer, Refused } from "../answers/request.js";
import type { Standing } from "../answers/result-writer.js";
import { LocalUnits } from "../backends/local-units.js";
import { Newest } from "../backends/newest.js";
import type { Seen } from "./seen.js";
import type { Floor } from "./start-floor.js";
import type { Taken } from "./units.js";

/** As operators are told: about the last three there is something else to do. */
export type ShownState = DaemonState | "revoked" | "not-listed" | "outdated";

export interface Recording {
  /** Up to which date nothing is taken at the start. */
  readonly seenTo: number;
  /** Dates and names for commands that are applied here and come without any. */
  readonly localUnits: LocalUnits;
  readonly state: DaemonState;
  /** As operators are told. */
  readonly shownState: ShownState;
  /** What answers are marked with. */
  readonly standing: Standing;
  /** What was applied with the highest date. */
  readonly newest: EnvelopeDate;
  /** How many other daemons are connected, to have the same; null: it stands alone. */
  readonly members: number | null;
  /** How many there are at most to have the same, this one among them. */
  readonly daemons: number;
  /** Whether an envelope is recorded; others are read. */
  records(envelope: Envelope): boolean;
  /** Whether it was recorded; of what is not kept any more nobody knows, and its date says enough. */
  holds(place: Place): boolean;
  /** Whether it was applied, and what is read now knows of it. */
  hasApplied(place: Place, seen: Seen): boolean;
  /** Whether what was not applied may still be. */
  mayCome(place: Place, seen: Seen): boolean;
  /** The first answer of an envelope that the pipeline has not answered; null: it is not recorded. */
  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null;
  /** Applies an envelope of a client. @returns null: it is not recorded, and the databases are to apply it */
  apply(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> | null;
  /** Whether a record came to be as certain as is waited for, in time. */
  confirm(place: Place, wait: Wait): Promise<boolean>;
  /**
   * Carries out a command of version 1, which is signed here.
   * @param as  as the audit names who sent it; null: nobody was asked
   * @returns its reply, errors among them, or why it was not answered; null: it is applied here
   */
  execute(argv: readonly ByteString[], as: ByteString | null): Promise<Reply | Refused> | null;
  /** Nobody waits any longer. */
  stop(): void;
}

/** Nothing is recorded: what comes is applied here and now, and known as long as it is remembered. */
export class Unrecorded implements Recording {
  readonly localUnits: LocalUnits;
  readonly standing = "";
  readonly newest = new Newest();
  readonly members = null;
  readonly daemons = 1;
  readonly #environment: Environment;
  readonly #floor: Floor;

  constructor(environment: Environment, floor: Floor) {
    this.#environment = environment;
    this.#floor = floor;
    this.localUnits = new LocalUnits(environment, this.newest);
  }

  get seenTo(): number {
    return this.#floor.date;
  }

  get state(): DaemonState {
    const { date, pending } = this.#floor;
    return pending !== null || this.#environment.clock() < date ? "catching-up" : "live";
  }

  get shownState(): DaemonState {
    return this.state;
  }

  records(): boolean {
    return false;
  }

  holds(): boolean {
    return false;
  }

  hasApplied({ id, at }: Place, seen: Seen): boolean {
    return seen.isApplied(id, at);
  }

  mayCome({ at }: Place, seen: Seen): boolean {
    return at > seen.floor;
  }

  firstAnswer(): null {
    return null;
  }

  apply({ envelope }: Taken): null {
    this.localUnits.note(envelope);
    return null;
  }

  async confirm(): Promise<boolean> {
    return false;
  }

  execute(): null {
    return null;
  }

  stop(): void {}
}

/**
 * The pipeline's interface to the component that records writes. With a timeline, daemon/cluster/'s recording-base.ts
 * implements it. `Unrecorded` is the implementation for a daemon that records nothing.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { StateName } from "../../../protocol/state-names.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../../protocol/version-2/messages-v2.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { EnvelopeAnswer, Refused } from "../answers/request.js";
import type { ReadStatus } from "../answers/result-writer.js";
import type { FlushingState } from "../answers/safe-answers.js";
import type { LastWrite } from "../backends/command-path.js";
import { LocalUnits, NewestDate } from "../backends/local-units.js";
import type { VerifiedEnvelope } from "./apply-units.js";
import type { SeenEnvelopes } from "./seen-envelopes.js";
import type { Floor } from "./start-floor.js";

export interface Recording extends FlushingState {
  /** The date up to which no envelope is accepted after this start, in milliseconds since 1970. */
  readonly seenTo: number;
  /** Creates dates and ids for commands that arrive without them and are applied here. */
  readonly localUnits: LocalUnits;
  readonly state: StateName;
  /** The reason for the state; it may be empty. */
  readonly reason: string;
  /** The flag of every answer, such as `catching-up`, or an empty string if there is none. */
  readonly readStatus: ReadStatus;
  /** The highest date and number of an applied write. */
  readonly newest: EnvelopeDate;
  /** Whether a list of members is known, so that its members decide units with conditions. */
  readonly decides: boolean;
  /** The number of connected daemons that receive the same writes, or null if the daemon runs alone. */
  readonly members: number | null;
  /** The maximum number of daemons that have the same writes, including this one. */
  readonly daemons: number;
  /** Returns whether an envelope is recorded; envelopes that only read are not. */
  records(envelope: Pick<Envelope, "commands">): boolean;
  /** Returns whether the entry was recorded. Entries that are no longer stored are refused because of their date. */
  holds(orderKey: OrderKey): boolean;
  /** Returns whether the entry was applied. If so, later reads include it. */
  hasApplied(orderKey: OrderKey, seen: SeenEnvelopes): boolean;
  /** Returns whether an entry that was not applied may still arrive. */
  mayArrive(orderKey: OrderKey, seen: SeenEnvelopes): boolean;
  /**
   * Returns the first answer to an envelope that the pipeline no longer remembers, or null if the envelope is not
   * recorded.
   */
  firstAnswer(verified: VerifiedEnvelope): Promise<EnvelopeAnswer> | null;
  /** Applies a client's envelope. @returns null if it is not recorded, and the databases must apply it */
  apply(verified: VerifiedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer> | null;
  /** Waits until an entry is as certain as the client requires. @returns false if that takes too long */
  confirm(orderKey: OrderKey, wait: Wait): Promise<boolean>;
  /**
   * Executes a command of version 1, signed with the daemon's own key.
   * @param as  the sender's name in the audit log, or null if unknown
   * @param lastWrite  the state of the latest writes of the connection
   * @returns the reply, which may be an error, or the reason for a refusal; null if the command is not recorded, and
   * the databases must execute it
   */
  execute(
    argv: readonly ByteString[],
    as: ByteString | null,
    lastWrite: LastWrite,
  ): Promise<Reply | Refused> | null;
  /** Ends all waits. */
  stop(): void;
}

/**
 * The implementation for a daemon that records nothing. Commands are applied immediately, and are known only as long as
 * their ids are remembered.
 */
export class Unrecorded implements Recording {
  readonly localUnits: LocalUnits;
  readonly readStatus = "";
  readonly flushing: FlushingState["flushing"] = null;
  readonly undone = 0;
  readonly newest = new NewestDate();
  readonly decides = false;
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

  get state(): StateName {
    const { date, pending } = this.#floor;
    return pending !== null || this.#environment.clock() < date ? "catching-up" : "live";
  }

  get reason(): string {
    return this.#floor.pending?.detail ?? "";
  }

  records(): boolean {
    return false;
  }

  holds(): boolean {
    return false;
  }

  hasApplied({ id, at }: OrderKey, seen: SeenEnvelopes): boolean {
    return seen.isApplied(id, at);
  }

  mayArrive({ at }: OrderKey, seen: SeenEnvelopes): boolean {
    return at > seen.floor;
  }

  firstAnswer(): null {
    return null;
  }

  apply({ envelope }: VerifiedEnvelope): null {
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

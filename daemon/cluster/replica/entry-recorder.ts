/** Records the gateway's envelopes, in a timeline or in a stream that orders them. */

import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import type { Refused, RefusedEnvelope } from "../../engine/answers/request.js";
import type { Recording } from "../../engine/pipeline/recording-interface.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry, OrderKey } from "../../timeline/entries/entry.js";
import type { BetweenUnits, UnitAnswer } from "../../timeline/fold/fold.js";
import type { Chosen, TrialState, Unsigned } from "./recorded-choices.js";

/** The answers of a recorded entry's units, which are sent once the entry is flushed. */
export interface Recorded {
  /** The answers. They must not be read before the entry is flushed. */
  readonly answers: readonly UnitAnswer[];
  /**
   * Resolves when the entry is flushed, or null if it already is. Rejects with `NotTaken`, which contains a refusal, or
   * with another error if writing to the disk failed.
   */
  readonly flushed: Promise<void> | null;
}

/** The units of an envelope of this daemon on which the members of a list have decided, as part of the state. */
export interface DecidedUnits {
  /** The order key of the decision. */
  readonly orderKey: OrderKey;
  /** The answers of the units, in order. */
  readonly answers: readonly UnitAnswer[];
}

/** The error if an entry could not be recorded, or if it is not known whether it was. */
export class NotTaken extends Error {
  readonly refusal: RefusedEnvelope;

  constructor(refusal: RefusedEnvelope) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

export interface EntryRecorder extends Pick<Recording, "newest" | "records" | "confirm" | "decides"> {
  /** Whether `record` applies the entry before it returns. Otherwise it is applied before `flushed` resolves. */
  readonly appliesImmediately: boolean;
  /** The newest key ring. */
  readonly ring: KeyRing;
  /** The date at or before which no write would be accepted. */
  readonly floor: number;
  /** The median of the members' clocks, as far as this daemon knows them: milliseconds since 1970, an integer. */
  readonly commonClock: number;
  /** The state on which programs run before their writes are recorded. */
  readonly trialState: TrialState;
  /** Returns why no write is accepted now, or null if writes are accepted. */
  refusal(): Refused | null;
  /**
   * Returns what the commands choose on the newest state, or nothing if choices are not recorded.
   * @param date  the date with which the commands will be signed
   */
  choicesOf(unsigned: Unsigned, date: EnvelopeDate): Chosen;
  /**
   * Records an entry that is known to be valid.
   * @param between  called after each of its units, with the number of units applied so far, or null
   */
  record(entry: Entry, between?: BetweenUnits | null): Recorded | RefusedEnvelope;
  /**
   * Lets the members of the list decide on an envelope with `decide` that the daemon itself has signed. It is not an
   * entry: only the decision is recorded.
   * @returns the decision, once it is as safe as its answer promises; or why there is none, with the effect
   */
  decide(entry: Entry): Promise<DecidedUnits | RefusedEnvelope>;
  /** Sends an entry that the daemon itself has signed to the peers, once it is on disk. */
  sendToPeers(entry: Entry): void;
}

/** What the gateway asks of whatever records its envelopes: a timeline, or a stream that orders them. */
import type { Refused, RefusedEnvelope } from "../../engine/answers/request.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry, Place } from "../../timeline/entries/entry.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";

/** An entry was recorded: what its units were answered, to be given when it is flushed. */
export interface Recorded {
  /** To be read when it is. */
  readonly answers: readonly UnitAnswer[];
  /** Rejects with `NotTaken` where it is known what became of it; null: it is flushed. */
  readonly flushed: Promise<void> | null;
}

/** An entry that was on its way to be recorded is not, or nobody knows. */
export class NotTaken extends Error {
  readonly refusal: RefusedEnvelope;

  constructor(refusal: RefusedEnvelope) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

export interface EntryRecorder {
  /** The newest. */
  readonly ring: KeyRing;
  /** What was applied with the highest date. */
  readonly newest: EnvelopeDate;
  /** Nothing dated at or before it would be taken. */
  readonly floor: number;
  /** Whether an envelope is recorded; others are read. */
  records(envelope: Pick<Envelope, "commands">): boolean;
  /** Why nothing is taken first-hand now. */
  refusal(): Refused | null;
  /** Records what is certain to be an entry. */
  record(entry: Entry): Recorded | RefusedEnvelope;
  /** Hands an entry that the daemon itself has signed to the others, once it is on the disk. */
  give(entry: Entry): void;
  /** Whether a record came to be as certain as is waited for, in time. */
  confirm(place: Place, wait: Wait): Promise<boolean>;
}

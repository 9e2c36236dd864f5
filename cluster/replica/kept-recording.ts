/** Records clients' envelopes: the part that is the same for a timeline and a stream. */
import type { EnvelopeAnswer, Refused, RefusedEnvelope } from "../../engine/answers/request.js";
import { notApplied, refused, unknown } from "../../engine/answers/request.js";
import type { ReadStatus } from "../../engine/answers/result-writer.js";
import type { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import { LocalUnits } from "../../engine/backends/local-units.js";
import { NewestDate } from "../../engine/backends/newest-date.js";
import type { Recording, ShownState } from "../../engine/pipeline/recording.js";
import type { SeenEnvelopes } from "../../engine/pipeline/seen-envelopes.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { KeyAudit } from "../../engine/trust/key-audit.js";
import { hasUserListener } from "../../options/settings.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { DaemonState, EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry, Place } from "../../timeline/entries/entry.js";
import type { EntryRecorder, Recorded } from "./entry-recorder.js";
import { Gateway } from "./gateway.js";
import type { MemberAnswers } from "./member-answers.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";

export abstract class KeptRecording implements Recording, EntryRecorder {
  /** Not limited: the timeline or the stream knows its envelopes, including those from before this start. */
  readonly seenTo = Number.NEGATIVE_INFINITY;
  readonly localUnits: LocalUnits;
  /** The gateway, which signs for listeners without signatures, or null if there is no such listener. */
  readonly gateway: Gateway | null;
  protected readonly audit: KeyAudit;
  protected abstract readonly memberAnswers: MemberAnswers;
  /** Whether writes of version 1 are recorded by the gateway; otherwise version 1 cannot write. */
  readonly #isVersion1: boolean;

  constructor(context: ReplicaContext, changes: KeyChangeObservers, defer = nextTurn) {
    const { environment, settings } = context;
    this.localUnits = new LocalUnits(environment, new NewestDate());
    this.audit = new KeyAudit(context.log, context.environment);
    this.#isVersion1 = settings.v1 === "gateway";
    const isSigning = this.#isVersion1 || hasUserListener(settings);
    this.gateway = isSigning ? new Gateway(this, context, changes, defer) : null;
  }

  abstract get state(): DaemonState;
  abstract get shownState(): ShownState;
  abstract get readStatus(): ReadStatus;
  abstract get members(): number;
  abstract get daemons(): number;
  abstract get newest(): EnvelopeDate;
  abstract get ring(): KeyRing;
  abstract get floor(): number;
  abstract records(envelope: Pick<Envelope, "commands">): boolean;
  abstract holds(place: Place): boolean;
  abstract refusal(): Refused | null;
  abstract record(entry: Entry): Recorded | RefusedEnvelope;
  abstract give(entry: Entry): void;
  abstract confirm(place: Place, wait: Wait): Promise<boolean>;
  /** Records a client's envelope. */
  protected abstract take(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer>;
  /** Returns the first answer to an envelope that is already stored. */
  protected abstract heldAnswer(taken: Taken): Promise<EnvelopeAnswer>;
  /** Whether reads include the unit by now, or it is certain that no read ever will. */
  protected abstract isSettled(place: Place): boolean;

  /**
   * The command by which an administrator has to authorize the daemon's own key, which signs for clients without keys,
   * or null if none is needed.
   */
  get introduction(): readonly ByteString[] | null {
    return this.gateway?.own.introduction ?? null;
  }

  /** Returns true also for a unit that was answered here but not recorded: no read will ever include it. */
  hasApplied(place: Place, seen: SeenEnvelopes): boolean {
    return this.isSettled(place) || seen.isApplied(place.id, place.at);
  }

  /** Always true: another daemon may send an envelope of any date. */
  mayCome(): boolean {
    return true;
  }

  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null {
    const { at, seq } = taken.envelope;
    return this.holds({ at, seq, id: taken.id }) ? this.heldAnswer(taken) : null;
  }

  apply(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    return taken.isRecorded ? this.take(taken) : this.answerHere(taken);
  }

  /**
   * Answers envelopes that are neither recorded nor for the databases.
   * @returns null if the envelope is for the databases
   */
  protected answerHere(_: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    return null;
  }

  execute(argv: readonly ByteString[], as: ByteString | null): Promise<Reply | Refused> | null {
    const { gateway } = this;
    return this.#isVersion1 && gateway?.takes(argv) ? gateway.execute(argv, { db: 0, as }) : null;
  }

  /** Answers all waiting envelopes. */
  stop(): void {
    this.memberAnswers.stop();
  }
}

export const answerNotKept = (id: ByteString): RefusedEnvelope =>
  unknown(notApplied(id, refused("answer-not-kept", "seen before")));

/** Returns the entry of a client's envelope, with copies of its bytes, which are views of received ones. */
export const entryOf = ({ id, envelope, message }: Taken): Entry => ({
  id,
  body: Buffer.from(message.body),
  signature: Buffer.from(message.signature),
  envelope,
});

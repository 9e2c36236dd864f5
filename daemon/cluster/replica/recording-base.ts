/** Records clients' envelopes. This base class contains what recording in a timeline and in a stream have in common. */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { StateName } from "../../../protocol/state-names.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../../protocol/version-2/messages-v2.js";
import type { EnvelopeAnswer, Refused, RefusedEnvelope } from "../../engine/answers/request.js";
import { notApplied, refused, unknown } from "../../engine/answers/request.js";
import type { ReadStatus } from "../../engine/answers/result-writer.js";
import { LocalUnits } from "../../engine/backends/local-units.js";
import { NewestDate } from "../../engine/backends/newest-date.js";
import type { AcceptedEnvelope } from "../../engine/pipeline/apply-units.js";
import type { Recording } from "../../engine/pipeline/recording-interface.js";
import type { SeenEnvelopes } from "../../engine/pipeline/seen-envelopes.js";
import { KeyAudit } from "../../engine/trust/key-audit.js";
import { hasUserListener } from "../../options/settings.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry, OrderKey } from "../../timeline/entries/entry.js";
import type { BetweenUnits } from "../../timeline/fold/fold.js";
import type { EntryRecorder, Recorded } from "./entry-recorder.js";
import { Gateway, randomUnitId } from "./gateway.js";
import type { MemberAnswers } from "./member-answers.js";
import type { Chosen, TrialState, Unsigned } from "./recorded-choices.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";
import type { TimelineBackend } from "./timeline-backend.js";

export abstract class RecordingBase implements Recording, EntryRecorder {
  /**
   * No date is refused because of this start: the timeline or the stream also knows the envelopes from before the
   * start.
   */
  readonly seenTo = Number.NEGATIVE_INFINITY;
  readonly localUnits: LocalUnits;
  readonly trialState: TrialState;
  /** The gateway, which signs for listeners without signatures, or null if there is no such listener. */
  readonly gateway: Gateway | null;
  protected readonly audit: KeyAudit;
  protected abstract readonly memberAnswers: MemberAnswers;
  /** Whether the gateway records writes of version 1. Otherwise clients of version 1 cannot write. */
  readonly #isVersion1: boolean;

  constructor(context: ReplicaContext, backend: TimelineBackend, defer = nextTurn) {
    const { environment, settings } = context;
    this.trialState = {
      get database() {
        return backend.database;
      },
      get stepsMax() {
        return backend.unitSteps;
      },
      unitId: () => randomUnitId(environment),
    };
    this.localUnits = new LocalUnits(environment, new NewestDate());
    this.audit = new KeyAudit(context.log, context.environment);
    this.#isVersion1 = settings.v1 === "gateway";
    const isSigning = this.#isVersion1 || hasUserListener(settings);
    this.gateway = isSigning ? new Gateway(this, context, backend.changes, defer) : null;
  }

  abstract get state(): StateName;
  abstract get reason(): string;
  abstract get readStatus(): ReadStatus;
  abstract get members(): number;
  abstract get daemons(): number;
  abstract readonly flushing: Promise<void> | null;
  abstract readonly undone: number;
  abstract readonly appliesAtOnce: boolean;
  abstract readonly decides: boolean;
  abstract get newest(): EnvelopeDate;
  abstract get ring(): KeyRing;
  abstract get floor(): number;
  abstract records(envelope: Pick<Envelope, "commands">): boolean;
  abstract holds(orderKey: OrderKey): boolean;
  abstract refusal(): Refused | null;
  abstract choicesOf(unsigned: Unsigned, date: EnvelopeDate): Chosen;
  abstract record(entry: Entry, between?: BetweenUnits | null): Recorded | RefusedEnvelope;
  abstract sendToPeers(entry: Entry): void;
  abstract confirm(orderKey: OrderKey, wait: Wait): Promise<boolean>;
  /** Records a client's envelope. */
  protected abstract take(taken: AcceptedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer>;
  /** Returns the first answer to an envelope that is already stored. */
  protected abstract storedAnswer(taken: AcceptedEnvelope): Promise<EnvelopeAnswer>;
  /** Whether reads already include the unit, or can never include it. */
  protected abstract isSettled(orderKey: OrderKey): boolean;

  /**
   * The command with which an administrator has to authorize the daemon's own key, so that the daemon can sign for
   * clients without keys. Null if no authorization is needed.
   */
  get introduction(): readonly ByteString[] | null {
    return this.gateway?.own.introduction ?? null;
  }

  /**
   * Also returns true for a unit that was answered here but not recorded, because no later read will include such a
   * unit.
   */
  hasApplied(orderKey: OrderKey, seen: SeenEnvelopes): boolean {
    return this.isSettled(orderKey) || seen.isApplied(orderKey.id, orderKey.at);
  }

  /** Always returns true, because another daemon may send an envelope of any date. */
  mayArrive(): boolean {
    return true;
  }

  firstAnswer(taken: AcceptedEnvelope): Promise<EnvelopeAnswer> | null {
    const { at, seq } = taken.envelope;
    return this.holds({ at, seq, id: taken.id }) ? this.storedAnswer(taken) : null;
  }

  apply(taken: AcceptedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    return taken.isRecorded ? this.take(taken) : this.answerHere(taken);
  }

  /**
   * Answers envelopes that are neither recorded nor for the databases.
   * @returns null if the envelope is for the databases
   */
  protected answerHere(_: AcceptedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
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

export const answerNotStored = (id: ByteString): RefusedEnvelope =>
  unknown(notApplied(id, refused("answer-not-kept", "seen before")));

/** Returns the entry of a client's envelope. Copies the bytes, because the originals are views of a receive buffer. */
export const entryOf = ({ id, envelope, message }: AcceptedEnvelope): Entry => ({
  id,
  body: Buffer.from(message.body),
  signature: Buffer.from(message.signature),
  envelope,
});

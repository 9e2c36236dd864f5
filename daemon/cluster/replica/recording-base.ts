/**
 * Records clients' envelopes, after a check of the rights of their keys. Recorder (in a timeline) and
 * faces/nats-order/order-recorder.ts (in a stream) extend this class.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import type { StateName } from "../../../protocol/state-names.js";
import {
  commandsIn,
  conditionsOf,
  type Envelope,
  needsDaemon,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../../protocol/version-2/messages-v2.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import {
  type Answered,
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  unknown,
} from "../../engine/answers/request.js";
import { denialOf, type ReadStatus } from "../../engine/answers/result-writer.js";
import type { LastWrite } from "../../engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../engine/backends/local-units.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import type { Recording } from "../../engine/pipeline/recording-interface.js";
import type { SeenEnvelopes } from "../../engine/pipeline/seen-envelopes.js";
import { KeyAudit } from "../../engine/trust/key-audit.js";
import type { Settings } from "../../options/settings.js";
import { hasUserListener } from "../../options/settings-rules.js";
import { semanticsAskedBy } from "../../store/commands/key-ring-commands.js";
import { isKeyCommand, type KeyRecord, type KeyRing } from "../../store/key-ring.js";
import { isDenied, refusalOf } from "../../store/unit-permission.js";
import type { Entry, OrderKey } from "../../timeline/entries/entry.js";
import type { BetweenUnits } from "../../timeline/fold/fold.js";
import type { DecidedUnits, EntryRecorder, Recorded } from "./entry-recorder.js";
import type { Gateway } from "./gateway.js";
import type { MemberAnswers } from "./member-answers.js";
import type { Chosen, TrialState, Unsigned } from "./recorded-choices.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";
import type { TimelineBackend } from "./timeline-backend.js";

export type GatewayClass = typeof Gateway;

/** Bytes of an envelope's id. */
const ID_BYTES = 32;

/** Loads the code that signs for clients without signatures. Returns null if the settings permit no such client. */
export async function loadGateway(settings: Settings): Promise<GatewayClass | null> {
  if (settings.v1 !== "gateway" && !hasUserListener(settings)) return null;
  return (await import("./gateway.js")).Gateway;
}

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

  /** @param gatewayClass  the result of `loadGateway` */
  constructor(
    context: ReplicaContext,
    backend: TimelineBackend,
    gatewayClass: GatewayClass | null,
    defer = nextTurn,
  ) {
    const { environment, settings } = context;
    this.trialState = {
      get database() {
        return backend.database;
      },
      get stepsMax() {
        return backend.unitSteps;
      },
      unitId: () => unitId(environment.randomBytes(ID_BYTES), 0),
    };
    this.localUnits = new LocalUnits(environment, new NewestDate());
    this.audit = new KeyAudit(context.log, context.environment);
    this.#isVersion1 = settings.v1 === "gateway";
    this.gateway = gatewayClass === null ? null : new gatewayClass(this, context, backend.changes, defer);
  }

  abstract get state(): StateName;
  abstract get reason(): string;
  abstract get readStatus(): ReadStatus;
  abstract get members(): number;
  abstract get daemons(): number;
  abstract readonly flushing: Promise<void> | null;
  abstract readonly undone: number;
  abstract readonly appliesImmediately: boolean;
  abstract readonly decides: boolean;
  abstract get newest(): EnvelopeDate;
  abstract get ring(): KeyRing;
  abstract get floor(): number;
  abstract get commonClock(): number;
  abstract records(envelope: Pick<Envelope, "commands">): boolean;
  abstract holds(orderKey: OrderKey): boolean;
  abstract refusal(readStatus?: ReadStatus, commands?: Envelope["commands"]): Refused | null;
  abstract choicesOf(unsigned: Unsigned, date: EnvelopeDate): Chosen;
  abstract record(entry: Entry, between?: BetweenUnits | null): Recorded | RefusedEnvelope;
  abstract decide(entry: Entry): Promise<DecidedUnits | RefusedEnvelope>;
  abstract sendToPeers(entry: Entry): void;
  abstract confirm(orderKey: OrderKey, wait: Wait): Promise<boolean>;
  /** Records a client's envelope. @param readStatus  the current read status */
  protected abstract recordEnvelope(verified: VerifiedEnvelope, readStatus: ReadStatus): Answered;
  /** Returns the first answer to an envelope that is already stored. */
  protected abstract storedAnswer(verified: VerifiedEnvelope): Promise<EnvelopeAnswer>;
  /** Whether reads already include the entry, or can never include it. */
  protected abstract isSettled(orderKey: OrderKey): boolean;

  /**
   * The command with which an administrator has to authorize the daemon's own key, so that the daemon can sign for
   * clients without keys. Null if no authorization is needed.
   */
  get introduction(): readonly ByteString[] | null {
    return this.gateway?.own.introduction ?? null;
  }

  /**
   * Also returns true for an envelope that was answered here but not recorded, because no later read will include it.
   */
  hasApplied(orderKey: OrderKey, seen: SeenEnvelopes): boolean {
    return this.isSettled(orderKey) || seen.isApplied(orderKey.id, orderKey.at);
  }

  /** Always returns true, because another daemon may send an envelope of any date. */
  mayArrive(): boolean {
    return true;
  }

  firstAnswer(verified: VerifiedEnvelope): Promise<EnvelopeAnswer> | null {
    const { at, seq } = verified.envelope;
    return this.holds({ at, seq, id: verified.id }) ? this.storedAnswer(verified) : null;
  }

  apply(verified: VerifiedEnvelope): Answered | null {
    if (!verified.isRecorded) return this.answerHere(verified);
    const { readStatus } = this;
    return this.#answerUnrecorded(verified, readStatus) ?? this.recordEnvelope(verified, readStatus);
  }

  /**
   * Answers an envelope that must not be recorded: it is unsigned, is addressed to a single daemon, arrives while
   * writes are refused, names an unknown semantics version, or contains no unit that the newest key ring permits.
   * @returns null if the envelope has to be recorded
   */
  #answerUnrecorded(
    { id, envelope, signer, maxReplyBytes }: VerifiedEnvelope,
    readStatus: ReadStatus,
  ): EnvelopeAnswer | null {
    // A daemon with keys refuses unsigned envelopes earlier, so every recorded envelope has a verified signer.
    if (signer === null) return notApplied(id, refused("unsigned", "it would be recorded"));
    if (envelope.only !== null)
      return notApplied(id, refused("only-for-reads", "it would be applied by one daemon alone"));
    const refusal = this.refusal(readStatus, envelope.commands);
    if (refusal !== null) return notApplied(id, refusal);
    const { ring, audit } = this;
    const denials = denialsOf(envelope, signer, ring, audit) ?? unknownSemantics(envelope, ring);
    return denials === null ? null : denialOf(id, denials, { maxReplyBytes, readStatus });
  }

  /**
   * Answers envelopes that are neither recorded nor for the databases.
   * @returns null if the envelope is for the databases
   */
  protected answerHere(_: VerifiedEnvelope): Answered | null {
    return null;
  }

  execute(
    argv: readonly ByteString[],
    as: ByteString | null,
    lastWrite: LastWrite,
  ): Promise<Reply | Refused> | null {
    const { gateway } = this;
    return this.#isVersion1 && gateway?.takes(argv) ? gateway.execute(argv, { db: 0, as, lastWrite }) : null;
  }

  /** Answers all waiting envelopes. */
  stop(): void {
    this.memberAnswers.stop();
  }
}

export const answerNotStored = (id: ByteString): RefusedEnvelope =>
  unknown(notApplied(id, refused("answer-not-kept", "seen before")));

/** Returns the entry of a client's envelope. Copies the bytes, because the originals are views of a receive buffer. */
export const entryOf = ({ id, envelope, message }: VerifiedEnvelope): Entry => ({
  id,
  body: Buffer.from(message.body),
  signature: Buffer.from(message.signature),
  envelope,
});

/**
 * Returns the refusals of all units, or null if at least one unit is permitted. In that case the envelope is recorded,
 * and the fold decides about each unit.
 */
function denialsOf(
  envelope: Envelope,
  signer: KeyRecord,
  ring: KeyRing,
  audit: KeyAudit,
): ErrorReply[] | null {
  if (signer.acl.isUnlimited) return null;
  const { key, at } = envelope;
  const units = unitsIn(envelope);
  const denials: ErrorReply[] = [];
  // Stop at the first permitted unit, which is usually the first one.
  for (const range of units) {
    const commands = commandsIn(envelope, range);
    const conditions = conditionsOf(envelope, range.index);
    const unit = { key, at, commands, conditions, needsDaemon: needsDaemon(envelope) };
    const denial = refusalOf(unit, signer, ring);
    if (denial === null || !isDenied(denial)) return null;
    denials.push(denial);
  }
  for (const [i, range] of units.entries())
    audit.denied(commandsIn(envelope, range), signer, (denials[i] as ErrorReply).text);
  return denials;
}

/**
 * Refuses CLUSTER SEMANTICS with a version that this release does not know, because the daemon would stop applying
 * entries after that command.
 * @returns the error replies to the units, or null if the envelope contains no such command
 */
function unknownSemantics(envelope: Envelope, { known }: KeyRing): ErrorReply[] | null {
  const { commands } = envelope;
  if (!isKeyCommand(commands[0] ?? [""])) return null;
  const { last } = known;
  const required = commands.map(semanticsAskedBy).find((number) => number !== null && number > last);
  if (required == null) return null;
  const refusal = error(
    `ERR this daemon's release knows only semantics version ${Array.from({ length: last }, (_, i) => i + 1).join(" and ")}, not ${required}: ` +
      "upgrade all daemons first",
  );
  return unitsIn(envelope).map(() => refusal);
}

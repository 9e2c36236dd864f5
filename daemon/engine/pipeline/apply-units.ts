/**
 * Applies an envelope's units. A unit that the key ring does not permit is answered with a refusal. The key ring
 * executes KEY and CLUSTER commands, and the databases execute all other commands. Source: docs/protocol-v2.md "Units".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, type ErrorReply, error, integer, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { type Envelope, needsDaemon } from "../../../protocol/version-2/envelope.js";
import type { CommandMessage } from "../../../protocol/version-2/messages-v2.js";
import { commandTable } from "../../store/command-table.js";
import { semanticsAskedBy } from "../../store/commands/key-ring-commands.js";
import { isKeyCommand, type KeyRecord, type KeyRing } from "../../store/key-ring.js";
import { BYTES_PER_STEP } from "../../store/keyspace/effort-budget.js";
import { EnvelopeUnit, type Unit, type UnitClient } from "../../store/keyspace/unit.js";
import { ReplySize } from "../../store/read-allowance.js";
import { connectionMistake, isDenied, type JudgedUnit, refusalOf } from "../../store/unit-permission.js";
import { type EnvelopeAnswer, notApplied, refused } from "../answers/request.js";
import { type ReadStatus, ResultWriter } from "../answers/result-writer.js";
import type { Outcome } from "../backends/backend.js";
import { isStepped } from "../backends/run-steps-in-turns.js";
import { type ChannelMessage, messagesOf } from "../channels/channels.js";
import type { KeyAudit } from "../trust/key-audit.js";
import { type Databases, effectOf, replyOrFailure } from "./databases.js";
import type { Broadcasts } from "./publish-messages.js";

/** The receiver of envelopes whose commands subscribe to events, after they were checked. */
export interface UnitListener {
  /** @param ring  the key ring, or null if the daemon has no keys @returns a reply for each command */
  listen(verified: VerifiedEnvelope, ring: KeyRing | null): readonly Reply[];
}

/** The executor of administrators' requests about the daemon itself, which are not recorded. */
export interface DaemonInspector {
  /** @returns null if the command is meant for the databases */
  answer(argv: readonly ByteString[], signer: KeyRecord, ring: KeyRing): Reply | Promise<Reply> | null;
}

/**
 * An envelope whose signature is valid, or not required. The pipeline also checks its header, its date and the limits
 * before it is recorded or applied.
 */
export interface VerifiedEnvelope {
  readonly id: ByteString;
  readonly envelope: Envelope;
  /** The signer, or null if the envelope is not signed because the daemon has no keys. */
  readonly signer: KeyRecord | null;
  /** The message as it was received. */
  readonly message: CommandMessage;
  /** The time of receipt, in milliseconds since 1970. */
  readonly now: number;
  /** Whether the timeline records the envelope. */
  readonly isRecorded: boolean;
  /** Maximum bytes of the replies of all units together. */
  readonly maxReplyBytes: number;
  /** The flag that is added to the answers if the envelope is not recorded. */
  readonly readStatus: ReadStatus;
  /** The listener that receives the envelope, or null if the databases receive it. */
  readonly listener: UnitListener | null;
  /** Whether the client has stated that no other daemon receives the envelope. */
  readonly isOnlyHere: boolean;
  /** The clients that wait for the answer, or undefined if they are unknown. */
  readonly clients: QueryClients | undefined;
}

type Argv = readonly ByteString[];
type Outcomes = readonly (Outcome | Promise<Outcome>)[];

export class Units {
  readonly #databases: Databases;
  readonly #audit: KeyAudit;
  readonly #broadcasts: Broadcasts | null;
  readonly #inspection: DaemonInspector | null;

  /**
   * @param broadcasts  publishes messages, or null if the databases publish them
   * @param inspection  answers requests about the daemon itself, or null if such requests are refused
   */
  constructor(
    databases: Databases,
    audit: KeyAudit,
    broadcasts: Broadcasts | null,
    inspection: DaemonInspector | null,
  ) {
    this.#databases = databases;
    this.#audit = audit;
    this.#broadcasts = broadcasts;
    this.#inspection = inspection;
  }

  /**
   * Applies an envelope. Returns the answer itself if all databases answer in this turn, otherwise a promise.
   * @param ring  the key ring, or null if the daemon has no keys
   */
  apply(verified: VerifiedEnvelope, ring: KeyRing | null): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { id, envelope, listener } = verified;

    // Daemons record such envelopes, and only a timeline applies them.
    if (envelope.units !== null) return notApplied(id, refused("malformed", '"units" without a write'));
    if (listener !== null) return answerOf(verified, listener.listen(verified, ring));

    const messages = this.#broadcasts === null ? null : messagesOf(envelope);
    if (messages !== null && this.#broadcasts !== null)
      return answerOf(verified, this.#publish(verified, messages, ring, this.#broadcasts));

    if (envelope.multi || envelope.if !== null)
      return whenSettled(verified, [this.#applyAsOne(verified, ring)]);
    return this.#applyEach(verified, ring);
  }

  #applyEach(verified: VerifiedEnvelope, ring: KeyRing | null): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { commands } = verified.envelope;
    const outcomes: (Outcome | Promise<Outcome>)[] = [];
    const judged = judgedOneByOne(verified.envelope);
    let items = 0;

    for (let i = 0; i < commands.length; i++) {
      const outcome = this.#applyUnit(verified, ring, i, judged);
      outcomes.push(outcome);
      if (i === commands.length - 1) break;
      if (outcome instanceof Promise) {
        if (this.#isLongQuery(commands[i] as Argv)) return this.#applyInOrder(verified, ring, outcomes);
      } else items += sizeOf(outcome);
      // The remaining units of a long envelope run in later turns, unless a part of them could be applied twice.
      if (items > REPLY_SIZE_PER_TURN && this.#mayYield(commands))
        return this.#applyInOrder(verified, ring, outcomes);
    }
    return whenSettled(verified, outcomes);
  }

  /** Whether other clients may be served between the commands: all of them are reads of this daemon's own memory. */
  #mayYield(commands: readonly Argv[]): boolean {
    if (!this.#databases.takeConditions) return false;
    return commands.every((argv) => {
      const command = commandTable.resolve(argv);
      return "reads" in command && command.reads && !command.writes;
    });
  }

  /** Whether a command that was not answered in this turn is a query of this daemon's own memory. */
  #isLongQuery(argv: Argv): boolean {
    const command = commandTable.resolve(argv);
    return this.#databases.takeConditions && "isQuery" in command && command.isQuery;
  }

  /**
   * Applies units one after the other, because a query may wait and then begin again, and must not see the changes of
   * the envelope's later units, and because the replies may be long. Each reply is written as soon as it is known:
   * together, the replies may need far more memory than one query.
   * @param started  the outcomes of the first units
   */
  async #applyInOrder(
    verified: VerifiedEnvelope,
    ring: KeyRing | null,
    started: readonly (Outcome | Promise<Outcome>)[],
  ): Promise<EnvelopeAnswer> {
    const { id, envelope, maxReplyBytes, readStatus } = verified;
    const result = new ResultWriter(maxReplyBytes, readStatus);
    const judged = judgedOneByOne(envelope);
    let items = 0;

    for (let i = 0; i < envelope.commands.length; i++) {
      if (i === started.length || items > REPLY_SIZE_PER_TURN) {
        await laterTurn();
        items = 0;
      }

      const outcome = replyOrFailure(await (started[i] ?? this.#applyUnit(verified, ring, i, judged)), false);
      items += sizeOf(outcome);
      if (outcome.kind === "failed")
        return { kind: "refused", id, code: outcome.code, detail: outcome.detail, effect: "unknown" };
      result.add(outcome, "");
    }
    return result.done(id);
  }

  /** @param judged  receives the unit's command, and is reused for each unit */
  #applyUnit(
    { id, envelope, clients }: VerifiedEnvelope,
    ring: KeyRing | null,
    i: number,
    judged: OneCommand,
  ): Outcome | Promise<Outcome> {
    const argv = envelope.commands[i] as Argv;
    judged.commands[0] = argv;
    // Look up the signer for each unit, because the previous unit may have changed its rules.
    const signer = ring === null ? null : (ring.find(envelope.key) as KeyRecord);
    const unit = new EnvelopeUnit(id, envelope, i, signer?.acl.mayReadAll ?? true, clients);
    return this.#refusalOf(judged, signer, ring) ?? this.#applyOne(argv, unit, signer, ring);
  }

  #applyOne(
    argv: Argv,
    unit: Unit,
    signer: KeyRecord | null,
    ring: KeyRing | null,
  ): Outcome | Promise<Outcome> {
    // Unsigned requests about the daemon itself are not answered.
    if (signer === null || ring === null) return this.#databases.execute(argv, unit);
    if (isKeyCommand(argv)) return this.#changeKeys(argv, unit, signer, ring);
    return this.#inspection?.answer(argv, signer, ring) ?? this.#databases.execute(argv, unit);
  }

  /** Applies an envelope that consists of one unit, because it has `multi` or conditions. */
  #applyAsOne({ id, envelope }: VerifiedEnvelope, ring: KeyRing | null): Outcome | Promise<Outcome> {
    const { commands, key, at, multi, if: conditions } = envelope;
    const signer = ring === null ? null : (ring.find(key) as KeyRecord);
    const unit = new EnvelopeUnit(id, envelope, 0, signer?.acl.mayReadAll ?? true);

    const denial = this.#refusalOf(
      { key, at, commands, conditions, needsDaemon: needsDaemon(envelope) },
      signer,
      ring,
    );
    if (denial !== null) return denial;

    // The first command shows what all commands are, because the ring denies units that mix KEY commands with other
    // commands.
    if (signer !== null && ring !== null && isKeyCommand(commands[0] as Argv)) {
      return array(commands.map((argv) => this.#changeKeys(argv, unit, signer, ring)));
    }
    if (conditions !== null && !this.#databases.hold(conditions, unit)) return UNMET_REPLY;
    return multi
      ? this.#databases.executeTogether(commands, unit)
      : this.#databases.execute(commands[0] as Argv, unit);
  }

  /**
   * Publishes the permitted messages of an envelope in one step, so that they are published only once, even if several
   * copies of the envelope arrive.
   */
  #publish(
    verified: VerifiedEnvelope,
    messages: readonly ChannelMessage[],
    ring: KeyRing | null,
    broadcasts: Broadcasts,
  ): readonly Reply[] {
    const { id, envelope, message } = verified;
    const { commands, at, key, only } = envelope;
    const signer = ring === null ? null : (ring.find(key) as KeyRecord);
    const judged = { key, at, conditions: null, needsDaemon: needsDaemon(envelope) };
    const refusals = commands.map((argv) => this.#refusalOf({ ...judged, commands: [argv] }, signer, ring));
    const permitted = messages.filter((_, index) => refusals[index] === null);
    const receivers = broadcasts.publish(id, at, permitted, only === null ? message : null).values();
    return refusals.map((refusal) => refusal ?? integer(receivers.next().value ?? 0));
  }

  #changeKeys(argv: Argv, unit: Unit, signer: KeyRecord, ring: KeyRing): Reply {
    if (semanticsAskedBy(argv) !== null) return REQUIRES_TIMELINE;
    const before = ring.changes;
    const reply = ring.execute(argv, unit, signer);
    if (ring.changes > before) this.#audit.changed(argv, unit.at, unit.id, signer);
    return reply;
  }

  /**
   * Returns why a unit is not permitted, or null if it is permitted.
   * @param signer  the current record of the unit's signer, or null if the daemon has no keys
   */
  #refusalOf(unit: JudgedUnit, signer: KeyRecord | null, ring: KeyRing | null): ErrorReply | null {
    if (signer === null || ring === null) return unsignedRefusalOf(unit.commands);
    const refusal = refusalOf(unit, signer, ring);
    if (refusal !== null && isDenied(refusal)) this.#audit.denied(unit.commands, signer, refusal.text);
    return refusal;
  }
}

/** The steps of writing replies after which the next units of an envelope wait for a later turn. */
const REPLY_SIZE_PER_TURN = 20_000;

/** Returns the size of a reply in steps. A reply whose items are not found yet counts as one. */
function sizeOf(outcome: Outcome): number {
  const { kind } = outcome;
  const isShort = kind === "status" || kind === "integer" || kind === "failed";
  if (isShort || isStepped(outcome)) return 1;
  const size = new ReplySize();
  size.add(outcome);
  return size.steps + size.bytes / BYTES_PER_STEP;
}

const laterTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const REQUIRES_TIMELINE = error(
  "ERR CLUSTER SEMANTICS requires --data or --peer: a daemon without a timeline cannot store it",
);

/**
 * The reply to a unit whose conditions do not hold. It is a separate object, because the flag `unmet` is added by
 * comparing its identity.
 */
const UNMET_REPLY: Reply = { ...NIL_ARRAY };

/** The unit that is checked for each command of an envelope whose commands are separate units. */
type OneCommand = JudgedUnit & { readonly commands: Argv[] };

const judgedOneByOne = (envelope: Envelope): OneCommand => ({
  key: envelope.key,
  at: envelope.at,
  commands: [],
  conditions: null,
  needsDaemon: needsDaemon(envelope),
});

function whenSettled(
  verified: VerifiedEnvelope,
  outcomes: Outcomes,
): EnvelopeAnswer | Promise<EnvelopeAnswer> {
  for (const outcome of outcomes) {
    if (outcome instanceof Promise)
      return Promise.all(outcomes).then((settled) => answerOf(verified, settled));
  }
  return answerOf(verified, outcomes as readonly Outcome[]);
}

function answerOf(
  { id, maxReplyBytes, readStatus }: VerifiedEnvelope,
  outcomes: readonly Outcome[],
): EnvelopeAnswer {
  const result = new ResultWriter(maxReplyBytes, readStatus);

  for (const one of outcomes) {
    const outcome = one.kind === "failed" ? replyOrFailure(one, outcomes.length === 1) : one;
    if (outcome.kind === "failed") {
      const { code, detail } = outcome;
      return { kind: "refused", id, code, detail, effect: effectOf(outcomes) };
    }
    result.add(outcome, outcome === UNMET_REPLY ? "unmet" : "");
  }
  return result.done(id);
}

/** Returns whether a command is about the key ring or about the timeline's history. */
export function isForAdministrators(argv: readonly ByteString[]): boolean {
  return isKeyCommand(argv) || isTimelineCommand(argv[0] as ByteString);
}

const TIMELINE = "TIMELINE";

/** Runs for every command, so it compares the length first. */
const isTimelineCommand = (name: ByteString) =>
  name.length === TIMELINE.length && name.toUpperCase() === TIMELINE;

/** Returns why an unsigned unit is refused, or null if it is permitted. A daemon without keys has no other rules. */
function unsignedRefusalOf(commands: readonly (readonly ByteString[])[]): ErrorReply | null {
  for (const argv of commands) {
    if (isForAdministrators(argv)) return NEEDS_KEYS;
    const mistake = connectionMistake(argv);
    if (mistake !== null) return mistake;
  }
  return null;
}

const NEEDS_KEYS = error(
  "NOPERM this is for administrators, and the daemon was started without keys: -s, --root-key",
);

/**
 * The clients that wait for the answer to one envelope. If all of them have disconnected, an envelope of queries ends,
 * and a later copy of it runs again: queries change nothing. Any other envelope runs to its end, because a later copy
 * must receive the answer of the first one.
 */
export class QueryClients implements UnitClient {
  readonly #clients: UnitClient[];
  readonly #envelope: Pick<Envelope, "commands">;
  /** Whether all commands are queries, or null if they have not been looked up yet. Each step needs the result. */
  #areQueries: boolean | null = null;
  #isAbandoned = false;

  constructor(client: UnitClient, envelope: Pick<Envelope, "commands">) {
    this.#clients = [client];
    this.#envelope = envelope;
  }

  /** Whether the queries end. Once this was reported, it remains so. */
  get isGone(): boolean {
    this.#isAbandoned ||= this.#clients.every(({ isGone }) => isGone) && this.#hasOnlyQueries();
    return this.#isAbandoned;
  }

  #hasOnlyQueries(): boolean {
    this.#areQueries ??= this.#envelope.commands.every((argv) => {
      const command = commandTable.resolve(argv);
      return "isQuery" in command && command.isQuery;
    });
    return this.#areQueries;
  }

  /** Adds the clients of another copy. @returns false if the queries have ended */
  join(copy: QueryClients): boolean {
    if (this.#isAbandoned) return false;
    for (const client of copy.#clients) this.#clients.push(client);
    return true;
  }
}

/**
 * Records commands that have no signature of version 2, as those of Redis clients. The daemon collects the commands of
 * one turn of the event loop, or the commands that arrive while the previous envelope is being flushed, and signs them
 * with its own key as one envelope. The envelope is recorded as if a client had sent it, and sent to the peers
 * immediately.
 *
 * Two kinds of units first need a decision, with the signatures of a majority of the member list: units with conditions
 * (WATCH), if there is a list, and commands and programs that may write decided keys (docs/consistency.md "Decided
 * keys"). Each unit with conditions is an envelope of its own, which `EntryRecorder.decide` proposes to the members.
 * Commands and programs on decided keys wait in a queue, where several share a decision (`DecisionQueues`). Source:
 * docs/architecture.md "How daemons agree".
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { TURN_MS } from "../../../protocol/steps.js";
import {
  type Choices,
  type Condition,
  type Envelope,
  UNIT_COMMANDS_MAX,
} from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import {
  commandBytes as bytesOf,
  COMMAND_BYTES_MAX,
  choicesBytes,
} from "../../engine/answers/unit-limits.js";
import type { LastWrite } from "../../engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import { checkRing } from "../../engine/pipeline/envelope-checks.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import type { NamedKey } from "../../store/keyspace/named-key.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import { orderKeyOf } from "../../timeline/entries/entry.js";
import type { BetweenUnits, UnitAnswer } from "../../timeline/fold/fold.js";
import { withoutDecidedKeys } from "./decided-programs.js";
import {
  beginDeciding,
  DecisionQueues,
  leavesUnknown,
  type PendingCommand,
  type PendingProgram,
  pendingCommand,
  pendingProgram,
} from "./decision-queue.js";
import { type DecisionResult, type EntryRecorder, NotTaken } from "./entry-recorder.js";
import { OwnEnvelopes, type OwnHeader } from "./own-envelopes.js";
import { inRecordedForm, NOTHING_CHOSEN, recordedOf, type Unsigned } from "./recorded-choices.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";
import { SigningPace } from "./signing-pace.js";
import { envelopesOf, type TriedEnvelope } from "./tried-envelopes.js";
import { type TriedUnit, tooLongWithChoices, tryUnits } from "./tried-units.js";
import {
  answerAll,
  answerTo,
  answerUnits,
  bytesOfAll,
  type GatewayAnswer,
  type GatewayProgram,
  type GatewayWaiter,
  type GroupHead,
  WaitingGroup,
  type WaitingStep,
} from "./waiting-group.js";

/** The sender of a command. */
export interface GatewayUser {
  readonly db: number;
  /** The user's name in the audit log, or null if no user was authenticated. */
  readonly as: ByteString | null;
  /** Whether the answer waits until the command's position is final. */
  readonly isStable?: boolean;
  /**
   * Called before the answer, with true if another daemon has the write on its disk. The answer is delayed until then,
   * unless it is an error.
   */
  readonly replicated?: ((isReplicated: boolean) => void) | undefined;
  /** Receives the order key when the command is recorded. */
  readonly lastWrite?: LastWrite | undefined;
  /** Whether its commands wait for a decision although no majority answers, as in `CommandSender`. */
  readonly isPatient?: boolean | undefined;
}

type Argv = readonly ByteString[];

/** Commands that are recorded as one unit. */
export interface UnitRequest {
  readonly commands: readonly Argv[];
  readonly conditions: readonly Condition[];
  /** Whether the members decide on the conditions, if there is a member list; default: true. */
  readonly needsDecision?: boolean;
  /** Whether the commands write decided keys, so that the members decide in any case; default: false. */
  readonly writesDecidedKeys?: boolean;
}

/** Units that are recorded as one envelope; their commands are known, because programs have already run. */
interface KnownUnits extends Pick<GroupHead, "db" | "as" | "isRing" | "conditions" | "needsDecision"> {
  readonly commands: Envelope["commands"];
  /** The number of commands of each unit; null if each unit is a single command. */
  readonly lengths: readonly number[] | null;
  /** One waiter for each unit. */
  readonly waiting: readonly GatewayWaiter[];
  readonly chosen: Choices;
}

export class Gateway {
  readonly own: OwnEnvelopes;
  readonly #recorder: EntryRecorder;
  readonly #context: ReplicaContext;
  /** The observers of key changes. They need the senders of the commands that are being recorded. */
  readonly #changes: KeyChangeObservers;
  #groups: WaitingGroup[] = [];
  /**
   * The group that the next unit of each user may join, by the user's name; "" is the key of clients without a user.
   */
  #open = new Map<ByteString, WaitingGroup>();
  /** Schedules the signing of the groups. */
  readonly #pace: SigningPace;
  readonly #decisionQueues: DecisionQueues;

  /** @param defer  runs a step in the next turn of the event loop; tests replace it */
  constructor(
    recorder: EntryRecorder,
    context: ReplicaContext,
    changes: KeyChangeObservers,
    defer = nextTurn,
  ) {
    this.#recorder = recorder;
    this.#context = context;
    this.#changes = changes;
    this.own = new OwnEnvelopes(recorder, context);
    this.#pace = new SigningPace(context.environment, defer, this.#signAll);
    this.#decisionQueues = new DecisionQueues(recorder, this.own, context.environment, defer);
  }

  get ring(): KeyRing {
    return this.#recorder.ring;
  }

  /** The patterns of keys on whose writes the members decide. */
  get patterns(): DecidedPatterns {
    return this.ring.patterns;
  }

  /** Whether a command may write a key on whose writes the members decide. */
  writesDecidedKeys(argv: Argv, db: number): boolean {
    const { patterns, table } = this.#recorder.ring;
    return !patterns.isEmpty && table !== null && patterns.coversCommand(argv, db, table);
  }

  /** Whether this daemon accepts no writes now. */
  get refusesWrites(): boolean {
    return this.#recorder.refusal() !== null;
  }

  /** Whether the members decide on conditions, because there is a member list. */
  get decides(): boolean {
    return this.#recorder.decides;
  }

  /** Whether a command is applied before it is answered, unless the members decide on it. */
  get appliesAhead(): boolean {
    return this.#recorder.appliesImmediately;
  }

  /** Whether a command must be recorded. Commands that only read data are not. */
  mustRecord(argv: Argv): boolean {
    return this.#recorder.records({ commands: [argv] });
  }

  /** Records a command. A user's commands are applied in the order of their arrival. */
  execute(argv: Argv, user: GatewayUser): Promise<GatewayAnswer> {
    return answerTo(user, (waiter) => this.send(argv, user, waiter));
  }

  /**
   * Like `execute`, but calls a waiter instead of returning a promise.
   * @returns why the command is refused, or null if it is accepted; the waiter is called only for an accepted command
   */
  send(argv: Argv, user: GatewayUser, waiter: GatewayWaiter): Refused | null {
    const bytes = bytesOf(argv);
    if (bytes > COMMAND_BYTES_MAX) return tooLong(bytes);
    if (this.writesDecidedKeys(argv, user.db)) {
      this.#sendDecided(pendingCommand(argv, user.db, waiter, bytes), user);
      return null;
    }
    this.#groupFor(user, isKeyCommand(argv), 1).add(argv, waiter, bytes);
    this.#pace.received(1);
    return null;
  }

  /**
   * Records commands as one unit, applied if all conditions hold.
   * @param answered  receives an array of their replies; `nil-array` if a condition does not hold; an error if no
   * command was applied
   */
  sendTogether(
    { commands, conditions, needsDecision = true, writesDecidedKeys = false }: UnitRequest,
    user: GatewayUser,
    answered: (answer: GatewayAnswer) => void,
  ): void {
    const keys = conditions.map(({ key }) => key);
    const bytes = commands.reduce((sum, argv) => sum + bytesOf(argv), bytesOf(keys));

    if (bytes > COMMAND_BYTES_MAX) {
      answered(tooLong(bytes));
      return;
    }
    if (commands.length > UNIT_COMMANDS_MAX) {
      answered(refused("command-too-long", `${commands.length} commands as one`));
      return;
    }

    const { isStable = false, replicated, lastWrite } = user;
    const isRing = commands.some(isKeyCommand);
    const kind = { isRing, needsDecision, writesDecidedKeys };
    const group = this.#groupOf(conditions, user, kind, commands.length);
    const answeredInOrder = writesDecidedKeys ? settlingAfter(answered, lastWrite) : answered;
    // The reply to a unit on which the members decide is an array already.
    const isArray = commands.length === 1 && !group.head.needsDecision;

    group.addTogether(
      commands,
      { isStable, replicated, lastWrite, isArray, answered: answeredInOrder },
      bytes,
    );
    this.#pace.received(commands.length);
  }

  /** Requests a decision on a command or a program, once the earlier commands of its sender are signed. */
  #sendDecided(item: PendingCommand | PendingProgram, user: GatewayUser): void {
    const { lastWrite } = item.waiter;
    if (lastWrite === undefined || lastWrite.unapplied === 0) {
      this.#decisionQueues.add(item, user);
      return;
    }

    // Count the command as unapplied while it waits, so that later commands of the sender follow it in the queue.
    lastWrite.unapplied++;
    const end = () => {
      lastWrite.unapplied--;
      this.#decisionQueues.add(item, user);
    };
    this.readAfter(user, { run: () => {}, end });
  }

  /** Runs a read directly after the units of its sender that wait to be recorded. */
  readAfter({ as }: GatewayUser, read: WaitingStep): void {
    const group = this.#open.get(as ?? "") ?? this.#openGroup({ db: 0, as, isRing: false });
    group.addStep(read);
  }

  /**
   * Lets the members decide on a program that touches decided keys.
   * @param keys  those that it is likely to touch
   */
  decideOnProgram(program: GatewayProgram, keys: readonly NamedKey[]): void {
    this.#sendDecided(pendingProgram(program, keys), program.sender);
  }

  /**
   * Runs a program after the units that wait to be recorded, and records what it writes as one unit. If it touches
   * decided keys, the members decide on it.
   */
  sendProgram(program: GatewayProgram): void {
    const { sender, conditions } = program;
    // If units are applied later, a program would not see those before it in its group: it must be alone in its group.
    const isAlone = !this.#recorder.appliesImmediately;
    if (isAlone) this.#open.delete(sender.as ?? "");
    const kind = { isRing: false, needsDecision: true, writesDecidedKeys: false };
    this.#groupOf(conditions, sender, kind, 0).addProgram(program);
    if (isAlone) this.#open.delete(sender.as ?? "");
    this.#pace.continues(1);
  }

  #groupFor({ db, as }: GatewayUser, isRing: boolean, commands: number): WaitingGroup {
    const open = this.#open.get(as ?? "");
    if (open?.accepts({ db, isRing }, commands)) return open;
    return this.#openGroup({ db, as, isRing });
  }

  /** Returns the group for a unit, which is a separate one if the unit has conditions, or writes decided keys. */
  #groupOf(
    conditions: readonly Condition[],
    user: GatewayUser,
    {
      isRing,
      needsDecision,
      writesDecidedKeys,
    }: Pick<GroupHead, "isRing" | "needsDecision" | "writesDecidedKeys">,
    commands: number,
  ): WaitingGroup {
    if (conditions.length === 0 && !isRing && !writesDecidedKeys)
      return this.#groupFor(user, false, commands);

    const { db, as } = user;
    // The user's next unit must come after this one.
    this.#open.delete(as ?? "");

    const conditionsOrNull = conditions.length === 0 ? null : conditions;
    // The members do not decide on the key ring.
    const mustDecide = conditionsOrNull !== null && needsDecision && !isRing && this.decides;
    return this.#addGroup({
      db,
      as,
      isRing: isRing && !writesDecidedKeys,
      conditions: conditionsOrNull,
      needsDecision: writesDecidedKeys || mustDecide,
      writesDecidedKeys,
      isSplit: false,
    });
  }

  /** Adds a group after all others, which the user's next units may join. */
  #openGroup({ db, as, isRing }: Pick<GroupHead, "db" | "as" | "isRing">): WaitingGroup {
    const group = this.#addGroup({
      db,
      as,
      isRing,
      conditions: null,
      needsDecision: false,
      writesDecidedKeys: false,
      isSplit: false,
    });
    this.#open.set(as ?? "", group);
    return group;
  }

  #addGroup(head: GroupHead): WaitingGroup {
    const group = new WaitingGroup(head);
    this.#groups.push(group);
    return group;
  }

  readonly #signAll = (): void => {
    const groups = this.#groups;
    this.#groups = [];
    // Do not clear the map instead: V8 links a map's old table to the new table. If an old table has been promoted to
    // the old generation, it would keep all later tables reachable.
    this.#open = new Map();

    const { uptime } = this.#context.environment;
    const endsAt = uptime() + TURN_MS;
    for (const [i, group] of groups.entries()) {
      const unsigned = this.#signGroup(group, endsAt);
      const rest = groups.slice(i + 1);
      if (unsigned.length > 0 || (rest.length > 0 && (group.head.isSplit || uptime() > endsAt))) {
        this.#signLater([...unsigned, ...rest]);
        return;
      }
    }
  };

  /**
   * Signs and records a group, or refuses it.
   * @param endsAt  the end of the turn, in milliseconds of the uptime
   * @returns the groups into which it was divided, because it is too large for one envelope or one turn
   */
  #signGroup(group: WaitingGroup, endsAt: number): readonly WaitingGroup[] {
    group.steps.endFirst();
    if (group.size === 0) return [];
    if (group.hasPrograms) return this.#signTried(group, endsAt);
    const refusal = this.#recorder.refusal() ?? this.own.authorizeOrRefuse();
    if (refusal === null) return this.#signKnown(group);
    refuseAll(group.waiting, refusal);
    group.steps.end();
    return [];
  }

  /**
   * Signs these groups in a later turn, so that other clients are served first. Commands received in the meantime are
   * signed after these groups.
   */
  #signLater(groups: readonly WaitingGroup[]): void {
    this.#groups = [...groups, ...this.#groups];
    this.#pace.continues(groups.reduce((sum, { size }) => sum + size, 0));
  }

  /** Signs and records a group without programs. @returns its units as separate groups, if it is too large */
  #signKnown(group: WaitingGroup): readonly WaitingGroup[] {
    const { head, commands, lengths, waiting, steps } = group;
    const { db, as, isRing, conditions, needsDecision } = head;
    const date = this.own.nextDate;
    const header = headerOf({ db, as, conditions, needsDecision, lengths, commands });
    // On decided keys, what commands take follows from their position, which is decided: nothing is chosen here.
    const chosen = head.writesDecidedKeys ? NOTHING_CHOSEN : this.#recorder.choicesOf(header, date);

    const recorded = inRecordedForm(commands, chosen);
    const added = recorded === commands ? 0 : bytesOfAll(recorded) - bytesOfAll(commands);
    const bytes = group.bytes + added + choicesBytes(chosen);
    const isTooLong = bytes > group.bytes && bytes > COMMAND_BYTES_MAX;

    const between = steps.isEmpty ? null : (applied: number) => steps.runUpTo(applied);
    const units = { db, as, isRing, conditions, needsDecision, commands: recorded, lengths, waiting, chosen };
    const refusal = isTooLong ? tooLongWithChoices(bytes) : this.#recordUnits(units, date, between);
    if (refusal !== null) {
      if (group.size > 1 && (isTooLong || refusal.code === "too-much")) return group.apart();
      refuseAll(waiting, refusal);
    }

    steps.end();
    return [];
  }

  /**
   * Runs the units of a group with programs, undoes them, and records them in as few envelopes as possible.
   * @returns the units that did not run in this turn
   */
  #signTried(group: WaitingGroup, endsAt: number): readonly WaitingGroup[] {
    const tried = this.#tryGroup(group, endsAt);
    const { waiting, steps } = group.takeFirst(tried.length);
    const failure = this.#recordTried(group.head, tried, waiting, steps);
    this.#answerUnrecorded(tried, waiting, failure);
    steps.end();
    return group.size > 0 ? [group] : [];
  }

  /** Runs the units of a group until the end of the turn, and undoes them. */
  #tryGroup(group: WaitingGroup, endsAt: number): readonly TriedUnit[] {
    const recorder = this.#recorder;
    const { uptime } = this.#context.environment;
    // Authorize the daemon's key before the units, because the command that does so must precede them.
    const ownRefusal = this.own.authorizeOrRefuse();
    return tryUnits(group.units(), {
      state: recorder.trialState,
      db: group.head.db,
      date: this.own.nextDate,
      refusal: recorder.refusal() ?? ownRefusal,
      isOver: () => uptime() > endsAt,
      watcher: withoutDecidedKeys(this.patterns),
    });
  }

  /**
   * Records the units that have written. If an envelope is not recorded, it is refused together with the later ones,
   * which may have read its effects.
   * @returns why an envelope was not recorded, or null
   */
  #recordTried(
    head: GroupHead,
    tried: readonly TriedUnit[],
    waiting: readonly GatewayWaiter[],
    steps: WaitingGroup["steps"],
  ): Refused | null {
    let failure: Refused | null = null;
    const envelopes = envelopesOf(tried, this.#recorder.trialState.stepsMax);
    for (const [i, envelope] of envelopes.entries()) {
      const { indexes } = envelope;
      const after = envelopes[i + 1]?.indexes[0] ?? tried.length;
      steps.runUpTo(indexes[0] as number);
      const between = (applied: number) => steps.runUpTo(indexes[applied] ?? after);
      failure ??= this.#recordTriedUnits(head, waiting, envelope, steps.isEmpty ? null : between);
      if (failure !== null) {
        const answering = indexes.map((index) => waiting[index] as GatewayWaiter);
        refuseAll(answering, failure);
      }
    }
    return failure;
  }

  /**
   * Answers the units that have written nothing, and requests decisions on those that touch decided keys.
   * @param failure  why an envelope was not recorded, or null
   */
  #answerUnrecorded(
    tried: readonly TriedUnit[],
    waiting: readonly GatewayWaiter[],
    failure: Refused | null,
  ): void {
    for (const [index, unit] of tried.entries()) {
      if (unit.kind === "writes") continue;
      const waiter = waiting[index] as GatewayWaiter;
      if (unit.kind === "decided") {
        unitEnded(waiter);
        this.#decisionQueues.add(pendingProgram(unit.program, []), unit.program.sender);
      } else if (unit.kind === "refused" || failure !== null)
        refuseAll([waiter], failure ?? (unit as { answer: GatewayAnswer }).answer);
      else {
        unitEnded(waiter);
        unit.program.answerRead(unit.reply);
      }
    }
  }

  #recordTriedUnits(
    { as, conditions, needsDecision }: GroupHead,
    waiting: readonly GatewayWaiter[],
    { db, commands, units, indexes, choices, expiries }: TriedEnvelope,
    between: BetweenUnits | null,
  ): Refused | null {
    for (const { ran } of units) ran?.program.recording(ran.calls, db, ran.reply, needsDecision);

    const lengths = units.every((unit) => unit.commands.length === 1)
      ? null
      : units.map((unit) => unit.commands.length);
    const answering = indexes.map((index) => waiting[index] as GatewayWaiter);
    const isRing = commands.some(isKeyCommand);
    const chosen = recordedOf(choices, expiries);

    return this.#recordUnits(
      { db, as, isRing, conditions, needsDecision, commands, lengths, waiting: answering, chosen },
      this.own.nextDate,
      between,
    );
  }

  /** Signs a unit, and lets the members decide on it. Other clients' units do not wait for the decision. */
  #requestDecision(units: KnownUnits): void {
    const { commands, waiting, chosen } = units;
    const date = this.own.decidedDate(waiting);
    const entry = this.own.sign(headerOf(units), commands, date, chosen);
    void this.#recorder.decide(entry).then((decided) => {
      // Whatever has failed here, the other members may have applied it.
      if ("kind" in decided && decided.effect === "unknown")
        refuseAll(waiting, { ...decided, code: "undecided" });
      else if ("kind" in decided) refuseAll(waiting, decided);
      else for (const waiter of waiting) answerDecided(waiter, decided, this.#recorder);
    });
  }

  /** Signs and records units. @returns why they are refused, or null if they are recorded */
  #recordUnits(units: KnownUnits, date: EnvelopeDate, between: BetweenUnits | null): Refused | null {
    const { commands, lengths, waiting, chosen, isRing } = units;

    if (units.needsDecision) {
      this.#requestDecision(units);
      return null;
    }

    const entry = this.own.sign(headerOf(units), commands, date, chosen);
    // Check what members would check: a command that they would refuse must not be recorded here either.
    const refusal = isRing ? checkRing(entry.envelope.commands, entry.body.length) : null;

    const changes = this.#changes;
    const recorder = this.#recorder;
    // The observers read the senders during `record`, which applies the commands.
    changes.senders = lengths === null || !changes.areObserved ? waiting : byFirstCommand(waiting, lengths);
    const recorded = refusal ?? recorder.record(entry, between);
    changes.senders = null;
    if ("kind" in recorded) return recorded;

    const orderKey = orderKeyOf(entry);
    for (const { lastWrite } of waiting) {
      if (lastWrite === undefined) continue;
      lastWrite.orderKey = orderKey;
      lastWrite.unapplied--;
    }

    recorder.sendToPeers(entry);
    this.#pace.recorded();

    const { length } = commands;
    (recorded.flushed ?? FLUSHED).then(
      () => {
        answerUnits(waiting, recorded.answers, orderKey, recorder);
        this.#pace.flushed(length);
      },
      (problem: Error) => {
        answerAll(waiting, problem instanceof NotTaken ? problem.refusal : notFlushed(problem));
        this.#pace.flushed(length);
      },
    );
    return null;
  }
}

const FLUSHED = Promise.resolve();

/** Returns a function that answers a transaction on decided keys, and lets its sender's later commands follow. */
function settlingAfter(
  answered: (answer: GatewayAnswer) => void,
  lastWrite: LastWrite | undefined,
): (answer: GatewayAnswer) => void {
  const settle = beginDeciding(lastWrite, true);
  return (answer) => {
    answered(answer);
    settle(!leavesUnknown(answer));
  };
}

/** Answers the waiter of a unit on which the members have decided. */
function answerDecided(
  waiter: GatewayWaiter,
  { orderKey, answers }: DecisionResult,
  recorder: EntryRecorder,
): void {
  const [answer] = answers as [UnitAnswer];
  const { lastWrite } = waiter;
  if (lastWrite !== undefined) lastWrite.orderKey = orderKey;
  unitEnded(waiter);
  if (answer.outcome === "unmet" && "run" in waiter) (waiter as GatewayProgram).answerRead(answer.reply);
  else answerUnits([waiter], [answer], orderKey, recorder);
}

/** Returns the header of an envelope that contains the units. */
function headerOf({
  db,
  as,
  conditions,
  needsDecision,
  lengths,
  commands,
}: Pick<KnownUnits, "db" | "as" | "conditions" | "needsDecision" | "lengths" | "commands">): OwnHeader &
  Unsigned {
  // Without `multi`, the members would decide on the condition of a single command, such as SET NX, and answer nil.
  const multi = needsDecision || (lengths?.length === 1 && commands.length > 1);
  return { db, as, conditions, multi, units: multi ? null : lengths, decide: needsDecision, commands };
}

/** Returns the waiter of each unit at the index of the unit's first command. */
function byFirstCommand(waiting: readonly GatewayWaiter[], lengths: readonly number[]): GatewayWaiter[] {
  if (waiting.length === 1) return [...waiting];
  const senders: GatewayWaiter[] = [];
  let first = 0;
  for (const [i, length] of lengths.entries()) {
    senders[first] = waiting[i] as GatewayWaiter;
    first += length;
  }
  return senders;
}

/** Records that a unit of a waiter's sender is applied, or never will be. */
function unitEnded({ lastWrite }: GatewayWaiter): void {
  if (lastWrite !== undefined) lastWrite.unapplied--;
}

function refuseAll(waiting: readonly GatewayWaiter[], answer: GatewayAnswer): void {
  for (const waiter of waiting) unitEnded(waiter);
  answerAll(waiting, answer);
}

const tooLong = (bytes: number): Refused => refused("command-too-long", `signed, it takes ${bytes} bytes`);

const notFlushed = ({ message }: Error): Refused =>
  refused("storage-failed", `it may have been applied: ${message}`);

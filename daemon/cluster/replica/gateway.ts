/**
 * Records commands that have no signature of version 2. The daemon collects the commands of one turn of the event loop,
 * or the commands that arrive while the previous envelope is being flushed, and signs them with its own key as one
 * envelope. The envelope is recorded as if a client had sent it, and sent to the peers immediately. Source:
 * docs/architecture.md; docs/protocol.md.
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
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { isKeyCommand } from "../../store/key-ring.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import { orderKeyOf } from "../../timeline/entries/entry.js";
import type { BetweenUnits, UnitAnswer } from "../../timeline/fold/fold.js";
import { beginDeciding, type DecidedCommand, DecidedLines, decidedCommand } from "./decided-line.js";
import { type DecidedUnits, type EntryRecorder, NotTaken } from "./entry-recorder.js";
import { OwnEnvelopes, type OwnHeader } from "./own-envelopes.js";
import { inRecordedForm, NOTHING_CHOSEN, recordedOf, type Unsigned } from "./recorded-choices.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";
import { envelopesOf, type TriedEnvelope, takesTooMuch, tryUnits } from "./tried-units.js";
import {
  answerAll,
  answerTo,
  answerUnits,
  bytesOfAll,
  type GatewayAnswer,
  type GatewayWaiter,
  type GroupHead,
  type Program,
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
  /** The state of the latest writes of the connection. */
  readonly lastWrite: LastWrite;
}

type Argv = readonly ByteString[];

/** Commands that are recorded as one unit. */
export interface Together {
  readonly commands: readonly Argv[];
  readonly conditions: readonly Condition[];
  /** Whether the members of a list decide on the conditions, if there is a list; default: true. */
  readonly isDecided?: boolean;
  /** Whether they write decided keys, so that the members decide in any case; default: false. */
  readonly writesDecided?: boolean;
}

/** Units whose commands are known, which are recorded as one envelope. */
interface Recordable extends Pick<GroupHead, "db" | "as" | "isRing" | "conditions" | "isDecided"> {
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
  /** Receives the senders of commands that are being recorded. */
  readonly #changes: KeyChangeObservers;
  #groups: WaitingGroup[] = [];
  /**
   * The group that the next unit of each user may join, by the user's name; "" stands for clients without a user.
   */
  #open = new Map<ByteString, WaitingGroup>();
  readonly #pace: SigningPace;
  readonly #decidedLines: DecidedLines;

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
    this.#decidedLines = new DecidedLines(recorder, this.own, defer);
  }

  /** Whether a command has to be recorded. Commands that only read data are not. */
  takes(argv: Argv): boolean {
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
    if (this.writesDecided(argv, user.db)) {
      this.#sendDecided(decidedCommand(argv, user.db, waiter, bytes), user);
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
    { commands, conditions, isDecided = true, writesDecided = false }: Together,
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
    const kind = { isRing, isDecided, writesDecided };
    const group = this.#groupOf(conditions, user, kind, commands.length);
    const answeredInOrder = group.head.isDecided ? settlingAfter(answered, lastWrite) : answered;
    // The reply to a unit on which the members decide is an array already.
    const isArray = commands.length === 1 && !group.head.isDecided;
    group.addTogether(
      commands,
      { isStable, replicated, lastWrite, isArray, answered: answeredInOrder },
      bytes,
    );
    this.#pace.received(commands.length);
  }

  /** Requests a decision on a command, once the earlier commands of its sender are signed. */
  #sendDecided(command: DecidedCommand, user: GatewayUser): void {
    const { lastWrite } = command.waiter;
    if (lastWrite.unapplied === 0) {
      this.#decidedLines.add(command, user.as);
      return;
    }
    // It counts until then, so that no later command of the sender is earlier in the line.
    lastWrite.unapplied++;
    const end = () => {
      lastWrite.unapplied--;
      this.#decidedLines.add(command, user.as);
    };
    this.readAfter(user, { run: () => {}, end });
  }

  /** The patterns of keys on whose writes the members decide. */
  get patterns(): DecidedPatterns {
    return this.#recorder.ring.patterns;
  }

  /** Whether a command may write a key on whose writes the members decide. */
  writesDecided(argv: Argv, db: number): boolean {
    const { ring } = this.#recorder;
    return !ring.patterns.isEmpty && ring.patterns.findIn({ commands: [argv], db }, ring) !== null;
  }

  /** Whether the members of a list decide on conditions. */
  get decides(): boolean {
    return this.#recorder.decides;
  }

  /** Whether a command is applied before it is answered, unless the members decide on it. */
  get appliesAhead(): boolean {
    return this.#recorder.appliesImmediately;
  }

  /** Runs a read directly after the units of its sender that wait to be recorded. */
  readAfter({ as }: GatewayUser, read: WaitingStep): void {
    const group = this.#open.get(as ?? "") ?? this.#openGroup({ db: 0, as, isRing: false });
    group.addStep(read);
  }

  /** Runs a program after the units that wait to be recorded, and records what it writes as one unit. */
  sendProgram(program: Program, conditions: readonly Condition[]): void {
    const { sender } = program;
    // If units are applied later, a program would not see those before it in its group.
    const isAlone = !this.#recorder.appliesImmediately;
    if (isAlone) this.#open.delete(sender.as ?? "");
    const kind = { isRing: false, isDecided: true, writesDecided: false };
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
    { isRing, isDecided, writesDecided }: Pick<GroupHead, "isRing" | "isDecided" | "writesDecided">,
    commands: number,
  ): WaitingGroup {
    if (conditions.length === 0 && !isRing && !writesDecided) return this.#groupFor(user, false, commands);
    const { db, as } = user;
    // The user's next unit must come after this one.
    this.#open.delete(as ?? "");
    if (writesDecided) {
      const some = conditions.length === 0 ? null : conditions;
      return this.#addGroup({ db, as, isRing: false, conditions: some, isDecided: true, writesDecided });
    }
    if (conditions.length === 0)
      return this.#addGroup({ db, as, isRing, conditions: null, isDecided: false, writesDecided: false });
    // The members do not decide on the key ring.
    const asks = isDecided && !isRing && this.decides;
    return this.#addGroup({ db, as, isRing, conditions, isDecided: asks, writesDecided });
  }

  /** Adds a group after all others, which the user's next units may join. */
  #openGroup({ db, as, isRing }: Pick<GroupHead, "db" | "as" | "isRing">): WaitingGroup {
    const group = this.#addGroup({
      db,
      as,
      isRing,
      conditions: null,
      isDecided: false,
      writesDecided: false,
    });
    this.#open.set(as ?? "", group);
    return group;
  }

  // Here and below, each field is named: V8 takes microseconds for a spread that other fields follow.
  #addGroup({
    db,
    as,
    isRing,
    conditions,
    isDecided,
    writesDecided,
  }: Omit<GroupHead, "isApart">): WaitingGroup {
    const isApart = false;
    const group = new WaitingGroup({ db, as, isRing, conditions, isDecided, writesDecided, isApart });
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
      const later = this.#sign(group, endsAt);
      const rest = groups.slice(i + 1);
      if (later.length > 0) this.#signLater([...later, ...rest]);
      else if (rest.length > 0 && (group.head.isApart || uptime() > endsAt)) this.#signLater(rest);
      else continue;
      return;
    }
  };

  /**
   * Signs and records a group, or refuses it.
   * @param endsAt  the end of the turn, in milliseconds of the uptime
   * @returns the groups into which it was divided, because it is too large for one envelope or one turn
   */
  #sign(group: WaitingGroup, endsAt: number): readonly WaitingGroup[] {
    group.steps.endFirst();
    if (group.size === 0) return [];
    if (group.hasPrograms) return this.#signTried(group, endsAt);
    const refusal = this.#recorder.refusal() ?? this.own.refusal();
    if (refusal === null) return this.#signKnown(group);
    refuse(group.waiting, refusal);
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
    const { db, as, isRing, conditions, isDecided } = head;
    const date = this.own.nextDate;
    const header = headerOf({ db, as, conditions, isDecided, lengths, commands });
    // What commands take on decided keys follows from the position, which does not change.
    const chosen = head.writesDecided ? NOTHING_CHOSEN : this.#recorder.choicesOf(header, date);
    const recorded = inRecordedForm(commands, chosen);
    const added = recorded === commands ? 0 : bytesOfAll(recorded) - bytesOfAll(commands);
    const bytes = group.bytes + added + choicesBytes(chosen);
    const isTooLong = bytes > group.bytes && bytes > COMMAND_BYTES_MAX;

    const between = steps.isEmpty ? null : (applied: number) => steps.runUpTo(applied);
    const units = { db, as, isRing, conditions, isDecided, commands: recorded, lengths, waiting, chosen };
    const refusal = isTooLong ? takesTooMuch(bytes) : this.#record(units, date, between);
    if (refusal !== null) {
      if (group.size > 1 && (isTooLong || refusal.code === "too-much")) return group.apart();
      refuse(waiting, refusal);
    }

    steps.end();
    return [];
  }

  /**
   * Runs the units of a group with programs, undoes them, and records them in as few envelopes as possible.
   * @returns the units that did not run in this turn
   */
  #signTried(group: WaitingGroup, endsAt: number): readonly WaitingGroup[] {
    const recorder = this.#recorder;
    const { trialState: state } = recorder;
    const { uptime } = this.#context.environment;
    // Authorize the daemon's key first, if necessary: its command comes before the units.
    const refusal = this.own.refusal();
    const tried = tryUnits(group, {
      state,
      date: this.own.nextDate,
      refusal: recorder.refusal() ?? refusal,
      isOver: () => uptime() > endsAt,
    });
    const { waiting, steps } = group.takeFirst(tried.length);
    let failure: Refused | null = null;
    const envelopes = envelopesOf(tried, state.stepsMax);
    for (const [i, envelope] of envelopes.entries()) {
      const after = envelopes[i + 1]?.indexes[0] ?? tried.length;
      steps.runUpTo(envelope.indexes[0] as number);
      // What comes after a unit that was not recorded may have read its effects.
      const between = (applied: number) => steps.runUpTo(envelope.indexes[applied] ?? after);
      failure ??= this.#recordTried(group.head, waiting, envelope, steps.isEmpty ? null : between);
      if (failure !== null)
        refuse(
          envelope.indexes.map((index) => waiting[index] as GatewayWaiter),
          failure,
        );
    }
    for (const [index, unit] of tried.entries()) {
      if (unit.kind === "writes") continue;
      const waiter = waiting[index] as GatewayWaiter;
      if (unit.kind === "refused" || failure !== null)
        refuse([waiter], failure ?? (unit as { answer: GatewayAnswer }).answer);
      else {
        applied(waiter);
        unit.program.hasRead(unit.reply);
      }
    }
    steps.end();
    return group.size > 0 ? [group] : [];
  }

  #recordTried(
    { as, conditions, isDecided }: GroupHead,
    waiting: readonly GatewayWaiter[],
    { db, commands, units, indexes, choices, expiries }: TriedEnvelope,
    between: BetweenUnits | null,
  ): Refused | null {
    for (const { ran } of units) ran?.program.recording(ran.calls, db, ran.reply);
    const lengths = units.every((unit) => unit.commands.length === 1)
      ? null
      : units.map((unit) => unit.commands.length);
    const answering = indexes.map((index) => waiting[index] as GatewayWaiter);
    const isRing = commands.some(isKeyCommand);
    const chosen = recordedOf(choices, expiries);
    return this.#record(
      { db, as, isRing, conditions, isDecided, commands, lengths, waiting: answering, chosen },
      this.own.nextDate,
      between,
    );
  }

  /** Signs a unit, and lets the members of the list decide on it. Other clients' units do not wait for the decision. */
  #decide(recordable: Recordable): void {
    const { commands, waiting, chosen } = recordable;
    const date = this.own.decidedDate(waiting.map(({ lastWrite }) => this.own.followedBy(lastWrite)));
    const entry = this.own.sign(headerOf(recordable), commands, date, chosen);
    void this.#recorder.decide(entry).then((decided) => {
      // Whatever has failed here, the other members may have applied it.
      if ("kind" in decided && decided.effect === "unknown")
        refuse(waiting, { ...decided, code: "undecided" });
      else if ("kind" in decided) refuse(waiting, decided);
      else for (const waiter of waiting) answerDecided(waiter, decided, this.#recorder);
    });
  }

  /** Signs and records units. @returns why they are refused, or null if they are recorded */
  #record(recordable: Recordable, date: EnvelopeDate, between: BetweenUnits | null): Refused | null {
    const { commands, lengths, waiting, chosen, isRing } = recordable;
    if (recordable.isDecided) {
      this.#decide(recordable);
      return null;
    }
    const entry = this.own.sign(headerOf(recordable), commands, date, chosen);
    // Check what members would check: a command that they would refuse must not be recorded here either.
    const refusal = isRing ? checkRing(entry.envelope.commands, entry.body.length) : null;
    const [changes, recorder] = [this.#changes, this.#recorder];
    changes.senders = lengths === null || !changes.areObserved ? waiting : byFirstCommand(waiting, lengths);
    const recorded = refusal ?? recorder.record(entry, between);
    changes.senders = null;
    if ("kind" in recorded) return recorded;

    const orderKey = orderKeyOf(entry);
    for (const { lastWrite } of waiting) {
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

/** Returns a function that answers a unit on which the members decide, and lets its sender's later commands follow. */
function settlingAfter(
  answered: (answer: GatewayAnswer) => void,
  lastWrite: LastWrite,
): (answer: GatewayAnswer) => void {
  const settle = beginDeciding(lastWrite);
  lastWrite.following++;
  return (answer) => {
    answered(answer);
    lastWrite.following--;
    settle(!("code" in answer && answer.code === "undecided"));
  };
}

/** Answers the waiter of a unit on which the members have decided. */
function answerDecided(
  waiter: GatewayWaiter,
  { orderKey, answers }: DecidedUnits,
  recorder: EntryRecorder,
): void {
  const [answer] = answers as [UnitAnswer];
  waiter.lastWrite.orderKey = orderKey;
  applied(waiter);
  if (answer.outcome === "unmet" && "run" in waiter) (waiter as Program).hasRead(answer.reply);
  else answerUnits([waiter], [answer], orderKey, recorder);
}

/** Returns the header of an envelope that contains the units. */
function headerOf({
  db,
  as,
  conditions,
  isDecided,
  lengths,
  commands,
}: Pick<Recordable, "db" | "as" | "conditions" | "isDecided" | "lengths" | "commands">): OwnHeader &
  Unsigned {
  // The members would also decide on the condition of a single command, such as SET NX, and answer nil.
  const multi = isDecided || (lengths?.length === 1 && commands.length > 1);
  return { db, as, conditions, multi, units: multi ? null : lengths, decide: isDecided, commands };
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
function applied({ lastWrite }: GatewayWaiter): void {
  lastWrite.unapplied--;
}

function refuse(waiting: readonly GatewayWaiter[], answer: GatewayAnswer): void {
  for (const waiter of waiting) applied(waiter);
  answerAll(waiting, answer);
}

const tooLong = (bytes: number): Refused => refused("command-too-long", `signed, it takes ${bytes} bytes`);

const notFlushed = ({ message }: Error): Refused =>
  refused("storage-failed", `it may have been applied: ${message}`);

/**
 * The number of waiting commands that are signed without waiting for more commands: executing them costs much more than
 * their envelope.
 */
const ENOUGH_COMMANDS = 256;
/** The maximum time in milliseconds that received commands wait for more commands. */
const WAIT_MS = 1;
/**
 * The number of envelopes that are signed without waiting for more commands, after a wait in which too few commands
 * arrived.
 */
const ENVELOPES_WITHOUT_WAIT = 16;

/**
 * The time at which the gateway signs the waiting commands: at the end of the turn, but not while an envelope is being
 * flushed, because the disk would not write the next envelope earlier anyway. Each envelope costs every daemon one
 * signature check and one write, so it should contain many commands. Programs do not wait for the disk: they run at the
 * end of the turn, together with the commands that wait.
 */
class SigningPace {
  readonly #environment: Environment;
  readonly #defer: (step: () => void) => void;
  readonly #signAll: () => void;
  #isScheduled = false;
  /** The number of commands that wait to be signed. */
  #waiting = 0;
  /** The number of envelopes that are not flushed yet. */
  #unflushed = 0;
  /** The number of commands in the envelopes that were flushed since the disk was last idle. */
  #answered = 0;
  /** The number of commands to wait for, or 0 if no wait is needed. */
  #awaited = 0;
  /** The number of envelopes that are signed without waiting for further commands. */
  #withoutWait = 0;
  #stopWaiting: () => void = () => {};

  /**
   * @param defer    runs a step in the next turn of the event loop
   * @param signAll  signs all waiting commands
   */
  constructor(environment: Environment, defer: (step: () => void) => void, signAll: () => void) {
    this.#environment = environment;
    this.#defer = defer;
    this.#signAll = signAll;
  }

  /** Records that commands have been received, which now wait to be signed. */
  received(commands: number): void {
    this.#waiting += commands;
    this.#schedule();
  }

  /**
   * Records that commands wait that are signed in the next turn, without waiting for the disk: a program has been
   * received, or the turn has ended before all waiting commands were signed.
   */
  continues(commands: number): void {
    this.#waiting += commands;
    if (!this.#isScheduled) this.#signSoon();
  }

  /** Records that an envelope was passed to the disk. */
  recorded(): void {
    this.#unflushed++;
  }

  /** Records that an envelope is on disk, or has failed. @param commands  the number of its commands, now answered */
  flushed(commands: number): void {
    this.#answered += commands;
    if (--this.#unflushed > 0) return;
    if (this.#waiting > 0 && this.#waiting < ENOUGH_COMMANDS && --this.#withoutWait < 0) this.#wait();
    this.#answered = 0;
    this.#schedule();
  }

  /**
   * Waits for the clients that have just been answered. They are likely to send their next commands immediately, and
   * these commands can then go into the same envelope as the waiting ones.
   */
  #wait(): void {
    this.#awaited = Math.min(ENOUGH_COMMANDS, this.#waiting + this.#answered);
    const halfway = (this.#waiting + this.#awaited) / 2;
    this.#stopWaiting = this.#environment.setTimer(WAIT_MS, () => {
      this.#awaited = 0;
      if (this.#waiting < halfway) this.#withoutWait = ENVELOPES_WITHOUT_WAIT;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#unflushed > 0 || this.#waiting === 0 || this.#waiting < this.#awaited)
      return;
    this.#signSoon();
  }

  #signSoon(): void {
    this.#isScheduled = true;
    this.#stopWaiting();
    this.#defer(this.#sign);
  }

  readonly #sign = (): void => {
    this.#isScheduled = false;
    this.#waiting = this.#awaited = 0;
    this.#signAll();
  };
}

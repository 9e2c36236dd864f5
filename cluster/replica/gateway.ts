/**
 * Records commands that have no signature of version 2. The daemon collects the commands of one turn of the event loop,
 * or the commands that arrive while the previous envelope is being flushed, and signs them with its own key as one
 * envelope. The envelope is recorded as if a client had sent it, and sent to the peers immediately. Source:
 * docs/architecture.md; docs/protocol.md.
 */

import { type Refused, refused } from "../../engine/answers/request.js";
import {
  commandBytes as bytesOf,
  COMMAND_BYTES_MAX,
  choicesBytes,
} from "../../engine/answers/unit-limits.js";
import type { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import { checkRing } from "../../engine/pipeline/envelope-checks.js";
import type { LastWrite } from "../../engine/users/command-path.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { TURN_MS } from "../../protocol/steps.js";
import {
  type Choices,
  COMMANDS_MAX,
  type Condition,
  UNIT_COMMANDS_MAX,
  unitId,
} from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { isKeyCommand } from "../../store/key-ring.js";
import { orderKeyOf } from "../../timeline/entries/entry.js";
import { type EntryRecorder, NotTaken } from "./entry-recorder.js";
import {
  answerAll,
  answerTo,
  answerUnits,
  type GatewayAnswer,
  type GatewayWaiter,
} from "./gateway-waiter.js";
import { OwnEnvelopes } from "./own-envelopes.js";
import { nextTurn, type ReplicaContext } from "./replica-context.js";
import { SigningPace } from "./signing-pace.js";
import { type WaitingStep, WaitingSteps } from "./waiting-steps.js";

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
}

/** The position of the next recorded unit. Its final id is not known yet, so `id` is a random id of the same form. */
export interface UnitPosition {
  readonly date: EnvelopeDate;
  readonly id: ByteString;
}

type Argv = readonly ByteString[];

/** Commands that have been run as one unit and undone. */
export interface TriedUnit extends Choices {
  readonly commands: readonly Argv[];
  readonly conditions: readonly Condition[];
}

/** The commands of one envelope, and the reads and scripts of their senders that follow them; there may be no commands. */
interface Group {
  readonly db: number;
  readonly as: ByteString | null;
  readonly isRing: boolean;
  /** Whether the commands form a single unit. */
  readonly multi: boolean;
  readonly conditions: readonly Condition[] | null;
  readonly commands: Argv[];
  readonly waiting: GatewayWaiter[];
  readonly steps: WaitingSteps;
  /** Bytes of the commands, estimated. */
  bytes: number;
  /** What the commands have chosen, if they have already been run. */
  readonly chosen?: Choices;
  /** Whether the group has a single command, and was split off from a group that was too large for one envelope. */
  readonly isApart?: boolean;
}

/** A group that has reached this size accepts no more commands, because larger envelopes save nothing more. */
const GROUP_BYTES = 256 * 1024;
/** Bytes of an envelope's id. */
const ID_BYTES = 32;

export class Gateway {
  readonly own: OwnEnvelopes;
  readonly #recorder: EntryRecorder;
  readonly #context: ReplicaContext;
  /** Receives the senders of commands that are being recorded. */
  readonly #changes: KeyChangeObservers;
  #groups: Group[] = [];
  /**
   * The group that the next command of each user may join, by the user's name; "" stands for clients without a user.
   */
  #open = new Map<ByteString, Group>();
  readonly #pace: SigningPace;

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
    const group = this.#groupFor(user, isKeyCommand(argv));
    group.commands.push(argv);
    join(group, waiter);
    group.bytes += bytes;
    this.#pace.received(1);
    return null;
  }

  /**
   * Records commands as one unit, applied if all conditions hold.
   * @returns an array of their replies; `nil-array` if a condition does not hold; an error if no command was applied
   */
  executeTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    user: GatewayUser,
  ): Promise<GatewayAnswer> {
    const keys = conditions.map(({ key }) => key);
    const bytes = commands.reduce((sum, argv) => sum + bytesOf(argv), bytesOf(keys));
    if (bytes > COMMAND_BYTES_MAX) return Promise.resolve(tooLong(bytes));
    if (commands.length > UNIT_COMMANDS_MAX)
      return Promise.resolve(refused("command-too-long", `${commands.length} commands as one`));
    const { db, as } = user;
    // The user's next command must come after this unit.
    this.#open.delete(as ?? "");
    const named = conditions.length === 0 ? null : conditions;
    const isRing = commands.some(isKeyCommand);
    const group = this.#addGroup({ db, as, isRing, multi: true, conditions: named });
    for (const argv of commands) group.commands.push(argv);
    group.bytes += bytes;
    this.#pace.received(commands.length);
    return answerTo(user, (waiter) => {
      join(group, waiter);
      return null;
    });
  }

  /** Whether a command is applied before it is answered. */
  get appliesAhead(): boolean {
    return this.#recorder.appliesAtOnce;
  }

  /** Runs a read directly after the commands of its sender that wait to be recorded. */
  readAfter({ as }: GatewayUser, read: WaitingStep): void {
    const group = this.#open.get(as ?? "") ?? this.#openGroup({ db: 0, as, isRing: false });
    group.steps.add(group.commands.length, read);
  }

  /**
   * Runs a script after the commands of its sender that wait to be recorded. The sender's later commands wait for the
   * script.
   */
  runAfter({ as, lastWrite }: GatewayUser, run: () => void): void {
    const group = this.#openGroup({ db: 0, as, isRing: false });
    if (lastWrite !== undefined) lastWrite.unapplied++;
    const runScript = () => {
      if (lastWrite !== undefined) lastWrite.unapplied--;
      run();
    };
    group.steps.add(0, { run: runScript, end: () => {} });
    this.#pace.received(1);
  }

  /**
   * Returns the position directly after the current state. Commands that still wait to be recorded will be applied
   * after this position. That is allowed, because these commands have not been answered yet.
   */
  begin(): UnitPosition {
    // Record the command that authorizes the daemon's key, if it is needed, before the date is determined. Ignore a
    // refusal here: `recordNow` reports it.
    this.own.refusal();
    return { date: this.own.nextDate, id: randomUnitId(this.#context.environment) };
  }

  /** Records commands as one unit, in the same turn in which `begin` returned their date. */
  recordNow(
    { commands, conditions, ...chosen }: TriedUnit,
    date: EnvelopeDate,
    user: GatewayUser,
  ): Promise<GatewayAnswer> {
    const bytes = commands.reduce((sum, argv) => sum + bytesOf(argv), 0);
    if (bytes > COMMAND_BYTES_MAX) return Promise.resolve(tooLong(bytes));
    const refusal = this.#recorder.refusal() ?? this.own.refusal();
    if (refusal !== null) return Promise.resolve(refusal);
    const { db, as } = user;
    const named = conditions.length === 0 ? null : conditions;
    const head = { db, as, isRing: false, multi: true, conditions: named, bytes, chosen };
    const group = { ...head, commands: [...commands], waiting: [], steps: new WaitingSteps() };
    return answerTo(user, (waiter) => {
      join(group, waiter);
      this.#record(group, date);
      return null;
    });
  }

  /**
   * @param isRing  whether the command changes the key ring: daemons refuse such a command in an envelope with other
   * commands
   */
  #groupFor({ db, as }: GatewayUser, isRing: boolean): Group {
    const open = this.#open.get(as ?? "");
    const isFull = open !== undefined && (open.bytes >= GROUP_BYTES || open.commands.length >= COMMANDS_MAX);
    if (open !== undefined && open.db === db && open.isRing === isRing && !isFull) return open;
    return this.#openGroup({ db, as, isRing });
  }

  /** Adds a group after all others, which the user's next commands may join. */
  #openGroup(head: Pick<Group, "db" | "as" | "isRing">): Group {
    const group = this.#addGroup({ ...head, multi: false, conditions: null });
    this.#open.set(head.as ?? "", group);
    return group;
  }

  #addGroup(head: Omit<Group, "commands" | "waiting" | "steps" | "bytes">): Group {
    const group: Group = { ...head, commands: [], waiting: [], steps: new WaitingSteps(), bytes: 0 };
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
    const endsAt = groups.length === 1 ? 0 : uptime() + TURN_MS;
    for (const [i, group] of groups.entries()) {
      if (!this.#sign(group)) this.#signLater([...apart(group), ...groups.slice(i + 1)]);
      else if (i + 1 < groups.length && (group.isApart === true || uptime() > endsAt))
        this.#signLater(groups.slice(i + 1));
      else continue;
      return;
    }
  };

  /** Signs and records a group. @returns false if it is too large for one envelope */
  #sign(group: Group): boolean {
    group.steps.endFirst();
    if (group.commands.length === 0) return true;
    const refusal = this.#recorder.refusal() ?? this.own.refusal();
    if (refusal === null) return this.#record(group);
    refuse(group, refusal);
    return true;
  }

  /**
   * Signs these groups in a later turn, so that other clients are served first. Commands received in the meantime are
   * signed after these groups.
   */
  #signLater(groups: readonly Group[]): void {
    this.#groups = [...groups, ...this.#groups];
    this.#pace.interrupted(groups.reduce((sum, { commands }) => sum + commands.length, 0));
  }

  /**
   * @returns whether the group was recorded or refused; false means that it is too large for one envelope, and that its
   * commands are still waiting
   */
  #record(group: Group, date?: EnvelopeDate): boolean {
    const { waiting, steps } = group;
    const at = date ?? this.own.nextDate;
    const chosen = group.chosen ?? this.#recorder.choicesOf(group, at);
    const chosenBytes = choicesBytes(chosen);
    if (chosenBytes > 0 && group.bytes + chosenBytes > COMMAND_BYTES_MAX) {
      if (!group.multi && group.commands.length > 1) return false;
      refuse(group, takesTooMuch(group.bytes + chosenBytes));
      return true;
    }
    const entry = this.own.sign(group, group.commands, at, chosen);
    // Check what members would check: a command that they would refuse must not be recorded here either.
    const refusal = group.isRing ? checkRing(entry.envelope.commands, entry.body.length) : null;
    const [changes, recorder] = [this.#changes, this.#recorder];
    changes.senders = waiting;
    const between = steps.isEmpty ? null : (applied: number) => steps.runUpTo(applied);
    const recorded = refusal ?? recorder.record(entry, between);
    changes.senders = null;
    if ("kind" in recorded) {
      if (recorded.code === "too-much" && !group.multi && group.commands.length > 1) return false;
      refuse(group, recorded);
      return true;
    }
    const orderKey = orderKeyOf(entry);
    for (const { lastWrite } of waiting) {
      if (lastWrite === undefined) continue;
      lastWrite.orderKey = orderKey;
      lastWrite.unapplied--;
    }
    steps.end();
    recorder.sendToPeers(entry);
    this.#pace.recorded();
    const { length } = group.commands;
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
    return true;
  }
}

/** Returns an id of the form of a unit's id, for a unit whose final id is not known yet. */
export const randomUnitId = ({ randomBytes }: Environment): ByteString => unitId(randomBytes(ID_BYTES), 0);

const FLUSHED = Promise.resolve();

/** Adds a waiter to a group, and records that one more unit of its sender is not applied yet. */
function join({ waiting }: Group, waiter: GatewayWaiter): void {
  waiting.push(waiter);
  if (waiter.lastWrite !== undefined) waiter.lastWrite.unapplied++;
}

/** Refuses the commands of a group, and runs the reads that follow them. */
function refuse({ waiting, steps }: Group, refusal: Refused): void {
  for (const { lastWrite } of waiting) if (lastWrite !== undefined) lastWrite.unapplied--;
  answerAll(waiting, refusal);
  steps.end();
}

/** Returns one group for each command, so that only a command that is too large is refused. */
const apart = ({ commands, waiting, steps, ...head }: Group): readonly Group[] =>
  commands.map((argv, i) => ({
    ...head,
    isApart: true,
    steps: steps.following(i),
    bytes: bytesOf(argv),
    commands: [argv],
    waiting: [waiting[i] as GatewayWaiter],
  }));

const tooLong = (bytes: number): Refused => refused("command-too-long", `signed, it takes ${bytes} bytes`);

const takesTooMuch = (bytes: number): Refused =>
  refused("command-too-long", `signed with what it takes, it takes ${bytes} bytes: request less at once`);

const notFlushed = ({ message }: Error): Refused =>
  refused("storage-failed", `it may have been applied: ${message}`);

/**
 * Units of one user that wait to be signed as one envelope, and the reads of their senders that follow them. A unit is
 * a command, several commands that take effect as a whole, or a program, whose commands are known only when it runs.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { array, type Reply } from "../../../protocol/reply.js";
import { COMMANDS_MAX, type Condition, type Envelope } from "../../../protocol/version-2/envelope.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import { commandBytes } from "../../engine/answers/unit-limits.js";
import type {
  CheckedCommand,
  CommandSender,
  ReplyWaiter,
  StepRunner,
} from "../../engine/backends/command-path.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import type { EntryRecorder } from "./entry-recorder.js";

/** Estimates the encoded length of commands. */
export const bytesOfAll = (commands: Envelope["commands"]): number =>
  commands.reduce((sum, argv) => sum + commandBytes(argv), 0);

/** The bytes of commands at which a group is full, because larger envelopes save nothing more. */
export const GROUP_BYTES = 256 * 1024;

/** A unit that chooses its commands step by step, such as a script, and the waiter for its answer. */
export interface Program extends GatewayWaiter {
  readonly sender: CommandSender;
  /** Runs the program, and returns its reply. */
  run(run: StepRunner): Reply;
  /** Called before the commands that have written are recorded, in the turn in which the program ran. */
  recording(calls: readonly CheckedCommand[], db: number, reply: Reply): void;
  /**
   * Called in place of `answered` if the program has written nothing, in the turn in which it ran, or if the members
   * have decided that its conditions do not hold, so that nothing of it takes effect.
   */
  hasRead(reply: Reply): void;
}

/** What the units of a group have in common. */
export interface GroupHead {
  readonly db: number;
  readonly as: ByteString | null;
  /** Whether the commands change the key ring: daemons refuse such commands in an envelope with other commands. */
  readonly isRing: boolean;
  /** The conditions of the group's only unit. */
  readonly conditions: readonly Condition[] | null;
  /** Whether the members of a list decide on the conditions. */
  readonly isDecided: boolean;
  /** Whether they write decided keys. */
  readonly writesDecided: boolean;
  /** Whether the group has a single unit, and was split off from a group that was too large for one envelope. */
  readonly isApart: boolean;
}

export class WaitingGroup {
  readonly head: GroupHead;
  /** The commands of all units except the programs. */
  readonly commands: (readonly ByteString[])[] = [];
  /** One waiter for each unit. */
  readonly waiting: GatewayWaiter[] = [];
  /** The reads that follow the units. */
  steps = new WaitingSteps();
  /** Bytes of the commands, estimated. */
  bytes = 0;
  /** The number of commands of each unit, 0 for a program; null while each unit is a single command. */
  #lengths: number[] | null = null;
  #hasPrograms = false;

  constructor(head: GroupHead) {
    this.head = head;
  }

  /** The number of units. */
  get size(): number {
    return this.waiting.length;
  }

  get hasPrograms(): boolean {
    return this.#hasPrograms;
  }

  /** The number of commands of each unit, if the group has no programs; null if each unit is a single command. */
  get lengths(): readonly number[] | null {
    return this.#lengths;
  }

  /** Whether a unit of the given number of commands may join the group. */
  accepts({ db, isRing }: Pick<GroupHead, "db" | "isRing">, commands: number): boolean {
    const { head } = this;
    const isOpen = head.conditions === null && head.db === db && head.isRing === isRing;
    if (!isOpen || this.bytes >= GROUP_BYTES || this.size >= COMMANDS_MAX) return false;
    return this.commands.length + commands <= COMMANDS_MAX;
  }

  add(argv: readonly ByteString[], waiter: GatewayWaiter, bytes: number): void {
    this.commands.push(argv);
    this.#lengths?.push(1);
    this.#join(waiter, bytes);
  }

  addTogether(commands: Envelope["commands"], waiter: GatewayWaiter, bytes: number): void {
    for (const argv of commands) this.commands.push(argv);
    if (commands.length > 1) this.#needLengths();
    this.#lengths?.push(commands.length);
    this.#join(waiter, bytes);
  }

  addProgram(program: Program): void {
    this.#needLengths().push(0);
    this.#hasPrograms = true;
    this.#join(program, 0);
  }

  /** Adds a read after all units so far. */
  addStep(step: Parameters<WaitingSteps["add"]>[1]): void {
    this.steps.add(this.size, step);
  }

  /** Returns the units in order: each is a program, or its commands. */
  *units(): Generator<Program | Envelope["commands"]> {
    let first = 0;
    for (let i = 0; i < this.size; i++) {
      const length = this.#lengths?.[i] ?? 1;
      yield length === 0 ? (this.waiting[i] as Program) : this.commands.slice(first, first + length);
      first += length;
    }
  }

  /** Returns one group for each unit, so that only a unit that is too large is refused. */
  apart(): WaitingGroup[] {
    return [...this.units()].map((unit, i) => {
      const group = new WaitingGroup({ ...this.head, isApart: true });
      group.#take(unit, this.waiting[i] as GatewayWaiter);
      group.steps = this.steps.following(i);
      return group;
    });
  }

  /** Removes the first units. @returns their waiters, and the reads that follow them */
  takeFirst(units: number): { readonly waiting: readonly GatewayWaiter[]; readonly steps: WaitingSteps } {
    const waiting = this.waiting.splice(0, units);
    const commands = this.#lengths?.splice(0, units).reduce((sum, length) => sum + length, 0) ?? units;
    this.bytes -= bytesOfAll(this.commands.splice(0, commands));
    const { steps } = this;
    this.steps = steps.from(units);
    return { waiting, steps };
  }

  /** Takes over a unit whose waiter already counts. */
  #take(unit: Program | Envelope["commands"], waiter: GatewayWaiter): void {
    waiter.lastWrite.unapplied--;
    if ("run" in unit) this.addProgram(unit);
    else this.addTogether(unit, waiter, bytesOfAll(unit));
  }

  #needLengths(): number[] {
    this.#lengths ??= this.waiting.map(() => 1);
    return this.#lengths;
  }

  /** Adds the waiter of a unit, and records that one more unit of its sender is not applied yet. */
  #join(waiter: GatewayWaiter, bytes: number): void {
    this.bytes += bytes;
    this.waiting.push(waiter);
    waiter.lastWrite.unapplied++;
  }
}

/** The command's reply, which may be an error, or the reason why the command was refused. */
export type GatewayAnswer = Reply | Refused;

/**
 * The caller of a unit that the gateway records. It receives the answer immediately, or once the write is as safe as it
 * requires.
 */
export interface GatewayWaiter extends Omit<ReplyWaiter, "kind"> {
  /** Whether the reply to the unit's only command is answered as an array, because the command was sent in EXEC. */
  readonly isArray?: boolean;
}

/** The number of daemons that must have a write if the caller needs to know whether the write is replicated. */
const ITSELF_AND_ANOTHER = 2;

type WaiterOptions = Partial<Omit<GatewayWaiter, "answered">> & Pick<GatewayWaiter, "lastWrite">;

/**
 * Calls `join` with a new waiter, and returns a promise for the answer that the waiter receives.
 * @param join  returns why the unit was refused immediately, or null if the waiter will be called
 */
export function answerTo(
  { isStable = false, replicated, lastWrite }: WaiterOptions,
  join: (waiter: GatewayWaiter) => Refused | null,
): Promise<GatewayAnswer> {
  return new Promise((resolve) => {
    const refusal = join({ isStable, replicated, lastWrite, answered: resolve });
    if (refusal !== null) resolve(refusal);
  });
}

/** Sends the same answer to all waiters. */
export function answerAll(waiting: readonly GatewayWaiter[], answer: GatewayAnswer): void {
  for (const waiter of waiting) waiter.answered(answer);
}

/**
 * Answers the units of an envelope that is on this daemon's disk.
 * @param waiting  one for each unit, in order
 */
export function answerUnits(
  waiting: readonly GatewayWaiter[],
  answers: readonly UnitAnswer[],
  orderKey: OrderKey,
  recorder: EntryRecorder,
): void {
  let stable: Promise<boolean> | null = null;
  let elsewhere: Promise<boolean> | null = null;

  for (let i = 0; i < waiting.length; i++) {
    const waiter = waiting[i] as GatewayWaiter;
    const answer = answers[i] as UnitAnswer;
    const isArray = waiter.isArray === true && answer.outcome === "applied";
    const reply = isArray ? array([answer.reply]) : answer.reply;

    if (waiter.isStable) {
      stable ??= recorder.confirm(orderKey, { kind: "stable" });
      stable.then((isConfirmed) =>
        waiter.answered(isConfirmed ? reply : refused("not-stable", "not in time")),
      );
    } else if (waiter.replicated === undefined || reply.kind === "error") waiter.answered(reply);
    else {
      elsewhere ??= recorder.confirm(orderKey, { kind: "replicated", daemons: ITSELF_AND_ANOTHER });
      elsewhere.then((isConfirmed) => {
        waiter.replicated?.(isConfirmed);
        waiter.answered(reply);
      });
    }
  }
}

/** A read of a client that runs after units of the same client that wait to be recorded. */
export interface WaitingStep {
  /** Runs the step. It may be called again if the units before it were undone. */
  run(): void;
  /** Called once, after the last run, when the units before it are recorded or refused. */
  end(): void;
}

/** The steps of a group of units, in order. */
class WaitingSteps {
  /** Each step, and the number of the group's units that precede it. */
  #steps: { readonly after: number; readonly step: WaitingStep }[] = [];
  /** The number of steps that have run. */
  #ran = 0;

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  add(after: number, step: WaitingStep): void {
    this.#steps.push({ after, step });
  }

  /** Runs the steps that no more than the given number of units precede. */
  runUpTo(applied: number): void {
    for (let next = this.#steps[this.#ran]; next !== undefined; next = this.#steps[this.#ran]) {
      if (next.after > applied) return;
      this.#ran++;
      next.step.run();
    }
  }

  /** Runs the remaining steps, and ends all steps. */
  end(): void {
    this.runUpTo(Number.POSITIVE_INFINITY);
    const steps = this.#steps;
    this.#steps = [];
    this.#ran = 0;
    for (const { step } of steps) step.end();
  }

  /** Ends the steps that no units precede. */
  endFirst(): void {
    this.runUpTo(0);
    const ended = this.#steps.splice(0, this.#ran);
    this.#ran = 0;
    for (const { step } of ended) step.end();
  }

  /** Returns the steps that follow the unit with the given index directly. They run again. */
  following(index: number): WaitingSteps {
    const steps = new WaitingSteps();
    for (const { after, step } of this.#steps) if (after === index + 1) steps.add(1, step);
    return steps;
  }

  /** Removes and returns the steps that follow the units from the given index on. None of them has run. */
  from(index: number): WaitingSteps {
    const steps = new WaitingSteps();
    for (const { after, step } of this.#steps) if (after > index) steps.add(after - index, step);
    this.#steps = this.#steps.filter(({ after }) => after <= index);
    return steps;
  }
}

/**
 * Units of one user that wait to be signed as one envelope, and the reads of their senders that follow them. A unit is a
 * command, several commands that take effect as a whole, or a program, whose commands are known only when it runs.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { COMMANDS_MAX, type Condition, type Envelope } from "../../../protocol/version-2/envelope.js";
import { commandBytes } from "../../engine/answers/unit-limits.js";
import type { CheckedCommand } from "../../engine/backends/checked-command.js";
import type { CommandSender, StepRunner } from "../../engine/backends/command-path.js";
import type { GatewayWaiter } from "./gateway-waiter.js";
import { WaitingSteps } from "./waiting-steps.js";

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
  /** Called in place of `answered` if the program has written nothing, in the turn in which it ran. */
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
    if (waiter.lastWrite !== undefined) waiter.lastWrite.unapplied--;
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
    if (waiter.lastWrite !== undefined) waiter.lastWrite.unapplied++;
  }
}

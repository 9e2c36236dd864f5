/**
 * The turns of the daemons in taking elements of decided keys for their waiting clients. All daemons see each element
 * at the same time, and only one of their commands can take it, so each daemon requests as many decisions as it is its
 * turn to take elements. The members' decisions show which daemons have waiting clients; each new element is the turn
 * of one of them, which follows from the unit that has added it. If a daemon does not take its elements in time,
 * because its clients are gone or it is down, it is the turn of the others. Daemons that disagree about a turn only
 * request a decision too many, or too late: the order of the decisions alone determines which client receives an
 * element. Source: docs/decisions/0081-decided-keys.md.
 */

import type { DecidedCommands } from "../../../daemon/engine/backends/command-path.js";
import { TurnPatience } from "../../../daemon/engine/backends/turn-patience.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import type { AwaitedType } from "../../../daemon/store/rows/command-row.js";
import type { FoldedEntry } from "../../../daemon/timeline/fold/fold.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { groupReadOptions } from "../store/commands/streams/read-options.js";

/** The maximum number of keys whose turns are known. */
const KEYS_MAX = 1000;

/** The elements that a daemon is to take. */
interface Share {
  count: number;
  /** Those that had arrived before the last check. */
  old: number;
}

/** A command of a waiting client on which the members decide. */
interface RunningCommand {
  readonly client: object;
  readonly elementsMax: number;
  readonly since: number;
  /** Whether its effect is part of the state. */
  isApplied: boolean;
}

/** What a daemon may do for its waiting clients: take an element, or wait for its turn; `none` if none is left. */
export type Turn = "now" | "later" | "none";

/** The turns for one key, or for one group of a stream. */
export class KeyTurns {
  readonly #shares = new Map<ByteString, Share>();
  /**
   * When to check next whether other daemons take their elements; `uptime` milliseconds; null: no check is scheduled.
   * It does not depend on how long a client waits, since clients may wait again and again for a short time.
   */
  checkAt: number | null = null;
  /** The commands of this daemon, in the order in which decisions on them were requested. */
  readonly #running: RunningCommand[] = [];

  /**
   * @param own  this daemon
   * @param size  the number of elements in the state
   * @param writer  the unit that has changed the key last
   */
  turnOf(own: ByteString, size: number, writer: ByteString): Turn {
    this.#divideAdded(size, writer);
    let running = 0;
    for (const { isApplied, elementsMax } of this.#running) if (!isApplied) running += elementsMax;
    if (size <= running) return "none";
    const share = this.#shares.get(own);
    // With its first command the other daemons learn that it has waiting clients.
    const isTurn = share === undefined ? running === 0 : running < share.count;
    return isTurn ? "now" : "later";
  }

  began(client: object, elementsMax: number, since: number): void {
    this.#running.push({ client, elementsMax, since, isApplied: false });
  }

  ended(client: object): void {
    const index = this.#running.findIndex((one) => one.client === client);
    if (index >= 0) this.#running.splice(index, 1);
  }

  /** Records that the effect of this daemon's oldest command is part of the state. @returns when it began */
  applied(): number | null {
    const oldest = this.#running.find(({ isApplied }) => !isApplied);
    if (oldest === undefined) return null;
    oldest.isApplied = true;
    return oldest.since;
  }

  /** Records that a command of a daemon has taken elements, or none. */
  took(daemon: ByteString, count: number): void {
    const share = this.#shares.get(daemon);
    if (share === undefined) this.#shares.set(daemon, { count: 0, old: 0 });
    else reduce(share, count);
  }

  /** Ends the turns of other daemons that have not taken elements since the last check. */
  check(own: ByteString): void {
    this.checkAt = null;
    for (const [daemon, share] of this.#shares) {
      if (daemon === own) continue;
      if (share.old > 0) this.#shares.delete(daemon);
      else share.old = share.count;
    }
  }

  /** Divides new elements among the daemons. If elements were removed, fewer are left to take. */
  #divideAdded(size: number, writer: ByteString): void {
    let added = size;
    for (const { count } of this.#shares.values()) added -= count;
    if (added === 0) return;

    const shares = [...this.#shares].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, share]) => share);
    if (added > 0) {
      const first = numberOf(writer);
      for (const [index, share] of shares.entries()) {
        const turn = (index + first) % shares.length;
        share.count += Math.floor((added + shares.length - 1 - turn) / shares.length);
      }
      return;
    }

    for (const share of shares) {
      const removed = Math.min(share.count, -added);
      reduce(share, removed);
      added += removed;
    }
  }
}

function reduce(share: Share, count: number): void {
  share.count = Math.max(0, share.count - count);
  share.old = Math.max(0, share.old - count);
}

/** Returns a number that is the same on all daemons. */
const numberOf = (unit: ByteString): number =>
  unit.length < 2 ? 0 : unit.charCodeAt(0) * 256 + unit.charCodeAt(1);

/** What clients wait for: elements of a key, or entries that a group has not delivered. */
export interface Awaited {
  readonly db: number;
  readonly key: ByteString;
  readonly type: AwaitedType;
  /** The command that takes elements of this key alone. */
  readonly argv: readonly ByteString[];
}

/** The turns for all keys. */
export class ServingTurns {
  readonly #uptime: () => number;
  /** The turns by name. Those that were used last are at the end. */
  readonly #turns = new Map<ByteString, KeyTurns>();
  /** The time after which it is the turn of other daemons. */
  readonly #patience = new TurnPatience();

  /** @param uptime  milliseconds; never jumps */
  constructor(uptime: () => number) {
    this.#uptime = uptime;
  }

  of(awaited: Awaited): KeyTurns {
    const name = nameOf(awaited);
    const turns = this.#turns.get(name) ?? new KeyTurns();
    this.#turns.delete(name);
    this.#turns.set(name, turns);
    if (this.#turns.size > KEYS_MAX)
      for (const [oldest] of this.#turns) {
        this.#turns.delete(oldest);
        break;
      }
    return turns;
  }

  /** Records that a decision on a client's command is requested. */
  began(turns: KeyTurns, client: object, elementsMax: number): void {
    turns.began(client, elementsMax, this.#uptime());
  }

  /** Checks whether other daemons take their elements, if it is time for a check. */
  checkInTime(turns: KeyTurns, own: ByteString): void {
    if (turns.checkAt !== null && this.#uptime() >= turns.checkAt) turns.check(own);
  }

  /** Returns the milliseconds until the next check. */
  untilCheck(turns: KeyTurns): number {
    turns.checkAt ??= this.#uptime() + this.#patience.milliseconds;
    return Math.max(0, turns.checkAt - this.#uptime());
  }

  /**
   * Learns from decided commands which daemons have waiting clients, and what these have taken.
   * @param entries  also those without a decision
   * @param own  the id of the key with which this daemon signs commands
   * @param isOfDaemon  a client that signs its commands itself has no turns
   */
  decided(
    entries: readonly FoldedEntry[],
    { signer: own, isOfDaemon }: Pick<DecidedCommands, "signer" | "isOfDaemon">,
  ): void {
    if (this.#turns.size === 0) return;
    for (const { entry, answers } of entries) {
      const { key: signer, db, commands, multi, units, decided } = entry.envelope;
      // Daemons request decisions on commands of waiting clients one by one.
      if (decided === null || multi || units !== null || !isOfDaemon(signer)) continue;

      for (const [index, argv] of commands.entries()) {
        const answer = answers[index];
        // A command with a mistake takes nothing.
        if (answer === undefined || answer.reply.kind === "error") continue;
        const turns = this.#awaitedBy(argv, db);
        if (turns === undefined) continue;
        turns.took(signer, takenIn(answer.reply));
        if (signer === own) this.#measure(turns.applied());
      }
    }
  }

  #measure(since: number | null): void {
    if (since !== null) this.#patience.took(this.#uptime() - since);
  }

  /** Returns the turns for the key of a command that may wait. */
  #awaitedBy(argv: readonly ByteString[], db: number): KeyTurns | undefined {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure || !command.writes) return undefined;
    const shape = command.waitsFor?.shapeOf(argv, () => "") ?? null;
    const key = shape?.keys[0];
    if (shape === null || key === undefined || shape.keys.length > 1) return undefined;
    return this.#turns.get(nameOf({ db, key, type: shape.type, argv }));
  }
}

function nameOf({ db, key, type, argv }: Awaited): ByteString {
  const group = type === "group" ? groupReadOptions(argv).group : "";
  return `${db} ${type} ${group.length} ${group}${key}`;
}

/** Returns the number of elements in the reply to a command that waits. */
function takenIn(reply: Reply): number {
  switch (reply.kind) {
    case "bulk":
      return 1;
    case "map":
    case "array": {
      // The key is followed by the element, by a member and its score, or by several of them.
      const [, taken] = reply.items;
      return taken?.kind === "array" ? taken.items.length : 1;
    }
    default:
      return 0;
  }
}

/**
 * Clients that wait until a key has something: served in the order in which they began, as soon as what filled the key is
 * done. What is run then is the command itself, of the one key: where writes are recorded it goes the same way as any other.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type ErrorReply, error, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import type { Environment } from "../../../../serving/process/environment.js";
import { findCommand } from "../../../../store/command-table.js";
import { XREADGROUP_OUTLOOK } from "../../../../store/commands/streams/group-reads.js";
import type { Command } from "../../../../store/rows/command.js";
import { touchesOf } from "../../../../store/rows/key-spec.js";
import type { Called } from "../../../backends/called.js";
import type { CommandPath, CommandSender } from "../../../users/command-path.js";
import type { WaitShape } from "./wait-shapes.js";

/** When the time is over, whatever the command answers else where there is nothing. */
export const OVERDUE = NIL_ARRAY;
/** A timer takes no longer times; who waits for longer waits for ever. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const SIZE_OF = { list: "LLEN", zset: "ZCARD", stream: null } as const;
/** For whom a group's stream, or the group, is there no more. */
const NO_STREAM = error("UNBLOCKED the stream key no longer exists");
const NO_GROUP = error("NOGROUP the consumer group this client was blocked on no longer exists");
/** They write into streams, and leave nobody anything to read but SETID, behind which Redis looks at nobody either. */
const SERVE_NOBODY: ReadonlySet<string> = new Set([
  ...["XACK", "XAUTOCLAIM", "XCLAIM", "XDEL", "XREADGROUP", "XSETID", "XTRIM"],
  ...["CREATE", "CREATECONSUMER", "DELCONSUMER", "SETID"].map((name) => `XGROUP|${name}`),
]);

export interface Waiter {
  readonly command: Command;
  readonly shape: WaitShape;
  readonly sender: CommandSender;
  readonly db: number;
  readonly resolve: (reply: Reply) => void;
}

/** One that waits, and whether its command is on its way now. */
interface Waiting extends Waiter {
  isUnderWay: boolean;
  /** What it is answered if its command brings nothing. */
  overdue: Reply | null;
  cancelTimer: () => void;
}

export class WaitingClients {
  readonly #path: CommandPath;
  readonly #environment: Pick<Environment, "setTimer" | "clock">;
  /** By database and key, each in the order in which they came. */
  readonly #queues = new Map<string, Set<Waiting>>();
  readonly #ready = new Set<string>();
  /** Keys that somebody waits for and a command on its way names, in the order in which it does. */
  readonly #expected = new Set<string>();
  /** What ends the watch over the end of a key's time, of keys for whose group somebody waits. */
  readonly #ends = new Map<string, () => void>();
  #isServing = false;
  #willServe = false;

  constructor(path: CommandPath, environment: Pick<Environment, "setTimer" | "clock">) {
    this.#path = path;
    this.#environment = environment;
  }

  /** @returns what ends the waiting with an answer; false: its command is on its way, and its answer will come */
  add(waiter: Waiter): (reply: Reply) => boolean {
    const waiting: Waiting = { ...waiter, isUnderWay: false, overdue: null, cancelTimer: () => {} };
    const { milliseconds, keys } = waiter.shape;
    if (milliseconds > 0 && milliseconds <= TIMER_MS_MAX)
      waiting.cancelTimer = this.#environment.setTimer(milliseconds, () => this.#giveUp(waiting, OVERDUE));
    for (const key of keys) {
      const name = nameOf(waiter.db, key);
      const queue = this.#queues.get(name) ?? new Set();
      this.#queues.set(name, queue.add(waiting));
      this.#watchEnd(waiting, name, key);
    }
    return (reply) => this.#giveUp(waiting, reply);
  }

  /** A command that writes has been run: whoever waits for its keys is served in this turn, or by `serve`. */
  written(command: Command, argv: readonly ByteString[], db: number): void {
    if (this.#queues.size === 0 || SERVE_NOBODY.has(command.name)) return;
    for (const name of this.#namedBy(command, argv, db)) this.#mark(name);
  }

  /** Keys for which somebody waits. */
  get size(): number {
    return this.#queues.size;
  }

  /** Commands are on their way: once they have been run, whoever waits for their keys is served in the order of these. */
  sent(calls: readonly Called[], db: number): void {
    if (this.#queues.size === 0) return;
    const names = calls.flatMap(({ command, argv }) =>
      command.writes ? this.#namedBy(command, argv, db) : [],
    );
    for (const name of names) this.#expected.delete(name);
    for (const name of names) this.#expected.add(name);
  }

  /** Nobody knows which keys have changed. */
  changed(): void {
    for (const name of this.#expected)
      if (this.#queues.has(name)) this.#mark(name);
      else this.#expected.delete(name);
    for (const name of this.#queues.keys()) this.#mark(name);
  }

  /** The keys that somebody waits for and a command may write. */
  #namedBy(command: Command, argv: readonly ByteString[], db: number): readonly string[] {
    return touchesOf(command.keys, argv).flatMap((touch) => {
      if (touch.access === "read") return [];
      const number = touch.db ?? db;
      if (touch.key === null)
        return [...this.#queues.keys()].filter((name) => number < 0 || name.startsWith(`${number} `));
      const name = nameOf(number, touch.key);
      return this.#queues.has(name) ? [name] : [];
    });
  }

  /** Serves whom the keys that are ready can serve. */
  serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    // Serving one may make another key ready.
    for (const name of this.#ready) {
      this.#ready.delete(name);
      this.#serveKey(name);
    }
    this.#isServing = false;
  }

  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  #mark(name: string): void {
    if (!this.#queues.has(name)) return;
    this.#ready.add(name);
    if (this.#willServe) return;
    this.#willServe = true;
    queueMicrotask(() => {
      this.#willServe = false;
      this.serve();
    });
  }

  #serveKey(name: string): void {
    const db = Number.parseInt(name, 10);
    const key = name.slice(name.indexOf(" ") + 1);
    const [first] = this.#queues.get(name) ?? [];
    // Its time may be another now.
    if (first !== undefined) this.#watchEnd(first, name, key);
    for (const waiting of [...(this.#queues.get(name) ?? [])]) {
      if (waiting.isUnderWay) continue;
      const outlook = this.#outlook(waiting, db, key);
      if (typeof outlook !== "boolean") this.#finish(waiting, outlook);
      if (outlook !== true) continue;
      this.#expected.delete(name);
      const { command, shape, sender } = waiting;
      const reply = this.#path.execute(command, shape.argvFor(key), this.#senderIn(sender, db));
      if (!(reply instanceof Promise)) {
        if (!isNothing(reply)) this.#finish(waiting, reply);
        continue;
      }
      waiting.isUnderWay = true;
      reply.then((settled) => this.#settled(waiting, name, settled));
      // What it leaves to the others is known when it is done.
      return;
    }
  }

  #settled(waiting: Waiting, name: string, reply: Reply): void {
    waiting.isUnderWay = false;
    if (!isNothing(reply)) this.#finish(waiting, reply);
    else if (waiting.overdue !== null) this.#finish(waiting, waiting.overdue);
    this.#mark(name);
  }

  /** Whether a key has something for one that waits; an error: it never will. */
  #outlook({ shape, sender }: Waiting, db: number, key: ByteString): boolean | ErrorReply {
    const asker = this.#senderIn(sender, db);
    if (shape.type === "group") {
      const outlook = this.#ask(shape.argvFor(key), asker, XREADGROUP_OUTLOOK);
      if (outlook?.kind !== "error") return outlook !== null && !isNothing(outlook);
      const type = this.#ask(["TYPE", key], asker);
      return type?.kind === "status" && type.text === "stream" ? NO_GROUP : NO_STREAM;
    }
    const found = this.#ask(["TYPE", key], asker);
    if (found?.kind !== "status" || found.text !== shape.type) return false;
    const size = SIZE_OF[shape.type];
    if (size === null) return true;
    const elements = this.#ask([size, key], asker);
    return elements?.kind === "integer" && elements.value > 0;
  }

  /** Reads of what is in memory are answered at once. */
  #ask(
    argv: readonly ByteString[],
    sender: CommandSender,
    command = findCommand(argv[0] as string) as Command,
  ): Reply | null {
    const reply = this.#path.execute(command, argv, sender);
    return reply instanceof Promise ? null : reply;
  }

  #giveUp(waiting: Waiting, reply: Reply): boolean {
    if (waiting.isUnderWay) {
      waiting.overdue ??= reply;
      return false;
    }
    this.#finish(waiting, reply);
    return true;
  }

  /** Who waits, in the database that it waited in, and as of now. */
  #senderIn({ as, readsAll, isStable, lastWrite }: CommandSender, db: number): CommandSender {
    return { db, as, readsAll, isStable, ...(lastWrite && { lastWrite }), now: this.#environment.clock() };
  }

  #finish(waiting: Waiting, reply: Reply): void {
    waiting.cancelTimer();
    for (const key of waiting.shape.keys) {
      const name = nameOf(waiting.db, key);
      const queue = this.#queues.get(name);
      queue?.delete(waiting);
      if (queue?.size !== 0) continue;
      this.#queues.delete(name);
      this.#endWatch(name);
    }
    waiting.resolve(reply);
  }

  /** Looks at a key again when its time is over: who waits for a group of it is told. */
  #watchEnd({ shape, sender, db }: Waiting, name: string, key: ByteString): void {
    if (shape.type !== "group") return;
    this.#endWatch(name);
    const left = this.#ask(["PTTL", key], this.#senderIn(sender, db));
    const milliseconds = left?.kind === "integer" ? Number(left.value) + 1 : 0;
    if (milliseconds <= 0 || milliseconds > TIMER_MS_MAX) return;
    this.#ends.set(
      name,
      this.#environment.setTimer(milliseconds, () => this.#mark(name)),
    );
  }

  #endWatch(name: string): void {
    this.#ends.get(name)?.();
    this.#ends.delete(name);
  }
}

function nameOf(db: number, key: ByteString): string {
  return `${db} ${key}`;
}

/** Whether a command found nothing to take. */
export function isNothing({ kind }: Reply): boolean {
  return kind === "nil" || kind === "nil-array";
}

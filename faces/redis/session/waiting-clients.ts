/**
 * The clients that wait for data in keys. They are served in the order in which they began to wait, once the command
 * that adds the data is complete. To serve a client, its waiting command runs for the one key that has data; if writes
 * are recorded, this command is recorded like any other one. Queues may deliver tens of thousands of elements per
 * second, so the code creates no promise, name or set for each element.
 */

import type {
  CheckedCommand,
  CommandPath,
  CommandSender,
  LocalData,
} from "../../../daemon/engine/backends/command-path.js";
import { openPart } from "../../../daemon/engine/backends/followed-streams.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { AwaitedType, Command, WaitShape } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, type ErrorReply, error, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { XREADGROUP_PREVIEW } from "../store/commands/streams/group-reads.js";

/** The reply after the time limit. It is the same for all commands, even those with a different empty reply. */
export const TIMED_OUT = NIL_ARRAY;
/** The longest possible timer in milliseconds; a client with a longer limit waits without limit. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const commandNamed = (name: string): Command => findCommand(name) as Command;
const TYPE = commandNamed("TYPE");
const PTTL = commandNamed("PTTL");
const XINFO_STREAM = commandNamed("XINFO|STREAM");
/** The reply of PTTL for a key that does not exist. */
const PTTL_ABSENT = -2;
const SIZE_OF = {
  list: commandNamed("LLEN"),
  zset: commandNamed("ZCARD"),
  stream: null,
  group: null,
} as const;
/** The errors for clients that wait for a group, if the stream or the group was removed. */
const NO_STREAM = error("UNBLOCKED the stream key no longer exists");
const NO_GROUP = error("NOGROUP the consumer group this client was blocked on no longer exists");
const RESOLVED = Promise.resolve();

const NOTHING_TO_CANCEL = (): void => {};

/** The request of a client to wait, and the function that answers it. */
export interface WaitRequest {
  readonly command: Command;
  readonly shape: WaitShape;
  /** The data that the client waits for. */
  readonly localData: LocalData;
  readonly sender: CommandSender;
  readonly db: number;
  /** Whether the wait begins in a later turn than the command, so that data may have arrived in between. */
  readonly isLate: boolean;
  readonly resolve: (reply: Reply) => void;
}

/** A waiting client, and whether its command is running now. */
class WaitingClient {
  isRunning = false;
  /**
   * The reply to send if the running command finds nothing, because the client's wait ended while it was running; null
   * if the wait has not ended.
   */
  overdue: Reply | null = null;
  isAnswered = false;
  /** The closed date up to which the client has received everything, or -1 if no entry is held back from it. */
  openedTo = -1;
  cancelTimer = NOTHING_TO_CANCEL;
  readonly request: WaitRequest;

  constructor(request: WaitRequest) {
    this.request = request;
  }
}

/** A key that clients wait for. */
class AwaitedKey {
  /** The waiting clients, in the order in which they began to wait. */
  readonly waiting: WaitingClient[] = [];
  /** Cancels the timer for the key's expiry, which runs while a client waits for one of its groups. */
  cancelExpiryTimer: (() => void) | null = null;
  /** The latest date that other daemons were requested to close for its clients; milliseconds since 1970. */
  requestedTo = -1;
  /** The latest date that they have closed, except those that did not answer in time. */
  closedTo = -1;
  /** The number of clients that wait for a group; there may be thousands of other clients. */
  #groupClients = 0;
  readonly db: number;
  readonly key: ByteString;

  constructor(db: number, key: ByteString) {
    this.db = db;
    this.key = key;
  }

  /** The first client that waits for a group. Clients that wait for other data may precede it. */
  get ofGroup(): WaitingClient | undefined {
    return this.#groupClients === 0 ? undefined : this.waiting.find(isOfGroup);
  }

  push(client: WaitingClient): void {
    this.waiting.push(client);
    if (isOfGroup(client)) this.#groupClients++;
  }

  /** Removes a client. @returns whether it was waiting */
  remove(client: WaitingClient): boolean {
    const index = this.waiting.indexOf(client);
    if (index < 0) return false;
    this.waiting.splice(index, 1);
    if (isOfGroup(client)) this.#groupClients--;
    return true;
  }
}

export class WaitingClients {
  /** The awaited keys whose clients can be served. */
  readonly ready: Set<AwaitedKey> = new Set();
  readonly #path: CommandPath;
  readonly #environment: Environment;
  /** The awaited keys by name, for each database. */
  readonly #awaited: (Map<ByteString, AwaitedKey> | undefined)[] = [];
  /** The awaited keys that writes in flight may change, in the order of these writes. */
  readonly #expected = new Set<AwaitedKey>();
  #size = 0;
  #isServing = false;
  #isServeScheduled = false;

  constructor(path: CommandPath, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
  }

  /**
   * Adds a waiting client. @returns a function that ends the wait with a reply, and returns false if the command is
   * already running and its reply will follow
   */
  add(request: WaitRequest): (reply: Reply) => boolean {
    const waiting = new WaitingClient(request);
    const { milliseconds, keys } = request.shape;
    if (milliseconds > 0 && milliseconds <= TIMER_MS_MAX)
      waiting.cancelTimer = this.#environment.setTimer(milliseconds, () => this.#endWait(waiting, TIMED_OUT));
    for (const key of keys) {
      const awaited = this.#find(request.db, key) ?? this.#await(request.db, key);
      // A command may name a key twice.
      if (awaited.waiting.at(-1) !== waiting) awaited.push(waiting);
      // The stream may have expired since the command was executed.
      const isGone = request.shape.type === "group" && this.#watchExpiry(waiting, awaited) === PTTL_ABSENT;
      // The client cannot be answered before this call ends.
      if (isGone || request.isLate) RESOLVED.then(() => this.#mark(awaited));
    }
    return (reply) => this.#endWait(waiting, reply);
  }

  /** Marks the keys of a write, so that clients that wait for them are served in this turn, or by `serve`. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void {
    const { serves } = command;
    if (this.#size === 0 || serves === "none") return;
    if (reply.kind === "error" || (serves === "unless-empty" && isEmptyResult(reply))) return;
    for (const awaited of this.#namedBy(command, argv, db)) {
      if (serves === "if-expired") this.#expiryChanged(awaited);
      else this.#mark(awaited);
    }
  }

  /** The number of awaited keys. */
  get size(): number {
    return this.#size;
  }

  /**
   * Registers commands in flight. Once they are applied, `changed` first marks the keys of the writes, in the
   * order of the writes.
   */
  sent(calls: readonly CheckedCommand[], db: number): void {
    if (this.#size === 0) return;
    const named = calls.flatMap(({ command, argv }) =>
      command.writes ? this.#namedBy(command, argv, db) : [],
    );
    for (const awaited of named) this.#expected.delete(awaited);
    for (const awaited of named) this.#expected.add(awaited);
  }

  /**
   * Marks the keys of the writes in flight, then all other awaited keys, because it is unknown which of them have
   * changed.
   */
  changed(): void {
    for (const awaited of this.#expected) {
      if (awaited.waiting.length > 0) this.#mark(awaited);
      else {
        this.#expected.delete(awaited);
        this.#forget(awaited);
      }
    }
    for (const keys of this.#awaited) for (const awaited of keys?.values() ?? []) this.#mark(awaited);
  }

  #find(db: number, key: ByteString): AwaitedKey | undefined {
    return this.#awaited[db]?.get(key);
  }

  #await(db: number, key: ByteString): AwaitedKey {
    const awaited = new AwaitedKey(db, key);
    const keys = (this.#awaited[db] ??= new Map());
    keys.set(key, awaited);
    this.#size++;
    return awaited;
  }

  #forget({ db, key }: AwaitedKey): void {
    if (this.#awaited[db]?.delete(key) === true) this.#size--;
  }

  /** Returns the awaited keys that a command may write. */
  #namedBy(command: Command, argv: readonly ByteString[], db: number): readonly AwaitedKey[] {
    const named: AwaitedKey[] = [];
    for (const touch of touchesOf(command.keys, argv)) {
      if (touch.access === "read") continue;
      const number = touch.db ?? db;
      if (touch.key === null) {
        for (const [of, keys] of this.#awaited.entries())
          if (number < 0 || number === of) for (const awaited of keys?.values() ?? []) named.push(awaited);
        continue;
      }
      const awaited = this.#find(number, touch.key);
      if (awaited !== undefined) named.push(awaited);
    }

    return named;
  }

  /** Serves the clients that wait for the ready keys. */
  serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    // Serving one key may make another one ready.
    for (const awaited of this.ready) {
      this.ready.delete(awaited);
      this.#serveKey(awaited);
    }
    this.#isServing = false;
  }

  #mark(awaited: AwaitedKey): void {
    if (awaited.waiting.length === 0) return;
    this.ready.add(awaited);
    if (this.#isServeScheduled) return;
    this.#isServeScheduled = true;
    RESOLVED.then(this.#serveSoon);
  }

  readonly #serveSoon = (): void => {
    this.#isServeScheduled = false;
    this.serve();
  };

  #serveKey(awaited: AwaitedKey): void {
    const { db, key, waiting: all } = awaited;
    const [first] = all;
    if (first === undefined) return;

    // The expiry time of the key may have changed.
    const { ofGroup } = awaited;
    if (ofGroup !== undefined) this.#watchExpiry(ofGroup, awaited);
    let empty: AwaitedType | null = null;
    // Clients are removed from the list as they are served.
    for (const waiting of all.length === 1 ? [first] : [...all]) {
      const { command, shape, localData } = waiting.request;
      if (waiting.isRunning || waiting.isAnswered || shape.type === empty) continue;
      const argv = shape.argvFor(key);
      const sender = this.#senderIn(waiting.request.sender, db);
      const readiness = readinessOf(waiting.request, key, argv, sender);
      if (typeof readiness !== "boolean") this.#finishWhenSafe(waiting, readiness);
      // The key has nothing for the remaining clients either, of which there may be thousands. In streams, however,
      // each client has its own position.
      if (readiness === false && SIZE_OF[shape.type] !== null) empty = shape.type;
      if (readiness !== true) continue;
      this.#expected.delete(awaited);
      if (this.#isHeldBack(waiting, awaited)) continue;
      const reply = localData.inspect(command, argv, sender);
      if (!(reply instanceof Promise)) {
        const open = this.#openPart(waiting, awaited, reply);
        if (!isNil(open)) this.#finishWhenSafe(waiting, open);
        continue;
      }
      waiting.isRunning = true;
      reply.then((settled) => this.#settled(waiting, awaited, settled));
      // How much data is left for other clients is known only after the command.
      return;
    }
  }

  /**
   * Whether the entries that a client waits for are held back, because the other daemons have closed no further dates
   * since it was served last. They are requested to close the date of the stream's newest entry too.
   */
  #isHeldBack(waiting: WaitingClient, awaited: AwaitedKey): boolean {
    if (waiting.openedTo < 0 || waiting.openedTo < this.#closedTo(waiting, awaited)) return false;
    const { localData, sender } = waiting.request;
    const last = Number.parseInt(lastId(localData, awaited.key, this.#senderIn(sender, awaited.db)), 10);
    this.#closeDates(waiting, awaited, Math.min(last, localData.closedDates?.newest ?? last));
    return true;
  }

  /** Returns the part of the reply to a client that waits for entries of a stream that it may receive now. */
  #openPart(waiting: WaitingClient, awaited: AwaitedKey, reply: Reply): Reply {
    const { shape, localData } = waiting.request;
    const { closedDates } = localData;
    if (shape.type !== "stream" || closedDates === null) return reply;
    const closedTo = this.#closedTo(waiting, awaited);
    const part = openPart(reply, closedTo, closedDates.newest);
    if (part.awaited !== null) this.#closeDates(waiting, awaited, part.awaited);
    if (isNil(part.reply) && part.awaited !== null) waiting.openedTo = closedTo;
    return part.reply;
  }

  #closedTo({ request }: WaitingClient, { closedTo }: AwaitedKey): number {
    return Math.max(closedTo, request.localData.closedDates?.closedTo() ?? Number.POSITIVE_INFINITY);
  }

  /** Requests the other daemons to close a date, and then serves the clients of the key. */
  #closeDates({ request }: WaitingClient, awaited: AwaitedKey, at: number): void {
    if (at <= awaited.requestedTo) return;
    awaited.requestedTo = at;
    request.localData.closedDates?.close(at, () => {
      awaited.closedTo = Math.max(awaited.closedTo, at);
      this.#mark(awaited);
    });
  }

  #settled(waiting: WaitingClient, { db, key }: AwaitedKey, reply: Reply): void {
    waiting.isRunning = false;
    if (!isNil(reply)) this.#finish(waiting, reply);
    else if (waiting.overdue !== null) this.#finish(waiting, waiting.overdue);
    // More clients may have begun to wait in the meantime.
    const awaited = this.#find(db, key);
    if (awaited !== undefined) this.#mark(awaited);
  }

  #endWait(waiting: WaitingClient, reply: Reply): boolean {
    if (waiting.isRunning) {
      waiting.overdue ??= reply;
      return false;
    }
    this.#finishWhenSafe(waiting, reply);
    return true;
  }

  /** Returns the sender of the waiting command, with the database at the time of the command and the current time. */
  #senderIn({ as, readsAll, isStable, lastWrite }: CommandSender, db: number): CommandSender {
    const now = this.#environment.clock();
    return { db, as, readsAll, isStable, now, lastWrite };
  }

  #finishWhenSafe(waiting: WaitingClient, reply: Reply): void {
    const safe = this.#path.whenSafe(reply);
    if (!(safe instanceof Promise)) {
      this.#finish(waiting, safe);
      return;
    }
    waiting.isRunning = true;
    safe.then((settled) => this.#finish(waiting, settled));
  }

  #finish(waiting: WaitingClient, reply: Reply): void {
    const { request } = waiting;
    waiting.isAnswered = true;
    waiting.cancelTimer();
    for (const key of request.shape.keys) {
      const awaited = this.#find(request.db, key);
      if (awaited === undefined || !awaited.remove(waiting)) continue;
      if (awaited.waiting.length > 0) continue;
      this.#cancelExpiryTimer(awaited);
      // Keep the object of a key that a write in flight may change: the next client that waits for the key uses it.
      if (!this.#expected.has(awaited)) this.#forget(awaited);
    }
    request.resolve(reply);
  }

  /** Handles a changed expiry time. Clients are served only if it has made the key expire immediately. */
  #expiryChanged(awaited: AwaitedKey): void {
    const { ofGroup } = awaited;
    if (ofGroup !== undefined && this.#watchExpiry(ofGroup, awaited) === PTTL_ABSENT) this.#mark(awaited);
  }

  /**
   * Schedules a check of a key after its expiry, for clients that wait for one of its groups. @returns the reply of
   * PTTL, or NaN if it is not known yet
   */
  #watchExpiry({ request }: WaitingClient, awaited: AwaitedKey): number {
    this.#cancelExpiryTimer(awaited);
    const sender = this.#senderIn(request.sender, awaited.db);
    const remaining = read(request.localData, PTTL, ["PTTL", awaited.key], sender);
    if (remaining?.kind !== "integer") return Number.NaN;
    const milliseconds = Number(remaining.value);
    if (milliseconds >= 0 && milliseconds < TIMER_MS_MAX)
      awaited.cancelExpiryTimer = this.#environment.setTimer(milliseconds + 1, () => this.#mark(awaited));
    return milliseconds;
  }

  #cancelExpiryTimer(awaited: AwaitedKey): void {
    awaited.cancelExpiryTimer?.();
    awaited.cancelExpiryTimer = null;
  }
}

/**
 * Returns whether a key has data for a waiting client, or an error if the client's group or its stream was removed.
 * @param argv  the command that would run
 */
function readinessOf(
  { shape: { type }, localData }: WaitRequest,
  key: ByteString,
  argv: readonly ByteString[],
  sender: CommandSender,
): boolean | ErrorReply {
  if (type === "group") {
    const readiness = read(localData, XREADGROUP_PREVIEW, argv, sender);
    if (readiness?.kind !== "error") return readiness !== null && !isNil(readiness);
    const found = read(localData, TYPE, ["TYPE", key], sender);
    return found?.kind === "status" && found.text === "stream" ? NO_GROUP : NO_STREAM;
  }
  const found = read(localData, TYPE, ["TYPE", key], sender);
  if (found?.kind !== "status" || found.text !== type) return false;
  const size = SIZE_OF[type];
  if (size === null) return true;
  const elements = read(localData, size, [size.name, key], sender);
  return elements?.kind === "integer" && elements.value > 0;
}

/** Runs a read from memory. @returns the reply, or null if it is not available immediately */
function read(
  localData: LocalData,
  command: Command,
  argv: readonly ByteString[],
  sender: CommandSender,
): Reply | null {
  const reply = localData.inspect(command, argv, sender);
  return reply instanceof Promise ? null : reply;
}

function isOfGroup({ request }: WaitingClient): boolean {
  return request.shape.type === "group";
}

/** Returns the last id of a stream; `0-0` if there is no stream. */
export function lastId(localData: LocalData, key: ByteString, sender: CommandSender): ByteString {
  const info = localData.inspect(XINFO_STREAM, ["XINFO", "STREAM", key], sender);
  if (info instanceof Promise || info.kind !== "map") return "0-0";
  const at = info.items.findIndex((item) => item.kind === "bulk" && item.bytes === "last-generated-id");
  const id = info.items[at + 1] ?? bulk("0-0");
  return id.kind === "bulk" ? id.bytes : "0-0";
}

/** Returns whether a reply means that the command has done nothing. */
function isEmptyResult(reply: Reply): boolean {
  return reply.kind === "integer" ? Number(reply.value) === 0 : isNil(reply);
}

/** Returns whether a command has found nothing to read or remove. */
export function isNil({ kind }: Reply): boolean {
  return kind === "nil" || kind === "nil-array";
}

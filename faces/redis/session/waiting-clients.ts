/**
 * The clients that wait for data in keys. They are served in the order in which they began to wait, once the command
 * that adds the data is complete. To serve a client, its waiting command runs for the one key that has data; if writes
 * are recorded, this command is recorded like any other one. Queues may deliver tens of thousands of elements per
 * second, so the code creates no promise, name or set for each element.
 *
 * A client that follows a stream receives an entry only after the other daemons have closed the entry's date: after
 * that, they sign nothing that is dated at or before it, so no earlier entry can still arrive.
 */

import type {
  CheckedCommand,
  CommandPath,
  CommandSender,
  DecidedCommands,
} from "../../../daemon/engine/backends/command-path.js";
import { openPart } from "../../../daemon/engine/backends/followed-streams.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { AwaitedType, Command } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { FoldedEntry } from "../../../daemon/timeline/fold/fold.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { isNil, lastId, readFromMemory, readinessOf, SIZE_OF, sizeOf } from "./awaited-data.js";
import { type KeyTurns, ServingTurns } from "./serving-turns.js";
import { AwaitedKey, WaitingClient, type WaitRequest } from "./waiting-client.js";

/** The reply after the time limit. It is the same for all commands, even those with a different empty reply. */
export const TIMED_OUT = NIL_ARRAY;
/** The longest possible timer in milliseconds; a client with a longer limit waits without limit. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const PTTL = findCommand("PTTL") as Command;
/** The reply of PTTL for a key that does not exist. */
const PTTL_ABSENT = -2;
const RESOLVED = Promise.resolve();

/** One pass over the clients of a key, to serve those for which it has data. */
interface Pass {
  /** The type of data of which the key has nothing for the remaining clients, or null. */
  exhausted: AwaitedType | null;
  /** The groups from which this daemon takes no more entries now. */
  readonly passedGroups: KeyTurns[];
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
  readonly #turns: ServingTurns;
  #size = 0;
  #isServing = false;
  #isServeScheduled = false;

  constructor(path: CommandPath, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
    this.#turns = new ServingTurns(environment.uptime);
  }

  /** The number of awaited keys. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a waiting client. @returns a function that ends the wait with a reply, and returns false if the command is
   * already running and its reply will follow
   */
  add(request: WaitRequest): (reply: Reply) => boolean {
    const client = new WaitingClient(request);
    const { milliseconds, keys } = request.shape;
    if (milliseconds > 0 && milliseconds <= TIMER_MS_MAX)
      client.cancelTimer = this.#environment.setTimer(milliseconds, () => this.#endWait(client, TIMED_OUT));
    for (const key of keys) {
      const awaitedKey = this.#find(request.db, key) ?? this.#awaitKey(request.db, key);
      // A command may name a key twice. If it does, the client is the last one of the key, because it was just added.
      if (awaitedKey.clients.at(-1) !== client) awaitedKey.push(client);
      // The stream may have expired since the command was executed.
      const isGone = request.shape.type === "group" && this.#watchExpiry(client, awaitedKey) === PTTL_ABSENT;
      // The client cannot be answered before this call ends.
      if (isGone || request.isLate) RESOLVED.then(() => this.#markReady(awaitedKey));
    }

    return (reply) => this.#endWait(client, reply);
  }

  /** Marks the keys of a write, so that clients that wait for them are served in this turn, or by `serve`. */
  onWritten(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void {
    const { serves } = command;
    if (this.#size === 0 || serves === "none") return;
    if (reply.kind === "error" || (serves === "unless-empty" && isEmptyResult(reply))) return;
    for (const awaitedKey of this.#namedBy(command, argv, db)) {
      if (serves === "if-expired") this.#expiryChanged(awaitedKey);
      else this.#markReady(awaitedKey);
    }
  }

  /**
   * Registers commands in flight. Once they are applied, `markAllReady` first marks the keys of the writes, in the
   * order of the writes.
   */
  onSent(calls: readonly CheckedCommand[], db: number): void {
    if (this.#size === 0) return;
    const named = calls.flatMap(({ command, argv }) =>
      command.writes ? this.#namedBy(command, argv, db) : [],
    );
    for (const awaitedKey of named) this.#expected.delete(awaitedKey);
    for (const awaitedKey of named) this.#expected.add(awaitedKey);
  }

  /**
   * Marks the keys of the writes in flight, then all other awaited keys, because it is unknown which of them have
   * changed.
   */
  markAllReady(): void {
    for (const awaitedKey of this.#expected) {
      if (awaitedKey.clients.length > 0) this.#markReady(awaitedKey);
      else {
        this.#expected.delete(awaitedKey);
        this.#forgetKey(awaitedKey);
      }
    }
    for (const keys of this.#awaited)
      for (const awaitedKey of keys?.values() ?? []) this.#markReady(awaitedKey);
  }

  /** Records the elements that daemons have taken from decided keys for their waiting clients. */
  onDecided(entries: readonly FoldedEntry[]): void {
    const commands = this.#path.localData?.decided;
    if (commands != null) this.#turns.decided(entries, commands);
  }

  /** Serves the clients that wait for the ready keys. */
  serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    // Serving one key may make another one ready.
    for (const awaitedKey of this.ready) {
      this.ready.delete(awaitedKey);
      this.#serveKey(awaitedKey);
    }
    this.#isServing = false;
  }

  #find(db: number, key: ByteString): AwaitedKey | undefined {
    return this.#awaited[db]?.get(key);
  }

  #awaitKey(db: number, key: ByteString): AwaitedKey {
    const awaitedKey = new AwaitedKey(db, key);
    const keys = (this.#awaited[db] ??= new Map());
    keys.set(key, awaitedKey);
    this.#size++;
    return awaitedKey;
  }

  #forgetKey({ db, key }: AwaitedKey): void {
    if (this.#awaited[db]?.delete(key) === true) this.#size--;
  }

  /** Returns the awaited keys that a command may write. */
  #namedBy(command: Command, argv: readonly ByteString[], db: number): readonly AwaitedKey[] {
    const named: AwaitedKey[] = [];
    for (const touch of touchesOf(command.keys, argv)) {
      if (touch.access === "read") continue;
      const number = touch.db ?? db;
      if (touch.key === null) {
        // FLUSHALL names all databases by -1.
        for (const [index, keys] of this.#awaited.entries())
          if (number < 0 || number === index)
            for (const awaitedKey of keys?.values() ?? []) named.push(awaitedKey);
        continue;
      }
      const awaitedKey = this.#find(number, touch.key);
      if (awaitedKey !== undefined) named.push(awaitedKey);
    }

    return named;
  }

  #markReady(awaitedKey: AwaitedKey): void {
    if (awaitedKey.clients.length === 0) return;
    this.ready.add(awaitedKey);
    if (this.#isServeScheduled) return;
    this.#isServeScheduled = true;
    RESOLVED.then(this.#serveSoon);
  }

  readonly #serveSoon = (): void => {
    this.#isServeScheduled = false;
    this.serve();
  };

  #serveKey(awaitedKey: AwaitedKey): void {
    const { clients } = awaitedKey;
    const [first] = clients;
    if (first === undefined) return;

    // The expiry time of the key may have changed.
    const { ofGroup } = awaitedKey;
    if (ofGroup !== undefined) this.#watchExpiry(ofGroup, awaitedKey);
    const pass: Pass = { exhausted: null, passedGroups: [] };
    // Clients are removed from the list as they are served.
    for (const client of clients.length === 1 ? [first] : [...clients]) {
      if (client.isRunning || client.isAnswered || client.request.shape.type === pass.exhausted) continue;
      if (this.#serveClient(client, awaitedKey, pass)) return;
    }
  }

  /**
   * Serves one client, if the key has data for it.
   * @returns whether its command is running and may leave nothing for the remaining clients; then the pass must end
   */
  #serveClient(client: WaitingClient, awaitedKey: AwaitedKey, pass: Pass): boolean {
    const { command, shape, localData } = client.request;
    const { db, key } = awaitedKey;
    const argv = shape.argvFor(key);
    // Each check of a group reads entries, and thousands of clients may wait for it.
    if (shape.type === "group" && pass.passedGroups.length > 0)
      if (pass.passedGroups.includes(this.#turns.of({ db, key, type: shape.type, argv }))) return false;
    const sender = this.#senderIn(client.request.sender, db);
    const readiness = readinessOf(client.request, key, argv, sender);
    if (typeof readiness !== "boolean") this.#finishWhenSafe(client, readiness);

    // The key has nothing for the remaining clients either, of which there may be thousands. In streams, however,
    // each client has its own position.
    if (readiness === false && SIZE_OF[shape.type] !== null) pass.exhausted = shape.type;
    if (readiness !== true) return false;

    this.#expected.delete(awaitedKey);
    if (localData.decided?.covers(argv, db) === true) {
      const turns = this.#turns.of({ db, key, type: shape.type, argv });
      if (this.#takeTurn(client, awaitedKey, turns, argv, sender)) return false;
      // The clients of a group wait for other entries than those of another one.
      if (shape.type === "group") pass.passedGroups.push(turns);
      else pass.exhausted = shape.type;
      return false;
    }
    if (this.#isHeldBack(client, awaitedKey)) return false;

    const reply = localData.inspect(command, argv, sender);
    if (!(reply instanceof Promise)) {
      const open = this.#openPart(client, awaitedKey, reply);
      if (!isNil(open)) this.#finishWhenSafe(client, open);
      return false;
    }

    client.isRunning = true;
    reply.then((settled) => this.#settled(client, awaitedKey, settled));
    return true;
  }

  /**
   * Requests a decision on the command of a client, if there is an element that no other command of this daemon takes,
   * and it is this daemon's turn. @returns whether it was its turn, so that the client is answered or its command runs
   */
  #takeTurn(
    client: WaitingClient,
    awaitedKey: AwaitedKey,
    turns: KeyTurns,
    argv: readonly ByteString[],
    sender: CommandSender,
  ): boolean {
    const { command, shape, localData } = client.request;
    const { db, key } = awaitedKey;
    const { signer } = localData.decided as DecidedCommands;
    this.#turns.checkInTime(turns, signer);
    const turn = turns.turnOf(
      signer,
      sizeOf(localData, { db, key, type: shape.type, argv }, sender),
      this.#writerOf(db, key),
    );
    if (turn === "later") this.#awaitTurn(awaitedKey, turns);
    if (turn !== "now") return false;

    // Wait for the decision even without a majority: if the client received an error now, a later decision would still
    // take the element, and no client would receive it.
    const reply = localData.inspect(command, argv, { ...sender, isPatient: true });
    if (!(reply instanceof Promise)) {
      this.#finishWhenSafe(client, reply);
      return true;
    }

    this.#turns.began(turns, client, shape.elementsMax);
    client.isRunning = true;
    reply.then((settled) => {
      turns.ended(client);
      this.#settled(client, awaitedKey, settled);
    });
    return true;
  }

  /** Serves the clients of a key later, if other daemons do not take its elements in time. */
  #awaitTurn(awaitedKey: AwaitedKey, turns: KeyTurns): void {
    const milliseconds = this.#turns.untilCheck(turns);
    awaitedKey.cancelTurnTimer ??= this.#environment.setTimer(milliseconds, () => {
      awaitedKey.cancelTurnTimer = null;
      this.#markReady(awaitedKey);
    });
  }

  #writerOf(db: number, key: ByteString): ByteString {
    const writers = this.#path.writersOf(db, [key]);
    return writers instanceof Promise ? "" : (writers[0] ?? "");
  }

  /**
   * Whether the entries that a client waits for are held back, because the other daemons have closed no further dates
   * since it was served last. They are requested to close the date of the stream's newest entry too.
   */
  #isHeldBack(client: WaitingClient, awaitedKey: AwaitedKey): boolean {
    if (client.openedTo < 0 || client.openedTo < this.#closedTo(client, awaitedKey)) return false;
    const { localData, sender } = client.request;
    const last = Number.parseInt(
      lastId(localData, awaitedKey.key, this.#senderIn(sender, awaitedKey.db)),
      10,
    );
    this.#closeDates(client, awaitedKey, Math.min(last, localData.closedDates?.newest ?? last));
    return true;
  }

  /** Removes from the reply to a client that follows a stream the entries that it may not receive yet. */
  #openPart(client: WaitingClient, awaitedKey: AwaitedKey, reply: Reply): Reply {
    const { shape, localData } = client.request;
    const { closedDates } = localData;
    if (shape.type !== "stream" || closedDates === null) return reply;
    const closedTo = this.#closedTo(client, awaitedKey);
    const part = openPart(reply, closedTo, closedDates.newest);
    if (part.awaited !== null) this.#closeDates(client, awaitedKey, part.awaited);
    if (isNil(part.reply) && part.awaited !== null) client.openedTo = closedTo;
    return part.reply;
  }

  #closedTo({ request }: WaitingClient, { closedTo }: AwaitedKey): number {
    return Math.max(closedTo, request.localData.closedDates?.closedTo() ?? Number.POSITIVE_INFINITY);
  }

  /** Requests the other daemons to close a date, and then serves the clients of the key. */
  #closeDates({ request }: WaitingClient, awaitedKey: AwaitedKey, at: number): void {
    if (at <= awaitedKey.requestedTo) return;
    awaitedKey.requestedTo = at;
    request.localData.closedDates?.close(at, () => {
      awaitedKey.closedTo = Math.max(awaitedKey.closedTo, at);
      this.#markReady(awaitedKey);
    });
  }

  #settled(client: WaitingClient, { db, key }: AwaitedKey, reply: Reply): void {
    client.isRunning = false;
    // If neither applies, the client continues to wait.
    if (!isNil(reply)) this.#finish(client, reply);
    else if (client.overdue !== null) this.#finish(client, client.overdue);
    // More clients may have begun to wait in the meantime.
    const awaitedKey = this.#find(db, key);
    if (awaitedKey !== undefined) this.#markReady(awaitedKey);
  }

  #endWait(client: WaitingClient, reply: Reply): boolean {
    if (client.isRunning) {
      client.overdue ??= reply;
      return false;
    }
    this.#finishWhenSafe(client, reply);
    return true;
  }

  /** Returns the sender of the waiting command, with the database at the time of the command and the current time. */
  #senderIn({ as, readsAll, isStable, lastWrite }: CommandSender, db: number): CommandSender {
    const now = this.#environment.clock();
    return lastWrite === undefined
      ? { db, as, readsAll, isStable, now }
      : { db, as, readsAll, isStable, now, lastWrite };
  }

  #finishWhenSafe(client: WaitingClient, reply: Reply): void {
    const safe = this.#path.whenSafe(reply);
    if (!(safe instanceof Promise)) {
      this.#finish(client, safe);
      return;
    }
    client.isRunning = true;
    safe.then((settled) => this.#finish(client, settled));
  }

  #finish(client: WaitingClient, reply: Reply): void {
    const { request } = client;
    client.isAnswered = true;
    client.cancelTimer();
    for (const key of request.shape.keys) {
      const awaitedKey = this.#find(request.db, key);
      if (awaitedKey === undefined || !awaitedKey.remove(client)) continue;
      if (awaitedKey.clients.length > 0) continue;
      this.#cancelExpiryTimer(awaitedKey);
      this.#cancelTurnTimer(awaitedKey);
      // Keep the object of a key that a write in flight may change: the next client that waits for the key uses it.
      if (!this.#expected.has(awaitedKey)) this.#forgetKey(awaitedKey);
    }
    request.resolve(reply);
  }

  /** Handles a changed expiry time. Clients are served only if it has made the key expire immediately. */
  #expiryChanged(awaitedKey: AwaitedKey): void {
    const { ofGroup } = awaitedKey;
    if (ofGroup !== undefined && this.#watchExpiry(ofGroup, awaitedKey) === PTTL_ABSENT)
      this.#markReady(awaitedKey);
  }

  /**
   * Schedules a check of a key after its expiry, for clients that wait for one of its groups. @returns the reply of
   * PTTL, or NaN if it is not known yet
   */
  #watchExpiry({ request }: WaitingClient, awaitedKey: AwaitedKey): number {
    this.#cancelExpiryTimer(awaitedKey);
    const sender = this.#senderIn(request.sender, awaitedKey.db);
    const remaining = readFromMemory(request.localData, PTTL, ["PTTL", awaitedKey.key], sender);
    if (remaining?.kind !== "integer") return Number.NaN;
    const milliseconds = Number(remaining.value);
    if (milliseconds >= 0 && milliseconds < TIMER_MS_MAX)
      awaitedKey.cancelExpiryTimer = this.#environment.setTimer(milliseconds + 1, () =>
        this.#markReady(awaitedKey),
      );
    return milliseconds;
  }

  #cancelExpiryTimer(awaitedKey: AwaitedKey): void {
    awaitedKey.cancelExpiryTimer?.();
    awaitedKey.cancelExpiryTimer = null;
  }

  #cancelTurnTimer(awaitedKey: AwaitedKey): void {
    awaitedKey.cancelTurnTimer?.();
    awaitedKey.cancelTurnTimer = null;
  }
}

/** Returns whether a reply means that the command has done nothing. */
function isEmptyResult(reply: Reply): boolean {
  return reply.kind === "integer" ? Number(reply.value) === 0 : isNil(reply);
}

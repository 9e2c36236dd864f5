/**
 * The session of a RESP connection: its state, and the path of its commands, which are looked up, checked, and queued
 * or run. It parses no bytes. Order of the checks, and texts: redis-server 7.0, processCommand; faces/redis/test.
 */

import {
  type LastWrite,
  newLastWrite,
  type StepRunner,
  type WaitingSender,
} from "../../../daemon/engine/backends/command-path.js";
import { completeReply, isStepped } from "../../../daemon/engine/backends/run-steps-in-turns.js";
import type { ClientConnection } from "../../../daemon/net/connections/client-connection.js";
import type { Answer } from "../../../daemon/net/connections/dialect.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { EncodingLimits } from "../../../daemon/store/keyspace/encoding-name.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ChannelKind } from "../../../protocol/members/subscriber-counts.js";
import { type ErrorReply, error, type Reply, status } from "../../../protocol/reply.js";
import { type Denial, UserSession } from "../../users/user-session.js";
import type { User } from "../../users/users.js";
import { queuedBytes } from "../bytes/reply-bytes.js";
import type { RespRequestParser } from "../bytes/resp-request-parser.js";
import { AwaitedCommand } from "./awaited-command.js";
import type { Client, SubscriptionCounts, Tracker } from "./clients.js";
import type { CommandCounts } from "./command-counts.js";
import { mayWrite } from "./may-write.js";
import { Takings } from "./put-back.js";
import { OUT_OF_MEMORY, refusalReply } from "./refused-commands.js";
import type { RespServer } from "./resp-server.js";
import { runOrWait } from "./run-blocking-command.js";
import type { ExecTurns, Subscriptions } from "./subscriptions.js";
import { WatchedKeys } from "./watched-keys.js";

/**
 * Runs a command whose number of arguments was already checked. It may throw CommandFailure.
 * @returns null if there is no reply
 */
export type SessionHandler = (
  session: RespSession,
  argv: readonly ByteString[],
) => Reply | Promise<Reply | null> | null;

/** The result of serving a command, or null if there is no reply. */
export type CommandResult = Reply | Promise<Reply | null> | AwaitedCommand | null;

/** A command, and how a connection treats it. */
export interface Route {
  readonly command: Command;
  /** Handles the command; null if the databases execute it. */
  readonly handler: SessionHandler | null;
  /** The error of a command that this path does not support; null if it does. */
  readonly refusal: ErrorReply | null;
  readonly writes: boolean;
  /** Whether the command is permitted before a login. */
  readonly isOpen: boolean;
  /** The treatment of the command between MULTI and EXEC. */
  readonly inTransaction: "queued" | "at-once" | "refused";
  /** Whether the command waits for data outside of transactions. */
  readonly mayWait: boolean;
  readonly counts: CommandCounts;
  /** Whether scripts may call the command. */
  readonly inScript: boolean;
  /** Whether the command is refused while memory is full. */
  readonly needsMemory: boolean;
}

/** The routes of requests. */
export interface Routes {
  /** @param argv  at least the name */
  find(argv: readonly ByteString[]): Route | CommandFailure;
  /** Returns a route, regardless of the number of arguments. */
  named(argv: readonly ByteString[]): Route | undefined;
}

/** A command that MULTI has queued. */
export interface Queued {
  readonly route: Route;
  readonly argv: readonly ByteString[];
}

const QUEUED = status("QUEUED");
const NO_AUTH = error("NOAUTH Authentication required.");
const NOT_TOGETHER = error("ERR Command not allowed inside a transaction");
/**
 * Matches HTTP requests, which a page of another site can make a browser send here. Like Redis, the session then closes
 * the connection.
 */
const HTTP = /^(post|host:)$/i;

export class RespSession implements Client, WaitingSender<AwaitedCommand> {
  readonly server: RespServer;
  readonly routes: Routes;
  readonly id: number;
  readonly remote: string;
  readonly local: string;
  readonly #connection: ClientConnection<readonly ByteString[]>;
  readonly #parser: RespRequestParser;
  db = 0;
  now = 0;
  protocol: 2 | 3 = 2;
  /** The values of CLIENT SETNAME and SETINFO. */
  name: ByteString = "";
  library: ByteString = "";
  libraryVersion: ByteString = "";
  /**
   * The mode of CLIENT REPLY: whether commands are answered. `skip`: the next command is not answered; `skipping`: the
   * current one is not.
   */
  replies: "on" | "off" | "skip" | "skipping" = "on";
  /** The latest command, or null if there has been none. */
  last: Route | null = null;
  /** Ends the wait of the current command; null if it is not waiting. @returns whether it was still waiting */
  waiting: ((outcome: "timeout" | "error") => boolean) | null = null;
  whenServed: (() => void) | null = null;
  answerOf: (reply: Reply) => Answer = () => "";
  isStable = false;
  isGone = false;
  /** The subscriptions, or null if the client has never subscribed. */
  subscriptions: Subscriptions | null = null;
  readonly lastWrite: LastWrite = newLastWrite();
  /** The commands queued since MULTI, or null if no transaction is open. */
  queued: Queued[] | null = null;
  /** The approximate memory of the queued commands in bytes. */
  queuedBytes = 0;
  /** Whether a command could not be queued, so that EXEC will fail. */
  hasQueueError = false;
  readonly watched: WatchedKeys;
  readonly takings: Takings;
  /**
   * Whether further commands may run before the last one is answered; meaningful only if the path applies writes before
   * it answers them.
   */
  letsFollow = false;
  /** Bytes of the answers that are written, and wait for the disk. */
  heldBytes = 0;
  /** Whether EXEC is running its commands, none of which may wait. */
  isExecuting = false;
  /** The turns of the lists of names in EXEC, or null if EXEC is not running, or runs in one turn. */
  execTurns: ExecTurns | null = null;
  /** The runner of EXEC's commands if there are scripts among them, or null otherwise. */
  steps: StepRunner | null = null;
  /** The start of a transaction with scripts, which share one time limit, as uptime in milliseconds. */
  scriptsSince: number | null = null;
  /** Whether the connection closes after the next answer. */
  isClosing = false;
  readonly userSession: UserSession;

  constructor(
    server: RespServer,
    routes: Routes,
    connection: ClientConnection<readonly ByteString[]>,
    parser: RespRequestParser,
  ) {
    const { localAddress, localPort } = connection.socket;
    this.server = server;
    this.routes = routes;
    this.id = server.nextId();
    this.remote = connection.remote;
    this.local = `${localAddress}:${localPort}`;
    this.#connection = connection;
    this.#parser = parser;
    this.watched = new WatchedKeys(server.absentKeys);
    this.takings = new Takings(server);
    this.userSession = new UserSession(server.host.users, server.host.memory);
    server.clients.add(this);
  }

  get channels(): RespServer["channels"] {
    return this.server.channels;
  }

  get subscriber(): UserSession {
    return this.userSession;
  }

  get userName(): ByteString | null {
    return this.userSession.name;
  }

  get queuedCount(): number {
    return this.queued?.length ?? -1;
  }

  get isWaiting(): boolean {
    return this.waiting !== null;
  }

  get isMonitor(): boolean {
    return this.server.monitors.has(this);
  }

  get subscriptionCounts(): SubscriptionCounts {
    const size = (kind: ChannelKind) => this.subscriptions?.size(kind) ?? 0;
    return { channels: size("channel"), patterns: size("pattern"), shards: size("shard") };
  }

  get tracker(): Tracker | null {
    return this.server.tracking.of(this) ?? null;
  }

  get connectedAt(): number {
    return this.#connection.openedAt;
  }

  get activeAt(): number {
    return this.#connection.activeAt;
  }

  get requestBytes(): number {
    return this.#parser.heldBytes;
  }

  get answerBytes(): number {
    return this.#connection.socket.writableLength;
  }

  get lastCommand(): string | null {
    return this.last?.command.name.toLowerCase() ?? null;
  }

  kill(): void {
    this.#connection.destroy();
  }

  endAfterAnswer(): void {
    this.isClosing = true;
  }

  push(bytes: ByteString): void {
    this.#connection.push(bytes);
  }

  unblock(outcome: "timeout" | "error"): boolean {
    return this.waiting?.(outcome) ?? false;
  }

  onLateWait(): void {
    this.#connection.continueReading();
  }

  /** The user that has logged in, or null if the client must still log in. */
  get user(): User | null {
    return this.userSession.user;
  }

  get as(): ByteString | null {
    return this.userSession.name;
  }

  get readsAll(): boolean {
    return this.userSession.readsAll;
  }

  /** Whether a query may yield to other clients; not during EXEC. */
  get takesSteps(): boolean {
    return !this.isExecuting;
  }

  get encoding(): EncodingLimits {
    return this.server.encoding;
  }

  /**
   * Serves one command. @param argv  at least the name
   * @returns null if there is no reply
   */
  serve(argv: readonly ByteString[]): CommandResult {
    const found = this.routes.find(argv);
    // As in Redis, a client whose user was removed or disabled is disconnected.
    if (!this.userSession.renew()) this.isClosing = true;
    if (found instanceof CommandFailure) {
      if (!HTTP.test(argv[0] as ByteString)) return this.#reject(argv, found.reply);
      this.isClosing = true;
      return null;
    }
    if (this.queued !== null && found.inTransaction === "refused") return this.#reject(argv, NOT_TOGETHER);

    const restricted = this.subscriptions?.answer(found.command, argv) ?? null;
    if (restricted !== null) return restricted.kind === "error" ? this.#reject(argv, restricted) : restricted;

    const needsMemory = this.queued === null ? found.needsMemory : this.#queueNeedsMemory(found);
    const denial = this.userSession.denial(found.command, argv, needsMemory, found.isOpen);
    if (denial !== null) return this.#reject(argv, this.#denied(denial, found, argv));

    this.last = found;
    if (this.queued === null || found.inTransaction === "at-once") {
      if (this.server.path.appliesAhead) this.letsFollow = isAllowedAhead(this, found, 0, 0);
      return this.call(found, argv);
    }
    // phpredis waits for its time limit, or returns false, if the answer to EXEC is an error.
    if (found.refusal !== null) return this.#reject(argv, found.refusal);

    this.queued.push({ route: found, argv });
    this.queuedBytes += queuedBytes(argv);
    return QUEUED;
  }

  /** Runs a command that was found and permitted. */
  call(route: Route, argv: readonly ByteString[]): CommandResult {
    const { server } = this;
    const { environment, waitingClients, tracking, monitors } = server;
    const startedAt = server.mark;
    const isShown = monitors.size > 0 && server.showScript(route.command, argv, this);
    const reply = this.#run(route, argv);
    server.mark = environment.uptime();
    const milliseconds = server.mark - startedAt;
    route.counts.add(milliseconds, reply !== null && "kind" in reply && reply.kind === "error");
    if (monitors.size > 0 && !isShown) server.show(route.command, argv, this);
    if (tracking.size > 0) {
      const ran = () => tracking.ran(this, route.command, argv);
      // CLIENT CACHING applies to a script that waits for the engine.
      if (route.command.runsScript === true && reply instanceof Promise) void reply.then(ran);
      else ran();
    }

    if (this.waiting === null) this.#noteTime(route, argv, milliseconds);
    // Only the command's own time is logged, not the time that the client waits for data.
    else this.#noteTimeWhenServed(route, argv, milliseconds);

    // As in Redis, waiting clients are served before the next command of any client; a transaction counts as one
    // command.
    if (waitingClients.ready.size > 0 && !this.isExecuting) {
      waitingClients.serve();
      server.mark = environment.uptime();
    }

    return reply;
  }

  /**
   * Records the time once the command is served. This is a separate method, because a method that contains a closure
   * allocates its context on every call.
   */
  #noteTimeWhenServed(route: Route, argv: readonly ByteString[], milliseconds: number): void {
    this.whenServed = () => this.#noteTime(route, argv, milliseconds);
  }

  /** Logs a command if it was slow. The limits are read now, because the command itself may have changed them. */
  #noteTime({ command }: Route, argv: readonly ByteString[], milliseconds: number): void {
    const { limits } = this.server.host;
    if (milliseconds >= limits.slowlogTime || (limits.latencyTime > 0 && milliseconds >= limits.latencyTime))
      this.server.logSlow({ command, argv, client: this, milliseconds });
  }

  #run({ command, handler, mayWait }: Route, argv: readonly ByteString[]): CommandResult {
    if (handler === null) {
      if (mayWait && !this.isExecuting) return runOrWait(this.server, command, argv, this);
      const reply = this.server.path.send(command, argv, this);
      // EXEC runs the steps itself, so that no other command runs between them.
      return isStepped(reply) && !this.isExecuting
        ? completeReply(reply, this.server.environment.uptime)
        : reply;
    }
    try {
      return handler(this, argv);
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /**
   * Whether pushed bytes must not overtake the answer to the latest command, which waits only for the disk: the client
   * caches what it reads, and would store the answer after a later invalidation of the same key.
   */
  get hasRun(): boolean {
    const waitsForDisk = this.last?.mayWait === false && this.waiting === null;
    return this.tracker !== null && this.server.path.appliesAhead && waitsForDisk;
  }

  /** Creates the object that waits for the reply to the latest command. */
  waiter(): AwaitedCommand {
    return new AwaitedCommand(this, (this.last as Route).counts);
  }

  /**
   * Returns whether a command may run while earlier commands are not answered. A write may run after other writes,
   * because writes are recorded in order. If the path sends commands to other daemons in order, any command for the
   * databases may run. If writes are applied before they are answered, most commands may run.
   * @param pending  the number of unanswered commands
   */
  mayRunAhead(argv: readonly ByteString[], pending: number): boolean {
    const { localData, appliesAhead } = this.server.path;
    const forwards = localData === null;
    if (!appliesAhead) {
      if (this.last === null || !isAnsweredInOrder(this.last, forwards)) return false;
      const found = this.routes.find(argv);
      return found instanceof CommandFailure || (this.queued === null && isAnsweredInOrder(found, forwards));
    }
    if (!this.letsFollow) return false;

    const found = this.routes.find(argv);
    if (found instanceof CommandFailure) return true;

    return (
      (this.queued !== null && found.inTransaction !== "at-once") ||
      isAllowedAhead(this, found, argv.length, pending)
    );
  }

  /** Returns whether CLIENT PAUSE delays a command. */
  isPaused(argv: readonly ByteString[]): boolean {
    if (this.server.pause.mode === "all") return true;
    const found = this.routes.find(argv);
    if (found instanceof CommandFailure) return false;
    if (found.command.name === "EXEC")
      return this.queued?.some(({ route, argv }) => mayWrite(this.server, route.command, argv)) ?? false;
    return mayWrite(this.server, found.command, argv);
  }

  /** Advances CLIENT REPLY SKIP. Called once for each command whose answer is discarded. */
  muted(): void {
    if (this.replies === "skip") this.replies = "skipping";
    else if (this.replies === "skipping") this.replies = "on";
  }

  /** Stops waiting for data. */
  leave(): void {
    this.waiting?.("timeout");
  }

  /** Releases all resources, because the connection has closed. */
  disconnected(): void {
    this.isGone = true;
    this.leave();
    this.leaveTransaction();
    this.subscriptions?.clear();
    this.server.clients.remove(this);
    this.server.monitors.delete(this);
    this.server.tracking.disconnected(this);
  }

  /** Resets the session to its initial state. */
  reset(): void {
    this.subscriptions?.clear();
    this.leaveTransaction();
    this.db = 0;
    this.protocol = 2;
    this.name = "";
    this.replies = "on";
    this.isStable = false;
    this.server.monitors.delete(this);
    this.server.tracking.end(this);
    this.userSession.logOut();
  }

  /** Ends the transaction: the queue is dropped, and no keys are watched any longer. */
  leaveTransaction(): void {
    this.queued = null;
    this.queuedBytes = 0;
    this.hasQueueError = false;
    this.watched.clear();
  }

  #denied(denial: Denial, found: Route, argv: readonly ByteString[]): ErrorReply {
    if (denial === "no-login") return NO_AUTH;
    if (denial !== "no-memory") return refusalReply(this, found.command, argv, denial);
    this.last = found;
    return OUT_OF_MEMORY;
  }

  /** Rejects a command. A command that cannot be queued makes EXEC fail; a rejected EXEC ends the transaction. */
  #reject(argv: readonly ByteString[], reply: ErrorReply): ErrorReply {
    const route = this.routes.named(argv);
    if (route !== undefined) route.counts.rejected++;
    if (argv[0]?.toUpperCase() === "EXEC") {
      this.leaveTransaction();
      return error(`EXECABORT Transaction discarded because of: ${reply.text.replace(/^ERR /, "")}`);
    }
    if (this.queued !== null) this.hasQueueError = true;
    return reply;
  }

  /**
   * Returns whether a command in a transaction needs memory. EXEC does if one of the queued commands does. The commands
   * that end a transaction without running it need none. Any other command needs memory because it is queued.
   */
  #queueNeedsMemory({ command: { name, connectionUse } }: Route): boolean {
    if (name === "EXEC") return this.queued?.some(({ route }) => route.needsMemory) ?? false;
    return name !== "DISCARD" && connectionUse !== "ends";
  }
}

/**
 * Returns whether a command is answered in the order of arrival, without waiting for data, a time or other daemons.
 * @param forwards  whether the daemon sends commands to other daemons, which answer even reads in that order
 */
function isAnsweredInOrder({ writes, handler, mayWait }: Route, forwards: boolean): boolean {
  return (writes || forwards) && handler === null && !mayWait;
}

/** The groups of reads that are answered in one step. */
const READ_GROUPS: ReadonlySet<string> = new Set([
  ...["string", "bitmap", "hyperloglog", "keyspace", "list", "hash", "set", "sortedset", "stream", "geo"],
]);
/** The maximum number of unanswered commands, and of its own arguments, with which a read may wait to run. */
const WAITING_READS_MAX = 512;
const READ_ARGUMENTS_MAX = 16;
/** The commands that neither show nor change data. */
const IMMEDIATE: ReadonlySet<string> = new Set(["MULTI", "DISCARD", "UNWATCH", "PING", "ECHO"]);
/** The commands that depend on the state of the connection, or on the keys as its earlier commands have left them. */
const AFTER_EARLIER: ReadonlySet<string> = new Set(["WATCH", "SELECT"]);

/**
 * Returns whether a command may run while earlier commands are not answered, if writes are applied before they are
 * answered.
 * @param route  the command, which is not queued in a transaction
 * @param words  the number of its arguments, including the name
 * @param pending  the number of unanswered commands
 */
function isAllowedAhead(session: RespSession, route: Route, words: number, pending: number): boolean {
  const { command, handler, mayWait } = route;
  const isEarlierApplied = session.lastWrite.unapplied === 0 && session.lastWrite.deciding === null;
  if (IMMEDIATE.has(command.name)) return true;

  if (handler === null) {
    if (mayWait) return false;
    if (command.writes) return true;
    if (!READ_GROUPS.has(command.group) || command.isQuery) return false;
    if (isEarlierApplied) return true;

    // A read that runs later than it arrived would be remembered for a cache too early.
    const isTracked = session.server.tracking.size > 0 && session.tracker !== null;
    // The reads that wait for the same commands run in one turn, so together they must be short.
    return (
      !isTracked &&
      command.flags.includes("fast") &&
      words <= READ_ARGUMENTS_MAX &&
      pending < WAITING_READS_MAX
    );
  }

  if (command.runsScript === true) return session.server.scripts.isReady;
  if (command.name === "EXEC") return isExecAllowedAhead(session, isEarlierApplied);

  return isEarlierApplied && AFTER_EARLIER.has(command.name);
}

function isExecAllowedAhead({ queued, watched, server }: RespSession, isEarlierApplied: boolean): boolean {
  if (queued === null) return true;
  // The members of the list decide on it, so that it is not applied when the next command runs.
  if (server.path.decides && watched.size > 0) return false;
  // Whether an absent key was created in the meantime is known only when the earlier commands are applied.
  if (!isEarlierApplied && watched.size > 0) return false;
  // Messages alone would be published before the disk has what the client has sent before them.
  if (queued.length > 0 && queued.every(({ route }) => route.command.channels === "first")) return false;
  if (!queued.some(({ route }) => route.command.runsScript === true))
    return queued.every(isForStore) && (isEarlierApplied || queued.some(({ route }) => route.command.writes));

  const areSteps = queued.every(({ route }) => route.handler === null || route.command.runsScript === true);
  return areSteps && server.scripts.isReady;
}

/** Whether a command of a transaction is executed by the store, or published after the transaction. */
const isForStore = ({ route: { handler, command } }: { readonly route: Route }): boolean =>
  handler === null || command.channels === "first";

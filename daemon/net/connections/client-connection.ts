/**
 * One client of a listener, independent of the protocol: its states (open, ending, closed), its turns, its combined
 * writes, the bytes that it holds, its timeouts, and how it closes. A connection never blocks other clients: it works
 * for at most a few milliseconds per turn, and stops reading while no more requests may be served. Its dialect
 * interprets the bytes.
 */

import { Socket } from "node:net";
import type { ByteString } from "../../../protocol/byte-string.js";
import { stackOf } from "../../../protocol/errors.js";
import { TURN_MS } from "../../../protocol/steps.js";
import type { Environment } from "../process/clock-and-randomness.js";
import { isTracing, traceCommand, traceFrame } from "../process/log.js";
import { ClientOutput, HeldBytes, type OutputHandlers } from "./client-output.js";
import type { ClientSocket, SocketListeners } from "./client-socket.js";
import type { ConnectionRegistry, OpenConnection } from "./connection-registry.js";
import {
  type ClientDoing,
  type Closing,
  closing,
  type Dialect,
  type HandOver,
  type InterimAnswer,
  type Served,
  wrongBeginning,
} from "./dialect.js";
import type { PushedTo } from "./pushed-output.js";

export class ClientConnection<Request> implements OpenConnection, OutputHandlers, PushedTo {
  readonly remote: string;
  readonly address: string;
  readonly openedAt: number;
  activeAt: number;
  readonly socket: ClientSocket;
  readonly #registry: ConnectionRegistry;
  readonly #held: HeldBytes;
  readonly #dialect: Dialect<Request>;
  readonly #unlisten: () => void;
  readonly #output: ClientOutput;
  /** Whether pushed bytes have not been sent yet. */
  #isPushing = false;
  /** Whether the connection continues to serve requests in the next turn. */
  #hasTurn = false;
  #isUnauthenticated = true;
  #hasBegun = false;
  /** Whether the log already contains the reason why the connection will close. */
  #isNoted = false;
  #inputEnded = false;
  #isStopping = false;
  #state: "open" | "ending" | "closed" = "open";

  constructor(
    socket: ClientSocket,
    registry: ConnectionRegistry,
    dialectOf: (connection: ClientConnection<Request>) => Dialect<Request>,
  ) {
    this.socket = socket;
    this.#registry = registry;
    this.#held = new HeldBytes(registry.budget);
    this.openedAt = registry.environment.uptime();
    this.activeAt = this.openedAt;
    this.address = socket.remoteAddress ?? "";
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;

    const dialect = dialectOf(this);
    this.#dialect = dialect;
    this.#output = new ClientOutput(this, registry, dialect, this.#held);
    this.#unlisten = listenTo(socket, {
      data: this.#onData,
      end: this.#onEnd,
      drain: this.#onDrain,
      finish: () => destroyAfterLinger(socket, registry.environment),
      timeout: this.#onTimeout,
      error: ({ message }) =>
        registry.log.debug({ remote: this.remote, reason: message }, "connection failed"),
      close: this.#disconnected,
    });
  }

  get heldBytes(): number {
    return this.#held.total;
  }

  get unreadBytes(): number {
    return this.#held.answers;
  }

  get doing(): ClientDoing {
    return this.#dialect.doing;
  }

  checkTime(now: number): void {
    if (this.#state !== "open" || this.#isBusy) return;
    const { limits, log } = this.#registry;
    const silent = now - this.activeAt;
    const max = this.#dialect.silenceMaxMs;
    if (this.#dialect.isMidRequest && silent >= limits.idleTimeout) {
      this.#close(closing("frame-unfinished", "the remainder did not arrive within --idle-timeout"));
    } else if (max > 0 && silent >= max) {
      log.debug({ remote: this.remote }, "idle connection closed");
      this.#end("");
    }
  }

  stop(): void {
    this.#isStopping = true;
    this.#dialect.stopWaiting?.();
    if (this.#state === "ending") this.socket.destroySoon();
    else if (this.#state === "open" && !this.#isBusy) this.#end("");
  }

  destroy(): void {
    this.socket.destroy();
    this.#disconnected();
  }

  /**
   * Closes the connection, and logs the reason.
   * @param lastBytes  the bytes to send after all earlier ones, or null to send none and close immediately
   */
  drop(code: string, detail: string, lastBytes: string | null = null): void {
    this.#close(closing(code, detail, lastBytes));
  }

  /** Counts the connection's bytes as an authenticated client's, before the listener authenticates the client. */
  trust(): void {
    this.#held.prove();
  }

  /**
   * Sends bytes that answer no request, after the earlier answers. The bytes of all calls in one turn are sent
   * together.
   */
  push(bytes: string): void {
    if (this.#state !== "open") return;
    const output = this.#output;
    output.push(bytes);
    if (output.hasFullWrite) output.flush();
    if (this.#isPushing) return;
    this.#isPushing = true;
    this.#registry.pushes.add(this);
  }

  /** Sends the pushed bytes. The number of bytes that the dialect holds does not change. */
  sendPushed(): void {
    this.#isPushing = false;
    if (this.#state !== "open") return;
    this.#output.flush();
    if (this.#state === "open" && this.#held.report(this.#output.heldBytes)) this.#registry.overBudget();
  }

  /** Continues to serve in the next turn. */
  nextTurn(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    setImmediate(() => {
      this.#hasTurn = false;
      if (this.#state !== "open") return;
      this.activeAt = this.#registry.environment.uptime();
      if (!this.#output.isFull) this.#work();
      this.#account();
    });
  }

  /**
   * Continues to read from a client that waits for data, to detect that the client disconnects. The request of a
   * disconnected client stops waiting, so that the data remains available to other clients.
   */
  continueReading(): void {
    if (!this.#dialect.isWaitingForData) return;
    if (this.#inputEnded) this.#end("");
    if (this.#state !== "open" || this.#isStopping) this.#dialect.stopWaiting?.();
    else this.#resumeReading();
  }

  get #isBusy(): boolean {
    return this.#output.pending > 0 || this.#hasTurn || this.#output.isFull || this.#dialect.isRequestWaiting;
  }

  get #mayServe(): boolean {
    return !this.#hasTurn && !this.#output.isFull && this.#dialect.accepts(this.#output.pending);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state !== "open") return;
    const dialect = this.#dialect;
    if (this.#isUnauthenticated) this.#registry.received(this);
    traceFrame(this.#registry.log, "received", this.remote, chunk, dialect.showsBytes);
    try {
      if (!this.#hasBegun) {
        const wrong = wrongBeginning(dialect, chunk);
        if (wrong?.kind === "interim") return void this.#answerInterim(wrong);
        this.#hasBegun = true;
        if (wrong !== null) return void this.#close(wrong);
        this.#isNoted = false;
      }
      if (dialect.push(chunk)) this.activeAt = this.#registry.environment.uptime();
    } catch (problem) {
      return void this.#close(readingFailed(problem));
    }
    if (this.#mayServe) this.#work();
    else if (!dialect.isWaitingForData && !(dialect.readsOn && this.#output.isFull)) this.socket.pause();
    dialect.copyUnread();
    this.#account();
  };

  /** Answers a client of another protocol. The time of the last request does not change. */
  #answerInterim({ detail, bytes }: InterimAnswer): void {
    this.#noteRefusal("malformed", detail);
    this.#isNoted = true;
    this.push(bytes);
  }

  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    this.#dialect.inputEnded?.();
    this.#endIfGone();
    this.continueReading();
    if (this.#state === "open" && !this.#isBusy) this.#work();
  };

  /**
   * Ends the connection without the pending answers if the client may have gone and one of them must not be lost. A
   * client that only ends its input cannot be distinguished from one that has gone.
   */
  #endIfGone(): void {
    if (this.#inputEnded && this.#output.mustBeWritten) this.#end("");
  }

  readonly #onTimeout = (): void => this.drop("output-stuck", `${this.socket.writableLength} bytes wait`);

  #work(): void {
    if (!this.#output.continueLong()) return;
    this.#dialect.begin?.(this.activeAt);
    const isThrough = this.#serve();
    this.#dialect.end?.();
    if (this.#isUnauthenticated) this.#prove();
    if (isThrough) this.#finishWork();
    else this.#readWhileFull();
  }

  /**
   * Continues to read although the client must read first, if it may send all its requests before it reads. Otherwise
   * both sides would wait for each other.
   */
  #readWhileFull(): void {
    const mayRead = this.#state === "open" && !this.#isStopping;
    if (mayRead && this.#dialect.readsOn && this.#output.isFull) this.#resumeReading();
  }

  /** Serves complete requests. @returns false if more must be served later, or if the connection is closed */
  #serve(): boolean {
    const [dialect, output] = [this.#dialect, this.#output];
    const { environment, log } = this.#registry;
    const traces = !dialect.showsBytes && isTracing(log);
    const endsAt = this.activeAt + TURN_MS;
    let remaining = dialect.requestsPerClockCheck;
    while (!dialect.isClosing) {
      let request: Request | null;
      try {
        request = dialect.next(output.pending);
      } catch (problem) {
        this.#close(readingFailed(problem));
        return false;
      }
      if (request === null) return true;

      const served = dialect.serve(request);
      if (traces) traceCommand(log, this.remote, dialect);
      if (typeof served === "string") output.add(served);
      else if (!this.#handleServed(served, request)) return false;
      // A request may have closed its own connection.
      if (this.#state !== "open") return false;

      if (--remaining > 0 && !output.hasFullWrite) continue;
      remaining = dialect.requestsPerClockCheck;
      const isLate = environment.uptime() > endsAt;
      if ((isLate || output.hasFullWrite) && !output.flush()) return false;
      if (isLate) {
        this.nextTurn();
        return false;
      }
    }
    return true;
  }

  /** Handles an answer that is not a string. @returns false if no more requests are served for now */
  #handleServed(served: Exclude<Served, string>, request: Request): boolean {
    if (served instanceof Promise || served.kind === "later") {
      this.#output.await(served, this.#dialect.bytesOf(request));
      this.#endIfGone();
      return true;
    }
    if (served.kind === "long") return this.#output.addLong(served);
    if (served.kind === "closing") this.#close(served);
    else this.#handOver(served);
    return false;
  }

  onAnswered(): void {
    if (this.#isUnauthenticated) this.#prove();
  }

  onClosing(why: Closing): void {
    this.#close(why);
  }

  /** Sends the answers that are ready, and continues to serve. */
  onReady(): void {
    if (this.#state !== "open") return;
    this.activeAt = this.#registry.environment.uptime();
    this.#output.sendReady();
    if (this.#state !== "open") return;
    if (this.#mayServe) this.#work();
    else this.#finishWork();
    this.#account();
  }

  #prove(): void {
    if (!this.#dialect.isProven || this.#state === "closed") return;
    this.#isUnauthenticated = false;
    this.#held.prove();
    this.#registry.proved(this);
  }

  #handOver({ take, otherwise }: HandOver): void {
    if (this.#dialect.isMidRequest || this.#dialect.next(0) !== null || this.#inputEnded) {
      this.#close(otherwise);
      return;
    }
    this.#unlisten();
    this.#disconnected();
    take(this.socket);
  }

  readonly #onDrain = (): void => {
    const wasFull = this.#output.drained();
    if (this.#state === "open" && wasFull) this.nextTurn();
    this.#account();
  };

  /** Decides how to continue when all available requests have been served. */
  #finishWork(): void {
    const dialect = this.#dialect;
    if (this.#isBusy) {
      if (!this.#output.flush()) {
        this.#readWhileFull();
        return;
      }
      this.continueReading();
      this.#readWhileFull();
      if (!this.#isStopping && this.#mayServe) this.#resumeReading();
      return;
    }
    const problem = dialect.isClosing ? null : dialect.problem(this.#inputEnded);
    if (problem !== null) this.#close(problem);
    else if (dialect.isClosing || this.#inputEnded || this.#isStopping) this.#end("");
    else if (this.#output.flush()) this.#resumeReading();
  }

  #resumeReading(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  #close({ code, detail, lastBytes, offset }: Closing): void {
    if (this.#state !== "open" && lastBytes !== null) return;
    this.#noteRefusal(code, detail, offset);
    this.#isNoted = false;
    if (lastBytes === null) this.destroy();
    else this.#end(lastBytes);
  }

  #noteRefusal(code: string, detail: string, offset?: number): void {
    if (this.#isNoted) return;
    const position = offset === undefined ? {} : { offset };
    this.#registry.refusals.note(code, { remote: this.remote, detail, ...position });
    this.#registry.observer.refused(this.#dialect.listener, code);
  }

  /** Ends the connection after the collected answers. */
  #end(lastBytes: string): void {
    if (this.#state !== "open") return;
    const last = this.#output.take() + lastBytes;
    this.#state = "ending";
    this.#output.stop();
    const { idleTimeout } = this.#registry.limits;
    const inputEnded = this.#inputEnded;
    endSocket(this.socket, last, { idleTimeout, isExpected: this.#isStopping || inputEnded, inputEnded });
    this.#account();
  }

  readonly #disconnected = (): void => {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#output.stop();
    this.#dialect.disconnected?.();
    this.#held.release();
    this.#registry.leave(this);
  };

  #account(): void {
    if (this.#state === "closed") return;
    this.#held.queued = this.#dialect.heldBytes;
    if (this.#state === "open" && this.#held.report(this.#output.heldBytes)) this.#registry.overBudget();
  }
}

/**
 * Returns the close reason for an error in the code that parses requests. The client's bytes caused it, and nothing was
 * executed, so it ends only the connection. An error while a request is executed still ends the process, because the
 * data may be partially changed.
 */
const readingFailed = (problem: unknown): Closing => closing("internal-error", stackOf(problem), null);

/**
 * Adds listeners to a socket that may be handed over.
 * @returns a function that removes only these listeners, because the socket also has other listeners
 */
function listenTo(socket: ClientSocket, listeners: SocketListeners): () => void {
  const all = Object.entries(listeners) as [keyof SocketListeners, (...parameters: unknown[]) => void][];
  for (const [event, listener] of all) socket.on(event, listener);
  return () => {
    for (const [event, listener] of all) socket.off(event, listener);
  };
}

interface EndOptions {
  readonly idleTimeout: number;
  /** Whether the client sends no more requests and expects no more answers. */
  readonly isExpected: boolean;
  /** Whether the client has ended its stream, and all of it was read. */
  readonly inputEnded: boolean;
}

/** The milliseconds within which a client must close the connection. */
const LINGER_MS = 2000;

/**
 * Writes the last bytes and ends the connection. If the client expects no more bytes, the socket is closed when the
 * last bytes have been sent; otherwise the connection continues to read and discard what the client still sends. If the
 * client has ended its stream and all answers are sent, the socket is closed without a shutdown, which would cost a
 * system call, two timers and several stream events for each client that connects for a single call. TLS connections
 * are always shut down, because TLS requires a last record.
 */
export function endSocket(
  socket: ClientSocket,
  last: ByteString,
  { idleTimeout, isExpected, inputEnded }: EndOptions,
): void {
  const isPlain = socket instanceof Socket && !("encrypted" in socket);
  if (isPlain && inputEnded && last === "" && socket.writableLength === 0) return void socket.destroy();
  if (last === "") socket.end();
  else socket.end(last, "latin1");
  socket.setTimeout(idleTimeout);
  if (isExpected) socket.destroySoon();
  else socket.resume();
}

/**
 * Destroys the socket after a limited time. Until then, the connection reads and discards the bytes that the client
 * still sends: unread bytes would turn the close into a reset, and the client could lose the last answer.
 */
function destroyAfterLinger(socket: ClientSocket, environment: Environment): void {
  socket.setTimeout(0);
  socket.once(
    "close",
    environment.setTimer(LINGER_MS, () => socket.destroy()),
  );
}

/**
 * The protocol of a listener's clients, as their connections use it: bytes in, requests, answers out. A dialect knows
 * no socket. The methods here are defaults.
 */
import type { ClientSocket } from "./client-socket.js";
import type { ConnectionRefusal } from "./connection-refusals.js";
import type { ForeignClient } from "./foreign-client.js";

/** An answer that is not handed over as one string. */
export interface LongAnswer {
  readonly kind: "long";
  /** Bytes that `write` has still to hand over. */
  readonly left: number;
  /**
   * Writes on.
   * @param sent  receives what is sent to the client
   * @returns false: not all of it yet, which only a dialect that answers one request after the other may return
   */
  write(socket: ClientSocket, sent: (bytes: Buffer | string) => void): boolean;
}

/** Why the connection closes. */
export interface Closing {
  readonly kind: "closing";
  /** One of those that the listener has sentences for. */
  readonly code: string;
  /** The detail for the log. */
  readonly detail: string;
  /** What is sent after the answers before it; null: it closes immediately, whatever they are. */
  readonly words: string | null;
  /** Where in the stream, in bytes. */
  readonly offset?: number;
}

/** @typeParam Code  of the program; its own are named there */
export function closing<Code extends string = ConnectionRefusal>(
  code: Code,
  detail: string,
  words: string | null = "",
): Closing {
  return { kind: "closing", code, detail, words };
}

/** The connection continues as another one's, for example a peer's. */
export interface HandOver {
  readonly kind: "hand-over";
  /** Takes the socket: no listener is left on it, and nothing has been received after the request. */
  take(socket: ClientSocket): void;
  /** If something has. */
  readonly otherwise: Closing;
}

/** "": nothing is sent. */
export type Answer = string | LongAnswer | Closing;

export type Served = Answer | HandOver | Promise<Answer> | LaterAnswer;

/**
 * An answer that is still to come, at its position among the others. Code that makes one for a request keeps no
 * reference to it after the answer: awaited answers live for milliseconds, and each object between a command and its
 * answer is one more for the garbage collector to copy.
 */
export interface LaterAnswer {
  readonly kind: "later";
  answer: string | LongAnswer | null;
  /** Bytes of its request, which stay in memory until it is answered. */
  bytes: number;
  /** The listener to notify; null: none yet, as within the call that serves the request. */
  listener: AnswerListener | null;
}

export interface AnswerListener {
  /** Once for each. */
  answered(later: LaterAnswer, answer: Answer): void;
}

/** Cuts a stream into requests. */
export interface RequestParser<Request> {
  /** Bytes of requests that have not been taken. */
  readonly heldBytes: number;
  /** Whether a request has begun that is not complete. */
  readonly isMidRequest: boolean;
  /** Takes bytes as they were received. Those that it has not copied are only lent, until `keep`. */
  push(chunk: Buffer): void;
  keep?(): void;
  /** Returns the next complete request; null: there is none. */
  next(): Request | null;
}

/** The last command of a connection's client, for administrators; "": not known. */
export interface ClientDoing {
  /** The user, or the signing key's label or first digits. */
  readonly name: string;
  /** The name of its last command, without its arguments. */
  readonly command: string;
}

const DOING_NOTHING: ClientDoing = { name: "", command: "" };

export abstract class Dialect<Request> {
  /** The listener's name in metrics. */
  abstract readonly listener: string;
  /** Whether answers are sent in the order of the requests; otherwise in the order in which they are ready. */
  readonly isInOrder: boolean = true;
  /** Whether more is read and served, up to --max-output-bytes, while the client does not take what was written. */
  readonly readsOn: boolean = false;
  /** Requests that are served between two checks of the clock. */
  readonly requestsPerLook: number = 1;
  /** Whether the client has shown that it may send commands here. */
  abstract readonly isProven: boolean;
  /** Whether the connection closes after the answers to what was served. */
  abstract readonly isClosing: boolean;
  protected abstract readonly parser: RequestParser<Request>;

  /** Bytes of requests that have not been served. */
  get heldBytes(): number {
    return this.parser.heldBytes;
  }

  get doing(): ClientDoing {
    return DOING_NOTHING;
  }

  /** Whether a request has begun whose rest must be received within --idle-timeout. */
  get isMidRequest(): boolean {
    return this.parser.isMidRequest;
  }

  /** Whether a request waits for something else than answers. */
  get isHeldBack(): boolean {
    return false;
  }

  /**
   * Whether the client waits for data. Then it is read from, whatever it sends, since its disconnect would not be
   * noticed otherwise.
   */
  get listensOn(): boolean {
    return false;
  }

  /** Returns what a client is whose first bytes are another protocol's; null: nothing else is known of them. */
  foreignClient(_chunk: Buffer): ForeignClient | null {
    return null;
  }

  /** Whether a connection may begin with this byte: otherwise it closes, and none of its bytes counts as a request. */
  isFirstByte(_byte: number): boolean {
    return true;
  }

  /**
   * Takes bytes as they were received; they are only lent, until `keep`.
   * @returns whether a request has begun or is complete; otherwise the connection counts as silent
   */
  push(chunk: Buffer): boolean {
    this.parser.push(chunk);
    return true;
  }

  /** The last chunk will be overwritten. */
  keep(): void {
    this.parser.keep?.();
  }

  /** Whether more requests may be served while the given number of them is not answered. */
  takes(pending: number): boolean {
    return pending === 0;
  }

  /**
   * Returns the next complete request that may be served while the given number of them is not answered; null: there
   * is none.
   */
  next(pending: number): Request | null {
    return this.takes(pending) ? this.parser.next() : null;
  }

  abstract serve(request: Request): Served;

  abstract bytesOf(request: Request): number;

  /** Returns what is wrong with the stream after its last request; null: nothing. */
  abstract problem(isEnded: boolean): Closing | null;

  /** Milliseconds for which a client may be silent between requests; 0: for ever. */
  abstract readonly silenceMost: number;

  /** Requests will be served, in this turn. @param now  `uptime` milliseconds */
  begin(_now: number): void {}

  /** The requests of this turn have been served. */
  end(): void {}

  /** The client has sent its last byte; the received part of a request may be a complete one. */
  sendsNoMore(): void {}

  /** The given number of characters is sent to the client. */
  sent(_characters: number): void {}

  /** The daemon stops, or the client sends no more: nothing waits for data any longer. */
  leave(): void {}

  /** The connection is closed. */
  gone(): void {}
}

/**
 * What a listener's clients speak, as their connections see it: bytes in, requests, answers out. A dialect knows no socket. What
 * stands here is so where a dialect says nothing else.
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
   * @param sent  is told what goes to the client
   * @returns false: not all of it yet, which only who answers one request after the other may say
   */
  write(socket: ClientSocket, sent: (bytes: Buffer | string) => void): boolean;
}

/** Why the connection closes. */
export interface Closing {
  readonly kind: "closing";
  /** One of those that the listener has sentences for. */
  readonly code: string;
  /** For the log. */
  readonly detail: string;
  /** Behind the answers that were given; null: it closes at once, whatever they are. */
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

/** The connection is somebody else's from here on. */
export interface HandOver {
  readonly kind: "hand-over";
  /** Nobody listens to the socket any more, and nothing has come behind the request. */
  take(socket: ClientSocket): void;
  /** If something has. */
  readonly otherwise: Closing;
}

/** "": nothing is said. */
export type Answer = string | LongAnswer | Closing;

export type Served = Answer | HandOver | Promise<Answer> | LaterAnswer;

/**
 * An answer that is still to come, in its place among the others. Whoever makes one for a request lets go of it with the answer: all
 * that are awaited live for milliseconds, so that each object between a command and its answer is one more for the garbage collector
 * to copy.
 */
export interface LaterAnswer {
  readonly kind: "later";
  answer: string | LongAnswer | null;
  /** Of its request, which are held until it is answered. */
  bytes: number;
  /** Who is to be told; null: nobody yet, as within the call that serves the request. */
  listener: AnswerListener | null;
}

export interface AnswerListener {
  /** Once for each. */
  answered(later: LaterAnswer, answer: Answer): void;
}

/** What cuts a stream into requests. */
export interface RequestParser<Request> {
  /** Bytes of requests that have not been taken. */
  readonly heldBytes: number;
  /** Whether a request has begun that is not whole. */
  readonly isMidRequest: boolean;
  /** Takes bytes as they came. Those that it has not copied are only lent, until `keep`. */
  push(chunk: Buffer): void;
  keep?(): void;
  /** The next whole request; null: it has not come. */
  next(): Request | null;
}

/** What a connection's client did last, for administrators; "": not known. */
export interface ClientDoing {
  /** The user, or the signing key's label or first digits. */
  readonly name: string;
  /** The name of its last command, without its arguments. */
  readonly command: string;
}

const DOING_NOTHING: ClientDoing = { name: "", command: "" };

export abstract class Dialect<Request> {
  /** For metrics. */
  abstract readonly listener: string;
  /** Whether answers leave in the order of the requests; else as they come. */
  readonly isInOrder: boolean = true;
  /** Whether more is read and served, up to --max-output-bytes, while the client does not take what was written. */
  readonly readsOn: boolean = false;
  /** How many requests are served between two looks at the clock. */
  readonly requestsPerLook: number = 1;
  /** Whether the client has shown that it may send commands here. */
  abstract readonly isProven: boolean;
  /** Whether the connection closes behind the answers to what was served. */
  abstract readonly isClosing: boolean;
  protected abstract readonly parser: RequestParser<Request>;

  /** Bytes of requests that have not been served. */
  get heldBytes(): number {
    return this.parser.heldBytes;
  }

  get doing(): ClientDoing {
    return DOING_NOTHING;
  }

  /** Whether a request has begun of which the rest has to come within --idle-timeout. */
  get isMidRequest(): boolean {
    return this.parser.isMidRequest;
  }

  /** Whether a request waits for something else than answers. */
  get isHeldBack(): boolean {
    return false;
  }

  /** Whether the client waits for data: it is read from, whatever it sends, else nobody would learn that it has gone. */
  get listensOn(): boolean {
    return false;
  }

  /** Returns what a client is whose first bytes are another protocol's; null: nothing else is known of them. */
  foreignClient(_chunk: Buffer): ForeignClient | null {
    return null;
  }

  /** Whether a connection may begin with this byte: else it closes, and none of its bytes counts as a request. */
  isFirstByte(_byte: number): boolean {
    return true;
  }

  /**
   * Takes bytes as they came; they are only lent, until `keep`.
   * @returns whether a request has begun or come whole; else the connection counts as silent
   */
  push(chunk: Buffer): boolean {
    this.parser.push(chunk);
    return true;
  }

  /** The last chunk will be overwritten. */
  keep(): void {
    this.parser.keep?.();
  }

  /** Whether requests may be served beside so many that have not been answered. */
  takes(pending: number): boolean {
    return pending === 0;
  }

  /** The next whole request that may be served beside so many that have not been answered; null: there is none. */
  next(pending: number): Request | null {
    return this.takes(pending) ? this.parser.next() : null;
  }

  abstract serve(request: Request): Served;

  abstract bytesOf(request: Request): number;

  /** What is wrong with the stream behind its last request; null: nothing. */
  abstract problem(isEnded: boolean): Closing | null;

  /** Milliseconds for which a client may be silent between requests; 0: for ever. */
  abstract readonly silenceMost: number;

  /** Requests will be served, in this turn. @param now  `uptime` milliseconds */
  begin(_now: number): void {}

  /** They have been. */
  end(): void {}

  /** The client has sent its last byte; what has come of a request may be one. */
  sendsNoMore(): void {}

  /** So many characters go to the client. */
  sent(_characters: number): void {}

  /** The daemon stops, or the client sends no more: nobody waits for data any longer. */
  leave(): void {}

  /** The connection is no more. */
  gone(): void {}
}

/**
 * The protocol of a listener's clients, in the form that connections use. It parses received bytes into requests, and
 * formats answers as bytes. A dialect does not use sockets. The methods of this base class are defaults.
 */
import type { ClientSocket } from "./client-socket.js";
import type { ConnectionRefusal } from "./connection-refusals.js";
import type { ForeignClient } from "./foreign-client.js";

/** An answer that is not written as one string. */
export interface LongAnswer {
  readonly kind: "long";
  /** The number of bytes that `write` has not written yet. */
  readonly left: number;
  /**
   * Continues to write the answer.
   * @param sent  receives the bytes that are sent to the client
   * @returns false if a part of the answer remains; allowed only for dialects that answer one request after the other
   */
  write(socket: ClientSocket, sent: (bytes: Buffer | string) => void): boolean;
}

/** The reason why the connection closes. */
export interface CloseAnswer {
  readonly kind: "closing";
  /** One of the codes for which the listener has a sentence. */
  readonly code: string;
  /** The detail for the log. */
  readonly detail: string;
  /** The bytes to send after the earlier answers, or null to close immediately, without sending those answers. */
  readonly lastBytes: string | null;
  /** The position in the stream, in bytes. */
  readonly offset?: number;
}

/** An answer to a client of another protocol, whose connection closes after its next message. */
export interface InterimAnswer {
  readonly kind: "interim";
  /** The detail for the log. */
  readonly detail: string;
  readonly bytes: string;
}

/** Creates a close reason. @typeParam Code  the codes that the program defines */
export function closing<Code extends string = ConnectionRefusal>(
  code: Code,
  detail: string,
  lastBytes: string | null = "",
): CloseAnswer {
  return { kind: "closing", code, detail, lastBytes };
}

/** The end of a connection that passes its socket to another one, for example to one with a peer. */
export interface HandOver {
  readonly kind: "hand-over";
  /** Receives the socket. It has no listeners, and no bytes were received after the request. */
  take(socket: ClientSocket): void;
  /** The close reason if bytes were received after the request. */
  readonly otherwise: CloseAnswer;
}

/** An answer; "" sends nothing. */
export type WireAnswer = string | LongAnswer | CloseAnswer;

export type Served = WireAnswer | HandOver | Promise<WireAnswer> | LaterAnswer;

/**
 * A pending answer, in its position among the other answers. The code that creates the object must not keep a
 * reference to it after the answer, because pending answers are needed only for milliseconds, and the garbage collector
 * copies each object that is still referenced.
 */
export interface LaterAnswer {
  readonly kind: "later";
  answer: string | LongAnswer | null;
  /** The size of its request, which stays in memory until it is answered. */
  bytes: number;
  /** The receiver of the answer, or null during the call that serves the request. */
  receiver: AnswerReceiver | null;
  /** Whether the request has run, so that bytes pushed from then on must not overtake the answer. */
  hasRun?: boolean;
  /** Notified if the answer arrives and cannot be written, because the connection has ended; null if it need not be. */
  readonly observer?: AnswerObserver | null;
}

/** The observer of an answer that must not be lost. */
export interface AnswerObserver {
  /** Called if the answer cannot be written. */
  onUnwritten(): void;
}

export interface AnswerReceiver {
  /** Called once for each pending answer. */
  answered(later: LaterAnswer, answer: WireAnswer): void;
}

/** The parser that splits a stream into requests. */
export interface RequestParser<Request> {
  /** The number of bytes that have not been returned as requests. */
  readonly heldBytes: number;
  /** Whether a request is incomplete. */
  readonly isMidRequest: boolean;
  /** Adds received bytes. The parser may use them without a copy only until `copyUnread`. */
  push(chunk: Buffer): void;
  copyUnread?(): void;
  /** Returns the next complete request, or null if there is none. */
  next(): Request | null;
}

/** The last command of a connection's client, for administrators; unknown fields are "". */
export interface ClientDoing {
  /** The user, or the label or first digits of the signing key. */
  readonly name: string;
  /** The name of its last command, without arguments. */
  readonly command: string;
}

const DOING_NOTHING: ClientDoing = { name: "", command: "" };

export abstract class Dialect<Request> {
  /** The listener's name in metrics. */
  abstract readonly listener: string;
  /** Whether answers are sent in the order of the requests; otherwise in the order in which they are ready. */
  readonly isInOrder: boolean = true;
  /**
   * Whether the connection reads and serves more requests, up to --max-output-bytes, while the client does not read its
   * answers.
   */
  readonly readsOn: boolean = false;
  /**
   * Whether the trace shows the bytes of the connection. False if clients log in with passwords: a password may be in
   * any part of the bytes, also in a mistyped request, and in the error that repeats it. The trace then shows lengths
   * and the names of commands.
   */
  abstract readonly showsBytes: boolean;
  /** The number of requests served between two checks of the clock. */
  readonly requestsPerClockCheck: number = 1;
  /** Whether the client has authenticated. */
  abstract readonly isProven: boolean;
  /** Whether the connection closes after the answers to the served requests. */
  abstract readonly isClosing: boolean;
  /** Whether a request is waiting for something other than earlier answers. Only the dialect sets it. */
  isRequestWaiting = false;
  protected abstract readonly parser: RequestParser<Request>;

  /** The number of bytes of requests that have not been served. */
  get heldBytes(): number {
    return this.parser.heldBytes;
  }

  get doing(): ClientDoing {
    return DOING_NOTHING;
  }

  /** Whether a request is incomplete, so that its remainder must arrive within --idle-timeout. */
  get isMidRequest(): boolean {
    return this.parser.isMidRequest;
  }

  /**
   * Whether the client is waiting for data. The connection then continues to read, because it could not detect a
   * disconnect otherwise.
   */
  get isWaitingForData(): boolean {
    return false;
  }

  /** Recognizes a client whose first bytes belong to another protocol. Returns null if they are not recognized. */
  foreignClient(_chunk: Buffer): ForeignClient | null {
    return null;
  }

  /** Whether a connection may begin with this byte. Otherwise it closes, and none of its bytes counts as a request. */
  isFirstByte(_byte: number): boolean {
    return true;
  }

  /** Returns the answer to a first byte with which no connection may begin; null closes it without an answer. */
  answerToFirstByte(_byte: number): string | null {
    return null;
  }

  /**
   * Adds received bytes. They may be used without a copy only until `copyUnread`.
   * @returns whether a request has begun or is complete; otherwise the connection counts as silent
   */
  push(chunk: Buffer): boolean {
    this.parser.push(chunk);
    return true;
  }

  /** Copies the bytes that are still needed, because the last chunk will be overwritten. */
  copyUnread(): void {
    this.parser.copyUnread?.();
  }

  /** Whether more requests may be served while `pending` requests are not answered. */
  accepts(pending: number): boolean {
    return pending === 0;
  }

  /**
   * Returns the next complete request that may be served while `pending` requests are not answered, or null if there is
   * none.
   */
  next(pending: number): Request | null {
    return this.accepts(pending) ? this.parser.next() : null;
  }

  abstract serve(request: Request): Served;

  abstract bytesOf(request: Request): number;

  /** Returns what is wrong with the stream after its last request, or null if nothing is wrong. */
  abstract problem(isEnded: boolean): CloseAnswer | null;

  /** The milliseconds for which a client may be silent between requests, or 0 for no limit. */
  abstract readonly silenceMaxMs: number;

  /** Called before the requests of a turn are served. @param now  `uptime` milliseconds */
  begin?(now: number): void;

  /** Called after the requests of a turn have been served. */
  end?(): void;

  /** Called when the client has ended its stream, which may complete an unfinished request. */
  inputEnded?(): void;

  /** Called with the number of characters that are sent to the client. */
  sent?(characters: number): void;

  /** Called when the daemon stops or the client sends no more: requests must stop waiting for data. */
  stopWaiting?(): void;

  /** Called when the connection is closed. */
  disconnected?(): void;
}

const BLANK = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
const SPACE = 0x20;
const DELETE = 0x7f;
/** The lowest byte above 0x7f that begins a UTF-8 character. */
const LEAD_MIN = 0xc2;
const LEAD_MAX = 0xf4;

/** Whether a UTF-8 text may begin with a byte. */
export function isTextByte(byte: number): boolean {
  if (byte < SPACE) return BLANK.has(byte);
  return byte < DELETE || (byte >= LEAD_MIN && byte <= LEAD_MAX);
}

/**
 * Checks the first chunk of a connection. A client of another protocol, such as TLS, may send lines that an attacker
 * has chosen, for example in a session ticket or a server name. None of them may count as a request.
 * @returns null if the dialect accepts the chunk; otherwise the close reason or, if the connection must stay open until
 * the
 *   client has sent another message, the answer to this client
 */
export function wrongBeginning(
  dialect: {
    foreignClient(chunk: Buffer): ForeignClient | null;
    isFirstByte(byte: number): boolean;
    answerToFirstByte(byte: number): string | null;
  },
  chunk: Buffer,
): CloseAnswer | InterimAnswer | null {
  const foreign = dialect.foreignClient(chunk);
  if (foreign !== null) {
    const { answer, detail } = foreign;
    return foreign.isInterim
      ? { kind: "interim", detail, bytes: answer ?? "" }
      : closing("malformed", detail, answer);
  }
  const [byte] = chunk;
  if (byte === undefined || dialect.isFirstByte(byte)) return null;
  const detail = `the first byte is 0x${byte.toString(16).padStart(2, "0")}, which is not text`;
  return closing("malformed", detail, dialect.answerToFirstByte(byte));
}

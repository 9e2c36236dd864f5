/**
 * A client for a connection on which answers arrive in the order of the requests. It matches answers to requests,
 * checks timeouts, and reports why the connection ended. The caller provides the socket, the timer and the parser of
 * answers.
 */
import type { ByteString } from "./byte-string.js";
import { stackOf } from "./errors.js";

/** The parser that splits a stream into answers, or into parts of answers. */
export interface AnswerReader<Answer> {
  /** The reason why the stream can no longer be parsed, or null if it can. */
  readonly problem: string | null;
  /** Whether an answer is incomplete. */
  readonly isMidAnswer: boolean;
  push(chunk: Buffer): void;
  /** Returns the next complete answer; null if it has not arrived. */
  next(): Answer | null;
}

/** The part of node:net's Socket that the client uses. */
export interface RequestSocket {
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (problem: { code?: string; message: string }) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  write(bytes: string, encoding: "latin1"): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/**
 * The reason why a connection ended. closed: by the server. broken: the system reported an error. late: no answer in
 * time. malformed: the received bytes are not an answer. unexpected: an answer arrived without a request. dropped: by
 * the caller.
 */
export type EndCause = "closed" | "broken" | "late" | "malformed" | "unexpected" | "dropped";

export class ConnectionEnd extends Error {
  readonly why: EndCause;

  constructor(why: EndCause, message: string) {
    super(message);
    this.why = why;
  }
}

export interface RequestClientOptions<Answer> {
  readonly socket: RequestSocket;
  readonly reader: AnswerReader<Answer>;
  /** Runs a step once, after the given milliseconds. Returns a function that cancels it. */
  readonly setTimer: (milliseconds: number, step: () => void) => () => void;
  /**
   * The milliseconds within which an answer must arrive after its request or after the previous answer; 0: no limit.
   */
  readonly answerMs: number;
  /** Whether each received chunk restarts this timeout, which then limits only silence. */
  readonly isSilence?: boolean;
  /** Handles an answer that belongs to no request, such as a channel message. Returns false for any other answer. */
  readonly handlesMessage?: (answer: Answer) => boolean;
  /** Whether bytes may arrive while no request is waiting, because they may begin a message that was not requested. */
  readonly hasMessages?: boolean;
  /** Called once when the connection has ended, before the requests fail. */
  readonly ended?: (end: ConnectionEnd) => void;
}

interface Waiter<Answer> {
  /** Handles a part of the answer. Returns whether it was the last one. */
  take(answer: Answer): boolean;
  fail(end: ConnectionEnd): void;
}

/** The number of unread parts of an answer at which the socket is paused. */
const PARTS_MAX = 16;

export class RequestClient<Answer> {
  readonly #options: RequestClientOptions<Answer>;
  readonly #waiting: Waiter<Answer>[] = [];
  #answerMs: number;
  #end: ConnectionEnd | null = null;
  #cancel: (() => void) | null = null;

  /** Creates a client. @param options.socket  a connected or connecting socket without another reader */
  constructor(options: RequestClientOptions<Answer>) {
    this.#options = options;
    this.#answerMs = options.answerMs;
    const { socket } = options;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", ({ code, message }) => this.close("broken", code ?? message));
    socket.on("close", () => this.close("closed", "the server closed the connection"));
  }

  /** Changes the option `answerMs`. For the pending answer, the time starts now. */
  set answerMs(milliseconds: number) {
    this.#answerMs = milliseconds;
    if (this.#waiting.length > 0) this.#setTimer();
  }

  /** The reason why the connection has ended, or null if it has not. */
  get end(): ConnectionEnd | null {
    return this.#end;
  }

  /** The number of unanswered requests. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Sends a request and resolves with its answer. Rejects with ConnectionEnd. */
  request(request: ByteString): Promise<Answer> {
    return new Promise((resolve, fail) => {
      const take = (answer: Answer) => {
        resolve(answer);
        return true;
      };
      this.#send(request, { take, fail });
    });
  }

  /**
   * Sends a request and yields the parts of its answer as they arrive. Throws ConnectionEnd. If the iteration stops
   * early, the connection ends.
   */
  async *requestParts(
    request: ByteString,
    isLast: (part: Answer) => boolean,
  ): AsyncGenerator<Answer, void, undefined> {
    const { socket } = this.#options;
    const parts: Answer[] = [];
    let [hasLast, wake] = [false, () => {}];
    let failure: ConnectionEnd | null = null;

    this.#send(request, {
      take(part) {
        parts.push(part);
        if (parts.length === PARTS_MAX) socket.pause();
        hasLast = isLast(part);
        wake();
        return hasLast;
      },
      fail(end) {
        failure = end;
        wake();
      },
    });

    try {
      for (;;) {
        if (parts.length === 0) {
          if (hasLast) return;
          if (failure !== null) throw failure;
          socket.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
        for (const part of parts.splice(0)) yield part;
      }
    } finally {
      if (!hasLast) this.close("dropped", "an answer was not read to its end");
      else if (this.#end === null) socket.resume();
    }
  }

  /** Ends the connection and rejects the waiting requests. */
  close(why: EndCause = "dropped", detail = "the connection was closed"): void {
    if (this.#end !== null) return;
    this.#end = new ConnectionEnd(why, detail);
    this.#cancel?.();
    this.#options.socket.destroy();
    this.#options.ended?.(this.#end);
    for (const { fail } of this.#waiting.splice(0)) fail(this.#end);
  }

  #send(request: ByteString, waiter: Waiter<Answer>): void {
    if (this.#end !== null) {
      waiter.fail(this.#end);
      return;
    }
    this.#waiting.push(waiter);
    if (this.#waiting.length === 1) this.#setTimer();
    this.#options.socket.write(request, "latin1");
  }

  /**
   * Handles received bytes. An exception that they cause ends only this connection, because this code only parses them.
   */
  #receive(chunk: Buffer): void {
    if (this.#end !== null) return;
    if (this.#options.isSilence === true && this.#waiting.length > 0) this.#setTimer();
    try {
      this.#take(chunk);
    } catch (problem) {
      this.close(
        "malformed",
        `parsing the answer failed because of an error in this program: ${stackOf(problem)}`,
      );
    }
  }

  #take(chunk: Buffer): void {
    const { reader, handlesMessage, hasMessages } = this.#options;
    reader.push(chunk);
    for (let answer = reader.next(); answer !== null; answer = reader.next()) {
      if (handlesMessage?.(answer) === true) continue;
      if (!this.#answered(answer)) return;
    }
    if (reader.problem !== null) this.close("malformed", reader.problem);
    // Otherwise these bytes would be treated as the answer to the next request.
    else if (reader.isMidAnswer && this.#waiting.length === 0 && hasMessages !== true)
      this.#closeUnexpected();
  }

  #answered(answer: Answer): boolean {
    const [waiter] = this.#waiting;
    if (waiter === undefined) {
      this.#closeUnexpected();
      return false;
    }
    if (!waiter.take(answer)) return true;
    this.#waiting.shift();
    this.#cancel?.();
    this.#cancel = null;
    if (this.#waiting.length > 0) this.#setTimer();
    return this.#end === null;
  }

  #closeUnexpected(): void {
    this.close("unexpected", "an answer without a request");
  }

  #setTimer(): void {
    const milliseconds = this.#answerMs;
    this.#cancel?.();
    if (milliseconds > 0)
      this.#cancel = this.#options.setTimer(milliseconds, () =>
        this.close("late", `no answer in ${milliseconds} ms`),
      );
  }
}

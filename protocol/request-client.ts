/**
 * Requests over one connection whose answers come in their order: which request waits for which answer, for how long, and why the connection
 * ended. The caller provides the socket, the timer and the reader of answers.
 */
import type { ByteString } from "./byte-string.js";
import { stackOf } from "./errors.js";

/** Splits a stream into answers, or into their parts. */
export interface AnswerReader<Answer> {
  /** Why the rest of the stream cannot be read; null: it can. */
  readonly problem: string | null;
  /** Whether an answer has begun that is not complete. */
  readonly isMidAnswer: boolean;
  push(chunk: Buffer): void;
  /** The next complete answer; null: it has not arrived. */
  next(): Answer | null;
}

/** The part of node:net's Socket that is used here. */
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
 * Why a connection ended. closed: by the server. broken: the system reported an error. late: no answer in time. malformed: what
 * came is no answer. unasked: no request waited for what came. dropped: by the caller.
 */
export type EndCause = "closed" | "broken" | "late" | "malformed" | "unasked" | "dropped";

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
  /** Runs a step once, after milliseconds; returns a function that cancels it. */
  readonly setTimer: (milliseconds: number, step: () => void) => () => void;
  /** Milliseconds for an answer, from its request or the answer before it on; 0: no limit. */
  readonly answerMs: number;
  /** Whether each chunk begins this time again: then it limits silence. */
  readonly isSilence?: boolean;
  /** Takes an answer that belongs to no request, such as a message of a channel; returns whether it is one. */
  readonly takesAside?: (answer: Answer) => boolean;
  /** Whether bytes may come while no request waits: they may begin such a message. */
  readonly hasMessages?: boolean;
  /** Called once when the connection has ended, before its requests fail. */
  readonly ended?: (end: ConnectionEnd) => void;
}

interface Waiter<Answer> {
  /** Returns whether that was the last part. */
  take(answer: Answer): boolean;
  fail(end: ConnectionEnd): void;
}

/** Parts of an answer that wait for their reader, after which the socket is paused. */
const PARTS_MAX = 16;

export class RequestClient<Answer> {
  readonly #options: RequestClientOptions<Answer>;
  readonly #waiting: Waiter<Answer>[] = [];
  #answerMs: number;
  #end: ConnectionEnd | null = null;
  #cancel: (() => void) | null = null;

  /** @param options.socket  connected, or connecting; has no other reader */
  constructor(options: RequestClientOptions<Answer>) {
    this.#options = options;
    this.#answerMs = options.answerMs;
    const { socket } = options;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", ({ code, message }) => this.close("broken", code ?? message));
    socket.on("close", () => this.close("closed", "the server closed the connection"));
  }

  /** Changes the time for an answer, as of the options; the answer that is awaited has it from now on. */
  set answerMs(milliseconds: number) {
    this.#answerMs = milliseconds;
    if (this.#waiting.length > 0) this.#setTimer();
  }

  /** Why it has ended; null: it has not. */
  get end(): ConnectionEnd | null {
    return this.#end;
  }

  /** Requests without their answers. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Sends a request, and returns its answer. Rejects with ConnectionEnd. */
  ask(request: ByteString): Promise<Answer> {
    return new Promise((resolve, fail) => {
      const take = (answer: Answer) => {
        resolve(answer);
        return true;
      };
      this.#send(request, { take, fail });
    });
  }

  /** Sends a request, and returns the parts of its answer as they arrive. Throws ConnectionEnd; ends the connection if it is left early. */
  async *askParts(
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

  /** Ends the connection, and fails the requests that wait. */
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

  /** Takes bytes of the server. An exception that they cause ends this connection alone: what is done here only reads them. */
  #receive(chunk: Buffer): void {
    if (this.#end !== null) return;
    if (this.#options.isSilence === true && this.#waiting.length > 0) this.#setTimer();
    try {
      this.#take(chunk);
    } catch (problem) {
      this.close("malformed", `reading it failed by an error in this program: ${stackOf(problem)}`);
    }
  }

  #take(chunk: Buffer): void {
    const { reader, takesAside, hasMessages } = this.#options;
    reader.push(chunk);
    for (let answer = reader.next(); answer !== null; answer = reader.next()) {
      if (takesAside?.(answer) === true) continue;
      if (!this.#answered(answer)) return;
    }
    if (reader.problem !== null) this.close("malformed", reader.problem);
    // It would be taken for the answer to the next request.
    else if (reader.isMidAnswer && this.#waiting.length === 0 && hasMessages !== true) this.#closeUnasked();
  }

  #answered(answer: Answer): boolean {
    const [waiter] = this.#waiting;
    if (waiter === undefined) {
      this.#closeUnasked();
      return false;
    }
    if (!waiter.take(answer)) return true;
    this.#waiting.shift();
    this.#cancel?.();
    this.#cancel = null;
    if (this.#waiting.length > 0) this.#setTimer();
    return this.#end === null;
  }

  #closeUnasked(): void {
    this.close("unasked", "an answer that was not asked for");
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

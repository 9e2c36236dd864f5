/**
 * One client of the JSON listener: lines in, answers out, one after the other; what they mean is its session's. It reads no
 * further while an answer is awaited or the client does not take what was written.
 */
import type { Socket } from "node:net";
import { JsonLineParser } from "../../../protocol/json-lines.js";
import type { RefusalCode } from "../../answers/refusals.js";
import { traceFrame } from "../../process/log.js";
import type { Hosted, SocketHost } from "../connection-host.js";
import { HeldBytes } from "../held-bytes.js";
import { lingerThenCut, sayGoodBye } from "../linger.js";
import { listenTo } from "../socket-events.js";
import { ANSWER_END, bounded, ERROR_HEAD, failure, type Text } from "./messages/answers.js";
import { type PieceOutput, Pieces } from "./piece-output.js";
import { JsonSession, type JsonSessionHost } from "./session.js";
import { TURN_MS } from "./turns.js";

export const JSON_LISTENER = "json";
/** Characters of answers that are collected for one write. */
const WRITE_CHARS = 64 * 1024;
const TOO_LONG = "The line is longer than this server takes (--max-request-bytes).";
/** Of a line while nobody has logged in who has to: no more than a login needs, and than one read brings. */
const STRANGER_LINE_BYTES_MAX = 256 * 1024;
const STRANGER_TOO_LONG = "The line is longer than this server takes of a client that has not logged in.";

export interface JsonHost extends SocketHost, JsonSessionHost {
  readonly output: PieceOutput;
}

export class JsonConnection implements Hosted {
  readonly remote: string;
  readonly address: string;
  /** `uptime` milliseconds. */
  activeAt: number;
  readonly #socket: Socket;
  readonly #host: JsonHost;
  readonly #held: HeldBytes;
  readonly #maxRequestBytes: number;
  readonly #parser: JsonLineParser;
  readonly #session: JsonSession;
  #waitingFor: "answer" | "client" | "turn" | null = null;
  /** Of a long answer that is being written. */
  #pieces: Pieces | null = null;
  #inputEnded = false;
  #isStopping = false;
  #state: "open" | "ending" | "gone" = "open";

  constructor(socket: Socket, host: JsonHost) {
    this.#socket = socket;
    this.#host = host;
    this.#held = new HeldBytes(host.budget);
    this.#maxRequestBytes = host.limits.maxRequestBytes;
    this.#parser = new JsonLineParser(this.#maxRequestBytes);
    this.#session = new JsonSession(host);
    this.activeAt = host.environment.uptime();
    this.address = socket.remoteAddress ?? "";
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    listenTo(socket, {
      data: (chunk) => this.#receive(chunk),
      end: () => this.#receiveEnd(),
      drain: () => this.#drained(),
      finish: () => lingerThenCut(socket, host.environment),
      timeout: () => this.#drop("output-stuck", `${socket.writableLength} bytes wait`),
      error: ({ message }) => host.log.debug({ remote: this.remote, reason: message }, "connection failed"),
      close: () => this.#gone(),
    });
  }

  get heldBytes(): number {
    return this.#held.total;
  }

  /** Clients may be silent for as long as they like, as with the original, but not in the middle of a line. */
  checkTime(now: number): void {
    if (this.#state !== "open" || this.#waitingFor !== null) return;
    const { idleTimeout, respIdleTimeout } = this.#host.limits;
    const isIdle = (most: number) => most > 0 && now - this.activeAt >= most;
    if (this.#parser.midLine && isIdle(idleTimeout)) {
      this.#note("frame-unfinished", "the rest did not come within --idle-timeout");
      this.#end("");
    } else if (isIdle(respIdleTimeout)) this.#end("");
  }

  stop(): void {
    this.#isStopping = true;
    if (this.#state === "ending") this.#socket.destroySoon();
    else if (this.#state === "open" && this.#waitingFor === null) this.#end("");
  }

  destroy(): void {
    this.#socket.destroy();
    this.#gone();
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.activeAt = this.#host.environment.uptime();
    if (this.#held.isStranger) this.#host.heard(this);
    traceFrame(this.#host.log, "received", this.remote, chunk);
    const most = this.#maxRequestBytes;
    this.#parser.maxBytes = this.#session.isStranger ? Math.min(STRANGER_LINE_BYTES_MAX, most) : most;
    this.#parser.push(chunk);
    if (this.#waitingFor === null) this.#work();
    else this.#socket.pause();
    this.#parser.keep();
    this.#account();
  }

  #receiveEnd(): void {
    this.#inputEnded = true;
    if (this.#state === "open" && this.#waitingFor === null) this.#rest();
  }

  /** Serves the lines that have come, until one has to be waited for or the turn is over. */
  #work(): void {
    const { environment } = this.#host;
    const startedAt = environment.uptime();
    if (this.#pieces !== null && !this.#flush()) return;
    let written = "";
    for (let line = this.#parser.next(); line !== null; line = this.#parser.next()) {
      const answer = this.#session.serve(line);
      if (answer === null) {
        this.#end(written);
        return;
      }
      if (answer instanceof Promise) {
        this.#await(answer, line.length);
        this.#write(written);
        return;
      }
      const served = this.#served(answer);
      if (typeof served !== "string") {
        if (!this.#write(written) || !this.#writeLong(served)) return;
        written = "";
        continue;
      }
      written += served;
      const isLate = environment.uptime() - startedAt > TURN_MS;
      if (!isLate && written.length < WRITE_CHARS) continue;
      if (!this.#write(written)) return;
      written = "";
      if (isLate) {
        this.#nextTurn();
        return;
      }
    }
    if (this.#write(written)) this.#rest();
  }

  #served(whole: Text): string | Pieces {
    if (this.#held.isStranger && !this.#session.isStranger) this.#prove();
    const { observer, limits } = this.#host;
    const answer = bounded(whole, limits.maxOutputBytes);
    const isError = typeof answer === "string" && answer.startsWith(ERROR_HEAD);
    observer.served(JSON_LISTENER, 1, isError ? 1 : 0);
    return typeof answer === "string" ? answer + ANSWER_END : new Pieces([...answer, ANSWER_END]);
  }

  #prove(): void {
    this.#held.prove();
    this.#host.proved(this);
  }

  #await(answer: Promise<Text>, bytes: number): void {
    this.#waitingFor = "answer";
    this.#held.unanswered += bytes;
    answer.then((settled) => {
      this.#held.unanswered -= bytes;
      if (this.#state !== "open") return;
      this.activeAt = this.#host.environment.uptime();
      this.#waitingFor = null;
      const served = this.#served(settled);
      if (typeof served === "string" ? this.#write(served) : this.#writeLong(served)) this.#work();
      this.#account();
    });
  }

  /** @returns false: the client has to read first, or the connection is no more */
  #write(text: string): boolean {
    if (text === "") return true;
    traceFrame(this.#host.log, "sent", this.remote, text);
    if (this.#socket.write(text, "latin1")) return true;
    const { maxOutputBytes, idleTimeout } = this.#host.limits;
    if (this.#socket.writableLength > maxOutputBytes) {
      this.#drop("answer-too-long", `${this.#socket.writableLength} bytes wait`);
      return false;
    }
    this.#socket.setTimeout(idleTimeout);
    if (this.#waitingFor === null) this.#waitingFor = "client";
    return false;
  }

  /** Whatever was written before: what does not go at once is written when it can. @returns as `write` */
  #writeLong(pieces: Pieces): boolean {
    this.#pieces = pieces;
    return this.#flush();
  }

  /** Writes on of a long answer. @returns as `write` */
  #flush(): boolean {
    const pieces = this.#pieces as Pieces;
    const { log, output, limits } = this.#host;
    if (output.write(this.#socket, pieces, (bytes) => traceFrame(log, "sent", this.remote, bytes))) {
      this.#pieces = null;
      if (!this.#socket.writableNeedDrain) return true;
    }
    // Through TLS bytes are under way for a while, though nobody is told when they have gone.
    if (!this.#socket.writableNeedDrain) this.#nextTurn();
    else {
      this.#socket.setTimeout(limits.idleTimeout);
      this.#waitingFor = "client";
    }
    return false;
  }

  #drained(): void {
    this.#socket.setTimeout(0);
    if (this.#state === "open" && this.#waitingFor === "client") this.#nextTurn();
    this.#account();
  }

  #nextTurn(): void {
    this.#waitingFor = "turn";
    setImmediate(() => {
      if (this.#state !== "open") return;
      this.#waitingFor = null;
      this.activeAt = this.#host.environment.uptime();
      this.#work();
      this.#account();
    });
  }

  /** All lines are served: what comes next? */
  #rest(): void {
    if (this.#parser.isTooLong) {
      this.#note("malformed", "a line above --max-request-bytes");
      this.#end(failure(this.#session.isStranger ? STRANGER_TOO_LONG : TOO_LONG) + ANSWER_END);
    } else if (this.#inputEnded || this.#isStopping) this.#end("");
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #drop(code: RefusalCode, detail: string): void {
    this.#note(code, detail);
    this.destroy();
  }

  #note(code: RefusalCode, detail: string): void {
    this.#host.refusals.note(code, { remote: this.remote, detail });
    this.#host.observer.refused(JSON_LISTENER, code);
  }

  #end(text: string): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    const { idleTimeout } = this.#host.limits;
    sayGoodBye(this.#socket, text, { idleTimeout, isExpected: this.#isStopping || this.#inputEnded });
    this.#account();
  }

  #gone(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#session.leave();
    this.#held.release();
    this.#host.leave(this);
  }

  #account(): void {
    if (this.#state === "gone") return;
    this.#held.piece = this.#parser.heldBytes;
    this.#held.queued = this.#session.heldBytes;
    if (this.#held.tell(this.#socket.writableLength + (this.#pieces?.left ?? 0))) this.#host.overBudget();
  }
}

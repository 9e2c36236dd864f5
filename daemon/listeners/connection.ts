/**
 * One client of the version 1 listener: frames in, frames out, in order, one command at a time. It never
 * holds up another: it works for some milliseconds a turn, and stops reading while an answer is awaited or
 * the client does not take what was written.
 */
import type { Socket } from "node:net";
import { FrameParser } from "../../protocol/frame.js";
import { traceFrame } from "../log.js";
import type { RefusalCode } from "../refusals.js";
import type { Answer } from "../request.js";
import { answerFrame, requestOf } from "./codec-v1.js";
import type { ConnectionHost, Hosted } from "./connection-host.js";

/** Milliseconds a connection may work before others get their turn. */
const TURN_MS = 5;
/** Characters of answers that are collected for one write. */
const WRITE_CHARS = 64 * 1024;
/**
 * Milliseconds that a client we have said good-bye to may take to leave; closing at once could cost it our
 * last answer.
 */
const LINGER_MS = 2000;
/**
 * What a received piece of a frame costs besides its bytes: a client that sends single bytes must not get
 * them free.
 */
const PIECE_BYTES = 200;

export class Connection implements Hosted {
  readonly remote: string;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #parser: FrameParser;
  /** Whole frames that wait; `#next` is the first of them. */
  #payloads: Buffer[] = [];
  #next = 0;
  #waitingFor: "answer" | "client" | "turn" | null = null;
  #inputEnded = false;
  #stopping = false;
  #state: "open" | "ending" | "gone" = "open";
  /** When the last whole frame came or was answered, or the present one began; `uptime` milliseconds. */
  #activeAt: number;
  /** When the client had been given everything. */
  #finishedAt = Number.POSITIVE_INFINITY;
  /** Of the frame that is not complete yet. */
  #pieceBytes = 0;
  /** Of whole frames that wait. */
  #queuedBytes = 0;
  /** What the budget was told. */
  #heldBytes = 0;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#parser = new FrameParser(host.limits.maxRequestBytes);
    this.#activeAt = host.environment.uptime();
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("end", () => this.#receiveEnd());
    socket.on("drain", () => this.#drained());
    socket.on("finish", () => this.#finished());
    socket.on("timeout", () => this.#stuck());
    socket.on("error", (reason) =>
      host.log.debug({ remote: this.remote, reason: reason.message }, "connection failed"),
    );
    socket.on("close", () => this.#gone());
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  checkTime(now: number): void {
    if (this.#state === "ending" && now - this.#finishedAt > LINGER_MS) this.#socket.destroy();
    if (
      this.#state !== "open" ||
      this.#waitingFor !== null ||
      now - this.#activeAt < this.#host.limits.idleTimeout
    )
      return;
    if (this.#parser.midFrame) {
      this.refuse("frame-unfinished", "the rest did not come within --idle-timeout");
      return;
    }
    this.#host.log.debug({ remote: this.remote }, "idle connection closed");
    this.#end("");
  }

  stop(): void {
    this.#stopping = true;
    if (this.#state === "ending") this.#socket.destroySoon();
    if (this.#state === "open" && this.#waitingFor === null) this.#end("");
  }

  destroy(): void {
    this.#socket.destroy();
    this.#gone();
  }

  /** Says why in the log, and closes behind the answers that were given. */
  refuse(code: RefusalCode, detail: string, written = "", offset?: number): void {
    const place = offset === undefined ? {} : { offset };
    this.#host.refusals.note(code, { remote: this.remote, detail, ...place });
    this.#end(written);
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== "open") return;
    const wasMidFrame = this.#parser.midFrame;
    const payloads = this.#parser.push(chunk);
    if (payloads.length > 0 || !wasMidFrame) this.#activeAt = this.#host.environment.uptime();
    this.#pieceBytes += chunk.length + PIECE_BYTES;
    if (payloads.length > 0) {
      this.#queuedBytes += this.#pieceBytes;
      this.#pieceBytes = this.#parser.midFrame ? chunk.length : 0;
    }
    if (this.#waitingFor === null) {
      this.#payloads = payloads;
      this.#work();
    } else {
      for (const payload of payloads) this.#payloads.push(payload);
      this.#socket.pause();
    }
    this.#account();
  }

  #receiveEnd(): void {
    this.#inputEnded = true;
    if (this.#state === "open" && this.#waitingFor === null) this.#rest();
  }

  /** Serves the frames that wait, until there are no more, one has to be waited for, or the turn is over. */
  #work(): void {
    const { environment, limits } = this.#host;
    const startedAt = this.#payloads.length > 1 ? environment.uptime() : 0;
    let written = "";
    while (this.#next < this.#payloads.length) {
      const answer = this.#serve(this.#payloads[this.#next++] as Buffer);
      if (answer instanceof Promise) {
        this.#await(answer, written);
        return;
      }
      const frame = answerFrame(answer, limits.maxOutputBytes);
      if (typeof frame !== "string") {
        this.refuse(frame.code, frame.detail, written);
        return;
      }
      traceFrame(this.#host.log, "sent", this.remote, frame);
      written += frame;
      if (this.#host.closeAfterAnswer) {
        this.#end(written);
        return;
      }
      if (this.#next === this.#payloads.length) break;
      const late = environment.uptime() - startedAt > TURN_MS;
      if (!late && written.length < WRITE_CHARS) continue;
      if (!this.#write(written)) return;
      written = "";
      if (late) {
        this.#nextTurn();
        return;
      }
    }
    this.#queuedBytes = 0;
    this.#payloads = [];
    this.#next = 0;
    if (written === "" || this.#write(written)) this.#rest();
  }

  #serve(payload: Buffer): Answer | Promise<Answer> {
    traceFrame(this.#host.log, "received", this.remote, payload);
    const request = requestOf(payload, this.#host.pipeline.verifier !== null);
    return "kind" in request ? request : this.#host.pipeline.handle(request);
  }

  #await(answer: Promise<Answer>, written: string): void {
    this.#waitingFor = "answer";
    if (written !== "") this.#socket.write(written, "latin1");
    answer.then((settled) => this.#resume(settled));
  }

  #resume(answer: Answer): void {
    if (this.#state !== "open") return;
    this.#activeAt = this.#host.environment.uptime();
    const frame = answerFrame(answer, this.#host.limits.maxOutputBytes);
    if (typeof frame !== "string") {
      this.refuse(frame.code, frame.detail);
      return;
    }
    traceFrame(this.#host.log, "sent", this.remote, frame);
    if (this.#host.closeAfterAnswer) {
      this.#end(frame);
      return;
    }
    this.#waitingFor = null;
    if (!this.#write(frame)) return;
    this.#work();
    this.#account();
  }

  /** @returns false: the client has to read first; `#drained` goes on then */
  #write(frames: string): boolean {
    if (this.#socket.write(frames, "latin1")) return true;
    this.#waitingFor = "client";
    this.#socket.setTimeout(this.#host.limits.idleTimeout);
    this.#account();
    return false;
  }

  #drained(): void {
    this.#socket.setTimeout(0);
    if (this.#state !== "open" || this.#waitingFor !== "client") return;
    this.#activeAt = this.#host.environment.uptime();
    this.#nextTurn();
  }

  #nextTurn(): void {
    this.#waitingFor = "turn";
    setImmediate(() => {
      if (this.#state !== "open") return;
      this.#waitingFor = null;
      this.#work();
      this.#account();
    });
  }

  /** All whole frames are served: what became of the rest of the stream? */
  #rest(): void {
    const { malformed } = this.#parser;
    if (malformed !== null) {
      this.refuse("malformed", malformed.message, "", malformed.offset);
      return;
    }
    if (this.#inputEnded && this.#parser.midFrame) {
      this.refuse("frame-unfinished", "the client ended its stream");
      return;
    }
    if (this.#inputEnded || this.#stopping) {
      this.#end("");
      return;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** The client takes nothing of what was written. */
  #stuck(): void {
    this.#host.refusals.note("output-stuck", {
      remote: this.remote,
      detail: `${this.#socket.writableLength} bytes wait`,
    });
    this.#socket.destroy();
  }

  #end(written: string): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#payloads = [];
    this.#pieceBytes = this.#queuedBytes = 0;
    if (written === "") this.#socket.end();
    else this.#socket.end(written, "latin1");
    this.#account();
    this.#socket.setTimeout(this.#host.limits.idleTimeout);
    if (this.#stopping) {
      this.#socket.destroySoon();
      return;
    }
    // What still comes is read and dropped: unread bytes would turn our good-bye into a reset, and eat the
    // last answer.
    this.#socket.resume();
  }

  #finished(): void {
    this.#finishedAt = this.#host.environment.uptime();
    this.#socket.setTimeout(0);
  }

  #gone(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#payloads = [];
    this.#host.budget.change(-this.#heldBytes);
    this.#heldBytes = 0;
    this.#host.leave(this);
  }

  #account(): void {
    if (this.#state === "gone") return;
    const held = this.#pieceBytes + this.#queuedBytes + this.#socket.writableLength;
    if (held === this.#heldBytes) return;
    const grown = held - this.#heldBytes;
    this.#heldBytes = held;
    if (!this.#host.budget.change(grown) && grown > 0) this.#host.overBudget();
  }
}

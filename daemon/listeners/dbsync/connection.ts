/**
 * One client of the dbsync listener: frames in, frames out; what is in them is its session's, one for each version.
 * It never holds up another: it works for some milliseconds a turn, and stops reading while too many answers are
 * awaited or the client does not take what was written.
 */
import type { Socket } from "node:net";
import { FrameParser } from "../../../protocol/frame.js";
import type { RefusalCode } from "../../answers/refusals.js";
import { traceFrame } from "../../process/log.js";
import type { ConnectionHost, Hosted } from "../connection-host.js";
import { HeldBytes } from "../held-bytes.js";
import { lingerThenCut, sayGoodBye } from "../linger.js";
import { listenTo } from "../socket-events.js";
import type { HandOver, Session, Spoken } from "./session.js";
import { SessionV1 } from "./session-v1.js";
import { SessionV2 } from "./session-v2.js";

/** Milliseconds a connection may work before others get their turn. */
const TURN_MS = 5;
/** Characters of answers that are collected for one write. */
const WRITE_CHARS = 64 * 1024;
/** What a received piece of a frame costs besides its bytes: single bytes must not be free. */
const PIECE_BYTES = 200;
/** Requests of a connection that may wait for their answers, besides those that wait for other daemons; in order it is one. */
const UNANSWERED_MOST = 1024;

export class Connection implements Hosted {
  readonly remote: string;
  readonly address: string;
  /** When the last whole frame came or was answered, or the present one began; `uptime` milliseconds. */
  activeAt: number;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #held: HeldBytes;
  readonly #parser: FrameParser;
  readonly #unlisten: () => void;
  /** Whole frames that wait; `#next` is the first of them. */
  #payloads: Buffer[] = [];
  #next = 0;
  #waitingFor: "answer" | "client" | "turn" | null = null;
  #session: Session | null = null;
  #unanswered = 0;
  /** Answers that are ready and go out behind this turn of the event loop. */
  #late = "";
  #inputEnded = false;
  #stopping = false;
  #state: "open" | "ending" | "gone" = "open";

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#held = new HeldBytes(host.budget);
    this.#parser = new FrameParser(host.limits.maxRequestBytes);
    this.activeAt = host.environment.uptime();
    this.address = socket.remoteAddress ?? "";
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#unlisten = listenTo(socket, {
      data: (chunk) => this.#receive(chunk),
      end: () => this.#receiveEnd(),
      drain: () => this.#drained(),
      finish: () => lingerThenCut(socket, host.environment),
      timeout: () => this.#stuck(),
      error: ({ message }) => host.log.debug({ remote: this.remote, reason: message }, "connection failed"),
      close: () => this.#gone(),
    });
  }

  get heldBytes(): number {
    return this.#held.total;
  }

  checkTime(now: number): void {
    if (
      this.#state !== "open" ||
      this.#waitingFor !== null ||
      this.#unanswered > 0 ||
      now - this.activeAt < this.#host.limits.idleTimeout
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
    if (this.#state === "open" && this.#waitingFor === null && this.#unanswered === 0) this.#end("");
  }

  destroy(): void {
    this.#socket.destroy();
    this.#gone();
  }

  /** Says why in the log, and closes behind the answers that were given. */
  refuse(code: RefusalCode, detail: string, written = "", offset?: number): void {
    const place = offset === undefined ? {} : { offset };
    this.#host.refusals.note(code, { remote: this.remote, detail, ...place });
    this.#host.observer.refused(this.#session?.listener ?? "dbsync", code);
    this.#end(written);
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== "open") return;
    if (this.#held.isStranger) this.#host.heard(this);
    const wasMidFrame = this.#parser.midFrame;
    const payloads = this.#parser.push(chunk);
    if (payloads.length > 0 || !wasMidFrame) this.activeAt = this.#host.environment.uptime();
    this.#held.piece += chunk.length + PIECE_BYTES;
    if (payloads.length > 0) {
      this.#held.queued += this.#held.piece;
      this.#held.piece = this.#parser.midFrame ? chunk.length : 0;
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
    const { environment } = this.#host;
    const startedAt = this.#payloads.length > 1 ? environment.uptime() : 0;
    const session = this.#sessionOf();
    let written = "";
    while (this.#next < this.#payloads.length) {
      const payload = this.#payloads[this.#next++] as Buffer;
      traceFrame(this.#host.log, "received", this.remote, payload);
      const spoken = session.serve(payload);
      if (session.isProven && this.#held.isStranger) this.#prove();
      if (spoken instanceof Promise) {
        this.#await(spoken, payload.length);
        if (session.inOrder || this.#unanswered - session.waiting >= UNANSWERED_MOST) {
          this.#waitingFor = "answer";
          if (written !== "") this.#socket.write(written, "latin1");
          return;
        }
      } else if (typeof spoken === "string") {
        traceFrame(this.#host.log, "sent", this.remote, spoken);
        written += spoken;
        if (session.closeAfterAnswer) {
          this.#end(written);
          return;
        }
      } else {
        if (spoken.kind === "hand-over") this.#handOver(spoken);
        else this.refuse(spoken.code, spoken.detail, written + spoken.frame);
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
    this.#held.queued = 0;
    this.#payloads = [];
    this.#next = 0;
    if (written === "" || this.#write(written)) this.#rest();
  }

  #prove(): void {
    this.#held.prove();
    this.#host.proved(this);
  }

  /** Of the version that the first frame has chosen. */
  #sessionOf(): Session {
    if (this.#session !== null) return this.#session;
    const host = this.#host;
    this.#session = this.#parser.version === 2 ? new SessionV2(host, this.remote) : new SessionV1(host);
    return this.#session;
  }

  #await(spoken: Promise<Spoken>, bytes: number): void {
    this.#unanswered++;
    this.#held.unanswered += bytes;
    spoken.then((settled) => {
      this.#unanswered--;
      this.#held.unanswered -= bytes;
      if (this.#state === "open") this.#answer(settled);
    });
  }

  /** It is another daemon's; from here on it is none of ours. */
  #handOver({ hello }: HandOver): void {
    const isAlone = this.#payloads.length === 1 && !this.#parser.midFrame && !this.#inputEnded;
    if (isAlone) {
      this.#unlisten();
      this.#gone();
      this.#host.members?.(this.#socket, hello);
    } else this.refuse("malformed", "something came right behind a daemon's hello");
  }

  #answer(spoken: Spoken): void {
    this.activeAt = this.#host.environment.uptime();
    if (this.#session?.isProven && this.#held.isStranger) this.#prove();
    if (typeof spoken !== "string") {
      this.refuse(spoken.code, spoken.detail, this.#late + spoken.frame);
      return;
    }
    traceFrame(this.#host.log, "sent", this.remote, spoken);
    if (this.#session?.closeAfterAnswer) {
      this.#end(spoken);
      return;
    }
    // Several databases' replies come in one segment: so do the answers leave.
    if (this.#late === "") process.nextTick(() => this.#sendLate());
    this.#late += spoken;
  }

  #sendLate(): void {
    if (this.#state !== "open") return;
    const late = this.#late;
    this.#late = "";
    const waitingFor = this.#waitingFor;
    if (waitingFor === "answer") this.#waitingFor = null;
    if (!this.#write(late)) return;
    if (waitingFor === "answer") this.#work();
    else if (waitingFor === null) this.#rest();
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
    this.activeAt = this.#host.environment.uptime();
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
    const mayEnd = this.#unanswered === 0 && this.#late === "";
    if (malformed !== null) {
      if (!mayEnd) return;
      const { frame } = this.#sessionOf().malformed(malformed.message);
      this.refuse("malformed", malformed.message, frame, malformed.offset);
      return;
    }
    if ((this.#inputEnded || this.#stopping) && !mayEnd) return;
    if (this.#inputEnded && this.#parser.midFrame)
      this.refuse("frame-unfinished", "the client ended its stream");
    else if (this.#inputEnded || this.#stopping) this.#end("");
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** The client takes nothing of what was written. */
  #stuck(): void {
    const detail = `${this.#socket.writableLength} bytes wait`;
    this.#host.refusals.note("output-stuck", { remote: this.remote, detail });
    this.#host.observer.refused(this.#session?.listener ?? "dbsync", "output-stuck");
    this.#socket.destroy();
  }

  #end(written: string): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#payloads = [];
    this.#held.piece = this.#held.queued = 0;
    const { idleTimeout } = this.#host.limits;
    sayGoodBye(this.#socket, written, { idleTimeout, isExpected: this.#stopping });
    this.#account();
  }

  #gone(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#payloads = [];
    this.#held.release();
    this.#host.leave(this);
  }

  #account(): void {
    if (this.#state !== "gone" && this.#held.tell(this.#socket.writableLength)) this.#host.overBudget();
  }
}

/** Versions 1 and 2 as their connections see them: frames in, frames out; what is in them is the session's, one for each version. */
import { FrameParser } from "../../../protocol/frame.js";
import type { ConnectionHost } from "../connection-host.js";
import { type Closing, Dialect, type Served } from "../dialect.js";
import type { Session } from "./session.js";
import { SessionV1 } from "./session-v1.js";
import { SessionV2 } from "./session-v2.js";

/** What a received piece of a frame costs besides its bytes: single bytes must not be free. */
const PIECE_BYTES = 200;

export class DbsyncDialect extends Dialect<Buffer> {
  /** Answers of version 2 go out as they are ready; version 1 knows no two at a time. */
  override readonly isInOrder = false;
  readonly #host: ConnectionHost;
  readonly #remote: string;
  readonly #parser: FrameParser;
  /** Whole frames that wait; `#next` is the first of them. */
  #payloads: Buffer[] = [];
  #next = 0;
  /** Bytes of those, and of the one that is not complete. */
  #queued = 0;
  #piece = 0;
  #session: Session | null = null;
  #isClosing = false;

  /** @param remote  the client's address, for the log */
  constructor(host: ConnectionHost, remote: string) {
    super();
    this.#host = host;
    this.#remote = remote;
    this.#parser = new FrameParser(host.limits.maxRequestBytes);
  }

  get listener(): string {
    return this.#session?.listener ?? "dbsync";
  }

  get heldBytes(): number {
    return this.#queued + this.#piece;
  }

  override get isMidRequest(): boolean {
    return this.#parser.midFrame;
  }

  override get isClosing(): boolean {
    return this.#isClosing;
  }

  /** A frame has --idle-timeout as a whole, in how many pieces ever. */
  push(chunk: Buffer): boolean {
    const wasMidFrame = this.#parser.midFrame;
    const payloads = this.#parser.push(chunk);
    this.#piece += chunk.length + PIECE_BYTES;
    if (payloads.length === 0) return !wasMidFrame;
    this.#queued += this.#piece;
    this.#piece = this.#parser.midFrame ? chunk.length : 0;
    if (this.#payloads.length === 0) this.#payloads = payloads;
    else for (const payload of payloads) this.#payloads.push(payload);
    return true;
  }

  override takes(pending: number): boolean {
    return this.#session?.takes(pending) ?? true;
  }

  next(pending: number): Buffer | null {
    if (!this.takes(pending)) return null;
    const payload = this.#payloads[this.#next];
    if (payload === undefined) return null;
    if (++this.#next === this.#payloads.length) {
      this.#payloads = [];
      this.#next = this.#queued = 0;
    }
    return payload;
  }

  bytesOf({ length }: Buffer): number {
    return length;
  }

  serve(payload: Buffer): Served {
    const session = this.#sessionOf();
    const served = session.serve(payload);
    this.isProven ||= session.isProven;
    this.#isClosing = session.closeAfterAnswer;
    if (served instanceof Promise) {
      return served.then((answer) => {
        this.isProven ||= session.isProven;
        return answer;
      });
    }
    if (typeof served === "string" || served.kind === "closing") return served;
    const { hello } = served;
    const otherwise = malformed("something came right behind a daemon's hello");
    return { kind: "hand-over", take: (socket) => this.#host.members?.(socket, hello), otherwise };
  }

  problem(isEnded: boolean): Closing | null {
    const wrong = this.#parser.malformed;
    if (wrong !== null) return { ...this.#sessionOf().malformed(wrong.message), offset: wrong.offset };
    if (!isEnded || !this.#parser.midFrame) return null;
    return { kind: "closing", code: "frame-unfinished", detail: "the client ended its stream", words: "" };
  }

  /** Who sends nothing for --idle-timeout is let go, as by the original. */
  override silenceMost(): number {
    return this.#host.limits.idleTimeout;
  }

  /** Of the version that the first frame has chosen. */
  #sessionOf(): Session {
    const host = this.#host;
    this.#session ??= this.#parser.version === 2 ? new SessionV2(host, this.#remote) : new SessionV1(host);
    return this.#session;
  }
}

const malformed = (detail: string): Closing => ({ kind: "closing", code: "malformed", detail, words: "" });

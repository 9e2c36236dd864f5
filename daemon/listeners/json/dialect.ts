/** --json as its connections see it: lines in, answers out, one after the other; what they mean is the session's. */
import type { Socket } from "node:net";
import { JsonLineParser } from "../../../protocol/json/json-lines.js";
import { traceFrame } from "../../process/log.js";
import type { SocketHost } from "../connection-host.js";
import { type Answer, type Closing, Dialect, type LongAnswer } from "../dialect.js";
import { ANSWER_END, bounded, ERROR_HEAD, failure, type Text } from "./messages/answers.js";
import { type PieceOutput, Pieces } from "./piece-output.js";
import { JsonSession, type JsonSessionHost } from "./session.js";

export const JSON_LISTENER = "json";
const TOO_LONG = "The line is longer than this server takes (--max-request-bytes).";
/** Of a line while nobody has logged in who has to: no more than a login needs, and than one read brings. */
const STRANGER_LINE_BYTES_MAX = 256 * 1024;
const STRANGER_TOO_LONG = "The line is longer than this server takes of a client that has not logged in.";

export interface JsonHost extends SocketHost, JsonSessionHost {
  readonly output: PieceOutput;
}

export class JsonDialect extends Dialect<Buffer> {
  readonly listener = JSON_LISTENER;
  readonly #host: JsonHost;
  readonly #remote: string;
  readonly #maxRequestBytes: number;
  readonly #parser: JsonLineParser;
  readonly #session: JsonSession;
  #isClosing = false;

  /** @param remote  the client's address, for the log */
  constructor(host: JsonHost, remote: string) {
    super();
    this.#host = host;
    this.#remote = remote;
    this.#maxRequestBytes = host.limits.maxRequestBytes;
    this.#parser = new JsonLineParser(this.#maxRequestBytes);
    this.#session = new JsonSession(host);
  }

  get heldBytes(): number {
    return this.#parser.heldBytes + this.#session.heldBytes;
  }

  /** Clients may be silent for as long as they like, as with the original, but not in the middle of a line. */
  override get isMidRequest(): boolean {
    return this.#parser.midLine;
  }

  override get isClosing(): boolean {
    return this.#isClosing;
  }

  push(chunk: Buffer): boolean {
    const most = this.#maxRequestBytes;
    this.#parser.maxBytes = this.#session.isStranger ? Math.min(STRANGER_LINE_BYTES_MAX, most) : most;
    this.#parser.push(chunk);
    return true;
  }

  override keep(): void {
    this.#parser.keep();
  }

  next(pending: number): Buffer | null {
    return pending === 0 ? this.#parser.next() : null;
  }

  bytesOf({ length }: Buffer): number {
    return length;
  }

  serve(line: Buffer): Answer | Promise<Answer> {
    const answer = this.#session.serve(line);
    this.#isClosing = answer === null;
    if (answer === null) return "";
    return answer instanceof Promise ? answer.then((settled) => this.#told(settled)) : this.#told(answer);
  }

  problem(): Closing | null {
    if (!this.#parser.isTooLong) return null;
    const words = failure(this.#session.isStranger ? STRANGER_TOO_LONG : TOO_LONG) + ANSWER_END;
    return { kind: "closing", code: "malformed", detail: "a line above --max-request-bytes", words };
  }

  override gone(): void {
    this.#session.leave();
  }

  #told(whole: Text): Answer {
    this.isProven ||= !this.#session.isStranger;
    const { observer, limits } = this.#host;
    const answer = bounded(whole, limits.maxOutputBytes);
    const isError = typeof answer === "string" && answer.startsWith(ERROR_HEAD);
    observer.served(JSON_LISTENER, 1, isError ? 1 : 0);
    return typeof answer === "string" ? answer + ANSWER_END : this.#long(new Pieces([...answer, ANSWER_END]));
  }

  #long(pieces: Pieces): LongAnswer {
    const { output, log } = this.#host;
    return {
      kind: "long",
      get left() {
        return pieces.left;
      },
      write: (socket: Socket) =>
        output.write(socket, pieces, (bytes) => traceFrame(log, "sent", this.#remote, bytes)),
    };
  }
}

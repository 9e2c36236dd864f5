/** The way of a connection's answers to its socket: as bytes, counted, traced, and bounded by what the client leaves lying. */
import type { Socket } from "node:net";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { bulkHead } from "../../../protocol/resp-writer.js";
import { traceFrame } from "../../process/log.js";
import type { SocketHost } from "../connection-host.js";
import { answerBytes } from "./session/answers.js";
import type { RespSession } from "./session/session.js";
import { LONG_BYTES, type SharedOutput } from "./shared-output.js";

const END = "\r\n";

export interface AnswerHost extends Pick<SocketHost, "log" | "limits"> {
  readonly output: SharedOutput;
}

export interface AnswerWriterParts {
  readonly socket: Socket;
  readonly host: AnswerHost;
  readonly session: RespSession;
  /** An answer is longer than any may be, or more waits for the client than may: the connection has to go. */
  readonly drop: (detail: string) => void;
}

export class AnswerWriter {
  readonly #socket: Socket;
  readonly #host: AnswerHost;
  readonly #session: RespSession;
  readonly #drop: (detail: string) => void;

  constructor({ socket, host, session, drop }: AnswerWriterParts) {
    this.#socket = socket;
    this.#host = host;
    this.#session = session;
    this.#drop = drop;
  }

  /** @returns false: the connection is no more */
  write(bytes: ByteString): boolean {
    if (bytes === "") return true;
    this.#note(bytes);
    return this.#socket.write(bytes, "latin1") || this.#isBounded();
  }

  /** @returns null: it is longer than any may be, and the connection is no more */
  bytesOf(reply: Reply): ByteString | null {
    const { host, protocol } = this.#session;
    if (reply.kind === "error") host.state.failed(reply.text);
    const { maxOutputBytes } = this.#host.limits;
    const bytes = answerBytes(reply, protocol, maxOutputBytes);
    if (bytes === null) this.#drop(`one answer of more than ${maxOutputBytes} bytes`);
    return bytes;
  }

  /**
   * Puts an answer behind what is to be written before it; a long value is written at once.
   * @returns what is to be written now; null: the connection is no more
   */
  append(before: ByteString, reply: Reply): ByteString | null {
    if (reply.kind === "bulk" && reply.bytes.length >= LONG_BYTES) {
      if (reply.bytes.length <= this.#host.limits.maxOutputBytes)
        return this.#writeLong(before, reply.bytes) ? "" : null;
    }
    const bytes = this.bytesOf(reply);
    return bytes === null ? null : before + bytes;
  }

  #writeLong(before: ByteString, value: ByteString): boolean {
    if (!this.write(before)) return false;
    const head = bulkHead(value.length);
    this.#note(head + value + END);
    return this.#host.output.write(this.#socket, head, value, END) || this.#isBounded();
  }

  #note(bytes: ByteString): void {
    const { state } = this.#session.host;
    state.outputBytes += bytes.length;
    traceFrame(this.#host.log, "sent", this.#session.client.remote, bytes);
  }

  /** Whether the client leaves no more lying than it may. Until it takes that, its time runs. */
  #isBounded(): boolean {
    const { writableLength } = this.#socket;
    // After a long write Node wants a pause, also if the system has taken all of it.
    if (writableLength === 0) return true;
    const { maxOutputBytes, idleTimeout } = this.#host.limits;
    this.#socket.setTimeout(idleTimeout);
    if (writableLength > maxOutputBytes) this.#drop(`${writableLength} bytes wait`);
    return writableLength <= maxOutputBytes;
  }
}

/** The SQL line protocol for clients of a proxy. A session answers the statements one after the other. */

import type {
  ConnectionLimits,
  ConnectionObserver,
  ConnectionRegistry,
} from "../../../daemon/net/connections/connection-registry.js";
import { type Closing, closing, Dialect, isTextByte } from "../../../daemon/net/connections/dialect.js";
import { BALANCER_ERROR, ERROR_HEAD, errorFrame } from "../../../faces/sql/bytes/sql-frames.js";
import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { readSessionRequest } from "../../../faces/sql/bytes/sql-statement.js";
import { STATEMENT_BYTES_MAX } from "../../../faces/sql/store/grammar/parse.js";
import type { ByteString } from "../../../protocol/byte-string.js";

export const LINE_LISTENER = "sql";
const REFUSALS = [`RESULT_MESSAGE\n${ERROR_HEAD}`, `RESULT_MESSAGE\n${BALANCER_ERROR}`];

export interface LineObserver extends ConnectionObserver {
  /** Called when a statement was answered. */
  served(isError: boolean): void;
}

/** The session of one client, which answers its statements. */
export interface LineSession {
  /** Answers a statement. @param statement  without the final `;` @returns a complete frame; never rejects */
  serve(statement: ByteString): ByteString | Promise<ByteString>;
  /** Called when the client has disconnected. */
  close?(): void;
}

export class LineDialect extends Dialect<ByteString> {
  readonly listener = LINE_LISTENER;
  /** Whether a statement was answered without an error. */
  isProven = false;
  isClosing = false;
  protected readonly parser = new SqlLineParser(0);
  readonly #host: ConnectionRegistry<ClientLimits, LineObserver>;
  readonly #session: LineSession;

  constructor(host: ConnectionRegistry<ClientLimits, LineObserver>, session: LineSession) {
    super();
    this.#host = host;
    this.#session = session;
  }

  get silenceMaxMs(): number {
    return this.#host.limits.silenceTimeout;
  }

  override isFirstByte(byte: number): boolean {
    return isTextByte(byte);
  }

  override next(pending: number): ByteString | null {
    this.parser.maxBytes = this.#host.limits.maxRequestBytes;
    return super.next(pending);
  }

  /** A statement without `;` is complete when the client ends the stream. */
  override inputEnded(): void {
    this.parser.end();
  }

  bytesOf({ length }: ByteString): number {
    return length;
  }

  serve(statement: ByteString): ByteString | Promise<ByteString> {
    this.isClosing = readSessionRequest(statement)?.kind === "http";
    if (this.isClosing) return "";
    const answer = this.#session.serve(statement);
    return typeof answer === "string" ? this.#answered(answer) : answer.then(this.#answered);
  }

  problem(): Closing | null {
    if (!this.parser.isTooLong) return null;
    const { maxRequestBytes } = this.#host.limits;
    const words = errorFrame(`a statement may have at most ${maxRequestBytes} bytes`);
    return closing("malformed", "a statement that is longer than the maximum", words);
  }

  override disconnected(): void {
    this.#session.close?.();
  }

  readonly #answered = (answer: ByteString): ByteString => {
    const isError = REFUSALS.some((head) => answer.startsWith(head));
    this.isProven ||= !isError;
    this.#host.observer.served(isError);
    return answer;
  };
}

/** The limits for clients of a proxy. Times are in milliseconds. */
export interface ClientLimits extends ConnectionLimits {
  /** The maximum time for which a client may be silent between statements; 0: no limit. */
  readonly silenceTimeout: number;
}

const MIB = 1024 * 1024;

export const CLIENT_LIMITS: ClientLimits = {
  maxConnections: 10_000,
  maxRequestBytes: STATEMENT_BYTES_MAX,
  maxOutputBytes: 64 * MIB,
  maxBufferedBytes: 256 * MIB,
  maxUnprovenBytes: 32 * MIB,
  idleTimeout: 10_000,
  backendTimeout: 12_000,
  silenceTimeout: 0,
};

/**
 * The listener of a proxy for clients of the SQL line protocol. A session answers the statements of a client one after
 * the other.
 */
import type { Logger } from "pino";
import { ClientConnection } from "../../../daemon/net/connections/client-connection.js";
import { SharedInput } from "../../../daemon/net/connections/client-socket.js";
import type { ConnectionLimits } from "../../../daemon/net/connections/connection-limits.js";
import { CONNECTION_REFUSALS } from "../../../daemon/net/connections/connection-refusals.js";
import type {
  ConnectionObserver,
  ConnectionRegistry,
} from "../../../daemon/net/connections/connection-registry.js";
import { type CloseAnswer, closing, Dialect, isTextByte } from "../../../daemon/net/connections/dialect.js";
import { SocketListener } from "../../../daemon/net/connections/socket-listener.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { BALANCER_ERROR, ERROR_HEAD, errorFrame, FULL_FRAME } from "../../../faces/sql/bytes/sql-frames.js";
import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { readSessionRequest } from "../../../faces/sql/bytes/sql-statement.js";
import { STATEMENT_BYTES_MAX } from "../../../faces/sql/store/grammar/parse.js";
import type { ByteString } from "../../../protocol/byte-string.js";

const LINE_LISTENER = "sql";
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

class LineDialect extends Dialect<ByteString> {
  readonly showsBytes = false;
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

  problem(): CloseAnswer | null {
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

interface LineListenerParts {
  /** An address, not a name. */
  readonly address: string;
  /** The port; 0: any free one. */
  readonly port: number;
  readonly limits: ClientLimits;
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
  /** Creates the session of a new client. */
  readonly makeSession: () => LineSession;
}

/** The listener of a proxy for the SQL line protocol. */
export class LineListener extends SocketListener<ClientLimits, LineObserver> {
  constructor({ makeSession, ...parts }: LineListenerParts) {
    super({
      ...parts,
      name: LINE_LISTENER,
      options: { address: "--listen", port: "--listen" },
      gate: null,
      fullText: FULL_FRAME,
      refusals: CONNECTION_REFUSALS,
      connector(host) {
        const input = new SharedInput();
        return (socket) =>
          new ClientConnection(input.moveToBuffer(socket), host, () => new LineDialect(host, makeSession()));
      },
    });
  }
}

/** The numbers of clients of a proxy, and of their statements. */
export class ClientCounts implements LineObserver {
  connections = 0;
  opened = 0;
  /** The numbers of answered statements, and of error answers among them. */
  answers = 0;
  errors = 0;
  /** The numbers of connections that were rejected or closed, by reason. */
  readonly refusals = new Map<string, number>();

  connected(_listener: string, change: 1 | -1): void {
    this.connections += change;
    if (change > 0) this.opened++;
  }

  refused(_listener: string, code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  served(isError: boolean): void {
    this.answers++;
    if (isError) this.errors++;
  }
}

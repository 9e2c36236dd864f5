/** The listener of --sql, and the dialect of its connections: lines of bytes in, frames of bytes out. */
import { type CloseAnswer, closing, isTextByte } from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SessionDialect } from "../users/session-dialect.js";
import { UserListener, type UserListenerOptions, type UserSocketHost } from "../users/user-listener.js";
import { ERROR_HEAD, errorFrame, FULL_FRAME } from "./bytes/sql-frames.js";
import { SqlLineParser } from "./bytes/sql-lines.js";
import { MESSAGES, type SqlLanguage } from "./sql-messages.js";
import { SqlSession } from "./sql-session.js";
import { STATEMENT_BYTES_MAX } from "./store/grammar/parse.js";

const SQL_LISTENER = "sql";
/** The maximum length of a statement before a login, in bytes; a login fits into it. */
const LOGIN_BYTES_MAX = 2048;
const REFUSAL = `RESULT_MESSAGE\n${ERROR_HEAD}`;

export class SqlListener extends UserListener<ByteString> {
  constructor(options: UserListenerOptions) {
    const { sqlLanguage } = options.daemon.settings;
    super(options, {
      name: SQL_LISTENER,
      fullText: FULL_FRAME,
      makeServer: (host) => host,
      makeDialect: (host) => new SqlDialect(host, sqlLanguage),
    });
  }
}

/** The dialect of the SQL line protocol: one statement after the other, which the session executes. */
class SqlDialect extends SessionDialect<ByteString> {
  readonly listener = SQL_LISTENER;
  protected readonly parser = new SqlLineParser(0);
  readonly #host: UserSocketHost;
  readonly #session: SqlSession;

  constructor(host: UserSocketHost, language: SqlLanguage | null) {
    const session = new SqlSession(host, language);
    super(host, session);
    this.#host = host;
    this.#session = session;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "sql");
  }

  override isFirstByte(byte: number): boolean {
    return isTextByte(byte);
  }

  /**
   * Returns the next statement. A statement that follows a login in the same chunk has the limits of a logged-in
   * client.
   */
  override next(pending: number): ByteString | null {
    const maxBytes = Math.min(this.#host.limits.maxRequestBytes, STATEMENT_BYTES_MAX);
    this.parser.maxBytes = this.needsLogin ? LOGIN_BYTES_MAX : maxBytes;
    return super.next(pending);
  }

  /** Accepts text without a final `;` as a statement, because the client has ended its stream. */
  override inputEnded(): void {
    this.parser.end();
  }

  override disconnected(): void {
    this.#session.disconnected();
  }

  bytesOf({ length }: ByteString): number {
    return length;
  }

  problem(): CloseAnswer | null {
    if (!this.parser.isTooLong) return null;
    const words = errorFrame(MESSAGES.tooLong[this.#session.languageFor(this.parser.beginning)]);
    return closing("malformed", "a statement that is longer than the maximum", words);
  }

  protected written(answer: ByteString): ByteString {
    return answer;
  }

  protected isError(answer: ByteString): boolean {
    return answer.startsWith(REFUSAL);
  }
}

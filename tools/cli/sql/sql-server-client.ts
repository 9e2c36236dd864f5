/**
 * A connection to a server of the SQL line protocol: dbsyncd with --sql, the original server, or a proxy in front of
 * either.
 */
import type { Socket } from "node:net";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { statementForOriginal, terminated, unfinishedPart } from "../../../faces/sql/bytes/sql-statement.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { RequestClient } from "../../../protocol/request-client.js";
import { openSocket, setTimer } from "../shared/open-socket.js";
import { readServerUrl } from "../shared/server-url-argument.js";
import { type SqlAnswer, SqlAnswerReader } from "./sql-answer-reader.js";

const SCHEME = "sql";
const DEFAULT_PORT = 3948;
const CONNECT_MS = 10_000;
/** Number of rows in a page: many, because each page repeats the columns. A page of the original server has 20 rows. */
const PAGE_ROWS = 1_000;
/** The error of a dbsyncd if an SQL client connects to a port for other clients. */
const WRONG_PORT = /(this port serves .*)$/;

export const DEFAULT_ADDRESS = `127.0.0.1:${DEFAULT_PORT}`;

/** Parses `[sql://][user:password@]host[:port]` or `sqls://…#sha256:…`. @throws InvalidArgumentError */
export function readSqlAddress(text: string): ServerAddress {
  const url = text.includes("://") ? text : `${SCHEME}://${text}`;
  return readServerUrl(url, { scheme: SCHEME, port: DEFAULT_PORT });
}

export class SqlServerClient implements Disposable {
  readonly #client: RequestClient<SqlAnswer>;
  /** Whether the server is a dbsyncd, which accepts a page length; the original server does not. */
  #isDbsyncd = false;

  private constructor(socket: Socket) {
    this.#client = new RequestClient({ socket, reader: new SqlAnswerReader(), setTimer, answerMs: 0 });
  }

  /** Connects and logs in. @throws Error  no server answers at the address, or it rejects the login */
  static async open(address: ServerAddress): Promise<SqlServerClient> {
    const socket = await openSocket(address, CONNECT_MS, `${SCHEME}://`);
    const server = new SqlServerClient(socket);
    try {
      await server.#begin(address.login);
      return server;
    } catch (problem) {
      server[Symbol.dispose]();
      throw problem;
    }
  }

  get isDbsyncd(): boolean {
    return this.#isDbsyncd;
  }

  /**
   * Sends a statement and returns the answer.
   * @param statement  the statement without the final `;`
   * @throws Error  the connection broke; it is unknown whether the statement was applied
   */
  async query(statement: string): Promise<SqlAnswer> {
    if (!this.#isDbsyncd) {
      const line = statementForOriginal(statement);
      return line === null
        ? unsent("this server treats every ; as the end of a statement, even within a string")
        : this.#send(line);
    }
    const unfinished = unfinishedPart(statement);
    return unfinished === null ? this.#send(statement) : unsent(unfinished);
  }

  async #begin(login: ServerAddress["login"]): Promise<void> {
    if (login !== null) {
      const { user, password } = login;
      if (/[\s;'"]/.test(user + password) || password === "")
        throw new Error("a login needs a password, and must not contain spaces, quotes or ;");
      const answer = await this.#first(`login ${user} ${password}`);
      if (answer.kind !== "message") throw new Error(`the server rejects the login of ${user}`);
    }
    this.#isDbsyncd = (await this.#first(`pages ${PAGE_ROWS}`)).kind === "message";
  }

  /** Sends the first statement. @throws Error  the server is a dbsyncd, and its port serves other clients */
  async #first(statement: string): Promise<SqlAnswer> {
    const answer = await this.#send(statement);
    const [, wrongPort] = answer.kind === "error" ? (WRONG_PORT.exec(answer.text) ?? []) : [];
    if (wrongPort !== undefined) throw new Error(wrongPort);
    return answer;
  }

  #send(statement: string): Promise<SqlAnswer> {
    return this.#client.request(bytesOfText(`${terminated(statement)}\n`));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

const unsent = (reason: string): SqlAnswer => ({ kind: "error", text: `${reason}: nothing was sent` });

/**
 * A connection to a server of the SQL line protocol: dbsyncd with --sql, the original server, or a proxy in front of
 * either.
 */
import type { Socket } from "node:net";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { isTlsAlert } from "../../../client/shared/tls-connection.js";
import { BALANCER_ERROR, ERROR_HEAD } from "../../../faces/sql/bytes/sql-frames.js";
import { statementForOriginal, terminated, unfinishedPart } from "../../../faces/sql/bytes/sql-statement.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import { type AnswerReader, RequestClient } from "../../../protocol/request-client.js";
import { openSocket, setTimer } from "../shared/open-socket.js";
import { readServerUrl } from "../shared/server-url-argument.js";

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

/** A value in a row of a relation. */
export type ServerCell = string | number | boolean | null;

export interface ServerRelation {
  readonly kind: "relation";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ServerCell[])[];
}

export type SqlAnswer = ServerRelation | { readonly kind: "message" | "error"; readonly text: string };

const SHOWN_CHARS = 100;
const END = "END";
const LINE_FEED = 0x0a;
const TLS_ONLY = "the server accepts only TLS: write sqls:// before the address";

interface Page {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly ServerCell[])[];
}

/**
 * The parser of the answers of the SQL line protocol: messages, errors, and relations in pages. Source:
 * test/vectors/sql/GRAMMAR.md "Wire".
 */
class SqlAnswerReader implements AnswerReader<SqlAnswer> {
  problem: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** Number of received bytes that were already searched for a line end. */
  #scanned = 0;
  #section: "head" | "page" | "text" = "head";
  #columns: string[] | null = null;
  #rows: (readonly ServerCell[])[] = [];
  #text: string[] = [];

  get isMidAnswer(): boolean {
    return this.#input.length > 0 || this.#section !== "head" || this.#columns !== null;
  }

  /** Adds a chunk, which must not be changed afterwards. */
  push(chunk: Buffer): void {
    if (isTlsAlert(chunk)) this.problem = TLS_ONLY;
    this.#input.push(chunk);
  }

  next(): SqlAnswer | null {
    while (this.problem === null) {
      const line = this.#line();
      if (line === null) return null;
      if (this.#section === "text") {
        if (line === END) return this.#answer();
        this.#text.push(line);
      } else if (this.#section === "page") this.#page(line);
      else if (line.startsWith("RELATION_JSON_PAGE ")) this.#section = "page";
      else if (line === "RESULT_MESSAGE") this.#section = "text";
      else if (line !== "RELATION_JSON_END") this.problem = wrongAnswer(line);
    }
    return null;
  }

  #line(): string | null {
    const input = this.#input;
    const end = input.bytes.subarray(input.at, input.end).indexOf(LINE_FEED, this.#scanned);
    if (end < 0) {
      this.#scanned = input.length;
      return null;
    }
    const line = input.bytes.toString("utf8", input.at, input.at + end);
    input.skip(end + 1);
    this.#scanned = 0;
    return line;
  }

  #page(text: string): void {
    this.#section = "head";
    const page = pageOf(text);
    if (page === null) this.problem = wrongAnswer(text);
    else {
      this.#columns ??= page.columns.map(({ name }) => name);
      for (const row of page.rows) this.#rows.push(row);
    }
  }

  #answer(): SqlAnswer {
    const text = this.#text.join("\n");
    const columns = this.#columns;
    const rows = this.#rows;
    this.#section = "head";
    this.#columns = null;
    this.#rows = [];
    this.#text = [];
    if (text.startsWith(ERROR_HEAD)) return { kind: "error", text: text.slice(ERROR_HEAD.length) };
    if (text === BALANCER_ERROR) return { kind: "error", text };
    return columns === null ? { kind: "message", text } : { kind: "relation", columns, rows };
  }
}

function pageOf(text: string): Page | null {
  try {
    const page = JSON.parse(text) as Partial<Page>;
    if (Array.isArray(page.columns) && Array.isArray(page.rows)) return page as Page;
  } catch {
    // The text is not JSON, so it is not a page.
  }
  return null;
}

const wrongAnswer = (text: string) =>
  `the server does not speak the protocol of dbsyncd --sql: it answered ${JSON.stringify(text.slice(0, SHOWN_CHARS))}`;

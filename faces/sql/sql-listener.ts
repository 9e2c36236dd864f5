/**
 * The listener of --sql, the sessions of its connections, and the messages for executed statements and for logins, in
 * the original's language or in English.
 */
import { type Closing, closing, isTextByte } from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { inTurns, STEP_ITEMS } from "../../protocol/steps.js";
import { SessionCommandSender, UserCommands } from "../users/user-commands.js";
import {
  SessionDialect,
  UserListener,
  type UserListenerParts,
  type UserSocketHost,
} from "../users/user-listener.js";
import type { Denial } from "../users/user-session.js";
import { ERROR_HEAD, errorFrame, FULL_FRAME, messageFrame } from "./bytes/sql-frames.js";
import { SqlLineParser } from "./bytes/sql-lines.js";
import { numberText } from "./bytes/sql-numbers.js";
import { readSessionRequest, type SessionRequest } from "./bytes/sql-statement.js";
import { languageOf, parse, STATEMENT_BYTES_MAX } from "./store/grammar/parse.js";
import { SqlMistake } from "./store/grammar/syntax-error.js";
import type { Statement } from "./store/grammar/syntax-tree.js";

const SQL_LISTENER = "sql";
/** The maximum length of a statement before a login, in bytes; a login fits into it. */
const LOGIN_BYTES_MAX = 2048;
const REFUSAL = `RESULT_MESSAGE\n${ERROR_HEAD}`;

export class SqlListener extends UserListener<ByteString> {
  constructor(parts: UserListenerParts) {
    const { sqlLanguage } = parts.daemon.settings;
    super(parts, {
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

  problem(): Closing | null {
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

/**
 * The session of a connection of the SQL line protocol: statements in, frames out. SQL runs in the database that the
 * client has selected. The session does not handle sockets. A client logs in with `login name password`.
 */
class SqlSession {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  /** The configured language of messages, or null if each message has the language of its statement. */
  readonly #setting: SqlLanguage | null;
  /** The language of the messages about the current statement. */
  #language: SqlLanguage = "mg";
  readonly #sender: SteppedSender;
  /** The selected database, or an empty name if there is none. */
  #database: ByteString = "";
  #pageRows = PAGE_ROWS;

  constructor(host: UserSocketHost, setting: SqlLanguage | null) {
    this.#host = host;
    this.#setting = setting;
    this.commands = new UserCommands(host, (denial) => this.#denied(denial));
    this.#sender = new SteppedSender(this.commands.userSession, host.environment);
  }

  /** Serves a statement. @returns the answer, or null if the connection must be closed */
  serve(statement: ByteString): ByteString | Promise<ByteString> | null {
    this.commands.userSession.renew();
    this.#language = this.languageFor(statement);
    const request = readSessionRequest(statement);
    if (request !== null) return this.#setUp(request);
    const reply = this.commands.run(["SQL", this.#database, statement], this.#sender);
    return reply instanceof Promise
      ? reply.then((settled) => this.#answerOf(statement, settled))
      : this.#answerOf(statement, reply);
  }

  /** Returns the language of the messages about a statement, of which only the beginning may be known. */
  languageFor(statement: ByteString): SqlLanguage {
    return this.#setting ?? languageOfRequest(statement);
  }

  #setUp(request: SessionRequest): ByteString | null {
    switch (request.kind) {
      case "http":
        return null;
      case "login": {
        const isAccepted = this.commands.userSession.logIn(request.name, request.password);
        return isAccepted ? messageFrame(this.#message("loggedIn")) : this.#refusal("wrongLogin");
      }
      case "pages":
        this.#pageRows = request.rows;
        return messageFrame(this.#message("pages"));
    }
  }

  #answerOf(text: ByteString, reply: Reply): ByteString | Promise<ByteString> {
    if (reply.kind === "error") return errorOf(reply.text);
    if (reply.kind === "map") {
      const clock = { uptime: this.#host.environment.uptime, soon: setImmediate };
      return inTurns(this.#frameOf(reply), clock);
    }
    this.#sender.releaseMemory();
    const { statement } = parse(text);
    if (statement instanceof SqlMistake) return messageFrame("");
    if (statement.kind === "use") this.#database = statement.name;
    return messageFrame(doneText(statement, reply, this.#language));
  }

  /** Writes the frame in steps, between which other connections are served. */
  *#frameOf(reply: RelationReply): Generator<void, ByteString> {
    const form = { pageRows: this.#pageRows, maxChars: this.#host.limits.maxOutputBytes };
    try {
      return (yield* relationFrame(reply, form)) ?? this.#refusal("budgetExceeded");
    } catch (problem) {
      // A single row may exceed the maximum string length.
      if (problem instanceof RangeError) return this.#refusal("budgetExceeded");
      throw problem;
    } finally {
      this.#sender.releaseMemory();
    }
  }

  #denied(denial: Denial): ErrorReply {
    const name = denial === "no-login" ? "noLogin" : denial === "no-memory" ? "noMemory" : "noPermission";
    return error(this.#message(name));
  }

  /** Ends the query of a client that has disconnected. */
  disconnected(): void {
    this.#sender.isGone = true;
  }

  #message(name: keyof typeof MESSAGES): ByteString {
    return MESSAGES[name][this.#language];
  }

  #refusal(name: keyof typeof MESSAGES): ByteString {
    return errorFrame(this.#message(name));
  }
}

class SteppedSender extends SessionCommandSender {
  readonly takesSteps = true;
  isGone = false;
  /** Releases the memory of the latest query. */
  releaseMemory = () => {};

  /** A query needs its rows until the frame is written. */
  readonly keepMemory = (release: () => void): void => {
    this.releaseMemory = release;
  };
}

/** Returns an error without Redis's first word, which these clients do not expect. */
const errorOf = (text: ByteString) => errorFrame(text.replace(/^ERR /, ""));

/** The number of rows of a page in the original. */
const PAGE_ROWS = 20;
/** The form in which a connection receives relations. */
interface PageForm {
  /** The number of rows per page; each page repeats the columns. */
  readonly pageRows: number;
  /** The maximum length of an answer in characters. */
  readonly maxChars: number;
}

/** The reply to a query: a map of name, columns and rows. */
type RelationReply = Extract<Reply, { kind: "map" }>;

/**
 * Creates the frame of a relation, in steps. With pages of 20 rows, the bytes are those of the original.
 * @returns null if it is longer than `maxChars`
 * @throws RangeError  a single row exceeds the maximum string length
 */
function* relationFrame(
  reply: RelationReply,
  { pageRows, maxChars }: PageForm,
): Generator<void, ByteString | null> {
  const [, name, , columns, , rows] = reply.items as readonly [Reply, Reply, Reply, Reply, Reply, Reply];
  const all = itemsOf(rows);
  const pages = Math.max(1, Math.ceil(all.length / pageRows));
  const head = `"totalPages":${pages},"columns":[${headsText(columns)}],"rows":[`;
  const kind = `{"type":"relation","name":${cellText(name)},"page":`;
  // A text that grows by each cell would need several times the memory of its bytes.
  const written: ByteString[] = [];
  let [text, length] = ["", 0];
  for (let page = 1; page <= pages; page++) {
    text += `RELATION_JSON_PAGE ${page}/${pages}\n${kind}${page},${head}`;
    const from = (page - 1) * pageRows;
    const end = Math.min(all.length, from + pageRows);
    for (let i = from; i < end; i++) {
      text += i === from ? "[" : ",[";
      text += `${cellsText(itemsOf(all[i] as Reply))}]`;
      if (length + text.length > maxChars) return null;
      if (i % STEP_ITEMS < STEP_ITEMS - 1) continue;
      written.push(flat(text));
      length += text.length;
      text = "";
      yield;
    }
    text += "]}\n";
  }
  text += `RELATION_JSON_END\n${messageFrame("OK")}`;
  written.push(text);
  return length + text.length > maxChars ? null : written.join("");
}

/** Returns the same text in one piece, so that its parts can be released. */
const flat = (text: ByteString): ByteString => Buffer.from(text, "latin1").toString("latin1");

function headsText(columns: Reply): ByteString {
  let text = "";
  for (const column of itemsOf(columns)) {
    const [name, origin] = itemsOf(column) as readonly [Reply, Reply];
    text += `${text === "" ? "" : ","}{"name":${cellText(name)},"origin":${cellText(origin)}}`;
  }
  return text;
}

function cellsText(cells: readonly Reply[]): ByteString {
  let text = "";
  for (const cell of cells) text += text === "" ? cellText(cell) : `,${cellText(cell)}`;
  return text;
}

const itemsOf = (reply: Reply): readonly Reply[] => ("items" in reply ? reply.items : []);

/** Returns a cell as JSON. The bytes of texts remain unchanged, because JSON escapes only ASCII. */
function cellText(cell: Reply): ByteString {
  switch (cell.kind) {
    case "bulk":
      return JSON.stringify(cell.bytes);
    case "double":
      return numberText(cell.value);
    case "resp3":
      return cell.written === "#t\r\n" ? "true" : "false";
    default:
      return "null";
  }
}

/** A value of --sql-language. */
export type SqlLanguage = "mg" | "en";

/** Matches the Malagasy word for the request that sets the number of rows per page. */
const MALAGASY_REQUEST = /^\s*pejy\b/i;

/** Returns the language of a statement or of another request. The answer has the same language. */
function languageOfRequest(text: ByteString): SqlLanguage {
  return languageOf(text) === "malagasy" || MALAGASY_REQUEST.test(text) ? "mg" : "en";
}

const OBJECTS = { table: "tabilao", domain: "efitra", view: "jery", database: "tahiry" } as const;

/** Returns the message for a statement other than a query. */
function doneText(statement: Statement, reply: Reply, language: SqlLanguage): ByteString {
  switch (statement.kind) {
    case "use":
      return language === "en"
        ? `database ${statement.name} is chosen`
        : `Ny tahiry : ${statement.name} dia miasa ankehitriny`;
    case "create-database":
    case "create-table":
    case "create-domain":
    case "create-view": {
      const object = statement.kind.slice("create-".length) as keyof typeof OBJECTS;
      return language === "en"
        ? `${object} ${statement.name} ${statement.ifNeeded === true ? "exists" : "is made"}`
        : `Ny ${OBJECTS[object]} : ${statement.name} dia voaforona soamantsara`;
    }
    case "insert":
    case "update":
    case "delete":
      return language === "en" ? rowsText(reply) : "Tafinditra ny fiovana ny tabilao";
    default:
      return "";
  }
}

function rowsText(reply: Reply): ByteString {
  const rows = Number(reply.kind === "integer" ? reply.value : 0);
  return rows === 1 ? "1 row" : `${rows} rows`;
}

interface Message {
  readonly mg: ByteString;
  readonly en: ByteString;
}

const message = (mg: string, en: string): Message => ({ mg: bytesOfText(mg), en: bytesOfText(en) });

const MESSAGES = {
  loggedIn: message("Tafiditra ianao", "logged in"),
  pages: message("Voaova ny haben'ny pejy", "the number of rows per page was changed"),
  noLogin: message("Midira aloha : login anarana tenimiafina", "log in first: login name password"),
  wrongLogin: message("Diso ny anarana na ny tenimiafina", "wrong name or password"),
  noPermission: message("Tsy mahazo manao izany ianao", "this user has no permission to do that"),
  noMemory: message("Feno ny fitadidiana", "memory is full"),
  tooLong: message("Lava loatra ny fanontaniana", "the statement is longer than this server accepts"),
  budgetExceeded: message(
    "Lava loatra ny valiny : ampiasao #fetra",
    "the answer would be too long: use limit",
  ),
} as const satisfies Readonly<Record<string, Message>>;

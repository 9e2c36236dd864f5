/** `dbsync sql`: sends statements from a terminal or a pipe to a server of the SQL line protocol. */
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { shown } from "../../../daemon/net/terminal/terminal-text.js";
import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { textOfBytes } from "../../../protocol/byte-string.js";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp } from "../shared/exit-codes.js";
import { HistoryFile, MAX_HISTORY_LINES } from "../shared/history-file.js";
import { JSON_FLAG, printNotice } from "../shared/output.js";
import { withLoadedAuthorities } from "../shared/server-url-argument.js";
import {
  type Cell,
  DEFAULT_ADDRESS,
  type Relation,
  readSqlAddress,
  type SqlAnswer,
  SqlServerClient,
} from "./sql-server-client.js";

interface SqlFlags {
  readonly ca?: string;
  readonly json?: boolean;
}

export function addSql(program: Command): void {
  program
    .command("sql")
    .description("run SQL statements on a dbsyncd with --sql, from a terminal or a pipe")
    .argument(
      "[address]",
      `[user:password@]host[:port] of a dbsyncd with --sql, or of the earlier SQL server (default: ${DEFAULT_ADDRESS}); ` +
        "with TLS sqls://…, followed by #sha256:… to pin the server's key",
      readSqlAddress,
    )
    .option("--ca <file>", CA_HELP)
    .option(
      JSON_FLAG,
      'print each answer as a line: {"columns":[…],"rows":[…]}, {"message":…} or {"error":…}',
    )
    .addHelpText(
      "after",
      `
A statement ends with ; and may have several lines. Its words are English or Malagasy (docs/sql.md). On a terminal there is
a history, and Tab completes words and the names of tables, views and columns. Ctrl-C clears the statement or cancels
waiting for an answer. Ctrl-D, exit or miala ends the session; an error does not. From a pipe all statements are sent, and
their results and errors are printed.

Examples:
  dbsync sql
  dbsync sql 10.0.0.1:3948
  echo 'show databases' | dbsync sql
  dbsync sql --json < statements.sql
  dbsync sql 'sqls://10.0.0.1:3948#sha256:81f0a63c…'
${exitCodeHelp("no connection, or from a pipe: a statement failed (a session on a terminal ends with 0)")}`,
    )
    .action(sql);
}

async function sql(address: ServerAddress | undefined, { ca, json = false }: SqlFlags): Promise<void> {
  using session = new SqlSession(withLoadedAuthorities(address ?? readSqlAddress(DEFAULT_ADDRESS), ca));
  await session.open();
  if (!process.stdin.isTTY) {
    process.exitCode = await runAll(session, json);
    return;
  }
  const conversation = { session, isJson: json, history: new HistoryFile(process.env, "sql-history") };
  await converse(conversation, { input: process.stdin, output: process.stdout });
}

/**
 * Runs all statements of standard input. It stops if the connection is lost, because later statements might depend on
 * earlier ones.
 * @throws Error  the connection was lost
 */
async function runAll(session: SqlSession, isJson: boolean): Promise<ExitCode> {
  const reader = new StatementReader();
  let worst: ExitCode = EXIT.ok;
  const run = async (statement: string) => {
    const code = printAnswer(await session.query(statement), {
      isJson,
      printsMessages: false,
      output: process.stdout,
    });
    if (code > worst) worst = code;
  };

  for await (const chunk of process.stdin) for (const statement of reader.push(chunk)) await run(statement);
  for (const statement of reader.end()) await run(statement);
  return worst;
}

const HOW_TO_EXIT = "Ctrl-D, exit, quit or miala ends the session.";
const EXIT_LINE = /^\s*(?:exit|quit|miala|mivaoka)\s*;?\s*$/i;
const CLEAR_LINE = /^\s*(?:clear|diovy|!)\s*;?\s*$/i;
const MORE = "   ...> ";
/** The beginning of a login, whose password may follow on another line. */
const SECRET = /(?:^|;)\s*login\s/i;
const CLEAR_SCREEN = "\x1b[H\x1b[2J";

interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

interface Conversation {
  readonly session: SqlSession;
  readonly isJson: boolean;
  readonly history: HistoryFile;
}

/**
 * Reads and executes statements on a terminal until the user ends the session: statements on several lines, history and
 * completion.
 */
export async function converse(
  conversation: Conversation,
  { input, output }: TerminalStreams,
): Promise<void> {
  const { session, isJson, history } = conversation;
  const reader = new StatementReader();
  const completion = new Completion(session);
  let before = "";

  const terminal = createInterface({
    input,
    output,
    terminal: true,
    history: [...history.lines],
    historySize: MAX_HISTORY_LINES,
    completer(line: string, done: (problem: null, offered: [string[], string]) => void) {
      void completion.offer(line, before).then((offered) => done(null, offered));
    },
  });

  const prompt = () => {
    terminal.setPrompt(reader.isMidStatement ? MORE : `${session.database || "sql"}> `);
    terminal.prompt();
  };

  terminal.on("SIGINT", () => {
    // To stop waiting for an answer, the session closes the connection.
    if (session.isBusy) session[Symbol.dispose]();
    else {
      if (terminal.line === "" && !reader.isMidStatement) output.write(`\n${HOW_TO_EXIT}`);
      output.write("\n");
      reader.drop();
      before = "";
      clearLine(terminal);
      prompt();
    }
  });

  output.write(`A statement ends with ;. Tab completes words and names. ${HOW_TO_EXIT}\n`);
  prompt();
  for await (const line of terminal) {
    if (!reader.isMidStatement && EXIT_LINE.test(line)) break;
    if (line.trim() !== "" && !SECRET.test(`${before}${line}\n`)) history.add(line);
    if (!reader.isMidStatement && CLEAR_LINE.test(line)) output.write(CLEAR_SCREEN);
    else {
      for (const statement of reader.push(Buffer.from(`${line}\n`))) {
        await session
          .query(statement)
          .then((answer) => printAnswer(answer, { isJson, printsMessages: true, output }), printProblem);
        completion.forget();
      }
      before = reader.isMidStatement ? `${before}${line}\n` : "";
    }
    prompt();
  }

  terminal.close();
  output.write("\n");
}

function clearLine(terminal: Interface): void {
  terminal.write(null, { ctrl: true, name: "e" });
  terminal.write(null, { ctrl: true, name: "u" });
}

// The words are made by npm run tables from the store's table of keywords.
const WORDS =
  "alahatra alaivo all ampiasao analana anatiny and ankambana ankavanana ankavia antso ao ary as asc " +
  "asehoy atifitra avanana avia between by case create cross database databases date daty default " +
  "delete desc describe dia distinct domain domains drop efitra else end enum escape except exists " +
  "fafao famaritana feno fepetra fetra fototra from full group havaozy having if ignore in index " +
  "indexes inner insert intersect into is isa jery join ka key lahatsoratra left like limit manamboara " +
  "manampia manomboka miakatra midina na natoraly natural not null number ny offset on or order outer " +
  "ova primary ravao rehefa replace right samihafa sanda select set show tabilao table tables tahiry " +
  "tanisa text then tokana tonona tsy union unique update use values view views vondrona when where";
// The end of what is made by npm run tables.

const STATEMENT_WORDS: readonly string[] = WORDS.split(" ");
/** The name that is being typed. Keywords of the original server may begin and end with `#` and `@`. */
const TYPED_NAME = /[\p{L}_][\p{L}\p{N}_]*$/u;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/gu;

/** The completion of words of statements, and of the names of databases, tables, views and columns, in `dbsync sql`. */
export class Completion {
  readonly #session: SqlSession;
  /** Names of columns by selected database and table; for the table "", names of databases, tables and views. */
  readonly #names = new Map<string, Promise<readonly string[]>>();

  constructor(session: SqlSession) {
    this.#session = session;
  }

  /** Discards the cached names, which a statement may have changed. */
  forget(): void {
    this.#names.clear();
  }

  /**
   * Returns candidates.
   * @param line    the line up to the cursor
   * @param before  the previous lines of the statement
   * @returns the candidates and the text that they complete, as node:readline requires
   */
  async offer(line: string, before: string): Promise<[string[], string]> {
    const [typed = ""] = TYPED_NAME.exec(line) ?? [];
    if (typed === "") return [[], ""];
    const lower = typed.toLowerCase();
    const isUpper = typed === typed.toUpperCase() && typed !== lower;
    const words = STATEMENT_WORDS.filter((word) => word.toLowerCase().startsWith(lower));
    const names = (await this.#namesFor(before + line)).filter((name) => name.startsWith(typed));
    const cased = words.map((word) => (isUpper ? word.toUpperCase() : word.toLowerCase()));
    return [[...new Set([...names, ...cased])], typed];
  }

  async #namesFor(statement: string): Promise<readonly string[]> {
    // A further request would have to wait for the pending answer.
    if (this.#session.isBusy || !this.#session.isOpen) return [];
    const { database } = this.#session;
    const objects = await this.#cached("", async () => {
      const kinds = database === "" ? ["tahiry"] : ["tahiry", "tabilao", "jery"];
      const lists: (readonly string[])[] = [];
      for (const kind of kinds) lists.push(await this.#firstColumn(`asehoy ny ${kind}`));
      return lists.flat();
    });
    const mentioned = new Set(statement.match(NAME) ?? []);
    const columns: string[] = [];
    for (const name of objects)
      if (mentioned.has(name)) columns.push(...(await this.#cached(name, () => this.#columnsOf(name))));
    return [...objects, ...columns];
  }

  /**
   * Returns cached names, or fetches them.
   * @param table  the table whose columns are requested, or "" for the names of databases, tables and views
   */
  #cached(table: string, query: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const key = `${this.#session.database}\n${table}`;
    const names = this.#names.get(key) ?? query().catch(() => []);
    this.#names.set(key, names);
    return names;
  }

  /**
   * Returns the columns of a table. The original server cannot describe a table, but its answer to a query contains the
   * columns even if there are no rows.
   */
  async #columnsOf(name: string): Promise<readonly string[]> {
    if (this.#session.isDbsyncd) return await this.#firstColumn(`describe ${name}`);
    const answer = await this.#session.query(`alaivo * #ao@ ${name} #fetra 0 0`);
    return answer.kind === "relation" ? answer.columns : [];
  }

  async #firstColumn(statement: string): Promise<readonly string[]> {
    const answer = await this.#session.query(statement);
    return answer.kind === "relation" ? answer.rows.map(([name]) => String(name)) : [];
  }
}

interface PrintOptions {
  readonly isJson: boolean;
  /** Whether to print the confirmations of statements without rows. */
  readonly printsMessages: boolean;
  readonly output: NodeJS.WritableStream;
}

/**
 * Prints an answer as a table or as lines of JSON, and an error on standard error.
 * @returns the exit code for it
 */
export function printAnswer(answer: SqlAnswer, { isJson, printsMessages, output }: PrintOptions): ExitCode {
  const hasSucceeded = answer.kind !== "error";
  if (isJson) output.write(`${withEscapesOfJson(JSON.stringify(objectOf(answer)))}\n`);
  else if (answer.kind === "relation") output.write(tableOf(answer));
  else if (answer.kind === "error") printProblem(new Error(answer.text));
  else if (printsMessages) output.write(`${shown(answer.text) || "OK"}\n`);
  return hasSucceeded ? EXIT.ok : EXIT.failed;
}

export function printProblem(problem: Error): void {
  printNotice(problem.message);
}

function objectOf(answer: SqlAnswer): object {
  if (answer.kind === "relation") return { columns: answer.columns, rows: answer.rows };
  return answer.kind === "error" ? { error: { message: answer.text } } : { message: answer.text };
}

/** Formats a relation as a table with right-aligned numbers; the last line is the number of rows. */
export function tableOf({ columns, rows }: Relation): string {
  const heads = columns.map(shown);
  const lines = rows.map((row) => row.map(cellText));
  const widths = heads.map((head, i) =>
    lines.reduce((w, line) => Math.max(w, widthOf(line[i])), widthOf(head)),
  );
  const isNumeric = heads.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const aligned = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const padding = " ".repeat((widths[i] ?? 0) - widthOf(cell));
        return isNumeric[i] ? padding + cell : cell + padding;
      })
      .join(" | ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`;
  return `${[aligned(heads), rule, ...lines.map(aligned), count].join("\n")}\n`;
}

const cellText = (cell: Cell) => (typeof cell === "string" ? shown(cell) : String(cell));

const widthOf = (text = "") => [...text].length;

/**
 * Maximum length of a statement in bytes, to detect input that is not SQL. It is larger than the limit of servers,
 * which report longer statements themselves.
 */
const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;

/** The parser that splits typed or piped input into statements. */
class StatementReader {
  #parser = new SqlLineParser(STATEMENT_BYTES_MAX);

  /** Whether a statement has begun but not ended. */
  get isMidStatement(): boolean {
    return this.#parser.isMidRequest;
  }

  /** Adds input. @returns the complete statements, without `;` @throws Error  a statement is too long */
  push(chunk: Buffer): string[] {
    this.#parser.push(chunk);
    if (this.#parser.isTooLong) throw new Error("a statement is too long; end each statement with a ;");
    return this.#complete();
  }

  /** Ends the input. @returns the last statement if it did not end with `;` */
  end(): string[] {
    this.#parser.end();
    return this.#complete();
  }

  /** Discards the unfinished statement. */
  drop(): void {
    this.#parser = new SqlLineParser(STATEMENT_BYTES_MAX);
  }

  #complete(): string[] {
    const statements: string[] = [];
    for (let next = this.#parser.next(); next !== null; next = this.#parser.next())
      statements.push(textOfBytes(next));
    return statements;
  }
}

/**
 * The session of one run of `dbsync sql`. It connects when a connection is needed, and reconnects after a connection
 * was lost.
 */
export class SqlSession implements Disposable {
  readonly #address: ServerAddress;
  #server: SqlServerClient | null = null;
  /** The statement that selected the database, and the database's name, or null if none is selected. */
  #selected: { readonly statement: string; readonly database: string } | null = null;
  #isBusy = false;
  /** Settles when the previous statement is answered, because statements are sent one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  /** The name of the selected database, or "" if there is none. */
  get database(): string {
    return this.#selected?.database ?? "";
  }

  /** Whether a statement waits for its answer. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether there is a connection. */
  get isOpen(): boolean {
    return this.#server !== null;
  }

  get isDbsyncd(): boolean {
    return this.#server?.isDbsyncd ?? false;
  }

  /** Connects if necessary. @throws Error  there is no server, or it does not speak the protocol */
  async open(): Promise<SqlServerClient> {
    if (this.#server !== null) return this.#server;
    const { host, port } = this.#address;
    const server = await SqlServerClient.open(this.#address).catch((problem: Error) => {
      const question = problem.message.startsWith("Connection refused")
        ? "; is dbsyncd --sql running there?"
        : "";
      throw new Error(`${host}:${port}: ${problem.message}${question}`);
    });
    this.#server = server;
    if (this.#selected !== null) await server.query(this.#selected.statement);
    return server;
  }

  /** Sends a statement. @throws Error  there is no server, or the connection was lost */
  query(statement: string): Promise<SqlAnswer> {
    const answer = this.#turn.then(() => this.#queryNow(statement));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #queryNow(statement: string): Promise<SqlAnswer> {
    const server = await this.open();
    this.#isBusy = true;
    try {
      const answer = await server.query(statement);
      const { databaseChosenBy } = await import("./parsed-statements.js");
      const database = databaseChosenBy(statement);
      if (database !== null && answer.kind === "message") this.#selected = { statement, database };
      return answer;
    } catch (problem) {
      this[Symbol.dispose]();
      throw new Error(`${(problem as Error).message}; it is unknown whether the statement was executed`);
    } finally {
      this.#isBusy = false;
    }
  }

  [Symbol.dispose](): void {
    this.#server?.[Symbol.dispose]();
    this.#server = null;
  }
}

/** `dbsync sql`: sends statements from a terminal or a pipe to a server of the SQL line protocol. */
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { textOfBytes } from "../../../protocol/byte-string.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp } from "../shared/exit-codes.js";
import { HISTORY_LINES_MAX, HistoryFile } from "../shared/history-file.js";
import { JSON_FLAG } from "../shared/output.js";
import { withAuthorityFile } from "../shared/server-url-argument.js";
import { printAnswer, printProblem } from "./print-sql-answer.js";
import { Completion } from "./sql-completion.js";
import { DEFAULT_ADDRESS, readSqlAddress } from "./sql-server-client.js";
import { SqlSession } from "./sql-session.js";

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
  using session = new SqlSession(withAuthorityFile(address ?? readSqlAddress(DEFAULT_ADDRESS), ca));
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
    historySize: HISTORY_LINES_MAX,
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

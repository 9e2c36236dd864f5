/** `dbsync sql`: statements for a server of the SQL line protocol, typed at a terminal or piped in. */
import type { Command } from "commander";
import type { ServerAddress } from "../../client/shared/server-url.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp } from "../shared/exit-codes.js";
import { HistoryFile } from "../shared/history-file.js";
import { JSON_FLAG } from "../shared/output.js";
import { trusted } from "../shared/server-url.js";
import { printAnswer } from "./print-answer.js";
import { DEFAULT_PLACE, readSqlPlace } from "./sql-server.js";
import { SqlSession } from "./sql-session.js";
import { StatementReader } from "./statement.js";
import { converse } from "./terminal.js";

interface SqlFlags {
  readonly ca?: string;
  readonly json?: boolean;
}

export function addSql(program: Command): void {
  program
    .command("sql")
    .description("type SQL statements for dbsyncd --sql, or pipe them in")
    .argument(
      "[place]",
      `[user:password@]host[:port] of a dbsyncd with --sql, or of the original (${DEFAULT_PLACE} unless said otherwise); ` +
        "with TLS sqls://…, followed by #sha256:… if the server's key is to be pinned",
      readSqlPlace,
    )
    .option("--ca <file>", CA_HELP)
    .option(
      JSON_FLAG,
      'print each answer as a line: {"columns":[…],"rows":[…]}, {"message":…} or {"error":…}',
    )
    .addHelpText(
      "after",
      `
A statement ends with ; and may have several lines. Words are English or Malagasy (docs/sql.md). At a terminal there is a
history, Tab completes words and the names of tables, views and columns, Ctrl-C drops what was typed or stops waiting, Ctrl-D, exit or
miala leaves, and an error does not end the session. From a pipe every statement is sent; what was asked for is printed, and errors.

Examples:
  dbsync sql
  dbsync sql 10.0.0.1:3948
  echo 'show databases' | dbsync sql
  dbsync sql --json < statements.sql
  dbsync sql 'sqls://10.0.0.1:3948#sha256:81f0a63c…'
${exitCodeHelp("no connection, or a statement failed (from a pipe; a terminal's session ends with 0)")}`,
    )
    .action(sql);
}

async function sql(place: ServerAddress | undefined, { ca, json = false }: SqlFlags): Promise<void> {
  using session = new SqlSession(trusted(place ?? readSqlPlace(DEFAULT_PLACE), ca));
  await session.open();
  if (!process.stdin.isTTY) {
    process.exitCode = await runAll(session, json);
    return;
  }
  const talk = { session, isJson: json, history: new HistoryFile(process.env, "sql-history") };
  await converse(talk, { input: process.stdin, output: process.stdout });
}

/** @throws Error  the connection was lost: later statements might depend on earlier ones */
async function runAll(session: SqlSession, isJson: boolean): Promise<ExitCode> {
  const reader = new StatementReader();
  let worst: ExitCode = EXIT.ok;
  const run = async (statement: string) => {
    const code = printAnswer(await session.ask(statement), {
      isJson,
      tellsAll: false,
      output: process.stdout,
    });
    if (code > worst) worst = code;
  };
  for await (const chunk of process.stdin) for (const statement of reader.push(chunk)) await run(statement);
  for (const statement of reader.end()) await run(statement);
  return worst;
}

/** `dbsync sql`: sends statements from a terminal or a pipe to a server of the SQL line protocol. */
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp } from "../shared/exit-codes.js";
import { HistoryFile } from "../shared/history-file.js";
import { JSON_FLAG } from "../shared/output.js";
import { withLoadedAuthorities } from "../shared/server-url-argument.js";
import { printAnswer } from "./print-answer.js";
import { SqlSession } from "./sql-client-session.js";
import { DEFAULT_ADDRESS, readSqlAddress } from "./sql-server-client.js";
import { converse } from "./sql-terminal.js";
import { StatementReader } from "./statement-reader.js";

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

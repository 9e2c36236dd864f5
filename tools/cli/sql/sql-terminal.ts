/** `dbsync sql` on a terminal: statements on several lines, history and completion. */
import { createInterface, type Interface } from "node:readline";
import { type HistoryFile, MAX_HISTORY_LINES } from "../shared/history-file.js";
import { printAnswer, printProblem } from "./print-answer.js";
import type { SqlSession } from "./sql-client-session.js";
import { Completion } from "./sql-completion.js";
import { StatementReader } from "./statement-reader.js";

const HOW_TO_EXIT = "Ctrl-D, exit, quit or miala ends the session.";
const EXIT_LINE = /^\s*(?:exit|quit|miala|mivaoka)\s*;?\s*$/i;
const CLEAR_LINE = /^\s*(?:clear|diovy|!)\s*;?\s*$/i;
const MORE = "   ...> ";
/** The beginning of a login, whose password may follow on another line. */
const SECRET = /(?:^|;)\s*login\s/i;
const CLEAR_SCREEN = "\x1b[H\x1b[2J";

export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface Conversation {
  readonly session: SqlSession;
  readonly isJson: boolean;
  readonly history: HistoryFile;
}

/** Reads and executes statements until the user ends the session. */
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

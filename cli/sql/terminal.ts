/** `dbsync sql` at a terminal: statements over several lines until `;`, history, completion. */
import { createInterface, type Interface } from "node:readline";
import { type HistoryFile, MAX_HISTORY_LINES } from "../shared/history-file.js";
import { Completion } from "./completion.js";
import { printAnswer, printProblem } from "./print-answer.js";
import type { SqlSession } from "./sql-session.js";
import { StatementReader } from "./statement.js";

const LEAVE = "Ctrl-D, exit, quit or miala leaves.";
const LEAVING = /^\s*(?:exit|quit|miala|mivaoka)\s*;?\s*$/i;
const CLEARING = /^\s*(?:clear|diovy|!)\s*;?\s*$/i;
const MORE = "   ...> ";
/** The beginning of a login; the password follows, perhaps on another line. */
const SECRET = /(?:^|;)\s*login\s/i;
const CLEAR_SCREEN = "\x1b[H\x1b[2J";

export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface Talk {
  readonly session: SqlSession;
  readonly isJson: boolean;
  readonly history: HistoryFile;
}

/** Reads and executes statements until the user leaves. */
export async function converse(talk: Talk, { input, output }: TerminalStreams): Promise<void> {
  const { session, isJson, history } = talk;
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
    // A user that does not wait for the answer loses the connection.
    if (session.isBusy) session[Symbol.dispose]();
    else {
      if (terminal.line === "" && !reader.isMidStatement) output.write(`\n${LEAVE}`);
      output.write("\n");
      reader.drop();
      before = "";
      clearLine(terminal);
      prompt();
    }
  });
  output.write(`A statement ends with ;, Tab completes words and names. ${LEAVE}\n`);
  prompt();
  for await (const line of terminal) {
    if (!reader.isMidStatement && LEAVING.test(line)) break;
    if (line.trim() !== "" && !SECRET.test(`${before}${line}\n`)) history.add(line);
    if (!reader.isMidStatement && CLEARING.test(line)) output.write(CLEAR_SCREEN);
    else {
      for (const statement of reader.push(Buffer.from(`${line}\n`))) {
        await session
          .ask(statement)
          .then((answer) => printAnswer(answer, { isJson, tellsAll: true, output }), printProblem);
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

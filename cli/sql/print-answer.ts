/** What `dbsync sql` prints: answers as tables or as JSON of a line each and what went wrong on standard error. */

import { shown, shownLines } from "../../net/terminal/shown-text.js";
import { EXIT, type ExitCode } from "../shared/exit-codes.js";
import type { SqlAnswer } from "./answer.js";
import { tableOf } from "./relation-table.js";

export interface Printing {
  readonly isJson: boolean;
  /** Whether what was done is told as well, and not only what was asked for. */
  readonly tellsAll: boolean;
  readonly output: NodeJS.WritableStream;
}

/** @returns the exit code that it deserves */
export function printAnswer(answer: SqlAnswer, { isJson, tellsAll, output }: Printing): ExitCode {
  const isWell = answer.kind !== "error";
  if (isJson) output.write(`${JSON.stringify(objectOf(answer))}\n`);
  else if (answer.kind === "relation") output.write(tableOf(answer));
  else if (answer.kind === "error") printProblem(new Error(answer.text));
  else if (tellsAll) output.write(`${shown(answer.text) || "OK"}\n`);
  return isWell ? EXIT.ok : EXIT.failed;
}

export function printProblem(problem: Error): void {
  process.stderr.write(`dbsync: ${shownLines(problem.message)}\n`);
}

function objectOf(answer: SqlAnswer): object {
  if (answer.kind === "relation") return { columns: answer.columns, rows: answer.rows };
  return answer.kind === "error" ? { error: { message: answer.text } } : { message: answer.text };
}

/** Prints the answers of `dbsync sql`. */
import { escapedText } from "../../../daemon/net/terminal/terminal-text.js";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import { EXIT, type ExitCode } from "../shared/exit-codes.js";
import { printNotice } from "../shared/output.js";
import type { ServerCell, ServerRelation, SqlAnswer } from "./sql-server-client.js";

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
  else if (printsMessages) output.write(`${escapedText(answer.text) || "OK"}\n`);
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
export function tableOf({ columns, rows }: ServerRelation): string {
  const heads = columns.map(escapedText);
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

const cellText = (cell: ServerCell) => (typeof cell === "string" ? escapedText(cell) : String(cell));

const widthOf = (text = "") => [...text].length;

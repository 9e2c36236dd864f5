/** Answers of the SQL line protocol: messages, errors, and relations in pages. Source: test/vectors/sql/GRAMMAR.md "Wire". */
import { BALANCER_ERROR, ERROR_HEAD } from "../../protocol/sql-frames.js";

export type Cell = string | number | boolean | null;

export interface Relation {
  readonly kind: "relation";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export type SqlAnswer = Relation | { readonly kind: "message" | "error"; readonly text: string };

const SHOWN_CHARS = 100;

interface Page {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly Cell[])[];
}

/**
 * The next answer.
 * @param line  gives one line after the other, without its end
 * @throws Error  what comes is none; what `line` throws
 */
export async function readAnswer(line: () => Promise<string>): Promise<SqlAnswer> {
  let columns: string[] | null = null;
  const rows: (readonly Cell[])[] = [];
  for (;;) {
    const head = await line();
    if (head.startsWith("RELATION_JSON_PAGE ")) {
      const page = pageOf(await line());
      columns ??= page.columns.map(({ name }) => name);
      for (const row of page.rows) rows.push(row);
    } else if (head === "RESULT_MESSAGE") {
      const text = await readText(line);
      if (text.startsWith(ERROR_HEAD)) return { kind: "error", text: text.slice(ERROR_HEAD.length) };
      if (text === BALANCER_ERROR) return { kind: "error", text };
      return columns === null ? { kind: "message", text } : { kind: "relation", columns, rows };
    } else if (head !== "RELATION_JSON_END") throw noAnswer(head);
  }
}

async function readText(line: () => Promise<string>): Promise<string> {
  const lines: string[] = [];
  for (let next = await line(); next !== "END"; next = await line()) lines.push(next);
  return lines.join("\n");
}

function pageOf(text: string): Page {
  try {
    const page = JSON.parse(text) as Partial<Page>;
    if (Array.isArray(page.columns) && Array.isArray(page.rows)) return page as Page;
  } catch {
    // Told below.
  }
  throw noAnswer(text);
}

const noAnswer = (text: string) =>
  new Error(
    `this is no answer of an SQL server, as dbsyncd --sql is one: ${JSON.stringify(text.slice(0, SHOWN_CHARS))}`,
  );

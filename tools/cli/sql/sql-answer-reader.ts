/**
 * Parses the answers of the SQL line protocol: messages, errors, and relations in pages. Source:
 * test/vectors/sql/GRAMMAR.md "Wire".
 */
import { isTlsAlert } from "../../../client/shared/tls-connection.js";
import { BALANCER_ERROR, ERROR_HEAD } from "../../../faces/sql/bytes/sql-frames.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import type { AnswerReader } from "../../../protocol/request-client.js";

export type Cell = string | number | boolean | null;

export interface Relation {
  readonly kind: "relation";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export type SqlAnswer = Relation | { readonly kind: "message" | "error"; readonly text: string };

const SHOWN_CHARS = 100;
const END = "END";
const LINE_FEED = 0x0a;
const TLS_ONLY = "the server accepts only TLS: write sqls:// before the address";

interface Page {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Splits a stream into answers. */
export class SqlAnswerReader implements AnswerReader<SqlAnswer> {
  problem: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** Number of received bytes that were already searched for a line end. */
  #scanned = 0;
  #section: "head" | "page" | "text" = "head";
  #columns: string[] | null = null;
  #rows: (readonly Cell[])[] = [];
  #text: string[] = [];

  get isMidAnswer(): boolean {
    return this.#input.length > 0 || this.#section !== "head" || this.#columns !== null;
  }

  /** Adds a chunk, which must not be changed afterwards. */
  push(chunk: Buffer): void {
    if (isTlsAlert(chunk)) this.problem = TLS_ONLY;
    this.#input.push(chunk);
  }

  next(): SqlAnswer | null {
    while (this.problem === null) {
      const line = this.#line();
      if (line === null) return null;
      if (this.#section === "text") {
        if (line === END) return this.#answer();
        this.#text.push(line);
      } else if (this.#section === "page") this.#page(line);
      else if (line.startsWith("RELATION_JSON_PAGE ")) this.#section = "page";
      else if (line === "RESULT_MESSAGE") this.#section = "text";
      else if (line !== "RELATION_JSON_END") this.problem = wrongAnswer(line);
    }
    return null;
  }

  #line(): string | null {
    const input = this.#input;
    const end = input.bytes.subarray(input.at, input.end).indexOf(LINE_FEED, this.#scanned);
    if (end < 0) {
      this.#scanned = input.length;
      return null;
    }
    const line = input.bytes.toString("utf8", input.at, input.at + end);
    input.skip(end + 1);
    this.#scanned = 0;
    return line;
  }

  #page(text: string): void {
    this.#section = "head";
    const page = pageOf(text);
    if (page === null) this.problem = wrongAnswer(text);
    else {
      this.#columns ??= page.columns.map(({ name }) => name);
      for (const row of page.rows) this.#rows.push(row);
    }
  }

  #answer(): SqlAnswer {
    const [text, columns, rows] = [this.#text.join("\n"), this.#columns, this.#rows];
    this.#section = "head";
    this.#columns = null;
    this.#rows = [];
    this.#text = [];
    if (text.startsWith(ERROR_HEAD)) return { kind: "error", text: text.slice(ERROR_HEAD.length) };
    if (text === BALANCER_ERROR) return { kind: "error", text };
    return columns === null ? { kind: "message", text } : { kind: "relation", columns, rows };
  }
}

function pageOf(text: string): Page | null {
  try {
    const page = JSON.parse(text) as Partial<Page>;
    if (Array.isArray(page.columns) && Array.isArray(page.rows)) return page as Page;
  } catch {
    // The text is not JSON, so it is not a page.
  }
  return null;
}

const wrongAnswer = (text: string) =>
  `the server does not speak the protocol of dbsyncd --sql: it answered ${JSON.stringify(text.slice(0, SHOWN_CHARS))}`;

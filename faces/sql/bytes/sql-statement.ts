/**
 * Parses requests of the SQL line protocol that are not statements, and converts statements for the original server.
 * The original ends a statement at every `;`, and repeats its lines in errors, where a line END would end the answer.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { SqlScanner } from "./sql-scanner.js";

/** Matches a login. It allows only ASCII spaces, because byte A0 may be a part of a letter. */
const LOGIN = /^login[ \t\r\n]+([^ \t\r\n]+)[ \t\r\n]+([^ \t\r\n]+)$/i;
/** Matches a request that sets the number of rows per page for the connection. */
const PAGES = /^(?:pages|pejy)\s+([1-9]\d{0,8})$/i;
/**
 * Matches HTTP: a web page has made a browser connect here, and its data must not be interpreted as statements, even if
 * a `;` in its path ends the first one.
 */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) \/)/i;
/** Matches a statement without quotes, semicolons, line breaks and comments. */
const PLAIN = /^(?:(?!--|\/\*)[^'";\r\n])*$/;
export type SessionRequest =
  | { readonly kind: "login"; readonly name: ByteString; readonly password: ByteString }
  | { readonly kind: "pages"; readonly rows: number }
  /** A client that speaks HTTP. */
  | { readonly kind: "http" };

/** Parses a request that concerns the connection. Returns null if it is a statement. */
export function readSessionRequest(statement: ByteString): SessionRequest | null {
  const login = LOGIN.exec(statement);
  if (login !== null) return { kind: "login", name: login[1] as string, password: login[2] as string };
  const pages = PAGES.exec(statement);
  if (pages !== null) return { kind: "pages", rows: Number(pages[1]) };
  return HTTP.test(statement) ? { kind: "http" } : null;
}

/** Matches a text whose last quote follows a backslash, up to that quote. */
const ESCAPED_END = /(['"])[^'"]*\\\1(?=[\s,);]|$)/;

/**
 * Describes an unfinished text or comment in a statement, because of which a server would wait for more input or
 * include the following bytes. Returns null if there is none.
 */
export function unfinishedPart(statement: string): string | null {
  const { open } = partsOf(statement);
  if (open === null) return null;
  if (open === "comment") return "a comment in this statement has no */ at its end";
  const [text] = ESCAPED_END.exec(statement) ?? [];
  const hint = text === undefined ? "" : `; ${text} does not end there: write \\\\ for a backslash`;
  return `a text in this statement has no closing quote${hint}`;
}

/**
 * Whether the original interprets a statement identically, because the statement has no `;`, line breaks, quotes or
 * comments.
 */
export function isPlain(statement: string): boolean {
  return PLAIN.test(statement);
}

/**
 * Returns an equivalent statement for the original, on one line.
 * @returns null if the original would not interpret it as one statement
 */
export function statementForOriginal(statement: string): string | null {
  if (statement.includes(";")) return null;
  let written = "";
  let at = 0;
  for (const [from, to] of partsOf(statement).texts) {
    written += blanked(statement.slice(at, from));
    written += statement.slice(from, to).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
    at = to;
  }
  return written + blanked(statement.slice(at));
}

const blanked = (piece: string) => piece.replace(/[\r\n]+/g, " ");

/** Returns the statement with its final `;`, which a comment on its last line must not hide. */
export function terminated(statement: string): string {
  return statement.includes("--") ? `${statement}\n;` : `${statement};`;
}

interface Parts {
  /** The starts and ends of the texts that end, including quotes. */
  readonly texts: readonly (readonly [from: number, to: number])[];
  /** The part that does not end; null if there is none. */
  readonly open: SqlScanner["open"];
}

function partsOf(statement: string): Parts {
  const scanner = new SqlScanner();
  const texts: (readonly [number, number])[] = [];
  let from = -1;
  for (let at = 0; at < statement.length; at++) {
    if (scanner.ends(statement.charCodeAt(at))) scanner.reset();
    if (scanner.isInText === from >= 0) continue;
    if (from >= 0) texts.push([from, at + 1]);
    from = scanner.isInText ? at : -1;
  }
  return { texts, open: scanner.open };
}

/**
 * Requests on connections of the SQL line protocol besides statements, and statements as the original reads them: it ends them at every
 * `;`, and repeats their lines in its errors, where a line END would end the answer.
 */
import type { ByteString } from "./byte-string.js";

/** Blanks of ASCII: byte A0 may be a part of a letter. */
const LOGIN = /^login[ \t\r\n]+([^ \t\r\n]+)[ \t\r\n]+([^ \t\r\n]+)$/i;
/** Sets the number of rows in each page of the connection. */
const PAGES = /^(?:pages|pejy)\s+([1-9]\d{0,8})$/i;
/**
 * Matches HTTP: a page has made a browser connect here, and its data must not be interpreted as statements; also if a `;` in its path ends the
 * first one.
 */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) \/)/i;
/** A statement without quotes, ends and line breaks, and without the beginning of a comment. */
const PLAIN = /^(?:(?!--|\/\*)[^'";\r\n])*$/;
const SINGLE = 0x27;
const DOUBLE = 0x22;
const BACKSLASH = 0x5c;

export type SqlAside =
  | { readonly kind: "login"; readonly name: ByteString; readonly password: ByteString }
  | { readonly kind: "pages"; readonly rows: number }
  /** A client that speaks HTTP. */
  | { readonly kind: "http" };

/** Parses a request that concerns the connection; null: it is a statement. */
export function readAside(statement: ByteString): SqlAside | null {
  const login = LOGIN.exec(statement);
  if (login !== null) return { kind: "login", name: login[1] as string, password: login[2] as string };
  const pages = PAGES.exec(statement);
  if (pages !== null) return { kind: "pages", rows: Number(pages[1]) };
  return HTTP.test(statement) ? { kind: "http" } : null;
}

/** Whether a text or a comment in it has no end, so that a server would wait for more, or take what follows for its own. */
export function isOpen(statement: string): boolean {
  return textsOf(statement) === null;
}

/** Whether it looks the same to the original, and no `;` and no line break in it means anything. */
export function isPlain(statement: string): boolean {
  return PLAIN.test(statement);
}

/**
 * The same for the original, on one line.
 * @returns null: it would not take it for one statement
 */
export function forTheOriginal(statement: string): string | null {
  if (statement.includes(";")) return null;
  let written = "";
  let at = 0;
  for (const [from, to] of textsOf(statement) ?? []) {
    written += blanked(statement.slice(at, from));
    written += statement.slice(from, to).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
    at = to;
  }
  return written + blanked(statement.slice(at));
}

const blanked = (piece: string) => piece.replace(/[\r\n]+/g, " ");

/** Comments and spaces, then the first word of an English statement: sql-lines.ts has the same rule. */
const ENGLISH =
  /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^*]*(?:\*(?!\/)[^*]*)*\*\/)*(?:select|insert|update|delete|create|drop|show|use|describe)\b/i;

/** The statement with its end, which a comment in its last line must not hide. */
export function ended(statement: string): string {
  return statement.includes("--") ? `${statement}\n;` : `${statement};`;
}

/** Returns the index after the comment that begins at `at`; `at`: none begins there; Infinity: it has no end. */
function behindComment(statement: string, at: number): number {
  const [close, length] = statement.startsWith("--", at) ? ["\n", 1] : ["*/", 2];
  if (close === "*/" && !statement.startsWith("/*", at)) return at;
  const end = statement.indexOf(close, at + 2);
  return end >= 0 ? end + length : length === 1 ? statement.length : Infinity;
}

/** Returns the beginnings and ends of its texts, quotes included; null: one has no end. */
function textsOf(statement: string): (readonly [number, number])[] | null {
  const texts: (readonly [number, number])[] = [];
  const mayHaveComments = ENGLISH.test(statement);
  for (let at = 0; at < statement.length; at++) {
    const behind = mayHaveComments ? behindComment(statement, at) : at;
    if (behind === Infinity) return null;
    if (behind !== at) {
      at = behind - 1;
      continue;
    }
    const quote = statement.charCodeAt(at);
    if (quote !== SINGLE && quote !== DOUBLE) continue;
    const from = at++;
    for (; at < statement.length && statement.charCodeAt(at) !== quote; at++)
      if (statement.charCodeAt(at) === BACKSLASH) at++;
    if (at >= statement.length) return null;
    texts.push([from, at + 1]);
  }
  return texts;
}

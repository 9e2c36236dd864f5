/**
 * A typed line, cut into arguments: blanks separate, quotes hold together. "…" knows \n \r \t \b \a, \xHH for any byte,
 * and \ before any other character for itself; '…' knows \' alone. Source: redis-cli's own rules, Redis 7.
 */

import { DbsyncError } from "../../client/shared/errors.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";

const NAMED_BYTES: Readonly<Record<string, ByteString>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };
const BLANK = /\s/;

/** Whether a line means anything else than its words between blanks. */
export function isQuoted(line: string): boolean {
  return /["']/.test(line);
}

/** Whether a line ends within quotes, so that it may go on. */
export function isQuoteOpen(line: string): boolean {
  let quote = "";
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (quote === "") quote = char === '"' || char === "'" ? char : "";
    else if (char === "\\") at++;
    else if (char === quote) quote = "";
  }
  return quote !== "";
}

/**
 * The arguments of a line; those that are no UTF-8 come as bytes.
 * @throws DbsyncError `bad-command`: a quote that is not closed, or closed in the middle of a word
 */
export function splitWords(line: string): (string | Buffer)[] {
  const words: (string | Buffer)[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && BLANK.test(line[at] as string)) at++;
    if (at === line.length) return words;
    let bytes: ByteString = "";
    while (at < line.length && !BLANK.test(line[at] as string)) {
      const char = String.fromCodePoint(line.codePointAt(at) as number);
      if (char === '"' || char === "'") {
        const quoted = readQuoted(line, at);
        bytes += quoted.bytes;
        at = quoted.end;
      } else {
        bytes += bytesOfText(char);
        at += char.length;
      }
    }
    words.push(textOrBytes(bytes));
  }
}

/** @returns what stands between the quotes, and where the line goes on */
function readQuoted(line: string, start: number): { bytes: ByteString; end: number } {
  const quote = line[start] as string;
  let bytes: ByteString = "";
  for (let at = start + 1; at < line.length; ) {
    const char = String.fromCodePoint(line.codePointAt(at) as number);
    if (char === quote) {
      const next = line[at + 1];
      if (next === undefined || BLANK.test(next)) return { bytes, end: at + 1 };
      throw badLine(`a blank has to follow the closing ${quote}, found ${JSON.stringify(next)}`);
    }
    if (char === "\\" && quote === '"') {
      const escaped = readEscape(line, at);
      bytes += escaped.bytes;
      at = escaped.end;
    } else if (char === "\\" && line[at + 1] === "'") {
      bytes += "'";
      at += 2;
    } else {
      bytes += bytesOfText(char);
      at += char.length;
    }
  }
  throw badLine(
    `the quote ${quote} is not closed; a quote that is meant as such stands in the other kind of quotes`,
  );
}

function readEscape(line: string, at: number): { bytes: ByteString; end: number } {
  const digits = /^x([\da-f]{2})/i.exec(line.slice(at + 1, at + 4))?.[1];
  if (digits !== undefined) return { bytes: String.fromCharCode(Number.parseInt(digits, 16)), end: at + 4 };
  const code = line.codePointAt(at + 1);
  if (code === undefined) return { bytes: "\\", end: at + 1 };
  const char = String.fromCodePoint(code);
  return { bytes: NAMED_BYTES[char] ?? bytesOfText(char), end: at + 1 + char.length };
}

function textOrBytes(bytes: ByteString): string | Buffer {
  const buffer = Buffer.from(bytes, "latin1");
  const text = buffer.toString("utf8");
  return Buffer.from(text, "utf8").equals(buffer) ? text : buffer;
}

function badLine(detail: string): DbsyncError {
  return new DbsyncError("bad-command", detail);
}

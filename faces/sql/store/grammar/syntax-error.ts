/** A syntax error: the text found, the text expected, the line and the column. */
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";

/** The kinds of mistakes. `unexpected` means that a different text was expected at the position. */
export type MistakeKind =
  | "unexpected"
  | "unknown-command"
  | "no-alias"
  | "dotted-alias"
  | "only-null"
  | "reserved"
  | "unsupported"
  | "limit";

export class SqlMistake extends Error {
  override readonly name = "SqlMistake";
  readonly kind: MistakeKind;
  /** Offset in the statement, in bytes. */
  readonly at: number;
  /** The text found; empty at the end of the statement. */
  readonly found: ByteString;
  /** The text expected, or the text that is not permitted, in English. */
  readonly expected: string;

  constructor(
    kind: MistakeKind,
    position: { readonly at: number; readonly found: ByteString },
    expected: string,
  ) {
    super(expected);
    this.kind = kind;
    this.at = position.at;
    this.found = position.found;
    this.expected = expected;
  }
}

export interface Position {
  /** Line number, from 1. */
  readonly line: number;
  readonly column: number;
  /** The line, shortened, with a caret before the position. */
  readonly shown: ByteString;
}

const SHOWN_CHARS = 24;

export function positionIn(statement: ByteString, at: number): Position {
  const before = statement.slice(0, at);
  const start = before.lastIndexOf("\n") + 1;
  const end = statement.indexOf("\n", at);
  const lineBefore = [...textOfBytes(before.slice(start))];
  const right = [...textOfBytes(statement.slice(at, end < 0 ? at + 4 * SHOWN_CHARS : end))];
  const cut = lineBefore.slice(-SHOWN_CHARS).join("");
  return {
    line: before.split("\n").length,
    column: lineBefore.length + 1,
    shown: bytesOfText(
      `${lineBefore.length > SHOWN_CHARS ? "…" : ""}${cut}^${right.slice(0, SHOWN_CHARS).join("")}${right.length > SHOWN_CHARS ? "…" : ""}`,
    ),
  };
}

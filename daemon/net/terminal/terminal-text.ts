/** Formats text for terminals: escapes control characters, colours text, breaks help at the terminal's width. */
import { styleText } from "node:util";
import { CONTROL_CHARACTERS, unicodeEscape } from "../../../protocol/control-characters.js";

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Returns text on one line, without control characters. */
export function escapedText(text: string): string {
  return text.replace(CONTROL_CHARACTERS, escapedCharacter);
}

/** Returns the escape of a control character: `\n`, `\x1b` or `\u202e`. */
export function escapedCharacter(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0xff) return unicodeEscape(character);
  return NAMED[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
}

/** Returns text like `escapedText`, line by line. */
export function shownLines(text: string): string {
  return text.split("\n").map(escapedText).join("\n");
}

/** The kind of a line, such as the head of a table, a problem or a warning. */
export type Tone = "plain" | "head" | "bad" | "warn" | "good";

const FORMATS = {
  head: "bold",
  bad: "red",
  warn: "yellow",
  good: "green",
} as const satisfies Record<Exclude<Tone, "plain">, Parameters<typeof styleText>[0]>;

/**
 * Colours a text for a stream, for people: on a terminal, unless NO_COLOR is set, and never in a pipe.
 * @param text  must not contain escape sequences from a server
 */
export function painted(text: string, tone: Tone, stream: NodeJS.WriteStream = process.stdout): string {
  // styleText obeys FORCE_COLOR, which many CI systems set although their log files should contain no colours.
  if (tone === "plain" || text === "" || !hasColours(stream)) return text;
  return styleText(FORMATS[tone], text, { stream });
}

function hasColours({ isTTY }: NodeJS.WriteStream): boolean {
  return isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
}

/** The width of help that is not printed on a terminal. */
const HELP_COLUMNS = 120;

/** Breaks paragraphs that have a line longer than `columns`. Indented lines, such as examples, are not changed. */
export const breakHelp = (help: string, columns = process.stdout.columns || HELP_COLUMNS): string =>
  help.replace(new RegExp(`^(?! ).{${columns + 1},}(?:\\n(?! ).+)*`, "gm"), (paragraph) =>
    paragraph
      .replaceAll("\n", " ")
      .replace(new RegExp(`(.{1,${columns}})(?: |$)`, "g"), "$1\n")
      .trimEnd(),
  );

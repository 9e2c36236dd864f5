/** Colours text for people: on a terminal, unless NO_COLOR is set, and never in a pipe. */
import { styleText } from "node:util";

/** The kind of a line, such as the head of a table, a problem or a warning. */
export type Tone = "plain" | "head" | "bad" | "warn" | "good";

const FORMATS = {
  head: "bold",
  bad: "red",
  warn: "yellow",
  good: "green",
} as const satisfies Record<Exclude<Tone, "plain">, Parameters<typeof styleText>[0]>;

/** Colours a text for a stream. @param text  must not contain escape sequences from a server */
export function painted(text: string, tone: Tone, stream: NodeJS.WriteStream = process.stdout): string {
  // styleText obeys FORCE_COLOR, which many CI systems set although their log files should contain no colours.
  if (tone === "plain" || text === "" || !hasColours(stream)) return text;
  return styleText(FORMATS[tone], text, { stream });
}

function hasColours({ isTTY }: NodeJS.WriteStream): boolean {
  return isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
}

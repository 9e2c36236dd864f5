/** Colours of what people are shown: on a terminal, unless NO_COLOR is set; never in a pipe. */
import { styleText } from "node:util";

/** The kind of a line: the head of a table, bad, or worth a look. */
export type Tone = "plain" | "head" | "bad" | "warn" | "good";

const FORMATS = {
  head: "bold",
  bad: "red",
  warn: "yellow",
  good: "green",
} as const satisfies Record<Exclude<Tone, "plain">, Parameters<typeof styleText>[0]>;

/** @param text  without escapes of a server's making */
export function painted(text: string, tone: Tone, stream: NodeJS.WriteStream = process.stdout): string {
  // FORCE_COLOR, which styleText obeys, is set by many a CI, whose files are to hold none.
  if (tone === "plain" || text === "" || !hasColours(stream)) return text;
  return styleText(FORMATS[tone], text, { stream });
}

function hasColours({ isTTY }: NodeJS.WriteStream): boolean {
  return isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
}

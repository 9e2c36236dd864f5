/** Generates the section of docs/troubleshooting.md with the texts of common mistakes. */
import { CALL_MISTAKES } from "./call-mistakes.js";
import type { Texts } from "./collect-texts.js";
import { DAEMON_MISTAKES } from "./daemon-mistakes.js";
import type { Mistake } from "./mistake.js";
import { NODE_MISTAKES, SHELL_MISTAKES } from "./own-mistakes.js";

export const PAGE = "docs/troubleshooting.md";

export interface Group {
  readonly name: string;
  readonly mistakes: readonly Mistake[];
}

export const GROUPS: readonly Group[] = [
  { name: "Calls", mistakes: CALL_MISTAKES },
  { name: "Programs in JavaScript", mistakes: NODE_MISTAKES },
  { name: "In a shell", mistakes: SHELL_MISTAKES },
  { name: "Starting a daemon", mistakes: DAEMON_MISTAKES },
];

const BEGIN = "<!-- made by npm run mistakes -->\n";
const END = "<!-- end of what is made by npm run mistakes -->\n";

/** Returns the page with the texts of the common mistakes. @param texts  mistake → text */
export function pageWith(page: string, texts: ReadonlyMap<Mistake, string>): string {
  const [head, rest] = page.split(BEGIN) as [string, string];
  const sections = [...texts].map(([{ name }, text]) => `\n### ${name}\n\n\`\`\`text\n${text}\n\`\`\`\n`);
  return [head, BEGIN, ...sections, "\n", END, rest.split(END)[1]].join("");
}

/** Returns one of the texts, preferably that of Node or the shell, without the program's name. */
export function shownText(texts: Texts): string {
  const text = texts.Node ?? texts.shell ?? texts.dbsyncd ?? "";
  return text.replace(/^(?:dbsync|dbsyncd|dbsync-keygen): /, "");
}

/** Returns the text of the page for a mistake, or null if there is none. */
export function printedText(page: string, { name }: Mistake): string | null {
  const section = page.split(`\n### ${name}\n`)[1]?.split(/\n### /)[0] ?? "";
  return /^```text\n([\s\S]*?)\n```$/m.exec(section)?.[1] ?? null;
}

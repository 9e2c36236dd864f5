/** docs/mistakes.md: every mistake of the table, and what each program says of it. */
import { CALL_MISTAKES } from "./call-mistakes.js";
import { DAEMON_MISTAKES } from "./daemon-mistakes.js";
import type { Mistake, Reader } from "./mistake.js";
import { NODE_MISTAKES, SHELL_MISTAKES } from "./own-mistakes.js";
import type { Told } from "./tell.js";

export const PAGE = "docs/mistakes.md";

export interface Group {
  readonly name: string;
  readonly mistakes: readonly Mistake[];
}

export const GROUPS: readonly Group[] = [
  { name: "Calls", mistakes: CALL_MISTAKES },
  { name: "Programs in JavaScript", mistakes: NODE_MISTAKES },
  { name: "At a shell", mistakes: SHELL_MISTAKES },
  { name: "Starting a daemon", mistakes: DAEMON_MISTAKES },
];

const HEAD = `# Mistakes, and what is said of them

Search this page for the words that you have before you. Under each mistake stands what Node, the shell (\`dbsync …\`), PHP and
Python say of it, what \`dbsyncd\` says that does not start, and what a daemon's log says. \`npm run mistakes\` makes the page
by making all of them; a test compares. What codes mean is in [client/README.md](../client/README.md), what to do about other trouble in
[troubleshooting.md](troubleshooting.md).
`;

const LABELS: Readonly<Record<Reader, string>> = {
  ...{ Node: "Node", shell: "shell", PHP: "PHP", Python: "Python" },
  ...{ dbsyncd: "dbsyncd", log: "the daemon's log" },
};

export function pageOf(tolds: ReadonlyMap<Mistake, Told>): string {
  const groups = GROUPS.map(
    ({ name, mistakes }) =>
      `\n## ${name}\n${mistakes.map((mistake) => sectionOf(mistake, tolds.get(mistake) ?? {})).join("")}`,
  );
  return HEAD + groups.join("");
}

/** Those that say the same stand together. */
function sectionOf({ name }: Mistake, told: Told): string {
  const readers = new Map<string, string[]>();
  for (const [reader, text] of Object.entries(told)) {
    const label = LABELS[reader as Reader];
    const said = withoutProgram(text);
    readers.set(said, [...(readers.get(said) ?? []), label]);
  }
  const parts = [...readers].map(
    ([text, labels]) => `\n${labels.join(", ")}:\n\n\`\`\`text\n${text}\n\`\`\`\n`,
  );
  return `\n### ${name}\n${parts.join("")}`;
}

/** A program says its name before. */
export const withoutProgram = (text: string): string =>
  text.replace(/^(?:dbsync|dbsyncd|dbsync-keygen): /, "");

/** What a page says of a mistake: by reader. */
export function toldBy(page: string, group: string, { name }: Mistake): Told {
  const chapter = page.split(`\n## ${group}\n`)[1]?.split(/\n## /)[0] ?? "";
  const section = chapter.split(`\n### ${name}\n`)[1]?.split(/\n### /)[0] ?? "";
  const told: Told = {};
  for (const [, labels = "", text = ""] of section.matchAll(/^(.+):\n\n```text\n([\s\S]*?)\n```$/gm))
    for (const [reader, label] of Object.entries(LABELS))
      if (labels.split(", ").includes(label)) told[reader as Reader] = text;
  return told;
}

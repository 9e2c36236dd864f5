/** The pages of docs/api, made from the compiled types of the package's entries. */
import { type Declaration, exportsOf, usedBy } from "./declarations.js";

export const FOLDER = "docs/api";

interface Page {
  /** The page's file, below the folder. */
  readonly file: string;
  readonly title: string;
  /** The entry's .d.ts, below the build's folder, without its ending. */
  readonly entry: string;
  readonly intro: string;
}

export const PAGES: readonly Page[] = [
  {
    file: "client.md",
    title: "The client",
    entry: "client/entry",
    intro:
      "What `dbsyncd` and `dbsync-client` export, for Node.js. [client/README.md](../../client/README.md) explains how to use it, and lists the error codes with what to do.",
  },
  {
    file: "browser.md",
    title: "The client for pages",
    entry: "client/browser/entry",
    intro: "What `dbsyncd/browser` exports. [browsers.md](../browsers.md) explains how to use it.",
  },
  {
    file: "testing.md",
    title: "Daemons for tests",
    entry: "daemon/testing",
    intro:
      "What `dbsyncd/testing` exports: real daemons in the process of your own tests. [client/README.md](../../client/README.md#in-your-tests) has an example.",
  },
];

const KINDS = [
  ["Functions", ["function"]],
  ["Classes", ["class"]],
  ["Types", ["interface", "type", "const"]],
] as const;

/** Returns a page's text. */
export function apiPage({ title, entry, intro }: Page): string {
  const exported = exportsOf(entry);
  const groups = KINDS.map(([heading, kinds]) => ({
    heading,
    members: exported.filter(({ kind }) => (kinds as readonly string[]).includes(kind)),
  }));
  const used = {
    heading: "Types that these name",
    // Exported by no entry: a program cannot import them by name.
    members: usedBy(exported),
  };
  const shown = [...groups, used].filter(({ members }) => members.length > 0);
  return [
    `# ${title}`,
    "",
    "<!-- Made by `npm run api-pages`; a test compares it with the types. -->",
    "",
    intro,
    "",
    ...shown.map(({ heading, members }) => `- ${heading}: ${members.map(linkTo).join(", ")}`),
    "",
    ...shown.flatMap(({ heading, members }) => [
      `## ${heading}`,
      "",
      ...(heading === used.heading ? ["They are not exported.", ""] : []),
      ...members.flatMap(section),
    ]),
  ].join("\n");
}

const linkTo = ({ name }: Declaration) => `[${name}](#${name.toLowerCase()})`;

function section({ name, doc, code }: Declaration): string[] {
  const prose = doc === "" ? [] : [...documented(doc), ""];
  return [`### ${name}`, "", ...prose, "```ts", bare(code), "```", ""];
}

/** Returns the code as a reader sees it: indented by two spaces, without words of the compiler's. */
function bare(code: string): string {
  return code
    .replace(/^(?:export )?(?:declare )?/, "")
    .replace(/^ {4}#private;\n/gm, "")
    .replace(/^( {4})+/gm, (spaces) => " ".repeat(spaces.length / 2));
}

/** Returns a doc comment as Markdown: its text, and a list of its tags. */
function documented(doc: string): string[] {
  const [text = "", ...tags] = doc.split(/\s*@(?=(?:param|returns|throws) )/);
  const items = tags.map((tag) => {
    const [, word = "", rest = ""] = /^(\w+) ([\s\S]*)$/.exec(tag) ?? [];
    const line = rest.replace(/\s*\n\s*/g, " ").trim();
    const [, name = "", meaning = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? ["", line, ""];
    if (word === "param") return `- \`${name}\`: ${meaning}`;
    if (word === "returns") return `- returns ${line}`;
    return `- throws \`${name}\`${meaning === "" ? "" : `: ${meaning}`}`;
  });
  return [...(text === "" ? [] : [text]), ...(text === "" || items.length === 0 ? [] : [""]), ...items];
}

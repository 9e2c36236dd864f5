/** What is on the site: the documents of the repository, and every file that they link to. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, extname, join, posix } from "node:path";
import { groups } from "./navigation.js";

/** Languages of the files that are shown as code, by extension. */
const LANGUAGES = {
  ".html": "html",
  ".js": "js",
  ".json": "json",
  ".php": "php",
  ".py": "python",
  ".service": "ini",
  ".sh": "sh",
  ".toml": "toml",
  ".ts": "ts",
  ".yaml": "yaml",
  ".yml": "yaml",
};

const PICTURE = /\.(png|svg)$/;

/** The path that a relative link of a document leads to, from the root of the repository; the fragment is not part of it. */
export const linkedPath = (source, link) =>
  posix.join(posix.dirname(source), decodeURI(link.replace(/[?#].*$/, ""))).replace(/\/$/, "");

export const isRelative = (link) => !/^([a-z][a-z+.-]*:|\/\/|#)/i.test(link);

/**
 * Collects the pages: the navigation's, the decisions, and what they link to, directly or not.
 * @param root  the folder of the repository
 * @returns repository path → `{ source, target, title, text }`; `target` is the path below the site's source folder, `text` is Markdown
 */
export function collectPages(root) {
  const pages = new Map();
  const waiting = [
    ...groups.flatMap((group) => group.pages),
    ...markdownIn(root, "docs"),
    ...markdownIn(root, "docs/decisions"),
  ];
  for (const path of waiting) {
    const source = existsSync(join(root, path, "README.md")) ? posix.join(path, "README.md") : path;
    if (pages.has(source) || PICTURE.test(source) || !existsSync(join(root, source))) continue;
    const page = pageOf(root, source);
    pages.set(source, page);
    waiting.push(...linksOf(page.text).map((link) => linkedPath(page.source, link)));
  }
  return pages;
}

/** Writes the pages and the pictures to a folder, which is emptied before. */
export function writePages(root, pages, folder) {
  rmSync(folder, { recursive: true, force: true });
  for (const { target, text } of pages.values()) {
    mkdirSync(dirname(join(folder, target)), { recursive: true });
    writeFileSync(join(folder, target), text);
  }
  const pictures = "docs/pictures";
  mkdirSync(join(folder, pictures), { recursive: true });
  for (const name of readdirSync(join(root, pictures)).filter((file) => PICTURE.test(file)))
    copyFileSync(join(root, pictures, name), join(folder, pictures, name));
}

const markdownIn = (root, folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);

function pageOf(root, source) {
  if (statSync(join(root, source)).isDirectory()) return folderPage(root, source);
  const content = readFileSync(join(root, source), "utf8");
  if (!source.endsWith(".md")) return codePage(source, content);
  const text = withoutComments(content);
  const title = (/^# (.*)$/m.exec(text)?.[1] ?? source).replaceAll("`", "");
  return { source, target: source.replace(/(^|\/)README\.md$/, "$1index.md"), title, text };
}

/** Removes the comments for those who edit a document; a block of code keeps its own. */
const withoutComments = (text) =>
  text.replace(/^(```|~~~)[\s\S]*?^\1|^<!--[\s\S]*?-->\n/gm, (part, fence) =>
    fence === undefined ? "" : part,
  );

/** A list of the files of a folder without README. */
function folderPage(root, source) {
  const names = readdirSync(join(root, source)).sort();
  const text = `${UNSEARCHED}# ${source}/\n\n${names.map((name) => `- [${name}](${basename(source)}/${name})`).join("\n")}\n`;
  return { source, target: `${source}/index.md`, title: `${source}/`, text };
}

function codePage(source, code) {
  const language = basename(source) === "Dockerfile" ? "dockerfile" : (LANGUAGES[extname(source)] ?? "txt");
  const text = `${UNSEARCHED}# ${source}\n\n~~~~~~${language}\n${code.trimEnd()}\n~~~~~~\n`;
  return { source, target: `${source}.md`, title: source, text };
}

/** Code is not part of the search: it would crowd out the documents. */
const UNSEARCHED = "---\nsearch: false\noutline: false\n---\n\n";

/** Relative links outside of blocks of code. */
const linksOf = (text) =>
  [...text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "").matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter(isRelative);

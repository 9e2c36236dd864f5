/** Collects the pages of the site: the documents of the repository, and every file that they link to. */
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

/** The languages of files that are shown as code, by extension. */
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

/**
 * Returns the path to which a relative link of a document leads, relative to the root of the repository and without
 * the fragment.
 */
export const linkedPath = (source, link) =>
  posix.join(posix.dirname(source), decodeURI(link.replace(/[?#].*$/, ""))).replace(/\/$/, "");

export const isRelative = (link) => !/^([a-z][a-z+.-]*:|\/\/|#)/i.test(link);

/**
 * Collects the pages of the navigation, the decisions, and all files that they link to, directly or indirectly.
 * @param root  the folder of the repository
 * @returns the pages by their paths in the repository, as `{ source, target, title, text }`; `target` is the path
 *   below the source folder of the site, `text` is Markdown
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

/** Empties a folder, and writes the pages and the pictures to it. */
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

/** Removes the comments of a document, which are for its editors. Comments in code blocks remain. */
const withoutComments = (text) =>
  text.replace(/^(```|~~~)[\s\S]*?^\1|^<!--[\s\S]*?-->\n/gm, (part, fence) =>
    fence === undefined ? "" : part,
  );

/** Returns a page that lists the files of a folder without README.md. */
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

/**
 * The header of pages that show code. The search excludes them, because they would displace documents among the
 * results.
 */
const UNSEARCHED = "---\nsearch: false\noutline: false\n---\n\n";

/** Returns the relative links outside of code blocks. */
const linksOf = (text) =>
  [...text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "").matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter(isRelative);

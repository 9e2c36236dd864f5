/**
 * Rewrites links, which are written for a repository host, to links of the site, and checks the links of the built
 * site.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { isRelative, linkedPath } from "./pages.js";

/** Returns the anchor that repository hosts assign to a heading. */
export const anchorOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");

/**
 * A plugin for markdown-it that rewrites relative links to links of the site.
 * @param pages  the pages, from `collectPages`
 * @throws Error  while rendering, if a link leads to no page
 */
export function rewriteLinks(md, pages) {
  const byTarget = new Map([...pages.values()].map((page) => [page.target, page]));
  md.core.ruler.push("rewrite_links", ({ tokens, env }) => {
    const page = byTarget.get(env.relativePath);
    if (page === undefined) return;
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const link = token.type === "link_open" ? token.attrGet("href") : null;
      if (link !== null && isRelative(link)) token.attrSet("href", siteLink(page, link, pages));
    }
  });
}

/**
 * Returns the link on the site for a relative link of a document.
 * @throws Error  if the link leads to no page
 */
export function siteLink(page, link, pages) {
  const path = linkedPath(page.source, link);
  const linked = pages.get(path) ?? pages.get(`${path}/README.md`);
  if (linked === undefined)
    throw new Error(`${page.source}: the link to ${link} leads to no file of the repository`);
  const relative = posix.relative(posix.dirname(page.target), linked.target);
  return `./${relative}${/#.*$/.exec(link)?.[0] ?? ""}`;
}

/**
 * Returns the links of built pages that lead to no file, or to a missing heading.
 * @param folder  the built site
 * @param base  the path under which the site is served, with a slash at both ends
 */
export function deadLinks(folder, base) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".html"));
  const texts = new Map(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const ids = new Map([...texts].map(([name, text]) => [name, new Set(idsOf(text))]));
  const dead = [];
  for (const [name, text] of texts) {
    for (const [, link] of text.matchAll(/\s(?:href|src)="([^"]+)"/g)) {
      const url = new URL(link.replaceAll("&amp;", "&"), `site://local${base}${name}`);
      if (url.protocol !== "site:") continue;
      const path = decodeURI(url.pathname)
        .slice(base.length)
        .replace(/(^|\/)$/, "$1index.html");
      const heading = decodeURIComponent(url.hash.slice(1));
      const isThere = url.pathname.startsWith(base) && existsSync(join(folder, path));
      if (!isThere || (heading !== "" && ids.get(path)?.has(heading) === false))
        dead.push(`${name}: ${link}`);
    }
  }
  return dead;
}

const idsOf = (text) => [...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);

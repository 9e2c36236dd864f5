/**
 * The settings of VitePress. The site consists of documents of the repository, has its own search, and loads no file
 * from other sites.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { anchorOf, deadLinks, rewriteLinks } from "../links.js";
import { sidebar } from "../navigation.js";
import { collectPages, writePages } from "../pages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = collectPages(root);
writePages(root, pages, fileURLToPath(new URL("../.build/pages", import.meta.url)));

export default defineConfig({
  title: "dbsync",
  description: "The same data on several machines, without a cluster to run.",
  lang: "en",
  srcDir: ".build/pages",
  outDir: "dist",
  cacheDir: ".build/cache",
  metaChunk: true,
  markdown: {
    // The documents are plain Markdown, without HTML, attributes in braces, automatic links and emoji.
    html: false,
    linkify: false,
    attrs: { disable: true },
    languages: [{ name: "hex", scopeName: "source.hex", patterns: [], repository: {} }],
    anchor: { slugify: anchorOf },
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config(md) {
      md.disable("emoji");
      rewriteLinks(md, pages);
      // A wide table can be scrolled on a phone and with the keyboard.
      md.renderer.rules.table_open = () =>
        '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>\n';
      md.renderer.rules.table_close = () => "</table></div>\n";
    },
  },
  themeConfig: {
    nav: [
      { text: "Install", link: "/install" },
      { text: "Operations", link: "/docs/operations" },
      { text: "Client", link: "/client/" },
      { text: "Changes", link: "/CHANGELOG" },
    ],
    sidebar: sidebar(pages),
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        _render: (source, env, md) => {
          const html = md.render(source, env);
          return env.frontmatter?.search === false ? "" : html;
        },
      },
    },
  },
  buildEnd({ outDir, site }) {
    const dead = deadLinks(outDir, site.base);
    if (dead.length > 0) throw new Error(`dead links:\n${dead.join("\n")}`);
  },
});

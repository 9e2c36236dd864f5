/** The documentation site: every page is in its navigation, every link leads somewhere, and a browser shows it to everyone. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startChromium } from "../client/browser/chromium.js";
import { skipUnlessFull } from "../support/amount.js";
import { seriousFindings } from "../support/axe.js";
import { listenAtFreePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { scratchFolder } from "../support/scratch-folder.js";

interface Page {
  readonly source: string;
  readonly target: string;
  readonly title: string;
  readonly text: string;
}

interface SidebarItem {
  readonly link?: string;
  readonly items: readonly { readonly link: string }[];
}

interface SiteModules {
  collectPages(root: string): Map<string, Page>;
  deadLinks(folder: string, base: string): readonly string[];
  groups: readonly { readonly pages: readonly string[] }[];
  sidebar(pages: ReadonlyMap<string, Page>): readonly SidebarItem[];
  siteLink(page: Page, link: string, pages: ReadonlyMap<string, Page>): string;
}

const site = join(repositoryRoot, "site");
const load = (name: string) => import(pathToFileURL(join(site, name)).href) as Promise<SiteModules>;
const { collectPages } = await load("pages.js");
const { groups, sidebar } = await load("navigation.js");
const { deadLinks, siteLink } = await load("links.js");

const pages = collectPages(repositoryRoot);
const documents = ["docs", "docs/decisions"].flatMap((folder) =>
  readdirSync(join(repositoryRoot, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`),
);

test("the navigation has every document, in the order of README", () => {
  const links = sidebar(pages).flatMap(({ link, items }) => [link, ...items.map((item) => item.link)]);
  for (const name of documents)
    assert.ok(links.includes(`/${name.replace(/(README)?\.md$/, "")}`), `${name} is not in the navigation`);
  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  const onward = /^## Next steps$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const named = [...onward.matchAll(/\]\(([^)#]+)/g)].map(([, name = ""]) => name);
  assert.ok(named.length > 10);
  const order = groups.flatMap((group) => group.pages);
  assert.deepEqual(
    order.filter((name) => named.includes(name)),
    named,
  );
});

test("a document that the navigation lacks is refused", () => {
  const more = new Map(pages).set("docs/more.md", { source: "", target: "", title: "", text: "" });
  assert.throws(() => sidebar(more), /navigation\.js does not list docs\/more\.md: add it to a group/);
});

test("links lead to pages of the site, and a link to no file is refused", () => {
  const page = pages.get("docs/decisions/README.md") ?? assert.fail("no page");
  assert.equal(siteLink(page, "../architecture.md#the-folders", pages), "./../architecture.md#the-folders");
  assert.equal(siteLink(page, "../../README.md", pages), "./../../index.md");
  assert.equal(
    siteLink(page, "../../examples/recipes/lock.ts", pages),
    "./../../examples/recipes/lock.ts.md",
  );
  assert.throws(() => siteLink(page, "nothing.md", pages), /the link to nothing\.md leads to no file/);
});

test("comments of documents are not on the site, except in blocks of code", () => {
  const source = readFileSync(join(repositoryRoot, "docs/commands.md"), "utf8");
  assert.match(source, /^<!--/m);
  for (const { source: name, text } of pages.values())
    if (name.endsWith(".md")) assert.doesNotMatch(text.replace(/^```[\s\S]*?^```/gm, ""), /^<!--/m, name);
});

test("dead links of built pages are found: to pages, headings and pictures", () => {
  const folder = scratchFolder("site");
  const links = ["/base/", "#here", "/base/#there", "/base/gone.html", "/other/", "https://example.com/"];
  const anchors = links.map((link) => `<a href="${link}">link</a>`).join("");
  writeFileSync(join(folder, "index.html"), `<h1 id="here">Title</h1>${anchors}<img src="gone.png">`);
  assert.deepEqual(deadLinks(folder, "/base/"), [
    "index.html: /base/#there",
    "index.html: /base/gone.html",
    "index.html: /other/",
    "index.html: gone.png",
  ]);
});

const isInstalled = existsSync(join(site, "node_modules/vitepress"));
const skipUninstalled = isInstalled ? false : "site/node_modules is not there: npm run site installs it";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/** Serves the files of a folder on a free port of loopback. */
async function serve(folder: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(({ url = "/" }, response) => {
    const file = join(folder, new URL(url, "http://localhost").pathname.replace(/\/$/, "/index.html"));
    if (!existsSync(file)) return response.writeHead(404).end();
    return response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain").end(readFileSync(file));
  });
  const port = await listenAtFreePort(server);
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

describe("the built site", { skip: skipUnlessFull || skipUninstalled }, () => {
  const built = scratchFolder("site");

  before(async () => {
    const vitepress = join(site, "node_modules/vitepress/bin/vitepress.js");
    await promisify(execFile)(process.execPath, [vitepress, "build", "--outDir", built], { cwd: site });
  });

  test("has a page for each document, with its title, and no dead link", () => {
    for (const name of [
      ...documents,
      "README.md",
      "install.md",
      "CHANGELOG.md",
      "SECURITY.md",
      "CONTRIBUTING.md",
    ]) {
      const file = name.replace(/README\.md$/, "index.md").replace(/\.md$/, ".html");
      const html = readFileSync(join(built, file), "utf8");
      assert.match(html, /<h1 id="[^"]+" tabindex="-1">/, file);
    }
    assert.deepEqual(deadLinks(built, "/"), []);
  });

  test("loads nothing from elsewhere", () => {
    for (const name of readdirSync(built, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".html")) continue;
      const html = readFileSync(join(built, name), "utf8");
      assert.doesNotMatch(html, /<(?:script|link|img)\b[^>]*(?:src|href)="(?:https?:)?\/\//, name);
    }
  });

  test("is readable for everyone, on phones and desktops, light and dark", {
    skip: skipWithout("chromium"),
  }, async () => {
    await using server = await serve(built);
    await using chromium = await startChromium();
    const { tab } = chromium;
    for (const look of [PHONE, DESKTOP]) {
      for (const isDark of [false, true]) {
        await tab.appear({ ...look, isDark });
        for (const path of ["/", "/docs/architecture.html", "/docs/commands.html"]) {
          const where = `${path}, ${look.width} pixels wide, ${isDark ? "dark" : "light"}`;
          await tab.open(`${server.url}${path}`);
          await tab.until(`document.documentElement.classList.contains("dark") === ${isDark}`);
          assert.deepEqual(await seriousFindings(tab), [], where);
          assert.ok(
            await tab.run("document.documentElement.scrollWidth <= innerWidth"),
            `${where}: too wide`,
          );
        }
      }
    }
  });

  test("finds a page by a word of its text", { skip: skipWithout("chromium") }, async () => {
    await using server = await serve(built);
    await using chromium = await startChromium();
    const { tab } = chromium;
    await tab.appear({ ...DESKTOP, isDark: false });
    await tab.open(`${server.url}/`);
    await tab.until(`(document.querySelector("#local-search button")?.click(),
      document.querySelector("#localsearch-input") !== null)`);
    await tab.run(`document.querySelector("#localsearch-input").focus()`);
    await tab.command("Input.insertText", { text: "runbook" });
    await tab.until(`[...document.querySelectorAll("#localsearch-list a")].some(({ href }) =>
      href.includes("/docs/runbooks.html"))`);
  });
});

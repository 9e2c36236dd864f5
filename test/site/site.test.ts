/**
 * Tests the documentation site: the navigation contains every page, no link is dead, and the pages are accessible in
 * a browser.
 */
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
import { axeFindings } from "../support/axe.js";
import { listenAtFreePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { scratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";

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

interface TimelineEntry {
  readonly argv: readonly string[];
  readonly isLate: boolean;
}

interface TimelineCluster {
  readonly daemons: readonly { readonly entries: readonly TimelineEntry[] }[];
  readonly answers: readonly { readonly date: number; readonly reply: string }[];
}

interface TimelineModel {
  newCluster(names: readonly string[]): TimelineCluster;
  write(cluster: TimelineCluster, index: number, command: string): TimelineCluster;
  setCut(cluster: TimelineCluster, index: number, isCut: boolean): TimelineCluster;
  fold(entries: readonly TimelineEntry[]): { state: Map<string, string>; replies: Map<number, string> };
}

const site = join(repositoryRoot, "site");
const load = (name: string) => import(pathToFileURL(join(site, name)).href) as Promise<SiteModules>;
const { collectPages } = await load("pages.js");
const { groups, sidebar } = await load("navigation.js");
const { deadLinks, siteLink } = await load("links.js");

const { newCluster, write, setCut, fold } = (await import(
  pathToFileURL(join(site, "timeline.js")).href
)) as TimelineModel;

const pages = collectPages(repositoryRoot);
const documents = ["docs", "docs/decisions"].flatMap((folder) =>
  readdirSync(join(repositoryRoot, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`),
);

test("the navigation contains every document, in the order of README.md", () => {
  const links = sidebar(pages).flatMap(({ link, items }) => [link, ...items.map((item) => item.link)]);
  for (const name of documents)
    assert.ok(links.includes(`/${name.replace(/(README)?\.md$/, "")}`), `${name} is not in the navigation`);
  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  const [, onward = ""] = readme.split("## Next steps");
  const named = [...onward.matchAll(/\]\(([^)#]+)/g)].map(([, name = ""]) => name);
  assert.ok(named.length > 10);
  const order = groups.flatMap((group) => group.pages);
  assert.deepEqual(
    order.filter((name) => named.includes(name)),
    named,
  );
});

test("the build refuses a document that is missing from the navigation", () => {
  const more = new Map(pages).set("docs/more.md", { source: "", target: "", title: "", text: "" });
  assert.throws(() => sidebar(more), /navigation\.js does not list docs\/more\.md: add it to a group/);
});

test("the build rewrites links to pages of the site, and refuses a link to a missing file", () => {
  const page = pages.get("docs/decisions/README.md") ?? assert.fail("no page");
  assert.equal(siteLink(page, "../architecture.md#the-folders", pages), "./../architecture.md#the-folders");
  assert.equal(siteLink(page, "../../README.md", pages), "./../../index.md");
  assert.equal(
    siteLink(page, "../../examples/recipes/lock.ts", pages),
    "./../../examples/recipes/lock.ts.md",
  );
  assert.throws(() => siteLink(page, "nothing.md", pages), /the link to nothing\.md leads to no file/);
});

test("the site contains no comments of documents, except in code blocks", () => {
  const source = readFileSync(join(repositoryRoot, "docs/commands.md"), "utf8");
  assert.match(source, /^<!--/m);
  for (const { source: name, text } of pages.values())
    if (name.endsWith(".md")) assert.doesNotMatch(text.replace(/^```[\s\S]*?^```/gm, ""), /^<!--/m, name);
});

test("the build finds dead links to pages, headings and pictures", () => {
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

describe("the model of the timeline picture", () => {
  test("applies a late entry at its position on every daemon, and corrects a provisional answer", () => {
    let cluster = setCut(newCluster(["A", "B"]), 0, true);
    cluster = write(cluster, 0, "SET lock {daemon} NX");
    cluster = write(cluster, 1, "SET lock {daemon} NX");
    assert.deepEqual(
      cluster.answers.map(({ reply }) => reply),
      ["OK", "OK"],
    );

    cluster = setCut(cluster, 0, false);
    for (const { entries } of cluster.daemons) {
      const { state, replies } = fold(entries);
      assert.deepEqual([...state], [["lock", "A"]]);
      assert.deepEqual([...replies.values()], ["OK", "nil"]);
    }

    const isLate = cluster.daemons.map(({ entries }) => entries.map((entry) => entry.isLate));
    assert.deepEqual(isLate, [
      [false, false],
      [true, false],
    ]);
  });

  test("loses no write while a daemon is cut off", () => {
    let cluster = setCut(newCluster(["A", "B", "C"]), 2, true);
    for (const index of [0, 2, 1, 2]) cluster = write(cluster, index, "INCR visits");
    cluster = setCut(cluster, 2, false);
    for (const { entries } of cluster.daemons) assert.deepEqual([...fold(entries).state], [["visits", "4"]]);
  });
});

const isInstalled = existsSync(join(site, "node_modules/vitepress"));
const skipUninstalled = isInstalled ? false : "site/node_modules is missing: npm run site installs it";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/** Serves the files of a folder on a free loopback port. */
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

  test("has a page with the title of each document, and no dead link", () => {
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

  test("loads no file from another site", () => {
    for (const name of readdirSync(built, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".html")) continue;
      const html = readFileSync(join(built, name), "utf8");
      assert.doesNotMatch(html, /<(?:script|link|img)\b[^>]*(?:src|href)="(?:https?:)?\/\//, name);
    }
  });

  test("is accessible on phones and desktops, in light and dark mode", {
    skip: skipWithout("chromium"),
  }, async () => {
    await using server = await serve(built);
    await using chromium = await startChromium();
    const { tab } = chromium;
    for (const look of [PHONE, DESKTOP]) {
      for (const isDark of [false, true]) {
        await tab.appear({ ...look, isDark });
        for (const path of [
          "/",
          "/docs/architecture.html",
          "/docs/commands.html",
          "/docs/consistency.html",
        ]) {
          const where = `${path}, ${look.width} pixels wide, ${isDark ? "dark" : "light"}`;
          await tab.open(`${server.url}${path}`);
          await tab.until(`document.documentElement.classList.contains("dark") === ${isDark}`);
          assert.deepEqual(await axeFindings(tab), [], where);
          assert.ok(
            await tab.run("document.documentElement.scrollWidth <= innerWidth"),
            `${where}: too wide`,
          );
        }
      }
    }
  });

  test("has a picture of the timeline in which a reader cuts daemons off", {
    skip: skipWithout("chromium"),
  }, async () => {
    await using server = await serve(built);
    await using chromium = await startChromium();
    const { tab } = chromium;
    await tab.appear({ ...PHONE, isDark: false });
    await tab.open(`${server.url}/docs/consistency.html`);

    const states = `[...document.querySelectorAll(".timeline .state")].map((state) => state.dataset.state)`;
    const press = (daemon: number, text: string) =>
      tab.until(`[...document.querySelectorAll(".timeline .daemon")][${daemon}]
        ?.querySelectorAll("button").values().some((button) => button.innerText === "${text}" && (button.click(), true))`);

    // The page ignores buttons until its script runs, so the first press is repeated until it has an effect.
    await until(
      "the press has an effect",
      async () =>
        (await tab.run(`document.querySelector(".timeline .daemon button[aria-pressed=true]") !== null`)) ===
        true,
      { pause: () => press(0, "Cut off") },
    );

    await press(0, "SET colour red");
    await press(1, "SET colour blue");
    await tab.until(`JSON.stringify(${states}) === '["colour = red","colour = blue","colour = blue"]'`);

    await press(0, "Connect again");
    await tab.until(`JSON.stringify(${states}) === '["colour = blue","colour = blue","colour = blue"]'`);
  });

  test("finds a page by a word in its text", { skip: skipWithout("chromium") }, async () => {
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

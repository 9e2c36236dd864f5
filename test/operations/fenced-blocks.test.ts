/**
 * Tests the settings and answers in the blocks of the user pages, and that each block of a language that a program
 * reads has a test.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseIni } from "../../client/settings/default-options.js";
import { parseServers } from "../../client/shared/server-list.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { programPaths } from "../support/programs.js";
import { buildRoot, ownFiles, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";

/** A page (null: all pages), the language of its blocks, and the test that runs, compiles or parses them. */
type Row = readonly [page: string | null, language: string, test: string];

const HERE = "operations/fenced-blocks.test.js";
const TESTS: readonly Row[] = [
  [null, "sh", "docs.test.js"],
  [null, "console", "operations/pages.test.js"],
  [null, "ini", HERE],
  [null, "yaml", HERE],
  ["README.md", "js", "docs.test.js"],
  ["docs/tour.md", "js", "docs.test.js"],
  ...["haproxy", "js", "python"].map(
    (language): Row => ["docs/active-active.md", language, "libraries/failover-blocks.test.js"],
  ),
  ["docs/setup.md", "toml", HERE],
  ["docs/browsers.md", "html", "client/browser/first-page.test.js"],
  ["docs/browsers.md", "ts", "client/browser/types.test.js"],
  ["docs/client-package.md", "js", "client-package.test.js"],
  ["docs/metrics.md", "json", HERE],
  ["docs/php.md", "json", HERE],
  ["docs/php.md", "php", "examples/php-calls.test.js"],
  ["docs/protocol-v2.md", "hex", "conformance/v2-vectors.test.js"],
  ["docs/python.md", "python", "python/documents.test.js"],
  ["docs/recipes.md", "js", "examples/recipes/page-programs.test.js"],
  ["docs/recipes.md", "ts", "examples/recipes/page.test.js"],
  ["docs/scale.md", "js", HERE],
  ["docs/troubleshooting.md", "text", "mistakes/mistakes.test.js"],
];

interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const pages = ownFiles().filter((file) => /^(?:README|install|SECURITY|docs\/[^/]+)\.md$/.test(file));

const BLOCKS: readonly Block[] = pages.flatMap((page) =>
  [...readFileSync(join(repositoryRoot, page), "utf8").matchAll(/^ *```(\w+)\n([\s\S]*?)^ *```$/gm)].map(
    ([, language = "", text = ""]) => ({ page, language, text }),
  ),
);

const blocksOf = (language: string, page?: string): Block[] =>
  BLOCKS.filter((block) => block.language === language && (page ?? block.page) === block.page);

/** Completes the fingerprints that the pages shorten. */
const withFingerprints = (text: string): string =>
  text.replace(/([\da-f]{8})…/g, (_, digits: string) => digits.repeat(8));

/** Enables the settings that are comments. */
const withAllSettings = (text: string): string => text.replace(/^;(?=dbsync\.\w+ =)/gm, "");

test("each block of a language has a test, and each row of the table has a block", () => {
  const covers = ([page, language]: Row, block: Block) =>
    language === block.language && (page ?? block.page) === block.page;
  const untested = BLOCKS.filter((block) => !TESTS.some((row) => covers(row, block)));
  assert.deepEqual(untested, []);
  for (const row of TESTS) {
    assert.ok(
      BLOCKS.some((block) => covers(row, block)),
      `no block: ${row.join()}`,
    );
    assert.ok(existsSync(join(buildRoot, "test", row[2])), row[2]);
  }
});

test("the client reads the ini blocks, including the settings in comments", () => {
  for (const { page, text } of blocksOf("ini")) {
    const { servers = "" } = parseIni(withAllSettings(text), page);
    assert.ok(parseServers(withFingerprints(servers)).length > 0, page);
  }
});

test("PHP reads the same settings from the ini blocks of docs/php.md as the client", {
  skip: skipWithout("php"),
}, async () => {
  const code = "echo json_encode(parse_ini_string(stream_get_contents(STDIN)));";
  for (const { page, text } of blocksOf("ini", "docs/php.md")) {
    const { code: exit, stdout, stderr } = await run("php", ["-n", "-r", code], { input: text });
    assert.deepEqual([exit, stderr], [0, ""]);
    const expected = Object.entries(parseIni(text, page)).map(([name, value]) => [`dbsync.${name}`, value]);
    const { extension: _, ...settings } = JSON.parse(stdout) as Record<string, string>;
    assert.deepEqual(settings, Object.fromEntries(expected));
  }
});

test("the daemon accepts the toml blocks of docs/setup.md", async () => {
  using folder = new ScratchFolder();
  const key = makeKeyPair();
  const file = join(folder.path, "dbsyncd.toml");
  for (const { text } of blocksOf("toml", "docs/setup.md")) {
    writeFileSync(file, text);
    const { code, stderr } = await run(process.execPath, [
      programPaths.dbsyncd,
      ...["--config", file, "--sign-key", key.file, "--data", join(folder.path, "data"), "--check-config"],
    ]);
    assert.equal(code, 0, stderr);
  }
});

test("the program of docs/scale.md measures each list of daemons", async () => {
  await using one = await startDaemon();
  await using two = await startDaemon();
  using folder = new ScratchFolder();
  const library = join(folder.path, "node_modules", "dbsyncd");
  mkdirSync(library, { recursive: true });
  cpSync(join(repositoryRoot, "package.json"), join(library, "package.json"));
  symlinkSync(buildRoot, join(library, "dist"));

  const [program] = blocksOf("js", "docs/scale.md");
  const file = join(folder.path, "load.mjs");
  writeFileSync(file, program?.text ?? "");

  const [first, second] = [one, two].map(({ port }) => `127.0.0.1:${port}`);
  const lists = [String(first), `${first},${second}`];
  const { code, stdout, stderr } = await run(process.execPath, [file, "0.2", ...lists]);
  assert.equal(code, 0, stderr);
  const figures = String.raw`: [1-9]\d* a second, median [\d.]+ ms, 99 % [\d.]+ ms`;
  assert.match(stdout, new RegExp(`^${lists.map((list) => list + figures).join("\n")}\n$`));
});

test("the answer of /healthz in docs/metrics.md is real", async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  const port = await daemon.portOf("/healthz and /metrics");
  const answer = await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
  assert.deepEqual(
    blocksOf("json", "docs/metrics.md").map(({ text }) => text.trim()),
    [answer.trim()],
  );
});

test("the yaml blocks name the default port of --admin and an existing file of rules", () => {
  for (const { page, text } of blocksOf("yaml")) {
    assert.match(text, /^scrape_configs:\n {2}- job_name: dbsync\n {4}static_configs:/, page);
    const [, targets = ""] = /\btargets: (\[.*?\])/.exec(text) ?? [];
    const addresses = JSON.parse(targets) as string[];
    assert.ok(addresses.length > 0, page);
    for (const address of addresses) assert.match(address, /^10\.0\.0\.\d:9464$/, page);
    const [, rules] = /^rule_files: \[(.*)\]$/m.exec(text) ?? [];
    if (rules !== undefined)
      assert.ok(existsSync(join(repositoryRoot, "examples", "production", rules)), `${page}: ${rules}`);
  }
});

test("the json block of docs/php.md names the package of examples/php", () => {
  const [block] = blocksOf("json", "docs/php.md") as [Block];
  const { repositories, require } = JSON.parse(block.text) as {
    repositories: { type: string; url: string }[];
    require: Record<string, string>;
  };
  const manifest = readFileSync(join(repositoryRoot, "examples", "php", "composer.json"), "utf8");
  assert.deepEqual(Object.keys(require), [(JSON.parse(manifest) as { name: string }).name]);
  assert.deepEqual(
    repositories.map(({ type, url }) => [type, url.endsWith("/examples/php")]),
    [["path", true]],
  );
});

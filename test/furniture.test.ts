/**
 * Tests the files from which editors, repository hosts and old module resolvers read the project's settings, and the
 * figures that the first page quotes.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VERSIONS } from "./other-nodes/nodes.js";
import { clientPackage } from "./support/make-client-package.js";
import { repositoryRoot } from "./support/repository.js";

const read = (name: string): string => readFileSync(join(repositoryRoot, name), "utf8");

interface Manifest {
  readonly main: string;
  readonly types: string;
  readonly typesVersions: { readonly "*": Record<string, readonly [string]> };
  readonly engines: { readonly node: string };
  /** The conditions of each entry. The entry for web pages has only types for ES modules. */
  readonly exports: Record<
    string,
    { readonly types?: string; readonly require?: { readonly types: string; readonly default: string } }
  >;
}

const manifest = JSON.parse(read("package.json")) as Manifest;

test("all pages name the same versions of Node: the oldest that works, and those that are recommended", () => {
  const [, oldest = ""] = /^>=(\d+\.\d+)$/.exec(manifest.engines.node) ?? [];
  const recommended = [...VERSIONS.keys()].slice(1);
  assert.equal(
    VERSIONS.get("20")?.startsWith(`${oldest}.`),
    true,
    "npm run other-nodes tests the oldest version",
  );
  assert.ok(recommended.includes(read(".nvmrc").trim()));
  for (const page of ["README.md", "install.md", "CONTRIBUTING.md"])
    assert.match(
      read(page),
      new RegExp(`Node ${oldest.replace(".", "\\.")} or later.{0,20}${recommended.join(" (?:and|or) ")}`),
      page,
    );
});

test("README.md has at most 120 lines, and install.md 200", () => {
  for (const [page, most] of [
    ["README.md", 120],
    ["install.md", 200],
  ] as const)
    assert.ok(read(page).trimEnd().split("\n").length <= most, page);
});

test("editors break lines at the same length as the formatter", () => {
  const { formatter } = JSON.parse(read("biome.json")) as { formatter: { lineWidth: number } };
  assert.match(read(".editorconfig"), new RegExp(`^max_line_length = ${formatter.lineWidth}$`, "m"));
});

test("the workflow runs only .ci/run, with the Node version of .nvmrc", () => {
  const workflow = read(".github/workflows/ci.yml");
  assert.deepEqual(
    [...workflow.matchAll(/- run: (.*)/g)].map(([, command]) => command),
    [".ci/run"],
  );
  assert.match(workflow, /node-version-file: \.nvmrc/);
});

for (const [name, { main, types, typesVersions, exports }] of [
  ["dbsyncd", manifest],
  ["dbsync-client", JSON.parse(readFileSync(join(clientPackage, "package.json"), "utf8")) as Manifest],
] as const)
  test(`module resolvers without support for exports find the same files of ${name}`, () => {
    const { "./package.json": _, ".": first, ...others } = exports;
    assert.deepEqual([main, types], [first?.require?.default, first?.require?.types]);
    const expected = Object.entries(others).map(
      ([path, entry]) => [path.slice(2), [entry.require?.types ?? entry.types]] as const,
    );
    assert.deepEqual(typesVersions["*"], Object.fromEntries(expected));
  });

test("the files that templates name exist", () => {
  for (const name of ["bug.yml", "idea.yml", "config.yml"])
    assert.ok(existsSync(join(repositoryRoot, ".github/ISSUE_TEMPLATE", name)), name);
  const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;
  for (const [, script = ""] of read(".github/PULL_REQUEST_TEMPLATE.md").matchAll(/npm (?:run )?(\w+)/g))
    assert.ok(script in scripts, script);
});

test("the README quotes the figures that bench/RESULTS.md shows", () => {
  const results = read("bench/RESULTS.md");
  const cells = (name: string): readonly number[] => {
    const row =
      results.split("\n").find((line) => line.startsWith(`| ${name}`)) ?? assert.fail(`no row ${name}`);
    return row.split(" | ").map(Number);
  };
  const shownOf = (name: string) => {
    const perSecond = cells(name)[7] ?? Number.NaN;
    return (Math.round(perSecond / 100) * 100).toLocaleString("en");
  };

  const shown = [
    "dbsyncd, RSA, --fsync always, first",
    "Redis, appendfsync always",
    "etcd, 3",
    "NATS KV",
  ].map(shownOf);
  const [, quoted = ""] =
    /^\| durable writes per second, 64 in flight ¹⁰ \| (.*) \| not measured \| not/m.exec(
      read("README.md"),
    ) ?? [];
  assert.deepEqual(quoted.split(" | "), shown);

  const [, created = ""] =
    /^\| keys created if absent per second, durable, 64 in flight ¹⁰ \| (.*) \| not m/m.exec(
      read("README.md"),
    ) ?? [];
  const creates = ["dbsyncd, RSA, --fsync always, create", "etcd, 3 members, create"].map(shownOf);
  assert.deepEqual(created.replaceAll("not measured | ", "").split(" | ").slice(0, 2), creates);

  const [, thousands] =
    /With 64 calls in flight, the client makes (\d+),000 calls per/.exec(read("README.md")) ?? [];
  assert.equal(Number(thousands), Math.round((cells("dbsyncSend, 64 in")[1] ?? Number.NaN) / 1000));

  const [, cpu] =
    /needs ([\d.]+) s of CPU time until it has answered its first call/.exec(read("README.md")) ?? [];
  const [, start] = /^\| dbsyncd --data, until .*\n\| {2}\| 24 \| [\d.]+ \| ([\d.]+) \|/m.exec(results) ?? [];
  assert.equal(Number(cpu), Number(Number(start).toFixed(1)));
});

/**
 * Tests the files from which editors, repository hosts and old module resolvers read the project's settings, and the
 * figures that the first page quotes.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "./support/repository.js";

const read = (name: string): string => readFileSync(join(repositoryRoot, name), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  main: string;
  types: string;
  engines: { node: string };
  exports: Record<string, { require: { types: string; default: string } }>;
};

test("package.json requires the version of Node that .nvmrc names", () => {
  assert.equal(manifest.engines.node, `>=${read(".nvmrc").trim()}`);
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

test("module resolvers without support for exports find the same files", () => {
  const { require } = manifest.exports["."] ?? assert.fail("no entry");
  assert.deepEqual([manifest.main, manifest.types], [require.default, require.types]);
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
  const shown = [
    "dbsyncd, RSA, --fsync always, first",
    "Redis, appendfsync always",
    "etcd, 3",
    "NATS KV",
  ].map((name) => {
    const perSecond = cells(name)[7] ?? Number.NaN;
    return (Math.round(perSecond / 100) * 100).toLocaleString("en");
  });
  const [, quoted = ""] =
    /^\| durable writes per second, 64 in flight ¹⁰ \| (.*) \| not measured \| not/m.exec(
      read("README.md"),
    ) ?? [];
  assert.deepEqual(quoted.split(" | "), shown);
  const [, µs, thousands] =
    /a signed call takes (\d+) µs, 64 calls in flight reach (\d+),000 per/.exec(read("README.md")) ?? [];
  assert.equal(Number(µs), cells("dbsyncSend, 1 in")[2]);
  assert.equal(Number(thousands), Math.round((cells("dbsyncSend, 64 in")[1] ?? Number.NaN) / 1000));
});

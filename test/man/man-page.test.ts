/** Tests that the manual pages contain the help, and that groff reports no errors. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Command } from "commander";
import { makeProgram } from "../../tools/cli/program.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { escaped, manPage } from "./man-page.js";

const folder = join(buildRoot, "man");
const hasGroff = spawnSync("groff", ["--version"]).status === 0;

test("each program has a page, and the package lists the pages", () => {
  const { bin, man } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
    readonly bin: Readonly<Record<string, string>>;
    readonly man: readonly string[];
  };
  const pages = Object.keys(bin).map((name) => `${name}.1`);
  assert.deepEqual(readdirSync(folder).sort(), [...pages].sort());
  assert.deepEqual([...man].sort(), pages.map((page) => `./dist/man/${page}`).sort());
});

test("groff reports no errors in the pages", { skip: !hasGroff }, () => {
  for (const page of readdirSync(folder)) {
    const { stderr, status } = spawnSync("groff", ["-man", "-ww", "-Tutf8", "-z", join(folder, page)]);
    assert.deepEqual([status, String(stderr)], [0, ""], page);
  }
});

test("the formatted pages contain all subcommands with their options", { skip: !hasGroff }, async () => {
  const shown = execFileSync("groff", ["-man", "-Tutf8", "-P-c", join(folder, "dbsync.1")], {
    encoding: "utf8",
  }).replace(/.\x08/g, "");
  for (const command of (await makeProgram()).commands.filter((one) => one.name() !== "complete")) {
    assert.match(shown, new RegExp(`^ +dbsync ${command.name()}\\b`, "m"));
    for (const { long } of command.options)
      assert.ok(shown.includes(long ?? ""), `${command.name()} ${long}`);
  }
  assert.match(shown, /Examples:\n +dbsync send SET greeting hello\n/);
});

test("characters that have a meaning in roff are escaped", () => {
  assert.equal(escaped(".SH it's \\ a-b~"), "\\&.SH it\\(aqs \\e a\\-b\\(ti");
  assert.equal(escaped("…"), "\\[u2026]");
  const page = manPage(new Command("x").description("Does it."), { source: "x 1" });
  assert.match(page, /^\.TH X 1 "" "x 1" "User Commands"\n\.SH NAME\nx \\- does it\n/);
});

/** Tests completion in shells: the words that dbsync offers, in the real shells if they are installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runDbsync } from "../../../client/child.js";
import { buildRoot } from "../../../support/repository.js";
import { isOnPath } from "../../../support/requirements.js";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dbsync-completion-"));
  const program = join(folder, "dbsync");
  writeFileSync(
    program,
    `#!/bin/sh\nexec "${process.execPath}" "${join(buildRoot, "bundles/dbsync.js")}" "$@"\n`,
  );
  chmodSync(program, 0o755);
});
after(() => rmSync(folder, { recursive: true }));

/** Returns the completions of the last word. */
async function offered(...words: string[]): Promise<string[]> {
  const { code, stdout } = await runDbsync(["complete", "--", ...words]);
  assert.equal(code, 0);
  return stdout.split("\n").flatMap((line) => line.split("\t")[0] || []);
}

test("completion offers subcommands, the options of a subcommand, and names of commands after send", async () => {
  assert.ok((await offered("")).includes("send"));
  assert.deepEqual(await offered("rep"), ["repl", "repair"]);
  assert.ok(!(await offered("comp")).includes("complete"));
  assert.deepEqual(await offered("keys", "rev"), ["revoke"]);
  assert.deepEqual(await offered("send", "--rep"), ["--replicated"]);
  assert.deepEqual(await offered("send", "-k", "private.pem", "gete"), ["getex"]);
  assert.deepEqual(await offered("send", "GETE"), ["GETEX"]);
});

test("completion offers nothing for values and arguments, so that the shell offers files", async () => {
  assert.deepEqual(await offered("send", "-k", ""), []);
  assert.deepEqual(await offered("send", "SET", "k"), []);
  assert.deepEqual(await offered("send", "SET", "--k"), []);
});

test("a shell without a script causes an error that lists the supported shells", async () => {
  const { code, stderr } = await runDbsync(["completion", "tcsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /bash, zsh, fish/);
});

/** Scripts that complete typed words in each shell, after dbsync's script has been read. */
const ASKING: Readonly<Record<string, (words: string) => string>> = {
  bash: (words) =>
    `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _dbsync; printf '%s\\n' "\${COMPREPLY[@]}"`,
  fish: (words) => `complete -C '${words}' | cut -f 1`,
};

for (const [shell, asking] of Object.entries(ASKING))
  test(`${shell} completes a subcommand with the script`, {
    skip: !isOnPath(shell) && `${shell} is not installed`,
  }, () => {
    const program = join(folder, "dbsync");
    const script = execFileSync(program, ["completion", shell], { encoding: "utf8" });
    const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
    const { stdout, stderr } = spawnSync(shell, ["-c", `${script}\n${asking("dbsync keys dry")}`], {
      env,
      encoding: "utf8",
    });
    assert.equal(stdout.trim(), "dryrun", stderr);
  });

test("zsh reads the script", { skip: !isOnPath("zsh") && "zsh is not installed" }, () => {
  const script = execFileSync(join(folder, "dbsync"), ["completion", "zsh"], { encoding: "utf8" });
  const { status, stderr } = spawnSync("zsh", ["-n", "-c", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("zsh completes at the first Tab if the script is in its folder of functions", {
  skip: !isOnPath("zsh") && "zsh is not installed",
}, () => {
  const functions = join(folder, "functions");
  mkdirSync(functions);
  const script = execFileSync(join(folder, "dbsync"), ["completion", "zsh"], { encoding: "utf8" });
  writeFileSync(join(functions, "_dbsync"), script);
  const asking = `_describe() { print -rl -- "\${(@P)2}" }; _files() { print files }
    fpath=(${functions} $fpath); autoload -Uz _dbsync; words=(dbsync keys dry); CURRENT=3; _dbsync`;
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
  const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", asking], { env, encoding: "utf8" });
  assert.match(stdout, /^dryrun:\S/, stderr);
});

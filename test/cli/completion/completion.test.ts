/** Tests completion in shells: what dbsync offers, queried by the real shells where they are installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runDbsync } from "../../client/child.js";
import { buildRoot } from "../../support/repository.js";
import { isOnPath } from "../../support/requirements.js";

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

test("offers subcommands, options of the one that stands there, and names of commands behind send", async () => {
  assert.ok((await offered("")).includes("send"));
  assert.deepEqual(await offered("rep"), ["repl", "repair"]);
  assert.ok(!(await offered("comp")).includes("complete"));
  assert.deepEqual(await offered("keys", "rev"), ["revoke"]);
  assert.deepEqual(await offered("send", "--rep"), ["--replicated"]);
  assert.deepEqual(await offered("send", "-k", "private.pem", "gete"), ["getex"]);
  assert.deepEqual(await offered("send", "GETE"), ["GETEX"]);
});

test("offers nothing, so that the shell offers files, where a value or an argument is typed", async () => {
  assert.deepEqual(await offered("send", "-k", ""), []);
  assert.deepEqual(await offered("send", "SET", "k"), []);
  assert.deepEqual(await offered("send", "SET", "--k"), []);
});

test("a shell without a script is an error that names those there are", async () => {
  const { code, stderr } = await runDbsync(["completion", "tcsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /bash, zsh, fish/);
});

/** Scripts that complete typed words in each shell, after the definitions of dbsync's script. */
const ASKING: Readonly<Record<string, (words: string) => string>> = {
  bash: (words) =>
    `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _dbsync; printf '%s\\n' "\${COMPREPLY[@]}"`,
  fish: (words) => `complete -C '${words}' | cut -f 1`,
};

for (const [shell, asking] of Object.entries(ASKING))
  test(`${shell} completes a subcommand by the script`, {
    skip: !isOnPath(shell) && `${shell} is not here`,
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

test("zsh reads the script", { skip: !isOnPath("zsh") && "zsh is not here" }, () => {
  const script = execFileSync(join(folder, "dbsync"), ["completion", "zsh"], { encoding: "utf8" });
  const { status, stderr } = spawnSync("zsh", ["-n", "-c", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("zsh completes at the first Tab, from a folder of its functions", {
  skip: !isOnPath("zsh") && "zsh is not here",
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

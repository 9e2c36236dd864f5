/** Runs the examples in the help of `dbsync keys` as they are printed, with keys made by dbsync-keygen. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { programPaths } from "../../support/programs.js";
import { type Cluster, startCluster } from "./cluster.js";

const run = promisify(execFile);
let cluster: Cluster;

before(async () => {
  cluster = await startCluster(1);
  const file = (name: string) => join(cluster.folder, name);
  copyFileSync(file("root.pem"), file("root-private.pem"));
  copyFileSync(file("stranger-public.pem"), file("ci-public.pem"));
});
after(() => cluster[Symbol.asyncDispose]());

async function examplesOf(...subcommand: string[]): Promise<string[]> {
  const { stdout } = await cluster.run(["keys", ...subcommand, "--help"]);
  const [, section = ""] = stdout.split("\nExamples:\n");
  const lines = [...section.matchAll(/^ {2}(dbsync keys .*)$/gm)].map(([, line]) => line as string);
  assert.ok(lines.length > 0, stdout);
  return lines;
}

const shell = (line: string) =>
  run("sh", ["-c", `dbsync() { "${process.execPath}" "${programPaths.dbsync}" "$@"; }\n${line}`], {
    cwd: cluster.folder,
    env: { ...process.env, DBSYNC_SERVERS: cluster.daemons.servers, DBSYNC_SIGNKEY: "" },
  });

test("every example in the help of dbsync keys works as printed", async () => {
  for (const name of ["add", "list", "info", "rules", "dryrun", "revoke"]) {
    for (let line of await examplesOf(name)) {
      if (/revoke [\da-f]{8} /.test(line)) {
        const { stdout } = await cluster.run(["keys", "list", "--json", "-k", "root-private.pem"]);
        const { keys } = JSON.parse(stdout) as { keys: { id: string; label: string }[] };
        const id = keys.find(({ label }) => label === "ci")?.id ?? assert.fail(stdout);
        line = line.replace(/[\da-f]{8}/, id.slice(0, 8));
      }
      await shell(line);
    }
  }

  await using other = await startCluster(1);
  copyFileSync(join(other.folder, "root.pem"), join(other.folder, "root-private.pem"));
  const outer = cluster;
  cluster = other;
  try {
    for (const line of await examplesOf()) await shell(line);
  } finally {
    cluster = outer;
  }
});

test("options may precede or follow the key, and a rule that looks like an option is a rule", async () => {
  const root = ["-k", "root-private.pem"];
  await cluster.run(["keys", "add", "app-public.pem", "--label", "late", ...root]);
  const id = (await cluster.run(["keys", "list", "--json", ...root])).stdout;
  const { keys } = JSON.parse(id) as { keys: { id: string; role: string }[] };
  const key = keys.find(({ role }) => role === "application")?.id ?? assert.fail(id);

  const changed = await cluster.run(["keys", "rules", key, "+@all", "-select", "--json", ...root, "~*"]);
  assert.equal(changed.code, 0, changed.stderr);
  const { stdout } = await cluster.run(["keys", "info", key, "--json", ...root]);
  assert.deepEqual((JSON.parse(stdout) as { rules: string[] }).rules, ["+@all", "-select", "~*"]);
  const dry = await cluster.run(["keys", "dryrun", key, ...root, "--", "SET", "-k", "--json"]);
  assert.deepEqual([dry.code, dry.stdout], [0, "OK\n"]);

  for (const [args, message] of [
    [["rules", key, ...root], /missing required argument 'rules'/],
    [["rules", key, "+@all", "--labl", "x"], /unknown option '--labl'/],
  ] as const) {
    const wrong = await cluster.run(["keys", ...args]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, message);
  }
});

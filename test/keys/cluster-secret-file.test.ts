/** Tests the file with a cluster's secret: dbsync-keygen creates it once, and daemons read it. */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readClusterSecret } from "../../keys/cluster-secret-file.js";
import { keygen } from "../../keys/keygen-command.js";
import { temporaryFolder } from "./openssl.js";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const code = await keygen(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { code, stdout, stderr };
}

test("dbsync-keygen --cluster-secret creates a file that only its owner can read, and prints the next steps", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "cluster.secret");
  const { code, stdout, stderr } = await run("--cluster-secret", file);
  assert.equal(code, 0, stderr);
  assert.match(readFileSync(file, "latin1"), /^[\da-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(stdout.includes(`dbsyncd --cluster-secret ${file}`));
  assert.deepEqual(readdirSync(folder.path), ["cluster.secret"]);
  const { secret, warnings } = readClusterSecret(file);
  assert.equal(secret.toString("hex"), readFileSync(file, "latin1").trim());
  assert.deepEqual(warnings, []);
});

test("an existing secret is never overwritten, and the option cannot be combined with other options", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "cluster.secret");
  assert.equal((await run("--cluster-secret", file)).code, 0);
  const before = readFileSync(file);
  const again = await run("--cluster-secret", file);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^dbsync-keygen: .*cluster\.secret already exists, and was not changed/);
  const forced = await run("--cluster-secret", file, "--force");
  assert.equal(forced.code, 2);
  assert.match(forced.stderr, /'--force' cannot be combined with '--cluster-secret'/);
  assert.deepEqual(readFileSync(file), before);
  const nowhere = await run("--cluster-secret", join(folder.path, "no", "such"));
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /cannot be written \(ENOENT: /);
});

test("an error names a file without a secret, and a file that other users can read causes a warning", () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "cluster.secret");
  assert.throws(() => readClusterSecret(file), {
    code: "secret-missing",
    message: /--cluster-secret .*cluster\.secret$/,
  });
  assert.throws(() => readClusterSecret(folder.path), { code: "secret-damaged", message: /is a folder/ });

  for (const text of [
    "",
    "\n",
    "ab".repeat(31),
    `${"ab".repeat(32)}\n\n`,
    `${"ab".repeat(32)}\nmore`,
    "zz".repeat(32),
  ]) {
    writeFileSync(file, text, { mode: 0o600 });
    assert.throws(() => readClusterSecret(file), { code: "secret-damaged" }, JSON.stringify(text));
  }

  writeFileSync(file, "AB".repeat(32));
  chmodSync(file, 0o644);
  const { secret, warnings } = readClusterSecret(file);
  assert.deepEqual(secret, Buffer.alloc(32, 0xab));
  assert.match(warnings.join(), /can be read by every user of this machine.*chmod 600/);
});

/** Tests that the program reports invalid arguments with exit code 2, and ends if its start fails midway. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { listenAtFreePort } from "../../support/free-port.js";
import { programPaths } from "../../support/programs.js";
import { run } from "../../support/run-program.js";

const proxy = (...args: string[]) => run(process.execPath, [programPaths["dbsync-proxy"], ...args]);

test("an invalid address, or one with a password, is reported without the password", async () => {
  for (const args of [["a b:1"], ["cache", "--upstream", "host:99999"]]) {
    const { code, stderr } = await proxy(...args);
    assert.equal(code, 2);
    assert.match(stderr, /^dbsync-proxy: The form is sql:\/\/host/);
  }
  const { code, stdout, stderr } = await proxy("sql://ada:secret@127.0.0.1:3948");
  assert.equal(code, 2);
  assert.match(stderr, /clients log in themselves/);
  assert.doesNotMatch(stdout + stderr, /secret/);
});

test("a misspelt subcommand is not taken for a server, and the one that was meant is suggested", async () => {
  for (const [typed, meant] of [
    ["statu", "status"],
    ["cahce", "cache"],
    ["version", "--version"],
  ] as const) {
    const { code, stderr } = await proxy(typed, "--listen", "0");
    assert.equal(code, 2, typed);
    assert.match(
      stderr,
      new RegExp(`^dbsync-proxy: unknown command '${typed}'\\n\\(Did you mean ${meant}\\?`),
    );
  }
  const { stderr } = await proxy("balance", "statu", "--listen", "127.0.0.1:x");
  assert.doesNotMatch(stderr, /unknown command/);
});

test("the help fits into 80 columns", async () => {
  const { code, stdout } = await proxy("--help");
  assert.equal(code, 0);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
});

test("a balancer exits if its --admin cannot listen", async () => {
  const taken = createServer();
  await listenAtFreePort(taken);
  try {
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await proxy("127.0.0.1:1", "--listen", "0", "--admin", String(port));
    assert.equal(code, 1);
    assert.match(stderr, /another program listens there/);
  } finally {
    taken.close();
  }
});

/**
 * Tests examples/json: PHP, Python and netcat as clients of a real daemon's JSON listener, and the errors that they
 * print.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { freePort } from "../support/free-port.js";
import { RawClient } from "../support/raw-client.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

const PYTHON = "/usr/bin/python3";

/** The expected output of each example. netcat prints the raw replies. */
const EXAMPLES = [
  { program: "php", file: "users.php", prefix: "php", prints: "Andrew\n2 users\n" },
  { program: PYTHON, file: "users.py", prefix: "py", prints: "Andrew\n2 users\n" },
  {
    program: "nc",
    interpreter: "sh",
    file: "users.sh",
    prefix: "sh",
    prints: [
      '{"status":"success"}',
      '{"status":"success","data_interted":[{"name":"John","role":"admin"},{"name":"Andrew","role":"user"}]}',
      '{"status":"success","data":{"1":{"name":"Andrew","role":"user"}}}',
      '{"status":"success","count":2}',
      '{"status":"success"}\n',
    ].join("\n"),
  },
] as const;

describe("examples/json", () => {
  let daemon: DaemonHere;
  let port: number;
  before(async () => {
    port = await freePort();
    daemon = await startDaemonHere(["--json", String(port)]);
  });
  after(() => daemon[Symbol.asyncDispose]());

  for (const { file, program, prefix, prints, ...more } of EXAMPLES) {
    const interpreter = "interpreter" in more ? more.interpreter : program;
    const start = () =>
      run(interpreter, [join(repositoryRoot, "examples/json", file), "127.0.0.1", String(port)]);

    test(`${file} creates, searches and removes a table`, { skip: skipWithout(program) }, async () => {
      const { code, stdout, stderr } = await start();
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: prints, stderr: "" });
    });

    test(`${file} prints an error`, { skip: skipWithout(program) }, async () => {
      await using client = await RawClient.open(port);
      client.send(`{"action":"create","document":"${prefix}_users"}\n`);
      await client.read(22);
      const { stdout, stderr } = await start();
      assert.match(stdout + stderr, /Document provided already exist\./);
    });
  }
});

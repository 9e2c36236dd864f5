/** Tests examples/shell/send.sh with a real daemon and keys from dbsync-keygen. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { answerFrame, fakeDaemon } from "../support/fake-daemon.js";
import { refusingAddress } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

const script = join(repositoryRoot, "examples", "shell", "send.sh");
const vectorFolder = join(repositoryRoot, "test", "vectors", "php-dbsync");
const skip = skipWithout("nc") || skipWithout("openssl");

describe("send.sh", { skip }, () => {
  let folder = "";
  let patient = "";
  let daemon: DaemonHere;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dbsync-shell-"));
    const keygen = await run(process.execPath, [programPaths["dbsync-keygen"], "--out", folder]);
    assert.equal(keygen.code, 0, keygen.stderr);
    daemon = await startDaemonHere(["-s", join(folder, "public.pem")]);
    patient = join(folder, "patient.sh");
    await writeFile(patient, (await readFile(script, "utf8")).replace("-w 3 ", "-w 60 "));
  });

  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Runs send.sh with a longer timeout of nc than 3 s, since the machine may be busy. */
  const send = (...command: string[]) =>
    run("sh", [patient, join(folder, "private.pem"), "127.0.0.1", String(daemon.port), ...command]);

  test("send.sh signs a command, sends it and prints the value immediately", async () => {
    const start = performance.now();
    assert.deepEqual(await send("SET", "greeting", "grüß"), { code: 0, stdout: "OK\n", stderr: "" });
    assert.deepEqual(await send("GET greeting"), { code: 0, stdout: "grüß\n", stderr: "" });
    // The timeout of nc is 60 s.
    assert.ok(performance.now() - start < 60_000);
  });

  test("send.sh prints lists line by line, and (nil) for missing values", async () => {
    assert.equal((await send("RPUSH", "list", "a", "redis:1:b", "c")).stdout, "3\n");
    assert.equal((await send("LRANGE", "list", "0", "-1")).stdout, "a\nredis:1:b\nc\n");
    assert.equal((await send("GET", "absent")).stdout, "(nil)\n");
  });

  test("send.sh sends percent signs and backslashes unchanged", async () => {
    await send("SET", "odd", "50%\\n%s");
    assert.equal((await send("GET", "odd")).stdout, "50%\\n%s\n");
  });

  test("send.sh reports a missing answer and exits with 1", async () => {
    const ended = await send("NOSUCHCMD");
    assert.deepEqual([ended.code, ended.stdout], [1, ""]);
    assert.match(ended.stderr, /no answer/);
  });

  test("send.sh exits with 1 if no daemon listens or the key is missing", async () => {
    const [, port = ""] = (await refusingAddress()).split(":");
    const unheard = await run("sh", [script, join(folder, "private.pem"), "127.0.0.1", port, "PING"]);
    assert.equal(unheard.code, 1);
    const keyless = await run("sh", [
      script,
      join(folder, "no.pem"),
      "127.0.0.1",
      String(daemon.port),
      "PING",
    ]);
    assert.equal(keyless.code, 1);
    assert.match(keyless.stderr, /no\.pem/);
  });

  test("send.sh without a command prints its usage and exits with 2", async () => {
    const ended = await run("sh", [script, "private.pem", "127.0.0.1"]);
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /^usage: /);
  });

  test("send.sh sends the same bytes as the original driver", async () => {
    const vectors = JSON.parse(await readFile(join(vectorFolder, "vectors.json"), "utf8")) as {
      name: string;
      request_hex: string;
    }[];
    await using fake = await fakeDaemon((_frame, socket) => socket.end(answerFrame("PONG")));
    for (const bits of ["2048", "4096"]) {
      const key = join(vectorFolder, `test-rsa${bits}-private.pem`);
      const ended = await run("sh", [script, key, "127.0.0.1", String(fake.port), "PING"]);
      assert.equal(ended.stdout, "PONG\n");
      const recorded = vectors.find((vector) => vector.name === `signed${bits}-ping`);
      assert.equal(fake.frames.at(-1)?.toString("hex"), recorded?.request_hex);
    }
  });

  test("the daemon does not execute a command that was changed after signing", async () => {
    const tampered = join(folder, "tampered.sh");
    await copyFile(script, tampered);
    const text = await readFile(tampered, "utf8");
    const changed = text.replace(
      "frame text; signature;",
      "frame text | sed s/greeting/Greeting/; signature;",
    );
    assert.notEqual(changed, text);
    await writeFile(tampered, changed);
    const args = [join(folder, "private.pem"), "127.0.0.1", String(daemon.port)];
    const ended = await run("sh", [tampered, ...args, "SET", "greeting", "bad"]);
    assert.deepEqual([ended.code, ended.stdout], [1, ""]);
    assert.equal((await send("EXISTS", "Greeting")).stdout, "0\n");
    await daemon.logged((line) => line.msg.includes("signature"));
  });
});

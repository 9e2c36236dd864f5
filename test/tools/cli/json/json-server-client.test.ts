/**
 * Tests `dbsync test json://…` and `dbsync import json://…` with real daemons, and with an imitation of the original
 * server.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createClient } from "../../../../client/dbsync-send.js";
import {
  type Check,
  type JsonTest,
  jsonReport,
  textReport,
} from "../../../../tools/cli/json/test-command.js";
import { type ChildResult, runDbsync } from "../../../client/child.js";
import { some } from "../../../support/amount.js";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { freePort, listenAtFreePort, refusingAddress } from "../../../support/free-port.js";
import { ask } from "../../../support/json-lines.js";
import { NAMELESS } from "../../../support/nameless.js";
import { programPaths } from "../../../support/programs.js";
import { RawClient } from "../../../support/raw-client.js";
import { repositoryRoot } from "../../../support/repository.js";
import { run } from "../../../support/run-program.js";

const recorded = (name: string) => readFileSync(join(repositoryRoot, "test/vectors/json", name), "utf8");

let keys: string;
before(async () => {
  keys = await mkdtemp(join(tmpdir(), "dbsync-json-"));
  const made = await run(process.execPath, [programPaths["dbsync-keygen"], "--out", keys]);
  assert.equal(made.code, 0, made.stderr);
});
after(() => rm(keys, { recursive: true }));

/** Starts a daemon with a JSON listener. */
async function startJson(...args: string[]): Promise<{ daemon: DaemonProcess; json: number }> {
  const json = await freePort();
  const daemon = await startDaemon(["-s", join(keys, "public.pem"), "--json", String(json), ...args]);
  return { daemon, json };
}

/** Starts an imitation of a server that answers every request with a text, in pieces. */
async function startFake(pieces: readonly string[]): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      for (const piece of pieces) socket.write(piece);
    });
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("dbsync test", () => {
  test("prints the original's report in both formats", () => {
    const original = JSON.parse(recorded("test-client.json")) as {
      latency_ms: number;
      latency_by_action: Record<string, { samples: number[] }>;
      replica_details: { ip: string; port: number; error: string }[];
      results: Check[];
    };

    const samples = Object.entries(original.latency_by_action).map(
      ([name, one]) => [name, one.samples] as const,
    );
    const report: JsonTest = {
      latency: original.latency_ms,
      samples: new Map(samples),
      checks: original.results,
    };

    const replicas = original.replica_details.map(({ ip, ...details }) => ({ host: ip, ...details }));
    assert.deepEqual(JSON.parse(jsonReport(report, replicas)), original);

    const withoutTimes = (text: string) => text.replaceAll(/\d+\.\d+/g, "T").trimEnd();
    assert.equal(withoutTimes(textReport(report, replicas)), withoutTimes(recorded("test-client-text.txt")));
    const withoutNumbers = (text: string) => text.replaceAll(/\d+(\.\d+)?(e-?\d+)?/g, "T").trimEnd();
    assert.equal(withoutNumbers(jsonReport(report, replicas)), withoutNumbers(recorded("test-client.json")));
  });

  test("passes on a daemon in memory and on a daemon with a timeline, and leaves no documents", async () => {
    for (const args of [[], ["--data", join(keys, "data")]]) {
      const { daemon, json } = await startJson(...args);
      await using _ = daemon;
      const { code, stdout, stderr } = await runDbsync(["test", `json://127.0.0.1:${json}`]);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /\nPassed: 15\nFailed: 0\n$/);
      assert.deepEqual(await call(daemon, "DOC.LIST"), []);
    }
  });

  test("fails if a replica cannot be reached", async () => {
    const { daemon, json } = await startJson();
    await using _ = daemon;
    const dead = await refusingAddress();
    const url = `json://127.0.0.1:${json}`;
    const { code, stdout } = await runDbsync([
      "test",
      url,
      "--replica",
      dead,
      "--replica",
      `127.0.0.1:${json}`,
    ]);
    assert.equal(code, 1);
    assert.match(
      stdout,
      new RegExp(`\nReplica ${dead}: FAIL - Connection refused \\(111\\)\nReplica .*: OK\n`),
    );
  });

  test("fails if checks fail", async () => {
    await using fake = await startFake(['{"status":"error","message":"no"}\n', "\r"]);
    const { code, stdout } = await runDbsync(["test", `json://127.0.0.1:${fake.port}`]);
    assert.equal(code, 1);
    assert.match(stdout, /03\) FAIL - create document\n.*Passed: 3\nFailed: 12\n$/s);
  });

  test("reports the reason for a failed connection, and an invalid address", async () => {
    const refused = await runDbsync(["test", `json://${await refusingAddress()}`]);
    assert.deepEqual(
      [refused.code, refused.stderr],
      [1, "dbsync: Connect error: Connection refused (111)\n"],
    );
    for (const url of some(["http://127.0.0.1", "127.0.0.1:8888", "json://", "json://h/path"], 2)) {
      const { code, stderr } = await runDbsync(["test", url]);
      assert.equal(code, 2);
      assert.match(stderr, /The form is json:\/\/host or json:\/\/host:port/);
    }
    const unknown = await runDbsync(["test", `json://${NAMELESS}`]);
    assert.deepEqual(
      [unknown.code, unknown.stderr],
      [1, "dbsync: Connect error: the host name was not resolved (ENOTFOUND)\n"],
    );
    const percent = await runDbsync(["test", "json://a%zz:b@127.0.0.1"]);
    assert.deepEqual([percent.code, /%25/.test(percent.stderr)], [2, true]);
  });

  test("reports a server that closes the connection", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.end());
    });
    await listenAtFreePort(server);
    const { port } = server.address() as { port: number };
    const { code, stderr } = await runDbsync(["test", `json://127.0.0.1:${port}`]);
    server.close();
    assert.equal(code, 1);
    assert.ok(stderr.startsWith(`dbsync: 127.0.0.1:${port}: the server closed the connection`), stderr);
  });

  test("logs in with user and password, or only with the default user's password", async () => {
    const aclFile = join(keys, "users.acl");
    await writeFile(aclFile, "user default on >secret ~* +@document\nuser ann on >a%b ~* +@document\n");
    const { daemon, json } = await startJson("--acl-file", aclFile);
    await using _ = daemon;
    for (const [login, code] of [
      ["", 1],
      [":secret@", 0],
      ["ann:a%25b@", 0],
      ["ann:no@", 1],
    ] as const) {
      const done = await runDbsync(["test", `json://${login}127.0.0.1:${json}`]);
      assert.equal(done.code, code, login + done.stdout + done.stderr);
    }
  });
});

async function call(daemon: DaemonProcess, ...command: string[]): Promise<unknown> {
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: join(keys, "private.pem") });
  return await client.call(command);
}

function importing(port: number, daemons: readonly DaemonProcess[], ...more: string[]): Promise<ChildResult> {
  const servers = daemons.map(({ port }) => `127.0.0.1:${port}`).join();
  const options = ["-s", servers, "-k", join(keys, "private.pem"), ...more];
  return runDbsync(["import", `json://127.0.0.1:${port}`, ...options]);
}

describe("dbsync import", () => {
  const ENTRIES = 1_700;
  const MANY = 40;
  const list = Array.from({ length: ENTRIES }, (_, at) => `{"name":"J\\u00f6hn, \\"${at}\\"]","n":1.0e+17}`);
  const answer =
    `{"status":"success","documents":{"users":[${list}],"a b":{"x":{"q":"}","r":1},"__proto__":{"q":-0}},` +
    '"none":[]},"replicated":false}\n\r';

  test("copies all documents, keys and numbers unchanged to every daemon", async () => {
    const pieces = Array.from({ length: Math.ceil(answer.length / 997) }, (_, at) =>
      answer.slice(at * 997, (at + 1) * 997),
    );

    await using fake = await startFake(pieces);
    const { daemon: one } = await startJson();
    await using _one = one;
    const { daemon: other } = await startJson("--data", join(keys, "imported"));
    await using _other = other;

    const done = await importing(fake.port, [one, other]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^3 documents with 1702 entries in [\d.]+ s\n$/);
    assert.equal(done.stderr, "");

    for (const daemon of [one, other]) {
      assert.deepEqual(await call(daemon, "DOC.LIST"), ["users", "a b", "none"]);
      assert.deepEqual(await call(daemon, "DOC.GET", "a b"), [
        ...["x", '{"q":"}","r":1}'],
        ...["__proto__", '{"q":-0}'],
      ]);
      const last = String(ENTRIES - 1);
      assert.deepEqual(await call(daemon, "DOC.GET", "users", "ID", last), [
        last,
        `{"name":"Jöhn, \\"${last}\\"]","n":1.0e+17}`,
      ]);
    }
  });

  test("copies expiry times and indexes from a daemon, and documents that together are too long for one answer", async () => {
    const { daemon: source, json } = await startJson("--max-output-bytes", "100KiB");
    await using _source = source;
    const { daemon: target } = await startJson();
    await using _target = target;

    const text = "x".repeat(60_000);
    for (const command of [
      ...["a", "b", "9"].map((name) => ["DOC.CREATE", name]),
      ["DOC.INSERT", "a", `{"n":1,"t":"${text}"}`],
      ["DOC.INSERT", "b", "EX", "1000", `{"n":1,"t":"${text}"}`],
      ["DOC.INSERT", "b", `{"n":2,"t":1.5}`],
      ["DOC.INSERT", "b", "PX", "1", `{"n":3,"t":2}`],
      ["DOC.INDEX", "CREATE", "b", "n"],
    ])
      await call(source, ...command);

    using writer = await RawClient.open(json);
    // The import sends a request for each of these documents, all on one connection.
    for (let n = 0; n < MANY; n++) await ask(writer, { action: "create", document: `empty ${n}` });

    const done = await importing(json, [target]);
    assert.deepEqual([done.code, done.stderr], [0, ""]);
    assert.match(done.stdout, new RegExp(`^${3 + MANY} documents with [34] entries `));
    assert.deepEqual(
      await call(target, "DOC.INDEX", "LIST", "b"),
      await call(source, "DOC.INDEX", "LIST", "b"),
    );
    for (const name of ["a", "b", "9"])
      assert.deepEqual(
        await call(target, "DOC.GET", name, "DETAILS"),
        await call(source, "DOC.GET", name, "DETAILS"),
      );
  });

  test("reports missing permissions, and skips nothing", async () => {
    const aclFile = join(keys, "reader.acl");
    await writeFile(aclFile, "user default on nopass ~* +@document -doc.index|list\n");
    const { daemon: source, json } = await startJson("--acl-file", aclFile);
    await using _source = source;
    const { daemon: target } = await startJson();
    await using _target = target;
    await call(source, "DOC.CREATE", "d");
    const refused = await importing(json, [target]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /rejects the request: "this user has no permissions/);
  });

  test("changes existing documents only with --replace", async () => {
    await using fake = await startFake([answer]);
    const { daemon } = await startJson();
    await using _ = daemon;
    await call(daemon, "DOC.CREATE", "users");
    const refused = await importing(fake.port, [daemon]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /already have a document "users"; --replace drops it first/);
    assert.equal(await call(daemon, "DOC.COUNT", "users"), 0);
    assert.equal((await importing(fake.port, [daemon], "--replace")).code, 0);
    assert.equal(await call(daemon, "DOC.COUNT", "users"), ENTRIES);
  });

  test("reports an invalid answer of a server", async () => {
    const { daemon } = await startJson();
    await using _ = daemon;
    for (const [pieces, problem] of [
      [
        ['{"status":"error","message":"No action key provided."}\n\r'],
        /rejects the request: "No action key provided\."/,
      ],
      [['{"status":"success","documents":{"a":[{"x":1},\n\r'], /the JSON ends too early/],
      [["hello\n\r"], /unexpected JSON/],
      [["[]\n\r"], /contains no documents/],
      [['{"status":"success"}\n\r'], /contains no documents/],
    ] as const) {
      await using fake = await startFake(pieces);
      const { code, stderr } = await importing(fake.port, [daemon]);
      assert.equal(code, 1);
      assert.match(stderr, problem);
    }
  });
});

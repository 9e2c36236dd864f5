/** Tests `dbsync-proxy` as a program: its arguments, config.json, its reports, and its exit codes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { makeFolder } from "../../daemon/program/replicas.js";
import { SqlLineClient } from "../../support/sql-line-client.js";
import { until } from "../../support/until.js";
import { FakeSqlServer } from "./sql-server.js";
import { Terminal } from "./terminals.js";

const LISTENING = /"port":(\d+),"servers":\[(.*?)\],"msg":"listening"/;
const ADMIN = /"port":(\d+),"msg":"serving \/healthz/;

async function run(line: string, variables: Readonly<Record<string, string>> = {}) {
  const terminal = new Terminal(line, process.cwd(), variables);
  terminal.start("");
  return { code: await terminal.ended(), output: terminal.output };
}

test("health, metrics and status report the servers and the readiness of the balancer", async () => {
  await using one = await FakeSqlServer.start();
  await using two = await FakeSqlServer.start();

  const places = `m1=127.0.0.1:${one.port} 127.0.0.1:${two.port}`;
  const line = `dbsync-proxy ${places} --listen 0 --admin 0 --heartbeat 50 --log-format json`;
  await using proxy = new Terminal(line, process.cwd());
  proxy.start();
  const [, port = ""] = await proxy.printed(LISTENING);
  const [, admin = ""] = await proxy.printed(ADMIN);

  using client = await SqlLineClient.open(Number(port));
  assert.equal(await client.told("select 1"), "done");

  const status = await run(`dbsync-proxy status ${admin}`);
  assert.equal(status.code, 0, status.output);
  assert.match(status.output, new RegExp(`^m1 +127\\.0\\.0\\.1:${one.port} +master +up`, "m"));

  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  assert.match(metrics, /^dbsync_proxy_statements_total\{kind="read"\} 1$/m);
  assert.match(metrics, /^dbsync_proxy_server_up\{server="m1"\} 1$/m);

  await one.stop();
  await two.stop();
  const health = () => fetch(`http://127.0.0.1:${admin}/healthz`);
  await until("the balancer is not ready", async () => (await health()).status === 503);

  const told = await run(`dbsync-proxy status --json ${admin}`);
  assert.equal(told.code, 1);
  const { status: word, servers } = JSON.parse(told.output) as { status: string; servers: { up: boolean }[] };
  assert.deepEqual([word, servers.map(({ up }) => up)], ["not ready", [false, false]]);
  assert.equal(await proxy.kill("SIGTERM"), 0, proxy.output);
});

test("DIRK_CONFIG_PATH names an original config.json, and options override the file", async () => {
  using folder = makeFolder();
  await using server = await FakeSqlServer.start();
  const file = `${folder.path}/config.json`;

  const instances = [
    { id: "m1", role: "MASTER", host: "127.0.0.1", port: server.port },
    { id: "m2", role: "MASTER", host: "127.0.0.1", port: server.port },
  ];
  const loadBalancer = { listenHost: "127.0.0.1", listenPort: 0 };
  writeFileSync(file, JSON.stringify({ loadBalancer, instances, replication: { type: "STATEMENT" } }));

  await using proxy = new Terminal("dbsync-proxy --log-format json", process.cwd(), {
    DIRK_CONFIG_PATH: file,
  });
  proxy.start();
  const [, , servers] = await proxy.printed(LISTENING);
  assert.equal(servers, `"m1=127.0.0.1:${server.port}","m2=127.0.0.1:${server.port}"`);
  await proxy.printed(/the file enables replication/);

  await using other = new Terminal(
    `dbsync-proxy --config ${file} --listen 0 --log-format json 127.0.0.1:${server.port}`,
    process.cwd(),
  );
  other.start();
  const [, , named] = await other.printed(LISTENING);
  assert.equal(named, `"127.0.0.1:${server.port}"`);
});

test("dbsync-proxy exits with 2 after wrong arguments, and with 1 if a proxy is unreachable", async () => {
  const none = { DIRK_CONFIG_PATH: "" };
  for (const [line, code, told] of [
    ["dbsync-proxy", 2, /There are no servers/],
    ["dbsync-proxy a=127.0.0.1:1 a=127.0.0.1:2", 2, /same name/],
    ["dbsync-proxy --config /nowhere/config.json", 2, /cannot be read/],
    ["dbsync-proxy 127.0.0.1:1 --listen everywhere", 2, /Expected a port/],
    ["dbsync-proxy 127.0.0.1:1 --reply-timeout soon", 2, /whole number/],
    ["dbsync-proxy status 127.0.0.1:1", 1, /127\.0\.0\.1:1: /],
  ] as const) {
    const ended = await run(line, none);
    assert.equal(ended.code, code, `${line}: ${ended.output}`);
    assert.match(ended.output, told, line);
  }
});

test("the removed options for replication are refused, and the error names the command to use", async () => {
  for (const option of ["--journal writes", "--journal-mib 5"]) {
    const { code, output } = await run(`dbsync-proxy ${option} 127.0.0.1:3948 127.0.0.1:3950`);
    assert.equal(code, 2, output);
    assert.match(output, /--journal.*dbsync import sql:/s);
  }
});

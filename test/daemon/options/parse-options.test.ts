/** Tests the options of the program: refusals, the precedence of sources, help and --check-config. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { breakHelp } from "../../../daemon/net/terminal/terminal-text.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../../daemon/program/program.js";
import { writeClusterSecret } from "../../../keys/cluster-secret-file.js";
import { runDbsync } from "../../client/child.js";
import { isFull, some } from "../../support/amount.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { runDaemon } from "../../support/daemon-process.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { NAMELESS } from "../../support/nameless.js";
import { RawClient } from "../../support/raw-client.js";
import { refusalOf } from "../../support/refusal.js";
import { repositoryRoot } from "../../support/repository.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-options-"));
after(() => rmSync(folder, { recursive: true }));

const publicKey = join(repositoryRoot, "test", "vectors", "php-dbsync", "test-rsa2048-public.pem");

function configFile(text: string): string {
  const file = join(folder, "dbsyncd.toml");
  writeFileSync(file, text);
  return file;
}

/** Returns the lines of --check-config by name, with value and source. */
async function checked(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Map<string, string>> {
  const printed = await printedFor([...args, "--check-config", "-p", "0"], env);
  return new Map(printed.split("\n").map((line) => line.split(" = ") as [string, string]));
}

/**
 * Returns what the daemon prints for arguments with which it does not start. Runs a process in full runs, otherwise the
 * daemon's code in this process, which has the variables only until it has read them.
 */
async function printedFor(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  if (isFull) return (await runDaemon(words, { env })).stdout;
  Object.assign(process.env, env);
  const reading = readCommandLine(words, env, BUILD.faces);
  for (const name of Object.keys(env)) delete process.env[name];
  const task = await reading;
  assert.ok(task.kind === "print");
  return task.text;
}

/** The pin of a daemon. */
const PIN = `#ed25519:${"ab".repeat(32)}`;

const REFUSED: readonly [args: readonly string[], code: number, stderr: RegExp][] = [
  [["-p", "abc"], 2, /'-p, --port <port>' argument 'abc' is invalid\. Expected a number from 0 to 65535/],
  [["-p", "65536"], 2, /Expected a number from 0 to 65535/],
  [["-p", "-1"], 2, /port/],
  [["--no-such"], 2, /unknown option '--no-such'/],
  [["--prot", "1"], 2, /Did you mean --port\?/],
  [
    ["--redis", "localhost"],
    2,
    /^unknown option '--redis'\n\(.* Redis clients, write --resp \[HOST:\]PORT\. .* as the database, write -d redis:host:port\.\)$/m,
  ],
  [["--redis=6379"], 2, /write --resp /],
  [["--requirepass", "secret"], 2, /write --acl-file FILE/],
  [["-p", "1", "something"], 2, /too many arguments: "something"/],
  [["-b", ""], 2, /Expected an address/],
  [["-b", "no such host"], 2, /Expected an address/],
  [["-b", NAMELESS], 1, /a{64} is not a known host name/],
  [
    ["-b", "192.0.2.1", "--allow-unsigned"],
    1,
    /192\.0\.2\.1, port 0: this machine has no such address\. .* -b/,
  ],
  [["-b", "0.0.0.0"], 2, /-s public\.pem.*--allow-unsigned/],
  [["-b", "::"], 2, /-s public\.pem.*--allow-unsigned/],
  [["-d", "mysql:127.0.0.1:3306"], 2, /unknown database type "mysql"\. Expected memory, redis:host:port/],
  [["--sentinel", "0"], 2, /--sentinel names daemons that serve Redis clients: add --resp, or --peer/],
  [["--resp", "0", "--sentinel-name", "a"], 2, /--sentinel-name is for clients of --sentinel/],
  [["--resp", "0", "--announce-sentinel", "a:1"], 2, /--announce-sentinel is the address of --sentinel/],
  [["-d", "redis:127.0.0.1"], 2, /is not redis:host:port/],
  [["-d", "redis:127.0.0.1:0"], 2, /a port is a number from 1 to 65535/],
  [["-d", "memory,memory"], 2, /"memory" is listed twice/],
  [["-d", ""], 2, /A database is missing/],
  [["-d", "dbsync:127.0.0.1:1"], 2, /no key is set: add --key private\.pem \(dbsync-keygen/],
  [
    ["-d", "dbsync:127.0.0.1:1", "--key", "nowhere.pem"],
    1,
    /--key: .*nowhere\.pem does not exist.*dbsync-keygen/,
  ],
  [["-d", "dbsync:127.0.0.1:1", "--key", publicKey], 1, /--key: .*contains a public key, which cannot sign/],
  [
    ["-d", "dbsync:127.0.0.1:no", "--key", publicKey],
    2,
    /-d dbsync is "127\.0\.0\.1:no", allowed: host:port/,
  ],
  [
    ["-d", "dbsync:127.0.0.1:1", "--key", "k", "--policy", "2"],
    2,
    /--policy is 2, allowed: at most the number/,
  ],
  [["-d", "dbsync:127.0.0.1:1", "--key", "k", "--policy", "best"], 2, /Expected first, majority/],
  [["-d", "dbsync:127.0.0.1:1", "--key", "k", "-s", publicKey], 2, /leave out -s and --root-key/],
  [["-d", "dbsync:127.0.0.1:1", "--key", "k", "--data", "d"], 2, /leave out --data, --peer and --order/],
  [["-d", "dbsync:127.0.0.1:1111", "--key", "p.pem"], 2, /127\.0\.0\.1:1111 is this daemon's own address/],
  [
    ["-d", "dbsync:a:1111,LocalHost:01111", "--key", "p.pem"],
    2,
    /LocalHost:01111 is this daemon's own address/,
  ],
  [["-d", "dbsync:::1", "--key", "p.pem"], 2, /::1 is this daemon's own address/],
  [
    ["-d", "dbsync:db2:1111,dbsyncs://[::1]#sha256:ab", "--key", "p.pem", "-b", "::1"],
    2,
    /\[::1\].* own address/,
  ],
  [
    ["-d", "dbsync:localhost:7", "--key", "p.pem", "-b", "0.0.0.0", "-p", "7", "--allow-unsigned"],
    2,
    /own address/,
  ],
  [["--key", "private.pem"], 2, /--key is for a daemon that signs for clients: add -d dbsync/],
  [["-s", "nowhere.pem"], 1, /nowhere\.pem does not exist/],
  [["-s", publicKey, "--allow-unsigned"], 2, /cannot be combined with -s/],
  [["--root-key", "nowhere.pem"], 1, /--root-key: .*nowhere\.pem does not exist/],
  [
    ["-s", publicKey, "--root-key", publicKey],
    2,
    /the same key .*\. Specify it in -s or in --root-key, not in both/,
  ],
  [["--cluster-name", ""], 2, /Expected a name of 1 to 128 characters/],
  [["--window", "30s"], 2, /Expected two times separated by a comma/],
  [["--window", "30s,1ms"], 2, /Expected 100ms to 10m/],
  [["--require", "v3"], 2, /Allowed choices are v1, v2/],
  [["--ws", "0"], 2, /--ws accepts only signed commands, .*: add -s public\.pem/],
  [["--compat", "mysql"], 2, /Allowed choices are php-dbsync/],
  [["--idle-timeout", "soon"], 2, /Expected a number of seconds/],
  [["--idle-timeout", "1ms"], 2, /Expected 50ms to 24h/],
  [["--max-request-bytes", "1TB"], 2, /Expected a number of bytes/],
  [["--max-connections", "1.5"], 2, /Expected a whole number/],
  [["--max-buffered-bytes", "1MiB"], 2, /--max-request-bytes is higher than --max-buffered-bytes/],
  [["--data", ""], 2, /Expected a path/],
  [["--data", "d"], 2, /--data stores signed commands, and no key is set: add -s/],
  [["--peer", "db2:1"], 2, /--peer stores signed commands, and no key is set: add -s/],
  [["--peer", "db2"], 2, /Expected host:port/],
  [["--peer", "db2:0"], 2, /Expected host:port/],
  [["--peer", "db2:1#ed25519:12"], 2, /Expected #ed25519: and 64 hexadecimal digits/],
  [["--peer", "db2:1", "--peer", "db2:1"], 2, /A peer is listed twice/],
  [
    ["-s", publicKey, "--peer", "db2:1", "--compat", "php-dbsync"],
    2,
    /leave out --compat php-dbsync, or --peer/,
  ],
  [
    ["-s", publicKey, "--peer", `db2:1${PIN}`, "--peer", "db3:1"],
    2,
    /--peer db3:1: nothing proves that daemon's identity\..*--cluster-secret FILE.*pin that daemon.*--root-key/,
  ],
  [["-s", publicKey, "--cluster-secret", "x"], 2, /--cluster-secret is for daemons with peers: add --peer/],
  [
    ["-s", publicKey, "--peer", "db2:1", "--cluster-secret", "nowhere.secret"],
    1,
    /--cluster-secret: nowhere\.secret does not exist\. .*: dbsync-keygen --cluster-secret nowhere\.secret/,
  ],
  [
    ["-s", publicKey, "--peer", "db2:1", "--cluster-secret", publicKey],
    2,
    /public\.pem has other contents; expected a cluster's secret: one line of 64/,
  ],
  [
    ["-s", publicKey, "--peer", "db2:1", "--cluster-secret", folder],
    2,
    /is a folder; expected a cluster's secret/,
  ],
  [["-s", publicKey, "--peer", "db2:1", "--v1", "local"], 2, /its peers would differ permanently/],
  [["-s", publicKey, "--data", "d", "--v1", "local"], 2, /would lose them when it stops.*gateway, or off/],
  [["-s", publicKey, "--v1", "gateway"], 2, /needs --data, --peer or --order/],
  [["-s", publicKey, "--require", "v2", "--v1", "gateway", "--data", "d"], 2, /cannot be used together/],
  [["-s", publicKey, "--order", "nats://u:secret@host"], 2, /"nats:\/\/\*\*\*@host" names no stream/],
  [["-s", publicKey, "--order", "nats://u:sec@ret@host/s"], 2, /"nats:\/\/\*\*\*@host\/s" names no stream/],
  [["-s", publicKey, "--order", "nats://host:0/s"], 2, /is not host:port/],
  [
    ["-s", publicKey, "--order", "nats://h/s", "--peer", "db2:1"],
    2,
    /--order and --peer cannot be used together/,
  ],
  [
    ["-s", publicKey, "--order", "nats://h/s", "--data", "d", "--retain", "3"],
    2,
    /the stream stores the writes/,
  ],
  [
    ["-s", publicKey, "--order", "nats://h/s", "--window", "2m,5s"],
    2,
    /--window with --order is at most 1m,30s/,
  ],
  [
    ["-s", publicKey, "--order", "nats://h/s", "-d", "redis:localhost:1"],
    2,
    /--order stores the data in the daemon/,
  ],
  [["-s", publicKey, "--order-credentials", "f"], 2, /--order-credentials needs --order/],
  [["--order", "nats://h/s"], 2, /--order stores signed commands, and no key is set/],
  [["--fsync", "sometimes"], 2, /Expected always, never, or interval=/],
  [["--fsync", "interval=90000"], 2, /Expected 1ms to 1m/],
  [["--fsync", "never"], 2, /--fsync needs a data folder/],
  [["-s", publicKey, "--data", "d", "--peer", "db2:1", "--fsync", "never"], 2, /could lose in a crash/],
  [["--retain", "0"], 2, /Expected forever, 1 to 36500 days, or a time such as 12h or 90m/],
  [["--retain", "30s"], 2, /Expected forever, 1 to 36500 days, or a time such as 12h or 90m/],
  [["-s", publicKey, "--peer", "db2:1", "--retain", "3"], 2, /--retain needs a data folder/],
  [["-s", publicKey, "--data", "d", "--tail-seconds", "20"], 2, /--tail-seconds is shorter than --window/],
  [["--maxmemory", "1GiB", "-d", "redis:127.0.0.1:1"], 2, /set the limit on the server of -d/],
  [["--maxmemory-policy", "allkeys-random"], 2, /needs a limit: add --maxmemory/],
  [
    ["--maxmemory-policy", "allkeys-best", "--maxmemory", "1GiB"],
    2,
    /Allowed choices are noeviction, allkeys-lru, allkeys-lfu, allkeys-random/,
  ],
  [
    ["-s", publicKey, "--data", "d", "--maxmemory", "1GiB", "--maxmemory-policy", "volatile-ttl"],
    2,
    /would drop keys only on this daemon/,
  ],
  [["--admin", "nowhere:1"], 2, /--admin.*Expected a port from 0 to 65535, optionally after an IP address/],
  [["--json", "localhost:8888"], 2, /Expected a port from 0 to 65535, optionally after an IP address/],
  [["--json-replica", "old:8888"], 2, /forwards the writes of JSON clients: add --json/],
  [["--json", "--json-replica", "old"], 2, /Expected host:port, such as db1:8888\.$/m],
  [
    ["--json", "--json-replica", "dbsyncs://old:1"],
    2,
    /Expected host:port; the original server has no encryption/,
  ],
  [["--json", "--json-replica", "old:1,old:1"], 2, /A server is listed twice/],
  [
    ["--json", "--json-replica-kept-writes", "5"],
    2,
    /unknown option '--json-replica-kept-writes'\n\(This option was removed: .*--peer\. Leave it out\.\)/,
  ],
  [["--verify-threads", "2"], 2, /This option was removed: the number of threads follows from the number of/],
  [["--inline-write-us", "0"], 2, /This option was removed: the daemon measures how long the disk takes/],
  [["--latency-monitor-threshold", "5"], 2, /This option was removed: CONFIG SET latency-monitor-threshold/],
  [["--max-event-bytes", "1MiB"], 2, /This option was removed: the limit is always 8 MiB/],
  [["--max-bulk-bytes", "1MiB"], 2, /This option was removed: CONFIG SET proto-max-bulk-len/],
  [["--ws-compress"], 2, /This option was removed: messages of browsers are never compressed/],
  [["--json", "--data", "d", "--json-replica", "old:1"], 2, /--peer replicates between dbsyncd daemons/],
  [["--log-level", "loud"], 2, /Allowed choices are trace, debug/],
  [["--config", "nowhere.toml"], 2, /nowhere\.toml does not exist\. Correct --config/],
];

for (const [args, code, stderr] of REFUSED) {
  const shown = args.map((arg) => JSON.stringify(arg)).join(" ");
  test(`dbsyncd ${shown} does not start and reports the reason`, async () => {
    const ended = await refusalOf(args);
    assert.match(ended.stderr, stderr);
    assert.equal(ended.code, code);
  });
}

test("a refusal is printed on standard error with the program's name", async () => {
  const ended = await runDaemon(["-p", "abc"]);
  assert.match(
    ended.stderr,
    /^dbsyncd: option '-p.*\nSee dbsyncd --help, or dbsyncd --help-all for all options\.\n$/,
  );
  assert.deepEqual([ended.code, ended.stdout], [2, ""]);
});

const BAD_FILES: readonly [text: string, stderr: RegExp][] = [
  ["# a comment\nprot = 1", /dbsyncd\.toml, line 2: unknown name "prot"/],
  ["port = 1\nport = 2", /dbsyncd\.toml, line 2, column \d+: /],
  ['bind = "::1', /line 1, column \d+: the quote \("\) after the text is missing\. Write bind = "::1"$/],
  ["port = 1\nbind = '::1\nclose = true", /line 2, column \d+: the quote \('\) .*Write bind = '::1'$/],
  ["bind = ::1 # mine", /line 1, column \d+: text must be in quotes\. Write bind = "::1"$/],
  ["idle-timeout = 5m", /text must be in quotes\. Write idle-timeout = "5m"$/],
  ["port 3", /line 1, column \d+: illegal character in key\. Write name = value\.$/],
  ["port =", /dbsyncd\.toml, line 1, column \d+: /],
  ['port = "abc"', /dbsyncd\.toml, line 1: port = "abc": Expected a number from 0 to 65535/],
  ["port = [1]", /dbsyncd\.toml, line 1: port = \[1\]: Expected a text or a number/],
  ['close = "yes"', /dbsyncd\.toml, line 1: close = "yes": Expected true or false/],
  ["sign-key = 1", /dbsyncd\.toml, line 1: sign-key = 1: Expected a path, or a list of paths/],
  ["peer = [1]", /dbsyncd\.toml, line 1: peer = \[1\]: Expected a list of texts/],
  ['peer = ["db2"]', /dbsyncd\.toml, line 1: peer = \["db2"\]: Expected host:port/],
  ['config = "other.toml"', /dbsyncd\.toml, line 1: unknown name "config"/],
  ["[limits]\nidle-timeout = 1", /dbsyncd\.toml, line 1: unknown name "limits"/],
];

for (const [text, stderr] of BAD_FILES) {
  test(`a configuration file with ${JSON.stringify(text)} is refused with its location`, async () => {
    const ended = await refusalOf(["--config", configFile(text)]);
    assert.match(ended.stderr, stderr);
    assert.equal(ended.code, 2);
  });
}

test("the command line takes precedence over the environment, the file and the default, in this order", async () => {
  const file = configFile('bind = "127.0.0.4"\nidle-timeout = "4m"\nlog-level = "error"\nclose = true\n');
  const env = { DBSYNCD_BIND: "127.0.0.3", DBSYNCD_IDLE_TIMEOUT: "3m", DBSYNCD_CONFIG: file };
  const values = await checked(["--bind", "127.0.0.2"], env);
  assert.equal(values.get("bind"), '"127.0.0.2"   # command line');
  assert.equal(values.get("idle-timeout"), '"3m"   # environment, DBSYNCD_IDLE_TIMEOUT');
  assert.equal(values.get("log-level"), '"error"   # file');
  assert.equal(values.get("close"), "true   # file");
  assert.equal(values.get("max-request-bytes"), '"64MiB"   # default');
  assert.equal(values.get("database"), '"memory"   # default');
});

test("peers can be in the command line, the environment or the file, and the data folder is relative to the file", async () => {
  const pin = `#ed25519:${"ab".repeat(32)}`;
  const file = configFile(
    `peer = ["db2:1", "dbsyncs://[::1]:3${pin}"]\ndata = "data"\nfsync = "interval=50"\nretain = 30\ncluster-secret = "cluster.secret"`,
  );
  writeClusterSecret(join(folder, "cluster.secret"));

  const values = await checked(["--config", file, "-s", publicKey]);
  assert.equal(values.get("cluster-secret"), `${JSON.stringify(join(folder, "cluster.secret"))}   # file`);
  assert.equal(values.get("peer"), `["db2:1","dbsyncs://[::1]:3${pin}"]   # file`);
  assert.equal(values.get("data"), `${JSON.stringify(join(folder, "data"))}   # file`);
  assert.equal(values.get("fsync"), '"interval=50"   # file');
  assert.equal(values.get("retain"), '"30"   # file');

  const env = { DBSYNCD_PEER: "db2:1, db3:1", DBSYNCD_CLUSTER_SECRET: join(folder, "cluster.secret") };
  assert.equal(
    (await checked(["-s", publicKey], env)).get("peer"),
    '["db2:1","db3:1"]   # environment, DBSYNCD_PEER',
  );

  const onCommandLine = await checked([
    "-s",
    publicKey,
    "--peer",
    "db2:1",
    "--peer",
    "db3:1",
    ...knowsSecret,
  ]);
  assert.equal(onCommandLine.get("peer"), '["db2:1","db3:1"]   # command line');
});

test("--check-config refuses the same options as a start", async () => {
  const ended = await refusalOf(["--config", configFile("prot = 1"), "--check-config"]);
  assert.equal(ended.code, 2);
});

test("the output of --check-config is a configuration file", async () => {
  const database = ["-d", "redis:127.0.0.1:1", "-s", publicKey];
  const printed = await printedFor([...database, "--idle-timeout", "90", "--check-config"]);
  const values = await checked(["--config", configFile(printed)]);
  assert.equal(values.get("idle-timeout"), '"90s"   # file');
  assert.equal(values.get("database"), '"redis:127.0.0.1:1"   # file');
  const places = await printedFor(["--resp", "7001", "--admin", "7002", "--check-config"]);
  const parsed = await checked(["--config", configFile(places)]);
  assert.equal(parsed.get("resp"), '"127.0.0.1:7001"   # file');
  assert.equal(parsed.get("admin"), '"127.0.0.1:7002"   # file');
});

test("--check-config hides passwords", async () => {
  const values = await checked(["-d", "redis://user:secret@127.0.0.1:1/2"]);
  assert.equal(values.get("database"), '"redis://127.0.0.1:1/2"   # command line');
});

test("the environment variable of a switch may be false", async () => {
  assert.equal(
    (await checked([], { DBSYNCD_CLOSE: "no" })).get("close"),
    "false   # environment, DBSYNCD_CLOSE",
  );
  assert.equal(
    (await checked([], { DBSYNCD_CLOSE: "1" })).get("close"),
    "true   # environment, DBSYNCD_CLOSE",
  );
  const { code, stderr } = await runDaemon([], { env: { DBSYNCD_CLOSE: "perhaps" } });
  assert.match(stderr, /DBSYNCD_CLOSE="perhaps": expected 1 or 0/);
  assert.equal(code, 2);
});

test("--check-config reads the same files as a start", async () => {
  const args = ["-s", join(folder, "nowhere.pem")];
  const [started, checked] = await Promise.all([runDaemon(args), runDaemon([...args, "--check-config"])]);
  assert.equal(started.code, 1);
  assert.match(started.stderr, /nowhere\.pem does not exist/);
  assert.deepEqual(checked, started);
});

test("paths in the configuration file are relative to its folder", async () => {
  mkdirSync(join(folder, "keys"));
  copyFileSync(publicKey, join(folder, "keys/public.pem"));
  writeFileSync(join(folder, "users.acl"), "user default off\n");
  const file = configFile('sign-key = "keys"\nresp = "0.0.0.0:7001"\nacl-file = "users.acl"');
  const values = await checked(["--config", file]);
  assert.equal(values.get("sign-key"), `[${JSON.stringify(join(folder, "keys"))}]   # file`);
  assert.equal(values.get("acl-file"), `${JSON.stringify(join(folder, "users.acl"))}   # file`);
});

test("--compat php-dbsync selects Redis on this machine and unsigned commands", async () => {
  const values = await checked(["--compat", "php-dbsync", "-b", "0.0.0.0"]);
  assert.equal(values.get("database"), '"redis:127.0.0.1:6379"   # compat');
  assert.equal(values.get("allow-unsigned"), "true   # compat");
  const chosen = await checked(["--compat", "php-dbsync", "-d", "memory", "-s", publicKey]);
  assert.equal(chosen.get("database"), '"memory"   # command line');
  assert.equal(chosen.get("allow-unsigned"), "false   # default");
});

test("--help shows at most twelve options, --help-all shows all, and --version shows the version", async () => {
  const short = await runDaemon(["--help"]);
  const all = { stdout: await printedFor(["--help-all"]) };
  const options = (text: string) => text.split("\n").filter((line) => /^ {2}-/.test(line)).length;
  assert.ok(options(short.stdout) <= 12, short.stdout);
  assert.ok(options(all.stdout) >= 20, all.stdout);
  assert.match(all.stdout, /\nLimits:\n[\s\S]*--max-request-bytes <bytes>[\s\S]*\nLog:\n/);
  assert.match(short.stdout, /Exit codes: 0 stopped normally, 1 could not start .*, 2 wrong usage/);
  assert.equal(short.code, 0);
  for (const line of breakHelp(short.stdout, 80).split("\n")) assert.ok(line.length <= 80, line);
  assert.match(await printedFor(["--version"]), /^\d+\.\d+\.\d+\n$/);
});

test("a port in use is reported with advice", async () => {
  const server = createServer();
  await listenAtFreePort(server);
  const { port } = server.address() as { port: number };
  const { code, stderr } = await runDaemon(["-p", String(port)]);
  server.close();
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1, port ${port}: another program listens there\\..* -p`));
  assert.equal(code, 1);
});

test("the daemon can listen on IPv6, with or without brackets, and on host names", async (context) => {
  for (const bind of some(["[::1]", "localhost", "::1"], 2)) {
    await using daemon = await startDaemonHere(["-b", bind]).catch((reason: Error) => {
      if (/no such address/.test(reason.message)) return null;
      throw reason;
    });
    if (daemon === null) return context.skip("this machine has no IPv6");
    using client = await RawClient.open(daemon.port, daemon.address);
    assert.equal(await client.ask("PING"), "PONG");
  }
});

test("with --compat the daemon logs a default that differs in php-dbsync, but no configured value", async () => {
  await using plain = await startDaemonHere(["--compat", "php-dbsync"]);
  const logged = plain.log.filter(({ msg }) => msg.startsWith("Differences from php-dbsync"));
  assert.deepEqual(
    logged.map(({ level }) => level),
    ["warn"],
  );
  assert.match(
    logged.map(({ msg }) => msg).join(),
    /: idle connections are closed after 5m, in php-dbsync after 3s \(--idle-timeout\)\.$/,
  );
  const configured = ["--compat", "php-dbsync", "--idle-timeout", "3s"];
  for (const args of some([configured, ["--resp", "0"], [], ["-s", publicKey], ["--json", "0"]], 2)) {
    await using chosen = await startDaemonHere(args);
    assert.deepEqual(
      chosen.log.filter(({ level }) => level === "warn"),
      [],
      args.join(" "),
    );
  }
});

test("the last line of a start reports that the daemon is ready, and contains a command that works", async () => {
  await using daemon = await startDaemonHere(["-b", "0.0.0.0", "--allow-unsigned"]);
  const { msg } = await daemon.logged((line) => line.msg.startsWith("ready"));
  assert.equal(msg, `ready; try: dbsync send -s 127.0.0.1:${daemon.port} PING`);
  const { code, stdout } = await runDbsync(msg.split(" ").slice(3));
  assert.deepEqual([code, stdout], [0, "PONG\n"]);

  await using signed = await startDaemonHere(["-s", publicKey]);
  const logged = await signed.logged((line) => line.msg.startsWith("ready"));
  assert.match(logged.msg, /-k private\.pem PING$/);

  await using unsigned = await startDaemonHere(["--data", join(folder, "unsigned"), "--resp", "0"]);
  const keyless = await unsigned.logged((line) => line.msg.startsWith("ready"));
  assert.match(
    keyless.msg,
    /^ready for clients that do not sign; to accept signed commands, set -s or --root-key/,
  );

  await using fetching = await startDaemonHere([
    ...["--json", "0", "--json-replica", `127.0.0.1:${await freePort()}`],
  ]);
  const early = await fetching.logged(({ msg }) => / try: /.test(msg));
  assert.match(early.msg, /^started, but not ready for JSON clients yet; try: dbsync send /);
});

test("a daemon without keys starts on all addresses if --allow-unsigned is set", async () => {
  await using daemon = await startDaemonHere(["-b", "0.0.0.0", "--allow-unsigned"]);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask("PING"), "PONG");
});

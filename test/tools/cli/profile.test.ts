/** Tests `dbsync profile`, `dbsync get` and the help of `dbsync`, as child processes with a real daemon. */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { runDbsync } from "../../client/child.js";
import { refusingAddress } from "../../support/free-port.js";
import { programPaths } from "../../support/programs.js";
import { run } from "../../support/run-program.js";
import { type Cluster, startCluster } from "./cluster.js";

let cluster: Cluster;
let config: string;
let file: string;
let dead: string;

before(async () => {
  cluster = await startCluster(1);
  config = join(cluster.folder, "config");
  file = join(config, "dbsync/profiles.json");
  dead = await refusingAddress();
});
after(() => cluster[Symbol.asyncDispose]());
beforeEach(() => rmSync(config, { recursive: true, force: true }));

const dbsync = (args: readonly string[], variables: Record<string, string> = {}) =>
  runDbsync(args, {
    folder: cluster.folder,
    variables: { XDG_CONFIG_HOME: config, ...variables },
    isAlone: true,
  });

const add = (name: string, servers: string, ...more: readonly string[]) =>
  dbsync(["profile", "add", name, "-s", servers, "-k", "app.pem", ...more]);

describe("dbsync profile", () => {
  test("adds, uses, lists and removes profiles; the file has mode 600, and contains paths and no keys", async () => {
    const added = await add("prod", cluster.daemons.servers);
    assert.deepEqual([added.code, added.stderr], [0, ""]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const stored = JSON.parse(readFileSync(file, "utf8")) as { profiles: { prod: { key: string } } };
    assert.equal(stored.profiles.prod.key, join(cluster.folder, "app.pem"));
    assert.equal((await add("prod", dead)).code, 2);
    const again = await add("prod", cluster.daemons.servers, "--force", "--versions", "2");
    assert.deepEqual([again.code, again.stderr], [0, ""]);
    assert.match(readFileSync(file, "utf8"), /"versions": ?"2"/);
    assert.equal((await dbsync(["profile", "use"])).stdout, "(none)\n");
    assert.equal((await dbsync(["profile", "use", "prod"])).code, 0);
    const { stdout } = await dbsync(["profile", "list"]);
    assert.match(stdout, /^ {2}PROFILE +SERVERS +KEY\n\* prod +127\.0\.0\.1:\d+ +\/.*app\.pem\n$/);
    assert.match((await dbsync(["profile", "remove", "prod"])).stdout, /removed; no profile is used/);
    assert.match((await dbsync(["profile", "list"])).stdout, /^There are no profiles/);
  });

  test("invalid names, servers and files are refused, and nothing is stored", async () => {
    for (const [name, servers, expected, ...more] of [
      ["../prod", dead, /A name consists of up to 64/],
      ["prod", "::::", /the servers of the profile prod/],
      ["prod", dead, /'--versions <list>' argument '7' is invalid\. Allowed: /, "--versions", "7"],
    ] as const) {
      const { code, stderr } = await add(name, servers, ...more);
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
    }
    assert.throws(() => statSync(file), { code: "ENOENT" });
    const { code, stderr } = await dbsync(["send", "--profile", "prdo", "PING"]);
    assert.equal(code, 2);
    assert.match(stderr, /there is no profile "prdo"/);
  });

  test("a folder that cannot be created is reported with the reason and the remedy", {
    skip: process.platform !== "linux",
  }, async () => {
    const args = ["profile", "add", "prod", "-s", dead, "-k", "app.pem"];
    const { code, stderr } = await dbsync(args, { XDG_CONFIG_HOME: "/proc/dbsync/config" });
    assert.equal(code, 3, stderr);
    assert.match(
      stderr,
      /profiles\.json cannot be written \(ENOENT: .*\)\. Correct the folder, or set XDG_CONFIG_HOME/,
    );
  });

  test("a file that is damaged or that other users can change is refused with advice", async () => {
    await add("prod", cluster.daemons.servers);
    await dbsync(["profile", "use", "prod"]);
    chmodSync(file, 0o666);
    const open = await dbsync(["send", "SET", "k", "1"]);
    assert.equal(open.code, 3);
    assert.match(open.stderr, /can be changed by other users.*chmod 600/);
    chmodSync(file, 0o600);
    for (const text of ["", "[]", '{"profiles":{"a":{}}}', '{"current":"b","profiles":{}}']) {
      writeFileSync(file, text);
      const { code, stderr } = await dbsync(["send", "SET", "k", "1"]);
      assert.equal(code, 3, text);
      assert.match(stderr, /has the wrong format.*correct it or remove it/);
    }
    assert.equal((await dbsync(["send", "-s", cluster.daemons.servers, "-k", "app.pem", "PING"])).code, 0);
  });

  test("status, errors and scripts without --profile name the profile that is in use", async () => {
    await add("prod", cluster.daemons.servers);
    await add("dead", dead);
    const line = (name: string, servers: string) => `dbsync: using the profile ${name}: ${servers}\n`;
    const named = await dbsync(["send", "--profile", "prod", "SET", "k", "1"]);
    assert.deepEqual([named.code, named.stdout, named.stderr], [0, "OK\n", ""]);
    const failed = await dbsync(["send", "--profile", "dead", "SET", "k", "1"]);
    assert.equal(failed.code, 1);
    assert.ok(failed.stderr.endsWith(line("dead", dead)), failed.stderr);
    await dbsync(["profile", "use", "prod"]);
    const script = await dbsync(["get", "k"]);
    assert.deepEqual([script.stdout, script.stderr], ["1\n", line("prod", cluster.daemons.servers)]);
    const status = await dbsync(["status"]);
    assert.match(status.stdout, /\n\(using the profile prod\)\n$/);
    assert.equal(JSON.parse((await dbsync(["status", "--json"])).stdout).profile, "prod");
    assert.match((await dbsync(["doctor"])).stdout, /servers: .*\(from the profile prod\)/);
  });

  test("options, variables and a dbsync.ini in the folder take precedence over the profile in use", async () => {
    await add("dead", dead);
    await add("prod", cluster.daemons.servers);
    await dbsync(["profile", "use", "dead"]);

    const { servers } = cluster.daemons;
    const root = join(cluster.folder, "root.pem");
    for (const [args, variables] of [
      [["-s", servers, "-k", "app.pem"], {}],
      [[], { DBSYNC_SERVERS: servers, DBSYNC_SIGNKEY: root }],
      [[], { DBSYNC_PROFILE: "prod" }],
      [["--profile", "prod"], { DBSYNC_SERVERS: dead }],
    ] as const) {
      const { code, stderr } = await dbsync(["send", ...args, "PING"], variables);
      assert.deepEqual([code, stderr], [0, ""], JSON.stringify([args, variables]));
    }

    const folder = join(cluster.folder, "with-ini");
    mkdirSync(folder);
    writeFileSync(join(folder, "dbsync.ini"), `dbsync.servers = ${servers}\ndbsync.signkey = ${root}\n`);
    const { code, stderr } = await runDbsync(["send", "PING"], {
      folder,
      variables: { XDG_CONFIG_HOME: config },
      isAlone: true,
    });
    assert.deepEqual([code, stderr], [0, ""]);
    // The servers come from the profile, and the key comes from the option.
    const other = await dbsync(["send", "--profile", "prod", "-k", "stranger.pem", "PING"]);
    assert.equal(other.code, 1);
  });
});

test("an error names the dbsync.ini of the current folder if it names the servers", async () => {
  const folder = realpathSync(mkdtempSync(join(cluster.folder, "ini-")));
  const ini = join(folder, "dbsync.ini");
  writeFileSync(ini, `dbsync.servers = ${dead}\n`);
  const send = (options: readonly string[], variables: Record<string, string> = {}) =>
    runDbsync(["send", ...options, "PING"], { folder, variables, isAlone: true });

  const failed = await send([]);
  assert.equal(failed.code, 1);
  const [, ...after] = failed.stderr.split("dbsync: using the servers of ");
  assert.deepEqual(after, [`${ini}\n`]);

  for (const other of [await send(["-s", dead]), await send([], { DBSYNC_SERVERS: dead })]) {
    assert.equal(other.code, 1);
    assert.doesNotMatch(other.stderr, /using the servers/);
  }
});

test("dbsync get sends GET for one key", async () => {
  await cluster.run(["send", "-k", "app.pem", "SET", "greeting", "good morning"]);
  const { code, stdout } = await cluster.run(["get", "greeting", "-k", "app.pem"]);
  assert.deepEqual([code, stdout], [0, "good morning\n"]);
  assert.equal((await cluster.run(["get", "-k", "app.pem", "nothing"])).stdout, "(nil)\n");
  assert.equal(
    (await cluster.run(["get", "--json", "greeting", "-k", "app.pem"])).stdout,
    '{"value":"good morning"}\n',
  );

  const many = await cluster.run(["get", "-k", "app.pem", "HGETALL", "cart"]);
  assert.equal(many.code, 2);
  assert.match(
    many.stderr,
    /accepts one key\n\(HGETALL is a command of the store: dbsync send HGETALL cart\)/,
  );
  const keys = await cluster.run(["get", "-k", "app.pem", "cart", "a basket"]);
  assert.match(keys.stderr, /accepts one key\n\(For several keys: dbsync send MGET cart 'a basket'\)/);
});

test("help groups the subcommands, and explains the common options once", async () => {
  const { stdout } = await runDbsync(["--help"]);
  const groups = [...stdout.matchAll(/^(\w+):$/gm)].map(([, name]) => name);
  for (const group of ["Data", "Cluster", "Keys", "History", "Backup", "Tools"])
    assert.ok(groups.includes(group), group);
  assert.match(stdout, /\n {2}--passphrase-file <file> +file whose/);
  const send = (await runDbsync(["send", "--help"])).stdout;
  assert.match(send, /\nCommon options, which dbsync --help explains: -s, -k, --profile, /);
  assert.doesNotMatch(send, /file whose first line/);
});

test("all programs print their version in the same form", async () => {
  const outputs = await Promise.all(
    Object.values(programPaths).flatMap((path) =>
      ["--version", "-V"].map(async (flag) => (await run(process.execPath, [path, flag])).stdout),
    ),
  );
  assert.equal(outputs.length, 8);
  assert.equal(new Set(outputs).size, 1, outputs.join());
  assert.match(outputs[0] ?? "", /^\d+\.\d+\.\d+\n$/);
});

test("dbsyncd suggests a similar option", async () => {
  for (const [typed, meant] of [
    ["--dat x", "--data or --database"],
    ["--daat x", "--data"],
    ["-data x", "--data"],
    ["data x", "--data"],
    ["--root x", "--root-key"],
    ["-p 1111 -peer x", "--peer"],
    ["--sing-key x", "--sign-key"],
  ] as const) {
    const { code, stderr } = await run(process.execPath, [programPaths.dbsyncd, ...typed.split(" ")]);
    assert.equal(code, 2);
    assert.deepEqual(stderr.match(/Did you mean .*\?/g), [`Did you mean ${meant}?`], typed);
  }
});

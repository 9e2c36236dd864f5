/** Tests `dbsync backup` of a running daemon and `dbsync restore`, as an operator uses them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Client, createClient } from "../../../client/public-api.js";
import type { ChildResult } from "../../client/child.js";
import { isFull, skipUnlessFull } from "../../support/amount.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { programPaths } from "../../support/programs.js";
import { nextTurn, until } from "../../support/until.js";
import { type Cluster, startCluster } from "../cli/cluster.js";

const FAR_MS = 4_102_444_800_000;
const BYTES = Buffer.from([0, 255, 13, 10, 36, 233]);

let cluster: Cluster;
let daemon: DaemonProcess;
let client: Client;
/** The date of the last write in the first backup; the following writes are later. */
let then: number;
/** The state of the second backup. */
let secondState: string;

const at = (name: string) => join(cluster.folder, name);
const keys = () => ["--sign-key", at("app-public.pem"), "--root-key", at("root-public.pem")];
const dbsync = (...words: string[]): Promise<ChildResult> => cluster.run(words);
const backUp = (file: string) => dbsync("backup", "--data", at("data"), at(file));
const restore = (file: string, ...words: string[]) => dbsync("restore", at(file), ...words);
/** Restores keys into the running daemon, by signed commands. */
const restoreKeys = (file: string, ...words: string[]) =>
  restore(file, ...words, ...keys(), "-k", at("app.pem"), "-s", `127.0.0.1:${daemon.port}`);
const opened = (port: number) => createClient({ servers: `127.0.0.1:${port}`, key: at("app.pem") });
const start = (folder: string) => startDaemon([...keys(), "--data", at(folder)]);

async function stateOf(...words: string[]): Promise<string> {
  const { stdout, stderr } = await dbsync("log", "verify", ...words, ...keys(), "--json");
  const { state, faultCount } = JSON.parse(stdout) as { state: string; faultCount: number };
  assert.equal(faultCount, 0, stderr);
  return state;
}

before(async () => {
  cluster = await startCluster(1);
  daemon = await start("data");
  client = opened(daemon.port);

  const commands: readonly (readonly (string | Buffer)[])[] = [
    ["SET", "cart:1", "one"],
    ["SET", "cart:2", BYTES, "PXAT", String(FAR_MS)],
    ["RPUSH", "cart:list", "a", BYTES],
    ["HSET", "hash", "name", "Ada"],
    ["ZADD", "zset", "1.5", "half"],
    ["XADD", "stream", "5-1", "field", "value"],
    ["SADD", "set", "a", "b"],
    ["SET", "soon", "expired", "PX", "1"],
    ["DOC.CREATE", "cart:document"],
  ];
  for (const command of commands) await client.call(command);
  await client.call("SET second 2", { db: 2 });

  // The state at the date of this write has the key.
  await client.call("SET brief 1 PX 1");
  // `then` is the date of the last write, by the client's clock. The writes after the backup have later dates.
  then = Number.parseInt((client.lastWrite as string).slice(0, 16), 16);

  writeFileSync(at("data/functions.rdb"), "libraries of functions");
  const { code, stderr } = await backUp("first.dbsync");
  assert.equal(code, 0, stderr);

  await client.call("SET cart:1 changed");
  await client.call("DEL cart:2 hash");
  await client.call("SET cart:new new");
});
after(async () => {
  await client?.close();
  await daemon?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

test("a backup of a running daemon is verified like its folder, only its owner can read it, and it overwrites nothing", async () => {
  const { code, stdout, stderr } = await backUp("second.dbsync");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /second\.dbsync: 14 entries up to .*\nseal [\da-f]{64}\n$/);
  assert.equal(statSync(at("second.dbsync")).mode & 0o777, 0o600);
  secondState = await stateOf("--backup", at("second.dbsync"));
  assert.equal(secondState, await stateOf("--data", at("data")));
  const before = readFileSync(at("second.dbsync"));
  const again = await backUp("second.dbsync");
  assert.equal(again.code, 1);
  assert.match(again.stderr, /second\.dbsync already exists/);
  assert.deepEqual(readFileSync(at("second.dbsync")), before);
  const nothing = await dbsync("backup", "--data", at("nowhere"), at("none.dbsync"));
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /the folder does not exist/);
});

test("a backup is restored into an empty folder, with its own state or that of an earlier date", async () => {
  // A restore that was killed leaves this folder.
  mkdirSync(at("restored.unfinished/timeline"), { recursive: true });
  writeFileSync(at("restored.unfinished/timeline/data.mdb"), "half");

  const made = await restore("second.dbsync", "--data", at("restored"));
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(readdirSync(at("restored")).sort(), ["functions.rdb", "snapshots", "timeline"]);
  assert.equal(readFileSync(at("restored/functions.rdb"), "utf8"), "libraries of functions");
  assert.ok(!existsSync(at("restored.unfinished")));
  assert.equal(await stateOf("--data", at("restored")), secondState);

  assert.equal((await restore("second.dbsync", "--data", at("earlier"), "--at", String(then))).code, 0);
  assert.equal(await stateOf("--data", at("earlier")), await stateOf("--backup", at("first.dbsync")));

  const nowhere = await restore("first.dbsync", "--data", "/proc/none");
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^dbsync: .*\n$/);
  const full = await restore("first.dbsync", "--data", at("restored"));
  assert.equal(full.code, 1);
  assert.match(full.stderr, /restored is not empty/);
  const onto = await restore("first.dbsync", "--data", at("first.dbsync"));
  assert.equal(onto.code, 1);
  assert.match(onto.stderr, /^dbsync: --data .*first\.dbsync is a file: .*\n$/);

  await using other = await start("earlier");
  const earlier = opened(other.port);
  assert.equal(await earlier.call("GET cart:1"), "one");
  assert.deepEqual(await earlier.call("GET cart:2", { buffers: true }), BYTES);
  assert.equal(await earlier.call("PEXPIRETIME cart:2"), FAR_MS);
  assert.equal(await earlier.call("GET second", { db: 2 }), "2");
  assert.equal(await earlier.call("GET cart:new"), null);
  assert.equal(await earlier.call("SET cart:1 goes"), "OK");
  await earlier.close();
});

test("keys are restored as signed commands, and existing keys are overwritten only with --replace", async () => {
  const one = await restoreKeys("first.dbsync", "--only", "cart:2");
  assert.equal(one.stdout, "1 key restored\n", one.stderr);
  assert.equal(one.code, 0);
  assert.deepEqual(await client.call("GET cart:2", { buffers: true }), BYTES);
  assert.equal(await client.call("PEXPIRETIME cart:2"), FAR_MS);

  const some = await restoreKeys("first.dbsync", "--prefix", "cart:");
  assert.equal(some.code, 1);
  assert.match(
    some.stdout,
    /^0 keys restored\n3 keys not restored, because the daemons have them.*\n1 key could not be restored:\n {2}"cart:document": /,
  );
  assert.equal(await client.call("GET cart:1"), "changed");

  const all = await restoreKeys("first.dbsync", "--prefix", "", "--replace");
  assert.match(all.stdout, /^7 keys restored\n1 key could not be/, all.stderr);
  assert.equal(await client.call("GET cart:1"), "one");
  assert.deepEqual(await client.call("HGETALL hash"), ["name", "Ada"]);
  assert.deepEqual(await client.call("XRANGE stream - +"), [["5-1", ["field", "value"]]]);
  assert.equal(await client.call("GET cart:new"), "new");

  const expired = await restoreKeys("first.dbsync", "--only", "brief", "--at", String(then));
  assert.deepEqual(
    [expired.code, expired.stdout],
    [0, "0 keys restored\n1 key left out, because it has expired since\n"],
  );

  if (!isFull) return;
  const history = await restoreKeys("second.dbsync", "--only", "cart:1", "--at", String(then), "--replace");
  assert.equal(history.code, 0, history.stderr);
  assert.equal(await client.call("GET cart:1"), "one");

  const none = await restoreKeys("first.dbsync", "--only", "never");
  assert.equal(none.code, 1);
  assert.match(none.stdout, /the backup contains no such key/);
  const other = await restoreKeys("first.dbsync", "--only", "second", "--db", "2", "--replace");
  assert.equal(other.code, 0, other.stderr);
});

test("a missing file is reported before missing options", async () => {
  const runs = [
    [["restore", at("nowhere")], 1],
    [["restore", at("nowhere"), "--only", "cart:1"], 1],
    [["restore", at("nowhere"), "--prefix", "cart:", "-k", at("app.pem"), "-s", "127.0.0.1:1"], 1],
    [["log", "verify", "--backup", at("nowhere")], 4],
  ] as const;
  for (const [words, code] of runs) {
    const ended = await dbsync(...words);
    assert.deepEqual(
      [ended.code, ended.stderr],
      [code, `dbsync: ${at("nowhere")}: there is no such file: specify a file that dbsync backup wrote\n`],
      words.join(" "),
    );
  }
});

test("a damaged backup is not restored, and the damaged bytes are reported", async () => {
  copyFileSync(at("first.dbsync"), at("damaged.dbsync"));
  const bytes = readFileSync(at("damaged.dbsync"));
  bytes[700] = (bytes[700] as number) ^ 1;
  writeFileSync(at("damaged.dbsync"), bytes);

  const folder = await restore("damaged.dbsync", "--data", at("never"));
  assert.equal(folder.code, 1);
  assert.match(
    folder.stderr,
    /is damaged, and nothing was restored from it:\n {2}bytes 20 to \d+: .*\nUse another copy/,
  );
  assert.deepEqual(
    readdirSync(cluster.folder).filter((name) => name.startsWith("never")),
    [],
  );

  const key = await restoreKeys("damaged.dbsync", "--only", "cart:1");
  assert.equal(key.code, 1);
  assert.match(key.stderr, /bytes 20 to \d+/);

  const verified = await dbsync("log", "verify", "--backup", at("damaged.dbsync"), ...keys());
  assert.equal(verified.code, 1);
  assert.match(verified.stdout, /damaged\.dbsync, bytes 20 to \d+: they were altered/);

  writeFileSync(at("other.dbsync"), "something else");
  assert.match((await restore("other.dbsync", "--data", at("never"))).stderr, /it is not a backup/);
});

test("a backup during writes has the state of a single moment, and a killed backup leaves no file", {
  skip: skipUnlessFull,
}, async () => {
  const count = 500;
  let written = 0;

  const writing = (async () => {
    for (let i = 0; i < count; i++) {
      await client.call(["RPUSH", "log", String(i)]);
      written = i + 1;
    }
  })();

  const words = ["backup", "--data", at("data"), at("killed.dbsync")];
  const child = spawn(process.execPath, [programPaths.dbsync, ...words], { stdio: "ignore", detached: true });
  const ended = once(child, "exit");
  const hasBegun = () => readdirSync(cluster.folder).some((name) => name.startsWith(".killed.dbsync"));
  await until("the backup begins", () => hasBegun() || child.exitCode !== null, { pause: nextTurn });

  if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
  await ended;

  if (existsSync(at("killed.dbsync"))) {
    await stateOf("--backup", at("killed.dbsync"));
    rmSync(at("killed.dbsync"));
  }

  const before = written;
  const made = await backUp("killed.dbsync");
  assert.equal(made.code, 0, made.stderr);
  await writing;

  mkdirSync(at("moment"));
  assert.equal((await restore("killed.dbsync", "--data", at("moment"))).code, 0, "the folder is empty");
  await using other = await start("moment");
  const restored = opened(other.port);

  const log = (await restored.call("LRANGE log 0 -1")) as string[];
  assert.ok(
    log.length >= before,
    `${before} were acknowledged before the backup began, and it has ${log.length}`,
  );
  assert.deepEqual(
    log,
    Array.from(log, (_, i) => String(i)),
  );
  await restored.close();
});

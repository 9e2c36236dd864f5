/** Each part of docs/runbooks.md, typed in its order: real daemons, that begin as three with a secret, and share a list of members from the first part on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeClusterSecret } from "../../keys/cluster-secret.js";
import { timelineFolder } from "../../timeline/disk/lmdb-reader.js";
import { type ChildResult, runDbsync } from "../client/child.js";
import { Trio } from "../faults/trio.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { buildRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";

const DAY_MS = 86_400_000;
const ALL = [0, 1, 2];
const clockOff = join(buildRoot, "test", "faults", "clock-off.js");

const folder = mkdtempSync(join(tmpdir(), "dbsync-runbooks-"));
const at = (name: string) => join(folder, name);
/** Whose key signs: of applications and administrators the first is stolen. */
const signers = { app: "app", root: "root" };
const next = { app: makeKeyPair(), root: makeKeyPair() };
let trio: Trio;

const address = (index: number) => trio.servers[index] as string;

/** `dbsync WORDS`, asked of some of the daemons. */
const run = (
  words: readonly string[],
  asked: readonly number[],
  key = signers.root,
): Promise<ChildResult> => {
  const DBSYNC_SERVERS = asked.map(address).join(",");
  return runDbsync(words, { folder, variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: `${key}.pem` } });
};

/** The same again does no harm: on a busy machine a daemon may be cut off for a moment. */
const succeeds = (words: readonly string[], asked: readonly number[], key = signers.root): Promise<void> =>
  trio.until(`dbsync ${words.join(" ")}`, async () => (await run(words, asked, key)).code === 0);

const prints = (shown: RegExp, words: readonly string[], asked: readonly number[], key = signers.root) =>
  trio.until(`dbsync ${words.join(" ")} prints ${shown}`, async () => {
    const { stdout, stderr } = await run(words, asked, key);
    return shown.test(stdout + stderr);
  });

const writes = (key: string, asked: readonly number[], ...flags: readonly string[]): Promise<void> =>
  succeeds(["send", ...flags, "SET", key, "x"], asked, signers.app);

const hold = async (key: string, indices: readonly number[]): Promise<void> => {
  for (const index of indices) await prints(/^x\n$/, ["send", "GET", key], [index], signers.app);
};

/** `dbsync status` finds nothing wrong. */
const isOver = (): Promise<void> => succeeds(["status"], ALL);

/** Its own, as its log tells it at the start. */
async function idOf(index: number): Promise<string> {
  const { stdout } = await run(["members", "list", "--json"], [index]);
  const { daemons } = JSON.parse(stdout) as { daemons: readonly { readonly id: string }[] };
  return daemons[0]?.id ?? assert.fail(stdout);
}

before(async () => {
  writeClusterSecret(at("cluster.secret"));
  trio = await Trio.start(["--window", "3,2", "--cluster-secret", at("cluster.secret")]);
  const keys = { app: trio.app, root: trio.root, "next-app": next.app, "next-root": next.root };
  for (const [name, { privateKey }] of Object.entries(keys))
    writeFileSync(at(`${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await isOver();
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("the secret is stolen: another shuts the thief's daemon out, and a list of members does", async () => {
  copyFileSync(at("cluster.secret"), at("stolen.secret"));
  rmSync(at("cluster.secret"));
  writeClusterSecret(at("cluster.secret"));
  for (const index of ALL) {
    trio.daemon(index).kill("SIGHUP");
    await trio.daemon(index).logged(({ msg }) => msg === "configuration and keys read again");
  }
  await isOver();
  const peers = trio.servers.flatMap((server) => ["--peer", server]);
  const known = ["-s", trio.app.file, "--root-key", trio.root.file, ...peers];
  await using thief = await startDaemon([...known, "--cluster-secret", at("stolen.secret")]);
  await thief.logged((line) => /other-secret|another --cluster-secret/.test(JSON.stringify(line)));
  await succeeds(["members", "add", ...ALL.map(address)], ALL);
  await isOver();
});

test("a disk dies: its daemon says so, and begins anew with an empty folder", {
  skip: skipWithout("prlimit"),
}, async () => {
  await writes("before", ALL, "--replicated", "3");
  const bytes = statSync(join(timelineFolder(trio.folder(0)), "data.mdb")).size + 65_536;
  execFileSync("prlimit", ["--pid", String(trio.daemon(0).pid), `--fsize=${bytes}:${bytes}`]);
  await using writer = trio.client([0]);
  const filler = ["SET", "filler", "x".repeat(10_000)];
  await trio.until("nothing can be written there", async () => {
    const problem = await writer.send(filler).then(
      () => null,
      (error: Error) => error,
    );
    return /storage-failed/.test(String(problem));
  });
  await prints(/its disk has failed/, ["status"], ALL);
  await writes("meanwhile", ALL);
  const lost = await idOf(0);
  await trio.end(0, "SIGTERM");
  rmSync(trio.folder(0), { recursive: true });
  await trio.start(0);
  await succeeds(["members", "replace", lost.slice(0, 12), address(0)], ALL);
  await isOver();
  for (const key of ["before", "meanwhile"]) await hold(key, ALL);
});

test("a machine is lost: without it all becomes final, its folder is let in no more, another takes its place", async () => {
  const lost = await idOf(2);
  await trio.end(2, "SIGKILL");
  await prints(/does not reach its member/, ["status"], [0, 1]);
  await succeeds(["members", "evict", lost.slice(0, 12)], [0, 1]);
  await writes("without", [0, 1], "--stable");
  await trio.start(2);
  await prints(/not-listed/, ["send", "SET", "returned", "x"], [2], signers.app);
  await trio.end(2, "SIGTERM");
  await succeeds(["dead-letters", "find", "--data", trio.folder(2)], [0, 1]);
  await succeeds(["dead-letters", "list", "--data", trio.folder(2)], [0, 1]);
  await succeeds(["dead-letters", "write-again", "--all", "--data", trio.folder(2)], [0, 1], signers.app);
  rmSync(trio.folder(2), { recursive: true });
  await trio.start(2);
  await succeeds(["members", "add", address(2)], ALL);
  await isOver();
  await hold("without", ALL);
});

test("an application's key is stolen: another comes in, the old one goes out, and what it wrote is taken back", async () => {
  await succeeds(["send", "SET", "price", "10"], ALL, "app");
  await succeeds(["send", "SET", "price", "666"], ALL, "app");
  await succeeds(["keys", "add", next.app.file, "--label", "next"], ALL);
  await succeeds(["keys", "revoke", trio.app.file], ALL);
  for (const index of ALL) await prints(/revoked/, ["send", "SET", "price", "1"], [index], "app");
  signers.app = "next-app";
  const asked = ["log", "--from", "-1h", "--signer", trio.app.file, "--touching", "price"];
  await prints(/SET price 666/, asked, ALL);
  const [date = ""] = /^\S+ \S+/.exec((await run(asked, ALL)).stdout) ?? [];
  await prints(/\b10\b/, ["get", "--at", date.replace(" ", "T"), "price"], ALL);
  await succeeds(["send", "SET", "price", "10"], ALL, signers.app);
  for (const index of ALL) await prints(/^10\n$/, ["send", "GET", "price"], [index], signers.app);
  await isOver();
});

test("an administrator's key is stolen: it lets another in, which shuts it out", async () => {
  const rules = ["--label", "administrator", "--rules", "+@all ~*"];
  await succeeds(["keys", "add", next.root.file, ...rules], ALL);
  signers.root = "next-root";
  await succeeds(["keys", "revoke", trio.root.file], ALL);
  for (const index of ALL) await prints(/revoked/, ["keys", "list"], [index], "root");
  await prints(/REVOKED/, ["keys", "list"], ALL);
  await isOver();
});

test("a clock is wrong: its daemon takes no writes until it is set, and the daemon started anew", async () => {
  await trio.end(1, "SIGTERM");
  await trio.start(1, { program: clockOff, env: { CLOCK_OFF_MS: String(DAY_MS) } });
  await prints(/its clock is off the other daemons'/, ["status"], ALL);
  await prints(/clock-off|too-old/, ["send", "SET", "late", "x"], [1], signers.app);
  await writes("in time", [0, 2]);
  await trio.end(1, "SIGTERM");
  await trio.start(1);
  await isOver();
  await writes("set", [1]);
  for (const key of ["in time", "set"]) await hold(key, ALL);
});

test("all machines are off: started again, they have everything", async () => {
  await writes("last", ALL);
  for (const index of ALL) await trio.end(index, "SIGKILL");
  for (const index of ALL) await trio.start(index);
  await isOver();
  await hold("last", ALL);
});

test("all folders are lost: one is made of the backup, the others get it from there", async () => {
  await succeeds(["backup", "--data", trio.folder(0), at("monday.dbsync")], ALL);
  await writes("after the backup", ALL);
  for (const index of ALL) {
    await trio.end(index, "SIGKILL");
    rmSync(trio.folder(index), { recursive: true });
  }
  assert.ok(existsSync(at("monday.dbsync")));
  const { code, stderr } = await run(["restore", at("monday.dbsync"), "--data", trio.folder(0)], ALL);
  assert.equal(code, 0, stderr);
  for (const index of ALL) await trio.start(index);
  await isOver();
  await succeeds(["members", "add", ...ALL.map(address)], ALL);
  await isOver();
  for (const key of ["before", "without", "last"]) await hold(key, ALL);
  await prints(/^\(nil\)\n$/, ["send", "GET", "after the backup"], ALL, signers.app);
  await prints(/revoked/, ["send", "SET", "price", "1"], ALL, "app");
});

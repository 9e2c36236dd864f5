/**
 * Executes all parts of docs/runbooks.md in order, with three real daemons. The daemons start with only a cluster
 * secret. From the end of the first part on, they have a member list.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { timelineFolder } from "../../daemon/timeline/disk/lmdb-reader.js";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { type ChildResult, runDbsync } from "../client/child.js";
import { startDaemon } from "../support/daemon-process.js";
import { programPaths } from "../support/programs.js";
import { buildRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";
import { type ConsoleLine, consoleLines, wordsOf } from "./console-text.js";

const DAY_MS = 86_400_000;
const ALL = [0, 1, 2];
const clockOff = join(buildRoot, "test", "system", "programs", "clock-off.js");

const folder = mkdtempSync(join(tmpdir(), "dbsync-runbooks-"));
const at = (name: string) => join(folder, name);
/** The signing keys. In the tests, a thief steals the first key of the application and that of the administrator. */
const signers = { app: "private.pem", root: "root-private.pem" };
let trio: Trio;

const address = (index: number) => trio.servers[index] as string;

/** Runs dbsync with arguments, and with some of the daemons as its servers. */
const run = (
  words: readonly string[],
  logArgs: readonly number[],
  key = signers.root,
): Promise<ChildResult> => {
  const DBSYNC_SERVERS = logArgs.map(address).join(",");
  return runDbsync(words, { folder, variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: key } });
};

/**
 * Runs a command until it succeeds. All commands may be repeated, and on a busy machine a daemon may be disconnected
 * for a moment.
 */
async function succeeds(
  words: readonly string[],
  logArgs: readonly number[],
  key = signers.root,
): Promise<void> {
  let last: ChildResult | null = null;
  const name = `dbsync ${words.join(" ")}`;
  await trio
    .until(name, async () => {
      last = await run(words, logArgs, key);
      // A daemon may still be catching up, but a usage error is a failure of the test.
      return last.code === 0 || /--help shows what is possible/.test(last.stderr);
    })
    .catch((problem: Error) => assert.fail(`${last?.stdout}${last?.stderr}\n${problem.message}`));
  assert.equal((last as ChildResult | null)?.code, 0, `${name}: ${(last as ChildResult | null)?.stderr}`);
}

const prints = (shown: RegExp, words: readonly string[], logArgs: readonly number[], key = signers.root) =>
  trio.until(`dbsync ${words.join(" ")} prints ${shown}`, async () => {
    const { stdout, stderr } = await run(words, logArgs, key);
    return shown.test(stdout + stderr);
  });

const writes = (key: string, logArgs: readonly number[], ...flags: readonly string[]): Promise<void> =>
  succeeds(["send", ...flags, "SET", key, "x"], logArgs, signers.app);

const assertValue = async (key: string, indices: readonly number[]): Promise<void> => {
  for (const index of indices) await prints(/^x\n$/, ["send", "GET", key], [index], signers.app);
};

/** Waits until `dbsync status` reports no problem. */
const isOver = (): Promise<void> => succeeds(["status"], ALL);

/** Returns the id of a daemon, which is the first id in the daemon's list of members. */
async function idOf(index: number): Promise<string> {
  let id = "";
  await trio.until(`daemon ${index} returns its id`, async () => {
    const { stdout } = await run(["members", "list", "--json"], [index]);
    const { daemons } = JSON.parse(stdout) as { daemons: readonly { readonly id: string }[] };
    id = daemons[0]?.id ?? "";
    return id !== "";
  });
  return id;
}

const lines = consoleLines("docs/runbooks.md");
const typed = new Set<number>();

/** The values that the runbook leaves to the reader. */
interface ReaderValues {
  /** The machine on which lines run that name no machine. */
  readonly machine?: number;
  /** The replacements for the ids and dates in the runbook. */
  readonly words?: Readonly<Record<string, string>>;
  /** What the test does after a line, by the beginning of the line. */
  readonly after?: Readonly<Record<string, () => unknown>>;
  /** The output until which the test repeats a line, by the beginning of the line. */
  readonly until?: Readonly<Record<string, RegExp>>;
}

/** Executes the lines of a block. @param block  the index of the block within its section, from 0 */
async function type(section: string, block: number, values: ReaderValues = {}): Promise<void> {
  const chosen = lines.filter((line) => line.section === section && line.block === block);
  assert.ok(chosen.length > 0, `${section}, block ${block}`);
  for (const line of chosen) {
    await typeLine(line, values);
    typed.add(line.number);
    for (const [start, act] of Object.entries(values.after ?? {}))
      if (line.command.startsWith(start)) await act();
  }
}

async function typeLine({ command, comment }: ConsoleLine, values: ReaderValues): Promise<void> {
  const [, digit] = /\bon db(\d)/.exec(comment) ?? [];
  const machine = digit === undefined ? values.machine : Number(digit) - 1;
  const isEach = /each machine|the other machines/.test(comment);
  const machines = isEach
    ? [...(machine === undefined ? [] : [machine]), ...ALL.filter((one) => one !== machine)]
    : [machine];

  const [program = "", ...words] = wordsOf(command);
  if (program === "systemctl") {
    for (const one of machines) await service(words[0] as string, one ?? assert.fail(command));
  } else if (program === "dbsync-keygen") {
    const { status, stderr } = spawnSync(process.execPath, [programPaths["dbsync-keygen"], ...words], {
      cwd: folder,
    });
    assert.equal(status, 0, String(stderr));
  } else if (program === "dbsync") {
    const [, expected] =
      Object.entries(values.until ?? {}).find(([start]) => command.startsWith(start)) ?? [];
    for (const one of machines) {
      const args = words.map((word) => withTestValues(word, one, values));
      // If a member is down, `members list` and `status` exit with 1, but still print the member.
      if (expected !== undefined) await prints(expected, args, []);
      else await succeeds(args, []);
    }
  } else assert.ok(["chown", "chronyc"].includes(program), command);
}

/** Replaces the addresses, folders and ids of the runbook in a word with those of this test. */
function withTestValues(word: string, machine: number | undefined, { words = {} }: ReaderValues): string {
  if (word in words) return words[word] as string;
  if (word === "/var/lib/dbsyncd") return trio.folder(machine ?? assert.fail(word));
  return word.replace(/\bdb([123])(:1111)?\b/g, (_, digit) => address(Number(digit) - 1));
}

/** Executes `systemctl VERB dbsyncd` on a machine. */
async function service(verb: string, machine: number): Promise<void> {
  if (verb === "reload") {
    const before = trio.daemon(machine).log.length;
    trio.daemon(machine).kill("SIGHUP");
    await trio.until("the daemon has reloaded its keys", async () =>
      trio
        .daemon(machine)
        .log.slice(before)
        .some(({ msg }) => msg === "configuration and keys read again"),
    );
  }
  if (verb === "stop" || verb === "restart") await trio.end(machine, "SIGTERM");
  if (verb === "start" || verb === "restart") await trio.start(machine);
}

const empties = (index: number) => () => rmSync(trio.folder(index), { recursive: true, force: true });

before(async () => {
  writeClusterSecret(at("cluster.secret"));
  trio = await Trio.start(["--window", "3,2", "--resp", "0", "--cluster-secret", at("cluster.secret")]);
  for (const [name, { privateKey, file }] of Object.entries({ "": trio.app, "root-": trio.root })) {
    writeFileSync(at(`${name}private.pem`), privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    });
    copyFileSync(file, at(`${name}public.pem`));
  }
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("first steps: an administrator authorizes each daemon's key with the command that dbsync status prints", async () => {
  await prints(/NOTE .*its key is not authorized/, ["status"], ALL);
  const { stdout, stderr } = await run(["status"], ALL);
  const commands = [...(stdout + stderr).matchAll(/CLUSTER ADD (\S+)/g)].map(([command]) => command);
  assert.equal(commands.length, 3, stdout);
  // The test authorizes two daemons. The member list that is created below authorizes the third one.
  for (const command of commands.slice(0, 2)) await succeeds(["send", ...command.split(" ")], ALL);
});

test("a stolen secret: a new secret, and then a member list, exclude the thief's daemon", async () => {
  copyFileSync(at("cluster.secret"), at("stolen.secret"));
  await type("The secret, or a daemon's key", 0, {
    after: { "dbsync-keygen": () => renameSync(at("new.secret"), at("cluster.secret")) },
  });
  const peers = trio.servers.flatMap((server) => ["--peer", server]);
  const args = ["-s", trio.app.file, "--root-key", trio.root.file, ...peers];
  await using thief = await startDaemon([...args, "--cluster-secret", at("stolen.secret")]);
  await thief.logged((line) => /other-secret|another --cluster-secret/.test(JSON.stringify(line)));
  await isOver();
  await type("Runbooks", 0);
});

/** Fills the disk of a machine. */
async function fill(index: number): Promise<void> {
  const bytes = statSync(join(timelineFolder(trio.folder(index)), "data.mdb")).size + 65_536;
  execFileSync("prlimit", ["--pid", String(trio.daemon(index).pid), `--fsize=${bytes}:${bytes}`]);
  await using writer = trio.client([index], { key: trio.app.privateKey });
  const filler = ["SET", "filler", "x".repeat(10_000)];
  await trio.until("the daemon refuses writes because of its full disk", async () => {
    const problem = await writer.send(filler).then(
      () => null,
      (error: Error) => error,
    );
    return /storage-failed/.test(String(problem));
  });
}

/** Replaces the disk of db1 according to the runbook. */
async function replaceDisk(): Promise<void> {
  const lost = await idOf(0);
  await type("A disk dies", 1, {
    words: { "4f3a9c0e": lost.slice(0, 8) },
    after: { "systemctl stop": empties(0) },
  });
  await isOver();
}

test("a failed disk: its daemon reports it, and restarts with an empty folder", {
  skip: skipWithout("prlimit"),
}, async () => {
  await writes("before", ALL, "--replicated", "3");
  await fill(0);
  await prints(/its disk has failed/, ["status"], ALL);
  await writes("meanwhile", ALL);
  await type("A disk dies", 0, { machine: 0 });
  await isOver();
  await replaceDisk();
  for (const key of ["before", "meanwhile"]) await assertValue(key, ALL);
});

test("a lost machine: writes become final without it, its folder is refused, another machine replaces it", async () => {
  await trio.end(2, "SIGKILL");
  await prints(/ is down for \d+ s, seen by 2 of 2/, ["status"], [0, 1]);
  await type("A machine is lost", 0);
  await writes("without", [0, 1], "--stable");
  await trio.start(2);
  await prints(/not-listed/, ["send", "SET", "returned", "x"], [2], signers.app);
  await trio.end(2, "SIGTERM");
  await type("A machine is lost", 2, { machine: 2 });
  empties(2)();
  await trio.start(2);
  await type("A machine is lost", 1);
  await isOver();
  await type("A machine is lost", 3);
  await assertValue("without", ALL);
});

test("a stolen application key: a new key replaces it, and the thief's writes are reverted", async () => {
  await succeeds(["send", "SET", "price", "10"], ALL, signers.app);
  await succeeds(["send", "SET", "price", "666"], ALL, signers.app);
  await type("An application's key", 0);
  for (const index of ALL) await prints(/revoked/, ["send", "SET", "price", "1"], [index], signers.app);
  const logArgs = ["log", "--from", "-1h", "--signer", "public.pem", "--touching", "price"];
  await prints(/SET price 666/, logArgs, ALL);
  const [date = ""] = /^\S+ \S+/.exec((await run(logArgs, ALL)).stdout) ?? [];
  await type("An application's key", 1, { words: { "2027-01-31T11:58:20Z": date.replace(" ", "T") } });
  signers.app = "next-private.pem";
  for (const index of ALL) await prints(/^10\n$/, ["send", "GET", "price"], [index], signers.app);
  await isOver();
});

test("a stolen administrator key: a new key replaces it, and a failed disk can still be replaced", async () => {
  await type("An administrator's key", 0);
  for (const index of ALL) await prints(/revoked/, ["keys", "list"], [index], "root-private.pem");
  // From here on the administrator uses the new key.
  renameSync(at("root-private.pem"), at("stolen-root-private.pem"));
  renameSync(at("next-root-private.pem"), at("root-private.pem"));
  await prints(/REVOKED/, ["keys", "list"], ALL);
  await isOver();
  await replaceDisk();
  await writes("after the rotation", ALL, "--stable");
  await assertValue("after the rotation", ALL);
});

test("a wrong clock: its daemon refuses writes until the clock is set and the daemon is restarted", async () => {
  await trio.end(1, "SIGTERM");
  await trio.start(1, { program: clockOff, env: { CLOCK_OFF_MS: String(DAY_MS) } });
  await prints(/its clock differs from the other daemons'/, ["status"], ALL);
  await prints(/clock-off|too-old/, ["send", "SET", "late", "x"], [1], signers.app);
  await writes("in time", [0, 2]);
  await type("A clock is wrong", 0, { machine: 1 });
  await isOver();
  const [app, old] = [signers.app, "private.pem"];
  renameSync(at(old), at("stolen-private.pem"));
  copyFileSync(at(app), at(old));
  await type("A clock is wrong", 1);
  for (const key of ["in time", "probe"]) await assertValue(key, ALL);
});

test("all machines were off: after their start the daemons have all entries", async () => {
  await writes("last", ALL);
  for (const index of ALL) await trio.end(index, "SIGKILL");
  await type("All machines were off", 0);
  await isOver();
  await assertValue("last", ALL);
});

test("one folder remains: the other daemons start with empty folders", async () => {
  await writes("last", ALL);
  const [, second = "", third = ""] = await Promise.all(ALL.map(idOf));
  for (const index of ALL) await trio.end(index, "SIGKILL");
  for (const index of [1, 2]) empties(index)();
  const live = /(\blive\b.*){2}/s;
  await type("All folders are lost", 0, {
    words: { "5b01d2f4": second.slice(0, 8), "77e0c3a9": third.slice(0, 8) },
    until: { "dbsync members list -s db1 ": /./, "dbsync members list -s db1,db2 ": live },
  });
  await isOver();
  await assertValue("last", ALL);
});

test("all folders are lost: each folder is restored from the backup, with what the members have decided", async () => {
  await succeeds(["send", "--policy", "majority", "SET", "lock", "x", "NX"], ALL, signers.app);
  await succeeds(["backup", "--data", trio.folder(0), at("monday.dbsync")], ALL);
  await writes("after the backup", ALL);
  for (const index of ALL) {
    await trio.end(index, "SIGKILL");
    empties(index)();
  }
  assert.ok(existsSync(at("monday.dbsync")));
  await type("All folders are lost", 1, { until: { "dbsync status": /live.*live.*live/s } });
  await isOver();
  for (const key of ["before", "without", "last", "lock"]) await assertValue(key, ALL);
  await prints(/^\(nil\)\n$/, ["send", "GET", "after the backup"], ALL, signers.app);
  await prints(/revoked/, ["send", "SET", "price", "1"], ALL, "stolen-private.pem");
});

test("the tests execute every line of the runbooks", () => {
  const missed = lines.filter(({ number }) => !typed.has(number));
  assert.deepEqual(missed, []);
});

/** Tests the orders of `dbsync members` that a data folder permits (--data), and their errors, with real daemons. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ChildResult, runDbsync } from "../../../client/child.js";
import { skipUnlessFull } from "../../../support/amount.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";
import { Trio } from "../../../support/trio.js";

const folder = new ScratchFolder();
let trio: Trio;

before(async () => {
  trio = await Trio.make([], 4, { keys: "app" });
  await trio.start(0);
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Runs `dbsync members` on the machine of a daemon. */
const run = (words: readonly string[], index = 0, data = trio.folder(index)): Promise<ChildResult> =>
  runDbsync(["members", ...words, "--data", data], {
    folder: folder.path,
    variables: { DBSYNC_SERVERS: trio.servers[index] as string },
  });

/** Returns the id of a daemon, which its folder contains. */
async function idOf(index: number): Promise<string> {
  const { daemons } = JSON.parse((await run(["list", "--json"], index)).stdout) as {
    readonly daemons: readonly { readonly id: string }[];
  };
  return daemons[0]?.id ?? assert.fail();
}

const isRefused = async (running: Promise<ChildResult>, reason: RegExp): Promise<void> => {
  const { code, stdout, stderr } = await running;
  assert.notEqual(code, 0, stdout);
  assert.match(stderr, reason);
};

test("a folder without a key, a daemon that does not run, and the folder of another daemon are named", async () => {
  await isRefused(run(["found"], 0, join(folder.path, "none")), /none: the folder does not exist/);
  mkdirSync(join(folder.path, "empty"));
  await isRefused(run(["list"], 0, join(folder.path, "empty")), /there is no daemon\.pem in it/);
  await isRefused(run(["force", "-s", "127.0.0.1:1"]), /No daemon answered: 127\.0\.0\.1:1 does not answer/);
  await isRefused(run(["list", "-k", "root.pem"]), /leave out -k/);
  await isRefused(run(["replace", "x", "y", "--force"]), /dbsync members force/);

  await using other = await startDaemon(["-s", trio.app.file]);
  const named = new RegExp(`127\\.0\\.0\\.1:${other.port} is the daemon [0-9a-f]{16}…`);
  await isRefused(run(["found", "-s", `127.0.0.1:${other.port}`]), named);
});

test("an administrator signs the lists of a cluster that has one", async () => {
  const data = join(folder.path, "administered");
  const keys = ["-s", trio.app.file, "--root-key", trio.root.file];
  await using daemon = await startDaemon([...keys, "--data", data]);
  const { port } = daemon;
  await isRefused(run(["found", "-s", `127.0.0.1:${port}`], 0, data), /administrators sign the lists/);
});

test("a missing daemon is named, and the list is founded when all are connected", async () => {
  await isRefused(run(["force", "--yes"]), /there is no list yet: dbsync members found creates one/);
  const none = await run(["list"]);
  assert.deepEqual([none.code, /^There is no member list/.test(none.stdout)], [0, true]);
  const waiting = await run(["found", "--wait", "0"]);
  assert.deepEqual([waiting.code, waiting.stdout], [1, ""]);
  assert.match(waiting.stderr, new RegExp(`It waits for: the daemon at ${trio.servers[1]} is not connected`));

  const list = await run(["list"]);
  assert.match(list.stdout, /\nThe next list of \S+ waits for: the daemon at \S+ is not connected\.\n/);

  await Promise.all([1, 2, 3].map((index) => trio.start(index)));
  const founded = await run(["found"]);
  assert.equal(founded.code, 0, founded.stderr);
  assert.match(founded.stdout, /^List 1, [0-9a-f]{64}\nsigned by its 4 members, not by an administrator\n/);
  await trio.until("all daemons use the list", async () => (await run(["found"], 3)).code === 0);
  const again = await run(["found", "--json"], 1);
  assert.equal(again.code, 0, again.stderr);
  const { number, memberSignatures, doubt } = JSON.parse(again.stdout) as Record<string, unknown>;
  assert.deepEqual([number, memberSignatures, doubt], [1, 4, null]);
});

test("a member is replaced by the operator of another one", { skip: skipUnlessFull }, async () => {
  const { members } = JSON.parse((await run(["found", "--json"], 3)).stdout) as { members: string[] };
  const lost = await idOf(3);
  assert.ok(members.includes(lost));
  await isRefused(run(["replace", lost, "127.0.0.1:2"]), /there is no daemon "127\.0\.0\.1:2"/);

  await trio.end(3, "SIGKILL");
  rmSync(trio.folder(3), { recursive: true });
  await trio.start(3);
  const address = trio.servers[3] as string;

  await trio.until("the list names the new daemon", async () => {
    const { code, stdout } = await run(["replace", lost.slice(0, 12), address]);
    return (
      code === 0 && /^List 2, [0-9a-f]{64}\nsigned by .* members, not by an administrator\n/.test(stdout)
    );
  });

  const again = await run(["replace", lost, address]);
  assert.deepEqual([again.code, /^List 2, /.test(again.stdout)], [0, true], again.stderr);

  const connected = await run(["remove", (await idOf(1)).slice(0, 12), "--wait", "0"]);
  assert.equal(connected.code, 1);
  assert.match(
    connected.stderr,
    new RegExp(
      `It waits for: ${trio.servers[1]} \\(\\w{12}\\) is connected: run dbsync members remove on its machine`,
    ),
  );
});

test("connected members are not left out, and lost ones only with --yes on each machine that remains", {
  skip: skipUnlessFull,
}, async () => {
  await trio.until("no member is lost", async () => {
    const { code, stderr } = await run(["force"]);
    return code === 0 && /all members of list 2 are connected to this daemon: none is lost/.test(stderr);
  });
  for (const index of [2, 3]) await trio.end(index, "SIGKILL");
  const [first = "", , ...lost] = trio.servers;
  await trio.until("both daemons have noticed that two members are lost", async () => {
    const shown = await Promise.all([0, 1].map((index) => run(["force"], index)));
    for (const { code, stderr } of shown)
      assert.deepEqual([code, /nothing was ordered.*--yes/.test(stderr)], [1, true], stderr);
    return shown.every(
      ({ stdout }) =>
        lost.every((address) => stdout.includes(`  ${address} (`)) &&
        stdout.includes("2 of 4 members remain. Run the same command on the machine of each of them:"),
    );
  });
  assert.match((await run(["list"])).stdout, /^List 2, /);

  const waiting = await run(["force", "--yes", "--wait", "0"]);
  assert.equal(waiting.code, 1);
  assert.match(waiting.stderr, /It waits for: (not announced yet by \S+|the same list on other machines)/);
  assert.match(waiting.stderr, /\(run the same command on that machine\)/);
  const forced = await run(["force", "--yes"], 1);
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stdout, /\nList 3, [0-9a-f]{64}\nsigned by its 2 members, not by an administrator\n/);
  // The list already is what the repeated command would do.
  await trio.until(`${first} uses the list`, async () => (await run(["force", "--yes"])).code === 0);
});

/**
 * The administrator's key is rotated according to docs/runbooks.md. Afterwards a daemon with a failed disk
 * is replaced, also according to that page, by the first digits of its old id. The new daemon becomes live, and
 * writes become final.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { programPaths } from "../support/programs.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const LOST = 0;
const SHORT_ID_DIGITS = 8;
const LIVE_MS = 60_000;
const ANSWER_MS = 20_000;
/** The timeout in milliseconds. A write is final after 30 s if all daemons are running. */
const FINAL_MS = 60_000;

test("an administrator replaces a daemon after rotating the root key", { timeout: 400_000 }, async () => {
  using folder = new ScratchFolder();
  await using trio = await Trio.start();
  const old = folder.privateKey(trio.root, "root-private.pem");
  folder.file("root-public.pem", trio.root.pem);
  const servers = ["-s", trio.servers.join(",")];
  const dbsync = async (args: readonly string[], key: string): Promise<Ended> => {
    const timeout = args.includes("--stable") ? FINAL_MS : ANSWER_MS;
    const all = [...args, ...servers, "--timeout", String(timeout), "-k", key];
    return await run(process.execPath, [programPaths.dbsync, ...all], { cwd: folder.path });
  };
  const ok = async (args: readonly string[], key: string): Promise<string> => {
    const { code, stdout, stderr } = await dbsync(args, key);
    assert.equal(code, 0, `dbsync ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  await until("a member list is signed", async () => {
    return (await dbsync(["members", "add", ...trio.servers], old)).code === 0;
  });
  const listed = daemonsIn(await ok(["members", "list", "--json"], old));
  const lostId = listed.find(({ address }) => address === trio.servers[LOST])?.id as string;

  await run(process.execPath, [programPaths["dbsync-keygen"], "--name", "next-root"], { cwd: folder.path });
  const next = join(folder.path, "next-root-private.pem");
  await ok(["keys", "add", "next-root-public.pem", "--label", "administrator", "--rules", "+@all ~*"], old);
  await ok(["members", "sign", "--root-key", "root-public.pem"], next);
  await ok(["keys", "revoke", "root-public.pem"], next);

  await trio.end(LOST, "SIGKILL");
  rmSync(trio.folder(LOST), { recursive: true });
  await trio.start(LOST);
  const address = trio.servers[LOST] as string;
  let last = "";
  await until(
    "the daemon is replaced",
    async () => {
      const { code, stdout, stderr } = await dbsync(
        ["members", "replace", lostId.slice(0, SHORT_ID_DIGITS), address],
        next,
      );
      last = stdout + stderr;
      return code === 0;
    },
    { ms: LIVE_MS },
  ).catch((reason: Error) => assert.fail(`${reason.message}: ${last}`));
  const areLive = async () => {
    const daemons = daemonsIn((await dbsync(["members", "list", "--json"], next)).stdout);
    return daemons.length === trio.ports.length && daemons.every(({ state }) => state === "live");
  };
  await until("all daemons are live", areLive, { ms: 2 * LIVE_MS, mayFail: true });
  await ok(["send", "--stable", "SET", "probe", "x"], folder.privateKey(trio.app));
});

interface ListedDaemon {
  readonly address: string;
  readonly id: string;
  readonly state: string;
}

const daemonsIn = (json: string): readonly ListedDaemon[] =>
  (JSON.parse(json) as { daemons: readonly ListedDaemon[] }).daemons;

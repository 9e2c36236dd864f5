/**
 * Data folders that earlier versions of dbsync have written: test/vectors/folders. As a program, this file writes the
 * folders of its own version: `node dist/test/faults/folder-vectors.js 0.1.0`. The folders are written once for each
 * change of the format on disk.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "../../client/public-api.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { repositoryRoot } from "../support/repository.js";

/** How the daemon of the folder ended. The log of a killed daemon contains commands that LMDB does not contain. */
export const ENDINGS = ["stopped", "killed"] as const;
export type Ending = (typeof ENDINGS)[number];

/** A read command with its reply. */
export type Reading = readonly [command: readonly string[], reply: unknown];

/** The files that contain the id of the process that uses the folder. Another process may now have the same id. */
const LOCKS: readonly string[] = ["lock", "lock.mdb"];
const WRITES: readonly (readonly string[])[] = [
  ["SET", "text", "as it is"],
  ["SET", "bytes", "\u00ff\u0000\u00e9"],
  ["INCRBY", "count", "41"],
  ["RPUSH", "list", "a", "b", "c"],
  ["HSET", "hash", "name", "value", "other", "2"],
  ["SADD", "set", "one", "2", "three"],
  ["ZADD", "sorted", "1", "a", "2.5", "b"],
  ["XADD", "stream", "1790000000000-1", "field", "value"],
  ["XGROUP", "CREATE", "stream", "group", "0"],
  ["DOC.CREATE", "people"],
  ["DOC.INSERT", "people", '{"name":"Ada","age":36}'],
  ["PFADD", "seen", "a", "b"],
  ["GEOADD", "places", "13.361389", "38.115556", "Palermo"],
  ["PEXPIREAT", "count", "9999999999999"],
  ["SET", "gone", "for ever"],
  ["DEL", "gone"],
  ["LPOP", "list"],
  ["RENAME", "text", "renamed"],
];
const READS: readonly (readonly string[])[] = [
  ["DBSIZE"],
  ["GET", "renamed"],
  ["GET", "bytes"],
  ["GET", "count"],
  ["PEXPIRETIME", "count"],
  ["LRANGE", "list", "0", "-1"],
  ["HGETALL", "hash"],
  ["SMEMBERS", "set"],
  ["ZRANGE", "sorted", "0", "-1", "WITHSCORES"],
  ["XRANGE", "stream", "-", "+"],
  ["XINFO", "GROUPS", "stream"],
  ["DOC.GET", "people"],
  ["PFCOUNT", "seen"],
  ["GEOPOS", "places", "Palermo"],
  ["GET", "gone"],
];

/** Returns a path below test/vectors/folders. */
export const foldersPath = (...names: readonly string[]) =>
  join(repositoryRoot, "test/vectors/folders", ...names);

export const privateKeyIn = (folder: string, name: string): KeyObject =>
  createPrivateKey(readFileSync(join(folder, `${name}.pem`)));

/** Starts a daemon with a data folder and with the keys in a folder. */
export function startWith(folder: string, keys: string): Promise<DaemonProcess> {
  const files = ["-s", join(keys, "app-public.pem"), "--root-key", join(keys, "root-public.pem")];
  return startDaemon([...files, "--data", folder]);
}

/** Sends the read commands. @returns the commands with their replies, as JSON values */
export async function readAll(daemon: DaemonProcess, key: KeyObject): Promise<Reading[]> {
  await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key });
  const readings: Reading[] = [];
  for (const command of READS) {
    const reply: unknown = await client.call([...command]);
    readings.push([command, JSON.parse(JSON.stringify(reply))]);
  }
  return readings;
}

async function writeFolder(version: string): Promise<void> {
  const path = foldersPath(version);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  for (const name of ["app", "root"]) {
    const pair = makeKeyPair();
    writeFileSync(join(path, `${name}-public.pem`), pair.pem);
    writeFileSync(join(path, `${name}.pem`), pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  }
  const folder = mkdtempSync(join(tmpdir(), "dbsync-folder-"));
  const key = privateKeyIn(path, "app");
  for (const ending of ENDINGS) {
    await using daemon = await startWith(folder, path);
    await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key });
    if (ending === "stopped") for (const command of WRITES) await client.call([...command]);
    else await client.call(["APPEND", "renamed", ", and more"]);
    writeFileSync(join(path, `${ending}.json`), `${JSON.stringify(await readAll(daemon, key), null, 1)}\n`);
    daemon.kill(ending === "stopped" ? "SIGTERM" : "SIGKILL");
    await daemon.ended();
    cpSync(folder, join(path, ending), {
      recursive: true,
      filter: (path) => !LOCKS.includes(basename(path)),
    });
  }
  rmSync(folder, { recursive: true });
}

const [, program, version] = process.argv;
if (version !== undefined && import.meta.url === pathToFileURL(program ?? "").href)
  await writeFolder(version);

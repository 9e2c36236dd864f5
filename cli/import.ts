/**
 * `dbsync import`: copies the keys of a running Redis, the documents of a running JSON server, or the tables of a data folder of the earlier
 * SQL server to the daemons, as signed commands.
 */
import { type Command, InvalidArgumentError } from "commander";
import { DbsyncError } from "../client/shared/errors.js";
import type { ServerAddress } from "../client/shared/server-url.js";
import { importDocuments } from "./json/import-documents.js";
import { JSON_URL_HELP, readJsonUrl } from "./json/json-server.js";
import { importRedis } from "./redis/import-redis.js";
import { isRedisUrl, REDIS_URL_HELP, type RedisAddress, readRedisUrl } from "./redis/redis-url.js";
import { replicateRedis } from "./redis/replicate-redis.js";
import { waitUntilComplete } from "./shared/catching-up.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "./shared/client-options.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { oneDaemon } from "./shared/one-daemon.js";
import type { SendToAll } from "./shared/send-to-all.js";
import { trusted } from "./shared/server-url.js";
import { importFolder } from "./sql/import-folder.js";

/** Milliseconds for a command with several hundred entries; daemons may be far away. */
const COMMAND_MS = 20_000;
/** The prefix of an argument that names a folder. */
const FOLDER = "sql:";

type Origin =
  | { readonly kind: "redis"; readonly address: RedisAddress }
  | { readonly kind: "json"; readonly address: ServerAddress }
  | { readonly kind: "folder"; readonly folder: string };

interface ImportFlags extends ClientFlags {
  readonly replace?: boolean;
  readonly replicate?: boolean;
  readonly cutOver?: number;
}

export function addImport(program: Command): void {
  const command = program
    .command("import")
    .description(
      "import the keys of a Redis, the documents of a JSON server, or the tables of an SQL server's folder",
    );
  addDatabaseOption(addClientOptions(command, COMMAND_MS))
    .argument(
      "<from>",
      `${REDIS_URL_HELP}; ${JSON_URL_HELP}; or sql:DIR, the data folder of the earlier SQL server`,
      readOrigin,
    )
    .option(
      "--replace",
      "overwrite keys, or drop documents or databases first, that the daemons have already",
    )
    .option(
      "--replicate",
      "of a Redis: keep following what is written there, until cut over (Ctrl-C), which deletes keys that it does not have",
    )
    .option("--cut-over <seconds>", "cut over once nothing was written for so long", (text: string) =>
      readCount(text, "It is"),
    )
    .addHelpText(
      "after",
      `
A Redis is asked for all keys of one database (SCAN), and for each of them as it is at that moment, with its expiry (DUMP); they go to the
database of that number here, or to --db. Values whose form the daemons do not know are read by the commands of their types. The Redis stays as it is.
Stop its writers first: what they write meanwhile is not taken over. Stopped in the middle, it begins again with --replace. A Redis Cluster is
taken over by one import for each of its masters. docs/from-redis.md has the steps.

With --replicate its writers may go on: what they write is copied again, as the Redis reports it (notify-keyspace-events, turned on meanwhile). Stop them,
then Ctrl-C, or wait for --cut-over: all keys are compared once more, keys that the Redis does not have are deleted, and it ends when the daemons hold the same.
Killed, it begins again with --replace; a broken connection makes it compare all keys again.

A server of JSON documents is asked for all its documents, which are written to every daemon of the list, entries under the keys that they have
there; of a dbsyncd, which is asked for one document after the other, with lifetimes and indexes. The server stays as it is. Stop its writers first: what they write meanwhile is not taken over.

Of a folder (dataDirectory of config.json) each database is made with its domains, tables and views. Views that the earlier server cannot
read back itself are named, and have to be created again. The other way: dbsync export.

Examples:
  dbsync import redis://10.0.0.1 -k private.pem
  dbsync import redis://10.0.0.1 -k private.pem --replicate --cut-over 10
  dbsync import 'rediss://shop:secret@10.0.0.1:6380/2' --db 0 -k private.pem
  dbsync import json://10.0.0.1:8888 -k private.pem
  dbsync import json://10.0.0.1:8888 -s 10.0.0.5,10.0.0.6 -k private.pem --replace
  dbsync import sql:/var/lib/dirk/data -k private.pem
  dbsync import 'jsons://10.0.0.1:8888#sha256:81f0a63c…' -k private.pem
${exitCodeHelp("no connection, a document is there already, or a daemon has not taken everything")}`,
    )
    .action(importFrom);
}

/** @throws InvalidArgumentError */
function readOrigin(text: string): Origin {
  if (text.startsWith(FOLDER)) return { kind: "folder", folder: text.slice(FOLDER.length) };
  if (isRedisUrl(text)) return { kind: "redis", address: readRedisUrl(text) };
  if (/^jsons?:/.test(text)) return { kind: "json", address: readJsonUrl(text) };
  throw new InvalidArgumentError("Allowed: redis://host:port or json://host:port, sql: and a folder.");
}

async function importFrom(origin: Origin, flags: ImportFlags): Promise<void> {
  const db = flags.db ?? (origin.kind === "redis" ? origin.address.db : 0);
  if (flags.replicate && origin.kind !== "redis")
    throw new DbsyncError("bad-option", "--replicate follows a Redis: redis://…");
  if (flags.cutOver !== undefined && !flags.replicate)
    throw new DbsyncError("bad-option", "--cut-over says when --replicate ends: give that too");
  const settings = readSettings({ timeout: COMMAND_MS, ...flags, db });
  await waitUntilComplete(settings);
  const { client } = openFrom(settings);
  const send: SendToAll = (command) => client.call(command, { policy: "all" });
  if (origin.kind === "folder") await importFolder(origin.folder, send, flags.replace);
  else if (origin.kind === "json")
    await importDocuments(trusted(origin.address, flags.ca), send, flags.replace);
  else {
    const { server, db: from } = origin.address;
    const address = { server: trusted(server, flags.ca), db: from };
    if (!flags.replicate) return await importRedis(address, send, flags.replace);
    const { ask } = await oneDaemon(settings);
    const quietMs = flags.cutOver === undefined ? null : flags.cutOver * 1000;
    await replicateRedis(address, { send, ask }, { replace: flags.replace ?? false, quietMs });
  }
}

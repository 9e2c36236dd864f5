/**
 * `dbsync import`: copies data to the daemons as signed commands: the keys of a running Redis, the documents of a
 * running JSON server, or the tables in a data folder of the earlier SQL server.
 */
import { type Command, InvalidArgumentError } from "commander";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ServerAddress } from "../../client/shared/server-url.js";
import * as faces from "./faces.js";
import { copyFromJsonServer } from "./json/copy-from-json-server.js";
import { JSON_URL_HELP, readJsonUrl } from "./json/json-server-client.js";
import { importRedis, replicateRedis } from "./redis/import-redis.js";
import { isRedisUrl, REDIS_URL_HELP, type RedisAddress, readRedisUrl } from "./redis/redis-source.js";
import { sqlFoldersOf } from "./shared/cli-face.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "./shared/client-options.js";
import { waitUntilWritable } from "./shared/daemon-readiness.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { oneDaemon, type SendToAll } from "./shared/requests.js";
import { withLoadedAuthorities } from "./shared/server-url-argument.js";

/**
 * Time limit of a command in milliseconds: a command may contain several hundred entries, and daemons may be far away.
 */
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
      "copy the keys of a Redis, the documents of a JSON server, or the tables of the earlier SQL server to the daemons",
    );
  addDatabaseOption(addClientOptions(command, COMMAND_MS))
    .argument(
      "<from>",
      `${REDIS_URL_HELP}; ${JSON_URL_HELP}; or sql:DIR for a data folder of the earlier SQL server`,
      readOrigin,
    )
    .option(
      "--replace",
      "replace keys, documents and databases that the daemons already have (default: report an error)",
    )
    .option(
      "--replicate",
      "with a Redis: keep copying changes until you cut over (Ctrl-C), which also deletes keys that the Redis does not have",
    )
    .option(
      "--cut-over <seconds>",
      "with --replicate: cut over after this time without a write to the Redis",
      (text: string) => readCount(text, "It is"),
    )
    .addHelpText(
      "after",
      `
An import needs all daemons of the list (-s): it sends each command to all of them, and ends if one does not accept it. It shows its progress on
standard error, without a terminal as a line every ten seconds.

From a Redis: copies all keys of one database (SCAN), each with its value and expiry at the moment when it is read (DUMP), to the database of the
same number, or to --db. Values in a format that the daemons do not know are read with the commands of their types. The Redis is not changed.
Stop its writers before you start: writes during the import are not copied. If the import is interrupted, run it again with --replace. For a
Redis Cluster, run one import for each master. docs/from-redis.md lists the steps.

With --replicate the writers may continue: the Redis reports each change (notify-keyspace-events, which the import turns on while it runs), and the
import copies the key again. To finish, stop the writers and press Ctrl-C, or let --cut-over end the import. It then compares all keys again, deletes
keys that the Redis does not have, and exits when the daemons have the same data. If the connection breaks, the import reconnects and compares all keys.
If it is killed, run it again with --replace.

From a server of JSON documents: copies all documents to every daemon of the list. Entries keep their keys; if the server is a dbsyncd, they also
keep their expiry times, and documents keep their indexes. The server is not changed. Stop its writers before you start: writes during the import
are not copied.

From a data folder of the earlier SQL server (dataDirectory in config.json): creates each database with its domains, tables and views. Views that
the earlier server itself cannot read are reported; create them again. The opposite of this import is dbsync export.

Examples:
  dbsync import redis://10.0.0.1 -k private.pem
  dbsync import redis://10.0.0.1 -k private.pem --replicate --cut-over 10
  dbsync import 'rediss://shop:secret@10.0.0.1:6380/2' --db 0 -k private.pem
  dbsync import json://10.0.0.1:8888 -k private.pem
  dbsync import json://10.0.0.1:8888 -s 10.0.0.5,10.0.0.6 -k private.pem --replace
  dbsync import sql:/var/lib/dirk/data -k private.pem
  dbsync import 'jsons://10.0.0.1:8888#sha256:81f0a63c…' -k private.pem
${exitCodeHelp("no connection, a key, document or database already exists, or a daemon did not accept everything")}`,
    )
    .action(importFrom);
}

/** @throws InvalidArgumentError */
function readOrigin(text: string): Origin {
  if (text.startsWith(FOLDER)) return { kind: "folder", folder: text.slice(FOLDER.length) };
  if (isRedisUrl(text)) return { kind: "redis", address: readRedisUrl(text) };
  if (/^jsons?:/.test(text)) return { kind: "json", address: readJsonUrl(text) };
  throw new InvalidArgumentError("Expected redis://host:port, json://host:port, or sql: and a folder.");
}

async function importFrom(origin: Origin, flags: ImportFlags): Promise<void> {
  const db = flags.db ?? (origin.kind === "redis" ? origin.address.db : 0);
  if (flags.replicate && origin.kind !== "redis")
    throw new DbsyncError("bad-option", "--replicate works only with a Redis: import from redis://host:port");
  if (flags.cutOver !== undefined && !flags.replicate)
    throw new DbsyncError("bad-option", "--cut-over ends --replicate: add --replicate");

  const settings = readSettings({ timeout: COMMAND_MS, ...flags, db });
  await waitUntilWritable(settings);
  const { client } = openFrom(settings);
  const send: SendToAll = (command) => client.call(command, { policy: "all" });

  if (origin.kind === "folder") {
    const { importFolder } = await sqlFoldersOf(Object.values(faces));
    await importFolder(origin.folder, send, flags.replace);
  } else if (origin.kind === "json")
    await copyFromJsonServer(withLoadedAuthorities(origin.address, flags.ca), send, flags.replace);
  else {
    const { server, db: from } = origin.address;
    const address = { server: withLoadedAuthorities(server, flags.ca), db: from };
    if (!flags.replicate) return await importRedis(address, send, flags.replace);
    const { query } = await oneDaemon(settings);
    const quietMs = flags.cutOver === undefined ? null : flags.cutOver * 1000;
    await replicateRedis(address, { send, query }, { replace: flags.replace ?? false, quietMs });
  }
}

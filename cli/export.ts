/** `dbsync export`: writes keys to a file, as commands or JSON, or tables to a data folder of the earlier SQL server. */
import { type Command, InvalidArgumentError } from "commander";
import { type ExportForm, exportKeys } from "./redis/export-keys.js";
import { warnIfCatchingUp } from "./shared/catching-up.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./shared/client-options.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { oneDaemon } from "./shared/one-daemon.js";
import { typedAsking } from "./shared/typed-asking.js";
import { exportFolder } from "./sql/export-folder.js";

/** Time limit for a page of rows, in milliseconds. */
const COMMAND_MS = 20_000;
const TO = /^(resp|json|sql):(.+)$/s;

interface Target {
  readonly form: ExportForm | "sql";
  readonly path: string;
}

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("write keys as a file of commands or of JSON, or tables as an SQL server's data folder");
  addDatabaseOption(addClientOptions(command, COMMAND_MS))
    .argument(
      "<to>",
      "resp:FILE, commands as redis-cli --pipe takes them; json:FILE, a line a key; sql:DIR, a folder. None may be there yet; resp:- and " +
        "json:- are standard output",
      readTarget,
    )
    .addHelpText(
      "after",
      `
Keys are those of one database (--db), from the first daemon of the list that answers, each as it is at the moment that it is read. Keys that only dbsync has (documents, tables, collections) are named and left out. In JSON a hash is a list of
fields and values, a sorted set one of members and scores; bytes that are no text are {"base64": …}; "expires" is milliseconds since 1970.

sql:DIR: each table is read as it was at one moment, and read again if it is changed meanwhile. What the earlier
server cannot keep (views that name columns, keys and unique columns, dates) is reported. The key must be allowed to read all keys.

The file or folder is there when it is whole. Of a daemon that is catching up it is made all the same, with a warning on standard error: what has not come yet is missing in it.

Examples:
  dbsync export resp:keys.resp -k private.pem && redis-cli --pipe < keys.resp
  dbsync export json:- --db 2 -k private.pem | jq .key
  dbsync export sql:/var/lib/dirk/data -k private.pem
${exitCodeHelp("the file or folder is there already, something is left out, or no daemon answered")}`,
    )
    .action(exportTo);
}

/** @throws InvalidArgumentError */
function readTarget(text: string): Target {
  const [, form, path] = TO.exec(text) ?? [];
  if (form !== undefined && path !== undefined) return { form: form as Target["form"], path };
  throw new InvalidArgumentError("Allowed: resp: or json: and a file, sql: and a folder.");
}

async function exportTo({ form, path }: Target, flags: ClientFlags): Promise<void> {
  const settings = readSettings({ timeout: COMMAND_MS, ...flags });
  if (form !== "sql") {
    const { ask, server } = await oneDaemon(settings);
    await warnIfCatchingUp([server], "keys");
    await exportKeys(form, path, { ask, db: flags.db ?? 0 });
    return;
  }
  const { client } = openFrom(settings);
  await warnIfCatchingUp(settings.servers, "tables and rows");
  const tell = (note: string) => void process.stderr.write(`dbsync: ${note}\n`);
  await exportFolder(path, typedAsking(client, settings), tell);
}

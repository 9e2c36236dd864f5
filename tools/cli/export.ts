/**
 * `dbsync export`: writes keys to a file, as commands or JSON, or tables to a data folder for the earlier SQL server.
 */
import { type Command, InvalidArgumentError } from "commander";
import * as faces from "./faces.js";
import { type ExportForm, exportKeys } from "./redis/export-keys.js";
import { sqlFoldersOf } from "./shared/cli-face.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./shared/client-options.js";
import { warnIfCatchingUp } from "./shared/daemon-readiness.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { printNotice } from "./shared/output.js";
import { oneDaemon, typedRequests } from "./shared/requests.js";

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
    .description(
      "write keys to a file, as commands or as JSON, or tables to a data folder for the earlier SQL server",
    );
  addDatabaseOption(addClientOptions(command, COMMAND_MS))
    .argument(
      "<to>",
      "resp:FILE for commands that redis-cli --pipe accepts; json:FILE for JSON with one key per line; sql:DIR for a folder. The file or folder must not exist yet. " +
        "resp:- and json:- write to standard output",
      readTarget,
    )
    .addHelpText(
      "after",
      `
resp: and json: export the keys of one database (--db) from the first daemon of the list that answers. Each key is exported with its value
at the moment of reading. Keys of types that only dbsync has (documents, tables, collections) are reported and left out. In JSON, a hash is a
list of fields and values, and a sorted set is a list of members and scores. Bytes that are not text are {"base64": …}; "expires" is in
milliseconds since 1970.

sql: exports all tables. Each table is exported as of one moment: if a table changes during the export, the export reads it again. Features
that the earlier server does not have (views that name columns, primary keys and unique columns, dates) are reported. Your key must have
permission to read all keys.

The file or folder appears only when it is complete. If the daemon is catching up, the export warns on standard error: writes that the daemon
has not received yet are missing.

Examples:
  dbsync export resp:keys.resp -k private.pem && redis-cli --pipe < keys.resp
  dbsync export json:- --db 2 -k private.pem | jq .key
  dbsync export sql:/var/lib/dirk/data -k private.pem
${exitCodeHelp("the file or folder already exists, something was left out, or no daemon answered")}`,
    )
    .action(exportTo);
}

/** @throws InvalidArgumentError */
function readTarget(text: string): Target {
  const [, form, path] = TO.exec(text) ?? [];
  if (form !== undefined && path !== undefined) return { form: form as Target["form"], path };
  throw new InvalidArgumentError("Expected resp: or json: and a file, or sql: and a folder.");
}

async function exportTo({ form, path }: Target, flags: ClientFlags): Promise<void> {
  const settings = readSettings({ timeout: COMMAND_MS, ...flags });
  if (form !== "sql") {
    const { query, server } = await oneDaemon(settings);
    await warnIfCatchingUp([server], "keys");
    await exportKeys(form, path, { query, db: flags.db ?? 0 });
    return;
  }

  const { exportFolder } = await sqlFoldersOf(Object.values(faces));
  const { client } = openFrom(settings);
  await warnIfCatchingUp(settings.servers, "tables and rows");
  const report = (note: string) => void printNotice(note);
  await exportFolder(path, typedRequests(client, settings), report);
}

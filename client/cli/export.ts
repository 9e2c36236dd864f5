/** `dbsync export`: writes the daemons' databases as the data folder of the earlier SQL server. */
import { type Command, InvalidArgumentError } from "commander";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "./shared/client-options.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { typedAsking } from "./shared/typed-asking.js";
import { exportFolder } from "./sql/export-folder.js";

/** For a page of rows. */
const COMMAND_MS = 20_000;
/** Before the folder's path. */
const FOLDER = "sql:";

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("write the databases of SQL as the data folder of the earlier SQL server");
  addClientOptions(command, COMMAND_MS)
    .argument("<to>", "sql:DIR, a folder that is not there yet, or empty", readFolder)
    .addHelpText(
      "after",
      `
Each table is read as it was at one moment, and begun anew if it is changed meanwhile. The folder is there when it is whole. What the earlier
server cannot keep (views that name columns, keys and unique columns, dates) is told. The key must be allowed to read all keys.

Examples:
  dbsync export sql:/var/lib/dirk/data -k private.pem
${exitCodeHelp("the folder is not empty, or no daemon answered")}`,
    )
    .action(exportTo);
}

/** @throws InvalidArgumentError */
function readFolder(text: string): string {
  if (text.startsWith(FOLDER) && text.length > FOLDER.length) return text.slice(FOLDER.length);
  throw new InvalidArgumentError("Allowed: sql: and a folder.");
}

async function exportTo(folder: string, flags: ClientFlags): Promise<void> {
  const settings = readSettings({ timeout: COMMAND_MS, ...flags });
  const { client } = openFrom(settings);
  const tell = (note: string) => void process.stderr.write(`dbsync: ${note}\n`);
  await exportFolder(folder, typedAsking(client, settings), tell);
}

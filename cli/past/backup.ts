/** `dbsync backup`: writes everything that a daemon has recorded to one file; the daemon may be running. */
import type { Command } from "commander";
import type { BackupReport } from "../folder/backups.js";
import { formatDate } from "../shared/dates.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { addFolderOption, type FolderFlags } from "../shared/folder-options.js";
import { JSON_FLAG, printJson, printLine } from "../shared/output.js";

interface BackupFlags extends FolderFlags {
  readonly json?: boolean;
  readonly incomplete?: boolean;
}

const MEBIBYTE = 1_048_576;

export function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description("write what a daemon has recorded to one file; the daemon may run");
  addFolderOption(command)
    .argument("<file>", "that is not there yet")
    .option(
      "--incomplete",
      "also if the daemon is catching up, so that entries may be missing; the file says so",
    )
    .option(JSON_FLAG, "print JSON: what was made")
    .addHelpText(
      "after",
      `
Run it on the daemon's machine, as its user or as root. It reads the folder, and changes nothing in it. The file has every command as it was
signed, of one moment, and so the past as well; it does not contain the daemon's own key. The file appears when it is complete, and was read back. Keep it as you keep the data: mode 0600.

  dbsync log verify --backup FILE   checks it: every byte, id and signature, and shows the state's SHA-256
  dbsync restore FILE               makes a data folder of it, or gives single keys back

Examples:
  dbsync backup --data /var/lib/dbsyncd /backup/monday.dbsync
  dbsync backup --config /etc/dbsync/dbsyncd.toml /backup/$(date +%F).dbsync
${exitCodeHelp("the file is there already, the daemon is catching up (--incomplete), or the folder cannot be read or is damaged")}`,
    )
    .action(backup);
}

async function backup(file: string, { json, incomplete = false, ...flags }: BackupFlags): Promise<void> {
  const { backUp } = await import("../folder/backups.js");
  const report = await backUp(file, incomplete, flags);
  if (json) printJson(report);
  else for (const line of linesOf(report)) printLine(line);
}

function linesOf({ file, bytes, entries, last, snapshots, seal, incomplete }: BackupReport): string[] {
  const upTo = last === null ? "" : ` up to ${formatDate(last)}`;
  const from = snapshots.length === 0 ? "" : `, snapshots: ${snapshots.length}`;
  return [
    `${file}: ${entries} entries${upTo}${from}, ${(bytes / MEBIBYTE).toFixed(1)} MiB`,
    `seal ${seal}`,
    ...(incomplete ? ["incomplete: its daemon was catching up, so entries may be missing"] : []),
  ];
}

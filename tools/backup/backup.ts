/** `dbsync backup`: writes one file with everything that a daemon has recorded. The daemon may be running. */
import type { Command } from "commander";
import type { BackupReport } from "../cli/folder/backups.js";
import { formatDate } from "../cli/shared/date-text.js";
import { exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addFolderOption, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson, printLine } from "../cli/shared/output.js";

interface BackupFlags extends FolderFlags {
  readonly json?: boolean;
  readonly incomplete?: boolean;
}

const MEBIBYTE = 1_048_576;

export function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description("write everything that a daemon has recorded to one file; the daemon may be running");
  addFolderOption(command)
    .argument("<file>", "the new file, which must not exist yet")
    .option("--incomplete", "make a backup even if the daemon is catching up; it is marked as incomplete")
    .option(JSON_FLAG, "print a description of the backup as JSON")
    .addHelpText(
      "after",
      `
Run it on the daemon's machine, as the daemon's user or as root. It only reads the folder. The file contains all recorded commands with their
signatures, up to one moment, and therefore the history too. It does not contain the daemon's own key. The file appears only when it is complete
and has been read back. Protect it like the data; its mode is 0600.

  dbsync log verify --backup FILE   checks every byte, id and signature, and prints the SHA-256 of the state
  dbsync restore FILE               restores it as a data folder, or restores single keys

Examples:
  dbsync backup --data /var/lib/dbsyncd /backup/monday.dbsync
  dbsync backup --config /etc/dbsync/dbsyncd.toml /backup/$(date +%F).dbsync
${exitCodeHelp("the file already exists, the daemon is catching up (--incomplete), or the folder cannot be read or is damaged")}`,
    )
    .action(backup);
}

async function backup(file: string, { json, incomplete = false, ...flags }: BackupFlags): Promise<void> {
  const { backUpDataFolder } = await import("../cli/folder/backups.js");
  const report = await backUpDataFolder(file, incomplete, flags);
  if (json) printJson(report);
  else for (const line of linesOf(report)) printLine(line);
}

function linesOf({ file, bytes, entries, last, snapshots, seal, incomplete }: BackupReport): string[] {
  const upTo = last === null ? "" : ` up to ${formatDate(last)}`;
  const from = snapshots.length === 0 ? "" : `, snapshots: ${snapshots.length}`;
  return [
    `${file}: ${entries} entries${upTo}${from}, ${(bytes / MEBIBYTE).toFixed(1)} MiB`,
    `seal ${seal}`,
    ...(incomplete ? ["incomplete: the daemon was catching up, so entries may be missing"] : []),
  ];
}

/** `dbsync restore`: restores a backup as a data folder, or sends some of its keys to daemons as signed commands. */
import type { Command } from "commander";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { shownLines } from "../../daemon/net/terminal/terminal-text.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "../cli/shared/client-options.js";
import { formatDate, parsePastDate } from "../cli/shared/date-text.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addFolderOptions, type FolderFlags } from "../cli/shared/folder-options.js";
import { firstLines, printLine } from "../cli/shared/output.js";

type RestoreFlags = FolderFlags &
  ClientFlags & {
    readonly at?: string;
    readonly only?: string;
    readonly prefix?: string;
    readonly replace?: boolean;
  };

const COMMAND_MS = 20_000;

export function addRestore(program: Command): void {
  const command = program
    .command("restore")
    .description("restore a backup as a data folder, or restore some of its keys");
  addDatabaseOption(addClientOptions(addFolderOptions(command), COMMAND_MS))
    .argument("<file>", "a file made by dbsync backup")
    .option(
      "--at <date>",
      "restore the state at this date: -2h, 2027-01-31, 2027-01-31T12:00Z (default: the state at the time of the backup)",
    )
    .option("--only <key>", "restore only this key, by a signed command to the daemons (-s)")
    .option("--prefix <text>", 'restore all keys that begin with this text; "": all keys of the database')
    .option("--replace", "overwrite keys that the daemons have (default: leave them unchanged)")
    .addHelpText(
      "after",
      `
As a folder: --data names a folder that does not exist yet or is empty. No daemon is contacted. Restore the backup in the same way on each machine of the
cluster, and start the daemons with these folders and with the key options of the daemon that made the backup. A daemon with an empty folder might not accept
from a restored one what the members had decided. A restored daemon is a new member with a new key. As long as any daemon of the cluster has later entries, the
restored daemons receive them, even with --at.

As keys: use --only or --prefix. The backup is folded, which needs as much memory as a daemon with that data, and the daemon's public keys (--sign-key
and --root-key, or --config). Then a RESTORE, signed with -k, is sent for each key. Keys that have expired since are left out. Documents, tables and
collections cannot be restored as keys. Restore the backup as a folder on another machine, start a daemon there, and copy them from it.

Examples:
  dbsync restore monday.dbsync --data /var/lib/dbsyncd
  dbsync restore monday.dbsync --data /srv/sunday --at 2027-01-31T12:00Z
  dbsync restore monday.dbsync --only cart:17 --sign-key public.pem --root-key root-public.pem -k private.pem
  dbsync restore monday.dbsync --prefix cart: --at -2h --replace --config /etc/dbsync/dbsyncd.toml -k private.pem
${exitCodeHelp("the backup is damaged, the folder is not empty, a key already exists or is not in the backup, or no daemon answered")}`,
    )
    .action(restore);
}

async function restore(file: string, flags: RestoreFlags): Promise<void> {
  const { at: date, only, prefix } = flags;
  const now = realEnvironment.wallClock();
  const at = date === undefined ? null : parsePastDate(date, { option: "--at", now, end: false });
  if (only !== undefined && prefix !== undefined)
    throw new DbsyncError("bad-option", "--only and --prefix cannot be used together");
  // The wrong name of the file is reported first, because the other options cannot correct it.
  const { requireBackup } = await import("../cli/folder/backups.js");
  await requireBackup(file);
  if (only === undefined && prefix === undefined) await restoreFolder(file, at, flags);
  else await restoreKeys(file, at, flags);
}

async function restoreFolder(file: string, at: number | null, flags: RestoreFlags): Promise<void> {
  const backups = await import("../cli/folder/backups.js");
  const { last, incomplete = false } = await backups.restoreFolder(file, at, flags);
  const upTo = at ?? last;
  printLine(
    `restored${upTo === null ? "" : `, as of ${formatDate(upTo)}`}: start a daemon with this folder and the original key options, and restore the ` +
      "backup on the other machines of its cluster, too",
  );
  if (incomplete) printLine(INCOMPLETE);
}

const INCOMPLETE =
  "incomplete: the daemon was catching up when this backup was made, so entries may be missing: prefer another backup or an existing data folder";

async function restoreKeys(file: string, at: number | null, flags: RestoreFlags): Promise<void> {
  const { only, prefix = "", replace = false, db = 0 } = flags;
  const { client } = openFrom(readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS }));

  const exact = only === undefined ? null : bytesOfText(only);
  const start = bytesOfText(prefix);
  const isWanted =
    exact === null ? (key: ByteString) => key.startsWith(start) : (key: ByteString) => key === exact;
  const tally = { restored: 0, existing: 0, expired: 0, failed: [] as string[] };

  const backups = await import("../cli/folder/backups.js");
  await backups.restoreKeys({ file, at, db, isWanted }, flags, async ({ key, expires, payload, problem }) => {
    if (payload === null) tally.failed.push(`  ${JSON.stringify(textOfBytes(key))}: ${problem ?? ""}`);
    else if (expires > 0 && expires <= realEnvironment.wallClock()) tally.expired++;
    else {
      const [name, value] = [key, payload].map((bytes) => Buffer.from(bytes, "latin1")) as [Buffer, Buffer];
      const command = ["RESTORE", name, String(expires), value, "ABSTTL", ...(replace ? ["REPLACE"] : [])];
      try {
        await client.call(command, { policy: "all" });
        tally.restored++;
      } catch (error) {
        if (!(error instanceof DbsyncError) || !error.message.includes("BUSYKEY")) throw error;
        tally.existing++;
      }
    }
  });

  report(tally);
}

function report(tally: {
  restored: number;
  existing: number;
  expired: number;
  failed: readonly string[];
}): void {
  const { restored, existing, expired, failed } = tally;
  const keys = (count: number) => `${count} ${count === 1 ? "key" : "keys"}`;

  printLine(`${keys(restored)} restored`);
  if (expired > 0)
    printLine(`${keys(expired)} left out, because ${expired === 1 ? "it has" : "they have"} expired since`);
  if (existing > 0)
    printLine(
      `${keys(existing)} not restored, because the daemons have ${existing === 1 ? "it" : "them"} (--replace overwrites)`,
    );
  if (failed.length > 0)
    printLine(shownLines(`${keys(failed.length)} could not be restored:\n${firstLines(failed)}`));
  if (restored + existing + expired + failed.length === 0) printLine("the backup contains no such key");
  if (restored + expired === 0 || existing + failed.length > 0) process.exitCode = EXIT.failed;
}

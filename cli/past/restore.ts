/** `dbsync restore`: restores a backup as a data folder, or sends keys of it to daemons as signed commands. */
import type { Command } from "commander";
import { realEnvironment } from "../../client/shared/environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { shownLines } from "../../net/terminal/shown-text.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "../shared/client-options.js";
import { formatDate, parsePastDate } from "../shared/dates.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { addFolderOptions, type FolderFlags } from "../shared/folder-options.js";
import { printLine } from "../shared/output.js";

type RestoreFlags = FolderFlags &
  ClientFlags & {
    readonly at?: string;
    readonly only?: string;
    readonly prefix?: string;
    readonly replace?: boolean;
  };

const COMMAND_MS = 20_000;
const NAMED_MAX = 10;

export function addRestore(program: Command): void {
  const command = program.command("restore").description("restore a backup as a data folder, or keys of it");
  addDatabaseOption(addClientOptions(addFolderOptions(command), COMMAND_MS))
    .argument("<file>", "that dbsync backup has made")
    .option(
      "--at <date>",
      "as it was then: -2h, 2027-01-31, 2027-01-31T12:00Z (default: as it was at the backup)",
    )
    .option("--only <key>", "give back this key alone, to the daemons (-s), as signed commands")
    .option("--prefix <text>", 'give back all keys that begin so; "": all keys of the database')
    .option("--replace", "keys that the daemons have are overwritten; without it they stay as they are")
    .addHelpText(
      "after",
      `
A folder: --data names one that is not there yet, or empty, and no daemon is asked. Start a daemon with it, with the keys that the one of the backup was begun
with, and the remaining ones of its cluster with empty folders: it is a new daemon, with a key of its own. While any daemon of the cluster has what came after the
backup, it gets that from there, --at or not.

Keys: --only or --prefix. The backup is folded once, which takes memory as a daemon with that data does, and needs the daemon's public keys
(--sign-key and --root-key, or --config); then each key is a signed RESTORE, with -k. A key that has expired since is left out. Documents, tables and
collections have no such form: restore the folder elsewhere, and take them from there.

Examples:
  dbsync restore monday.dbsync --data /var/lib/dbsyncd
  dbsync restore monday.dbsync --data /srv/sunday --at 2027-01-31T12:00Z
  dbsync restore monday.dbsync --only cart:17 --sign-key public.pem --root-key root-public.pem -k private.pem
  dbsync restore monday.dbsync --prefix cart: --at -2h --replace --config /etc/dbsync/dbsyncd.toml -k private.pem
${exitCodeHelp("the backup is damaged, the folder is not empty, a key is there already or was not in it, or no daemon answered")}`,
    )
    .action(restore);
}

async function restore(file: string, flags: RestoreFlags): Promise<void> {
  const { at: asked, only, prefix } = flags;
  const now = realEnvironment.wallClock();
  const at = asked === undefined ? null : parsePastDate(asked, { option: "--at", now, end: false });
  if (only !== undefined && prefix !== undefined)
    throw new DbsyncError("bad-option", "--only names one key, and --prefix many: give one of the two");
  if (only === undefined && prefix === undefined) await restoreFolder(file, at, flags);
  else await restoreKeys(file, at, flags);
}

async function restoreFolder(file: string, at: number | null, flags: RestoreFlags): Promise<void> {
  const backups = await import("../folder/backups.js");
  const { last, incomplete = false } = await backups.restoreFolder(file, at, flags);
  const upTo = at ?? last;
  printLine(
    `restored${upTo === null ? "" : `, as of ${formatDate(upTo)}`}: start a daemon with this folder and the keys it was begun with, and the remaining ones of ` +
      "its cluster with empty ones",
  );
  if (incomplete) printLine(INCOMPLETE);
}

const INCOMPLETE =
  "incomplete: the daemon of this backup was catching up when it was made, so entries may be missing: prefer another backup, or a folder that is left";

async function restoreKeys(file: string, at: number | null, flags: RestoreFlags): Promise<void> {
  const { only, prefix = "", replace = false, db = 0 } = flags;
  const { client } = openFrom(readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS }));
  const exact = only === undefined ? null : bytesOfText(only);
  const start = bytesOfText(prefix);
  const wanted =
    exact === null ? (key: ByteString) => key.startsWith(start) : (key: ByteString) => key === exact;
  const tally = { given: 0, there: 0, expired: 0, left: [] as string[] };
  const backups = await import("../folder/backups.js");
  await backups.restoreKeys({ file, at, db, wanted }, flags, async ({ key, expires, payload, left }) => {
    if (payload === null) tally.left.push(`  ${JSON.stringify(textOfBytes(key))}: ${left ?? ""}`);
    else if (expires > 0 && expires <= realEnvironment.wallClock()) tally.expired++;
    else {
      const [name, value] = [key, payload].map((bytes) => Buffer.from(bytes, "latin1")) as [Buffer, Buffer];
      const command = ["RESTORE", name, String(expires), value, "ABSTTL", ...(replace ? ["REPLACE"] : [])];
      try {
        await client.call(command, { policy: "all" });
        tally.given++;
      } catch (problem) {
        if (!(problem instanceof DbsyncError) || !problem.message.includes("BUSYKEY")) throw problem;
        tally.there++;
      }
    }
  });
  report(tally);
}

function report(tally: { given: number; there: number; expired: number; left: readonly string[] }): void {
  const { given, there, expired, left } = tally;
  const keys = (count: number) => `${count} ${count === 1 ? "key" : "keys"}`;
  printLine(`${keys(given)} given back`);
  if (expired > 0) printLine(`${keys(expired)} would have expired since`);
  if (there > 0)
    printLine(
      `${keys(there)} not given back, since the daemons have ${there === 1 ? "it" : "them"} (--replace overwrites)`,
    );
  const more = left.length > NAMED_MAX ? `\n  and ${left.length - NAMED_MAX} more` : "";
  if (left.length > 0)
    printLine(
      shownLines(
        `${keys(left.length)} could not be restored:\n${left.slice(0, NAMED_MAX).join("\n")}${more}`,
      ),
    );
  if (given + there + expired + left.length === 0) printLine("no such key is in it");
  if (given + expired === 0 || there + left.length > 0) process.exitCode = EXIT.failed;
}

/** `dbsync log verify`: checks the data folder of a daemon, which may be running, or a backup. */
import type { Command } from "commander";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { addKeyOptions, type FolderFlags } from "../shared/folder-options.js";
import { JSON_FLAG, printJson } from "../shared/output.js";

interface VerifyFlags extends FolderFlags {
  readonly backup?: string;
  readonly json?: boolean;
}

export function addLogVerify(log: Command): void {
  const command = log
    .command("verify")
    .description(
      "check a data folder or a backup, and change nothing: every byte, id and signature, and the states they make",
    )
    .option("--data <folder>", "the folder (default: DBSYNCD_DATA, or the configuration's)")
    .option("--backup <file>", "a file of dbsync backup instead");
  addKeyOptions(command, "-s, --sign-key <file>")
    .option(JSON_FLAG, "print JSON: what was counted, and the faults")
    .addHelpText(
      "after",
      `
Nothing in the folder is changed, nor opened for writing. Its daemon may run: then what was there at the beginning is checked. The
line "seen" says how far the log goes that was looked at, "not known" what cannot be known, and "state" has the SHA-256 of the state:
daemons that hold the same commands show the same. A copy that is older as a whole is not found out: compare "seen" and "state".

Examples:
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem --root-key root-public.pem
  dbsync log verify --backup monday.dbsync --sign-key public.pem --root-key root-public.pem
  dbsync log verify --config /etc/dbsync/dbsyncd.toml --json
${exitCodeHelp("something is wrong in the folder")}
  4  the folder could not be checked: it cannot be read, or there is none`,
    )
    .action(verify);
}

async function verify(_: unknown, command: Command): Promise<void> {
  // An option that both have, such as --json, may come before or after the word verify.
  const { backup, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
  const { verify: check } = await import("../folder/verification.js");
  const report = await check(flags, backup);
  if (report.faultCount > 0) process.exitCode = EXIT.failed;
  if (json) return printJson(report);
  const { describeVerification } = await import("../folder/verification-report.js");
  process.stdout.write(describeVerification(report));
}

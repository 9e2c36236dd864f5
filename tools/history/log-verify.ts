/** `dbsync log verify`: checks a backup, or the data folder of a daemon that may be running. */
import type { Command } from "commander";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addKeyOptions, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson } from "../cli/shared/output.js";

interface VerifyFlags extends FolderFlags {
  readonly backup?: string;
  readonly json?: boolean;
}

export function addLogVerify(log: Command): void {
  const command = log
    .command("verify")
    .description(
      "check a data folder or a backup without changing it: every byte, id and signature, and the resulting states",
    )
    .option("--data <folder>", "the folder (default: DBSYNCD_DATA, or the folder in the configuration file)")
    .option("--backup <file>", "a file made by dbsync backup, instead of a folder");
  addKeyOptions(command, "-s, --sign-key <file>")
    .option(JSON_FLAG, "print the counts and the faults as JSON")
    .addHelpText(
      "after",
      `
The check opens no file for writing. The daemon may be running; the check then covers the entries that existed when it began. The line
"read" shows how far the log was read, "unchecked" lists what could not be checked, and "state" is the SHA-256 of the state, which is the
same on all daemons with the same commands. The check cannot detect that a complete folder was replaced by an older copy: for that,
compare "read" and "state".

Examples:
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem --root-key root-public.pem
  dbsync log verify --backup monday.dbsync --sign-key public.pem --root-key root-public.pem
  dbsync log verify --config /etc/dbsync/dbsyncd.toml --json
${exitCodeHelp("the folder or backup has faults")}
  4  the folder could not be checked: it does not exist or cannot be read`,
    )
    .action(verify);
}

async function verify(_: unknown, command: Command): Promise<void> {
  // An option that both log and verify have, such as --json, may come before or after the word verify.
  const { backup, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
  const { verify: check } = await import("../cli/folder/verification.js");
  const report = await check(flags, backup);
  if (report.faultCount > 0) process.exitCode = EXIT.failed;
  if (json) return printJson(report);
  const { describeVerification } = await import("../cli/folder/verification-report.js");
  process.stdout.write(describeVerification(report));
}

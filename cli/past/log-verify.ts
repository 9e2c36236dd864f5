/**
 * `dbsync log verify`: checks the data folder of a daemon, which may run meanwhile. The daemon's own program does it, as a
 * child process, since the client has no store.
 */
import { spawn } from "node:child_process";
import { type Command, Option } from "commander";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG } from "../shared/output.js";
import { type FolderFlags, folderProgram, folderWords } from "./folder-program.js";

const PROGRAM = new URL("../../daemon/verify-main.js", import.meta.url);

interface VerifyFlags extends FolderFlags {
  readonly backup?: string;
  readonly json?: boolean;
}

export function addLogVerify(log: Command): void {
  const append = (text: string, before: readonly string[] = []) => [...before, text];
  log
    .command("verify")
    .description(
      "check a data folder or a backup, and change nothing: every byte, id and signature, and the states they make",
    )
    .option("--data <folder>", "the folder (default: DBSYNCD_DATA, or the configuration's)")
    .option("--backup <file>", "a file of dbsync backup instead")
    .addOption(
      new Option(
        "-s, --sign-key <file>",
        "public key that its daemon is started with (repeatable)",
      ).argParser(append),
    )
    .addOption(new Option("--root-key <file>", "administrator's public key, likewise").argParser(append))
    .option("--cluster-name <text>", "as its daemon's")
    .option("--config <file>", "its daemon's configuration file, instead of all these")
    .option(JSON_FLAG, "print JSON: what was counted, and the faults")
    .addHelpText(
      "after",
      `
Nothing in the folder is changed, nor opened for writing. Its daemon may run: then what was there at the beginning is checked. The
line "seen" says how far the log goes that was looked at, "not told" what cannot be known, and "state" has the SHA-256 of the state:
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

/** The child says everything, and its exit code is ours. */
async function verify(_: unknown, command: Command): Promise<void> {
  // An option that both have, such as --json, may stand before or behind the word verify.
  const { backup, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
  const words = [
    ...folderWords(flags),
    ...(backup === undefined ? [] : ["--backup", backup]),
    ...(json ? [JSON_FLAG] : []),
  ];
  const child = spawn(process.execPath, [folderProgram(PROGRAM), ...words], { stdio: "inherit" });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? EXIT.unchecked));
  });
}

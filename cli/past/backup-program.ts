/** Starts the daemon's own program that makes backups and reads them, since the client has no store. */
import { type Command, Option } from "commander";
import { type FolderFlags, talkTo } from "./folder-program.js";

const PROGRAM = new URL("../../daemon/backup-main.js", import.meta.url);

export function addFolderOptions(command: Command): Command {
  const append = (text: string, before: readonly string[] = []) => [...before, text];
  return command
    .option("--data <folder>", "the daemon's folder (default: DBSYNCD_DATA, or the configuration's)")
    .addOption(
      new Option("--sign-key <file>", "public key that its daemon is started with (repeatable)").argParser(
        append,
      ),
    )
    .addOption(new Option("--root-key <file>", "administrator's public key, likewise").argParser(append))
    .option("--cluster-name <text>", "as its daemon's")
    .option("--config <file>", "its daemon's configuration file, instead of all these");
}

/** Runs a task. @returns its answers, as they come @throws ProgramFailure @throws DbsyncError  this package has no daemon in it */
export function runProgram(task: object, flags: FolderFlags): AsyncGenerator<unknown> {
  return talkTo(PROGRAM, task, flags).lines;
}

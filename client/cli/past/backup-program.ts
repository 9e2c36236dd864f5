/** Starts the daemon's own program that makes backups and reads them, since the client has no store. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Command, Option } from "commander";
import { EXIT } from "../shared/exit-codes.js";
import { type FolderFlags, folderProgram, folderWords } from "./folder-program.js";

const PROGRAM = new URL("../../../daemon/backup-main.js", import.meta.url);

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

/** It has said on standard error what is wrong. */
export class ProgramFailure extends Error {
  override readonly name = "ProgramFailure";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("the program has said what is wrong");
    this.exitCode = exitCode;
  }
}

/** Runs a task. @returns its answers, as they come @throws ProgramFailure @throws DbsyncError  this package has no daemon in it */
export async function* runProgram(task: object, flags: FolderFlags): AsyncGenerator<unknown> {
  const child = spawn(
    process.execPath,
    [folderProgram(PROGRAM), JSON.stringify(task), ...folderWords(flags)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? EXIT.failed));
  });
  // Told below.
  ended.catch(() => {});
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as unknown;
    const code = await ended;
    if (code !== EXIT.ok) throw new ProgramFailure(code);
  } finally {
    child.kill();
  }
}

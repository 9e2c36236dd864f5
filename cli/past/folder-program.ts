/** The daemon's own programs that look into its folder: the client has no store. They take the daemon's options. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { DbsyncError } from "../../client/shared/errors.js";
import { EXIT } from "../shared/exit-codes.js";

/** The daemon's options that say which folder is meant, and which keys it was begun with. */
export interface FolderFlags {
  readonly data?: string;
  readonly signKey?: readonly string[];
  readonly rootKey?: readonly string[];
  readonly clusterName?: string;
  readonly config?: string;
}

/** @returns its path @throws DbsyncError  this package has no daemon in it */
export function folderProgram(url: URL): string {
  const path = fileURLToPath(url);
  if (existsSync(path)) return path;
  throw new DbsyncError(
    "bad-command",
    "only the dbsync of the package dbsyncd can read a daemon's folder or a backup: npm install dbsyncd",
  );
}

/** The flags as words, in the way the daemon takes them. */
export function folderWords({
  data,
  signKey = [],
  rootKey = [],
  clusterName,
  config,
}: FolderFlags): string[] {
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    ...option("--data", data),
    ...signKey.flatMap((file) => ["--sign-key", file]),
    ...rootKey.flatMap((file) => ["--root-key", file]),
    ...option("--cluster-name", clusterName),
    ...option("--config", config),
  ];
}

/** For what needs no keys. */
export function addFolderOption(command: Command): Command {
  return command
    .option("--data <folder>", "the daemon's folder (default: DBSYNCD_DATA, or the configuration's)")
    .option("--config <file>", "its daemon's configuration file, instead");
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

/** A program that runs. */
export interface Talk {
  /** What it says, as it comes. @throws ProgramFailure */
  readonly lines: AsyncGenerator<unknown>;
  /** Of one that asks. */
  readonly answer: (line: object) => void;
}

/** Starts a program, whose first word is the task, as JSON. @throws DbsyncError  this package has no daemon in it */
export function talkTo(program: URL, task: object, flags: FolderFlags): Talk {
  const words = [folderProgram(program), JSON.stringify(task), ...folderWords(flags)];
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  // One that has ended is told of below.
  child.stdin.on("error", () => {});
  return { lines: linesOf(child), answer: (line) => void child.stdin.write(`${JSON.stringify(line)}\n`) };
}

async function* linesOf(child: ChildProcessByStdio<Writable, Readable, null>): AsyncGenerator<unknown> {
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

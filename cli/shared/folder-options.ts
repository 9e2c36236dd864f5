/** The daemon's options that name its folder, for subcommands that read one. */
import { type Command, Option } from "commander";

/** Options that name a data folder, and the keys that it was created with. */
export interface FolderFlags {
  readonly data?: string;
  readonly signKey?: readonly string[];
  readonly rootKey?: readonly string[];
  readonly clusterName?: string;
  readonly config?: string;
}

/** Adds the option of the folder alone, for subcommands that need no keys. */
export function addFolderOption(command: Command): Command {
  return command
    .option("--data <folder>", "the daemon's folder (default: DBSYNCD_DATA, or the configuration's)")
    .option("--config <file>", "its daemon's configuration file, instead");
}

export function addFolderOptions(command: Command): Command {
  return addKeyOptions(
    command.option("--data <folder>", "the daemon's folder (default: DBSYNCD_DATA, or the configuration's)"),
    "--sign-key <file>",
  );
}

/** @param signKey  the flags of the first */
export function addKeyOptions(command: Command, signKey: string): Command {
  const append = (text: string, before: readonly string[] = []) => [...before, text];
  return command
    .addOption(
      new Option(signKey, "public key that its daemon is started with (repeatable)").argParser(append),
    )
    .addOption(new Option("--root-key <file>", "administrator's public key, likewise").argParser(append))
    .option("--cluster-name <text>", "as its daemon's")
    .option("--config <file>", "its daemon's configuration file, instead of all these");
}

/** Options of subcommands that read a daemon's data folder; they have the same names as the daemon's options. */
import { type Command, Option } from "commander";

/** The options that name a data folder and the keys with which its daemon runs. */
export interface FolderFlags {
  readonly data?: string;
  readonly signKey?: readonly string[];
  readonly rootKey?: readonly string[];
  readonly clusterName?: string;
  readonly config?: string;
}

/** Adds only the options for the folder, for subcommands that need no keys. */
export const addFolderOption = (command: Command): Command =>
  addDataOption(command).option("--config <file>", "the daemon's configuration file, instead of --data");

export const addFolderOptions = (command: Command): Command =>
  addKeyOptions(addDataOption(command), "--sign-key <file>");

const addDataOption = (command: Command): Command =>
  command.option(
    "--data <folder>",
    "the daemon's data folder (default: DBSYNCD_DATA, or the folder in the configuration file)",
  );

/** Adds the options for keys. @param signKey  the flags of the option for signing keys */
export function addKeyOptions(command: Command, signKey: string): Command {
  const append = (text: string, before: readonly string[] = []) => [...before, text];
  return command
    .addOption(
      new Option(signKey, "public key with which the daemon is started; may be repeated").argParser(append),
    )
    .addOption(
      new Option(
        "--root-key <file>",
        "administrator's public key with which the daemon is started; may be repeated",
      ).argParser(append),
    )
    .option("--cluster-name <text>", "the daemon's --cluster-name")
    .option("--config <file>", "the daemon's configuration file, instead of these options");
}

/** The options that every subcommand has, and the client they ask for. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { readPassphraseFile } from "../../keys/passphrase-file.js";
import type { FanOutClient } from "../client.js";
import { openClient } from "../dbsync-send.js";
import { type Defaults, readDefaults, realPlaces } from "../defaults.js";
import { readOptions, type Settings } from "../options.js";
import type { Policy } from "../policy.js";
import type { SigningKey } from "../signing-key.js";

export interface ClientFlags {
  readonly servers?: string;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly timeout?: number;
  readonly policy?: Policy;
}

export function addClientOptions(command: Command): Command {
  return command
    .option(
      "-s, --servers <list>",
      "daemons as host:port,host:port (default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111)",
    )
    .option(
      "-k, --key <file>",
      'private key to sign with, "" for none (default: DBSYNC_SIGNKEY, dbsync.ini, none)',
    )
    .option("--passphrase-file <file>", "file whose first line opens the key")
    .addOption(
      new Option("--timeout <ms>", "give up after so long, at most 20000 (default: 3000)").argParser(
        readNumber,
      ),
    );
}

export function addPolicyOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--policy <name>",
      "first: the first good answer; all-equal: only if all daemons agree (default: first)",
    ).choices(["first", "all-equal"] satisfies Policy[]),
  );
}

/** @throws DbsyncError, KeyFileError: as the flags, the configuration or the key deserve */
export function readSettings(
  flags: ClientFlags,
  defaults: () => Defaults = () => readDefaults(realPlaces()),
): Settings {
  return readOptions(
    {
      servers: flags.servers,
      key: flags.key,
      timeout: flags.timeout,
      policy: flags.policy,
      passphrase: flags.passphraseFile === undefined ? undefined : readPassphrase(flags.passphraseFile),
    },
    defaults,
  );
}

/** Warnings about the key go to standard error. The client is not to be closed: see DELIVERY_LINGER_MS. */
export function openFrom(settings: Settings): { client: FanOutClient; key: SigningKey } {
  return openClient(settings, printWarning);
}

function readPassphrase(file: string): Buffer {
  const { passphrase, warnings } = readPassphraseFile(file);
  for (const warning of warnings) printWarning(warning);
  return passphrase;
}

function printWarning(warning: string): void {
  process.stderr.write(`dbsync: warning: ${warning}\n`);
}

function readNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Milliseconds are a whole number.");
  return Number(text);
}

/** The options of all subcommands that send commands, and the client that they configure. */
import { dirname } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { openClient, withLoadedAuthorities } from "../../../client/dbsync-send.js";
import type { OutboxClient } from "../../../client/outbox-client.js";
import { DEFAULT_TIMEOUT_MS } from "../../../client/settings/call-limits.js";
import { readOptions, type Settings } from "../../../client/settings/client-settings.js";
import { type Defaults, defaultSources, readDefaults } from "../../../client/settings/default-options.js";
import type { SigningKey } from "../../../client/settings/signing-key.js";
import type { Policy } from "../../../client/shared/policy.js";
import { readVersions, VERSIONS_ALLOWED, type Versions } from "../../../client/shared/server-list.js";
import { readPassphraseFile } from "../../../keys/key-source.js";
import { printNotice } from "./output.js";
import { defaultsOf, describeProfile, profileFor, type UsedProfile } from "./profiles.js";

export interface ClientFlags {
  readonly profile?: string;
  readonly servers?: string;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly ca?: string;
  readonly cluster?: string;
  readonly versions?: Versions;
  readonly timeout?: number;
  readonly policy?: Policy;
  readonly db?: number;
  readonly stable?: boolean;
  readonly replicated?: number;
  readonly json?: boolean;
}

export const CA_HELP =
  "authorities that may sign the certificates of servers with TLS (default: DBSYNC_CA, dbsync.ini)";

/** The heading of the options that `dbsync --help` explains for all subcommands. */
const COMMON_HEADING = "Common options of subcommands that connect to daemons:";

export const isCommonOption = ({ helpGroupHeading }: Option): boolean => helpGroupHeading === COMMON_HEADING;

/**
 * Adds the common options.
 * @param timeoutMs  the subcommand's default for --timeout
 * @param canWait    whether the subcommand also has --stable
 */
export function addClientOptions(command: Command, timeoutMs = DEFAULT_TIMEOUT_MS, canWait = false): Command {
  return command
    .optionsGroup(COMMON_HEADING)
    .option(
      "-s, --servers <list>",
      "daemons as host:port,host:port (default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111)",
    )
    .option(
      "-k, --key <file>",
      'private key that signs, "" for none (default: DBSYNC_SIGNKEY, dbsync.ini, none)',
    )
    .option(
      "--profile <name>",
      "profile with servers, pins and key, stored by dbsync profile add (default: DBSYNC_PROFILE, dbsync profile use)",
    )
    .option("--passphrase-file <file>", "file whose first line is the passphrase of the key")
    .option("--ca <file>", CA_HELP)
    .option("--cluster <hex>", "id of the cluster (default: DBSYNC_CLUSTER, dbsync.ini, ask the daemons)")
    .addOption(
      new Option(
        "--versions <list>",
        "2: sign only as version 2; 1: sign as version 1, which can be replayed; 1,2: use version 1 for daemons that reject version 2 " +
          "(default: DBSYNC_VERSIONS, dbsync.ini, 2)",
      ).argParser(readVersionsFlag),
    )
    .addOption(
      new Option(
        "--timeout <ms>",
        canWait
          ? `time limit, at most 20000, with --stable 60000 (default: ${timeoutMs}, 60000)`
          : `time limit, at most 20000 (default: ${timeoutMs})`,
      ).argParser((text) => readCount(text, "Milliseconds are")),
    )
    .optionsGroup("Options:");
}

/**
 * Refuses a second -k, in a subcommand whose users may mean a key of the database.
 * @param sentence  how to specify such a key
 */
export function refuseSecondKey(command: Command, sentence: string): void {
  const option = command.options.find(({ long }) => long === "--key");
  option?.argParser((text: string, before: string | undefined): string => {
    if (before === undefined) return text;
    throw new InvalidArgumentError(
      `The option is set twice, and names the file of your private key. ${sentence}`,
    );
  });
}

export function addPolicyOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--policy <name>",
      "first: the first successful result; majority: the result of most daemons; all, or a number: that many results; " +
        "all-equal: only if all daemons agree (default: first)",
    ).argParser(readPolicy),
  );
}

export function addDatabaseOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--db <number>",
      "number of the database (default: 0); databases other than 0 need version 2",
    ).argParser((text) => readCount(text, "A database is")),
  );
}

export function addWaitOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--stable", "wait until no other write can change the result (about 35 s)").conflicts(
        "replicated",
      ),
    )
    .addOption(
      new Option(
        "--replicated <number>",
        "wait until this number of daemons have the write on their disks",
      ).argParser((text) => readCount(text, "Daemons are")),
    );
}

/** @throws DbsyncError, KeyFileError  errors in the flags, the configuration or the key */
export function readSettings(
  flags: ClientFlags,
  defaults: () => Defaults = () => defaultsFor(flags),
): Settings {
  const { servers, key, ca, cluster, versions, timeout, policy, db, stable, replicated } = flags;
  const { passphraseFile } = flags;
  const passphrase = passphraseFile === undefined ? undefined : readPassphrase(passphraseFile);

  // dbsync.ini may request PHP's format of answers, which is only for PHP programs.
  const format = "text";
  const envelope = { db, stable, replicated };
  const options = {
    servers,
    key,
    ca,
    cluster,
    versions,
    timeout,
    policy,
    ...envelope,
    passphrase,
    format,
  } as const;
  return withLoadedAuthorities(readOptions(options, defaults));
}

let used: UsedProfile | null = null;

/** Returns the profile that names the servers, or null if they come from another source. */
export const usedProfile = (): UsedProfile | null => used;

/**
 * Returns the defaults of options, which come from the profile if one is used. Because a profile decides which daemons
 * receive commands, errors name it. Without a terminal, as in scripts, a line on standard error also names a profile
 * that only `dbsync profile use` has selected.
 * @throws DbsyncError
 */
export function defaultsFor({ servers, profile }: ClientFlags): Defaults {
  const folders = defaultSources();
  const found = profileFor(
    { ...(servers === undefined ? {} : { servers }), ...(profile === undefined ? {} : { profile }) },
    folders,
  );
  if (found === null) {
    const defaults = readDefaults(folders);
    if (servers === undefined) nameLocalServers(defaults, folders.folder);
    return defaults;
  }

  if (used === null && servers === undefined) {
    used = found;
    const announce = () => void printNotice(`using ${describeProfile(found)}`);
    if (!found.isNamed && !process.stderr.isTTY) announce();
    else process.once("exit", (code) => code !== 0 && announce());
  }
  return defaultsOf(found, folders);
}

let namesLocalServers = false;

/**
 * If the servers are from the current folder's dbsync.ini, prints its path after a failure: the file may have been
 * forgotten, and takes precedence over those in `~/.config/dbsync` and `/etc`.
 */
function nameLocalServers({ serversFrom }: Defaults, folder: string): void {
  if (namesLocalServers || dirname(serversFrom) !== folder) return;
  namesLocalServers = true;
  process.once("exit", (code) => code !== 0 && printNotice(`using the servers of ${serversFrom}`));
}

/** Opens a client. Warnings about the key go to standard error. Do not close the client: see DELIVERY_LINGER_MS. */
export function openFrom(settings: Settings): { client: OutboxClient; key: SigningKey } {
  return openClient(settings, printWarning);
}

/** Parses a whole number. @param subject  the beginning of the error's sentence, such as `Milliseconds are` */
export function readCount(text: string, subject: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError(`${subject} a whole number.`);
  return Number(text);
}

function readVersionsFlag(text: string): Versions {
  const versions = readVersions(text);
  if (versions === null) throw new InvalidArgumentError(`Allowed: ${VERSIONS_ALLOWED}.`);
  return versions;
}

function readPolicy(text: string): Policy {
  switch (text) {
    case "first":
    case "majority":
    case "all":
    case "all-equal":
      return text;
    default:
      if (/^[1-9]\d?$/.test(text)) return Number(text);
      throw new InvalidArgumentError("Allowed: first, majority, all, all-equal, or a number of daemons.");
  }
}

function readPassphrase(file: string): Buffer {
  const { passphrase, warnings } = readPassphraseFile(file);
  for (const warning of warnings) printWarning(warning);
  return passphrase;
}

function printWarning(warning: string): void {
  printNotice(`warning: ${warning}`);
}

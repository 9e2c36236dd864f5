/**
 * The daemon's options: a row each, from which help, parsing, environment variables and the configuration
 * file come. Then one look at their combinations, before anything is opened.
 */
import { Command, CommanderError, Option } from "commander";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../process/log.js";
import { StartError } from "../process/start-error.js";
import { adminOptions, adminSettingsOf, type RawAdminOptions, validateAdmin } from "./admin-options.js";
import { type BackendSpecification, parseSpecifications } from "./database-list.js";
import { DATE_WINDOW_DEFAULT, type DateWindow, formatDateWindow, parseDateWindow } from "./date-window.js";
import { limitsOf } from "./limit-values.js";
import { formatLimit, LIMITS, type LimitName, parseLimit } from "./limits.js";
import { isLoopback } from "./loopback.js";
import { memoryOptions, type RawMemoryOptions, validateMemory } from "./memory-options.js";
import { addPath, explained, parseBind, parseClusterName, parsePath, parsePort } from "./option-values.js";
import type { Settings } from "./settings.js";
import {
  hasTimeline,
  type RawTimelineOptions,
  timelineOptions,
  timelineSettingsOf,
  validateTimeline,
} from "./timeline-options.js";
import { type RawTlsOptions, refuseWithoutTls, tlsFilesOf, tlsOptions } from "./tls-options.js";
import {
  hasUserListener,
  type RawUserListenerOptions,
  userListenerOptions,
  userListenerSettingsOf,
  validateUserListeners,
} from "./user-listener-options.js";

const COMPAT_DATABASE = "redis:127.0.0.1:6379";

const EXIT_CODES = `
Exit codes: 0 stopped cleanly, 1 could not start (a port, a file), 2 usage or configuration.
Signals: TERM and INT finish what is in flight and stop; HUP reads keys and configuration again.
`;

const EXAMPLES = `
Examples:
  dbsyncd                                     in-memory database on 127.0.0.1:1111, unsigned commands
  dbsyncd -b 0.0.0.0 -s public.pem            signed commands from other machines
  dbsyncd -s public.pem --data data           keeps everything in the folder data
  dbsyncd -s public.pem --data data --cluster-secret cluster.secret --peer db2:1111 --peer db3:1111
                                              one of three daemons that end in the same state
  dbsyncd --resp 6379                         any Redis client too, on 127.0.0.1:6379
  dbsyncd --json                              JSON documents too, on 127.0.0.1:8888
  dbsyncd --compat php-dbsync                 in front of the Redis on this machine, as php-dbsync's daemon`;

const GROUPS = { cluster: "Cluster:", limits: "Limits:", admin: "Health and metrics:", log: "Log:" } as const;

/** What commander leaves: values by attribute name. */
export interface RawOptions
  extends RawTlsOptions,
    RawTimelineOptions,
    RawUserListenerOptions,
    RawMemoryOptions,
    RawAdminOptions {
  bind: string;
  port: number;
  signKey: string[];
  rootKey: string[];
  clusterName: string;
  window: DateWindow;
  require: "v1" | "v2";
  database: readonly BackendSpecification[];
  close: boolean;
  allowUnsigned: boolean;
  compat?: "php-dbsync";
  logLevel: LogLevel;
  logFormat: LogFormat;
  config?: string;
  checkConfig?: true;
  helpAll?: true;
}

export interface TableOptions {
  readonly version: string;
  /** Whether the help shows the rarer options too. */
  readonly everything: boolean;
  /** Receives help and version. */
  readonly print: (text: string) => void;
}

/** The program's options, nothing parsed yet. */
export function optionTable({ version, everything, print }: TableOptions): Command {
  const program = new Command("dbsyncd")
    .description("Takes commands of dbsync, php-dbsync, Redis and JSON clients, and applies them.")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print the common options")
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .showSuggestionAfterError(true)
    .allowExcessArguments(false);
  for (const option of mainOptions()) program.addOption(option);
  for (const option of rarerOptions()) program.addOption(everything ? option : option.hideHelp());
  return program.addHelpText("after", EXIT_CODES + EXAMPLES);
}

function mainOptions(): Option[] {
  return [
    new Option("-b, --bind <address>", "address or host name to listen on")
      .default("127.0.0.1")
      .argParser(parseBind)
      .env("DBSYNCD_BIND"),
    new Option("-p, --port <port>", "port; 0: a free one")
      .default(1111)
      .argParser(parsePort)
      .env("DBSYNCD_PORT"),
    new Option("-s, --sign-key <file>", "public key (repeatable), or folder of *.pem: signed commands only")
      .default([], "none")
      .argParser(addPath)
      .env("DBSYNCD_SIGN_KEY"),
    new Option("-d, --database <list>", "memory, or redis:host:port; several with commas between")
      .default([{ kind: "memory", name: "memory" }], "memory")
      .argParser((text: string) => explained(() => parseSpecifications(text)))
      .env("DBSYNCD_DATABASE"),
    new Option("-c, --close", "close after each answer").default(false).env("DBSYNCD_CLOSE"),
    new Option("--allow-unsigned", "without -s, listen on addresses that others can reach")
      .default(false)
      .env("DBSYNCD_ALLOW_UNSIGNED"),
    new Option("--compat <program>", `php-dbsync: -d ${COMPAT_DATABASE} --allow-unsigned`)
      .choices(["php-dbsync"])
      .env("DBSYNCD_COMPAT"),
    new Option("--config <file>", "TOML file with these options' long names")
      .argParser(parsePath)
      .env("DBSYNCD_CONFIG"),
    new Option("--check-config", "check values and files, print each value and its source, start nothing"),
    new Option("--help-all", "print all options: data and peers, other clients, TLS, limits, health, log"),
  ];
}

function clusterOptions(): Option[] {
  return [
    new Option("--root-key <file>", "public key of an administrator (repeatable), or folder of *.pem")
      .default([], "none")
      .argParser(addPath)
      .env("DBSYNCD_ROOT_KEY")
      .helpGroup(GROUPS.cluster),
    new Option("--cluster-name <text>", "with the keys, what makes daemons one cluster")
      .default("dbsync")
      .argParser(parseClusterName)
      .env("DBSYNCD_CLUSTER_NAME")
      .helpGroup(GROUPS.cluster),
    new Option("--window <past,future>", "dates of envelopes that are taken, around this daemon's clock")
      .default(DATE_WINDOW_DEFAULT, formatDateWindow(DATE_WINDOW_DEFAULT))
      .argParser((text: string) => explained(() => parseDateWindow(text)))
      .env("DBSYNCD_WINDOW")
      .helpGroup(GROUPS.cluster),
    new Option("--require <version>", "v2: version 1, which can be replayed, is refused")
      .choices(["v1", "v2"])
      .default("v1")
      .env("DBSYNCD_REQUIRE")
      .helpGroup(GROUPS.cluster),
  ];
}

function rarerOptions(): Option[] {
  const limits = Object.values(LIMITS).map((row) =>
    new Option(`--${row.flag} <${row.unit === "count" ? "number" : row.unit}>`, row.summary)
      .default(row.fallback, formatLimit(row, row.fallback))
      .argParser((text: string) => explained(() => parseLimit(row, text)))
      .env(environmentName(row.flag))
      .helpGroup(GROUPS.limits),
  );
  return [
    ...timelineOptions(),
    ...userListenerOptions(),
    ...clusterOptions(),
    ...tlsOptions(),
    ...limits,
    ...memoryOptions(GROUPS.limits),
    ...adminOptions(GROUPS.admin),
    new Option("--log-level <level>", "trace shows every frame")
      .choices([...LOG_LEVELS])
      .default("info")
      .env("DBSYNCD_LOG_LEVEL")
      .helpGroup(GROUPS.log),
    new Option("--log-format <format>", "auto: pretty on a terminal, else json")
      .choices([...LOG_FORMATS])
      .default("auto")
      .env("DBSYNCD_LOG_FORMAT")
      .helpGroup(GROUPS.log),
  ];
}

/** Parses the command line and the environment. @throws StartError  names the option and what it expects */
export function parseArguments(program: Command, argv: readonly string[], env: NodeJS.ProcessEnv): void {
  try {
    program.parse(argv, { from: "user" });
  } catch (problem) {
    if (!(problem instanceof CommanderError) || problem.exitCode === 0) throw problem;
    throw new StartError(`${problem.message.replace(/^error: /, "")}\nSee dbsyncd --help.`, 2);
  }
  // Commander takes any value of a switch's variable for yes.
  for (const option of program.options) {
    if (!option.isBoolean() || program.getOptionValueSource(option.attributeName()) !== "env") continue;
    const text = env[option.envVar ?? ""] ?? "";
    program.setOptionValueWithSource(option.attributeName(), parseSwitch(option.envVar ?? "", text), "env");
  }
}

/**
 * The configuration that the options make. @throws StartError  for combinations that make no sense, with
 * the cures
 */
export function settingsOf(program: Command): Settings {
  const raw = program.opts<RawOptions>();
  const limits = limitsOf(program);
  const compat = raw.compat ?? null;
  const chosen = (name: keyof RawOptions | LimitName) =>
    !["default", undefined].includes(program.getOptionValueSource(name));
  const database =
    compat === null || chosen("database") ? raw.database : parseSpecifications(COMPAT_DATABASE);
  const { bind, port, signKey, rootKey, close, allowUnsigned, logLevel, logFormat } = raw;
  const { clusterName, window, require } = raw;
  const settings: Settings = {
    ...{ signKey, rootKey, clusterName, window, require },
    ...{ tls: tlsFilesOf(raw), requireTls: raw.requireTls },
    ...timelineSettingsOf(raw),
    ...userListenerSettingsOf(raw),
    ...adminSettingsOf(raw),
    maxmemoryPolicy: raw.maxmemoryPolicy,
    ...{ bind, port, database, close, compat, logLevel, logFormat, limits },
    allowUnsigned: allowUnsigned || (compat !== null && !hasKeys(raw)),
    differences: raw.resp || raw.json || compat ? [] : differencesOf({ signKey, rootKey, chosen }),
  };
  validate(settings);
  validateTimeline(settings, hasKeys(settings) || hasUserListener(settings), raw.v1 !== undefined);
  validateUserListeners(settings);
  validateMemory(settings);
  validateAdmin(settings);
  return settings;
}

export type SigningSettings = Pick<Settings, "signKey" | "rootKey" | "data" | "peers">;

/** Whether only signed commands are taken: with a timeline by keys that it knows, which may be none but the daemons' own. */
export function isSigned(settings: SigningSettings): boolean {
  return hasKeys(settings) || hasTimeline(settings);
}

function hasKeys({ signKey, rootKey }: Pick<Settings, "signKey" | "rootKey">): boolean {
  return signKey.length > 0 || rootKey.length > 0;
}

function validate(settings: Settings): void {
  const { bind, require, allowUnsigned, limits } = settings;
  const signed = isSigned(settings);
  if (require === "v2" && !signed) {
    throw new StartError("--require v2 needs keys: version 2 is always signed. Give -s public.pem.", 2);
  }
  if (signed && allowUnsigned) {
    throw new StartError(
      "--allow-unsigned and -s, --data or --peer exclude each other: with these only signed commands are taken. Leave it out.",
      2,
    );
  }
  if (isLoopback(bind) === false) {
    refuseUnsigned(bind, settings);
    refuseWithoutTls(bind, settings);
  }
  if (limits.maxRequestBytes > limits.maxBufferedBytes) {
    throw new StartError(
      "--max-request-bytes is above --max-buffered-bytes, so no such request could arrive. Raise the latter.",
      2,
    );
  }
}

/** For an address that others can reach. @throws StartError  with both cures */
export function refuseUnsigned(
  address: string,
  settings: SigningSettings & Pick<Settings, "allowUnsigned">,
): void {
  if (isSigned(settings) || settings.allowUnsigned) return;
  throw new StartError(
    `${address} can be reached from other machines, and without a key anybody there could send commands. ` +
      "Take signed commands only (-s public.pem, from dbsync-keygen), or permit this with --allow-unsigned.",
    2,
  );
}

function differencesOf(given: {
  signKey: readonly string[];
  rootKey: readonly string[];
  chosen: (name: keyof RawOptions | LimitName) => boolean;
}): string[] {
  const lines: string[] = [];
  if (!given.chosen("database") && !given.chosen("data")) {
    lines.push(
      `The database is memory; php-dbsync's default is ${COMPAT_DATABASE} (-d, or --compat php-dbsync).`,
    );
  }
  if (!given.chosen("idleTimeout")) {
    const { idleTimeout } = LIMITS;
    const shown = formatLimit(idleTimeout, idleTimeout.fallback);
    lines.push(
      `Idle connections are closed after ${shown}; php-dbsync closes them after 3s (--idle-timeout).`,
    );
  }
  if (!hasKeys(given) && !given.chosen("data") && !given.chosen("allowUnsigned")) {
    lines.push(
      "Unsigned commands are taken on loopback only; php-dbsync takes them anywhere (--allow-unsigned).",
    );
  }
  return lines;
}

export function environmentName(flag: string): string {
  return `DBSYNCD_${flag.replaceAll("-", "_").toUpperCase()}`;
}

function parseSwitch(name: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off|)$/i.test(text)) return false;
  throw new StartError(`${name}="${text}": expected 1 or 0, true or false, yes or no, on or off.`, 2);
}

/** Parses the command line and the environment of dbsyncd, by the rows of the options. */
import { Command, CommanderError, Option } from "commander";
import { nearestName } from "../../protocol/nearest-name.js";
import { loadWith, StartError } from "../net/process/service.js";
import { insteadOf, suggestionFor } from "./absent-options.js";
import { environmentNameOf, type OptionRow, ENVIRONMENT_PREFIX as PREFIX } from "./option-row.js";
import { type FaceRows, OptionTable, type UserListenerName } from "./option-table.js";
import type { Settings } from "./settings.js";
import { explained, parsePath } from "./value-forms.js";

const EXIT_CODES = `
Exit codes: 0 stopped normally, 1 could not start (a port or a file), 2 wrong usage or configuration.

Signals: on TERM and INT, the daemon answers requests in flight and stops; on HUP, it reads keys and configuration again.
`;

const EXAMPLES = `
Examples:
  dbsyncd                              in memory, on 127.0.0.1:1111, unsigned
  dbsyncd -b 0.0.0.0 -s public.pem     signed commands from other machines
  dbsyncd -s public.pem --data data    all data stored in the folder data
  dbsyncd -s public.pem --data data --cluster-secret cluster.secret \\
    --peer db2:1111 --peer db3:1111    one of three replicas
  dbsyncd --resp 6379                  Redis clients too, on 127.0.0.1:6379
  dbsyncd --json                       JSON documents too, on 127.0.0.1:8888
  dbsyncd --compat php-dbsync          this machine's Redis, for php-dbsync`;

/** The end of the short help, where users look first. */
const MORE = `

These are the common options. dbsyncd --help-all prints all of them.`;

/** A face or tool, as far as its options are concerned. */
export interface FaceOptions extends FaceRows {
  /**
   * Checks combinations of its options, whether they are set or not.
   * @param userListeners  the names of the listeners for users
   * @throws StartError  the message says what to do
   */
  readonly checkOptions?: (settings: Settings, userListeners: readonly UserListenerName[]) => void;
}

/** The program with the options of the core and of faces. */
export class OptionProgram extends Command {
  readonly faces: readonly FaceOptions[];
  readonly table: OptionTable;

  constructor(faces: readonly FaceOptions[]) {
    super("dbsyncd");
    this.faces = faces;
    this.table = new OptionTable(faces);
  }
}

interface ProgramOptions {
  /** The faces and tools whose options the program has. */
  readonly faces: readonly FaceOptions[];
  readonly version: string;
  /** Whether the help also shows rarely used options. */
  readonly everything: boolean;
  /** Receives the help and the version. */
  readonly print: (text: string) => void;
}

/** Returns the program with its options; nothing is parsed yet. */
export function optionProgram({ faces, version, everything, print }: ProgramOptions): OptionProgram {
  const program = new OptionProgram(faces)
    .description(
      "Runs a daemon of dbsync: accepts commands from clients and applies them to its in-memory database, or to a Redis.",
    )
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print the common options")
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .allowExcessArguments(false);

  for (const { heading, rows } of program.table.sections) {
    for (const row of Object.values(rows)) {
      const option = optionOf(row);
      if (heading === null) program.addOption(option);
      else program.addOption(everything ? option.helpGroup(heading) : option.helpGroup(heading).hideHelp());
    }
    if (heading === null) for (const option of actions()) program.addOption(option);
  }

  return program.addHelpText("after", EXIT_CODES + EXAMPLES + (everything ? "" : MORE));
}

function optionOf(row: OptionRow): Option {
  const { flags, help, form, fallback } = row;
  const option = new Option(flags, help).env(environmentNameOf(row));
  if (fallback !== null) option.default(fallback, form.describe?.(fallback));
  return form.prepare(option);
}

/**
 * Returns the options that are actions of the program. They are not settings, and a configuration file cannot contain
 * them.
 */
function actions(): Option[] {
  return [
    new Option("--config <file>", "TOML file with the long names of these options")
      .argParser((value: string) => explained(() => parsePath(value)))
      .env("DBSYNCD_CONFIG"),
    new Option("--check-config", "check values and files, print each value with its source, and exit"),
    new Option("--help-all", "print all options: data and peers, other clients, TLS, limits, health, log"),
  ];
}

/** The values of the options that are actions. */
export interface Actions {
  readonly config?: string;
  readonly checkConfig?: true;
  readonly helpAll?: true;
}

/** Parses the command line and the environment. @throws StartError  with the option and its expected value */
export function parseArguments(program: Command, argv: readonly string[], env: NodeJS.ProcessEnv): void {
  try {
    program.parse(argv, { from: "user" });
  } catch (problem) {
    if (!(problem instanceof CommanderError) || problem.exitCode === 0) throw problem;
    const message =
      problem.code === "commander.excessArguments"
        ? `too many arguments: "${program.args[0]}". dbsyncd accepts only options, such as -p 1111.`
        : problem.message.replace(/^error: /, "");
    const hint =
      problem.code === "commander.unknownOption" ? suggestion(program, message) : misplaced(program, argv);
    throw new StartError(`${message}${hint}\nSee dbsyncd --help, or dbsyncd --help-all for all options.`, 2);
  }

  refuseMisspelt(program, env);
  // Commander would treat any value of a switch's variable as true.
  for (const option of program.options) {
    if (!option.isBoolean() || program.getOptionValueSource(option.attributeName()) !== "env") continue;
    const text = env[option.envVar ?? ""] ?? "";
    program.setOptionValueWithSource(option.attributeName(), parseSwitch(option.envVar ?? "", text), "env");
  }
}

/** Applies the configuration file of --config if there is one. @throws StartError */
export async function applyNamedFile(program: OptionProgram): Promise<void> {
  const { config } = program.opts<Actions>();
  if (config === undefined) return;
  const { applyConfigFile } = await loadWith("smol-toml", "--config", () => import("./config-file.js"));
  applyConfigFile(program, program.table, config);
}

/** Suggests an option. Commander's own suggestions leave out options that the short help does not show. */
function suggestion(program: Command, message: string): string {
  const [, name] = /^unknown option '(--[^'=]+)/.exec(message) ?? [];
  if (name === undefined) return "";
  const bare = name.replace("--", "");
  const instead = insteadOf(bare) ?? suggestionFor(bare);
  if (instead !== null) return `\n(${instead})`;
  const meant = meantOption(program, name);
  return meant === null ? "" : `\n(Did you mean ${meant}?)`;
}

/** Minimum length of the beginning of a name, including dashes, from which the option is recognized. */
const MIN_PREFIX = 5;
const SHOWN_OPTIONS_MAX = 3;

/**
 * Returns the options whose names begin with the typed name, shortest first; if there are none, the option with the
 * most similar name.
 */
function meantOption(program: Command, name: string): string | null {
  const names = program.options.flatMap(({ long }) => long ?? []);
  const longer = name.length < MIN_PREFIX ? [] : names.filter((each) => each.startsWith(name));
  if (longer.length === 0) return nearestName(name, names);
  return longer
    .sort((one, other) => one.length - other.length)
    .slice(0, SHOWN_OPTIONS_MAX)
    .join(" or ");
}

/** Returns a hint about the first argument that would be an option if it had two dashes, such as -data or data. */
function misplaced(program: Command, argv: readonly string[]): string {
  const names = program.options.flatMap(({ long }) => long ?? []);
  const shorts = program.options.flatMap(({ short }) => short ?? []);
  const typed = argv.find((word, at) => {
    const isValue = at > 0 && (names.includes(argv[at - 1] ?? "") || shorts.includes(argv[at - 1] ?? ""));
    return !isValue && /^-?[a-z][a-z-]+$/.test(word) && names.includes(`--${word.replace(/^-/, "")}`);
  });
  return typed === undefined ? "" : `\n(Did you mean --${typed.replace(/^-/, "")}?)`;
}

/**
 * Refuses a misspelt variable, such as DBSYNCD_SIGNKEY. Otherwise the daemon would ignore it, and start without
 * signatures.
 */
function refuseMisspelt(program: Command, env: NodeJS.ProcessEnv): void {
  const names = program.options.flatMap(({ envVar }) => envVar ?? []);
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX) || names.includes(name)) continue;
    const instead = insteadOf(name.slice(PREFIX.length).toLowerCase().replaceAll("_", "-"));
    if (instead !== null) throw new StartError(`${name} is set, but there is no such option. ${instead}`, 2);

    const meant = nearestName(
      name.slice(PREFIX.length),
      names.map((known) => known.slice(PREFIX.length)),
    );
    if (meant !== null)
      throw new StartError(`${name} is set, but there is no such option: did you mean ${PREFIX}${meant}?`, 2);
  }
}

function parseSwitch(name: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off|)$/i.test(text)) return false;
  throw new StartError(`${name}="${text}": expected 1 or 0, true or false, yes or no, on or off.`, 2);
}

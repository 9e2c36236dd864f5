/** The command line of dbsyncd and its environment, by the rows of the options. */
import { Command, CommanderError, Option } from "commander";
import { loadWith } from "../net/process/optional-package.js";
import { StartError } from "../net/process/start-error.js";
import { nearestName } from "../protocol/nearest-name.js";
import { explained, parsePath } from "./forms.js";
import { environmentNameOf, type OptionRow, ENVIRONMENT_PREFIX as PREFIX } from "./option-row.js";
import { insteadOf } from "./removed-options.js";
import { SECTIONS } from "./table.js";

const EXIT_CODES = `
Exit codes: 0 stopped cleanly, 1 could not start (a port, a file), 2 usage or configuration.

Signals: TERM and INT finish what is in flight and stop; HUP reads keys and configuration again.
`;

const EXAMPLES = `
Examples:
  dbsyncd                              in memory, on 127.0.0.1:1111, unsigned
  dbsyncd -b 0.0.0.0 -s public.pem     signed commands from other machines
  dbsyncd -s public.pem --data data    stores everything in the folder data
  dbsyncd -s public.pem --data data --cluster-secret cluster.secret \\
    --peer db2:1111 --peer db3:1111    one of three that end in the same state
  dbsyncd --resp 6379                  Redis clients too, on 127.0.0.1:6379
  dbsyncd --json                       JSON documents too, on 127.0.0.1:8888
  dbsyncd --compat php-dbsync          this machine's Redis, as with php-dbsync`;

export interface TableOptions {
  readonly version: string;
  /** Whether the help shows the rarer options too. */
  readonly everything: boolean;
  /** Receives help and version. */
  readonly print: (text: string) => void;
}

/** Returns the program's options; nothing is parsed yet. */
export function optionTable({ version, everything, print }: TableOptions): Command {
  const program = new Command("dbsyncd")
    .description("Takes commands of dbsync, php-dbsync, Redis and JSON clients, and applies them.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print the common options")
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .allowExcessArguments(false);
  for (const { heading, rows } of SECTIONS) {
    for (const row of Object.values(rows)) {
      const option = optionOf(row);
      if (heading === null) program.addOption(option);
      else program.addOption(everything ? option.helpGroup(heading) : option.helpGroup(heading).hideHelp());
    }
    if (heading === null) for (const option of actions()) program.addOption(option);
  }
  return program.addHelpText("after", EXIT_CODES + EXAMPLES);
}

function optionOf(row: OptionRow): Option {
  const { flags, help, form, fallback } = row;
  const option = new Option(flags, help).env(environmentNameOf(row));
  if (fallback !== null) option.default(fallback, form.describe?.(fallback));
  return form.prepare(option);
}

/** Actions of the program; they are no settings, and a file cannot contain them. */
function actions(): Option[] {
  return [
    new Option("--config <file>", "TOML file with these options' long names")
      .argParser((given: string) => explained(() => parsePath(given)))
      .env("DBSYNCD_CONFIG"),
    new Option("--check-config", "check values and files, print each value and its source, start nothing"),
    new Option("--help-all", "print all options: data and peers, other clients, TLS, limits, health, log"),
  ];
}

/** The parts of the command line that are for the program itself. */
export interface Actions {
  readonly config?: string;
  readonly checkConfig?: true;
  readonly helpAll?: true;
}

/** Parses the command line and the environment. @throws StartError  names the option and what it expects */
export function parseArguments(program: Command, argv: readonly string[], env: NodeJS.ProcessEnv): void {
  try {
    program.parse(argv, { from: "user" });
  } catch (problem) {
    if (!(problem instanceof CommanderError) || problem.exitCode === 0) throw problem;
    const message =
      problem.code === "commander.excessArguments"
        ? `too many arguments: "${program.args[0]}". It takes options alone, such as -p 1111.`
        : problem.message.replace(/^error: /, "");
    const hint =
      problem.code === "commander.unknownOption" ? suggestion(program, message) : misplaced(program, argv);
    throw new StartError(`${message}${hint}\nSee dbsyncd --help.`, 2);
  }
  refuseNearlyNamed(program, env);
  // Commander treats any value of a switch's variable as yes.
  for (const option of program.options) {
    if (!option.isBoolean() || program.getOptionValueSource(option.attributeName()) !== "env") continue;
    const text = env[option.envVar ?? ""] ?? "";
    program.setOptionValueWithSource(option.attributeName(), parseSwitch(option.envVar ?? "", text), "env");
  }
}

/** Applies the file that --config names, if any. @throws StartError */
export async function applyNamedFile(program: Command): Promise<void> {
  const { config } = program.opts<Actions>();
  if (config === undefined) return;
  const { applyConfigFile } = await loadWith("smol-toml", "--config", () => import("./config-file.js"));
  applyConfigFile(program, config);
}

/** Suggests an option: commander's own suggestion skips options that the short help leaves out. */
function suggestion(program: Command, message: string): string {
  const [, name] = /^unknown option '(--[^'=]+)/.exec(message) ?? [];
  const instead = name === undefined ? null : insteadOf(name.replace("--", ""));
  if (instead !== null) return `\n(${instead})`;
  const meant = name === undefined ? null : meantOption(program, name);
  return meant === null ? "" : `\n(Did you mean ${meant}?)`;
}

/** Letters, dashes included, from which the beginning of a name is recognised. */
const MIN_BEGINNING = 5;
const SHOWN_OPTIONS_MAX = 3;

/** Returns the options whose names begin with what was typed, the shortest first, else the one that is spelt most like it. */
function meantOption(program: Command, name: string): string | null {
  const names = program.options.flatMap(({ long }) => long ?? []);
  const longer = name.length < MIN_BEGINNING ? [] : names.filter((each) => each.startsWith(name));
  if (longer.length === 0) return nearestName(name, names);
  return longer
    .sort((one, other) => one.length - other.length)
    .slice(0, SHOWN_OPTIONS_MAX)
    .join(" or ");
}

/** Returns a hint on the first word that would be an option with two dashes, such as -data or data. */
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
 * Finds a variable that is meant for the daemon but that it would ignore, such as DBSYNCD_SIGNKEY: the daemon would start without signatures.
 */
function refuseNearlyNamed(program: Command, env: NodeJS.ProcessEnv): void {
  const names = program.options.flatMap(({ envVar }) => envVar ?? []);
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX) || names.includes(name)) continue;
    const instead = insteadOf(name.slice(PREFIX.length).toLowerCase().replaceAll("_", "-"));
    if (instead !== null) throw new StartError(`the variable ${name} is no option's. ${instead}`, 2);
    const meant = nearestName(
      name.slice(PREFIX.length),
      names.map((known) => known.slice(PREFIX.length)),
    );
    if (meant !== null)
      throw new StartError(`the variable ${name} is no option's: did you mean ${PREFIX}${meant}?`, 2);
  }
}

function parseSwitch(name: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off|)$/i.test(text)) return false;
  throw new StartError(`${name}="${text}": expected 1 or 0, true or false, yes or no, on or off.`, 2);
}

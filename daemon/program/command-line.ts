/** Determines the task of the program from the command line, the environment and the configuration file. */
import { type Command, CommanderError } from "commander";
import { pino } from "pino";
import { version } from "../net/process/version.js";
import { breakHelp } from "../net/terminal/help-text.js";
import { attributeOf, environmentNameOf, nameOf } from "../options/option-row.js";
import { OPTION_NAMES, OPTIONS, type OptionName } from "../options/option-table.js";
import { type Actions, applyNamedFile, optionTable, parseArguments } from "../options/parse-options.js";
import { settingsOf, valuesOf } from "../options/read-settings.js";
import { type OptionValues, type Settings, tlsFilesOf } from "../options/settings.js";
import { FACES } from "./installed-faces.js";

export type Task =
  | { readonly kind: "run"; readonly settings: Settings }
  /** Prints a text and exits with 0. */
  | { readonly kind: "print"; readonly text: string };

const SOURCES: Readonly<Record<string, string>> = {
  cli: "command line",
  env: "environment",
  config: "file",
  default: "default",
};

/** Returns the task of the program. Each call reads the configuration file again. @throws StartError */
export async function readCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Task> {
  let printed = "";
  const print = (text: string) => {
    printed += breakHelp(text);
  };
  const program = optionTable({ version, everything: false, print });
  try {
    parseArguments(program, argv, env);
  } catch (problem) {
    if (!(problem instanceof CommanderError)) throw problem;
    return { kind: "print", text: printed };
  }
  const { checkConfig, helpAll } = program.opts<Actions>();
  if (helpAll) {
    optionTable({ version, everything: true, print }).outputHelp();
    return { kind: "print", text: printed };
  }
  await applyNamedFile(program);
  const settings = settingsOf(program);
  if (!checkConfig) return { kind: "run", settings };
  await checkAllFiles(settings);
  return { kind: "print", text: `${describe(program, valuesOf(program))}\n` };
}

/** Formats a line for each option with its name, value and source. The text is a valid configuration file. */
function describe(program: Command, values: OptionValues): string {
  return OPTION_NAMES.flatMap((name) => {
    const { [name]: row } = OPTIONS;
    const { [name]: value } = values;
    if (value === null) return `# ${nameOf(row)} is not set`;
    const source = program.getOptionValueSource(attributeOf(row)) ?? "default";
    const implied = source === "default" && isImplied(name, values);
    const from = implied
      ? "compat"
      : source === "env"
        ? `environment, ${environmentNameOf(row)}`
        : SOURCES[source];
    return `${nameOf(row)} = ${JSON.stringify(row.form.show(value))}   # ${from}`;
  }).join("\n");
}

/** Whether --compat determines the value of an option that was not set. */
function isImplied(name: OptionName, { compat, allowUnsigned }: OptionValues): boolean {
  return compat !== null && (name === "database" || (name === "allowUnsigned" && allowUnsigned));
}

/**
 * Checks the files that the daemon would read at its start, for --check-config.
 * @throws StartError  a file cannot be used; the message says what to do
 */
async function checkAllFiles(settings: Settings): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("../engine/trust/load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }
  if (settings.clusterSecret !== null) {
    const { loadClusterSecret } = await import("../engine/trust/cluster-secret.js");
    loadClusterSecret(settings, pino({ level: "silent" }));
  }
  const tls = tlsFilesOf(settings);
  if (tls !== null) {
    const { readPair } = await import("../engine/trust/tls-certificate.js");
    readPair(tls);
  }
  for (const { checkFiles } of FACES) await checkFiles?.(settings);
}

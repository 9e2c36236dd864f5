/** From the command line, the environment and the configuration file to what is to be done. */
import { type Command, CommanderError } from "commander";
import { hexOf } from "../protocol/envelope.js";
import { checkFiles } from "./check-files.js";
import type { BackendSpecification } from "./options/database-list.js";
import { formatDateWindow } from "./options/date-window.js";
import { formatFsync } from "./options/fsync.js";
import { limitRowOf } from "./options/limit-values.js";
import { formatLimit } from "./options/limits.js";
import { optionTable, parseArguments, type RawOptions, settingsOf } from "./options/options.js";
import { formatPeer } from "./options/peer-address.js";
import { formatPlace, placeName } from "./options/place.js";
import { formatRetention } from "./options/retention.js";
import type { Settings } from "./options/settings.js";
import { loadWith } from "./process/optional-package.js";
import { version } from "./process/version.js";

export type Task =
  | { readonly kind: "run"; readonly settings: Settings }
  /** Print and end with 0. */
  | { readonly kind: "print"; readonly text: string };

/** Options that are no values of the configuration. */
const ACTIONS = new Set(["config", "check-config", "help-all", "version", "help"]);

const SOURCES: Readonly<Record<string, string>> = {
  cli: "command line",
  env: "environment",
  config: "file",
  default: "default",
};

/** Reads everything anew each time. @throws StartError */
export async function readCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Task> {
  let printed = "";
  const print = (text: string) => {
    printed += text;
  };
  const program = optionTable({ version, everything: false, print });
  try {
    parseArguments(program, argv, env);
  } catch (problem) {
    if (!(problem instanceof CommanderError)) throw problem;
    return { kind: "print", text: printed };
  }
  const { config, checkConfig, helpAll } = program.opts<RawOptions>();
  if (helpAll) {
    optionTable({ version, everything: true, print }).outputHelp();
    return { kind: "print", text: printed };
  }
  if (config !== undefined) {
    const { applyConfigFile } = await loadWith(
      "smol-toml",
      "--config",
      () => import("./options/config-file.js"),
    );
    applyConfigFile(program, config);
  }
  const settings = settingsOf(program);
  if (!checkConfig) return { kind: "run", settings };
  await checkFiles(settings);
  return { kind: "print", text: `${describe(program, settings)}\n` };
}

/** One line a value: name, value, source; a configuration file, if stored as one. */
function describe(program: Command, settings: Settings): string {
  const lines: string[] = [];
  for (const option of program.options) {
    const name = option.name();
    if (ACTIONS.has(name)) continue;
    const attribute = option.attributeName();
    const source = program.getOptionValueSource(attribute) ?? "default";
    const value = shownValue(name, attribute, program, settings);
    const implied = source === "default" && isImplied(name, settings);
    const from = implied ? "compat" : source === "env" ? `environment, ${option.envVar}` : SOURCES[source];
    lines.push(value === null ? `# ${name} is not set` : `${name} = ${value}   # ${from}`);
  }
  return lines.join("\n");
}

/** Whether --compat decides an option that was not given. */
function isImplied(name: string, { compat, allowUnsigned }: Settings): boolean {
  return compat !== null && (name === "database" || (name === "allow-unsigned" && allowUnsigned));
}

function shownValue(name: string, attribute: string, program: Command, settings: Settings): string | null {
  const row = limitRowOf(name);
  if (row !== undefined && row.unit !== "count")
    return JSON.stringify(formatLimit(row, program.getOptionValue(attribute)));
  if (name === "database")
    return JSON.stringify(settings.database.map((one: BackendSpecification) => one.name).join(","));
  if (name === "json-replica") return JSON.stringify(settings.jsonReplicas.map(placeName));
  if (name === "admin" || name === "resp" || name === "json") {
    const place = settings[name];
    return place === null ? null : JSON.stringify(formatPlace(place));
  }
  if (name === "window") return JSON.stringify(formatDateWindow(settings.window));
  if (name === "admin-host") return JSON.stringify(settings.adminHosts);
  if (name === "allow-unsigned") return String(settings.allowUnsigned);
  if (name === "fsync") return JSON.stringify(formatFsync(settings.fsync));
  if (name === "retain") return JSON.stringify(formatRetention(settings.retain));
  if (name === "adopt") return settings.adopt === null ? null : JSON.stringify(hexOf(settings.adopt));
  if (name === "peer") return JSON.stringify(settings.peers.map(formatPeer));
  const value: unknown = program.getOptionValue(attribute);
  return value === undefined ? null : JSON.stringify(value);
}

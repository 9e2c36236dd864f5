/**
 * The configuration file: TOML with the long options' names, without dashes in front. It comes after the
 * command line and the environment. Loaded only when --config is given.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command, Option } from "commander";
import { InvalidArgumentError } from "commander";
import { parse, TomlError } from "smol-toml";
import { StartError } from "../process/start-error.js";
import { adminHostsOf } from "./admin-options.js";
import { peersOf } from "./timeline-options.js";
import { replicasOf } from "./user-listener-options.js";

/** Options that say what the program does now, and so belong on the command line. */
const NOT_IN_FILE = new Set(["config", "check-config", "help-all", "version", "help"]);

/** Options that name one file or folder. */
const PATHS = new Set(["tls-cert", "tls-key", "data", "acl-file", "cluster-secret"]);

/**
 * Gives the options of `program` that are still at their default the file's values.
 * Paths in the file are relative to its folder.
 * @throws StartError  names the file, the line and what is expected there; 1 when it cannot be read, else 2
 */
export function applyConfigFile(program: Command, file: string): void {
  const text = readText(file);
  for (const [name, value] of Object.entries(parseToml(text, file))) {
    const option = program.options.find(
      (candidate) => candidate.long === `--${name}` && !NOT_IN_FILE.has(name),
    );
    const place = `${file}, line ${lineOf(text, name)}`;
    if (option === undefined) {
      throw new StartError(
        `${place}: unknown name "${name}". Names are those of dbsyncd --help-all, without dashes.`,
        2,
      );
    }
    const source = program.getOptionValueSource(option.attributeName());
    const parsed = parseValue(option, value, { place, folder: dirname(file) });
    if (source !== undefined && source !== "default") continue;
    program.setOptionValueWithSource(option.attributeName(), parsed, "config");
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (problem) {
    const reason = (problem as NodeJS.ErrnoException).code;
    if (reason === "ENOENT") throw new StartError(`${file} does not exist. Correct --config.`, 1);
    throw new StartError(
      `${file} cannot be read (${reason}). Correct --config, or the file's permissions.`,
      1,
    );
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (problem) {
    if (!(problem instanceof TomlError)) throw problem;
    const reason = problem.message.split("\n", 1)[0]?.replace(/^Invalid TOML document: /, "");
    throw new StartError(
      `${file}, line ${problem.line}, column ${problem.column}: ${reason}. Write name = value.`,
      2,
    );
  }
}

interface Where {
  readonly place: string;
  readonly folder: string;
}

/** Options that a file may give as lists. */
const LISTS: ReadonlyMap<
  string,
  { readonly parse: (texts: readonly string[]) => unknown; readonly example: string }
> = new Map([
  ["peer", { parse: (texts) => peersOf(texts), example: "db2:1111" }],
  ["admin-host", { parse: (texts) => adminHostsOf(texts), example: "db1.example" }],
  ["json-replica", { parse: (texts) => replicasOf(texts), example: "old1:8888" }],
]);

function parseValue(option: Option, value: unknown, { place, folder }: Where): unknown {
  const name = option.name();
  if (option.isBoolean()) {
    if (typeof value === "boolean") return value;
    throw new StartError(`${place}: ${name} is true or false.`, 2);
  }
  if (name === "sign-key" || name === "root-key") {
    const paths = Array.isArray(value) ? value : [value];
    if (paths.every((path) => typeof path === "string" && path !== ""))
      return paths.map((path) => resolve(folder, path));
    throw new StartError(`${place}: ${name} is a path, or a list of paths.`, 2);
  }
  if (PATHS.has(name) && typeof value === "string" && value !== "") return resolve(folder, value);
  const list = LISTS.get(name);
  if (list !== undefined && Array.isArray(value)) {
    if (value.every((item) => typeof item === "string"))
      return parsed(() => list.parse(value), name, value, place);
    throw new StartError(`${place}: ${name} is a list of texts such as "${list.example}".`, 2);
  }
  if (typeof value !== "string" && typeof value !== "number") {
    throw new StartError(`${place}: ${name} is a text or a number.`, 2);
  }
  return parsed(
    () => (option.parseArg === undefined ? value : option.parseArg(String(value), undefined)),
    name,
    value,
    place,
  );
}

function parsed(parse: () => unknown, name: string, value: unknown, place: string): unknown {
  try {
    return parse();
  } catch (problem) {
    if (problem instanceof InvalidArgumentError)
      throw new StartError(`${place}: ${name} = ${JSON.stringify(value)}: ${problem.message}`, 2);
    throw problem;
  }
}

/** The parser tells no places; a name stands at the beginning of its line. */
function lineOf(text: string, name: string): number {
  const lines = text.split("\n");
  const index = lines.findIndex((line) => {
    const key = /^\s*\[?\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))/.exec(line);
    return key !== null && (key[1] ?? key[2] ?? key[3]) === name;
  });
  return index + 1;
}

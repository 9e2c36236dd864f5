/**
 * The configuration file: TOML with the names of the long options, without the dashes. The command line and the
 * environment take precedence. The module is loaded only with --config.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { parse, TomlError } from "smol-toml";
import { nearestName } from "../../protocol/nearest-name.js";
import { UnusableFile } from "../net/process/service.js";
import { insteadOf } from "./absent-options.js";
import { attributeOf, nameOf, type OptionRow } from "./option-row.js";
import type { OptionTable } from "./option-table.js";
import { WrongType } from "./value-forms.js";

/**
 * Sets the options of `program` that still have their defaults to the values of the file. Paths in the file are
 * relative to its folder.
 * @throws UnusableFile  with the file, the line and the expected value
 */
export function applyConfigFile(program: Command, table: OptionTable, file: string): void {
  const text = readText(file);
  const rows = Object.values<OptionRow>(table.rows);
  for (const [name, value] of Object.entries(parseToml(text, file))) {
    const row = rows.find((one) => nameOf(one) === name);
    const location = `${file}, line ${lineOf(text, name)}`;
    if (row === undefined) {
      const instead = insteadOf(name);
      if (instead !== null) throw new UnusableFile(`${location}: ${name}. ${instead}`, 2);
      const meant = nearestName(name, rows.map(nameOf));
      throw new UnusableFile(
        `${location}: unknown name "${name}". ${meant === null ? "" : `Did you mean ${meant}? `}` +
          "Names are those of dbsyncd --help-all, without dashes.",
        2,
      );
    }

    const attribute = attributeOf(row);
    const source = program.getOptionValueSource(attribute);
    const parsed = parseValue(row, value, { location, folder: dirname(file) });
    if (source !== undefined && source !== "default") continue;
    program.setOptionValueWithSource(attribute, parsed, "config");
  }
}

function parseValue(
  row: OptionRow,
  value: unknown,
  { location, folder }: { readonly location: string; readonly folder: string },
): unknown {
  const { form, example } = row;
  const name = nameOf(row);
  try {
    return form.fromFile(value, { folder, example });
  } catch (problem) {
    if (problem instanceof WrongType)
      throw new UnusableFile(
        `${location}: ${name} = ${JSON.stringify(value)}: Expected ${problem.message}.`,
        2,
      );
    const reason = problem instanceof Error ? problem.message : String(problem);
    throw new UnusableFile(`${location}: ${name} = ${JSON.stringify(value)}: ${reason}`, 2);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (problem) {
    const reason = (problem as NodeJS.ErrnoException).code;
    if (reason === "ENOENT") throw new UnusableFile(`${file} does not exist. Correct --config.`, 2);
    throw new UnusableFile(
      `${file} cannot be read (${reason}). Correct --config, or the file's permissions.`,
      2,
    );
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (problem) {
    if (!(problem instanceof TomlError)) throw problem;
    const reason = problem.message.split("\n", 1)[0]?.replace(/^Invalid TOML document: /, "");
    const line = text.split("\n")[problem.line - 1] ?? "";
    throw new UnusableFile(
      `${file}, line ${problem.line}, column ${problem.column}: ${quoteFault(line) ?? `${reason}. Write name = value.`}`,
      2,
    );
  }
}

/** Explains a missing quote, which the parser reports in many ways. @returns null if it is another error */
function quoteFault(line: string): string | null {
  const [, name = "", value = ""] = /^\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
  const quote = /^["']/.exec(value)?.[0];
  if (quote !== undefined && value.split(quote).length % 2 === 0)
    return `the quote (${quote}) after the text is missing. Write ${name} = ${value}${quote}`;
  const [, bare = ""] = /^([^"'#[\]{},]+?)\s*(?:#.*)?$/.exec(value) ?? [];
  const isKnown = /^(?:true|false|[-+]?[\d_]+(?:\.[\d_]+)?)$/.test(bare);
  return bare === "" || isKnown ? null : `text must be in quotes. Write ${name} = "${bare}"`;
}

/** Finds the line that begins with a name, because the parser does not report lines. */
function lineOf(text: string, name: string): number {
  const lines = text.split("\n");
  const index = lines.findIndex((line) => {
    const key = /^\s*\[?\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))/.exec(line);
    return key !== null && (key[1] ?? key[2] ?? key[3]) === name;
  });
  return index + 1;
}

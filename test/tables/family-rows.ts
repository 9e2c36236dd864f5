/**
 * Generates daemon/store/rows/family-rows.ts, the rows of the families whose code belongs to a face, from these
 * families. The rows of a face that this build does not contain stay: without them, its commands would be unknown, and
 * a daemon would apply entries that contain them as errors. `npm run tables` writes it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as faces from "../../daemon/faces.js";
import type { FaceFamilies, FamilyCode } from "../../daemon/store/family-code.js";
import type { Command, CommandRow } from "../../daemon/store/rows/command-row.js";
import { FAMILY_ROWS } from "../../daemon/store/rows/family-rows.js";
import { type LateRow, RULE } from "../../daemon/store/rows/late-row.js";
import { repositoryRoot } from "../support/repository.js";

export const FAMILY_ROWS_FILE = "daemon/store/rows/family-rows.ts";

/** The maximum length of a line, as in biome.json. */
const LINE_CHARS = 110;

const HEAD = `/**
 * The rows of the families whose code belongs to a face, without this code. Made by npm run tables from the families
 * that daemon/faces.ts lists: do not edit it.
 */
import { type LateRow, RULE } from "./late-row.js";

type Rows = Readonly<Record<string, LateRow>>;
`;

const BEFORE: Readonly<Record<string, Readonly<Record<string, LateRow>>>> = FAMILY_ROWS;

const INSTALLED: Readonly<Record<string, FamilyCode>> = Object.assign(
  {},
  ...Object.values<FaceFamilies>(faces).map(({ families }) => families),
);

/** Returns the text of the file. @param installed  the families of this build */
export function familyRows(installed = INSTALLED): string {
  const families: string[] = [];
  for (const name of new Set([...Object.keys(BEFORE), ...Object.keys(installed)])) {
    const code = installed[name];
    const rows =
      code === undefined
        ? BEFORE[name]
        : Object.fromEntries(code.rows.map((command) => [command.name, dataOf(command)]));
    families.push(property(name, rows, 1, ` as const satisfies Rows`));
  }
  return `${HEAD}\nexport const FAMILY_ROWS = {\n${families.join("\n")}\n};\n`;
}

export const currentRows = (): string => readFileSync(join(repositoryRoot, FAMILY_ROWS_FILE), "utf8");

/** The values of properties that a row can omit. */
const DEFAULTS: Partial<CommandRow> = {
  writesOtherDatabases: false,
  isStatement: false,
  countsOwnSteps: false,
  isUse: true,
  isRecorded: true,
};

/** Returns the properties of a command's row that differ from their defaults, without its code. */
function dataOf(command: Command): object {
  const { name: _, run: __, writes, reads, isLinear, isQuery, ...row } = command;
  const cost = isLinear ? "arguments" : isQuery ? "query" : null;
  const properties = Object.entries({ ...row, cost }).filter(
    ([property, value]) =>
      value !== undefined &&
      value !== null &&
      DEFAULTS[property as keyof CommandRow] !== value &&
      !(property === "tips" && row.tips.length === 0),
  );
  return Object.fromEntries(properties);
}

/** Returns the lines of a property of an object, as Biome formats them. */
function property(name: string, value: unknown, depth: number, suffix = ""): string {
  const indent = "  ".repeat(depth);
  const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
  const flat = `${indent}${key}: ${flatText(value)},`;
  const isShort = flat.length <= LINE_CHARS && !isDivided(value);
  if (typeof value === "string") return isShort ? flat : `${indent}${key}:\n${indent}  ${flatText(value)},`;
  if (isShort && (depth > 2 || !isObject(value))) return flat;
  return `${indent}${key}: ${longText(value, depth)}${suffix},`;
}

/**
 * Whether an array is written in several lines even if it is short: it has several objects, or arrays, of several
 * items.
 */
function isDivided(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const hasSeveral = (one: unknown, areArrays: boolean) =>
    typeof one === "object" && Array.isArray(one) === areArrays && Object.keys(one as object).length > 1;
  const isGrid = [true, false].some((areArrays) => value.every((one) => hasSeveral(one, areArrays)));
  return (value.length > 1 && isGrid) || value.some(isDivided);
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function flatText(value: unknown): string {
  if (typeof value === "function" || value === RULE) return "RULE";
  if (Array.isArray(value)) return `[${value.map(flatText).join(", ")}]`;
  if (typeof value === "string" && value.includes('"') && !value.includes("'")) return `'${value}'`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, one]) => `${name}: ${flatText(one)}`)
    .join(", ")} }`;
}

/** Returns the text of an array or object, with an item in each line. */
function longText(value: unknown, depth: number): string {
  const indent = "  ".repeat(depth);
  if (isObject(value))
    return `{\n${Object.entries(value)
      .map(([name, one]) => property(name, one, depth + 1))
      .join("\n")}\n${indent}}`;
  const items = (value as readonly unknown[]).map((one) => {
    const flat = `${indent}  ${flatText(one)},`;
    return flat.length <= LINE_CHARS && !isDivided(one) ? flat : `${indent}  ${longText(one, depth + 1)},`;
  });
  return `[\n${items.join("\n")}\n${indent}]`;
}

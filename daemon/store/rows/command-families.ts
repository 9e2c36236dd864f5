/**
 * The families of commands whose code belongs to a face. The core has their rows as data (`family-rows.ts`), so that
 * rights, COMMAND and limits know all commands, even in a build without the face. The code of a family, which the
 * program installs at its start, also contains the rules of its rows.
 */
import { type Command, type CommandRow, family } from "./command-row.js";
import { FAMILY_ROWS } from "./family-rows.js";
import { type LateRow, RULE } from "./late-row.js";

export type FamilyName = keyof typeof FAMILY_ROWS;

type Rule = (...args: readonly unknown[]) => unknown;

/** The number of arguments that a row passes on to the functions of its code. */
export const RULE_ARGUMENTS_MAX = 3;

/** Thrown where the code of a family is needed that this build does not contain. The message names the face. */
export class MissingCode extends Error {
  override readonly name = "MissingCode";
}

export class CommandFamily {
  /** The name of its face, and its own. */
  readonly name: FamilyName;
  /** The rows of the command table. Their functions call those of the installed rows. */
  readonly rows: readonly Command[];
  /** The rows of the code, by name; null without the code. */
  #installed: ReadonlyMap<string, Command> | null = null;

  constructor(name: FamilyName, rows: Readonly<Record<string, LateRow>>) {
    this.name = name;
    this.rows = Object.entries(rows).flatMap(([command, row]) =>
      family(row.group, { [command]: this.#withRules(command, row) }),
    );
  }

  /** Whether this build contains the code. */
  get isInstalled(): boolean {
    return this.#installed !== null;
  }

  /** The message that this build does not contain the code. */
  get missingText(): string {
    return `this build does not contain the code of ${this.rows[0]?.name} and similar commands (${this.name})`;
  }

  /** Adds the rows of the code. */
  install(rows: readonly Command[]): void {
    this.#installed = new Map(rows.map((row) => [row.name, row]));
  }

  #withRules(command: string, { group: _, ...row }: LateRow): CommandRow {
    const complete = this.#replaced({ ...row, run: RULE }, command, []);
    return complete as unknown as CommandRow;
  }

  /** Returns data in which functions of the installed code take the place of each `RULE`. */
  #replaced(data: object, command: string, path: readonly string[]): object {
    return Object.fromEntries(
      Object.entries(data).map(([name, value]) => {
        const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
        if (value === RULE) return [name, this.#rule(command, [...path, name])];
        return [name, isNested ? this.#replaced(value as object, command, [...path, name]) : value];
      }),
    );
  }

  /** Returns a function that calls the rule at a path of a row's properties. */
  #rule(command: string, path: readonly string[]): Rule {
    let found: Rule | null = null;
    const find = (): Rule => {
      const row = this.#installed?.get(command);
      // A call whose row depends on its arguments counts as a call of the first row until it can be parsed.
      if (row === undefined && path[0] === "otherRow") return () => null;
      if (row === undefined) throw new MissingCode(this.missingText);
      found = path.reduce((value: unknown, name) => (value as Record<string, unknown>)[name], row) as Rule;
      return found;
    };
    return (one, two, three) => (found ?? find())(one, two, three);
  }
}

export const COMMAND_FAMILIES: readonly CommandFamily[] = Object.entries(FAMILY_ROWS).map(
  ([name, rows]) => new CommandFamily(name as FamilyName, rows),
);

/** Returns the rows of a family. */
export function familyRows(name: FamilyName): readonly Command[] {
  return (COMMAND_FAMILIES.find((family) => family.name === name) as CommandFamily).rows;
}

/**
 * The meaning of each number of CLUSTER SEMANTICS as a file: the commands and their shapes, the limits and weights, and
 * what a program of units yields. `npm run tables` writes the files of the numbers that are not frozen.
 */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalRing, canonicalState } from "../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import {
  BYTES_PER_STEP,
  MEMBER_STEPS,
  PRODUCED_MAX,
  SORTED_MEMBER_STEPS,
  STEPS_GRANTED,
} from "../../daemon/store/keyspace/effort-budget.js";
import { STEPS_BACK_MAX } from "../../daemon/store/patterns/glob.js";
import { CommandIndex } from "../../daemon/store/rows/command-index.js";
import { type Command, categoriesOf } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import { isOfListener } from "../../daemon/store/rows/listener-rows.js";
import { SEMANTICS, Semantics } from "../../daemon/store/semantics.js";
import { Fold } from "../../daemon/timeline/fold/fold.js";
import { WORK_MAX as DOCUMENTS_MAX } from "../../faces/mongo/store/queries/mongo-failure.js";
import { SOURCE_WORK, WORK_MAX } from "../../faces/sql/store/commands/evaluation-context.js";
import { PAIRS_MAX } from "../../faces/sql/store/commands/joins.js";
import { CONCATENATED_BYTES_MAX } from "../../faces/sql/store/commands/row-grouping.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { APPLICATION, AT, entry, hexId, key, pem, ROOT } from "../daemon/timeline/support/fold-subject.js";
import { genesisRing } from "../daemon/timeline/support/random-timeline.js";
import { repositoryRoot } from "../support/repository.js";

/**
 * The greatest number whose file no longer changes. The commit that tags 0.1.0 sets it to 1; each later number is
 * frozen by the release that introduces it.
 */
export const FROZEN = 0;

/** What a number means. */
export interface Meaning {
  readonly limits: Readonly<Record<string, number>>;
  /** Each command with its arity, its flags and categories, its cost and its keys. */
  readonly commands: Readonly<Record<string, string>>;
  /** The digest of the state after each unit, the steps that the unit has produced, and the unit. */
  readonly units: readonly string[];
}

const LIMITS = {
  PRODUCED_MAX,
  BYTES_PER_STEP,
  MEMBER_STEPS,
  SORTED_MEMBER_STEPS,
  STEPS_GRANTED,
  WORK_MAX,
  SOURCE_WORK,
  PAIRS_MAX,
  CONCATENATED_BYTES_MAX,
  DOCUMENTS_MAX,
  STEPS_BACK_MAX,
};

const DIGEST_CHARS = 12;
/** The key that the units marked `@3` have; `@root` is an administrator's. */
const DELEGATE = 3;
/** A daemon's key. Its command may be followed by a choice: ` <- ` and what the command took. */
const DAEMON = 4;
const SIGNERS: Readonly<Record<string, number>> = { "@root": ROOT, "@3": DELEGATE, "@daemon": DAEMON };

const fileOf = (number: number, rest: string) =>
  join(repositoryRoot, `test/tables/semantics-${number}${rest}`);

/** Returns the stored meaning of a number, or null if there is no file. */
export function stored(number: number): Meaning | null {
  const file = fileOf(number, ".json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Meaning) : null;
}

/** Returns the units of a number's program, as lines. */
export const linesOf = (number: number): readonly string[] =>
  readFileSync(fileOf(number, "-units.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

/** Writes the files of the numbers that are not frozen. */
export function writeMeanings(): void {
  for (let number = FROZEN + 1; number <= SEMANTICS.last; number++) {
    const { meaning } = meaningOf(SEMANTICS.table(number) as CommandIndex, linesOf(number));
    writeFileSync(fileOf(number, ".json"), `${JSON.stringify(meaning, null, 2)}\n`);
  }
}

/**
 * Returns the meaning of a table of commands.
 * @returns also the names of the commands that a unit has run without an error
 */
export function meaningOf(table: CommandIndex, lines: readonly string[]) {
  const commands = Object.fromEntries(
    [...table.all()].map((row) => [row.name, shapeOf(row)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const program = new Program(table);
  const units = lines.map((line, index) => program.run(line, index));
  const meaning: Meaning = { limits: LIMITS, commands, units };
  return { meaning, covered: program.covered };
}

/** Returns the names of the commands that write and are not covered. */
export const uncovered = (table: CommandIndex, covered: ReadonlySet<string>): string[] =>
  table
    .all()
    .flatMap((row) => (row.writes && !isOfListener(row) && !covered.has(row.name) ? [row.name] : []));

function shapeOf(row: Command): string {
  const { arity, flags, keys } = row;
  const touched =
    typeof keys === "function"
      ? "keys by arguments"
      : keys.map(
          ({ access, needs, first, last, step }) => `${access} ${needs || "-"} ${first} ${last} ${step}`,
        );
  return [
    String(arity),
    flags.toSorted().join(" "),
    categoriesOf(row).join(" "),
    ...(row.isLinear ? ["linear"] : []),
    ...(row.otherRow === undefined ? [] : ["other row by arguments"]),
    ...[touched].flat(),
  ].join(", ");
}

/** A fold that applies the units of a program, one after the other. */
class Program {
  /** The commands that a unit has run without an error. */
  readonly covered = new Set<string>();
  readonly #table: CommandIndex;
  readonly #fold: Fold;
  /** The steps that the current unit has produced. */
  #produced = 0;

  constructor(table: CommandIndex) {
    this.#table = table;
    const rows = table.all().map((row): Command => ({ ...row, sinceSemantics: 1, run: this.#counting(row) }));
    const known = new Semantics(new CommandIndex(rows));
    this.#fold = new Fold({
      database: new Database({ databases: DATABASES_DEFAULT }),
      ring: genesisRing({ hasRoots: true }, known),
      cutAt: AT,
    });
  }

  /** Applies a unit, and returns what it yields. */
  run(line: string, index: number): string {
    const [first = ""] = line.split(" ", 1);
    const signer = SIGNERS[first] ?? APPLICATION;
    const [, choice] = line.split(/ <-(?: |$)/);
    const commands = commandsOf(line);
    const choices = choice === undefined ? null : new Map([[0, argvOf(choice)]]);
    this.#produced = 0;
    const multi = commands.length > 1;
    this.#fold.merge([entry(`unit ${index}`, index + 1, commands, { key: key(signer), multi, choices })]);
    const state = [...canonicalState(this.#fold.database), ...canonicalRing(this.#fold.ring)].join("\n");
    const digest = createHash("sha256").update(state).digest("hex").slice(0, DIGEST_CHARS);
    return [digest, this.#produced.toFixed(2), ...this.#keysOf(commands), line].join(" ");
  }

  /** Returns the keys that a unit's commands may touch, for commands whose arguments determine them. */
  #keysOf(commands: readonly (readonly ByteString[])[]): string[] {
    return commands.flatMap((argv) => {
      const row = this.#table.resolve(argv);
      if (!("keys" in row) || typeof row.keys !== "function") return [];
      const keys = touchesOf(row.keys, argv).map(
        ({ db, key: name, access, needs = "" }) => `${db ?? ""}:${name ?? "*"}:${access}${needs}`,
      );
      return [`[${keys.join(" ")}]`];
    });
  }

  #counting(row: Command): Command["run"] {
    return (data, argv, unit) => {
      const before = data.effort.produced;
      const reply = row.run(data, argv, unit);
      if (!row.isLinear) this.#produced += data.effort.produced - before;
      this.covered.add(row.name);
      return reply;
    };
  }
}

/** Returns the commands of a unit. */
export function commandsOf(line: string): readonly (readonly ByteString[])[] {
  const [first = ""] = line.split(" ", 1);
  const text = first in SIGNERS ? line.slice(first.length + 1) : line;
  const [program = ""] = text.split(/ <-(?: |$)/);
  return program.split(" && ").map(argvOf);
}

/** Splits a command into its arguments. */
function argvOf(text: string): ByteString[] {
  return [...text.matchAll(/‹([^›]*)›|\S+/g)].map(([word, quoted]) => {
    const argument = quoted ?? word;
    if (argument === "$pem") return pem(DELEGATE);
    if (argument === "$daemon") return pem(DAEMON);
    if (argument === "$id") return hexId(DELEGATE);
    if (argument.startsWith("$hex:")) return bytesOf(Buffer.from(argument.slice("$hex:".length), "hex"));
    return argument;
  });
}

/**
 * Returns the differences between the stored meaning of a number and the present one, each with what to do.
 * @param before  null if there is no file yet
 */
export function differences(number: number, before: Meaning | null, now: Meaning, frozen = FROZEN): string[] {
  const rewrites =
    number > frozen ? `, or run npm run tables, which rewrites number ${number} until it is frozen` : "";
  const next = `sinceSemantics: ${number + 1}`;
  if (before === null) return [`number ${number} has no file: run npm run tables`];

  const found: string[] = [];
  for (const name of Object.keys(now.commands))
    if (!(name in before.commands)) found.push(`${name} is new: give it ${next}${rewrites}`);

  for (const [name, shape] of Object.entries(before.commands)) {
    const present = now.commands[name];
    if (present === undefined) found.push(`${name} is missing: let it return an error instead${rewrites}`);
    else if (present !== shape)
      found.push(
        `${name} is changed: give it ${next}, with the row before as \`earlier\`${rewrites}\n  ${shape}\n  ${present}`,
      );
  }

  for (const [name, value] of Object.entries(before.limits))
    if (now.limits[name] !== value)
      found.push(
        `${name} is no longer ${value}: recorded units depend on it, so it needs a number${rewrites}`,
      );

  const first = before.units.findIndex((unit, index) => unit !== now.units[index]);
  if (first >= 0 || before.units.length !== now.units.length) {
    const at = first >= 0 ? first : before.units.length;
    found.push(
      `a unit has another effect, other steps or other keys: keep the effect before as \`earlier\`, and give the command ${next}${rewrites}\n` +
        `  ${before.units[at] ?? "no unit"}\n  ${now.units[at] ?? "no unit"}`,
    );
  }
  return found;
}

/**
 * A short notation for the rows of commands that only a listener can execute, because they concern connections or the
 * process.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, status } from "../../../protocol/reply.js";
import { CommandFailure, wrongArity } from "../arguments/command-errors.js";
import { type Command, type Flag, family, type Row } from "./command-row.js";
import { none } from "./key-spec.js";

/** Arity, flags, the Redis version that introduced the command, complexity, summary, and further properties. */
export type ListenerRow = readonly [
  arity: number,
  flags: readonly Flag[],
  since: string,
  complexity: string,
  summary: string,
  more?: Partial<Row>,
];

/** Returns rows that share a family and further properties, by name. */
export function listenerRows(
  group: string,
  rows: Readonly<Record<string, ListenerRow>>,
  common: Partial<Row> = {},
): readonly Command[] {
  const completeRows = Object.entries(rows).map(
    ([name, [arity, flags, since, complexity, summary, more]]): [string, Row] => [
      name,
      { arity, flags, keys: none, since, complexity, summary, ...common, ...more, run: refuse },
    ],
  );
  return family(group, Object.fromEntries(completeRows));
}

export const HELP_SUMMARY = "Lists the subcommands.";

/** Returns the reply of HELP, which ends with HELP itself. @param subcommands the rows of the subcommands */
export function helpLines(name: string, subcommands: readonly Command[]): readonly string[] {
  const others = subcommands.filter((row) => row.name !== `${name}|HELP`);
  return [
    `${name} <subcommand> [<argument> ...]. There are:`,
    ...others.flatMap((row) => [row.name.split("|")[1] as string, `    ${row.summary}`]),
    "HELP",
    `    ${HELP_SUMMARY}`,
  ];
}

/**
 * Returns a command that consists of subcommands, and its HELP, which lists them from their rows.
 * @param helpGroup the family of HELP, if it is not that of the subcommands
 * @param more further properties of the container, for all its subcommands
 */
export function container(
  name: string,
  since: string,
  subcommands: readonly Command[],
  helpSince: string,
  helpGroup?: string,
  more: Partial<Row> = {},
): readonly Command[] {
  const group = helpGroup ?? subcommands[0]?.group ?? "server";
  const text = helpLines(name, subcommands);
  const containerRow: Row = {
    arity: -2,
    flags: [],
    keys: none,
    since,
    complexity: "Depends on the subcommand",
    summary: "Has subcommands.",
    ...more,
    run: () => {
      throw wrongArity(name.toLowerCase());
    },
  };
  const help: Row = {
    arity: 2,
    flags: ["loading", "stale"],
    keys: none,
    since: helpSince,
    complexity: "O(1)",
    summary: HELP_SUMMARY,
    run: () => array(text.map((line) => status(line))),
  };

  // As in Redis, the container belongs to no family, but its subcommands do.
  return [
    ...family("server", { [name]: containerRow }),
    ...family(group, { [`${name}|HELP`]: help }),
    ...subcommands,
  ];
}

/** Whether only a listener can execute the command. */
export function isOfListener({ run }: Pick<Row, "run">): boolean {
  return run === refuse;
}

const OF_LISTENER = "is for connections of the RESP listener (--resp)";
/**
 * Commands that daemon/program/inspection executes instead of the fold. Its handlers are the registry; this only names
 * them in an error, because a row does not know them.
 */
const INSPECTED: ReadonlySet<string> = new Set(["INFO", "CONFIG", "CLIENT", "SLOWLOG"]);
const ALONE =
  "; administrators may send INFO, CONFIG GET, CLIENT LIST and SLOWLOG in signed envelopes that change nothing, without multi";
const AMONG_MESSAGES = "may share an envelope only with PUBLISH and SPUBLISH, without multi and if";

function refuse(_: unknown, argv: readonly ByteString[]): never {
  const name = argv[0]?.toUpperCase() ?? "";
  const isSaying = name === "PUBLISH" || name === "SPUBLISH";
  const where = isSaying ? AMONG_MESSAGES : `${OF_LISTENER}${INSPECTED.has(name) ? ALONE : ""}`;
  throw new CommandFailure(`ERR ${name} ${where}`);
}

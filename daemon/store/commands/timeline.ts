/**
 * TIMELINE and its subcommands: the history and the status of the timeline, for administrators. The rows define arity,
 * rules and keys. A daemon that has a timeline executes the commands itself (daemon/cluster/history); elsewhere they
 * return an error that states what they require.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { custom } from "../arguments/command-errors.js";
import {
  type Command,
  type CommandDescription,
  type CommandRow,
  type CommandTable,
  type Flag,
  family,
} from "../rows/command-row.js";
import { allDbs, type KeySpec, none, read, touchesOf } from "../rows/key-spec.js";

/** The names of the subcommands in the table of commands. */
export const TIMELINE_COMMANDS = [
  "TIMELINE|BLAME",
  "TIMELINE|DEADLETTERS",
  "TIMELINE|GET",
  "TIMELINE|LOG",
  "TIMELINE|OUTCOME",
  "TIMELINE|REPAIR",
  "TIMELINE|STATUS",
] as const;
export type TimelineCommandName = (typeof TIMELINE_COMMANDS)[number];

/** Index of the command in TIMELINE GET. */
export const PAST_COMMAND_AT = 3;

/**
 * Returns the command that TIMELINE GET runs on a past state, or null if the arguments call another command. The user
 * needs permission for the returned command too.
 */
export function commandOfPast(argv: readonly ByteString[]): readonly ByteString[] | null {
  const [name = "", subcommand] = argv;
  // Fast path: this function is called for every command.
  if (name.length !== "TIMELINE".length || name.toUpperCase() !== "TIMELINE") return null;
  if (subcommand?.toUpperCase() !== "GET" || argv.length <= PAST_COMMAND_AT) return null;
  return argv.slice(PAST_COMMAND_AT);
}

/** The option of TIMELINE LOG that requests a page of the feed, and its value. */
export interface FeedOption {
  readonly name: "AFTER" | "ARRIVED";
  readonly value: ByteString;
}

/** Returns the option of TIMELINE LOG that requests a page of the feed, or null if there is none. */
export function feedOptionOf(argv: readonly ByteString[]): FeedOption | null {
  for (let i = 2; i < argv.length; i += 2) {
    const name = (argv[i] as ByteString).toUpperCase();
    if (name === "AFTER" || name === "ARRIVED") return { name, value: argv[i + 1] ?? "" };
  }
  return null;
}

/** The feed shows only units whose keys the caller may read, so it requires no permission for all keys. */
const logKeys: KeySpec = (argv) =>
  feedOptionOf(argv) === null ? touchesOf(allDbs("read"), argv) : touchesOf(none, argv);

interface TimelineRow extends CommandDescription {
  readonly keys: KeySpec;
  readonly flags?: readonly Flag[];
}

/**
 * @param find finds a command in the table that these rows will belong to, which is incomplete when this function is
 * called
 */
export const timeline = (find: CommandTable["find"]): readonly Command[] => {
  /** Returns the keys of the command that runs on a past state. */
  const pastKeys: KeySpec = (argv) => {
    const historyCommand = argv.slice(PAST_COMMAND_AT);
    const [name, subcommand] = historyCommand;
    const command = find(`${name}|${subcommand}`) ?? find(name ?? "");
    // Commands that write are not run; this includes TIMELINE GET itself.
    return command?.reads ? touchesOf(command.keys, historyCommand) : [];
  };
  return family("server", {
    TIMELINE: {
      arity: -2,
      flags: [],
      keys: none,
      since: "",
      complexity: "Depends on the subcommand",
      summary: "Commands that read the recorded entries and their history, for administrators.",
      run: refuse,
    },
    ...rowsOf({
      "TIMELINE|BLAME": {
        arity: -3,
        keys: [read(2)],
        complexity: "O(N), N: entries recorded since FROM",
        summary: "Returns the signers that changed a key, and their commands: TIMELINE BLAME key [FROM ms].",
      },
      "TIMELINE|DEADLETTERS": {
        arity: -2,
        keys: allDbs("read"),
        complexity: "O(N), N: dead letters",
        summary: "Lists the dead letters of this daemon: TIMELINE DEADLETTERS [FROM ms] [LIMIT n].",
      },
      "TIMELINE|GET": {
        arity: -4,
        keys: pastKeys,
        flags: ["movablekeys"],
        complexity: "O(N), N: entries recorded since the last snapshot before that date",
        summary: "Runs a reading command on the state at a date: TIMELINE GET ms command [arg ...].",
      },
      "TIMELINE|LOG": {
        arity: -2,
        keys: logKeys,
        complexity: "O(N), N: entries recorded since the last snapshot before FROM",
        summary:
          "Returns the recorded entries and their outcomes: TIMELINE LOG [FROM ms] [TO ms] [AFTER position] [ARRIVED position] [KEY key] [SIGNER id] [LIMIT n].",
      },
      "TIMELINE|OUTCOME": {
        arity: -4,
        keys: none,
        complexity: "O(N), N: order keys",
        summary:
          "Returns the outcome of writes of an evicted daemon: TIMELINE OUTCOME daemon order-key [order-key ...].",
      },
      "TIMELINE|REPAIR": {
        arity: -2,
        keys: none,
        complexity: "O(1), and O(N) of work in the background, N: keys",
        summary: "Compares the mirror with the state, and repairs differences: TIMELINE REPAIR [TAKEOVER].",
      },
      "TIMELINE|STATUS": {
        arity: -2,
        keys: none,
        complexity: "O(N), N: members",
        summary: "Describes the timeline and the members: TIMELINE STATUS [UPTO ms].",
      },
    }),
  });
};

function rowsOf(
  rows: Readonly<Record<TimelineCommandName, TimelineRow>>,
): Readonly<Record<string, CommandRow>> {
  return Object.fromEntries(
    Object.entries(rows).map(([name, { flags = [], ...row }]) => [
      name,
      { ...row, flags: ["admin", "noscript", ...flags], since: "", run: refuse },
    ]),
  );
}

/** Throws an error. Its text must be the same on every daemon, because the fold may also execute the command. */
function refuse(): Reply {
  throw custom(
    "ERR TIMELINE is answered by daemons with --data or --peer, to signed envelopes (version 2) that change nothing, " +
      "without multi",
  );
}

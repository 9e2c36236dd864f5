/** `dbsync blame KEY`: shows the commands that produced the current value of a key, with their signers. */
import type { Command } from "commander";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { addClientOptions, addDatabaseOption, type ClientFlags } from "../cli/shared/client-options.js";
import { parsePastDate } from "../cli/shared/date-text.js";
import { exitCodeHelp } from "../cli/shared/exit-codes.js";
import { fieldsOf, JSON_FLAG, printJson, printLine } from "../cli/shared/output.js";
import { HISTORY_TIMEOUT_MS, queryHistory } from "./history-queries.js";
import { formatHistory, historyJson, readHistory } from "./recorded-units.js";

interface BlameFlags extends ClientFlags {
  readonly from?: string;
}

export function addBlame(program: Command): void {
  addDatabaseOption(
    addClientOptions(
      program
        .command("blame")
        .description("show the commands that led to the value of a key, with their signers"),
      HISTORY_TIMEOUT_MS,
    ),
  )
    .argument("<key>")
    .option("--from <date>", "only since this date: -2h, 2027-01-31 (default: the earliest recorded date)")
    .option(
      JSON_FLAG,
      'print JSON: {"units": […], "writer": …}, ids in full, dates in milliseconds since 1970, strings that are not UTF-8 as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
For administrators (-k) of daemons with a timeline (--data, --peer). Each line is a command that created, changed or
removed the key; there is no line for its expiry. If several commands of an envelope may have changed it, all are shown.

Examples:
  dbsync blame visits -k root-private.pem
  dbsync blame cart:17 --from -1d -k root-private.pem
${exitCodeHelp("no daemon could answer")}`,
    )
    .action(blame);
}

function blame(key: string, flags: BlameFlags): Promise<void> {
  return queryHistory(flags, async (query) => {
    const now = realEnvironment.wallClock();
    const since =
      flags.from === undefined
        ? []
        : ["FROM", String(parsePastDate(flags.from, { option: "--from", now, end: false }))];
    const { address, reply } = await query(["TIMELINE", "BLAME", key, ...since]);
    const { before, writer } = fieldsOf(reply);
    const history = readHistory(reply);
    const shown = JSON.stringify(key);
    if (flags.json)
      printJson({ daemon: address, ...historyJson(history), before: before ?? null, writer: writer ?? null });
    else if (history.units.length > 0) {
      if (before != null) printLine(`${shown} already existed, written by ${String(before)}`);
      process.stdout.write(formatHistory(history));
      if (writer == null) printLine(`${shown} does not exist now.`);
    } else printLine(writer == null ? `${shown} was never written.` : `${shown} has not changed since then.`);
  });
}

/** `dbsync log`: what was recorded, by whom, and what came of it. */
import type { Command } from "commander";
import { realEnvironment } from "../../shared/environment.js";
import { askEach, idOf, ringsOf } from "../keys/key-ring.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
} from "../shared/client-options.js";
import { parsePastDate } from "../shared/dates.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "../shared/output.js";
import { addLogVerify } from "./log-verify.js";
import { formatPast, readPast } from "./past-report.js";
import { lookingBack, PAST_TIMEOUT_MS } from "./past-settings.js";

interface LogFlags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly touching?: string;
  readonly signer?: string;
  readonly limit?: number;
}

export function addLog(program: Command): void {
  const command = program
    .command("log")
    .description("show what was recorded: when, by whom, what, and what came of it")
    .enablePositionalOptions();
  addDatabaseOption(addClientOptions(command, PAST_TIMEOUT_MS))
    .option(
      "--from <date>",
      "since then: -2h, -7d, 2027-01-31, 2027-01-31T12:00Z (default: an hour before --to)",
    )
    .option("--to <date>", "until then, likewise (default: now)")
    .option("--touching <key>", "only what has to do with this key")
    .option("--signer <key>", "only this signer: id, its first digits, label, or file as public.pem")
    .option("--limit <number>", "how many, the newest (default: 100)", (text) =>
      readCount(text, "A limit is"),
    )
    .option(JSON_FLAG, 'print JSON: {"units": […], "left": …}, ids in full, dates in milliseconds since 1970')
    .addHelpText(
      "after",
      `
For administrators (-k), of daemons that have a timeline (--data, --peer). One daemon is asked, the first of the
list that answers; it folds what it has recorded anew, beside its other work.

Examples:
  dbsync log -k root-private.pem
  dbsync log --from -2h --touching visits -k root-private.pem
  dbsync log --from 2027-01-31 --signer web --json -k root-private.pem
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem
${exitCodeHelp("no daemon could tell")}`,
    )
    .action(log);
  addLogVerify(command);
}

function log(flags: LogFlags): Promise<void> {
  return lookingBack(flags, async (ask, settings) => {
    const now = realEnvironment.wallClock();
    const words = ["TIMELINE", "LOG"];
    const { from, to, touching, signer, limit } = flags;
    if (from !== undefined)
      words.push("FROM", String(parsePastDate(from, { option: "--from", now, end: false })));
    if (to !== undefined) words.push("TO", String(parsePastDate(to, { option: "--to", now, end: true })));
    if (touching !== undefined) words.push("KEY", touching);
    if (signer !== undefined) {
      const { key } = openFrom(settings);
      const ring = async () => ringsOf(await askEach(settings, key, ["KEY", "LIST"]))[0].keys;
      words.push("SIGNER", await idOf(signer, ring));
    }
    if (limit !== undefined) words.push("LIMIT", String(limit));
    const { address, reply } = await ask(words);
    const past = readPast(reply);
    if (flags.json) printJson({ daemon: address, ...past });
    else if (past.units.length === 0) printLine("Nothing was recorded in that time.");
    else process.stdout.write(formatPast(past));
  });
}

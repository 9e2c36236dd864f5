/** `dbsync status`: what each daemon says of itself, side by side, and what is not as it should be. */
import type { Command } from "commander";
import type { Settings } from "../../client/settings/options.js";
import { loadSigningKey } from "../../client/settings/signing-key.js";
import type { ServerAddress } from "../../client/shared/server-url.js";
import { terminalColumns } from "../../net/terminal/table.js";
import { JSON_URL_HELP, readJsonUrl } from "../json/json-server.js";
import { addClientOptions, type ClientFlags, readSettings } from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import { trusted } from "../shared/server-url.js";
import { explanation } from "./explanation.js";
import { readFleets } from "./fleet-status.js";
import { readFullStatus } from "./read-status.js";
import { formatStatus } from "./status-text.js";
import { beginWatching, type Show } from "./watching.js";

interface StatusFlags extends ClientFlags {
  readonly watch?: boolean;
  readonly explain?: boolean;
}

/** Milliseconds after which a server of documents is given up that says nothing. */
const FLEET_MS = 3000;
/** Milliseconds between two looks. */
const WATCH_EVERY_MS = 2000;

export function addStatus(program: Command): void {
  addClientOptions(
    program
      .command("status")
      .description("show every daemon's state, clock, software, keys, memory, its timeline and members"),
  )
    .argument(
      "[url...]",
      `of daemons with --json-replica: ${JSON_URL_HELP}. With -s the others are shown, too`,
      (text, all: readonly ServerAddress[] = []) => [...all, readJsonUrl(text)],
    )
    .option("--watch", "again every 2 s, until Ctrl-C: on a terminal in its place, else one below the other")
    .option("--explain", "say what each column means, and ask no daemon")
    .option(
      JSON_FLAG,
      'print JSON: {"daemons": […], "fleets": […]}, ids in full; with --watch a line each time',
    )
    .addHelpText(
      "after",
      `
No key is needed for the first table: daemons say this to everybody. Daemons that speak version 1 only say
nothing of themselves. With any key that they know, it is seen whether the databases behind them answer. With
an administrator's key they tell of their software, keys, memory and clients, and those with --data or --peer
of their timelines and members. Daemons with --json-replica tell by the JSON protocol which of them leads, and
what the servers of their lists lack or refuse. Tables are 80 columns wide at most, or as wide as the terminal;
what is cut stands in --json.

A line behind the tables begins with FAIL, or with WARN for what need not be wrong, or mostly passes by itself.

Examples:
  dbsync status
  dbsync status -s 10.0.0.1,10.0.0.2 --json
  dbsync status --watch -k root-private.pem
  dbsync status --explain
  dbsync status json://10.0.0.1 json://10.0.0.2
${exitCodeHelp("there is a FAIL: a daemon is not reached, not live, of another cluster, or something of it is wrong")}`,
    )
    .action(status);
}

async function status(urls: readonly ServerAddress[], flags: StatusFlags): Promise<void> {
  if (flags.explain) return printText(explanation(terminalColumns()));
  const settings = urls.length > 0 && flags.servers === undefined ? null : readSettings(flags);
  const servers = urls.map((url) => trusted(url, flags.ca));
  const show = flags.watch ? beginWatching(showOnce(flags), flags.json ?? false) : showOnce(flags);
  for (;;) {
    const [daemons, fleets] = await Promise.all([
      settings === null ? [] : readFullStatus(settings),
      readFleets(servers, flags.timeout ?? FLEET_MS),
    ]);
    process.exitCode = lookCode([...daemons, ...fleets], settings);
    show(daemons, fleets);
    if (!flags.watch) return;
    await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
  }
}

/** A key that cannot be used leaves out much, and is no fault of the daemons'. */
export function lookCode(seen: readonly { readonly ok: boolean }[], settings: Settings | null): ExitCode {
  if (!seen.every(({ ok }) => ok)) return EXIT.failed;
  try {
    if (settings !== null) loadSigningKey(settings);
    return EXIT.ok;
  } catch (error) {
    return exitCodeOf(error);
  }
}

const showOnce =
  ({ json }: StatusFlags): Show =>
  (daemons, fleets) => {
    if (json) printJson({ daemons, ...(fleets.length === 0 ? {} : { fleets }) });
    else printText(formatStatus(daemons, fleets, { columns: terminalColumns(), stream: process.stdout }));
  };

function printText(text: string): void {
  process.stdout.write(text);
}

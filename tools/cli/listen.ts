/**
 * `dbsync subscribe` and `dbsync watch`: print the messages of channels, or the keys that change, one per line, until
 * the user stops them.
 */
import type { Command } from "commander";
import type { CallingClient } from "../../client/client.js";
import type { ChannelEvent, WatchEvent } from "../../client/live/live-events.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { shown } from "../../daemon/net/terminal/terminal-text.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "./shared/client-options.js";
import { exitCodeHelp, exitCodeOf } from "./shared/exit-codes.js";
import { JSON_FLAG, printJson, printJsonError, printNotice } from "./shared/output.js";

type Event = ChannelEvent | WatchEvent;

interface ListenFlags extends ClientFlags {
  readonly count?: number;
  readonly pattern?: boolean;
  readonly shard?: boolean;
  readonly prefix?: boolean;
  readonly db?: number;
}

const FAILED = "the key has no permission for these events, or no daemon accepts subscriptions";
const GAPS =
  "If events may have been missed, a line on stderr reports a gap (with --json a line on stdout). If the connection to the\n" +
  "daemon is lost, the next daemon of the list is used.";

export function addSubscribe(program: Command): void {
  const command = program.command("subscribe").description("print the messages of channels (PUBLISH)");
  shared(command)
    .option("--pattern", "treat the names as patterns, and receive all channels that match")
    .option("--shard", "receive shard channels")
    .argument("<channel...>", "names of channels")
    .addHelpText(
      "after",
      `
Each message is a line: the channel, a tab, the text.
${GAPS}

Examples:
  dbsync subscribe -k private.pem news
  dbsync subscribe -k private.pem --pattern "news.*" --json
  dbsync subscribe -s 10.0.0.1,10.0.0.2 -k private.pem --count 1 done
${exitCodeHelp(FAILED)}`,
    )
    .action((channels: string[], flags: ListenFlags) =>
      listen(flags, (client) =>
        channels.map((name) => {
          if (flags.pattern) return client.subscribe({ pattern: name });
          return client.subscribe(flags.shard ? { shard: name } : name);
        }),
      ),
    );
}

export function addWatch(program: Command): void {
  const command = program.command("watch").description("print the keys that change");
  addDatabaseOption(shared(command))
    .option("--prefix", "watch all keys that begin with the given names")
    .argument("<key...>", "names of keys; with --prefix their beginnings")
    .addHelpText(
      "after",
      `
Each event is a line: changed, deleted, expired or evicted, a tab, the key.
${GAPS}

Examples:
  dbsync watch -k private.pem balance
  dbsync watch -k private.pem --prefix user: --json
${exitCodeHelp(FAILED)}`,
    )
    .action((keys: string[], flags: ListenFlags) =>
      listen(flags, (client) =>
        keys.map((name) => client.watch(flags.prefix ? { prefix: name } : name, { db: flags.db })),
      ),
    );
}

function shared(command: Command): Command {
  return addClientOptions(command)
    .option("--count <n>", "exit after this number of events", (text) => readCount(text, "Lines are"))
    .option(JSON_FLAG, "print each event as a line of JSON");
}

async function listen(
  flags: ListenFlags,
  begin: (client: CallingClient) => readonly AsyncIterableIterator<Event>[],
): Promise<void> {
  const { client } = openFrom(readSettings(flags));
  let remaining = flags.count ?? Number.POSITIVE_INFINITY;

  const print = async (events: AsyncIterableIterator<Event>): Promise<void> => {
    for await (const event of events) {
      const isCounted = event.type !== "open" && event.type !== "gap";
      if (isCounted && remaining-- <= 0) return;
      show(event, flags);
      if (remaining <= 0) return;
    }
  };

  try {
    const all = begin(client).map(print);
    // Settles when the last requested event has been printed, or an iterator has failed or ended.
    await Promise.race(all);
  } catch (error) {
    if (flags.json) process.exitCode = printJsonError(error);
    else if (error instanceof DbsyncError) {
      printNotice(error.message);
      process.exitCode = exitCodeOf(error);
    } else throw error;
  } finally {
    await client.close();
  }
}

function show(event: Event, { json }: ListenFlags): void {
  if (json) printJson(event);
  else if (event.type === "message") printColumns(event.channel, String(event.text));
  else if (event.type === "gap") printNotice(`a gap: ${event.reason}: ${event.detail}`);
  else if (event.type !== "open") printColumns(event.type, String(event.key));
}

/** Prints two texts separated by a tab. */
function printColumns(first: string, second: string): void {
  const texts = process.stdout.isTTY ? [shown(first), shown(second)] : [first, second];
  process.stdout.write(`${texts.join("\t")}\n`);
}

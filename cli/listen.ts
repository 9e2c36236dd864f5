/** `dbsync subscribe` and `dbsync watch`: print the messages of channels, and the keys that change, one per line, until the user stops them. */
import type { Command } from "commander";
import type { ListenedClient } from "../client/client.js";
import type { ChannelEvent, WatchEvent } from "../client/live/live-event.js";
import { DbsyncError } from "../client/shared/errors.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "./shared/client-options.js";
import { exitCodeHelp, exitCodeOf } from "./shared/exit-codes.js";
import { JSON_FLAG, printJson, printJsonError, printLine } from "./shared/output.js";

type Event = ChannelEvent | WatchEvent;

interface ListenFlags extends ClientFlags {
  readonly count?: number;
  readonly pattern?: boolean;
  readonly shard?: boolean;
  readonly prefix?: boolean;
  readonly db?: number;
}

const FAILED = "the key has no permission to receive it, or no daemon takes subscriptions";
const GAPS =
  "Where something may have been missed a line on stderr says so (with --json it is one of the lines). When the daemon that is\n" +
  "listened to is lost, the next one is.";

export function addSubscribe(program: Command): void {
  const command = program.command("subscribe").description("print the messages of channels (PUBLISH)");
  shared(command)
    .option("--pattern", "receive the channels that match the names")
    .option("--shard", "receive shard channels")
    .argument("<channel...>", "names of channels")
    .addHelpText(
      "after",
      `
A line each: the channel, a tab, the text.
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
    .option("--prefix", "watch all keys that begin so")
    .argument("<key...>", "names of keys, or how they begin")
    .addHelpText(
      "after",
      `
A line each: changed, deleted, expired or evicted, a tab, the key.
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
    .option("--count <n>", "end after this number of lines", (text) => readCount(text, "Lines are"))
    .option(JSON_FLAG, "print each event as JSON, in a line");
}

async function listen(
  flags: ListenFlags,
  begin: (client: ListenedClient) => readonly AsyncIterableIterator<Event>[],
): Promise<void> {
  const { client } = openFrom(readSettings(flags));
  let left = flags.count ?? Number.POSITIVE_INFINITY;
  const print = async (events: AsyncIterableIterator<Event>): Promise<void> => {
    for await (const event of events) {
      const isCounted = event.type !== "open" && event.type !== "gap";
      if (isCounted && left-- <= 0) return;
      show(event, flags);
      if (left <= 0) return;
    }
  };
  try {
    const all = begin(client).map(print);
    // Settles when one of them has printed the last line, or has failed.
    await Promise.race(all);
  } catch (error) {
    if (flags.json) process.exitCode = printJsonError(error);
    else if (error instanceof DbsyncError) {
      process.stderr.write(`dbsync: ${error.message}\n`);
      process.exitCode = exitCodeOf(error);
    } else throw error;
  } finally {
    await client.close();
  }
}

function show(event: Event, { json }: ListenFlags): void {
  if (json) printJson(event);
  else if (event.type === "message") printLine(`${event.channel}\t${event.text}`);
  else if (event.type === "gap") process.stderr.write(`dbsync: a gap: ${event.reason}: ${event.detail}\n`);
  else if (event.type !== "open") printLine(`${event.type}\t${event.key}`);
}

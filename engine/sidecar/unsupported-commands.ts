/**
 * The commands of Redis clients that a sidecar neither sends to the daemons nor answers itself, each with the reason.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import type { Command } from "../../store/rows/command-row.js";
import { waitsByOption } from "../../store/rows/wait-rule.js";

const WAITS =
  "it waits for data, but a signed command is applied once, at its date: repeat a command that does not wait";
const STREAMS =
  "it turns its connection into a stream of messages, but the daemons send one answer to each signed command";
const MESSAGES = "channels belong to the daemon that a client is connected to, but no client listens here";
const SHOWS = "the commands that the daemons accept do not pass through the sidecar: dbsync log shows them";
const COPIES = "only the daemons know which of them have a write: --policy sets how many must answer";
const INSIDE = "it concerns a daemon's internals, but this daemon has no data";
const DECIDES = "a script reads data while it runs, but this daemon has no data";
const STORES_NOTHING = "this daemon stores nothing: the other daemons do";

const REASONS: readonly (readonly [reason: string, names: string])[] = [
  [WAITS, "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN"],
  [STREAMS, "SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE"],
  [
    MESSAGES,
    "PUBLISH SPUBLISH PUBSUB|CHANNELS PUBSUB|NUMPAT PUBSUB|NUMSUB PUBSUB|SHARDCHANNELS PUBSUB|SHARDNUMSUB",
  ],
  [SHOWS, "MONITOR"],
  [COPIES, "WAIT"],
  [INSIDE, "DEBUG"],
  [DECIDES, "EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO FUNCTION|LOAD FUNCTION|RESTORE SCRIPT|LOAD"],
  [STORES_NOTHING, "SAVE BGSAVE BGREWRITEAOF LASTSAVE"],
];

/** The errors for unsupported commands, by command name in upper case. */
export const UNSUPPORTED_COMMANDS: ReadonlyMap<string, ErrorReply> = new Map(
  REASONS.flatMap(([reason, names]) =>
    names.split(" ").map((name) => [name, refusalOf(name, reason)] as const),
  ),
);

/** Returns the error for a call that waits because of an option, or null for any other call. */
export function refusalOfForm({ name, waitsFor }: Command, argv: readonly ByteString[]): ErrorReply | null {
  return waitsByOption(waitsFor, argv) ? refusalOf(`${name} with BLOCK`, WAITS) : null;
}

function refusalOf(name: string, reason: string): ErrorReply {
  return error(`ERR ${name} is not supported by dbsyncd -d dbsync: ${reason}`);
}

/** Commands of Redis clients that are neither sent to the daemons nor answered here, each with the reason. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { valuesOf } from "../../store/commands/streams/read-options.js";

const WAITS = "it waits for data, and what is signed is applied once, at its date: ask again without waiting";
const STREAMS =
  "it makes a stream of messages of its connection, and the daemons give one answer to each signed command";
const MESSAGES = "channels are of the daemon that a client is connected to, and no client listens here";
const SHOWS = "the commands that the daemons take do not pass by here: dbsync log shows them";
const COPIES = "which daemons have a write is known to them: --policy says how many have to answer";
const INSIDE = "it is about the insides of a daemon, and this one has no data of its own";
const DECIDES = "a script decides by data as it runs, and this daemon has none of its own";
const KEEPS = "nothing is kept here: the daemons do that";

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
  [KEEPS, "SAVE BGSAVE BGREWRITEAOF LASTSAVE"],
];

/** Errors by the name of a command in upper case. */
export const UNCARRIED: ReadonlyMap<string, ErrorReply> = new Map(
  REASONS.flatMap(([reason, names]) =>
    names.split(" ").map((name) => [name, refusalOf(name, reason)] as const),
  ),
);

/** Errors of reads that wait, by the name of the command. */
const WAITING_READS: ReadonlyMap<string, ErrorReply> = new Map(
  ["XREAD", "XREADGROUP"].map((name) => [name, refusalOf(`${name} with BLOCK`, WAITS)]),
);

/** Returns the error for a form of a command that is not carried; null: it is. */
export function refusalOfForm(argv: readonly ByteString[]): ErrorReply | null {
  const refusal = WAITING_READS.get(argv[0]?.toUpperCase() ?? "");
  if (refusal === undefined) return null;
  for (let at = 1; at < argv.length; at += 1 + valuesOf(argv[at] as ByteString)) {
    const word = argv[at]?.toUpperCase();
    if (word === "STREAMS") return null;
    if (word === "BLOCK") return refusal;
  }
  return null;
}

function refusalOf(name: string, reason: string): ErrorReply {
  return error(`ERR ${name} is not carried by dbsyncd -d dbsync: ${reason}`);
}

/** Commands of Redis clients that are not carried to the daemons, nor answered here, each with the reason. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";

const WAITS = "it waits for data, and what is signed is applied once, at its date: ask again without waiting";
const STREAMS =
  "it makes a stream of messages of its connection, and the daemons give one answer to each signed command";
const MESSAGES = "channels are of the daemon that a client is connected to, and nobody listens here";
const SHOWS = "the commands that the daemons take do not pass by here: dbsync log shows them";
const COPIES = "which daemons have a write is known to them: --policy says how many have to answer";
const INSIDE = "it is about the insides of a daemon, and this one has no data of its own";
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
  [KEEPS, "SAVE BGSAVE BGREWRITEAOF LASTSAVE"],
];

/** By the name in upper case. */
export const UNCARRIED: ReadonlyMap<string, ErrorReply> = new Map(
  REASONS.flatMap(([reason, names]) =>
    names.split(" ").map((name) => [name, refusalOf(name, reason)] as const),
  ),
);

const XREAD_WAITS = refusalOf("XREAD with BLOCK", WAITS);

/** Of a command that is carried, in a form that is not. */
export function refusalOfForm(argv: readonly ByteString[]): ErrorReply | null {
  if (argv[0]?.toUpperCase() !== "XREAD") return null;
  for (const word of argv) {
    const upper = word.toUpperCase();
    if (upper === "STREAMS") return null;
    if (upper === "BLOCK") return XREAD_WAITS;
  }
  return null;
}

function refusalOf(name: string, reason: string): ErrorReply {
  return error(`ERR ${name} is not carried by dbsyncd -d dbsync: ${reason}`);
}

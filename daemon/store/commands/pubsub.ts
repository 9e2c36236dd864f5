/**
 * Channels, which carry messages to subscribers. The messages are not data. faces/redis implements the commands for
 * connections. The rows are those of redis-server 7.0.
 */
import type { Command, Flag } from "../rows/command-row.js";
import { container, listenerRows } from "../rows/listener-rows.js";

const LISTENING: readonly Flag[] = ["pubsub", "noscript", "loading", "stale"];
const PUBLISHING: readonly Flag[] = ["pubsub", "loading", "stale", "fast"];
const ASKING: readonly Flag[] = ["pubsub", "loading", "stale"];
const SUBSCRIBED = "O(N), N: channels named";

const pubsubRows = listenerRows("pubsub", {
  "PUBSUB|CHANNELS": [-2, ASKING, "2.8.0", "O(N), N: channels", "Returns the channels with subscribers."],
  "PUBSUB|NUMPAT": [2, ASKING, "2.8.0", "O(1)", "Counts the patterns with subscribers."],
  "PUBSUB|NUMSUB": [-2, ASKING, "2.8.0", SUBSCRIBED, "Counts the subscribers of channels, without patterns."],
  "PUBSUB|SHARDCHANNELS": [
    -2,
    ASKING,
    "7.0.0",
    "O(N), N: channels",
    "Returns the shard channels with subscribers.",
  ],
  "PUBSUB|SHARDNUMSUB": [-2, ASKING, "7.0.0", SUBSCRIBED, "Counts the subscribers of shard channels."],
});

export const pubsub: readonly Command[] = [
  ...listenerRows("pubsub", {
    PUBLISH: [
      3,
      PUBLISHING,
      "2.0.0",
      "O(N), N: subscribers",
      "Sends a message to the subscribers of a channel.",
      { anyMaster: true, method: "channel message: number", channels: "first" },
    ],
    SPUBLISH: [
      3,
      PUBLISHING,
      "7.0.0",
      "O(N), N: subscribers",
      "Sends a message to the subscribers of a shard channel.",
      { channels: "first", keyRange: [1, 1, 1] },
    ],
  }),
  ...listenerRows(
    "pubsub",
    {
      PSUBSCRIBE: [
        -2,
        LISTENING,
        "2.0.0",
        "O(N), N: patterns named",
        "Subscribes to the channels that match patterns.",
        { channels: "patterns" },
      ],
      PUNSUBSCRIBE: [
        -1,
        LISTENING,
        "2.0.0",
        "O(N), N: patterns named",
        "Unsubscribes from patterns, or from all.",
      ],
      SSUBSCRIBE: [
        -2,
        LISTENING,
        "7.0.0",
        SUBSCRIBED,
        "Subscribes to shard channels.",
        { channels: "all", keyRange: [1, -1, 1] },
      ],
      SUBSCRIBE: [-2, LISTENING, "2.0.0", SUBSCRIBED, "Subscribes to channels.", { channels: "all" }],
      SUNSUBSCRIBE: [
        -1,
        LISTENING,
        "7.0.0",
        SUBSCRIBED,
        "Unsubscribes from shard channels, or from all.",
        { keyRange: [1, -1, 1] },
      ],
      UNSUBSCRIBE: [-1, LISTENING, "2.0.0", SUBSCRIBED, "Unsubscribes from channels, or from all."],
    },
    { connectionUse: "listens" },
  ),
  ...container("PUBSUB", "2.8.0", pubsubRows, "6.2.0", "server"),
];

/** The face of Redis clients (--resp). */
import type { UserFace } from "../users/user-face.js";
import { checkRedisOptions, REDIS_LIMITS, REDIS_OPTIONS } from "./options.js";
import { bitmaps } from "./store/commands/bitmaps/bitmaps.js";
import { dumps } from "./store/commands/dump.js";
import { geo } from "./store/commands/geo/geo.js";
import { hyperloglogs } from "./store/commands/hyperloglogs.js";
import { sorting } from "./store/commands/sort.js";
import { consumerGroups } from "./store/commands/streams/consumer-groups.js";
import { streams } from "./store/commands/streams/streams.js";
import { STREAM_KIND } from "./store/values/streams/stream.js";

/** Matches the arrays of Redis clients, and the lines that people type to test a Redis server. */
const RESP = /^(?:\*[1-9]\d{0,6}\r\n\$\d{1,9}\r\n|(?:ping|info|hello \d|auth \S+)(?: \S+)?\r?\n)/i;

export const redis: UserFace = {
  options: REDIS_OPTIONS,
  limits: REDIS_LIMITS,
  checkOptions: checkRedisOptions,
  speaks: {
    ports: { resp: "Redis clients (--resp)" },
    protocols: [
      {
        protocol: "resp",
        begins: (head) => RESP.test(head),
        served: "a Redis client; --resp serves Redis clients",
        answer: (text) => `-ERR ${text}\r\n`,
      },
    ],
  },
  families: {
    "redis/bitmaps": { rows: bitmaps },
    "redis/hyperloglogs": { rows: hyperloglogs },
    "redis/dumps": { rows: dumps },
    "redis/sorting": { rows: sorting },
    "redis/streams": { rows: [...streams, ...consumerGroups], kinds: [STREAM_KIND] },
    "redis/geo": { rows: geo },
  },
  metrics: async () => (await import("./metrics.js")).METRICS,
  listener: "resp",
  load: async () => (await import("./resp-listener.js")).RespListener,
};

/** The face of Redis clients (--resp). */
import { registerValueKind } from "../../daemon/store/values/value-kinds.js";
import type { UserFace } from "../users/user-face.js";
import { checkRedisOptions, REDIS_LIMITS, REDIS_OPTIONS } from "./options.js";

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
    "redis/bitmaps": async () => (await import("./store/commands/bitmaps/bitmaps.js")).bitmaps,
    "redis/hyperloglogs": async () => (await import("./store/commands/hyperloglogs.js")).hyperloglogs,
    "redis/dumps": async () => (await import("./store/commands/dump.js")).dumps,
    "redis/sorting": async () => (await import("./store/commands/sort.js")).sorting,
    "redis/streams": async () => {
      registerValueKind((await import("./store/values/streams/stream.js")).STREAM_KIND);
      const { streams } = await import("./store/commands/streams/streams.js");
      const { consumerGroups } = await import("./store/commands/streams/consumer-groups.js");
      return [...streams, ...consumerGroups];
    },
    "redis/geo": async () => (await import("./store/commands/geo/geo.js")).geo,
  },
  metrics: async () => (await import("./metrics.js")).METRICS,
  listener: "resp",
  load: async () => (await import("./resp-listener.js")).RespListener,
};

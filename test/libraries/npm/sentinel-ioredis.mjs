/**
 * Increments a counter by ioredis at the master that sentinels name, until its input ends. Prints a number after each
 * increment, and at the end the number of failed ones by error. Arguments: the name of the master, and the sentinels'
 * ports.
 */
import { Redis } from "ioredis";
import { repeat } from "./repeat.mjs";
import { Connector } from "./sentinel-connector.mjs";

const [name, ...ports] = process.argv.slice(2);
const redis = new Redis({
  sentinels: ports.map((port) => ({ host: "127.0.0.1", port: Number(port) })),
  name,
  Connector,
  failoverDetector: true,
  connectTimeout: 1_000,
  // Without these limits, ioredis waits forever for a daemon that hangs, and for its sentinel. Without the strategy, it
  // does not subscribe again at a sentinel that was down.
  sentinelCommandTimeout: 1_000,
  sentinelReconnectStrategy: () => 1_000,
  socketTimeout: 5_000,
});
redis.on("error", () => {});
await repeat(() => redis.incr("counter"));
redis.disconnect();

/** Increments a counter by node-redis at the master that sentinels name, as sentinel-ioredis.mjs does by ioredis. */
import { createSentinel } from "redis";
import { repeat } from "./repeat.mjs";

const [name, ...ports] = process.argv.slice(2);
const sentinel = createSentinel({
  name,
  sentinelRootNodes: ports.map((port) => ({ host: "127.0.0.1", port: Number(port) })),
  nodeClientOptions: { socket: { connectTimeout: 1_000 } },
  sentinelClientOptions: { socket: { connectTimeout: 1_000 } },
  scanInterval: 500,
});
sentinel.on("error", () => {});
await sentinel.connect();
await repeat(() => sentinel.incr("counter"));
sentinel.destroy();

/** The face of clients of Redis Sentinel (--sentinel). */
import type { UserFace } from "../users/user-face.js";
import { checkSentinelOptions, SENTINEL_OPTIONS } from "./options.js";

export const sentinel: UserFace = {
  options: SENTINEL_OPTIONS,
  checkOptions: checkSentinelOptions,
  // Clients of sentinels send the same bytes as Redis clients, so faces/redis recognizes them.
  speaks: { ports: { sentinel: "clients of Redis Sentinel (--sentinel)" }, protocols: [] },
  listener: "sentinel",
  load: async () => (await import("./sentinel-listener.js")).SentinelListener,
};

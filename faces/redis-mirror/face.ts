/** Writes the state of a daemon with a timeline to a Redis (-d redis in addition to the timeline). */
import { loadWith } from "../../daemon/net/process/service.js";
import { mirrorOf } from "../../daemon/options/settings.js";
import type { Face } from "../../daemon/program/face.js";
import { MIRROR_OPTIONS } from "./options.js";

export const redisMirror: Face = {
  options: MIRROR_OPTIONS,
  metrics: async () => (await import("./metrics.js")).METRICS,
  async openMirror(options, replica, current) {
    if (replica.mirrored === null || mirrorOf(options.settings) === null) return null;
    const { makeMirror } = await loadWith("ioredis", "-d redis", () => import("./mirror.js"));
    return makeMirror(options, replica, current);
  },
};

/** Makes the mirror of the fold that -d redis names, where there is a timeline. ioredis is loaded only then. */
import type { KeptWrites } from "../cluster/node/kept-writes.js";
import type { Mirror } from "../engine/mirror/mirror.js";
import { loadWith } from "../net/process/optional-package.js";
import { mirrorOf, type Settings } from "../options/settings.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import type { Timeline } from "../timeline/timeline.js";
import type { DaemonOptions } from "./core.js";

/** Makes the mirror, which is not started yet; null: there is none. @param current  the present settings */
export async function makeMirror(
  { settings, environment, log }: DaemonOptions,
  kept: KeptWrites | null,
  current: () => Settings,
): Promise<Mirror | null> {
  const specification = mirrorOf(settings);
  if (kept?.mirrored == null || specification === null) return null;
  const { Mirror } = await loadWith("ioredis", "-d redis", () => import("../engine/mirror/mirror.js"));
  const { timeline, backend, history } = kept.mirrored;
  const mirror = new Mirror({
    specification,
    environment,
    log,
    daemon: hexOf(kept.identity.id),
    cluster: hexOf(kept.signers.cluster),
    timeout: () => current().limits.backendTimeout,
    keys: settings.mirrorKeys,
    compareEvery: settings.mirrorCompareEvery,
    compareRate: settings.mirrorCompareRate,
    fold: {
      changes: backend.changes,
      get database() {
        return timeline.database;
      },
      get newest() {
        return timeline.newest;
      },
      get whole() {
        return wholeOf(timeline);
      },
    },
  });
  history.mirror = mirror;
  return mirror;
}

/**
 * Entries that are left out, as those after a standstill, are in the index and not in the state: another release
 * would apply them.
 */
export function wholeOf({ index, figures, standstill }: Timeline): string {
  if (figures.waiting > 0 || standstill !== null) return "";
  const [ring, data] = [index.total("ring"), index.total("data")];
  return `${ring.count}:${hexOf(ring.sum)}/${data.count}:${hexOf(data.sum)}`;
}

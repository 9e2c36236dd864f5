/** Creates the mirror of the fold in the Redis of -d, on a daemon with a timeline. Loads ioredis only then. */

import type { Mirror } from "../../faces/redis-mirror/mirror.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { RecordedWrites } from "../cluster/node/recorded-writes.js";
import { loadWith } from "../net/process/optional-package.js";
import { mirrorOf, type Settings } from "../options/settings.js";
import type { Timeline } from "../timeline/timeline.js";
import type { DaemonOptions } from "./core.js";

/** Creates the mirror without starting it, or returns null if there is none. @param current  returns the settings */
export async function makeMirror(
  { settings, environment, log }: DaemonOptions,
  recorded: RecordedWrites | null,
  current: () => Settings,
): Promise<Mirror | null> {
  const specification = mirrorOf(settings);
  if (recorded?.mirrored == null || specification === null) return null;
  const { Mirror } = await loadWith(
    "ioredis",
    "-d redis",
    () => import("../../faces/redis-mirror/mirror.js"),
  );
  const { timeline, backend, history } = recorded.mirrored;
  const mirror = new Mirror({
    specification,
    environment,
    log,
    daemon: hexOf(recorded.identity.id),
    cluster: hexOf(recorded.signers.cluster),
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
      get folded() {
        return completeSums(timeline);
      },
    },
  });
  history.mirror = mirror;
  return mirror;
}

/**
 * Returns sums of the entries that the state contains, or "" while some entries of the index are not applied. Entries
 * after a standstill are not applied until another release of dbsyncd runs.
 */
export function completeSums({ index, figures, standstill }: Timeline): string {
  if (figures.waiting > 0 || standstill !== null) return "";
  const [ring, data] = [index.total("ring"), index.total("data")];
  return `${ring.count}:${hexOf(ring.sum)}/${data.count}:${hexOf(data.sum)}`;
}

/** Creates the mirror of the fold in the Redis of -d, on a daemon with a timeline. */

import { completeSums } from "../../daemon/cluster/history/fold-mirror.js";
import type { RecordedWrites } from "../../daemon/cluster/node/recorded-writes.js";
import { mirrorOf, type Settings } from "../../daemon/options/settings.js";
import type { DaemonOptions } from "../../daemon/program/components.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { Mirror } from "./mirror.js";

/** Creates the mirror without starting it, or returns null if there is none. @param current  returns the settings */
export function makeMirror(
  { settings, environment, log }: DaemonOptions,
  recorded: RecordedWrites,
  current: () => Settings,
): Mirror | null {
  const specification = mirrorOf(settings);
  if (recorded.mirrored === null || specification === null) return null;
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

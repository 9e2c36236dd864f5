/** From -d redis beside a timeline to the mirror of its fold. ioredis is loaded only then. */
import type { Logger } from "pino";
import type { KeptWrites } from "../cluster/node/kept-writes.js";
import type { Mirror } from "../engine/mirror/mirror.js";
import type { Identity } from "../engine/trust/identity.js";
import type { Signers } from "../engine/trust/signers.js";
import type { Environment } from "../net/process/environment.js";
import { loadWith } from "../net/process/optional-package.js";
import { mirrorOf, type Settings } from "../options/settings.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import type { Timeline } from "../timeline/timeline.js";

export interface MirrorSources {
  readonly settings: Settings;
  /** As they are by now. */
  readonly current: () => Settings;
  readonly environment: Environment;
  readonly log: Logger;
}

/** Not started yet. null: there is none. */
export async function makeMirror(
  { settings, current, environment, log }: MirrorSources,
  kept: KeptWrites | null,
  { identity, signers }: { readonly identity: Identity; readonly signers: Signers | null },
): Promise<Mirror | null> {
  const specification = mirrorOf(settings);
  if (kept?.mirrored == null || signers === null || specification === null) return null;
  const { Mirror } = await loadWith("ioredis", "-d redis", () => import("../engine/mirror/mirror.js"));
  const { timeline, backend, history } = kept.mirrored;
  const mirror = new Mirror({
    specification,
    environment,
    log,
    daemon: hexOf(identity.id),
    cluster: hexOf(signers.cluster),
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

/** What is left out, as of behind a standstill, is in the index and not in the state: another release would apply it. */
export function wholeOf({
  index,
  figures,
  standstill,
}: Pick<Timeline, "index" | "figures" | "standstill">): string {
  if (figures.waiting > 0 || standstill !== null) return "";
  const [ring, data] = [index.total("ring"), index.total("data")];
  return `${ring.count}:${hexOf(ring.sum)}/${data.count}:${hexOf(data.sum)}`;
}

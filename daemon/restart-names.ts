/** Which settings cannot change while the daemon runs. */

import { formatDateWindow } from "./date-window.js";
import { formatFsync } from "./fsync.js";
import { formatPlace } from "./place.js";
import { formatRetention } from "./retention.js";
import type { Settings } from "./settings.js";

/** Long option names whose values differ and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  const old = Object.entries(valuesOf(before));
  const fresh = new Map<string, unknown>(Object.entries(valuesOf(after)));
  return old.filter(([name, value]) => fresh.get(name) !== value).map(([name]) => name);
}

function valuesOf(settings: Settings): Readonly<Record<string, unknown>> {
  const { bind, port, database, close, compat, admin, data, v1, limits } = settings;
  return {
    "cluster-name": settings.clusterName,
    window: formatDateWindow(settings.window),
    require: settings.require,
    "require-tls": settings.requireTls,
    ...{ bind, port, close, compat, data, v1 },
    fsync: formatFsync(settings.fsync),
    retain: formatRetention(settings.retain),
    "tail-seconds": limits.tailSeconds,
    "maxmemory-policy": settings.maxmemoryPolicy,
    "max-tail-bytes": limits.maxTailBytes,
    "max-timeline-bytes": limits.maxTimelineBytes,
    database: database.map((one) => JSON.stringify(one)).join(),
    "allow-unsigned": settings.allowUnsigned,
    resp: settings.resp === null ? null : formatPlace(settings.resp),
    json: settings.json === null ? null : formatPlace(settings.json),
    "json-replica": settings.jsonReplicas.map(({ host, port }) => `${host} ${port}`).join(),
    admin: admin === null ? null : formatPlace(admin),
    "log-format": settings.logFormat,
  };
}

/**
 * Metrics of keys and of commands of Redis clients. The counts exist already and are read when a client requests
 * metrics.
 */

import type { CountedFamily, CountedKeys } from "../../daemon/program/inspection/counted-keys.js";
import type { Sample } from "./http/metric.js";
import type { MetricRow, ValueRow } from "./metric-row.js";

export const KEY_METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_keys: ofKeys("gauge", ["db"], "Keys that have not expired, by database.", ({ keyCounts }) =>
    keyCounts.map(({ db, keys }) => ({ labels: { db: String(db) }, value: keys })),
  ),
  dbsyncd_expiring_keys: ofKeys("gauge", ["db"], "Keys that will expire, by database.", ({ keyCounts }) =>
    keyCounts.map(({ db, expiring }) => ({ labels: { db: String(db) }, value: expiring })),
  ),
  dbsyncd_expired_keys_total: ofKeys("counter", [], "Keys that have expired.", ({ expiredKeys }) => [
    { labels: {}, value: expiredKeys },
  ]),
  dbsyncd_key_lookups_total: ofKeys(
    "counter",
    ["outcome"],
    "Lookups of keys by reading commands, by outcome (hit, miss).",
    ({ changes: { lookups } }) => [
      { labels: { outcome: "hit" }, value: lookups.hits },
      { labels: { outcome: "miss" }, value: lookups.misses },
    ],
  ),
  dbsyncd_resp_commands_total: perFamily(
    "Commands of --resp, by family (string, hash, list, …).",
    ({ calls }) => calls,
  ),
  dbsyncd_resp_failed_commands_total: perFamily(
    "Commands of --resp that returned an error, by family.",
    ({ failed }) => failed,
  ),
  dbsyncd_resp_command_seconds_total: perFamily(
    "Total running time of commands of --resp, by family.",
    ({ seconds }) => seconds,
  ),
};

/** Returns a metric of the keys in memory, which has no samples if a backend stores the data. */
function ofKeys(
  type: ValueRow["type"],
  labels: readonly string[],
  help: string,
  read: (keys: CountedKeys) => readonly Sample<number>[],
): ValueRow {
  return {
    type,
    labels,
    help,
    read: ({ keys }) => {
      const counted = keys();
      return counted === null ? [] : read(counted);
    },
  };
}

/** Returns a metric with a sample for each family of commands that clients of --resp have called. */
function perFamily(help: string, read: (family: CountedFamily) => number): ValueRow {
  return {
    type: "counter",
    labels: ["family"],
    help,
    read: ({ families }) =>
      (families() ?? []).map((counts) => ({ labels: { family: counts.family }, value: read(counts) })),
  };
}

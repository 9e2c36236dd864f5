/** The options of the Redis that mirrors the state of a daemon with a timeline. */

import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { type LimitRow, limitForm } from "../../daemon/options/value-forms.js";

/** Limits of the Redis that mirrors the fold. */
const MIRROR_LIMITS = {
  keys: {
    flag: "mirror-keys",
    unit: "count",
    fallback: 100_000,
    min: 1000,
    max: 10_000_000,
    summary:
      "with -d redis and --data or --peer: changed keys that may wait for the mirror; above the limit, all keys are compared",
    reason:
      "about 100 bytes and the name of each key; a Redis that was disconnected for long is compared in any case",
  },
  every: {
    flag: "mirror-compare-every",
    unit: "time",
    fallback: 24 * 60 * 60 * 1000,
    min: 0,
    max: 30 * 24 * 60 * 60 * 1000,
    summary: "interval of complete comparisons of the mirror; 0: only when there is a reason",
    reason: "only a comparison finds writes of other clients that the daemon did not notice",
  },
  rate: {
    flag: "mirror-compare-rate",
    unit: "count",
    fallback: 1000,
    min: 1,
    max: 1_000_000,
    summary: "keys per second that such a comparison checks",
    reason: "a million keys take 17 minutes and a few hundredths of a core",
  },
} as const satisfies Record<string, LimitRow>;

const mirrorRow = (one: LimitRow, after: string) =>
  row({
    flags: `--${one.flag} <${one.unit === "count" ? "number" : one.unit}>`,
    help: one.summary,
    form: limitForm(one),
    fallback: one.fallback,
    reload: "restart",
    example: one.unit === "count" ? "5000" : "1h",
    needs: ["data"],
    section: "Data and peers:",
    after,
  });

export const MIRROR_OPTIONS = {
  mirrorKeys: mirrorRow(MIRROR_LIMITS.keys, "orderCredentials"),
  /** Interval of comparisons in milliseconds, or 0 for none. */
  mirrorCompareEvery: mirrorRow(MIRROR_LIMITS.every, "mirrorKeys"),
  mirrorCompareRate: mirrorRow(MIRROR_LIMITS.rate, "mirrorCompareEvery"),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof MIRROR_OPTIONS> {}
}

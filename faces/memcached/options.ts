/** The option of --memcached, and its limit. */

import { type LimitsOf, row, type ValuesOf } from "../../daemon/options/option-row.js";
import { KIB, type LimitRow, listenAddress, MIB } from "../../daemon/options/value-forms.js";

export const MEMCACHED_OPTIONS = {
  memcached: row({
    clients: "memcached",
    flags: "--memcached <address>",
    help: "serve memcached clients on a port of 127.0.0.1 (such as 11211), or on address:port",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "11211",
    after: "json",
  }),
} as const;

export const MEMCACHED_LIMITS = {
  maxMemcachedItemBytes: {
    flag: "max-memcached-item-bytes",
    unit: "bytes",
    fallback: MIB,
    min: KIB,
    max: 256 * MIB,
    summary: "length from which items of memcached clients are too large; --max-request-bytes also applies",
    reason: "the default of memcached (-I)",
    after: "maxReadBytes",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof MEMCACHED_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof MEMCACHED_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MEMCACHED_OPTIONS>, "memcached"> {}
}

/**
 * The table of all options of the daemon that have a value. The command line, the help, the environment, the
 * configuration file, `Settings`, the output of --check-config and reloads are derived from it. The rows of limits are
 * shorter, in limits.ts.
 */

import { formatHostAndPort, parseHostAndPort } from "../net/process/host-and-port.js";
import { LOG_FORMATS, LOG_LEVELS } from "../net/process/log.js";
import { COMMON } from "./common-rows.js";
import { EVICTION_POLICIES } from "./eviction-policy.js";
import { formatLimit } from "./limit-text.js";
import { LIMITS, type LimitName, type OptionalLimitName } from "./limits.js";
import { type OptionRow, row } from "./option-row.js";
import { REDIS, SIDECAR } from "./sidecar-rows.js";
import { CLUSTER, TIMELINE } from "./timeline-rows.js";
import { USER_LISTENERS } from "./user-listener-rows.js";
import { choice, limit, list, path, text, toggle } from "./value-forms.js";
import { WEB } from "./web-rows.js";

const ADMIN_HOSTS_MAX = 64;
/** A DNS name without a port, with or without a final dot. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]{0,252})$/i;

const TLS = {
  /** The certificate file, or null without TLS. */
  tlsCert: row({
    flags: "--tls-cert <file>",
    help: "certificate; with it only TLS is accepted (dbsync-keygen makes one)",
    form: path,
    fallback: null,
    reload: "immediately",
    example: "tls-cert.pem",
    needs: ["tlsKey"],
  }),
  tlsKey: row({
    flags: "--tls-key <file>",
    help: "the certificate's private key",
    form: path,
    fallback: null,
    reload: "immediately",
    example: "tls-key.pem",
    needs: ["tlsCert"],
  }),
  /** Whether TLS is required, except on loopback. */
  requireTls: row({
    flags: "--require-tls",
    help: "without a certificate, listen only on this machine",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
} as const;

const MEMORY = {
  /** The policy for evicting keys when the memory limit is reached. */
  maxmemoryPolicy: row({
    flags: "--maxmemory-policy <policy>",
    help: "which keys are evicted at --maxmemory; noeviction: writes are refused",
    form: choice(EVICTION_POLICIES),
    fallback: "noeviction",
    reload: "restart",
    example: "allkeys-lru",
    needs: ["maxmemory"],
  }),
} as const;

const ADMIN = {
  /** The address of the dashboard, /healthz and /metrics, or null if there is none. */
  admin: row({
    flags: "--admin <address>",
    help: "serve a dashboard, /healthz and /metrics on a port of 127.0.0.1, or on address:port",
    form: text(parseHostAndPort, formatHostAndPort),
    fallback: null,
    face: "admin",
    reload: "restart",
    example: "9465",
  }),
  /** Host names that requests to --admin may use, in lower case, in addition to addresses and localhost. */
  adminHosts: row({
    flags: "--admin-host <name>",
    help: "a host name that requests to --admin may use, in addition to addresses and localhost (repeatable)",
    form: list<string>({ parse: (text) => text.toLowerCase(), format: (name) => name, check: checkHosts }),
    fallback: [],
    face: "admin",
    reload: "restart",
    example: "db1.example",
    needs: ["admin"],
  }),
} as const;

const LOG = {
  logLevel: row({
    flags: "--log-level <level>",
    help: "level of the log; trace shows every frame",
    form: choice(LOG_LEVELS),
    fallback: "info",
    reload: "immediately",
    example: "trace",
  }),
  logFormat: row({
    flags: "--log-format <format>",
    help: "format of the log; auto: pretty on a terminal, otherwise json",
    form: choice(LOG_FORMATS),
    fallback: "auto",
    reload: "restart",
    example: "json",
  }),
} as const;

/** The limits that have an option, as rows of options. */
const LIMIT_ROWS = Object.fromEntries(
  Object.entries(LIMITS).flatMap(([name, one]: [string, (typeof LIMITS)[LimitName]]) => {
    if (one.flag === null) return [];
    const other = one.fallback + (one.fallback < one.max ? 1 : -1);
    const made = row({
      flags: `--${one.flag} <${one.unit === "count" ? "number" : one.unit}>`,
      help: one.summary,
      form: limit(one),
      fallback: one.fallback,
      reload: "restart" in one ? "restart" : "immediately",
      example: formatLimit(one, other),
    });
    return [[name, made]];
  }),
) as Readonly<Record<OptionalLimitName, OptionRow<number>>>;

/** The sections in the order of the help. --help shows only the section without a heading. */
export const SECTIONS: readonly {
  readonly heading: string | null;
  readonly rows: Readonly<Record<string, OptionRow>>;
}[] = [
  { heading: null, rows: COMMON },
  { heading: "Data and peers:", rows: TIMELINE },
  { heading: "Clients without signatures:", rows: USER_LISTENERS },
  { heading: "Browsers:", rows: WEB },
  { heading: "Redis as the database:", rows: REDIS },
  { heading: "Signing for other daemons:", rows: SIDECAR },
  { heading: "Cluster:", rows: CLUSTER },
  { heading: "TLS:", rows: TLS },
  { heading: "Limits:", rows: { ...LIMIT_ROWS, ...MEMORY } },
  { heading: "Health and metrics:", rows: ADMIN },
  { heading: "Log:", rows: LOG },
];

/** All options by the names of their settings. */
export const OPTIONS = {
  ...COMMON,
  ...TIMELINE,
  ...USER_LISTENERS,
  ...WEB,
  ...REDIS,
  ...SIDECAR,
  ...CLUSTER,
  ...TLS,
  ...LIMIT_ROWS,
  ...MEMORY,
  ...ADMIN,
  ...LOG,
} as const satisfies Readonly<Record<string, OptionRow>>;

export type OptionName = keyof typeof OPTIONS;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

function checkHosts(names: readonly string[]): void {
  if (names.some((name) => !HOST_NAME.test(name)))
    throw new RangeError("Expected a host name, such as db1.example.");
  if (names.length > ADMIN_HOSTS_MAX) throw new RangeError(`Expected at most ${ADMIN_HOSTS_MAX} names.`);
}

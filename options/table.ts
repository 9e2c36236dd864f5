/**
 * Every option of the daemon that has a value: a row each. Command line, help, environment, configuration file, `Settings`, what
 * --check-config prints and what a reload takes over are made of the rows. Limits are shorter rows, in limits.ts.
 */
import { LOG_FORMATS, LOG_LEVELS } from "../net/process/log.js";
import { formatPlace, parsePlace } from "../net/process/place.js";
import { COMMON } from "./common-rows.js";
import { EVICTION_POLICIES } from "./eviction-policy.js";
import { choice, limit, list, path, text, toggle } from "./forms.js";
import { formatLimit } from "./limit-text.js";
import { LIMITS, type LimitName } from "./limits.js";
import { type OptionRow, row } from "./option-row.js";
import { REDIS, SIDECAR } from "./sidecar-rows.js";
import { CLUSTER, TIMELINE } from "./timeline-rows.js";
import { USER_LISTENERS } from "./user-listener-rows.js";
import { WEB } from "./web-rows.js";

const ADMIN_HOSTS_MAX = 64;
/** A name of DNS without a port, with or without a dot at its end. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]{0,252})$/i;

const TLS = {
  /** null: no TLS. */
  tlsCert: row({
    flags: "--tls-cert <file>",
    help: "certificate; with it TLS only is spoken (dbsync-keygen makes one)",
    form: path,
    fallback: null,
    reload: "at once",
    example: "tls-cert.pem",
    needs: ["tlsKey"],
  }),
  tlsKey: row({
    flags: "--tls-key <file>",
    help: "the certificate's private key",
    form: path,
    fallback: null,
    reload: "at once",
    example: "tls-key.pem",
    needs: ["tlsCert"],
  }),
  /** TLS only, except on loopback. */
  requireTls: row({
    flags: "--require-tls",
    help: "without a certificate, listen on this machine only",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
} as const;

const MEMORY = {
  /** The policy of eviction at the limit of memory. */
  maxmemoryPolicy: row({
    flags: "--maxmemory-policy <policy>",
    help: "keys that go at --maxmemory; noeviction: writes are refused",
    form: choice(EVICTION_POLICIES),
    fallback: "noeviction",
    reload: "restart",
    example: "allkeys-lru",
    needs: ["maxmemory"],
  }),
} as const;

const ADMIN = {
  /** The address of the dashboard, /healthz and /metrics; null: none. */
  admin: row({
    flags: "--admin <place>",
    help: "serve a dashboard, /healthz and /metrics on a port of 127.0.0.1, or on address:port",
    form: text(parsePlace, formatPlace),
    fallback: null,
    reload: "restart",
    example: "9465",
  }),
  /** Host names that requests to it may use, in lower case, in addition to addresses and localhost. */
  adminHosts: row({
    flags: "--admin-host <name>",
    help: "a name by which they may be asked for, besides addresses and localhost (repeatable)",
    form: list<string>({ parse: (given) => given.toLowerCase(), format: (name) => name, check: checkHosts }),
    fallback: [],
    reload: "restart",
    example: "db1.example",
    needs: ["admin"],
  }),
} as const;

const LOG = {
  logLevel: row({
    flags: "--log-level <level>",
    help: "trace shows every frame",
    form: choice(LOG_LEVELS),
    fallback: "info",
    reload: "at once",
    example: "trace",
  }),
  logFormat: row({
    flags: "--log-format <format>",
    help: "auto: pretty on a terminal, else json",
    form: choice(LOG_FORMATS),
    fallback: "auto",
    reload: "restart",
    example: "json",
  }),
} as const;

/** The limits as rows like any other. */
const LIMIT_ROWS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, one]: [string, (typeof LIMITS)[LimitName]]) => {
    const other = one.fallback + (one.fallback < one.most ? 1 : -1);
    return [
      name,
      row({
        flags: `--${one.flag} <${one.unit === "count" ? "number" : one.unit}>`,
        help: one.summary,
        form: limit(one),
        fallback: one.fallback,
        reload: "restart" in one ? "restart" : "at once",
        example: formatLimit(one, other),
      }),
    ];
  }),
) as Readonly<Record<LimitName, OptionRow<number>>>;

/** The sections in the order of the help; --help shows what has no heading, too. */
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
    throw new RangeError("Expected a host's name, such as db1.example.");
  if (names.length > ADMIN_HOSTS_MAX) throw new RangeError(`Expected ${ADMIN_HOSTS_MAX} names at most.`);
}

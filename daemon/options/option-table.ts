/**
 * The table of all options of the daemon that have a value. The command line, the help, the environment, the
 * configuration file, `Settings`, the output of --check-config and reloads are derived from it. The rows of limits are
 * shorter, in limits.ts and in the files options.ts of faces. The program passes its faces, whose rows state their
 * places in the help.
 */

import { LOG_FORMATS, LOG_LEVELS } from "../net/process/log-settings.js";
import { type BackendSpecification, parseSpecifications } from "./database-list.js";
import { EVICTION_POLICIES } from "./eviction-policy.js";
import { LIMITS, type LimitName } from "./limits.js";
import { type FaceSettings, type OptionRow, optionName, row, type UserListeners } from "./option-row.js";
import { CLUSTER, TIMELINE } from "./timeline-rows.js";
import {
  choice,
  formatLimit,
  type LimitRow,
  limitForm,
  path,
  paths,
  plainForm,
  textForm,
  toggle,
} from "./value-forms.js";

/** The database that php-dbsync uses by default. */
export const COMPAT_DATABASE = "redis:127.0.0.1:6379";
const MEMORY_DATABASE: readonly BackendSpecification[] = parseSpecifications("memory");
const PORT_MAX = 65535;

const COMMON = {
  /** An address or a host name, without brackets. */
  bind: row({
    flags: "-b, --bind <address>",
    help: "address or host name to listen on",
    form: plainForm(parseBind),
    fallback: "127.0.0.1",
    reload: "restart",
    example: "localhost",
  }),
  /** The port, or 0 for any free port. */
  port: row({
    flags: "-p, --port <port>",
    help: "port; 0: any free port",
    form: plainForm(parsePort),
    fallback: 1111,
    reload: "restart",
    example: "1112",
  }),
  /** Files and folders of application keys. Without these and without `rootKey`, commands are unsigned. */
  signKey: row({
    flags: "-s, --sign-key <file>",
    help: "public key (repeatable), or folder of *.pem; only signed commands are accepted",
    form: paths,
    fallback: [],
    reload: "immediately",
    example: "keys",
  }),
  database: row({
    flags: "-d, --database <list>",
    help: "where commands are executed: memory; redis:host:port, several separated by commas; redis-cluster:host:port,…; redis-sentinel:name@host:port,…; or dbsync:host:port,…: other daemons, for which this one signs",
    form: textForm<readonly BackendSpecification[]>(parseSpecifications, (all) =>
      all.map(({ name }) => name).join(","),
    ),
    fallback: MEMORY_DATABASE,
    reload: "restart",
    example: COMPAT_DATABASE,
  }),
  close: row({
    flags: "-c, --close",
    help: "close the connection after each answer",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  allowUnsigned: row({
    flags: "--allow-unsigned",
    help: "without -s, execute the commands of any client of -p: also on addresses that other machines can reach, and if the users of --acl-file have to log in elsewhere",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  compat: row({
    flags: "--compat <program>",
    help: `php-dbsync: the same as -d ${COMPAT_DATABASE} --allow-unsigned`,
    form: choice(["php-dbsync"]),
    fallback: null,
    reload: "restart",
    example: "php-dbsync",
  }),
} as const;

function parseBind(value: string): string {
  const address = value.replace(/^\[(.*)\]$/, "$1");
  if (!/^[A-Za-z0-9._:%-]+$/.test(address))
    throw new RangeError("Expected an address such as 127.0.0.1 or ::1, or a host name.");
  return address;
}

function parsePort(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > PORT_MAX)
    throw new RangeError(`Expected a number from 0 to ${PORT_MAX}.`);
  return Number(value);
}

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

const LOG = {
  logLevel: row({
    flags: "--log-level <level>",
    help: "level of the log; trace shows every frame, but no bytes of clients that log in with passwords",
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

type Rows = Readonly<Record<string, OptionRow>>;
type LimitRows = Readonly<Record<string, LimitRow>>;

const CORE = {
  ...COMMON,
  ...TIMELINE,
  ...CLUSTER,
  ...TLS,
  ...optionsOf(LIMITS),
  ...MEMORY,
  ...LOG,
} as const;

const LIMITS_SECTION = "Limits:";
const CLIENTS_SECTION = "Clients without signatures:";

/** The sections of the help, and the names of the core's settings in them, each in the order of the help. */
const SECTIONS: readonly (readonly [heading: string | null, names: readonly string[]])[] = [
  [null, Object.keys(COMMON)],
  ["Data and peers:", Object.keys(TIMELINE)],
  [CLIENTS_SECTION, []],
  ["Browsers:", []],
  ["Redis as the database:", []],
  ["Signing for other daemons:", []],
  ["Cluster:", Object.keys(CLUSTER)],
  ["TLS:", Object.keys(TLS)],
  [LIMITS_SECTION, [...Object.keys(LIMITS), ...Object.keys(MEMORY)]],
  ["Health and metrics:", []],
  ["Log:", Object.keys(LOG)],
];
const CORE_NAMES: ReadonlySet<string> = new Set(SECTIONS.flatMap(([, names]) => names));

export type OptionName = keyof typeof CORE | keyof FaceSettings | keyof UserListeners;

/** The rows of the core by the names of their settings, for the types of these. */
export type CoreRows = typeof CORE;

export type UserListenerName = keyof UserListeners;

/** A face or tool, as far as its options are concerned. */
export interface FaceRows {
  /** The rows of its options, by the names of their settings. Its file options.ts adds the settings to the type. */
  readonly options?: Rows;
  /** The rows of its limits, by their names. Its file options.ts adds these to the type. */
  readonly limits?: LimitRows;
}

/** The options and limits of the core, and of the faces and tools that the program contains. */
export class OptionTable {
  /** All limits by their names. */
  readonly limits: Readonly<Record<LimitName, LimitRow>>;
  /** The sections in the order of the help. --help shows only the section without a heading. */
  readonly sections: readonly { readonly heading: string | null; readonly rows: Rows }[];
  /** All options by the names of their settings. */
  readonly rows: Readonly<Record<OptionName, OptionRow>>;
  readonly names: readonly OptionName[];
  /** The listeners for users without keys, such as Redis and JSON clients: names of options and settings. */
  readonly userListeners: readonly UserListenerName[];
  /** The settings that are addresses of listeners other than -p. */
  readonly listeners: readonly string[];

  constructor(faces: readonly FaceRows[]) {
    this.limits = Object.assign({}, LIMITS, ...faces.map(({ limits }) => limits));
    const tables = faces.flatMap(({ options = {}, limits = {} }) => [options, optionsOf(limits)]);
    const all: Rows = Object.assign({}, CORE, ...tables);
    this.sections = this.#sectionsOf(all);
    this.rows = Object.assign({}, ...this.sections.map(({ rows }) => rows));
    this.names = Object.keys(this.rows) as OptionName[];
    const hasClients = (name: OptionName) => this.rows[name].clients !== undefined;
    this.userListeners = (this.names as readonly string[] as UserListenerName[]).filter(hasClients);
    this.listeners = this.names.filter((name) => hasClients(name) || this.rows[name].isListener);
  }

  isLimit(name: string): name is LimitName {
    return Object.hasOwn(this.limits, name);
  }

  /** Returns the sections. Their order does not depend on the order of the faces. */
  #sectionsOf(all: Rows): OptionTable["sections"] {
    const ofFaces = Object.entries(all).filter(([name]) => !CORE_NAMES.has(name));
    return SECTIONS.map(([heading, names]) => {
      const added = ofFaces.filter(
        ([name, row]) => heading === (row.section ?? (this.isLimit(name) ? LIMITS_SECTION : CLIENTS_SECTION)),
      );
      const core = names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]] as const]));
      return { heading, rows: Object.fromEntries(ordered(core, added)) };
    }).filter(({ rows }) => Object.keys(rows).length > 0);
  }
}

type NamedRow = readonly [name: string, row: OptionRow];

/** Returns the rows with each added row after the one that it names, and then those that name none of them. */
function ordered(rows: readonly NamedRow[], added: readonly NamedRow[]): NamedRow[] {
  const all = new Set([...rows, ...added].map(([name]) => name));
  const sorted = added.toSorted(([, one], [, other]) => (optionName(one) < optionName(other) ? -1 : 1));
  const withFollowers = (one: NamedRow): NamedRow[] => [
    one,
    ...sorted.filter(([, { after }]) => after === one[0]).flatMap(withFollowers),
  ];
  const last = sorted.filter(([, { after }]) => after === undefined || !all.has(after));
  return [...rows, ...last].flatMap(withFollowers);
}

/** Returns the limits that have an option, as rows of options. */
function optionsOf<Table extends LimitRows>(limits: Table) {
  return Object.fromEntries(
    Object.entries(limits).flatMap(([name, one]) => {
      if (one.flag === null) return [];
      const other = one.fallback + (one.fallback < one.max ? 1 : -1);
      const made = row({
        flags: `--${one.flag} <${one.unit === "count" ? "number" : one.unit}>`,
        help: one.summary,
        form: limitForm(one),
        fallback: one.fallback,
        reload: one.restart === true ? "restart" : "immediately",
        example: formatLimit(one, other),
        ...(one.after === undefined ? {} : { after: one.after }),
      });
      return [[name, made]];
    }),
  ) as LimitOptions<Table>;
}

type LimitOptions<Table extends LimitRows> = {
  readonly [Name in keyof Table as Table[Name]["flag"] extends string ? Name : never]: OptionRow<number>;
};

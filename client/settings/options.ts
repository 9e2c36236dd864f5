/** The options of a client, checked once and converted to settings. Every option has its row here and nowhere else. */
import type { KeyObject } from "node:crypto";
import type { Format } from "../shared/outcome.js";
import { type Address, type Endpoint, needsAuthorities, parseServers } from "../shared/servers.js";
import { readVersions, type Versions } from "../shared/versions.js";
import { DEFAULT_TIMEOUT_MS } from "./call-limits.js";
import {
  CALL_CHECKS,
  type CallOptions,
  type CallSettings,
  checkOptions,
  policyFor,
  type TypedCallOptions,
  timeoutFor,
} from "./call-options.js";
import type { Defaults } from "./defaults.js";
import { readHeaderOptions } from "./header-options.js";

/** A key file's path, PEM text, or a loaded key; `false` or "" sends unsigned. */
export type KeyOption = string | Buffer | KeyObject | false;

export interface SendOptions extends CallOptions {
  /** `host:port,host:port`, or a list. Default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111. */
  readonly servers?: string | readonly string[] | undefined;
  /** Default: DBSYNC_SIGNKEY, dbsync.ini, unsigned. */
  readonly key?: KeyOption | undefined;
  /**
   * The authorities that may have signed the certificates of servers with TLS (`dbsyncs://`): a file's path or PEM
   * text. Default: DBSYNC_CA, dbsync.ini, those that Node.js trusts.
   */
  readonly ca?: string | Buffer | undefined;
  /** The passphrase of the key file, if it has one. */
  readonly passphrase?: string | Buffer | undefined;
  /** `false`: a new connection for every call. Default true. */
  readonly keepalive?: boolean | undefined;
  /** Default `text`. */
  readonly format?: Format | undefined;
  /**
   * The cluster that version 2 commands are meant for, as the daemons print it when they start: 64 hexadecimal
   * digits. Default: with default servers DBSYNC_CLUSTER, dbsync.ini; otherwise the daemons are asked.
   */
  readonly cluster?: string | undefined;
  /**
   * The versions of the protocol that a call may use: `2`; `1`; `1,2`: version 1 for any server that closes on
   * version 2's hello. For one server: `dbsync1://host:port`. Default: DBSYNC_VERSIONS, dbsync.ini; otherwise `2` for
   * signed calls, and `1,2` for unsigned ones.
   */
  readonly versions?: Versions | undefined;
  /** Whether errors carry the caller's stack; each call takes longer then. Default: whether DBSYNC_DEBUG is 1. */
  readonly debug?: boolean | undefined;
}

/** Options with all defaults applied. `key` is the file's path, text or object, null for unsigned. */
export interface Settings extends CallSettings {
  readonly servers: readonly Address[];
  /** The option `ca`, not read yet, and how messages name where it is from; null: what Node.js trusts. */
  readonly authorities: { readonly ca: string | Buffer; readonly from: string } | null;
  readonly key: Exclude<KeyOption, false> | null;
  readonly passphrase: string | Buffer | undefined;
  readonly keepalive: boolean;
  /** Hexadecimal digits; "": the daemons are asked. */
  readonly cluster: string;
  /** null: not configured; signed calls then use version 2, unsigned ones what the daemon speaks. */
  readonly versions: Versions | null;
  /** null: the environment decides. */
  readonly debug: boolean | null;
}

const FORMATS: readonly unknown[] = ["text", "php-dbsync"] satisfies Format[];

const CHECKS: Record<keyof (SendOptions & TypedCallOptions), (value: unknown) => boolean> = {
  servers: () => true, // parseServers says what is wrong with a list
  key: (value) =>
    value === false || typeof value === "string" || (typeof value === "object" && value !== null),
  ca: (value) => (typeof value === "string" && value !== "") || Buffer.isBuffer(value),
  passphrase: (value) => typeof value === "string" || Buffer.isBuffer(value),
  keepalive: (value) => typeof value === "boolean",
  cluster: (value) => typeof value === "string" && /^[\da-f]{64}$/i.test(value),
  versions: (value) => readVersions(value) !== null,
  format: (value) => FORMATS.includes(value),
  debug: (value) => typeof value === "boolean",
  ...CALL_CHECKS,
};

/** Options whose values no message may show. */
const SECRETS: readonly string[] = ["key", "passphrase"] satisfies (keyof SendOptions)[];

const SEND_OPTIONS = Object.keys(CHECKS).filter((name) => name !== "buffers");

/**
 * Checks the options and applies the defaults.
 * @param defaults  called only if `servers` or `key` is missing, or `versions` where it matters
 * @throws DbsyncError `bad-option`, naming option, value and what is allowed; the errors of `defaults`
 */
export function readOptions(options: SendOptions | string, defaults: () => Defaults): Settings {
  const given: SendOptions = typeof options === "string" ? { servers: options } : options;
  checkOptions(given, SEND_OPTIONS, CHECKS, SECRETS);
  // The other settings of a file or of the environment belong to the servers named there.
  const found = given.servers === undefined ? defaults() : null;
  const servers = found?.servers ?? parseServers(given.servers);
  const key = (given.key === undefined ? defaults().signkey : given.key) || null;
  return {
    servers,
    authorities: authoritiesFor(servers, given.ca, defaults),
    key,
    passphrase: given.passphrase,
    keepalive: given.keepalive ?? found?.keepalive ?? true,
    timeout: timeoutFor(given, DEFAULT_TIMEOUT_MS),
    policy: policyFor(given.policy ?? "usual", servers),
    format: given.format ?? found?.format ?? "text",
    cluster: (given.cluster ?? found?.cluster ?? "").toLowerCase(),
    versions:
      given.versions === undefined
        ? versionsFor(given, key, servers, defaults)
        : readVersions(given.versions),
    debug: given.debug ?? null,
    envelope: readHeaderOptions(given),
    buffers: false,
    traceparent: given.traceparent ?? null,
  };
}

/**
 * Returns the versions that environment and file allow; they hold for every server whose address names none. Neither
 * is read if the caller has named the servers and disabled signing: such calls use what the servers speak.
 */
function versionsFor(
  given: SendOptions,
  key: Settings["key"],
  servers: readonly Address[],
  defaults: () => Defaults,
): Settings["versions"] {
  const matters = key !== null || given.key === undefined || given.servers === undefined;
  return matters && servers.some(({ versions }) => versions === null) ? defaults().versions : null;
}

/** Returns the authorities that may have signed the certificates of servers; null if none are needed or configured. */
export function authoritiesFor(
  servers: readonly Endpoint[],
  ca: SendOptions["ca"],
  defaults: () => Defaults,
): Settings["authorities"] {
  if (!servers.some(needsAuthorities)) return null;
  if (ca !== undefined) return { ca, from: "ca" };
  const { ca: file, caFrom } = defaults();
  return file === "" ? null : { ca: file, from: caFrom };
}

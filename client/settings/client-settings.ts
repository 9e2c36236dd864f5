/** Checks the options of a client and converts them to settings. Each option is defined here and nowhere else. */
import type { KeyObject } from "node:crypto";
import type { Format } from "../shared/outcome.js";
import {
  type Address,
  type Endpoint,
  needsAuthorities,
  parseServers,
  readVersions,
  type Versions,
} from "../shared/server-list.js";
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
import type { Defaults } from "./default-options.js";
import { readHeaderOptions } from "./header-options.js";

/** A key file's path, PEM text, or a loaded key; `false` or "" sends unsigned. */
export type KeyOption = string | Buffer | KeyObject | false;

export interface SendOptions extends CallOptions {
  /** The daemons: `host:port,host:port`, or a list. Default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111. */
  readonly servers?: string | readonly string[] | undefined;
  /** The private key that signs commands. Default: DBSYNC_SIGNKEY, dbsync.ini, unsigned. */
  readonly key?: KeyOption | undefined;
  /**
   * The authorities that may have signed the certificates of servers with TLS (`dbsyncs://`): a file's path or PEM
   * text. Default: DBSYNC_CA, dbsync.ini, the authorities that Node.js trusts.
   */
  readonly ca?: string | Buffer | undefined;
  /** The passphrase of the key file, if it has one. */
  readonly passphrase?: string | Buffer | undefined;
  /**
   * Whether version 2 connections stay open between calls; `false`: a new connection for every call. Default true.
   * Version 1 always uses a new connection.
   */
  readonly keepalive?: boolean | undefined;
  /** The format of text results. Default `text`. */
  readonly format?: Format | undefined;
  /**
   * The cluster that version 2 commands are meant for, as the daemons print it when they start: 64 hexadecimal digits.
   * Default: DBSYNC_CLUSTER or dbsync.ini if `servers` is not set; otherwise the client queries the daemons.
   */
  readonly cluster?: string | undefined;
  /**
   * The versions of the protocol that a call may use: `2`, `1`, or `1,2`, which also allows version 1 for a server that
   * closes the connection after version 2's hello. For one server: `dbsync1://host:port`. Default: DBSYNC_VERSIONS,
   * dbsync.ini; otherwise `2` for signed calls, and `1,2` for unsigned ones.
   */
  readonly versions?: Versions | undefined;
  /** Whether errors have the caller's stack; each call then takes longer. Default: whether DBSYNC_DEBUG is 1. */
  readonly debug?: boolean | undefined;
}

/** The options with all defaults applied. `key` is a path, PEM text or a key object, or null to send unsigned. */
export interface Settings extends CallSettings {
  readonly servers: readonly Address[];
  /**
   * The option `ca`, not loaded yet, and its source for messages, or null to trust the authorities that Node.js trusts.
   */
  readonly authorities: { readonly ca: string | Buffer; readonly from: string } | null;
  readonly key: Exclude<KeyOption, false> | null;
  readonly passphrase: string | Buffer | undefined;
  readonly keepalive: boolean;
  /** The cluster's id in hexadecimal digits, or "" to query the daemons. */
  readonly cluster: string;
  /**
   * The allowed versions, or null if they are not configured. Signed calls then use version 2, and unsigned calls the
   * version that the daemon speaks.
   */
  readonly versions: Versions | null;
  /** Whether errors have the caller's stack, or null if the environment variable decides. */
  readonly debug: boolean | null;
}

const FORMATS: readonly unknown[] = ["text", "php-dbsync"] satisfies Format[];

const CHECKS: Record<keyof (SendOptions & TypedCallOptions), (value: unknown) => boolean> = {
  servers: () => true, // parseServers reports what is wrong with a list
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

/** Options whose values messages must not show. */
const SECRETS: readonly string[] = ["key", "passphrase"] satisfies (keyof SendOptions)[];

const SEND_OPTIONS = Object.keys(CHECKS).filter((name) => name !== "buffers");

/**
 * Checks the options and applies the defaults.
 * @param defaults  called only if `servers` or `key` is missing, or if `versions` is missing and needed
 * @throws DbsyncError `bad-option`, naming the option, its value and the allowed values; the errors of `defaults`
 */
export function readOptions(options: SendOptions | string, defaults: () => Defaults): Settings {
  const values: SendOptions = typeof options === "string" ? { servers: options } : options;
  checkOptions(values, SEND_OPTIONS, CHECKS, SECRETS);

  // The other settings of dbsync.ini and of the environment belong to the servers named there.
  const found = values.servers === undefined ? defaults() : null;
  const servers = found?.servers ?? parseServers(values.servers);
  const key = (values.key === undefined ? defaults().signkey : values.key) || null;

  return {
    servers,
    authorities: authoritiesFor(servers, values.ca, defaults),
    key,
    passphrase: values.passphrase,
    keepalive: values.keepalive ?? found?.keepalive ?? true,
    timeout: timeoutFor(values, DEFAULT_TIMEOUT_MS),
    policy: policyFor(values.policy ?? "usual", servers),
    format: values.format ?? found?.format ?? "text",
    cluster: (values.cluster ?? found?.cluster ?? "").toLowerCase(),
    versions:
      values.versions === undefined
        ? versionsFor(values, key, servers, defaults)
        : readVersions(values.versions),
    debug: values.debug ?? null,
    envelope: readHeaderOptions(values),
    buffers: false,
    traceparent: values.traceparent ?? null,
    signal: values.signal ?? null,
  };
}

/**
 * Returns the versions that the environment or dbsync.ini allows for servers whose addresses name no version. Neither
 * source is read if the caller has named the servers and disabled signing: such calls use the versions that the servers
 * speak.
 */
function versionsFor(
  values: SendOptions,
  key: Settings["key"],
  servers: readonly Address[],
  defaults: () => Defaults,
): Settings["versions"] {
  const matters = key !== null || values.key === undefined || values.servers === undefined;
  return matters && servers.some(({ versions }) => versions === null) ? defaults().versions : null;
}

/** Returns the authorities that may sign the certificates of servers, or null if none are needed or configured. */
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

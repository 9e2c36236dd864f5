/**
 * What a caller may ask for, checked once and turned into settings. Every option has a row here and nowhere
 * else.
 */
import type { KeyObject } from "node:crypto";
import { badOption, badSecret } from "../shared/errors.js";
import type { Form, Format } from "../shared/outcome.js";
import type { Policy } from "../shared/policy.js";
import { type Address, needsAuthorities, parseServers } from "../shared/servers.js";
import { readVersions, VERSIONS_ALLOWED, type Versions } from "../shared/versions.js";
import type { Defaults } from "./defaults.js";
import {
  type EnvelopeOptions,
  HEADER_CHECKS,
  type HeaderOptions,
  readHeaderOptions,
} from "./header-options.js";

/** As the original's driver, which waits 3 s. */
const DEFAULT_TIMEOUT_MS = 3_000;

/** Beyond it a version 2 daemon would refuse the command as too old; the same bound holds for version 1. */
const MAX_TIMEOUT_MS = 20_000;

/** What is to be final waits for the daemons' window, and then for their reports. */
const STABLE_TIMEOUT_MS = 60_000;

/** A key file's path, PEM text, or a loaded key; `false` or "" sends unsigned. */
export type KeyOption = string | Buffer | KeyObject | false;

export interface CallOptions extends HeaderOptions {
  /** Milliseconds until the call fails, 1 to 20,000; default 3,000. See also `stable`. */
  readonly timeout?: number | undefined;
  /** Which answers make the result; default `first`, the first good one. See policy.ts. */
  readonly policy?: Policy | undefined;
}

/** Of `call` and `multi`. */
export interface TypedCallOptions extends CallOptions {
  /** Strings of the reply as Buffers; default false. */
  readonly buffers?: boolean | undefined;
}

export interface SendOptions extends CallOptions {
  /** `host:port,host:port`, or a list. Default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111. */
  readonly servers?: string | readonly string[] | undefined;
  /** Default: DBSYNC_SIGNKEY, dbsync.ini, unsigned. */
  readonly key?: KeyOption | undefined;
  /**
   * Of servers with TLS (`dbsyncs://`): who may have signed their certificates, as a file's path or PEM text.
   * Default: DBSYNC_CA, dbsync.ini, those that Node.js trusts.
   */
  readonly ca?: string | Buffer | undefined;
  /** Of the key file, if it has one. */
  readonly passphrase?: string | Buffer | undefined;
  /** `false`: a new connection for every call. Default true. */
  readonly keepalive?: boolean | undefined;
  /** Default `text`. */
  readonly format?: Format | undefined;
  /**
   * The cluster that version 2 commands are meant for, as the daemons print it at their start: 64 hexadecimal
   * digits. Default: with default servers DBSYNC_CLUSTER, dbsync.ini; else the daemons are asked.
   */
  readonly cluster?: string | undefined;
  /**
   * Which versions of the protocol a signed call may go out as: `2`; `1`; `1,2`: version 1 for daemons that close on version
   * 2's hello, whoever closes there. Of one server: `dbsync1://host:port`. Default: DBSYNC_VERSIONS, dbsync.ini, `2`.
   */
  readonly versions?: Versions | undefined;
}

/** Options with nothing left open. `key` is the file's path, text or object, null for unsigned. */
export interface Settings extends CallSettings {
  readonly servers: readonly Address[];
  /** The option `ca`, not read yet, and how messages name where it is from; null: what Node.js trusts. */
  readonly authorities: { readonly ca: string | Buffer; readonly from: string } | null;
  readonly key: Exclude<KeyOption, false> | null;
  readonly passphrase: string | Buffer | undefined;
  readonly keepalive: boolean;
  /** Hexadecimal digits; "": to be asked for. */
  readonly cluster: string;
  /** null: nobody has said; a signed call is of version 2 then, and an unsigned one, as ever, of version 1. */
  readonly versions: Versions | null;
}

/** What may differ from call to call on the same connections. `envelope`: null for most. */
export interface CallSettings {
  readonly timeout: number;
  readonly policy: Policy;
  readonly format: Form;
  readonly envelope: EnvelopeOptions | null;
  readonly buffers: boolean;
}

const POLICIES: readonly unknown[] = ["first", "majority", "all", "all-equal"] satisfies Policy[];
const FORMATS: readonly unknown[] = ["text", "php-dbsync"] satisfies Format[];

/** How each option is checked: null if the value will do, else what is allowed. */
const CHECKS: Record<keyof (SendOptions & TypedCallOptions), (value: unknown) => string | null> = {
  servers: () => null, // parseServers says what is wrong with a list
  key: (value) =>
    value === false || typeof value === "string" || (typeof value === "object" && value !== null)
      ? null
      : "a file's path, PEM text, a KeyObject, or false for unsigned",
  ca: (value) =>
    (typeof value === "string" && value !== "") || Buffer.isBuffer(value)
      ? null
      : "a file's path, or PEM text",
  passphrase: (value) => (typeof value === "string" || Buffer.isBuffer(value) ? null : "a string or Buffer"),
  keepalive: (value) => (typeof value === "boolean" ? null : "true or false"),
  policy: (value) =>
    POLICIES.includes(value) || (Number.isSafeInteger(value) && Number(value) >= 1)
      ? null
      : `${POLICIES.join(", ")}, or a number of daemons`,
  buffers: (value) => (typeof value === "boolean" ? null : "true or false"),
  cluster: (value) =>
    typeof value === "string" && /^[\da-f]{64}$/i.test(value)
      ? null
      : "64 hexadecimal digits, as a daemon prints them at its start",
  versions: (value) => (readVersions(value) === null ? VERSIONS_ALLOWED : null),
  format: (value) => (FORMATS.includes(value) ? null : FORMATS.join(" or ")),
  timeout: (value) =>
    typeof value === "number" && value >= 1 && value <= STABLE_TIMEOUT_MS
      ? null
      : `1 to ${MAX_TIMEOUT_MS} milliseconds`,
  ...HEADER_CHECKS,
};

/** Options whose values no message may show. */
const SECRETS: readonly string[] = ["key", "passphrase"] satisfies (keyof SendOptions)[];

const HEADER_OPTIONS = Object.keys(HEADER_CHECKS);
const CALL_OPTIONS: readonly string[] = ["timeout", "policy", "buffers", ...HEADER_OPTIONS];
const SEND_OPTIONS = Object.keys(CHECKS).filter((name) => name !== "buffers");

/**
 * @param defaults  asked for only if `servers` or `key` is left open, or `versions` where it matters
 * @throws DbsyncError `bad-option`, naming option, value and what is allowed; what `defaults` throws
 */
export function readOptions(options: SendOptions | string, defaults: () => Defaults): Settings {
  const given: SendOptions = typeof options === "string" ? { servers: options } : options;
  check(given, SEND_OPTIONS);
  // What a file or variable says besides belongs to the servers named there.
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
    policy: policyFor(given.policy ?? "first", servers),
    format: given.format ?? found?.format ?? "text",
    cluster: (given.cluster ?? found?.cluster ?? "").toLowerCase(),
    versions:
      given.versions === undefined ? versionsFor(key, servers, defaults) : readVersions(given.versions),
    envelope: readHeaderOptions(given),
    buffers: false,
  };
}

/** Settings of one call: `base`, unless `options` says otherwise. @throws DbsyncError `bad-option` */
export function readCallOptions(options: TypedCallOptions, base: Settings): CallSettings {
  check(options, CALL_OPTIONS);
  return {
    timeout: timeoutFor(options, base.timeout),
    policy: options.policy === undefined ? base.policy : policyFor(options.policy, base.servers),
    format: base.format,
    envelope: readHeaderOptions(options) ?? base.envelope,
    buffers: options.buffers ?? false,
  };
}

function timeoutFor({ timeout, stable }: CallOptions, usual: number): number {
  if (stable) return timeout ?? STABLE_TIMEOUT_MS;
  if (timeout !== undefined && timeout > MAX_TIMEOUT_MS)
    throw badOption("timeout", timeout, `1 to ${MAX_TIMEOUT_MS} milliseconds`);
  return timeout ?? usual;
}

/** What environment and file say of versions; it holds for every server whose entry says nothing. */
function versionsFor(
  key: Settings["key"],
  servers: readonly Address[],
  defaults: () => Defaults,
): Settings["versions"] {
  const matters = key !== null && servers.some(({ versions }) => versions === null);
  return matters ? defaults().versions : null;
}

/** Who may have signed the certificates of servers; null where it does not matter, or nobody says. */
export function authoritiesFor(
  servers: readonly Pick<Address, "tls">[],
  ca: SendOptions["ca"],
  defaults: () => Defaults,
): Settings["authorities"] {
  if (!servers.some(needsAuthorities)) return null;
  if (ca !== undefined) return { ca, from: "ca" };
  const { ca: file, caFrom } = defaults();
  return file === "" ? null : { ca: file, from: caFrom };
}

function policyFor(policy: Policy, servers: readonly Address[]): Policy {
  if (typeof policy === "number" && policy > servers.length)
    throw badOption("policy", policy, `at most the number of servers, ${servers.length}`);
  return policy;
}

function check(options: SendOptions & TypedCallOptions, names: readonly string[]): void {
  if (typeof options !== "object" || options === null)
    throw badOption("options", options, "an object or a server list");
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name))
      throw badOption(name, value, `no option of that name; there are ${names.join(", ")}`);
    const allowed = value === undefined ? null : CHECKS[name as keyof SendOptions](value);
    if (allowed === null) continue;
    throw SECRETS.includes(name) ? badSecret(name, allowed) : badOption(name, value, allowed);
  }
}

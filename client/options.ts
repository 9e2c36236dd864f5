/**
 * What a caller may ask for, checked once and turned into settings. Every option has a row here and nowhere
 * else.
 */
import type { KeyObject } from "node:crypto";
import type { Defaults } from "./defaults.js";
import { badOption, badSecret } from "./errors.js";
import type { Format } from "./outcome.js";
import type { Policy } from "./policy.js";
import { type Address, parseServers } from "./servers.js";

/** As the original's driver, which waits 3 s. */
const DEFAULT_TIMEOUT_MS = 3_000;

/** Beyond it a version 2 daemon would refuse the command as too old; the same bound holds for version 1. */
const MAX_TIMEOUT_MS = 20_000;

/** A key file's path, PEM text, or a loaded key; `false` or "" sends unsigned. */
export type KeyOption = string | Buffer | KeyObject | false;

export interface CallOptions {
  /** Milliseconds until the call fails, 1 to 20,000; default 3,000. */
  readonly timeout?: number | undefined;
  /** `first` (default): the first good answer. `all-equal`: an answer only if all daemons gave the same. */
  readonly policy?: Policy | undefined;
}

export interface SendOptions extends CallOptions {
  /** `host:port,host:port`, or a list. Default: DBSYNC_SERVERS, dbsync.ini, 127.0.0.1:1111. */
  readonly servers?: string | readonly string[] | undefined;
  /** Default: DBSYNC_SIGNKEY, dbsync.ini, unsigned. */
  readonly key?: KeyOption | undefined;
  /** Of the key file, if it has one. */
  readonly passphrase?: string | Buffer | undefined;
  /** `false`: a new connection for every call. Default true. */
  readonly keepalive?: boolean | undefined;
  /** Default `text`. */
  readonly format?: Format | undefined;
}

/** Options with nothing left open. `key` is the file's path, text or object, null for unsigned. */
export interface Settings extends CallSettings {
  readonly servers: readonly Address[];
  readonly key: Exclude<KeyOption, false> | null;
  readonly passphrase: string | Buffer | undefined;
  readonly keepalive: boolean;
}

/** What may differ from call to call on the same connections. */
export interface CallSettings {
  readonly timeout: number;
  readonly policy: Policy;
  readonly format: Format;
}

const POLICIES: readonly unknown[] = ["first", "all-equal"] satisfies Policy[];
const FORMATS: readonly unknown[] = ["text", "php-dbsync"] satisfies Format[];

/** How each option is checked: null if the value will do, else what is allowed. */
const CHECKS: Record<keyof SendOptions, (value: unknown) => string | null> = {
  servers: () => null, // parseServers says what is wrong with a list
  key: (value) =>
    value === false || typeof value === "string" || (typeof value === "object" && value !== null)
      ? null
      : "a file's path, PEM text, a KeyObject, or false for unsigned",
  passphrase: (value) => (typeof value === "string" || Buffer.isBuffer(value) ? null : "a string or Buffer"),
  keepalive: (value) => (typeof value === "boolean" ? null : "true or false"),
  policy: (value) => (POLICIES.includes(value) ? null : POLICIES.join(" or ")),
  format: (value) => (FORMATS.includes(value) ? null : FORMATS.join(" or ")),
  timeout: (value) =>
    typeof value === "number" && value >= 1 && value <= MAX_TIMEOUT_MS
      ? null
      : `1 to ${MAX_TIMEOUT_MS} milliseconds`,
};

/** Options whose values no message may show. */
const SECRETS: readonly string[] = ["key", "passphrase"] satisfies (keyof SendOptions)[];

const CALL_OPTIONS: readonly string[] = ["timeout", "policy"] satisfies (keyof CallOptions)[];

/**
 * @param defaults  asked for only if `servers` or `key` is left open
 * @throws DbsyncError `bad-option`, naming option, value and what is allowed; what `defaults` throws
 */
export function readOptions(options: SendOptions | string, defaults: () => Defaults): Settings {
  const given: SendOptions = typeof options === "string" ? { servers: options } : options;
  check(given, Object.keys(CHECKS));
  return {
    servers: given.servers === undefined ? defaults().servers : parseServers(given.servers),
    key: (given.key === undefined ? defaults().signkey : given.key) || null,
    passphrase: given.passphrase,
    keepalive: given.keepalive ?? true,
    timeout: given.timeout ?? DEFAULT_TIMEOUT_MS,
    policy: given.policy ?? "first",
    format: given.format ?? "text",
  };
}

/** Settings of one call: `base`, unless `options` says otherwise. @throws DbsyncError `bad-option` */
export function readCallOptions(options: CallOptions, base: CallSettings): CallSettings {
  check(options, CALL_OPTIONS);
  return {
    timeout: options.timeout ?? base.timeout,
    policy: options.policy ?? base.policy,
    format: base.format,
  };
}

function check(options: SendOptions, names: readonly string[]): void {
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

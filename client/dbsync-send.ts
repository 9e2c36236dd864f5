/**
 * The two entry points: `dbsyncSend`, which stores a client for each set of options as the original stores its
 * connections, and `createClient` for callers that hold one. `dbsyncReset` drops everything that `dbsyncSend` has
 * stored.
 */
import { KeyObject } from "node:crypto";
import type { Client } from "./client.js";
import { withCommands } from "./command-methods.js";
import type { FanOutClient } from "./fan-out-client.js";
import { ListeningClient } from "./listening-client.js";
import { type Defaults, readDefaults, realPlaces } from "./settings/defaults.js";
import { readOptions, type SendOptions, type Settings } from "./settings/options.js";
import { loadSigningKey, type SigningKey } from "./settings/signing-key.js";
import type { CommandInput } from "./shared/command.js";
import { frameTracer } from "./shared/debug.js";
import { type Environment, realEnvironment } from "./shared/environment.js";
import { DbsyncError } from "./shared/errors.js";
import { withAuthorities } from "./shared/servers.js";
import { readAuthorities } from "./shared/tls.js";
import { TracedClient } from "./traced-client.js";

/** The maximum number of sets of options in use; a program has one or two, and each holds connections. */
const CLIENTS_MAX = 64;

/** The clients by name, the most recently used last. */
const clients = new Map<string, FanOutClient>();

/** Numbers for key objects, which have no text of their own. */
let keyNumbers = new WeakMap<KeyObject, number>();
let keyCount = 0;

let keptDefaults: Defaults | null = null;
let clientWithoutOptions: FanOutClient | null = null;

/**
 * Signs a command once, sends it to every daemon and resolves with the first successful result, null for nil.
 * @param command  a line, sent as it is (split at spaces by the daemon, no quoting), or arguments: text, numbers,
 * bytes
 * @param options  or a list of servers, as in PHP
 * @throws DbsyncError  (as a rejection) by the deadline at the latest
 */
export function dbsyncSend(command: CommandInput, options?: SendOptions | string): Promise<string | null> {
  try {
    if (options === undefined) {
      clientWithoutOptions ??= keptClient(readOptions({}, defaults));
      return clientWithoutOptions.send(command);
    }
    const settings = readOptions(options, defaults);
    return keptClient(settings).sendWith(command, settings);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Closes all connections of `dbsyncSend` and drops its keys and defaults; the next call reads environment, dbsync.ini
 * and key files again. Calls in flight fail with `reset`. Clients from `createClient` are not affected.
 */
export function dbsyncReset(): void {
  const closing = [...clients.values()];
  clients.clear();
  clientWithoutOptions = null;
  keptDefaults = null;
  keyNumbers = new WeakMap();
  for (const client of closing) client.shut("reset");
}

/**
 * Opens a client with options and connections of its own; it connects at the first call. Close it after the last one.
 * @param options  or a list of servers
 * @throws DbsyncError `bad-option`, `bad-config`, `bad-key` immediately
 */
export function createClient(options: SendOptions | string = {}): Client {
  return withCommands(openClient(readOptions(options, defaults), warn, realEnvironment, true).client);
}

/**
 * Opens a client and loads its key.
 * @param warned     receives warnings about a key that can be used nevertheless
 * @param isSession  whether reads must see the client's acknowledged writes
 */
export function openClient(
  given: Settings,
  warned: (warning: string) => void,
  environment: Environment = realEnvironment,
  isSession = false,
): { client: ListeningClient; key: SigningKey } {
  const settings = trusting(given);
  const key = loadSigningKey(settings);
  for (const warning of key.warnings) warned(warning);
  const trace = frameTracer(process.env);
  const Class = (settings.debug ?? trace !== null) ? TracedClient : ListeningClient;
  return { client: new Class(settings, environment, key, { isSession, trace, warn: warned }), key };
}

/** Reads the authorities of the daemons' certificates. @throws DbsyncError `bad-option` */
export function trusting(settings: Settings): Settings {
  const { servers, authorities } = settings;
  if (authorities === null) return settings;
  return {
    ...settings,
    servers: withAuthorities(servers, readAuthorities(authorities.ca, authorities.from)),
  };
}

function warn(warning: string): void {
  process.emitWarning(warning, { type: "DbsyncWarning" });
}

function defaults(): Defaults {
  keptDefaults ??= readDefaults(realPlaces());
  return keptDefaults;
}

function keptClient(settings: Settings): FanOutClient {
  const name = nameOf(settings);
  const kept = clients.get(name);
  if (kept !== undefined) clients.delete(name);
  else if (clients.size >= CLIENTS_MAX) dropOne();
  const client = kept ?? openClient(settings, warn).client;
  clients.set(name, client);
  return client;
}

/** Closes the least recently used client. */
function dropOne(): void {
  for (const [name, client] of clients) {
    if (client.isBusy) continue;
    clients.delete(name);
    if (client === clientWithoutOptions) clientWithoutOptions = null;
    client.shut("closed");
    return;
  }
  throw new DbsyncError("too-many-clients", `${CLIENTS_MAX}; use fewer, or createClient and close it`);
}

/**
 * Returns what two calls must have in common to share connections and key; the remaining settings travel with each
 * call.
 */
function nameOf(settings: Settings): string {
  const { servers, authorities, key, passphrase, keepalive, format, versions, debug } = settings;
  const addresses = servers.map(({ text, tls }) => [text, tls]);
  return JSON.stringify([
    addresses,
    authorities?.ca.toString("latin1") ?? null,
    keyName(key),
    passphrase?.toString("latin1") ?? null,
    keepalive,
    format,
    versions,
    debug,
  ]);
}

function keyName(key: Settings["key"]): string | number | null {
  if (key === null || typeof key === "string") return key;
  if (!(key instanceof KeyObject)) return key.toString("latin1");
  const number = keyNumbers.get(key) ?? ++keyCount;
  keyNumbers.set(key, number);
  return number;
}
